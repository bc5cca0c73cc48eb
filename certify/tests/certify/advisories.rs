//! Databases of advisories, made by the test: which may be used, and what they are called.

use std::path::{Path, PathBuf};

use orch_certify::advisory_db::{FreshDatabase, last_used, read, remember};
use orch_trust::inputs::AdvisoryDb;
use orch_trust::time::UnixSeconds;

use crate::guest::guest;
use crate::package::{Package, orch_certify};

/// Some days after the newest advisory of [`Advisories::new`].
pub(crate) fn later() -> UnixSeconds {
    UnixSeconds::parse("2026-08-30T12:00:00Z").unwrap()
}

/// A database in a folder of its own.
pub(crate) struct Advisories {
    pub(crate) home: tempfile::TempDir,
}

impl Advisories {
    /// Two advisories, about packages that nobody here uses.
    pub(crate) fn new() -> Self {
        let made = Self { home: tempfile::tempdir().unwrap() };
        made.add("RUSTSEC-2026-0001", "nobody-uses-this", "2026-08-20", "");
        made.add("RUSTSEC-2026-0002", "nor-that", "2026-08-21", "");
        made
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("database")
    }

    /// One more, about every version of that package. `more`: lines of its head.
    pub(crate) fn add(&self, id: &str, package: &str, date: &str, more: &str) {
        let folder = self.folder().join("crates").join(package);
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "```toml\n[advisory]\nid = \"{id}\"\npackage = \"{package}\"\ndate = \"{date}\"\n{more}\n\n[versions]\npatched = []\n```\n\n# Something\n\nSaid at length.\n"
        );
        std::fs::write(folder.join(format!("{id}.md")), text).unwrap();
    }

    pub(crate) fn fresh(&self) -> FreshDatabase {
        FreshDatabase::open(&self.folder(), None, later()).unwrap()
    }
}

#[track_caller]
fn refused(folder: &Path, last: Option<&AdvisoryDb>, now: &str, code: &str) {
    let now = UnixSeconds::parse(now).unwrap();
    assert_eq!(FreshDatabase::open(folder, last, now).unwrap_err().code(), code);
}

#[test]
fn a_database_is_called_by_what_it_says_and_not_by_where_it_lies() {
    let (one, two) = (Advisories::new(), Advisories::new());
    std::fs::create_dir(two.folder().join(".git")).unwrap();
    let commit = "ab".repeat(20);
    std::fs::write(two.folder().join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    std::fs::write(two.folder().join(".git/packed-refs"), format!("# pack\n{commit} refs/heads/main\n"))
        .unwrap();
    std::fs::write(two.folder().join("README.md"), "more").unwrap();
    let (first, second) = (read(&one.folder()).unwrap().0, read(&two.folder()).unwrap().0);
    assert_eq!((first.sha256, first.date, first.advisories), (second.sha256, second.date, second.advisories));
    assert_eq!(first.date.to_string(), "2026-08-21");
    assert_eq!(first.advisories, 2);
    assert_eq!((first.commit, second.commit), (None, Some(commit)));
    two.add("RUSTSEC-2026-0001", "nobody-uses-this", "2026-08-19", "");
    assert_ne!(read(&two.folder()).unwrap().0.sha256, first.sha256);
}

#[test]
fn an_old_database_and_one_from_the_future_are_refused() {
    let database = Advisories::new();
    let folder = database.folder();
    FreshDatabase::open(&folder, None, UnixSeconds::parse("2026-09-20T00:00:00Z").unwrap()).unwrap();
    refused(&folder, None, "2026-09-20T00:00:01Z", "advisory-db-too-old");
    refused(&folder, None, "2026-08-19T00:00:00Z", "advisory-db-from-the-future");
}

#[test]
fn what_was_known_once_cannot_be_taken_away() {
    let database = Advisories::new();
    let folder = database.folder();
    let state = database.home.path().join("state/deeper");
    assert_eq!(last_used(&state).unwrap(), None);
    let before = database.fresh().identity().clone();
    remember(&state, &before).unwrap();
    let last = last_used(&state).unwrap();
    assert_eq!(last.as_ref(), Some(&before));
    let now = "2026-08-30T00:00:00Z";
    // The same again, and more, are well.
    FreshDatabase::open(&folder, last.as_ref(), later()).unwrap();
    database.add("RUSTSEC-2026-0003", "one-more", "2026-08-22", "");
    FreshDatabase::open(&folder, last.as_ref(), later()).unwrap();
    std::fs::remove_dir_all(folder.join("crates/nobody-uses-this")).unwrap();
    FreshDatabase::open(&folder, last.as_ref(), later()).unwrap();
    std::fs::remove_dir_all(folder.join("crates/nor-that")).unwrap();
    refused(&folder, last.as_ref(), now, "advisory-db-shrunk");
    let older = Advisories::new();
    std::fs::remove_dir_all(older.folder().join("crates/nor-that")).unwrap();
    older.add("RUSTSEC-2026-0004", "old-one", "2026-08-20", "");
    older.add("RUSTSEC-2026-0005", "old-two", "2026-08-20", "");
    refused(&older.folder(), last.as_ref(), now, "advisory-db-rollback");
    std::fs::write(state.join("advisory-db.json"), "{}").unwrap();
    assert_eq!(last_used(&state).unwrap_err().code(), "advisory-db-malformed");
}

#[test]
fn what_is_no_database_is_refused() {
    let now = "2026-08-30T00:00:00Z";
    let empty = tempfile::tempdir().unwrap();
    refused(&empty.path().join("nowhere"), None, now, "advisory-db-io");
    refused(empty.path(), None, now, "advisory-db-io");
    std::fs::create_dir(empty.path().join("crates")).unwrap();
    refused(empty.path(), None, now, "advisory-db-malformed");
    let cut = Advisories::new();
    std::fs::write(cut.folder().join("crates/nor-that/RUSTSEC-2026-0002.md"), "```toml\n[advis").unwrap();
    refused(&cut.folder(), None, now, "advisory-db-malformed");
    let linked = Advisories::new();
    let file = linked.folder().join("crates/nor-that/RUSTSEC-2026-0002.md");
    std::fs::rename(&file, linked.home.path().join("elsewhere.md")).unwrap();
    std::os::unix::fs::symlink(linked.home.path().join("elsewhere.md"), &file).unwrap();
    refused(&linked.folder(), None, now, "advisory-db-io");
}

/// Exit code, standard output, and the code on standard error.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = orch_certify(folder, args);
    let said = String::from_utf8(output.stderr).unwrap();
    let code = said.lines().find_map(|line| line.strip_prefix("code: ")).unwrap_or_default().to_owned();
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), code)
}

