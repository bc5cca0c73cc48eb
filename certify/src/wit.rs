//! The interfaces as this tool was built with them, and whether a component has their form.
//!
//! In -> out: component, role -> fits the role's world or not.
//! Invariant: the text is that of `wit/`, embedded once for new projects and for this; a component that imports an older
//! WASI 0.2, or several (an engine's own beside its plugin's), is measured with the same interfaces under each version.
//! Not here: which names are allowed at all (`orch-trust`'s `interfaces.rs`).

use std::collections::BTreeSet;

use orch_plugin::carried;
use orch_trust::facts::Facts;
use orch_trust::interfaces::{is_export_of, newest_export};
use orch_trust::manifest::Role;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, UnresolvedPackageGroup, WorldId};

/// WASI's version in the embedded text.
const WASI: &str = "0.2.12";

/// Why a component does not fit.
#[derive(Debug, thiserror::Error)]
pub enum WitError {
    #[error("{message}")]
    Shape { message: String },
    #[error("the interfaces themselves could not be read: {message}")]
    Embedded { message: String },
}

/// Succeeds if every import has the form of its interface.
pub fn check_imports(component: &[u8], imports: &[String]) -> Result<(), WitError> {
    check(component, &wasi_versions(imports.iter()), "")
}

/// The world of that role, with everything that its plugin may import; of providers that of notices.
pub fn role_world(role: Role) -> Result<(Resolve, WorldId), WitError> {
    world(&[WASI], &export_line(&newest_export(role, "notify")))
}

fn export_line(export: &str) -> String {
    format!("export {export};")
}

/// Succeeds if the component fits the form of each export that makes it one of that role, in the version that it has.
pub fn check_role(component: &[u8], role: Role, facts: &Facts) -> Result<(), WitError> {
    let wasi = wasi_versions(facts.imports.iter().chain(&facts.exports));
    let exports = facts.exports.iter().filter(|export| is_export_of(role, export));
    exports.map(|export| export_line(export)).try_for_each(|export| check(component, &wasi, &export))
}

/// Succeeds if `new` exports everything that `old` does, in the same form, whatever the versions of interfaces are.
/// What `new` imports beyond `old` is left aside.
///
/// # Errors
/// `Shape`.
pub fn check_upgrade(old: &[u8], new: &[u8]) -> Result<(), WitError> {
    let shape = |error: anyhow::Error| WitError::Shape { message: last_line(&error) };
    let (mut resolve, new_world) = decode(new)?;
    let (mut old_resolve, old_world) = decode(old)?;
    // Interfaces of one name must not become one: what differs in them is what is looked for.
    for (_, package) in old_resolve.packages.iter_mut() {
        package.name.namespace.insert_str(0, "old-");
    }
    old_resolve.package_names =
        old_resolve.packages.iter().map(|(id, package)| (package.name.clone(), id)).collect();
    let ids = resolve.merge(old_resolve).map_err(shape)?;
    let old_world =
        ids.map_world(old_world, Default::default()).map_err(|error| shape(anyhow::anyhow!("{error}")))?;
    for (_, package) in resolve.packages.iter_mut() {
        if let Some(namespace) = package.name.namespace.strip_prefix("old-") {
            package.name.namespace = namespace.to_owned();
        }
        package.name.version = None;
    }
    let key = |resolve: &Resolve, world: WorldId| -> Vec<String> {
        let world = resolve.worlds.get(world);
        world
            .map(|world| world.imports.keys().map(|key| resolve.name_world_key(key)).collect())
            .unwrap_or_default()
    };
    let (asked, named) = (key(&resolve, old_world), key(&resolve, new_world));
    if let Some(world) = resolve.worlds.get_mut(new_world) {
        let mut named = named.iter();
        world.imports.retain(|_, _| named.next().is_some_and(|name| asked.contains(name)));
    }
    // Who was content with the old one gets the new one: the new one is what is there, the old one what is wanted.
    wit_component::semver_check(resolve, new_world, old_world).map_err(shape)
}

fn decode(component: &[u8]) -> Result<(Resolve, WorldId), WitError> {
    match wit_component::decode(component) {
        Ok(DecodedWasm::Component(resolve, world)) => Ok((resolve, world)),
        Ok(_) => Err(WitError::Shape { message: "it is no component".to_owned() }),
        Err(error) => Err(WitError::Shape { message: last_line(&error) }),
    }
}

fn check(component: &[u8], wasi: &[&str], export: &str) -> Result<(), WitError> {
    let (resolve, world) = world(wasi, export)?;
    wit_component::targets(&resolve, world, component)
        .map_err(|error| WitError::Shape { message: last_line(&error) })
}

