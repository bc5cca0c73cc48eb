//! The checks of sources: built again twice, and compared with what the release says.

use std::path::{Path, PathBuf};

use orch_certify::check::{Group, GroupReport};
use orch_certify::outside::Outside;
use orch_trust::certificate::CheckStatus::{Error, Fail, Pass, Skipped};

use crate::project::{Project, commit, ended, git, outside, result, run, script};

/// Sources that do not build, so that only the other check takes time.
fn quick(project: &Project, folder: &Path) -> (PathBuf, String) {
    let copy = project.clone_to(folder);
    std::fs::write(copy.join("Cargo.toml"), "none").unwrap();
    let commit = commit(&copy);
    (copy, commit)
}

#[test]
fn committed_sources_give_the_same_bytes_twice() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let (given, _database) = outside(folder.path());
    let report = run(Group::Source, &project.package, given);
    ended(&report, "reproducible-build", Pass, "");
    ended(&report, "provenance", Pass, "");
    assert_eq!(result(&report, "reproducible-build").looked_at, 2);
    assert_eq!(report.inputs.source_commit.as_ref(), Some(&project.commit));
    assert!(report.inputs.rustc.as_ref().unwrap().starts_with("rustc 1."), "{:?}", report.inputs);
}

#[test]
fn a_build_that_looks_at_its_surroundings_is_found() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let (given, _database) = outside(folder.path());
    let copy = project.clone_to(folder.path());
    let source = std::fs::read_to_string(copy.join("src/lib.rs")).unwrap();
    let looks = "#[unsafe(no_mangle)]\npub static SURROUNDINGS: &str = env!(\"TZ\");\n";
    std::fs::write(copy.join("src/lib.rs"), format!("{source}\n{looks}")).unwrap();
    let commit = commit(&copy);
    let package = project.package_copy(folder.path());
    project.release(&package, Some(&commit));
    let report = run(Group::Source, &package, Outside { source: Some(copy), ..given });
    ended(&report, "reproducible-build", Fail, "other-component: it differs from the package's in section ");
    let findings = &result(&report, "reproducible-build").findings;
    assert!(
        findings.iter().any(|finding| finding.starts_with("not-reproducible: two builds differ in ")),
        "{findings:?}"
    );
    ended(&report, "provenance", Pass, "");
}

/// A build script that changes nothing if it reaches nothing, and else what is built.
#[test]
fn what_sources_bring_builds_behind_walls() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let (given, _database) = outside(folder.path());
    let copy = project.clone_to(folder.path());
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (secret, made) = (folder.path().join("secret"), folder.path().join("made"));
    std::fs::write(&secret, "a key").unwrap();
    let script = format!(
        "fn main() {{\n    let read = std::fs::read({secret:?}).is_ok();\n    let _ = std::fs::write({made:?}, \"x\");\n    \
         let spoken = std::net::TcpStream::connect({:?}).is_ok();\n    \
         let home = std::fs::read_dir({:?}).is_ok_and(|mut found| found.any(|one| one.is_ok_and(|one| ![\".cargo\", \".rustup\", \".cache\"].iter().any(|known| one.file_name() == *known))));\n    \
         assert!(!read && !spoken && !home, \"reached: {{read}} {{spoken}} {{home}}\");\n}}\n",
        server.local_addr().unwrap().to_string(),
        std::env::var_os("HOME").unwrap(),
    );
    std::fs::write(copy.join("build.rs"), script).unwrap();
    let commit = commit(&copy);
    let package = project.package_copy(folder.path());
    project.release(&package, Some(&commit));
    let report = run(Group::Source, &package, Outside { source: Some(copy.clone()), ..given.clone() });
    let result = result(&report, "reproducible-build");
    assert_ne!(result.status, Error, "{result:?}");
    assert!(!result.findings.iter().any(|finding| finding.starts_with("not-built")), "{result:?}");
    assert!(!made.exists());
    // It would have been seen.
    std::fs::write(copy.join("build.rs"), "fn main() { panic!(\"reached\") }").unwrap();
    project.release(&package, Some(&crate::project::commit(&copy)));
    let report = run(Group::Source, &package, Outside { source: Some(copy), ..given });
    ended(&report, "reproducible-build", Fail, "not-built: ");
}

