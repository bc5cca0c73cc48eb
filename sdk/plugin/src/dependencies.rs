//! What a plugin is made of: the packages of its lock file that its build for the guest target uses.
//!
//! In -> out: `cargo metadata` -> [`Dependencies`].
//! Invariant: sorted by name, version and source; exactly one root; development dependencies are not in it.
//! Not here: the two forms that it is written in (`embedded.rs`, `sbom.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use orch_trust::strict_json;
use serde::Deserialize;

use crate::toolchain::Toolchain;

/// Why a project's packages are not known.
#[derive(Debug, thiserror::Error)]
pub enum DependenciesError {
    #[error("`cargo metadata` cannot be run")]
    NotRun(#[source] std::io::Error),
    #[error("cargo refuses `{project}`: {message}")]
    Refused { project: PathBuf, message: String },
    #[error("`cargo metadata` does not say what it used to")]
    Form(#[source] serde_json::Error),
    #[error("`{project}` is no package of its own")]
    NoRoot { project: PathBuf },
    #[error("package `{name}` has the version `{version}`, which is none")]
    Version { name: String, version: String },
    #[error("`cargo metadata` names `{id}` and does not describe it")]
    Unknown { id: String },
}

impl DependenciesError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotRun(_) => "dependencies-not-run",
            Self::Refused { .. } => "dependencies-refused",
            Self::Form(_) => "dependencies-form",
            Self::NoRoot { .. } => "dependencies-no-root",
            Self::Version { .. } => "dependencies-version",
            Self::Unknown { .. } => "dependencies-unknown",
        }
    }

    /// What the author can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { message, .. } if message.contains("--locked") => Some(
                "`cargo update --workspace` takes a new version of the plugin into `Cargo.lock`, `cargo update` all that changed"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// One package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub name: String,
    pub version: semver::Version,
    /// As in the lock file; none for a folder of the project.
    pub source: Option<String>,
    /// Where its sources are on this machine.
    pub folder: PathBuf,
    /// SPDX expression, as the package says it.
    pub license: Option<String>,
    /// It is in the component, not only in what builds it.
    pub runtime: bool,
    /// Places of the packages that it uses, sorted.
    pub uses: Vec<usize>,
}

/// The packages of one plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    pub packages: Vec<Dependency>,
    /// Place of the plugin itself.
    pub root: usize,
    /// Where its build puts files.
    pub target_folder: PathBuf,
    /// Where its workspace begins.
    pub workspace_folder: PathBuf,
    /// Name of the library that becomes the module.
    pub library: String,
}

