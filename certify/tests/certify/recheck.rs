//! `recheck`: what a certificate would say differently today.

use orch_certify::check::{Group, tool};
use orch_certify::examine::examine;
use orch_certify::issue::assemble;
use orch_certify::recheck::recheck;
use orch_certify::sandbox::Sandbox;
use orch_host::package;
use orch_trust::authority::{Certifier, Level};
use orch_trust::certificate::{self, Certificate, CheckResult, CheckStatus};
use orch_trust::digest::Sha256Digest;
use orch_trust::inputs::{AdvisoryDb, Inputs};
use orch_trust::key::SecretKey;
use orch_trust::manifest::Role;
use orch_trust::time::{Day, UnixSeconds};

use crate::guest::guest;
use crate::package::{Package, orch_certify};

const SEED: [u8; 32] = [7; 32];

fn now() -> UnixSeconds {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixSeconds(since.as_secs() as i64)
}

/// The file by which an operator trusts that certifier.
fn trusting(key: &SecretKey, not_after: Option<UnixSeconds>) -> String {
    let end = not_after.map_or(String::new(), |end| format!("not_after = \"{end}\"\n"));
    format!("key = \"{}\"\nowner = \"Here\"\nprofile = \"local\"\n{end}", key.public().to_base64())
}

/// A sound package whose certificate can be changed and signed again, and the file that trusts it.
struct Certified {
    package: Package,
    certificate: Certificate,
}

impl Certified {
    fn new() -> Self {
        let package = Package::new(Role::Executor, &guest(Role::Executor, "", &[]), |_| {});
        let read = package::read(&package.folder()).unwrap();
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_orch-certify").into());
        let examination = examine(&package.folder(), &read, Level::Local, &sandbox).unwrap();
        let certificate = assemble(&read, examination, now(), now()).unwrap();
        Self { package, certificate }
    }

    /// Changes the certificate and signs it.
    fn change(&self, edit: impl FnOnce(&mut Certificate)) -> SecretKey {
        let key = SecretKey::from_seed(&SEED);
        let mut certificate = self.certificate.clone();
        edit(&mut certificate);
        certificate.result_digest = certificate.results();
        let read = package::read(&self.package.folder()).unwrap();
        let (name, bytes) = certificate::sign(&read, certificate, &key).unwrap();
        std::fs::create_dir_all(self.package.folder().join("certificates")).unwrap();
        self.package.write(&name, &bytes);
        key
    }

    /// What the library says after that: code, text, and whether it refuses. `today`: results of the static checks.
    fn differences(
        &self,
        edit: impl FnOnce(&mut Certificate),
        today: &dyn Fn(Group) -> Vec<CheckResult>,
    ) -> Vec<(String, bool)> {
        let key = self.change(edit);
        let read = package::read(&self.package.folder()).unwrap();
        let own = Certifier::new(key.public(), "Here".to_owned(), Level::Local);
        let found = recheck(&read, &[own], now(), today).unwrap();
        let said = found.into_iter().flat_map(|one| one.differences);
        said.map(|one| (format!("{}: {}", one.code, one.what), one.refuses)).collect()
    }

    /// Exit code and standard output of the command after that.
    fn recheck(&self, edit: impl FnOnce(&mut Certificate), not_after: Option<UnixSeconds>) -> (i32, String) {
        let key = self.change(edit);
        std::fs::write(self.package.home.path().join("cert.toml"), trusting(&key, not_after)).unwrap();
        let output = orch_certify(self.package.home.path(), &["recheck", "package", "--trust", "cert.toml"]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }
}

#[test]
fn a_certificate_is_held_against_today() {
    let certified = Certified::new();
    // By the command, one of each way to end.
    for (edit, exit, says) in [
        ((|_| {}) as fn(&mut Certificate), 0, "would say the same today"),
        (|stated| stated.certifier.version = "0.0.9".to_owned(), 1, "differs  tool-differs: made by"),
        (|stated| stated.valid_until = now().plus(-1), 3, "refuses  certificate-expired"),
    ] {
        let (found, said) = certified.recheck(edit, None);
        assert_eq!(found, exit, "{says}: {said}");
        assert!(said.contains(says), "{says}: {said}");
        assert_eq!(said.matches("\n  ").count(), 1, "{says}: {said}");
    }
    // By the library, whose static checks say the same each time.
    let known = [Group::Package, Group::Component, Group::Contents]
        .map(|group| (group, certified.package.look(group)));
    let today = |group: Group| -> Vec<CheckResult> {
        known.iter().find(|(of, _)| *of == group).map(|(_, results)| results.clone()).unwrap()
    };
    assert_eq!(certified.differences(|_| {}, &today), []);
    let check = |edit: &dyn Fn(&mut Certificate), refuses: bool, says: &str| {
        let found = certified.differences(edit, &today);
        // One change, one difference.
        let [(said, refused)] = found.as_slice() else { panic!("{says}: {found:?}") };
        assert!(said.starts_with(says) && *refused == refuses, "{says}: {said}");
    };
    check(&|stated| stated.environment.wasmtime = "47.0.0".to_owned(), false, "engine-differs: ");
    check(&|stated| stated.facts.imports.push("orch:log/log@0.1.0".to_owned()), true, "facts-differ: ");
    check(&|stated| drop(stated.checks.pop()), true, "required-grown: `self-check`");
    check(&|stated| stated.checks[2].looked_at += 1, false, "check-differs: `file-set`");
    check(
        &|stated| stated.checks[1].findings.push("name-near: x".to_owned()),
        false,
        "check-differs: `names`",
    );
    check(&|stated| stated.checks[10].looked_at += 1, false, "check-differs: `dependency-list`");
    let old = |stated: &mut Certificate| {
        let (sha256, date) = (Sha256Digest::of(b"database"), Day::parse("2020-01-01").unwrap());
        let used = AdvisoryDb { sha256, date, advisories: 3, commit: None };
        stated.inputs = Some(Inputs { advisory_db: Some(used), ..Inputs::default() });
    };
    check(&old, false, "advisory-db-too-old: ");
    // A check of another version is one difference as the required list sees it, one as the check does.
    let said = certified.differences(|stated| stated.checks[0].status = CheckStatus::Fail, &today);
    let grown = "required-grown: `manifest` is required today, in the certificate it is fail";
    assert!(said.len() == 2 && said.contains(&(grown.to_owned(), true)), "{said:?}");
    let (exit, said) = certified.recheck(|_| {}, Some(now().plus(-5)));
    assert_eq!((exit, said.contains("certificate-key-expired")), (3, true), "{said}");
    assert_eq!(certified.certificate.certifier, tool());
}

#[test]
fn only_certificates_that_hold_are_compared() {
    let certified = Certified::new();
    let (exit, said) = certified.recheck(|stated| stated.version = "9.9.9".parse().unwrap(), None);
    assert_eq!((exit, said.contains("code: certificate-other-plugin")), (3, true), "{said}");
    certified.recheck(|_| {}, None);
    let home = certified.package.home.path();
    let refused = |code: &str| {
        let output = orch_certify(home, &["recheck", "package", "--trust", "cert.toml"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(&format!("code: {code}")), "{said}");
    };
    let other = trusting(&SecretKey::from_seed(&[8; 32]), None);
    std::fs::write(home.join("cert.toml"), other).unwrap();
    refused("certificate-unknown-key");
    std::fs::remove_dir_all(certified.package.folder().join("certificates")).unwrap();
    refused("certificate-missing");
    certified.package.write("sbom.cdx.json", b"{ }");
    refused("digest-mismatch");
}
