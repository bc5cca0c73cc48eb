//! Writes the guest's bindings from `wit/`, or says whether they are current. Run by `cargo xtask bindings`.

mod bindings;

use std::path::Path;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .context("this package lies in no checkout")?;
    match std::env::args().nth(1).as_deref() {
        Some("--check") => bindings::check(root),
        _ => bindings::write(root),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_bindings_are_current() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        super::bindings::check(root).unwrap();
    }
}
