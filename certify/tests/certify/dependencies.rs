//! The checks of dependencies: on a plugin's committed sources, a database of the test's own, and tools that lie.

use std::path::Path;

use orch_certify::check::{Group, GroupReport};
use orch_certify::outside::Outside;
use orch_trust::certificate::CheckStatus::{Error, Fail, Pass, Skipped, Warn};
use orch_trust::digest::Sha256Digest;
use orch_trust::manifest::Role;

use crate::advisories::Advisories;
use crate::guest::guest;
use crate::package::Package;
use crate::project::{Project, audit, audit_report, commit, ended, outside, result, run, script};

fn look(outside: Outside) -> GroupReport {
    run(Group::Dependencies, &Project::good().package, outside)
}

#[test]
fn a_plugin_that_is_what_its_sources_say_passes_and_says_what_was_looked_at() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let (given, database) = outside(folder.path());
    let report = look(given);
    ended(&report, "dependency-match", Pass, "");
    ended(&report, "vulnerabilities", Pass, "");
    ended(&report, "licences", Pass, "");
    ended(&report, "dependency-review", Warn, "not-reviewed: nobody says that the 1 packages");
    assert_eq!(result(&report, "vulnerabilities").looked_at, project.locked() as u64);
    let lock = std::fs::read(project.source.join("Cargo.lock")).unwrap();
    assert_eq!(report.inputs.cargo_lock_sha256, Some(Sha256Digest::of(&lock)));
    assert_eq!(report.inputs.source_commit.as_ref(), Some(&project.commit));
    assert_eq!(report.inputs.advisory_db.as_ref(), Some(database.fresh().identity()));
    // The same again says the same, whenever and wherever it was.
    let again = tempfile::tempdir().unwrap();
    let said = |report: &GroupReport| {
        report.results.iter().map(|result| (result.id.clone(), result.findings.clone())).collect::<Vec<_>>()
    };
    let second = look(outside(again.path()).0);
    assert_eq!(said(&second), said(&report));
    assert_eq!(second.inputs, report.inputs);
}

#[test]
fn without_what_it_needs_a_check_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let (given, _database) = outside(folder.path());
    let report = look(Outside { source: None, ..given.clone() });
    for id in Group::Dependencies.checks() {
        ended(&report, &id, Skipped, "no sources were given");
    }
    assert_eq!(report.inputs, Default::default());
    let report = look(Outside { database: None, ..given.clone() });
    ended(&report, "vulnerabilities", Skipped, "no database of advisories was given");
    ended(&report, "dependency-match", Pass, "");
    assert_eq!(report.inputs.advisory_db, None);
    let plain = tempfile::tempdir().unwrap();
    let report = look(Outside { source: Some(plain.path().to_owned()), ..given });
    ended(&report, "licences", Skipped, "source-no-repository: ");
}

/// What the check says of a database with one more advisory about the runtime of the bindings, and a tool that says
/// `hits`.
fn judged(kind: &str, more: &str, agrees: bool, exit: i32) -> GroupReport {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let (mut given, database) = outside(folder.path());
    database.add("RUSTSEC-2026-0003", "wit-bindgen", "2026-08-21", more);
    given.database = Some(database.fresh());
    let version = project.version("wit-bindgen");
    let hit = (kind, "RUSTSEC-2026-0003", "wit-bindgen", version.as_str());
    let hits = if agrees { vec![hit] } else { Vec::new() };
    let report = audit_report(3, project.locked(), &hits);
    given.programs.cargo_audit = Some(audit(folder.path(), &report, exit));
    look(given)
}

#[test]
fn a_known_vulnerability_refuses_and_what_nobody_maintains_is_a_warning() {
    let report = judged("vulnerability", "", true, 1);
    ended(&report, "vulnerabilities", Fail, "vulnerability: RUSTSEC-2026-0003 in wit-bindgen ");
    assert!(report.inputs.advisory_db.is_some());
    let unmaintained = judged("unmaintained", "informational = \"unmaintained\"", true, 0);
    ended(&unmaintained, "vulnerabilities", Warn, "unmaintained: RUSTSEC-2026-0003 in wit-bindgen ");
    let unsound = judged("unsound", "informational = \"unsound\"", true, 0);
    ended(&unsound, "vulnerabilities", Warn, "unsound: RUSTSEC-2026-0003 in wit-bindgen ");
}

