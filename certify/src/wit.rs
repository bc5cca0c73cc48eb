//! The interfaces as this tool was built with them, and whether a component has their form.
//!
//! In -> out: component, role -> fits the role's world or not.
//! Invariant: the text is that of `wit/`, embedded; a component that imports an older WASI 0.2 is measured with the
//! same interfaces under that version.
//! Not here: which names are allowed at all (`orch-trust`'s `interfaces.rs`).

use orch_trust::facts::Facts;
use orch_trust::manifest::Role;
use semver::Version;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId};

/// Versions of the interfaces that there are, oldest first; folders of `wit/worlds/`.
pub const HOST_VERSIONS: [Version; 1] = [Version::new(0, 1, 0)];
/// WASI's version in the embedded text.
const WASI: &str = "0.2.12";

/// In an order in which each needs only those before it.
const PACKAGES: [(&str, &str); 19] = [
    ("io.wit", include_str!("../../wit/wasi/io/0.2.12/io.wit")),
    ("clocks.wit", include_str!("../../wit/wasi/clocks/0.2.12/clocks.wit")),
    ("random.wit", include_str!("../../wit/wasi/random/0.2.12/random.wit")),
    ("http.wit", include_str!("../../wit/wasi/http/0.2.12/http.wit")),
    ("types.wit", include_str!("../../wit/types/0.1.0/types.wit")),
    ("log.wit", include_str!("../../wit/log/0.1.0/log.wit")),
    ("settings.wit", include_str!("../../wit/settings/0.1.0/settings.wit")),
    ("kv.wit", include_str!("../../wit/kv/0.1.0/kv.wit")),
    ("tasks.wit", include_str!("../../wit/tasks/0.1.0/tasks.wit")),
    ("files.wit", include_str!("../../wit/files/0.1.0/files.wit")),
    ("process.wit", include_str!("../../wit/process/0.1.0/process.wit")),
    ("findings.wit", include_str!("../../wit/findings/0.1.0/findings.wit")),
    ("metrics.wit", include_str!("../../wit/metrics/0.1.0/metrics.wit")),
    ("planner.wit", include_str!("../../wit/planner/0.1.0/planner.wit")),
    ("executor.wit", include_str!("../../wit/executor/0.1.0/executor.wit")),
    ("reflector.wit", include_str!("../../wit/reflector/0.1.0/reflector.wit")),
    ("auditor.wit", include_str!("../../wit/auditor/0.1.0/auditor.wit")),
    ("verifier.wit", include_str!("../../wit/verifier/0.1.0/verifier.wit")),
    ("worlds.wit", include_str!("../../wit/worlds/0.1.0/worlds.wit")),
];

/// Why a component does not fit.
#[derive(Debug, thiserror::Error)]
pub enum WitError {
    #[error("it uses WASI in several versions: {found}")]
    WasiVersions { found: String },
    #[error("{message}")]
    Shape { message: String },
    #[error("the interfaces themselves could not be read: {message}")]
    Embedded { message: String },
}

/// Succeeds if every import has the form of its interface.
pub fn check_imports(component: &[u8], imports: &[String]) -> Result<(), WitError> {
    check(component, wasi_version(imports.iter())?, "")
}

/// The world of that role, with everything that its plugin may import.
pub fn role_world(role: Role) -> Result<(Resolve, WorldId), WitError> {
    world(WASI, &export_of(role, WASI))
}

fn export_of(role: Role, wasi: &str) -> String {
    match role {
        Role::Service => format!("export wasi:http/incoming-handler@{wasi};"),
        other => format!("export orch:{0}/{0}@0.1.0;", other.as_str()),
    }
}

/// Succeeds if the component fits the world of that role.
pub fn check_role(component: &[u8], role: Role, facts: &Facts) -> Result<(), WitError> {
    let version = wasi_version(facts.imports.iter().chain(&facts.exports))?;
    check(component, version, &export_of(role, version))
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

fn check(component: &[u8], wasi: &str, export: &str) -> Result<(), WitError> {
    let (resolve, world) = world(wasi, export)?;
    wit_component::targets(&resolve, world, component)
        .map_err(|error| WitError::Shape { message: last_line(&error) })
}

/// Everything that a plugin may import, and that export.
fn world(wasi: &str, export: &str) -> Result<(Resolve, WorldId), WitError> {
    let broken = |error: anyhow::Error| WitError::Embedded { message: format!("{error:#}") };
    let mut resolve = Resolve::default();
    for (name, text) in PACKAGES {
        resolve.push_source(name, &text.replace(WASI, wasi)).map_err(broken)?;
    }
    let text = format!(
        "package orch:certification;
         world target {{
           include orch:worlds/capabilities@0.1.0;
           import wasi:io/poll@{wasi};
           import wasi:io/error@{wasi};
           import wasi:io/streams@{wasi};
           import wasi:http/types@{wasi};
           {export}
         }}"
    );
    let package = resolve.push_source("target.wit", &text).map_err(broken)?;
    let world = resolve.select_world(&[package], Some("target")).map_err(broken)?;
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
    use super::*;

    #[test]
    fn every_role_has_a_world_in_every_version_of_wasi_that_hosts_take() {
        for patch in 1..=orch_trust::interfaces::WASI_PATCH_MAX {
            let version = format!("0.2.{patch}");
            world(&version, &export_of(Role::Service, &version)).unwrap();
        }
        for role in Role::ALL {
            role_world(role).unwrap();
        }
    }

    #[test]
    fn every_version_of_the_interfaces_is_known() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/worlds");
        let versions = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut versions: Vec<Version> =
            versions.map(|name| Version::parse(name.to_str().unwrap()).unwrap()).collect();
        versions.sort();
        assert_eq!(versions, HOST_VERSIONS);
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
