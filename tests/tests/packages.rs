//! Each folder of `tests/packages/` is one defect: its package is refused with its code before anything is compiled.
//!
//! In -> out: `defect.toml` -> `orch-host run`, `orch-host plugin inspect`, `orch-certify verify` on the real programs.
//! Invariant: every folder is in `list.rs` and has a test of its name; a name there without a folder does not compile;
//! every code of admission has a folder, or a test names it ([`WITHOUT_A_FOLDER`]).
//! Not here: which attacks the folders show (`catalogue.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

pub(crate) mod catalogue;
mod list;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use orch_tests::defect::{self, GOOD, Place, Recipe, folders, make};
use orch_tests::manifest_readers::agreed;
use orch_tests::{Workspace, binary, copy, err, out, packages, root};
use orch_trust::digest::Sha256Digest;
use orch_trust::refusal::Refusal;

/// One test a folder. The recipe is read at compile time too: without it nothing here is built.
macro_rules! one_test_each {
    ($($test:ident $folder:literal)*) => {
        /// Every folder of the list, in its order.
        const LIST: &[&str] = &[$($folder),*];
        $(
            #[test]
            fn $test() {
                let recipe = include_str!(concat!("../../packages/", $folder, "/defect.toml"));
                super::refused($folder, recipe);
            }
        )*
    };
}
pub(crate) use one_test_each;

#[test]
fn the_list_has_every_folder() {
    let names: Vec<String> =
        folders().iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(root().join("tests/tests/packages/list.rs"), list::text(&names)).unwrap();
        return;
    }
    assert_eq!(names, list::folders(), "run with BLESS=1 to write the list");
}

/// One trial's workspace; nothing is in its cache of native code.
struct Bench {
    workspace: Workspace,
    place: Place,
}

impl Bench {
    fn new() -> Self {
        let workspace = Workspace::new("- {id: a, kind: note}\n");
        let cache = workspace.operator().join("cache");
        let _ = std::fs::remove_dir_all(&cache);
        let root = workspace.outside().join("packages");
        let place = Place { root, operator: workspace.operator(), workspace: workspace.path() };
        Self { workspace, place }
    }

    /// The names in the cache of native code.
    fn compiled(&self) -> Vec<String> {
        let name =
            |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        std::fs::read_dir(self.workspace.operator().join("cache"))
            .map_or(Vec::new(), |entries| entries.map(name).collect())
    }

    fn run(&self) -> Output {
        let root = self.place.root.to_str().unwrap();
        self.workspace.command(&["run", "--trust-workspace", "--plugins", root]).output().unwrap()
    }

    fn inspect(&self, package: &Path) -> Output {
        self.workspace.command(&["plugin", "inspect", package.to_str().unwrap()]).output().unwrap()
    }

    fn verify(&self, package: &Path) -> Output {
        let trust = |name: &str| self.workspace.operator().join("trust").join(name);
        let mut certify = Command::new(binary("orch-certify"));
        certify.arg("verify").arg("--trust").arg(trust("publishers/demo.toml"));
        certify.arg("--trust").arg(trust("certifiers/local.toml")).arg(package);
        certify.output().unwrap()
    }
}

/// A package that nothing is wrong with runs.
fn good(recipe: Option<Recipe>) {
    let bench = Bench::new();
    let package = match recipe {
        Some(recipe) => make(&recipe, &bench.place),
        None => {
            let package = bench.place.root.join(GOOD).join("0.1.0");
            copy(&packages().join(GOOD).join("0.1.0"), &package);
            package
        }
    };
    expect("plugin inspect", &bench.inspect(&package), 0, "passed");
    expect("orch-certify verify", &bench.verify(&package), 0, "passed");
    expect("run", &bench.run(), 0, "passed");
    let compiled = bench.compiled();
    assert!(
        !compiled.is_empty(),
        "a good run compiles; if this counts nothing, no other test shows anything"
    );
    let mine = std::fs::read(package.join("component.wasm")).unwrap();
    let mine = Sha256Digest::of(&mine).to_string();
    assert!(compiled.iter().any(|name| name.starts_with(&mine)), "{compiled:?}");
}

#[test]
fn the_good_package_runs_and_is_compiled() {
    good(None);
}

#[test]
fn a_package_made_anew_without_a_defect_runs() {
    good(Some(toml::from_str("about = 'x'\ncode = 'x'\n[manifest]").unwrap()));
}

