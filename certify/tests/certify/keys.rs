//! Keys, certificates and statements: from `keygen` to a package that `verify` accepts.

use std::path::Path;

use orch_certify::issue::{WASMTIME, still_valid};
use orch_certify::statement;
use orch_host::package;
use orch_signer::key_file::{self, Form, Purpose};
use orch_signer::passphrase::Passphrases;
use orch_trust::authority::{Level, Publisher};
use orch_trust::certificate::{Certificate, CheckStatus, life_seconds};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Statement;
use orch_trust::manifest::Role;
use orch_trust::package::PackageBytes;
use orch_trust::release::{self, Release};
use orch_trust::time::UnixSeconds;

use crate::guest::guest;
use crate::package::{Package, orch_certify};

/// No passphrase is ever asked for: the descriptor is not there.
const NONE: Passphrases = Passphrases::Descriptor(900_000);

#[track_caller]
fn succeeds(folder: &Path, args: &[&str]) -> String {
    let output = orch_certify(folder, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn fails(folder: &Path, args: &[&str], exit: i32, code: &str) {
    let output = orch_certify(folder, args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {said}");
    assert!(said.contains(&format!("code: {code}")), "{args:?}: {said}");
}

fn sound() -> Package {
    Package::new(Role::Executor, &guest(Role::Executor, "", &[]), |_| {})
}

fn read(package: &Package) -> PackageBytes {
    package::read(&package.folder()).unwrap()
}

fn now() -> UnixSeconds {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixSeconds(since.as_secs() as i64)
}

fn keys(home: &Path) {
    succeeds(home, &["keygen", "--out", "pub.key", "--owner", "Demo", "--publisher", "demo"]);
    succeeds(home, &["keygen", "--out", "cert.key", "--owner", "Here", "--certifier", "local"]);
}

fn release(package: &Package) {
    let key = key_file::open(&package.home.path().join("pub.key"), Purpose::Publisher, &NONE).unwrap();
    let said = Release {
        id: orch_trust::name::PluginId::parse("demo/sample").unwrap(),
        version: "1.0.0".parse().unwrap(),
        release_counter: 1,
        channel: "stable".to_owned(),
        issued_at: now(),
        not_after: now().plus(UnixSeconds::DAY),
        source: None,
    };
    package.write("release.dsse.json", &release::sign(&read(package), said, &key).unwrap());
}

#[test]
fn a_package_that_passed_is_signed_and_verified() {
    let package = sound();
    let home = package.home.path();
    keys(home);
    let verify = ["verify", "--trust", "pub.toml", "--trust", "cert.toml", "package"];
    fails(home, &verify, 3, "release-missing");
    release(&package);
    fails(home, &verify, 3, "certificate-missing");
    let said = succeeds(home, &["run", "package", "--key", "cert.key"]);
    assert!(said.contains("certified (local) until"), "{said}");
    let said = succeeds(home, &verify);
    assert!(said.contains("facts        passed"), "{said}");
    fails(home, &["verify", "package", "--trust", "pub.toml"], 3, "certificate-unknown-key");
    fails(home, &["verify", "package", "--trust", "cert.toml"], 3, "release-unknown-key");
    // The same tool finds the same again and leaves the file as it is.
    let said = succeeds(home, &["run", "package", "--key", "cert.key"]);
    assert!(said.contains("still valid"), "{said}");
    package.write("sbom.cdx.json", b"{ }");
    fails(home, &verify, 3, "digest-mismatch");
    let output = orch_certify(home, &["run", "package", "--key", "cert.key"]);
    assert_eq!(output.status.code(), Some(3), "a certificate of other files is not reused");
}

#[test]
fn a_package_that_failed_gets_no_certificate() {
    let trapping = guest(Role::Executor, "", &[("execute", "unreachable")]);
    let package = Package::new(Role::Executor, &trapping, |_| {});
    keys(package.home.path());
    let args = ["run", "package", "--key", "cert.key", "--out", "statement.json"];
    let output = orch_certify(package.home.path(), &args);
    assert_eq!(output.status.code(), Some(3));
    assert!(!package.folder().join("certificates").exists());
    assert!(!package.home.path().join("statement.json").exists());
}

#[test]
fn a_certificate_is_used_again_in_the_first_half_of_its_life_only() {
    let package = sound();
    let home = package.home.path();
    keys(home);
    succeeds(home, &["run", "package", "--key", "cert.key"]);
    let key = key_file::open(&home.join("cert.key"), Purpose::Certifier, &NONE).unwrap();
    let half = life_seconds(Level::Local) / 2;
    let at =
        |seconds: i64| still_valid(&read(&package), Level::Local, &key, None, now().plus(seconds)).is_some();
    assert!(at(0) && at(half - 60));
    assert!(!at(half + 60) && !at(2 * half + 60));
    let other = key_file::write(&home.join("other.key"), Purpose::Certifier, Form::Seed).unwrap();
    assert_eq!(still_valid(&read(&package), Level::Local, &other, None, now()), None);
    assert_eq!(still_valid(&read(&package), Level::Certified, &key, None, now()), None);
}

#[test]
fn a_certificate_does_not_answer_for_ids_that_are_named_later() {
    let package = sound();
    let home = package.home.path();
    keys(home);
    succeeds(home, &["run", "package", "--key", "cert.key"]);
    std::fs::write(home.join("known"), "dem0/sample").unwrap();
    let output = orch_certify(home, &["run", "package", "--key", "cert.key", "--known", "known"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("name-confusable"));
}

#[test]
fn a_certificate_answers_for_the_same_known_ids_only() {
    let package = sound();
    let home = package.home.path();
    keys(home);
    let run = |ids: Option<&str>| {
        let mut args = vec!["run", "package", "--key", "cert.key", "--quiet"];
        if let Some(ids) = ids {
            std::fs::write(home.join("known"), ids).unwrap();
            args.extend(["--known", "known"]);
        }
        let output = orch_certify(home, &args);
        assert_eq!(output.status.code(), Some(0), "{ids:?}");
        let again = String::from_utf8_lossy(&output.stdout).contains("certificate is still valid");
        let key = key_file::open(&home.join("cert.key"), Purpose::Certifier, &NONE).unwrap();
        let certificate = still_valid(&read(&package), Level::Local, &key, None, now()).unwrap();
        (again, certificate.inputs.and_then(|inputs| inputs.known_ids_sha256))
    };
    let digest = Some(Sha256Digest::of(b"acme/other\ndemo/far\n"));
    assert_eq!(run(Some("demo/far\nacme/other\n")), (false, digest));
    assert_eq!(run(Some("# the same\nacme/other\ndemo/far\nacme/other\n")), (true, digest));
    assert_eq!(run(None), (false, None));
    assert_eq!(run(None), (true, None));
}

type Edit<'a> = &'a dyn Fn(&mut Certificate);

/// A statement of `run --out`, and its package.
fn statement() -> (Package, Statement<Certificate>) {
    let package = sound();
    succeeds(package.home.path(), &["run", "package", "--out", "statement.json"]);
    let statement = statement::read(&package.home.path().join("statement.json")).unwrap();
    (package, statement)
}

#[test]
fn a_statement_is_signed_by_whoever_has_the_key() {
    let (package, _) = statement();
    let home = package.home.path();
    assert!(!package.folder().join("certificates").exists(), "nothing is signed without a key");
    keys(home);
    release(&package);
    succeeds(home, &["sign", "statement.json", "package", "--key", "cert.key"]);
    succeeds(home, &["verify", "package", "--trust", "pub.toml", "--trust", "cert.toml"]);
}

#[test]
fn a_certifier_that_is_ended_while_it_writes_leaves_the_package_as_it_was() {
    let (package, _) = statement();
    let home = package.home.path();
    keys(home);
    release(&package);
    let names = || {
        let mut found: Vec<_> =
            std::fs::read_dir(package.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        found.retain(|name| name != "certificates");
        found.sort();
        found
    };
    let before = names();
    // No byte may be written into any file: the system ends who tries.
    let mut ended = std::process::Command::new("sh");
    ended.args(["-c", "ulimit -f 0; exec \"$0\" sign statement.json package --key cert.key"]);
    let ended = ended.arg(env!("CARGO_BIN_EXE_orch-certify")).current_dir(home).output().unwrap();
    assert!(!ended.status.success());
    let left = std::fs::read_dir(home)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".new"));
    assert!(
        ended.status.code().is_some() || left.count() == 1,
        "it was ended in the middle: {}",
        ended.status
    );
    assert_eq!(names(), before);
    succeeds(home, &["sign", "statement.json", "package", "--key", "cert.key"]);
    succeeds(home, &["verify", "package", "--trust", "pub.toml", "--trust", "cert.toml"]);
}

#[test]
fn a_statement_that_does_not_hold_is_not_signed() {
    let (package, good) = statement();
    let bytes = read(&package);
    let at = good.predicate.finished_at;
    let signed_at = |now: UnixSeconds| statement::check(good.clone(), &bytes, now).unwrap().signed_at;
    assert_eq!(signed_at(at), at);
    assert_eq!(signed_at(at.plus(UnixSeconds::DAY)), at.plus(UnixSeconds::DAY));
    assert_eq!(signed_at(at.plus(-300)), at, "where the clock of the other job is ahead");
    let code = |now: UnixSeconds, edit: &dyn Fn(&mut Statement<Certificate>)| {
        let mut statement = good.clone();
        edit(&mut statement);
        // Whoever edits it can do its digest again, too.
        statement.predicate.result_digest = statement.predicate.results();
        statement::check(statement, &bytes, now).unwrap_err().code()
    };
    assert_eq!(code(at.plus(UnixSeconds::DAY + 1), &|_| {}), "statement-old");
    assert_eq!(code(at.plus(-301), &|_| {}), "statement-not-yet");
    let edits: [(&str, Edit<'_>); 10] = [
        ("statement-other-plugin", &|stated| stated.version = "1.0.1".parse().unwrap()),
        ("statement-other-tool", &|stated| stated.certifier.version = "0.0.9".to_owned()),
        ("statement-other-tool", &|stated| stated.checks[0].tool.version = "0.0.9".to_owned()),
        ("statement-other-tool", &|stated| stated.environment.wasmtime = format!("{WASMTIME}0")),
        ("statement-too-long", &|stated| stated.valid_until = stated.valid_until.plus(1)),
        ("statement-facts", &|stated| stated.facts.imports.push("orch:log/log@0.1.0".to_owned())),
        ("statement-check", &|stated| drop(stated.checks.pop())),
        ("statement-check", &|stated| stated.checks[2].status = CheckStatus::Skipped),
        ("statement-check", &|stated| stated.checks[2].looked_at = 0),
        ("statement-check", &|stated| stated.level = Level::Certified),
    ];
    for (expected, edit) in edits {
        assert_eq!(code(at, &|statement| edit(&mut statement.predicate)), expected);
    }
    assert_eq!(code(at, &|statement| drop(statement.subject.pop())), "statement-other-subject");
    let mut other_digest = good.clone();
    other_digest.predicate.checks[0].findings.push("x".to_owned());
    assert_eq!(statement::check(other_digest, &bytes, at).unwrap_err().code(), "statement-digest");
    package.write("sbom.cdx.json", b"{ }");
    assert_eq!(statement::check(good, &read(&package), at).unwrap_err().code(), "statement-other-subject");
}

#[test]
fn keygen_writes_both_files_once_and_keeps_the_secret() {
    let home = tempfile::tempdir().unwrap();
    let said = succeeds(
        home.path(),
        &["keygen", "--out", "a.key", "--owner", "Acme", "--publisher", "acme", "--publisher", "demo/"],
    );
    let secret = std::fs::read_to_string(home.path().join("a.key")).unwrap();
    let seed =
        serde_json::from_str::<serde_json::Value>(&secret).unwrap()["seed"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(home.path().join("a.toml")).unwrap();
    assert!(!said.contains(&seed) && !text.contains(&seed));
    let publisher = Publisher::parse(&text).unwrap();
    assert_eq!(publisher.namespaces, ["acme/", "demo/"]);
    assert_eq!(
        publisher.key,
        key_file::open(&home.path().join("a.key"), Purpose::Publisher, &NONE).unwrap().public()
    );
    let again = ["keygen", "--out", "a.key", "--certifier", "local"];
    fails(home.path(), &again, 2, "key-file-exists");
    let wrong = ["keygen", "--out", "b.key", "--publisher", "Acme Inc"];
    fails(home.path(), &wrong, 2, "namespace");
    assert!(!home.path().join("b.key").exists(), "nothing is written for a namespace that nobody can trust");
    assert_eq!(orch_certify(home.path(), &["keygen", "--out", "c.key"]).status.code(), Some(2));
}

#[test]
fn a_key_that_others_can_read_signs_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let package = sound();
    keys(package.home.path());
    let path = package.home.path().join("cert.key");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    fails(package.home.path(), &["run", "package", "--key", "cert.key"], 2, "key-file-exposed");
    assert!(!package.folder().join("certificates").exists());
}

#[test]
fn a_publishers_key_certifies_nothing() {
    let package = sound();
    keys(package.home.path());
    fails(package.home.path(), &["run", "package", "--key", "pub.key"], 2, "key-file-other-purpose");
    assert!(!package.folder().join("certificates").exists());
}
