//! A plugin with its sources in a git repository, made once, and tools that say what a test wants.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use orch_certify::check::{Group, GroupReport};
use orch_certify::outside::{Outside, Programs};
use orch_certify::sandbox::Sandbox;
use orch_host::package;
use orch_plugin::build::{BuildRequest, build};
use orch_plugin::pack::{PackRequest, pack};
use orch_plugin::sign::{SignRequest, sign};
use orch_plugin::template::Template;
use orch_plugin::{project, toolchain};
use orch_trust::certificate::{CheckResult, CheckStatus};
use orch_trust::key::SecretKey;
use orch_trust::manifest::Role;
use orch_trust::release::Source;
use orch_trust::time::UnixSeconds;

use crate::advisories::{Advisories, later};

/// A project of a new verifier, committed, built, packed and signed.
pub(crate) struct Project {
    pub(crate) source: PathBuf,
    pub(crate) package: PathBuf,
    pub(crate) commit: String,
}

pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    git.args(["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]);
    let output = git.current_dir(folder).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Commits everything in that folder; the commit comes back.
pub(crate) fn commit(folder: &Path) -> String {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "Something"]);
    git(folder, &["rev-parse", "HEAD"])
}

impl Project {
    /// The one of all tests: nobody changes it.
    pub(crate) fn good() -> &'static Self {
        static GOOD: OnceLock<Project> = OnceLock::new();
        GOOD.get_or_init(Self::make)
    }

    fn make() -> Self {
        // A folder of the build's own: what is made once is dropped by nobody.
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("project");
        let _ = std::fs::remove_dir_all(&home);
        let source = home.join("source");
        project::create(&project::id("acme/sound").unwrap(), Template::Role(Role::Verifier), Some(&source))
            .unwrap();
        let toolchain = toolchain::ensure(orch_plugin::target::Target::Lean, &mut |_| {}).unwrap();
        let built = home.join("built");
        let request =
            BuildRequest { project: &source, toolchain: &toolchain, out: Some(&built), quiet: true };
        build(&request).unwrap();
        git(&source, &["init", "--quiet"]);
        let commit = commit(&source);
        let out = home.join("packages");
        let package = pack(&PackRequest { project: &source, built: &built, out: &out }).unwrap().folder;
        let made = Self { source, package, commit };
        made.release(&made.package, Some(&made.commit));
        made
    }

    /// Signs the package as one of that commit.
    pub(crate) fn release(&self, package: &Path, commit: Option<&str>) {
        let uri = "git+https://example.org/acme/sound".to_owned();
        let source = commit.map(|commit| Source { uri, commit: commit.to_owned() });
        let key = SecretKey::from_seed(&[7; 32]);
        let (now, days, channel) = (UnixSeconds(1_700_000_000), 365, "stable");
        sign(&SignRequest { package, now, days, channel, release_counter: 1, source }, &key).unwrap();
    }

    /// A copy of its sources that a test may change.
    pub(crate) fn clone_to(&self, folder: &Path) -> PathBuf {
        let copy = folder.join("copy");
        git(folder, &["clone", "--quiet", self.source.to_str().unwrap(), copy.to_str().unwrap()]);
        copy
    }

    /// A copy of its package that a test may change.
    pub(crate) fn package_copy(&self, folder: &Path) -> PathBuf {
        let copy = folder.join("package");
        std::fs::create_dir(&copy).unwrap();
        for entry in std::fs::read_dir(&self.package).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
        copy
    }

    /// The number of packages in its lock file.
    pub(crate) fn locked(&self) -> usize {
        let lock = std::fs::read_to_string(self.source.join("Cargo.lock")).unwrap();
        lock.matches("[[package]]").count()
    }

    /// Version of a package in its lock file.
    pub(crate) fn version(&self, name: &str) -> String {
        let lock = std::fs::read_to_string(self.source.join("Cargo.lock")).unwrap();
        let rest = lock.split(&format!("name = \"{name}\"\nversion = \"")).nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

/// A program that is a shell script.
pub(crate) fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let program = folder.join(name);
    std::fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    program
}

/// What a `cargo-audit` that saw that many advisories and packages says. `hits`: kind, advisory, package, version.
pub(crate) fn audit_report(advisories: usize, packages: usize, hits: &[(&str, &str, &str, &str)]) -> String {
    let hit = |(kind, id, name, version): &(&str, &str, &str, &str)| serde_json::json!({ "kind": kind, "advisory": { "id": id, "package": name }, "package": { "name": name, "version": version } });
    let (grave, light): (Vec<_>, Vec<_>) = hits.iter().partition(|(kind, ..)| *kind == "vulnerability");
    let grave: Vec<_> = grave.into_iter().map(hit).collect();
    let mut warnings = serde_json::Map::new();
    for one in light {
        let list = warnings.entry(one.0).or_insert_with(|| serde_json::json!([]));
        list.as_array_mut().unwrap().push(hit(one));
    }
    serde_json::json!({
        "database": { "advisory-count": advisories, "last-commit": null, "last-updated": null },
        "lockfile": { "dependency-count": packages },
        "settings": { "ignore": [] },
        "vulnerabilities": { "found": !grave.is_empty(), "count": grave.len(), "list": grave },
        "warnings": warnings,
    })
    .to_string()
}

/// A `cargo-audit` that says this, and ends with that.
pub(crate) fn audit(folder: &Path, report: &str, exit: i32) -> PathBuf {
    std::fs::write(folder.join("report.json"), report).unwrap();
    // The lock file and the database that it is asked about must be there.
    let text = format!(
        "[ \"$1 $2 $4 $5 $6 $7 $8\" = 'audit --db --no-fetch --no-yanked --stale --json --file' ] || exit 64\n\
         [ -d \"$3/crates\" ] && [ -s \"$9\" ] || exit 65\ncat '{}'\nexit {exit}",
        folder.join("report.json").display()
    );
    script(folder, "cargo-audit", &text)
}

/// Everything that the good project needs to pass, with a database of two advisories about others.
pub(crate) fn outside(folder: &Path) -> (Outside, Advisories) {
    let (project, database) = (Project::good(), Advisories::new());
    let report = audit_report(2, project.locked(), &[]);
    let programs =
        Programs { cargo_audit: Some(audit(folder, &report, 0)), cargo_vet: None, ..Programs::find() };
    let outside =
        Outside { source: Some(project.source.clone()), database: Some(database.fresh()), programs };
    assert!(outside.database.as_ref().unwrap().identity().check_age(later()).is_ok());
    (outside, database)
}

/// A group of checks on that package, run as it always is: in a child of the real binary.
pub(crate) fn run(group: Group, package: &Path, outside: Outside) -> GroupReport {
    let read = package::read(package).unwrap();
    let mut sandbox = Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_orch-certify")));
    sandbox.outside = outside;
    let workspace = tempfile::tempdir().unwrap();
    sandbox.run(group, package, &read, workspace.path())
}

/// The result of that check.
#[track_caller]
pub(crate) fn result<'a>(report: &'a GroupReport, id: &str) -> &'a CheckResult {
    report.results.iter().find(|result| result.id == id).unwrap()
}

/// Status and how the first finding begins.
#[track_caller]
pub(crate) fn ended(report: &GroupReport, id: &str, status: CheckStatus, begins: &str) {
    let result = result(report, id);
    let first = result.findings.first().map(String::as_str).unwrap_or_default();
    assert!(result.status == status && first.starts_with(begins), "{id}: {result:?}");
}
