//! The interfaces as this tool was built with them, and whether a component has their form.
//!
//! In -> out: component, role -> fits the role's world or not.
//! Invariant: the text is that of `wit/`, embedded once for new projects and for this; a component that imports an older
//! WASI 0.2 is measured with the same interfaces under that version.
//! Not here: which names are allowed at all (`orch-trust`'s `interfaces.rs`).

use orch_plugin::carried;
use orch_trust::facts::Facts;
use orch_trust::interfaces::{is_export_of, world_of};
use orch_trust::manifest::Role;
use semver::Version;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, UnresolvedPackageGroup, WorldId};

/// Versions of the interfaces that there are, oldest first.
pub const HOST_VERSIONS: [Version; 1] = [Version::new(0, 1, 0)];
/// WASI's version in the embedded text.
const WASI: &str = "0.2.12";
/// The world of everything that a plugin of any role may import.
const CAPABILITIES: &str = "capabilities";

/// Why a component does not fit.
#[derive(Debug, thiserror::Error)]
pub enum WitError {
    #[error("it uses WASI in several versions: {found}; `orch-plugin build` makes one of them")]
    WasiVersions { found: String },
    #[error("{message}")]
    Shape { message: String },
    #[error("the interfaces themselves could not be read: {message}")]
    Embedded { message: String },
}

/// Succeeds if every import has the form of its interface.
pub fn check_imports(component: &[u8], imports: &[String]) -> Result<(), WitError> {
    check(component, wasi_version(imports.iter())?, CAPABILITIES)
}

/// The world of that role, with everything that its plugin may import; of providers that of notices.
pub fn role_world(role: Role) -> Result<(Resolve, WorldId), WitError> {
    world(WASI, &world_of(role, "orch:notify/provide@0.1.0"))
}

/// Succeeds if the component fits the world of each export that makes it one of that role.
pub fn check_role(component: &[u8], role: Role, facts: &Facts) -> Result<(), WitError> {
    let wasi = wasi_version(facts.imports.iter().chain(&facts.exports))?;
    let exports = facts.exports.iter().filter(|export| is_export_of(role, export));
    exports.map(|export| world_of(role, export)).try_for_each(|world| check(component, wasi, &world))
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

fn check(component: &[u8], wasi: &str, base: &str) -> Result<(), WitError> {
    let (resolve, world) = world(wasi, base)?;
    wit_component::targets(&resolve, world, component)
        .map_err(|error| WitError::Shape { message: last_line(&error) })
}

/// The world of that name in the embedded text, and all of WASI that a plugin of any role may import.
fn world(wasi: &str, base: &str) -> Result<(Resolve, WorldId), WitError> {
    let target = format!(
        "package orch:certification;
         world target {{
           include orch:worlds/{base}@0.1.0;
           include orch:worlds/inert@0.1.0;
           import wasi:http/types@{wasi};
         }}"
    );
    let broken = |message| WitError::Embedded { message };
    let parse = |name: &str, text: &str| {
        UnresolvedPackageGroup::parse(name, text).map_err(|(sources, error)| broken(error.render(&sources)))
    };
    let texts = carried::WIT.iter().filter(|(path, _)| path.ends_with(".wit"));
    let packages: Result<_, _> = texts.map(|(path, text)| parse(path, &text.replace(WASI, wasi))).collect();
    let mut resolve = Resolve::default();
    let target = resolve
        .push_groups(parse("target.wit", &target)?, packages?)
        .map_err(|error| broken(error.to_string()))?;
    let world =
        resolve.select_world(&[target], Some("target")).map_err(|error| broken(format!("{error:#}")))?;
    Ok((resolve, world))
}

/// The one version of WASI among these names; this tool's own if there is none.
fn wasi_version<'a>(names: impl Iterator<Item = &'a String>) -> Result<&'a str, WitError> {
    let version = |name: &'a String| name.strip_prefix("wasi:")?.split_once('@').map(|(_, version)| version);
    let mut found: Vec<&str> = names.filter_map(version).collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [] => Ok(WASI),
        [one] => Ok(one),
        several => Err(WitError::WasiVersions { found: several.join(", ") }),
    }
}

/// The innermost cause, without the context that names generated bytes.
fn last_line(error: &anyhow::Error) -> String {
    let cause = error.root_cause().to_string();
    cause.split(" (at offset").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_role_has_a_world_in_every_version_of_wasi_that_hosts_take() {
        for patch in 1..=orch_trust::interfaces::WASI_PATCH_MAX {
            let version = format!("0.2.{patch}");
            world(&version, Role::Service.as_str()).unwrap();
        }
        for role in Role::ALL {
            role_world(role).unwrap();
        }
    }

    #[test]
    fn every_version_of_the_interfaces_is_known() {
        let (resolve, _) = role_world(Role::Executor).unwrap();
        let ours = resolve.package_names.keys().filter(|name| name.namespace == "orch");
        let versions: BTreeSet<Version> = ours.filter_map(|name| name.version.clone()).collect();
        assert!(versions.iter().eq(&HOST_VERSIONS), "{versions:?}");
    }

    #[test]
    fn several_versions_of_wasi_are_refused() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        let one = names(&["wasi:io/poll@0.2.3", "wasi:clocks/wall-clock@0.2.3", "orch:log/log@0.1.0"]);
        assert_eq!(wasi_version(one.iter()).unwrap(), "0.2.3");
        let two = names(&["wasi:io/poll@0.2.3", "wasi:clocks/wall-clock@0.2.4"]);
        assert!(matches!(wasi_version(two.iter()), Err(WitError::WasiVersions { .. })));
    }
}