impl Dependencies {
    /// The packages of the project in that folder.
    ///
    /// # Errors
    /// `Refused`: cargo cannot resolve it, for one because the lock file would change. `NoRoot`: not a package.
    pub fn resolve(project: &Path, toolchain: &Toolchain, locked: bool) -> Result<Self, DependenciesError> {
        let mut cargo = toolchain.cargo();
        let target = toolchain.target.as_str();
        cargo.args(["metadata", "--format-version", "1", "--filter-platform", target]).current_dir(project);
        if locked {
            cargo.arg("--locked");
        }
        let output = cargo.stdin(Stdio::null()).output().map_err(DependenciesError::NotRun)?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(DependenciesError::Refused { project: project.to_owned(), message });
        }
        Self::parse(&output.stdout, project)
    }

    /// The packages of the project in that folder, as `cargo metadata` describes them.
    ///
    /// # Errors
    /// `Form`, `NoRoot`, `Version`, `Unknown`.
    pub fn parse(metadata: &[u8], project: &Path) -> Result<Self, DependenciesError> {
        let metadata = strict_json::parse_foreign(metadata).map_err(DependenciesError::Form)?;
        Self::from_metadata(metadata, project)
    }

    /// The plugin's own package.
    pub fn plugin(&self) -> Option<&Dependency> {
        self.packages.get(self.root)
    }

    fn from_metadata(metadata: Metadata, project: &Path) -> Result<Self, DependenciesError> {
        let no_root = || DependenciesError::NoRoot { project: project.to_owned() };
        let root = metadata.resolve.root.ok_or_else(no_root)?;
        let packages: BTreeMap<_, _> =
            metadata.packages.iter().map(|package| (&package.id, package)).collect();
        let nodes: BTreeMap<_, _> = metadata.resolve.nodes.iter().map(|node| (&node.id, node)).collect();
        let known = |id: &String| {
            let unknown = || DependenciesError::Unknown { id: id.clone() };
            Ok((*packages.get(id).ok_or_else(unknown)?, *nodes.get(id).ok_or_else(unknown)?))
        };
        // Everything that is reached, and whether by a way that ends in the component.
        let mut reached: BTreeMap<&String, bool> = BTreeMap::new();
        let mut open = vec![(&root, true)];
        while let Some((id, runtime)) = open.pop() {
            if reached.get(id).is_some_and(|before| *before || !runtime) {
                continue;
            }
            reached.insert(id, runtime);
            for edge in &known(id)?.1.deps {
                let builds = packages.get(&edge.pkg).is_some_and(|package| package.is_macro());
                if edge.has_kind(None) {
                    open.push((&edge.pkg, runtime && !builds));
                } else if edge.has_kind(Some("build")) {
                    open.push((&edge.pkg, false));
                }
            }
        }
        let mut order = Vec::new();
        for (id, runtime) in &reached {
            let (package, node) = known(id)?;
            order.push((*id, package, node, *runtime));
        }
        order.sort_by_key(|(_, package, _, _)| (&package.name, &package.version, &package.source));
        let place: BTreeMap<_, _> = order.iter().enumerate().map(|(place, (id, ..))| (*id, place)).collect();
        let mut sorted = Vec::new();
        for (_, package, node, runtime) in &order {
            let used = node.deps.iter().filter(|edge| edge.has_kind(None) || edge.has_kind(Some("build")));
            let uses: BTreeSet<_> = used.filter_map(|edge| place.get(&edge.pkg).copied()).collect();
            sorted.push(package.describe(*runtime, uses.into_iter().collect())?);
        }
        Ok(Self {
            packages: sorted,
            root: *place.get(&root).ok_or_else(no_root)?,
            target_folder: metadata.target_directory,
            workspace_folder: metadata.workspace_root,
            library: known(&root)?.0.library().ok_or_else(no_root)?,
        })
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    source: Option<String>,
    manifest_path: PathBuf,
    license: Option<String>,
    targets: Vec<Target>,
}

impl Package {
    fn is_macro(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
    }

    /// The module's name: the library that is built as one.
    fn library(&self) -> Option<String> {
        let module = |target: &&Target| target.kind.iter().any(|kind| kind == "cdylib");
        self.targets.iter().find(module).map(|target| target.name.replace('-', "_"))
    }

    fn describe(&self, runtime: bool, uses: Vec<usize>) -> Result<Dependency, DependenciesError> {
        let wrong = |_| DependenciesError::Version { name: self.name.clone(), version: self.version.clone() };
        Ok(Dependency {
            name: self.name.clone(),
            version: self.version.parse().map_err(wrong)?,
            source: self.source.clone(),
            folder: self.manifest_path.parent().unwrap_or(Path::new("/")).to_owned(),
            license: self.license.clone(),
            runtime,
            uses,
        })
    }
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
    root: Option<String>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

impl Edge {
    fn has_kind(&self, kind: Option<&str>) -> bool {
        self.dep_kinds.iter().any(|found| found.kind.as_deref() == kind)
    }
}

#[derive(Deserialize)]
struct EdgeKind {
    /// None: an ordinary one.
    kind: Option<String>,
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn package(id: &str, kind: &str) -> Value {
        let source = if id == "plugin" {
            Value::Null
        } else {
            json!("registry+https://github.com/rust-lang/crates.io-index")
        };
        json!({ "id": id, "name": id, "version": "1.0.0", "source": source, "license": "MIT",
                "manifest_path": format!("/w/{id}/Cargo.toml"),
                "targets": [{ "kind": [kind], "name": id }] })
    }

    fn node(id: &str, deps: &[(&str, Option<&str>)]) -> Value {
        let deps: Vec<_> =
            deps.iter().map(|(pkg, kind)| json!({ "pkg": pkg, "dep_kinds": [{ "kind": kind }] })).collect();
        json!({ "id": id, "deps": deps })
    }

