//! The worlds: what a plugin may import, and one for each role; of providers one for each thing that they provide.
//!
//! In -> out: `wit/deps/`, `orch-trust`'s table of imports and its roles -> `wit/worlds.wit`, and all packages resolved.
//! Invariant: a package of ours is shared shapes, a capability with a permission, or a role's export; nothing else
//! lies in `wit/deps/`. Worlds have the newest version of each; `older` has what hosts offer beside these.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use orch_trust::interfaces::{ImportRule, import_rule, is_export_of, world_of};
use orch_trust::manifest::Role;
use orch_trust::versions::Ours;
use wit_bindgen_core::wit_parser::{PackageId, Resolve, UnresolvedPackageGroup};

/// Where the text belongs in the checkout.
pub(crate) const PATH: &str = "wit/worlds.wit";
/// The world whose imports all roles share.
pub(crate) const CAPABILITIES: &str = "capabilities";
/// What of WASI every role may import; what these use comes with them.
const WASI: [&str; 4] = [
    "wasi:clocks/monotonic-clock@",
    "wasi:clocks/wall-clock@",
    "wasi:http/outgoing-handler@",
    "wasi:random/random@",
];

/// The worlds and everything that they use.
pub(crate) struct Worlds {
    pub(crate) text: String,
    /// Of the worlds that export something.
    pub(crate) names: Vec<String>,
    pub(crate) resolve: Resolve,
    pub(crate) package: PackageId,
}

/// Reads the packages and makes their worlds.
pub(crate) fn make(root: &Path) -> anyhow::Result<Worlds> {
    let folders = folders(&root.join("wit/deps"))?;
    let all = interfaces(&resolved(&folders)?);
    let exports = exports(&all)?;
    let names = exports.iter().map(|(role, export)| world_of(*role, export)).collect();
    // What generators call a package has its version in it where they see several of them.
    let newest: BTreeSet<PathBuf> =
        folders.iter().filter(|folder| is_newest_package(folder)).cloned().collect();
    let mut resolve = resolved(&newest)?;
    let package = resolve.push_source(PATH, &text(&interfaces(&resolve), &exports)?)?;
    Ok(Worlds { text: text(&all, &exports)?, names, resolve, package })
}

fn resolved(folders: &BTreeSet<PathBuf>) -> anyhow::Result<Resolve> {
    let mut packages = Vec::new();
    for folder in folders {
        packages.push(UnresolvedPackageGroup::parse_dir(folder)?);
    }
    let mut resolve = Resolve::default();
    let last = packages.pop().context("no package in `wit/deps`")?;
    resolve.push_groups(last, packages)?;
    Ok(resolve)
}

fn interfaces(resolve: &Resolve) -> BTreeSet<String> {
    resolve.interfaces.iter().filter_map(|(id, _)| resolve.id_of(id)).collect()
}

/// False of the folder of a package of ours of which a newer version is offered.
fn is_newest_package(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let parts = name.split_once('@');
    parts.is_none_or(|(package, version)| is_newest(&format!("orch:{package}/{package}@{version}")))
}

fn folders(deps: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let listed = fs::read_dir(deps).with_context(|| format!("cannot read `{}`", deps.display()))?;
    listed.map(|entry| Ok(entry?.path())).collect()
}

/// False of an interface of ours of which a newer version is offered.
fn is_newest(interface: &str) -> bool {
    Ours::of(interface).is_none_or(|ours| ours.is_newest())
}

/// What makes a plugin one of a role today, role by role.
fn exports(interfaces: &BTreeSet<String>) -> anyhow::Result<Vec<(Role, &str)>> {
    let mut found = Vec::new();
    for role in Role::ALL {
        let before = found.len();
        let of_role =
            interfaces.iter().filter(|interface| is_export_of(role, interface) && is_newest(interface));
        found.extend(of_role.map(|export| (role, export.as_str())));
        ensure!(found.len() > before, "nothing in `wit/deps` makes a plugin a {}", role.as_str());
    }
    Ok(found)
}