/// A world with that export, and everything that a plugin of any role may import, in each version that hosts offer.
fn world(wasi: &[&str], export: &str) -> Result<(Resolve, WorldId), WitError> {
    let texts = || carried::WIT.iter().filter(|(path, _)| path.ends_with(".wit"));
    let of_wasi = |path: &str| path.starts_with("deps/wasi-");
    let lines = texts().filter(|(path, _)| !of_wasi(path)).flat_map(|(_, text)| text.lines());
    let imports: BTreeSet<&str> =
        lines.filter(|line| line.trim_start().starts_with("import wasi:")).collect();
    let imports: Vec<&str> = imports.into_iter().collect();
    let imports: String =
        wasi.iter().map(|version| imports.join("\n").replace(WASI, version) + "\n").collect();
    let types: String = wasi.iter().map(|version| format!("import wasi:http/types@{version};\n")).collect();
    let target = format!(
        "package orch:certification;
         world target {{
           include orch:worlds/capabilities@0.1.0;
           include orch:worlds/older@0.1.0;
           include orch:worlds/inert@0.1.0;
           {imports}{types}{export}
         }}"
    );
    let broken = |message| WitError::Embedded { message };
    let parse = |name: &str, text: &str| {
        UnresolvedPackageGroup::parse(name, text).map_err(|(sources, error)| broken(error.render(&sources)))
    };
    let first = wasi.first().copied().unwrap_or(WASI);
    let mut packages = Vec::new();
    for (path, text) in texts() {
        // What is not WASI's own names one version of it, whichever.
        let versions = if of_wasi(path) { wasi } else { std::slice::from_ref(&first) };
        for version in versions {
            packages.push(parse(path, &text.replace(WASI, version))?);
        }
    }
    let mut resolve = Resolve::default();
    let target = resolve
        .push_groups(parse("target.wit", &target)?, packages)
        .map_err(|error| broken(error.to_string()))?;
    let world =
        resolve.select_world(&[target], Some("target")).map_err(|error| broken(format!("{error:#}")))?;
    Ok((resolve, world))
}

/// The versions of WASI among these names; this tool's own if there is none.
fn wasi_versions<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let version = |name: &'a String| name.strip_prefix("wasi:")?.split_once('@').map(|(_, version)| version);
    let found: BTreeSet<&str> = names.filter_map(version).collect();
    match found.is_empty() {
        true => vec![WASI],
        false => found.into_iter().collect(),
    }
}

/// The innermost cause, without the context that names generated bytes.
fn last_line(error: &anyhow::Error) -> String {
    let cause = error.root_cause().to_string();
    cause.split(" (at offset").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use semver::Version;

    use super::*;

    #[test]
    fn every_role_has_a_world_in_every_version_of_wasi_that_hosts_take() {
        for patch in 1..=orch_trust::interfaces::WASI_PATCH_MAX {
            let version = format!("0.2.{patch}");
            world(&[&version], &format!("export wasi:http/incoming-handler@{version};")).unwrap();
        }
        for role in Role::ALL {
            role_world(role).unwrap();
        }
    }

    #[test]
    fn every_version_that_hosts_offer_has_its_text() {
        let (resolve, _) = role_world(Role::Executor).unwrap();
        for name in resolve.package_names.keys().filter(|name| name.namespace == "orch") {
            let lie = resolve
                .package_names
                .keys()
                .filter(|other| other.name == name.name && other.namespace == "orch");
            let lie: BTreeSet<Version> = lie.filter_map(|name| name.version.clone()).collect();
            let offered: BTreeSet<Version> = orch_trust::versions::offered(&name.name).collect();
            assert!(["worlds", "certification"].contains(&name.name.as_str()) || lie == offered, "{name}");
        }
    }

    #[test]
    fn several_versions_of_wasi_are_measured_each() {
        let names =
            ["wasi:io/poll@0.2.3", "orch:log/log@0.1.0", "wasi:clocks/wall-clock@0.2.11"].map(str::to_owned);
        assert_eq!(wasi_versions(names.iter()), ["0.2.11", "0.2.3"]);
        assert_eq!(wasi_versions([].iter()), [WASI]);
        let (resolve, world) = world(&["0.2.11", "0.2.3"], "").unwrap();
        let imports = resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key));
        let imports: BTreeSet<String> = imports.collect();
        for name in [
            "wasi:io/poll@0.2.3",
            "wasi:io/poll@0.2.11",
            "wasi:http/types@0.2.3",
            "orch:metrics/metrics@0.1.0",
        ] {
            assert!(imports.contains(name), "{name}");
        }
        assert!(!imports.contains("wasi:io/poll@0.2.12"));
    }
}