#[test]
fn a_release_says_of_which_commit_it_is() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let (given, _database) = outside(folder.path());
    let (copy, commit) = quick(project, folder.path());
    let package = project.package_copy(folder.path());
    let look = |source: &Path| -> GroupReport {
        run(Group::Source, &package, Outside { source: Some(source.to_owned()), ..given.clone() })
    };
    ended(&look(&copy), "provenance", Fail, "source-other-commit: the release is of `");
    ended(&look(&copy), "reproducible-build", Fail, "not-built: ");
    project.release(&package, None);
    ended(&look(&copy), "provenance", Fail, "source-missing: ");
    std::fs::remove_file(package.join("release.dsse.json")).unwrap();
    ended(&look(&copy), "provenance", Fail, "release-missing: ");
    // A release of other files.
    project.release(&package, Some(&commit));
    ended(&look(&copy), "provenance", Pass, "");
    std::fs::write(package.join("sbom.cdx.json"), "{}").unwrap();
    ended(
        &look(&copy),
        "provenance",
        Fail,
        "release-other-subject: the release is of another `sbom.cdx.json`",
    );
}

#[test]
fn a_changed_file_is_found_also_when_git_was_told_to_overlook_it() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let (given, _database) = outside(folder.path());
    let (copy, commit) = quick(project, folder.path());
    let package = project.package_copy(folder.path());
    project.release(&package, Some(&commit));
    let look = || run(Group::Source, &package, Outside { source: Some(copy.clone()), ..given.clone() });
    // What is not part of the commit is not part of the build.
    std::fs::write(copy.join("notes.txt"), "more").unwrap();
    ended(&look(), "provenance", Pass, "");
    std::fs::write(copy.join("src/lib.rs"), "// nothing").unwrap();
    ended(&look(), "provenance", Fail, "source-changed: 1 committed files");
    git(&copy, &["update-index", "--assume-unchanged", "src/lib.rs"]);
    assert_eq!(git(&copy, &["status", "--porcelain", "--untracked-files=no"]), "");
    ended(&look(), "provenance", Fail, "source-changed: 1 committed files");
    // Programs that the repository names for watching it are not started.
    let evil = script(folder.path(), "evil", &format!("touch '{}'", folder.path().join("ran").display()));
    git(&copy, &["config", "core.fsmonitor", evil.to_str().unwrap()]);
    look();
    assert!(!folder.path().join("ran").exists(), "a program of the repository ran");
}

#[test]
fn without_sources_or_git_nothing_is_said() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let (given, _database) = outside(folder.path());
    let report = run(Group::Source, &project.package, Outside { source: None, ..given.clone() });
    ended(&report, "reproducible-build", Skipped, "no sources were given");
    ended(&report, "provenance", Skipped, "no sources were given");
    let plain = Outside { source: Some(folder.path().to_owned()), ..given.clone() };
    ended(&run(Group::Source, &project.package, plain), "provenance", Skipped, "source-no-repository: ");
    let mut without = given;
    without.programs.git = None;
    let report = run(Group::Source, &project.package, without);
    ended(&report, "reproducible-build", Error, "tool-missing: `git`");
    assert_eq!(report.inputs, Default::default());
}

#[test]
fn two_certifiers_get_the_same_result() {
    let (project, folder) = (Project::good(), tempfile::tempdir().unwrap());
    let digest = |home: &str, language: &str, zone: &str| {
        let home = folder.path().join(home);
        std::fs::create_dir_all(&home).unwrap();
        let package = project.package_copy(&home);
        let mut certify = std::process::Command::new(env!("CARGO_BIN_EXE_orch-certify"));
        certify.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &home);
        certify.env("LC_ALL", language).env("LANG", language).env("TZ", zone).env("TMPDIR", &home);
        let output =
            certify.current_dir(&home).args(["run", package.to_str().unwrap(), "--out", "statement.json"]);
        let output = output.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let statement: serde_json::Value =
            serde_json::from_slice(&std::fs::read(home.join("statement.json")).unwrap()).unwrap();
        statement["predicate"]["resultDigest"].as_str().unwrap().to_owned()
    };
    let first = digest("one", "C", "UTC");
    let second = digest("another/and/deeper", "de_DE.UTF-8", "Pacific/Chatham");
    assert_eq!(first, second);
}