/// The text, of the names of all interfaces.
fn text(interfaces: &BTreeSet<String>, exports: &[(Role, &str)]) -> anyhow::Result<String> {
    let mut text = format!(
        "// Written by `cargo xtask bindings`, from `deps/` and the table of permissions.
package orch:worlds@0.1.0;

/// Everything that a plugin of any role may import. A component imports only what its
/// code calls, and each import needs its permission.
world {CAPABILITIES} {{
"
    );
    let mut older = Vec::new();
    for interface in interfaces.iter().filter(|interface| interface.starts_with("orch:")) {
        if import_rule(interface) == ImportRule::Unknown {
            ensure!(
                Role::ALL.into_iter().any(|role| is_export_of(role, interface)),
                "`{interface}` is neither in `domains!` of `trust/src/permission.rs` nor what a role exports, in a \
                 version that `trust/src/versions.rs` has"
            );
        } else if is_newest(interface) {
            writeln!(text, "  import {interface};")?;
        } else {
            older.push(interface);
        }
    }
    for wanted in WASI {
        let interface = interfaces.iter().find(|interface| interface.starts_with(wanted));
        let interface = interface.with_context(|| format!("no `{wanted}` in `wit/deps`"))?;
        writeln!(text, "  import {interface};")?;
    }
    text.push_str("}\n");
    text.push_str(
        "
/// What is linked for everybody and opens nothing: standard libraries and languages want it.
world inert {
",
    );
    for interface in interfaces.iter().filter(|interface| import_rule(interface) == ImportRule::Inert) {
        writeln!(text, "  import {interface};")?;
    }
    text.push_str("}\n");
    text.push_str(
        "
/// Capabilities in versions that hosts offer beside the newest one.
world older {
",
    );
    for interface in older {
        writeln!(text, "  import {interface};")?;
    }
    text.push_str("}\n");
    for (role, export) in exports {
        let (world, of) = (world_of(*role, export), role.as_str());
        write!(
            text,
            "
/// A plugin of the role `{of}`.
world {world} {{
  include {CAPABILITIES};
  export {export};
}}
"
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use orch_trust::versions::offered;

    use super::*;

    #[track_caller]
    fn check(added: &str, removed: &str, fault: &str) {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let worlds = make(root).unwrap();
        let all = worlds.resolve.interfaces.iter().filter_map(|(id, _)| worlds.resolve.id_of(id));
        let mut interfaces: BTreeSet<String> = all.filter(|interface| interface != removed).collect();
        interfaces.insert(added.to_owned());
        let made = exports(&interfaces).and_then(|exports| text(&interfaces, &exports));
        let found = made.unwrap_err().to_string();
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

    #[test]
    fn versions_that_are_offered_are_those_that_lie_there() {
        let deps = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/deps"));
        let mut lie: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for folder in folders(deps).unwrap() {
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            let (package, version) = name.split_once('@').unwrap();
            if !package.starts_with("wasi-") {
                lie.entry(package.to_owned()).or_default().insert(version.to_owned());
            }
        }
        for (package, versions) in lie {
            let offered: BTreeSet<String> = offered(&package).map(|version| version.to_string()).collect();
            assert_eq!(offered, versions, "`trust/src/versions.rs` and `wit/deps` differ in `{package}`");
        }
    }

    #[test]
    fn a_world_has_the_newest_version_and_the_others_are_beside_it() {
        let text =
            fs::read_to_string(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(PATH)).unwrap();
        let of =
            |world: &str| text.split(&format!("world {world} {{")).nth(1).unwrap().split('}').next().unwrap();
        assert!(
            of("capabilities").contains("orch:metrics/metrics@0.1.2")
                && !of("capabilities").contains("metrics@0.1.0")
        );
        assert!(of("older").contains("orch:metrics/metrics@0.1.0"));
        assert!(of("reflector").contains("export orch:reflector/reflector@0.2.0"));
    }
}
