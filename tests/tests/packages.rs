//! Each folder of `tests/packages/` is one defect: its package is refused with its code before anything is compiled.
//!
//! In -> out: `defect.toml` -> `orch-host run`, `orch-host plugin inspect`, `orch-certify verify` on the real programs.
//! Invariant: every code of admission has a folder, or stands in [`ELSEWHERE`] with the test that shows it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use orch_tests::defect::{self, GOOD, Place, Recipe, folders, make};
use orch_tests::{Workspace, binary, copy, err, out, packages};
use orch_trust::refusal::Refusal;

fn main() {
    let mut trials = vec![
        Trial::test("the_good_package_runs_and_is_compiled", || good(None)),
        Trial::test("a_package_made_anew_without_a_defect_runs", || {
            good(Some(toml::from_str("about = 'x'\ncode = 'x'\n[manifest]").unwrap()))
        }),
        Trial::test("every_code_of_admission_has_a_folder", every_code),
        Trial::test("a_folder_without_a_whole_recipe_is_an_error", incomplete),
    ];
    for folder in folders() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        trials.push(Trial::test(name, move || refused(&folder)));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
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

    /// How many entries of native code there are.
    fn compiled(&self) -> usize {
        std::fs::read_dir(self.workspace.operator().join("cache")).map_or(0, Iterator::count)
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

fn good(recipe: Option<Recipe>) -> Result<(), Failed> {
    let bench = Bench::new();
    let package = match recipe {
        Some(recipe) => make(&recipe, &bench.place),
        None => {
            let package = bench.place.root.join(GOOD).join("0.1.0");
            copy(&packages().join(GOOD).join("0.1.0"), &package);
            package
        }
    };
    expect("plugin inspect", &bench.inspect(&package), 0, "passed")?;
    expect("orch-certify verify", &bench.verify(&package), 0, "passed")?;
    expect("run", &bench.run(), 0, "passed")?;
    match bench.compiled() {
        0 => Err("a good run compiles; if this counts nothing, no other trial shows anything".into()),
        _ => Ok(()),
    }
}

fn refused(folder: &Path) -> Result<(), Failed> {
    let recipe = Recipe::read(folder)?;
    let bench = Bench::new();
    let package = make(&recipe, &bench.place);
    expect("run", &bench.run(), recipe.exit, &recipe.code)?;
    if bench.compiled() != 0 {
        return Err("something was compiled".into());
    }
    if bench.workspace.path().join(".orch").exists() {
        return Err("the refused run left a store".into());
    }
    let inspect = recipe.inspect.as_deref().unwrap_or(&recipe.code);
    expect("plugin inspect", &bench.inspect(&package), recipe.exit, inspect)?;
    let verify = recipe.verify.as_deref().unwrap_or(&recipe.code);
    expect("orch-certify verify", &bench.verify(&package), 3, verify)
}

/// That exit and code; `passed`: exit 0 and no code.
fn expect(what: &str, output: &Output, exit: i32, code: &str) -> Result<(), Failed> {
    let said = err(output);
    let found = said.lines().find_map(|line| line.strip_prefix("code: ")).unwrap_or("passed");
    let exit = if code == "passed" { 0 } else { exit };
    match found == code && output.status.code() == Some(exit) {
        true => Ok(()),
        false => {
            let status = output.status;
            Err(format!("{what}: {status}, `{found}`, expected {exit}, `{code}`\n{}{said}", out(output))
                .into())
        }
    }
}

/// Codes that no package can have on its way through `orch-host run`, and what shows them.
const ELSEWHERE: [(&str, &str); 0] = [];

fn every_code() -> Result<(), Failed> {
    let recipes: Vec<Recipe> =
        folders().iter().map(|folder| Recipe::read(folder)).collect::<Result<_, _>>()?;
    let shown: BTreeSet<&str> = recipes.iter().map(|recipe| recipe.code.as_str()).collect();
    let of_reading = ["file-not-regular", "package-too-many-files"];
    let known: BTreeSet<&str> = Refusal::CODES.iter().copied().chain(of_reading).collect();
    let excused: BTreeSet<&str> = ELSEWHERE.iter().map(|(code, _)| *code).collect();
    let missing: Vec<&&str> = known.difference(&shown).filter(|code| !excused.contains(**code)).collect();
    let stale: Vec<&&str> = excused.intersection(&shown).collect();
    match (missing.is_empty(), stale.is_empty()) {
        (true, true) => Ok(()),
        _ => Err(format!("no folder shows {missing:?}; excused and shown: {stale:?}").into()),
    }
}

fn incomplete() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let recipe = |text: Option<&str>| -> Result<(), String> {
        let path: PathBuf = folder.path().join("defect.toml");
        let _ = std::fs::remove_file(&path);
        text.inspect(|text| std::fs::write(&path, text).unwrap());
        defect::Recipe::read(folder.path()).map(drop)
    };
    for wrong in [
        None,
        Some("about = 'x'\n[manifest]\n"),
        Some("code = 'x'\n[manifest]\n"),
        Some("about = 'x'\ncode = ''\n[manifest]\n"),
        Some("about = 'x'\ncode = 'x'\n"),
        Some("about = 'x'\ncode = 'x'\n[manifst]\n"),
    ] {
        if recipe(wrong).is_ok() {
            return Err(format!("{wrong:?} was read as a recipe").into());
        }
    }
    Ok(recipe(Some("about = 'x'\ncode = 'x'\n[manifest]\n"))?)
}
