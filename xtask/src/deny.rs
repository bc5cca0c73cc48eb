//! Licences, sources and banned versions of everything that is built, by `cargo deny`.
//!
//! In -> out: `deny.toml`, each workspace's lock file -> nothing, or what is not allowed.
//! Not here: advisories. Their database is no package of a registry, and more is not within reach of CI.

use std::path::Path;
use std::process::Command;

use crate::{cargo_tool, step};

const VERSION: &str = "0.20.2";
/// Each has a lock file of its own.
const WORKSPACES: [&str; 4] = [".", "plugins", "tests/guests", "fuzz/libfuzzer"];

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let program = cargo_tool::program("deny", VERSION, Some(&root.join("xtask/cargo-deny.txt")))?;
    for workspace in WORKSPACES {
        let mut deny = Command::new(&program);
        deny.current_dir(root).args(["deny", "--locked", "--log-level", "error", "--config", "deny.toml"]);
        deny.arg("--manifest-path").arg(root.join(workspace).join("Cargo.toml"));
        step::run(workspace, deny.args(["check", "bans", "licenses", "sources"]))?;
    }
    Ok(())
}