#[test]
fn the_command_shows_a_database_and_refuses_an_old_one() {
    let database = Advisories::new();
    let (exit, out, code) = run(database.home.path(), &["db", "database", "--state", "state"]);
    assert_eq!((exit, code.as_str()), (Some(2), "advisory-db-too-old"), "{out}");
    assert!(out.contains("newest      2026-08-21\n") && out.contains("advisories  2\n"), "{out}");
    assert!(out.contains("verdict     advisory-db-too-old\n"), "{out}");
    let (_, out, _) = run(database.home.path(), &["db", "database", "--state", "state", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["database"]["sha256"], database.fresh().identity().sha256.to_string());
    assert_eq!(value["verdict"], "advisory-db-too-old");
    assert!(!database.home.path().join("state").exists(), "showing is not using");
    // A new one may be used, until it has fewer advisories than the one before.
    let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let today = UnixSeconds(i64::try_from(today).unwrap()).to_string();
    database.add("RUSTSEC-2026-0003", "one-more", &today[..10], "");
    let (exit, out, _) = run(database.home.path(), &["db", "database", "--state", "state"]);
    assert_eq!(exit, Some(0), "{out}");
    assert!(out.contains("verdict     usable\n"), "{out}");
    let more = AdvisoryDb { advisories: 4, ..read(&database.folder()).unwrap().0 };
    remember(&database.home.path().join("state"), &more).unwrap();
    let (exit, _, code) = run(database.home.path(), &["db", "database", "--state", "state"]);
    assert_eq!((exit, code.as_str()), (Some(2), "advisory-db-shrunk"));
}

#[test]
fn nothing_is_run_with_a_database_that_may_not_be_used() {
    let package = Package::new(
        orch_trust::manifest::Role::Executor,
        &guest(orch_trust::manifest::Role::Executor, "", &[]),
        |_| {},
    );
    let database = Advisories::new();
    let folder = database.folder();
    let args = [
        "run",
        "package",
        "--profile",
        "certified",
        "--state",
        "state",
        "--advisory-db",
        folder.to_str().unwrap(),
    ];
    let (exit, out, code) = run(package.home.path(), &args);
    assert_eq!((exit, out.as_str(), code.as_str()), (Some(2), "", "advisory-db-too-old"));
}