/// Refused by every program with the code that the recipe says, and nothing of it was compiled or kept.
fn refused(folder: &str, recipe: &str) {
    let recipe = Recipe::parse(folder, recipe).unwrap_or_else(|error| panic!("{error}"));
    let bench = Bench::new();
    let package = make(&recipe, &bench.place);
    let manifest = package.join("manifest.json");
    if manifest.is_file() {
        agreed(&std::fs::read(manifest).unwrap());
    }
    expect("run", &bench.run(), recipe.exit, &recipe.code);
    match recipe.by_the_engine {
        false => assert_eq!(bench.compiled(), Vec::<String>::new(), "something was compiled"),
        true => {
            let mine = Sha256Digest::of(&std::fs::read(package.join("component.wasm")).unwrap()).to_string();
            let compiled = bench.compiled();
            assert!(!compiled.iter().any(|name| name.starts_with(&mine)), "{compiled:?}");
        }
    }
    assert!(!bench.workspace.path().join(".orch").exists(), "the refused run left a store");
    let inspect = recipe.inspect.as_deref().unwrap_or(&recipe.code);
    expect("plugin inspect", &bench.inspect(&package), recipe.exit, inspect);
    let verify = recipe.verify.as_deref().unwrap_or(&recipe.code);
    expect("orch-certify verify", &bench.verify(&package), recipe.verify_exit, verify);
}

/// That exit and code; `passed`: exit 0 and no code.
#[track_caller]
fn expect(what: &str, output: &Output, exit: i32, code: &str) {
    let said = err(output);
    let found = said.lines().find_map(|line| line.strip_prefix("code: ")).unwrap_or("passed");
    let exit = if code == "passed" { 0 } else { exit };
    assert_eq!((output.status.code(), found), (Some(exit), code), "{what}\n{}{said}", out(output));
}

/// Codes that no package has on its way through `orch-host run` as the recipes set it up, by how they begin: they need a
/// trust root, several certifiers, or a check that may warn. A test of `trust/` names each.
const WITHOUT_A_FOLDER: [&str; 23] = [
    "anchor-",
    "certificate-key-not-yet",
    "certificate-threshold",
    "certificates-disagree",
    "check-warnings",
    "clock-went-back",
    "delegation-",
    "fast-forward",
    "freshness-",
    // Beside a whole engine: `languages.rs`.
    "glue-too-large",
    "release-key-not-yet",
    "release-other-bytes",
    "release-role",
    "release-rollback",
    "release-threshold",
    "revocations-",
    "revoked-",
    "role-key",
    "root-",
    "sbom-unreadable",
    "snapshot-",
    "threshold-",
    "trust-state-",
];

#[test]
fn every_code_of_admission_has_a_folder() {
    let recipes: Vec<Recipe> = folders().iter().map(|folder| Recipe::read(folder).unwrap()).collect();
    let shown: BTreeSet<&str> = recipes.iter().map(|recipe| recipe.code.as_str()).collect();
    let of_reading = ["file-not-regular", "package-too-many-files"];
    let known: BTreeSet<&str> = Refusal::CODES.iter().copied().chain(of_reading).collect();
    let excused = |code: &str| WITHOUT_A_FOLDER.iter().any(|start| code.starts_with(start));
    let missing: Vec<&&str> = known.difference(&shown).filter(|code| !excused(code)).collect();
    assert!(missing.is_empty(), "no folder shows {missing:?}");
    let tests = catalogue::text_of_the_tests("trust") + &catalogue::text_of_the_tests("tests/tests");
    let named = |code: &str| tests.contains(&format!("\"{code}\""));
    let silent: Vec<&&str> = known.difference(&shown).filter(|code| excused(code) && !named(code)).collect();
    assert!(silent.is_empty(), "neither a folder nor a test shows {silent:?}");
}

#[test]
fn a_folder_without_a_whole_recipe_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = |text: Option<&str>| {
        let path: PathBuf = folder.path().join("defect.toml");
        let _ = std::fs::remove_file(&path);
        text.inspect(|text| std::fs::write(&path, text).unwrap());
        defect::Recipe::read(folder.path()).is_ok()
    };
    for wrong in [
        None,
        Some("about = 'x'\n[manifest]\n"),
        Some("code = 'x'\n[manifest]\n"),
        Some("about = 'x'\ncode = ''\n[manifest]\n"),
        Some("about = 'x'\ncode = 'x'\n"),
        Some("about = 'x'\ncode = 'x'\n[manifst]\n"),
    ] {
        assert!(!recipe(wrong), "{wrong:?} was read as a recipe");
    }
    assert!(recipe(Some("about = 'x'\ncode = 'x'\n[manifest]\n")));
}