#[test]
fn two_scanners_that_disagree_are_an_error() {
    let report = judged("vulnerability", "", false, 0);
    ended(&report, "vulnerabilities", Error, "tools-disagree: only the library names vulnerability");
    assert_eq!(report.inputs.advisory_db, None);
    // It names a vulnerability, and ends as if there were none.
    ended(&judged("vulnerability", "", true, 0), "vulnerabilities", Error, "tool-output: ");
    ended(
        &judged("unsound", "informational = \"unsound\"", false, 0),
        "vulnerabilities",
        Error,
        "tools-disagree: ",
    );
}

#[test]
fn a_tool_that_is_missing_crashes_or_is_cut_off_is_an_error() {
    let project = Project::good();
    let folder = tempfile::tempdir().unwrap();
    let (given, _database) = outside(folder.path());
    let good = audit_report(2, project.locked(), &[]);
    let with = |program: Option<&Path>, begins: &str| {
        let mut given = given.clone();
        given.programs.cargo_audit = program.map(Path::to_owned);
        let report = look(given);
        ended(&report, "vulnerabilities", Error, begins);
        assert_eq!(report.inputs.advisory_db, None);
        // The others are not concerned.
        ended(&report, "dependency-match", Pass, "");
    };
    with(None, "tool-missing: `cargo-audit`");
    with(Some(Path::new("/no/such/program")), "tool-not-started: `cargo-audit`");
    let tool = |text: &str| script(folder.path(), "broken", text);
    with(Some(&tool("exit 1")), "tool-crashed: `cargo-audit`: exit code 1");
    with(Some(&tool("echo oh no >&2; exit 101")), "tool-crashed: `cargo-audit`: exit code 101: oh no");
    with(Some(&tool("kill -SEGV $$")), "tool-crashed: `cargo-audit`: signal 11");
    with(Some(&tool("exec yes")), "tool-output: `cargo-audit` said more than");
    with(Some(&audit(folder.path(), &good[..good.len() - 1], 0)), "tool-output: no report");
    with(Some(&audit(folder.path(), "", 0)), "tool-crashed: ");
    // It looked at another database, or at another lock file.
    let elsewhere = audit_report(3, project.locked(), &[]);
    with(
        Some(&audit(folder.path(), &elsewhere, 0)),
        "tools-disagree: `cargo-audit` looked at something else",
    );
    let elsewhere = audit_report(2, project.locked() + 1, &[]);
    with(
        Some(&audit(folder.path(), &elsewhere, 0)),
        "tools-disagree: `cargo-audit` looked at something else",
    );
}

#[test]
fn a_database_that_changes_after_it_was_judged_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (given, database) = outside(folder.path());
    std::fs::remove_dir_all(database.folder().join("crates/nor-that")).unwrap();
    ended(&look(given.clone()), "vulnerabilities", Error, "advisory-db-changed");
    // Also while the tool looks at it.
    let other = Advisories::new();
    let report = folder.path().join("report.json");
    let text = format!("rm -r \"$3/crates/nor-that\"; cat '{}'", report.display());
    let mut given = given;
    given.database = Some(other.fresh());
    given.programs.cargo_audit = Some(script(folder.path(), "changes", &text));
    ended(&look(given), "vulnerabilities", Error, "advisory-db-changed");
}

#[test]
fn only_what_is_committed_is_looked_at() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let copy = project.clone_to(folder.path());
    let (given, _database) = outside(folder.path());
    let given = Outside { source: Some(copy.clone()), ..given };
    // Changed and not committed: another lock file, and settings that would start a program.
    std::fs::write(copy.join("Cargo.lock"), "version = 4\n").unwrap();
    std::fs::create_dir(copy.join(".cargo")).unwrap();
    let evil = script(folder.path(), "evil", &format!("touch '{}'", folder.path().join("ran").display()));
    std::fs::write(copy.join(".cargo/config.toml"), format!("build.rustc = '{}'\n", evil.display())).unwrap();
    ended(&look(given.clone()), "dependency-match", Pass, "");
    // Committed settings start nothing either; a lock file that is not the sources' refuses.
    commit(&copy);
    let report = look(given);
    ended(&report, "dependency-match", Fail, "source-not-resolved: ");
    ended(&report, "vulnerabilities", Fail, "source-not-resolved: ");
    assert_eq!(report.inputs, Default::default());
    assert!(!folder.path().join("ran").exists(), "a program of the sources ran");
}

