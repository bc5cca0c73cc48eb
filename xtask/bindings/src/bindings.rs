//! Guest bindings: the Rust code between a plugin and the interfaces in `wit/`, generated once and committed.
//!
//! In -> out: every package under `wit/` -> `sdk/src/bindings/<world>.rs`, one file a world.
//! Invariant: a role's world takes each import from the shared world `capabilities`, so that a type is one type in
//! every role; what a role exports is described to the linker by its export macro alone, never by being compiled.
//! Not here: the SDK's own traits and functions (`sdk/src`), the host's bindings (`host/src/bindings.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use wit_bindgen_core::wit_parser::{Resolve, UnresolvedPackageGroup, WorldId, WorldItem};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_bindgen_rust::{Opts, WithOption};

/// The world whose imports all roles share.
const SHARED: &str = "capabilities";
/// One world a role.
const ROLES: [&str; 6] = ["planner", "executor", "reflector", "auditor", "verifier", "service"];

/// Writes the bindings; files that are current keep their time.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    let folder = folder(root);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    for (name, text) in generate(root)? {
        let path = folder.join(&name);
        if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
    }
    Ok(())
}

/// Succeeds if the committed bindings are what `wit/` gives today, and no other file lies beside them.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let folder = folder(root);
    let expected = generate(root)?;
    for (name, text) in &expected {
        let path = folder.join(name);
        let found = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        ensure!(found == *text, "`{}` is not what `wit/` gives: run `cargo xtask bindings`", path.display());
    }
    let listed = fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in listed {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ensure!(expected.contains_key(&name), "`{name}` in `{}` belongs to no world", folder.display());
    }
    Ok(())
}

fn folder(root: &Path) -> PathBuf {
    root.join("sdk/src/bindings")
}

/// File name -> text, for every world.
fn generate(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = Files::default();
    let shared = generate_world(root, SHARED, &BTreeSet::new(), &mut files)?;
    for role in ROLES {
        generate_world(root, role, &shared, &mut files)?;
    }
    files
        .iter()
        .map(|(name, bytes)| {
            let text = String::from_utf8(bytes.to_vec()).with_context(|| format!("`{name}` is not text"))?;
            Ok((name.to_owned(), text))
        })
        .collect()
}

/// Adds the bindings of one world to `files`; its imports come back, those in `shared` are taken from there.
fn generate_world(
    root: &Path,
    name: &str,
    shared: &BTreeSet<String>,
    files: &mut Files,
) -> anyhow::Result<BTreeSet<String>> {
    let (mut resolve, world) = resolve_world(root, name)?;
    let imports = imports(&resolve, world)?;
    let options = Opts {
        format: true,
        generate_all: true,
        generate_unused_types: true,
        pub_export_macro: true,
        default_bindings_module: Some(format!("$crate::bindings::{name}")),
        with: imports.intersection(shared).map(|import| (import.clone(), shared_module(import))).collect(),
        // The error variant of streams holds a resource, which has no equality.
        additional_derive_attributes: if name == "service" {
            Vec::new()
        } else {
            vec!["PartialEq".to_owned()]
        },
        ..Opts::default()
    };
    let mut generator = options.build();
    generator
        .generate(&mut resolve, world, files)
        .with_context(|| format!("cannot bind the world `{name}`"))?;
    Ok(imports)
}

/// Where the shared bindings keep an interface: `orch:kv/kv@0.1.0` is `orch::kv::kv`.
fn shared_module(interface: &str) -> WithOption {
    let path = interface.split('@').next().unwrap_or_default().replace([':', '/'], "::").replace('-', "_");
    WithOption::Path(format!("crate::bindings::{SHARED}::{path}"))
}

/// Names of the interfaces that a world imports.
fn imports(resolve: &Resolve, world: WorldId) -> anyhow::Result<BTreeSet<String>> {
    let world = resolve.worlds.get(world).context("the world is not in what was resolved")?;
    let mut names = BTreeSet::new();
    for (key, item) in &world.imports {
        ensure!(matches!(item, WorldItem::Interface { .. }), "`{}` imports something bare", world.name);
        names.insert(resolve.name_world_key(key));
    }
    Ok(names)
}

/// One world and everything that it uses, read anew because generating changes it.
fn resolve_world(root: &Path, name: &str) -> anyhow::Result<(Resolve, WorldId)> {
    let mut others = Vec::new();
    let mut worlds = None;
    for folder in package_folders(&root.join("wit"))? {
        let package = UnresolvedPackageGroup::parse_dir(&folder)?;
        match folder.parent().is_some_and(|parent| parent.ends_with("wit/worlds")) {
            true => worlds = Some(package),
            false => others.push(package),
        }
    }
    let worlds = worlds.context("no package of worlds under `wit/worlds`")?;
    let mut resolve = Resolve::default();
    let package = resolve.push_groups(worlds, others)?;
    let world = resolve.select_world(&[package], Some(name))?;
    Ok((resolve, world))
}

/// Folders under `folder` that hold WIT files, sorted.
fn package_folders(folder: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let listed = fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in listed {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(package_folders(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "wit") {
            found.insert(folder.to_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    #[test]
    fn the_committed_bindings_are_current() {
        check(root()).unwrap();
    }

    #[test]
    fn compiling_a_role_does_not_say_that_it_is_exported() {
        for (name, text) in
            generate(root()).unwrap().into_iter().filter(|(name, _)| name != "capabilities.rs")
        {
            let outside_macros = text.split("macro_rules!").next().unwrap();
            assert!(
                !outside_macros.contains(":imports and exports"),
                "`{name}` describes its exports when compiled"
            );
            assert!(text.contains(":imports and exports"), "`{name}` describes its exports nowhere");
        }
    }

    #[test]
    fn shared_types_are_defined_once() {
        for (name, text) in generate(root()).unwrap() {
            let defined = text.matches("pub struct NewTask").count();
            assert_eq!(defined, usize::from(name == "capabilities.rs"), "`{name}`");
        }
    }
}
