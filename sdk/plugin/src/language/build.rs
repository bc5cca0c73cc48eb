//! From the sources of another language to a component and its bill of materials.
//!
//! In -> out: a project's folder -> [`Built`], two files in `target/plugin/NAME`.
//! Limits: 5 min for the toolchain.
//! Invariant: the toolchain sees the world that `plugin.json` asks for, and of the machine's own packages none; an entry
//! of ours stands between the host and the plugin.
//! Not here: the package and its manifest (`pack.rs`); whether the engine is one that hosts know (`orch-trust`'s
//! `engines.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use orch_trust::digest::Sha256Digest;
use orch_trust::package::{COMPONENT, SBOM};
use orch_trust::versions::Ours;
use serde_json::{Value, json};

use super::entry::{entry, javascript_console};
use super::tool::{Named, Tool, named};
use super::world::{Asked, Narrow, WORLD};
use super::{Language, LanguageError, alias, types};
use crate::build::Built;
use crate::carried;

/// Where a build works, in the project.
const WORK: &str = "target/build";

/// Builds a plugin.
///
/// # Errors
/// Every [`LanguageError`] but `Install` and `Program`.
pub fn build(
    project: &Path,
    language: Language,
    tool: &Tool,
    out: Option<&Path>,
) -> Result<Built, LanguageError> {
    let project = fs::canonicalize(project).map_err(io_at(project))?;
    let asked = Asked::read(&project)?;
    let world = asked.world(language)?;
    let work = project.join(WORK);
    prepare(&work, language, &asked, &world)?;
    let made = work.join(COMPONENT);
    run(&project, &work, language, tool, &world, &made)?;
    let mut component = fs::read(&made).map_err(io_at(&made))?;
    alias::put_back(&mut component);
    let digest = Sha256Digest::of(&component);
    let folder = out.map_or_else(|| project.join("target/plugin").join(asked.name()), Path::to_owned);
    fs::create_dir_all(&folder).map_err(io_at(&folder))?;
    for (name, bytes) in [(COMPONENT, &component), (SBOM, &bill(&asked, language, digest))] {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(io_at(&path))?;
    }
    Ok(Built {
        folder,
        name: asked.name().to_owned(),
        version: asked.version.clone(),
        component_bytes: component.len() as u64,
        component: digest,
        packages: 2,
    })
}

/// Writes what the toolchain is shown: interfaces, world and entry. What a build before this one left is gone.
fn prepare(work: &Path, language: Language, asked: &Asked, world: &Narrow) -> Result<(), LanguageError> {
    if work.is_dir() {
        fs::remove_dir_all(work).map_err(io_at(work))?;
    }
    let wit = carried::WIT.iter().filter(|(path, _)| path.starts_with("deps/") && is_newest(path));
    for (path, text) in wit {
        write(&work.join("wit").join(path), text)?;
    }
    if world.has_alias {
        for (path, text) in carried::WIT.iter().filter_map(|(path, text)| alias::shown(path, text)) {
            write(&work.join("wit").join(path), &text)?;
        }
    }
    write(&work.join("wit/world.wit"), &world.text)?;
    for (name, text) in entry(language, &asked.roles, world) {
        write(&work.join(name), &text)?;
    }
    if language == Language::JavaScript {
        write(&work.join("orch_console.js"), &javascript_console(world))?;
        let faulty = |message| LanguageError::Manifest { path: work.join("wit"), message };
        write(&work.join("orch.d.ts"), &types::declare(&work.join("wit")).map_err(faulty)?)?;
    }
    let nowhere = work.join("nowhere/lib/site-packages");
    fs::create_dir_all(&nowhere).map_err(io_at(&nowhere))
}

/// False of a package of ours of which there is a newer version: toolchains name one of several by its version.
fn is_newest(path: &str) -> bool {
    let Some((package, version)) = path.split('/').nth(1).and_then(|folder| folder.split_once('@')) else {
        return true;
    };
    Ours::of(&format!("orch:{package}/{package}@{version}")).is_none_or(|ours| ours.is_newest())
}

/// Lets the toolchain make the component. For Python the typed interfaces are written too, for editors.
fn run(
    project: &Path,
    work: &Path,
    language: Language,
    tool: &Tool,
    world: &Narrow,
    made: &Path,
) -> Result<(), LanguageError> {
    let wit = work.join("wit");
    let begin = || {
        let mut command = tool.command(&work.join("nowhere"));
        command.current_dir(project).stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let mut commands = Vec::new();
    let mut command = begin();
    match language {
        Language::Python => {
            let mut bindings = begin();
            bindings.arg("--quiet").arg("--wit-path").arg(&wit).args(["--world", WORLD, "bindings"]);
            bindings.arg(work.join("bindings"));
            commands.push(bindings);
            command.arg("--quiet").arg("--wit-path").arg(&wit).args(["--world", WORLD, "componentize"]);
            if !world.has_wasi {
                command.arg("--stub-wasi");
            }
            // Modules that were written come first: the toolchain looks for some of them by name.
            for path in [work, project, &project.join("orch/sdk")] {
                command.arg("--python-path").arg(path);
            }
            command.args(["orch_entry", "--output"]).arg(made);
        }
        Language::JavaScript => {
            command.arg("--wit").arg(&wit).args(["--world", WORLD, "--sync"]);
            if !world.has_wasi {
                command.arg("--stub-wasi");
            }
            command.arg("--js").arg(work.join("orch_entry.js")).arg("--module-root").arg(project);
            command.arg("--output").arg(made);
        }
    }
    commands.push(command);
    for mut command in commands {
        let tool = named(language).name;
        let status = command.status().map_err(io_at(made))?;
        if !status.success() {
            return Err(LanguageError::Failed { tool, project: project.to_owned(), status });
        }
    }
    Ok(())
}

/// The bill of materials: the plugin, and the toolchain whose engine it has in it.
fn bill(asked: &Asked, language: Language, component: Sha256Digest) -> Vec<u8> {
    let Named { name, version, purl, license } = named(language);
    let own = format!("local:{}@{}", asked.name(), asked.version);
    let document: Value = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "orch-plugin", "version": env!("CARGO_PKG_VERSION") }] },
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": asked.name(),
                "version": asked.version.to_string(),
                "licenses": [{ "expression": asked.license }],
                "hashes": [{ "alg": "SHA-256", "content": component.to_string() }],
            },
        },
        "components": [{
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "scope": "required",
            "licenses": [{ "expression": license }],
            "purl": purl,
        }],
        "dependencies": [{ "ref": own, "dependsOn": [purl] }, { "ref": purl, "dependsOn": [] }],
    });
    let mut bytes = serde_json::to_vec_pretty(&document).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn write(path: &Path, text: &str) -> Result<(), LanguageError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io_at(folder))?;
    }
    fs::write(path, text).map_err(io_at(path))
}

fn io_at(path: &Path) -> impl FnOnce(std::io::Error) -> LanguageError {
    let path: PathBuf = path.to_owned();
    move |source| LanguageError::Io { path, source }
}