#[test]
fn sources_of_something_else_are_found() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let (given, _database) = outside(folder.path());
    // Another plugin's component and bill.
    let other = Package::new(Role::Executor, &guest(Role::Executor, "", &[]), |_| {});
    let report = run(Group::Dependencies, &other.folder(), given.clone());
    ended(&report, "dependency-match", Fail, "embedded-missing: orch-sdk 0.1.0 (Runtime)");
    let findings = &result(&report, "dependency-match").findings;
    assert!(findings.iter().any(|finding| finding.starts_with("embedded-more: ")), "{findings:?}");
    assert!(findings.iter().any(|finding| finding.starts_with("sbom-missing: wit-bindgen ")), "{findings:?}");
    assert!(findings.iter().any(|finding| finding.starts_with("sbom-more: ")), "{findings:?}");
    assert!(findings.iter().any(|finding| finding.starts_with("plugin-version: ")), "{findings:?}");
    // Sources under a licence that nobody chose, and such that use a folder outside of their own: behind the walls there is none.
    let copy = project.clone_to(folder.path());
    let manifest = std::fs::read_to_string(copy.join("Cargo.toml")).unwrap();
    let other = manifest.replace("license = \"MIT\"", "license = \"ISC\"");
    std::fs::write(copy.join("Cargo.toml"), &other).unwrap();
    commit(&copy);
    let report = look(Outside { source: Some(copy.clone()), ..given.clone() });
    ended(&report, "licences", Fail, "licence-differs: `ISC`, the manifest says `MIT`");
    let sdk = folder.path().join("orch");
    std::fs::rename(copy.join("orch"), &sdk).unwrap();
    std::fs::write(copy.join("Cargo.toml"), other.replace("orch/sdk", sdk.join("sdk").to_str().unwrap()))
        .unwrap();
    let mut cargo = std::process::Command::new(env!("CARGO"));
    let updated = cargo.args(["update", "--workspace", "--offline"]).current_dir(&copy).output().unwrap();
    assert!(updated.status.success(), "{}", String::from_utf8_lossy(&updated.stderr));
    commit(&copy);
    let report = look(Outside { source: Some(copy), ..given });
    ended(
        &report,
        "dependency-match",
        Fail,
        "source-not-resolved: error: failed to load manifest for dependency `orch-sdk`",
    );
}

#[test]
fn reviews_are_asked_of_the_tool_for_them() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let (mut given, _database) = outside(folder.path());
    let copy = project.clone_to(folder.path());
    std::fs::create_dir(copy.join("supply-chain")).unwrap();
    std::fs::write(copy.join("supply-chain/audits.toml"), "").unwrap();
    commit(&copy);
    given.source = Some(copy);
    ended(&look(given.clone()), "dependency-review", Error, "tool-missing: `cargo-vet`");
    let says = |report: &str, exit: i32| {
        let mut given = given.clone();
        given.programs.cargo_vet =
            Some(script(folder.path(), "cargo-vet", &format!("echo '{report}'; exit {exit}")));
        look(given)
    };
    let fully = r#"{"conclusion":"success","vetted_fully":[{"name":"wit-bindgen","version":"1.0.0"}]}"#;
    ended(&says(fully, 0), "dependency-review", Pass, "");
    let less = r#"{"conclusion":"fail (vetting)","failures":[{"name":"wit-bindgen","version":"1.0.0"}]}"#;
    ended(&says(less, 255), "dependency-review", Fail, "review-missing: wit-bindgen 1.0.0");
    ended(&says(&fully[..20], 0), "dependency-review", Error, "tool-output: ");
}
