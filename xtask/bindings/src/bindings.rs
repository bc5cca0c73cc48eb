//! Guest bindings: the Rust code between a plugin and the interfaces in `wit/`, generated once and committed.
//!
//! In -> out: the resolved worlds -> `sdk/src/bindings/<world>.rs`, one file a world, and the list of these modules.
//! Invariant: a role's world takes each import from the shared world `capabilities`, so that a type is one type in
//! every role; what a role exports is described to the linker by its export macro alone, never by being compiled.
//! Not here: the SDK's own traits and functions (`sdk/src`), the host's bindings (`host/src/bindings.rs`).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use wit_bindgen_core::wit_parser::{Resolve, WorldId, WorldItem};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_bindgen_rust::{Opts, WithOption};

use crate::worlds::{CAPABILITIES, Worlds};

/// Where the bindings lie; no other file is there.
pub(crate) const FOLDER: &str = "sdk/src/bindings";
const MODULES: &str = "sdk/src/bindings.rs";
const MODULES_HEADER: &str = "\
//! What `cargo xtask bindings` makes of `wit/`: the calls into the host and the shapes that cross the boundary.
//!
//! Invariant: generated, never edited; public only because the export macros name it.
//! Not here: anything that a plugin should write against (`role/`, and one module a capability).

#![allow(
    warnings,
    clippy::all,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

";

/// Path in the checkout -> text, for every world and for the list of them.
pub(crate) fn generate(worlds: &Worlds) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = Files::default();
    let shared = generate_world(worlds, CAPABILITIES, &BTreeSet::new(), &mut files)?;
    for name in &worlds.names {
        generate_world(worlds, name, &shared, &mut files)?;
    }
    let mut texts = BTreeMap::new();
    for (name, bytes) in files.iter() {
        let text = String::from_utf8(bytes.to_vec()).with_context(|| format!("`{name}` is not text"))?;
        let text = panicking(&text);
        texts.insert(format!("{FOLDER}/{name}"), text);
    }
    texts.insert(MODULES.to_owned(), modules(&worlds.names));
    Ok(texts)
}

/// What a call to the host says on the developer's machine.
const ABSENT: &str = "a call to the host, and none is here: with the feature `testing` of `orch-sdk` there is \
                      `orch_sdk::testing::Host`, and case files play the finished component";

/// The generator's functions for other machines end the whole process, since a panic cannot leave them: here it can, with a word.
fn panicking(text: &str) -> String {
    let stub = |part: &str| match part.split_once("unreachable!()") {
        Some((before, after)) if before.trim_start().starts_with("unsafe extern \"C\" fn ") => {
            let before = before.replacen("extern \"C\" fn", "extern \"C-unwind\" fn", 1);
            format!("{before}panic!({ABSENT:?}){after}")
        }
        _ => part.to_owned(),
    };
    const ELSEWHERE: &str = "#[cfg(not(target_arch = \"wasm32\"))]";
    text.split(ELSEWHERE).map(stub).collect::<Vec<_>>().join(ELSEWHERE)
}

/// One module a world.
fn modules(worlds: &[String]) -> String {
    let modules = worlds.iter().map(|world| module(world)).chain([CAPABILITIES.to_owned()]);
    let names: BTreeSet<String> = modules.collect();
    let modules = names.iter().map(|name| format!("#[rustfmt::skip]\npub mod {name};\n"));
    MODULES_HEADER.to_owned() + &modules.collect::<String>()
}

fn module(world: &str) -> String {
    world.replace('-', "_")
}

/// Adds the bindings of one world to `files`; its imports come back, those in `shared` are taken from there.
fn generate_world(
    worlds: &Worlds,
    name: &str,
    shared: &BTreeSet<String>,
    files: &mut Files,
) -> anyhow::Result<BTreeSet<String>> {
    // Generating changes it.
    let mut resolve = worlds.resolve.clone();
    let world = resolve.select_world(&[worlds.package], Some(name))?;
    let imports = imports(&resolve, world)?;
    let options = Opts {
        format: true,
        generate_all: true,
        generate_unused_types: true,
        pub_export_macro: true,
        default_bindings_module: Some(format!("$crate::bindings::{}", module(name))),
        with: imports.intersection(shared).map(|import| (import.clone(), shared_module(import))).collect(),
        additional_derive_attributes: vec!["PartialEq".to_owned()],
        // Its error holds a resource, which has no equality.
        additional_derive_ignore: vec!["stream-error".to_owned()],
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
    WithOption::Path(format!("crate::bindings::{CAPABILITIES}::{path}"))
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

#[cfg(test)]
mod tests {
    use orch_trust::manifest::Role;

    use std::path::Path;

    use super::*;

    /// The names of worlds, and the files.
    fn generated() -> (Vec<String>, BTreeMap<String, String>) {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let worlds = crate::worlds::make(root).unwrap();
        let texts = generate(&worlds).unwrap();
        (worlds.names, texts)
    }

    #[test]
    fn compiling_a_role_does_not_say_that_it_is_exported() {
        let (names, texts) = generated();
        assert!(names.len() >= Role::ALL.len());
        for name in names {
            let text = &texts[&format!("{FOLDER}/{}.rs", module(&name))];
            let outside_macros = text.split("macro_rules!").next().unwrap();
            assert!(
                !outside_macros.contains(":imports and exports"),
                "{name} describes its exports when compiled"
            );
            assert!(text.contains(":imports and exports"), "{name} describes its exports nowhere");
        }
    }

    #[test]
    fn a_call_without_a_host_can_panic() {
        for (path, text) in generated().1 {
            assert!(!text.contains("unreachable!()\n"), "`{path}` ends the process");
        }
    }

    #[test]
    fn shared_types_are_defined_once() {
        for (path, text) in generated().1 {
            let defined = text.matches("pub struct NewTask").count();
            assert_eq!(defined, usize::from(path == format!("{FOLDER}/capabilities.rs")), "`{path}`");
        }
    }
}
