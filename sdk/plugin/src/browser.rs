//! Crates that speak to a browser when they are compiled for WebAssembly, and what to do about each.
//!
//! In -> out: what a plugin is made of -> the crates that ask for `wasm-bindgen` or `js-sys`, and cures in words.
//! Invariant: what is advised asks for nothing of a browser.
//! Not here: finding out that a module does it (`component.rs`).

use crate::dependencies::Dependencies;

/// What stands for a browser.
const BROWSER: [&str; 3] = ["js-sys", "wasm-bindgen", "web-sys"];
/// The same, for itself.
const ITS_OWN: [&str; 6] = [
    "wasm-bindgen-backend",
    "wasm-bindgen-futures",
    "wasm-bindgen-macro",
    "wasm-bindgen-shared",
    "serde-wasm-bindgen",
    "wasm-streams",
];
/// Crate, the feature that asks, and what to write instead.
const CURES: [(&str, &str, &str); 6] = [
    (
        "chrono",
        "wasmbind",
        "`chrono = { version = \"0.4\", default-features = false, features = [\"alloc\"] }`, and the time from `orch_sdk::clocks`",
    ),
    ("getrandom", "wasm_js", "leave `wasm_js` and `js` out, and build for WASI"),
    ("instant", "wasm-bindgen", "leave it out: `orch_sdk::clocks` has the time"),
    ("reqwest", "default", "leave it out: `orch_sdk::http` sends requests, by the permission `http`"),
    ("time", "wasm-bindgen", "leave the feature out, and take the time from `orch_sdk::clocks`"),
    ("uuid", "js", "leave `js` out, and build for WASI or make ids of `orch_sdk::random`"),
];

/// Crates that use what stands for a browser, in the order of their names.
pub(crate) fn who_asks(dependencies: &Dependencies) -> Vec<String> {
    let is_browser = |place: &usize| {
        dependencies.packages.get(*place).is_some_and(|package| BROWSER.contains(&&*package.name))
    };
    let asks = dependencies.packages.iter().filter(|package| package.uses.iter().any(is_browser));
    let names = asks.map(|package| package.name.clone());
    let mut names: Vec<String> =
        names.filter(|name| !BROWSER.contains(&&**name) && !ITS_OWN.contains(&&**name)).collect();
    names.dedup();
    names
}

pub(crate) fn said(asks: &[String]) -> String {
    match asks {
        [] => "by `wasm-bindgen`".to_owned(),
        asks => format!("by `{}`", asks.join("`, `")),
    }
}

/// A line for each crate that is known, and the way that helps with all of them.
pub(crate) fn cures(asks: &[String]) -> String {
    let mut lines = Vec::new();
    for (name, feature, cure) in CURES.iter().filter(|(name, ..)| asks.iter().any(|asked| asked == name)) {
        lines.push(format!("{name} (feature `{feature}`): {cure}"));
    }
    lines.push("`orch-plugin build --wasi` builds for WASI, where clock and random numbers need no browser; say it for good in `Cargo.toml`: `[package.metadata.orch]`, `wasi = true`".to_owned());
    lines.join("\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_a_browser_is_named_with_its_cure() {
        let mut dependencies = crate::dependencies::tests::example();
        let mut package = dependencies.packages[0].clone();
        let mut add = |name: &str, uses: Vec<usize>| {
            package.name = name.to_owned();
            package.uses = uses;
            dependencies.packages.push(package.clone());
            dependencies.packages.len() - 1
        };
        let bindgen = add("wasm-bindgen", Vec::new());
        let system = add("js-sys", vec![bindgen]);
        add("chrono", vec![system]);
        add("strange", vec![bindgen]);
        let asks = who_asks(&dependencies);
        assert_eq!(asks, ["chrono", "strange"]);
        assert_eq!(said(&asks), "by `chrono`, `strange`");
        let cures = cures(&asks);
        assert!(cures.starts_with("chrono (feature `wasmbind`): ") && cures.contains("--wasi"), "{cures}");
        assert_eq!(cures.lines().count(), 2, "{cures}");
    }
}