    /// plugin -> library, macro, (build) generator, (dev) tester; macro and generator -> parser; library -> parser.
    pub(crate) fn example() -> Dependencies {
        let metadata = json!({
            "packages": [package("plugin", "cdylib"), package("library", "lib"), package("macro", "proc-macro"),
                         package("generator", "lib"), package("parser", "lib"), package("helper", "lib"),
                         package("tester", "lib")],
            "resolve": { "root": "plugin", "nodes": [
                node("plugin", &[("library", None), ("macro", None), ("generator", Some("build")), ("tester", Some("dev"))]),
                node("library", &[("parser", None)]), node("macro", &[("parser", None), ("helper", None)]),
                node("generator", &[]), node("parser", &[]), node("helper", &[]), node("tester", &[]) ] },
            "target_directory": "/t", "workspace_root": "/w" });
        Dependencies::from_metadata(serde_json::from_value(metadata).unwrap(), Path::new("/w")).unwrap()
    }

    #[test]
    fn what_only_builds_is_told_from_what_is_inside() {
        let found = example();
        let names: Vec<_> = found.packages.iter().map(|package| (&*package.name, package.runtime)).collect();
        let expected = [
            ("generator", false),
            ("helper", false),
            ("library", true),
            ("macro", false),
            ("parser", true),
            ("plugin", true),
        ];
        assert_eq!(names, expected);
        assert_eq!(found.plugin().unwrap().uses, [0, 2, 3]);
        assert_eq!(found.library, "plugin");
    }

    #[test]
    fn fields_are_read_from_objects() {
        let target = json!({ "kind": ["cdylib"], "name": "plugin" });
        let edge = json!({ "pkg": "library", "dep_kinds": [{ "kind": null }] });
        let node = |edge: Value| json!({ "id": "plugin", "deps": [edge] });
        let package = |target: Value| {
            json!({ "id": "plugin", "name": "plugin", "version": "1.0.0", "source": null,
                    "manifest_path": "/w/Cargo.toml", "license": null, "targets": [target] })
        };
        let library = self::package("library", "lib");
        let whole = |package: Value, resolve: Value| {
            json!({ "packages": [package, library], "resolve": resolve,
                    "target_directory": "/t", "workspace_root": "/w" })
        };
        let nodes = |node: Value| json!([node, { "id": "library", "deps": [] }]);
        let resolve = |node: Value| json!({ "nodes": nodes(node), "root": "plugin" });
        let parse = |metadata: &Value| Dependencies::parse(metadata.to_string().as_bytes(), Path::new("/w"));
        let good = whole(package(target.clone()), resolve(node(edge.clone())));
        assert_eq!(parse(&good).unwrap().packages.len(), 2);
        let wrong = [
            json!([good["packages"], good["resolve"], "/t", "/w"]),
            whole(
                json!(["plugin", "plugin", "1.0.0", null, "/w/Cargo.toml", null, [target]]),
                resolve(node(edge.clone())),
            ),
            whole(package(json!([["cdylib"], "plugin"])), resolve(node(edge.clone()))),
            whole(package(target.clone()), json!([nodes(node(edge.clone())), "plugin"])),
            whole(package(target.clone()), resolve(json!(["plugin", [edge]]))),
            whole(package(target.clone()), resolve(node(json!(["library", [{ "kind": null }]])))),
            whole(package(target), resolve(node(json!({ "pkg": "library", "dep_kinds": [[null]] })))),
        ];
        for metadata in wrong {
            let text = metadata.to_string();
            assert!(matches!(parse(&metadata), Err(DependenciesError::Form(_))), "{text}");
            // Serde by itself takes each.
            serde_json::from_str::<Metadata>(&text).map(drop).unwrap();
        }
    }

    #[test]
    fn a_workspace_without_a_package_is_refused() {
        let metadata = json!({ "packages": [], "resolve": { "root": null, "nodes": [] },
                               "target_directory": "/t", "workspace_root": "/w" });
        let refused = Dependencies::from_metadata(serde_json::from_value(metadata).unwrap(), Path::new("/w"));
        assert!(matches!(refused, Err(DependenciesError::NoRoot { .. })));
    }
}
