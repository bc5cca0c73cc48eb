//! The worlds: what a plugin may import, and one for each role.
//!
//! In -> out: `wit/deps/`, `orch-trust`'s table of imports and its roles -> `wit/worlds.wit`, and all packages resolved.
//! Invariant: a package of ours is shared shapes, a capability with a permission, or a role's export; nothing else
//! lies in `wit/deps/`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use orch_trust::interfaces::{ImportRule, import_rule, is_export_of};
use orch_trust::manifest::Role;
use wit_bindgen_core::wit_parser::{PackageId, Resolve, UnresolvedPackageGroup};

/// Where the text belongs in the checkout.
pub(crate) const PATH: &str = "wit/worlds.wit";
/// The world whose imports all roles share.
pub(crate) const CAPABILITIES: &str = "capabilities";
/// What of WASI every role may import; what these use comes with them.
const WASI: [&str; 3] = ["wasi:clocks/monotonic-clock@", "wasi:clocks/wall-clock@", "wasi:random/random@"];

/// The worlds and everything that they use.
pub(crate) struct Worlds {
    pub(crate) text: String,
    pub(crate) resolve: Resolve,
    pub(crate) package: PackageId,
}

/// Reads the packages and makes their worlds.
pub(crate) fn make(root: &Path) -> anyhow::Result<Worlds> {
    let mut packages = Vec::new();
    for folder in folders(&root.join("wit/deps"))? {
        packages.push(UnresolvedPackageGroup::parse_dir(&folder)?);
    }
    let mut resolve = Resolve::default();
    let last = packages.pop().context("no package in `wit/deps`")?;
    resolve.push_groups(last, packages)?;
    let interfaces: BTreeSet<String> =
        resolve.interfaces.iter().filter_map(|(id, _)| resolve.id_of(id)).collect();
    let text = text(&interfaces)?;
    let package = resolve.push_source(PATH, &text)?;
    Ok(Worlds { text, resolve, package })
}

fn folders(deps: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let listed = fs::read_dir(deps).with_context(|| format!("cannot read `{}`", deps.display()))?;
    listed.map(|entry| Ok(entry?.path())).collect()
}

/// The text, of the names of all interfaces.
fn text(interfaces: &BTreeSet<String>) -> anyhow::Result<String> {
    let mut text = format!(
        "// Written by `cargo xtask bindings`, from `deps/` and the table of permissions.
package orch:worlds@0.1.0;

/// Everything that a plugin of any role may import. A component imports only what its
/// code calls, and each import needs its permission.
world {CAPABILITIES} {{
"
    );
    for interface in interfaces.iter().filter(|interface| interface.starts_with("orch:")) {
        if import_rule(interface) == ImportRule::Unknown {
            ensure!(
                Role::ALL.into_iter().any(|role| is_export_of(role, interface)),
                "`{interface}` is neither in `domains!` of `trust/src/permission.rs` nor what a role exports"
            );
        } else {
            writeln!(text, "  import {interface};")?;
        }
    }
    for wanted in WASI {
        let interface = interfaces.iter().find(|interface| interface.starts_with(wanted));
        let interface = interface.with_context(|| format!("no `{wanted}` in `wit/deps`"))?;
        writeln!(text, "  import {interface};")?;
    }
    text.push_str("}\n");
    for role in Role::ALL {
        let export = interfaces.iter().find(|interface| is_export_of(role, interface));
        let export =
            export.with_context(|| format!("nothing in `wit/deps` makes a plugin a {}", role.as_str()))?;
        write!(
            text,
            "
/// A plugin of the role `{0}`.
world {0} {{
  include {CAPABILITIES};
  export {export};
}}
",
            role.as_str()
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(added: &str, removed: &str, fault: &str) {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let worlds = make(root).unwrap();
        let all = worlds.resolve.interfaces.iter().filter_map(|(id, _)| worlds.resolve.id_of(id));
        let mut interfaces: BTreeSet<String> = all.filter(|interface| interface != removed).collect();
        interfaces.insert(added.to_owned());
        let found = text(&interfaces).unwrap_err().to_string();
        assert!(found.contains(fault), "{found}");
    }

    #[test]
    fn a_package_that_nothing_opens_is_refused() {
        check("orch:logs/logs@0.1.0", "", "`orch:logs/logs@0.1.0` is neither");
        check("orch:log/log@0.1.1", "", "`orch:log/log@0.1.1` is neither");
    }

    #[test]
    fn a_role_without_its_interface_is_refused() {
        check("orch:log/log@0.1.0", "orch:planner/planner@0.1.0", "makes a plugin a planner");
    }
}
