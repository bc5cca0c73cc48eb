//! One good package, and every way to break it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what makes a package for a test is no test function, so clippy.toml does not let it"
)]

mod certified;
mod development;

use std::sync::Arc;

use orch_trust::admission::{Rules, Step, Verdict, admit, explain};
use orch_trust::authority::Level;
use orch_trust::certificate::{Certificate, CheckResult, CheckStatus, required_checks};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::{self, Statement, Subject};
use orch_trust::evidence::{Candidate, Compilable, Trust};
use orch_trust::key::SecretKey;
use orch_trust::manifest::{Manifest, Role};
use orch_trust::package::PackageBytes;
use orch_trust::policy::Policy;
use orch_trust::time::UnixSeconds;

use crate::make::{DAY, Files, Make, NOW, component};

fn code_at((files, rules): (Files, Rules), now: UnixSeconds) -> Option<&'static str> {
    match PackageBytes::new(files) {
        Ok(package) => admit(&package, &rules, now).err().map(|refusal| refusal.code()),
        Err(refusal) => Some(refusal.code()),
    }
}

#[track_caller]
fn refuses(edit: impl FnOnce(&mut Make), code: &str) {
    let mut make = Make::good();
    edit(&mut make);
    assert_eq!(code_at(make.build(), NOW), Some(code));
}

#[track_caller]
fn refuses_files(edit: impl FnOnce(&mut Files), code: &str) {
    let (mut files, rules) = Make::good().build();
    edit(&mut files);
    assert_eq!(code_at((files, rules), NOW), Some(code));
}

#[track_caller]
fn refuses_certificate(edit: impl FnOnce(&mut Certificate) + 'static, code: &str) {
    refuses(|make| make.certificate = Box::new(edit), code);
}

#[test]
fn admits_the_good_package_and_says_every_step() {
    let (files, rules) = Make::good().build();
    let package = PackageBytes::new(files).unwrap();
    let steps = explain(&package, &rules, NOW);
    assert_eq!(steps.passed, Step::ALL);
    let admitted = steps.outcome.unwrap();
    assert_eq!(admitted.trust(), Trust::CertifiedLocal);
    assert_eq!(admitted.component_digest(), package.component_digest());
    assert!(admitted.grant().permissions().log.is_some());
}

#[test]
fn says_which_step_failed_and_which_were_not_run() {
    let words = |make: Make| {
        let (files, rules) = make.build();
        let steps = explain(&PackageBytes::new(files).unwrap(), &rules, NOW);
        Step::ALL.map(|step| match steps.verdict(step) {
            Verdict::Passed => "passed",
            Verdict::Failed(refusal) => refusal.code(),
            Verdict::NotRun => "not run",
        })
    };
    let mut make = Make::good();
    make.manifest["extra"] = 1.into();
    assert_eq!(
        words(make),
        ["manifest-schema", "not run", "not run", "not run", "not run", "not run", "not run"]
    );
    let mut make = Make::good();
    make.rules.certifiers.clear();
    let code = "certificate-unknown-key";
    assert_eq!(words(make), ["passed", "passed", "passed", code, "not run", "not run", "not run"]);
    let mut make = Make::good();
    make.rules.approvals.clear();
    let passed = "passed";
    assert_eq!(words(make), [passed, passed, passed, passed, passed, passed, "approval-missing"]);
    assert_eq!(words(Make::good()), [passed; 7]);
}

/// Flips every second byte of every file; gives how many flips that were.
fn flip_bytes(files: &Files, rules: &Rules, first: usize) -> u64 {
    let mut tried = 0;
    for (name, bytes) in files {
        for place in (first..bytes.len()).step_by(2) {
            for flip in [0x01, 0x20, 0x80] {
                let mut changed = bytes.to_vec();
                changed[place] ^= flip;
                let mut files = files.clone();
                files.insert(name.clone(), changed.into());
                let code = code_at((files, rules.clone()), NOW);
                assert!(code.is_some(), "`{name}` with byte {place} flipped by {flip} was admitted");
                tried += 1;
            }
        }
    }
    tried
}

#[test]
fn any_changed_byte_of_any_file_is_refused() {
    let (files, rules) = Make::good().build();
    let (even, odd) = std::thread::scope(|scope| {
        let odd = scope.spawn(|| flip_bytes(&files, &rules, 1));
        (flip_bytes(&files, &rules, 0), odd.join().unwrap())
    });
    assert_eq!(even + odd, files.values().map(|bytes| bytes.len() as u64 * 3).sum::<u64>());
    for (name, bytes) in &files {
        for changed in [bytes[1..].to_vec(), [&bytes[..], &bytes[..1]].concat(), vec![]] {
            let mut files = files.clone();
            files.insert(name.clone(), changed.into());
            assert!(code_at((files, rules.clone()), NOW).is_some(), "`{name}` cut or grown was admitted");
        }
    }
    assert!(even + odd > 10_000, "{even} and {odd}");
}

#[test]
fn refuses_by_the_files() {
    refuses_files(|files| drop(files.remove("sbom.cdx.json")), "file-missing");
    refuses_files(|files| drop(files.remove("component.wasm")), "file-missing");
    refuses_files(|files| drop(files.insert("evil.sh".into(), Arc::from(*b"x"))), "file-extra");
    refuses_files(|files| drop(files.insert("../up".into(), Arc::from(*b"x"))), "file-extra");
    refuses_files(|files| drop(files.insert("LICENSE".into(), Arc::from(*b"x"))), "file-undeclared");
    refuses_files(
        |files| drop(files.insert("certificates/zz.dsse.json".into(), Arc::from(*b"x"))),
        "file-extra",
    );
    refuses_files(
        |files| drop(files.insert("README.md".into(), vec![0; (1 << 20) + 1].into())),
        "file-too-large",
    );
    refuses_files(
        |files| {
            let mut longer = files["component.wasm"].to_vec();
            longer.push(0);
            files.insert("component.wasm".into(), longer.into());
        },
        "digest-mismatch",
    );
}

#[test]
fn refuses_by_the_release() {
    refuses_files(|files| drop(files.remove("release.dsse.json")), "release-missing");
    refuses(|make| make.publisher = SecretKey::from_seed(&[3; 32]), "release-unknown-key");
    refuses(|make| make.publisher = SecretKey::from_seed(&[2; 32]), "release-unknown-key");
    refuses(|make| make.rules.publishers[0].namespaces = vec!["acm/".into()], "release-other-namespace");
    refuses(|make| make.rules.publishers[0].not_after = Some(NOW.plus(-1)), "release-key-expired");
    refuses(|make| make.release.version = semver::Version::new(1, 2, 4), "release-other-plugin");
    refuses(|make| make.release.not_after = NOW.plus(-1), "release-expired");
    refuses(|make| make.release.issued_at = NOW.plus(301), "release-not-yet");
    // The same key under another file does not hide the file that owns the namespace, nor lend it to others.
    refuses(
        |make| {
            let mut other = make.rules.publishers[0].clone();
            other.namespaces = vec!["other/".into()];
            other.not_after = Some(NOW.plus(-1));
            make.rules.publishers.insert(0, other);
            make.rules.publishers[1].not_after = Some(NOW.plus(-1));
        },
        "release-key-expired",
    );
    refuses_files(
        |files| {
            let certificate = files.iter().find(|(name, _)| name.starts_with("cert")).unwrap().1.clone();
            files.insert("release.dsse.json".into(), certificate);
        },
        "release-unknown-key",
    );
    // The release of another file set.
    let mut other = Make::good();
    other.manifest["name"] = "Other".into();
    let (other, _) = other.build();
    let release = other["release.dsse.json"].clone();
    refuses_files(|files| drop(files.insert("release.dsse.json".into(), release)), "release-other-subject");
}

#[test]
fn refuses_by_the_certificate() {
    refuses_files(|files| files.retain(|name, _| !name.starts_with("cert")), "certificate-missing");
    refuses(|make| make.certifier = SecretKey::from_seed(&[3; 32]), "certificate-unknown-key");
    refuses(|make| make.certifier = SecretKey::from_seed(&[1; 32]), "certificate-unknown-key");
    refuses(|make| make.rules.certifiers[0].not_after = Some(NOW.plus(-1)), "certificate-key-expired");
    refuses(|make| make.rules.policy.minimum_level.0 = Level::Certified, "certificate-missing");
    refuses_certificate(|certificate| certificate.level = Level::Certified, "certificate-level");
    refuses_certificate(|certificate| certificate.valid_until = NOW.plus(8 * DAY), "certificate-too-long");
    refuses_certificate(|certificate| certificate.signed_at = NOW.plus(301), "certificate-not-yet");
    refuses_certificate(|certificate| certificate.finished_at = NOW.plus(1), "certificate-signed-early");
    refuses_certificate(
        |certificate| certificate.version = semver::Version::new(9, 9, 9),
        "certificate-other-plugin",
    );
    refuses_certificate(|certificate| drop(certificate.checks.remove(0)), "check-missing");
    refuses_certificate(|certificate| certificate.checks.push(certificate.checks[0].clone()), "check-twice");
    refuses_certificate(|certificate| certificate.checks[3].looked_at = 0, "check-empty");
    refuses_certificate(|certificate| certificate.checks[3].version = 0, "check-version");
    refuses_certificate(|certificate| certificate.certifier.name = "other".into(), "certificate-tool");
    for version in ["0.0.9", "0.1.0-rc.1", "", "new"] {
        refuses_certificate(move |found| found.certifier.version = version.into(), "certificate-tool");
    }
    refuses_certificate(|certificate| certificate.self_check.rejected -= 1, "self-check-incomplete");
    refuses_certificate(|certificate| certificate.self_check.rejected += 1, "self-check-incomplete");
    refuses_certificate(
        |certificate| (certificate.self_check.rejected, certificate.self_check.of) = (0, 0),
        "self-check-incomplete",
    );
    // A check that nobody requires may be skipped, and may not have failed.
    for (status, code) in [
        (CheckStatus::Pass, None),
        (CheckStatus::Warn, None),
        (CheckStatus::Skipped, None),
        (CheckStatus::Fail, Some("check-not-passed")),
        (CheckStatus::Error, Some("check-not-passed")),
    ] {
        let mut make = Make::good();
        make.certificate = Box::new(move |certificate| {
            let more = CheckResult { id: "nobodys".into(), status, ..certificate.checks[0].clone() };
            certificate.checks.push(more);
        });
        assert_eq!(code_at(make.build(), NOW), code, "{status:?}");
    }
    // A plugin that is called in our own ways may be warned of, once for each role that there is.
    for (findings, code) in [(6, None), (7, Some("check-warnings"))] {
        let mut make = Make::good();
        make.certificate = Box::new(move |certificate| {
            let fuzz = certificate.checks.iter_mut().find(|check| check.id == "fuzz").unwrap();
            (fuzz.status, fuzz.findings) = (CheckStatus::Warn, vec!["fuzz-traps".into(); findings]);
        });
        assert_eq!(code_at(make.build(), NOW), code, "{findings} warnings");
    }
    // A summary that says more than the checks is not believed: every check of the list is asked for.
    for place in 0..required_checks(Level::Local, &[Role::Executor]).len() {
        refuses_certificate(move |certificate| drop(certificate.checks.remove(place)), "check-missing");
    }
    for status in [CheckStatus::Warn, CheckStatus::Fail, CheckStatus::Error, CheckStatus::Skipped] {
        refuses_certificate(move |certificate| certificate.checks[8].status = status, "check-not-passed");
    }
    refuses_certificate(|certificate| certificate.result_digest = Sha256Digest::of(b"x"), "result-digest");
    refuses_certificate(|certificate| certificate.facts.imports.clear(), "facts-disagree");
    refuses_certificate(|certificate| certificate.facts.table_elements += 1, "facts-disagree");
    refuses_files(
        |files| {
            let (name, bytes) = files.iter().find(|(name, _)| name.starts_with("cert")).unwrap();
            let (name, bytes) = (name.clone(), bytes.clone());
            files.remove(&name);
            files.insert("certificates/0123456789abcdef.dsse.json".into(), bytes);
        },
        "certificate-file-name",
    );
    // Expiry, at its exact boundary.
    let in_time = code_at(Make::good().build(), NOW.plus(DAY));
    assert_eq!(in_time, None);
    let mut make = Make::good();
    make.rules.publishers[0].not_after = None;
    make.rules.certifiers[0].not_after = None;
    let built = make.build();
    assert_eq!(code_at(built.clone(), NOW.plus(7 * DAY)), None);
    assert_eq!(code_at(built, NOW.plus(7 * DAY + 1)), Some("certificate-expired"));
}

#[test]
fn refuses_by_what_the_bytes_are() {
    refuses(|make| make.component = b"(component)".to_vec(), "wat-text");
    refuses(|make| make.component = wat::parse_str("(module)").unwrap(), "core-module");
    refuses(|make| make.component = b"\x7fELF".to_vec(), "not-a-component");
    refuses(|make| make.component.push(0), "not-a-component");
    refuses(|make| make.component.extend(component("orch:log/log@0.1.0")), "not-a-component");
    refuses(|make| make.component = component("orch:kv/kv@0.1.0"), "import-undeclared");
    refuses(|make| make.component = component("orch:log/log@0.1.1"), "import-unknown");
    refuses(|make| make.component = component("wasi:keyvalue/store@0.2.0"), "import-unknown");
    let text = |body: &str| wat::parse_str(format!("(component {body})")).unwrap();
    let export = r#"(instance $me) (export "orch:executor/executor@0.1.0" (instance $me))"#;
    refuses(|make| make.component = text("(core module)"), "export-missing");
    refuses(|make| make.component = text(&format!("(core module (memory 17)) {export}")), "memory-minimum");
    refuses(|make| make.component = text(&format!("(core module (memory i64 1)) {export}")), "memory-kind");
    refuses(
        |make| make.component = text(&format!("(core module (memory 1 1 shared)) {export}")),
        "memory-kind",
    );
    refuses(
        |make| make.component = text(&format!(r#"(core module (@custom "signature" "x")) {export}"#)),
        "custom-section",
    );
}

#[test]
fn refuses_by_what_the_operator_says() {
    refuses(|make| make.rules.policy = Policy::default(), "permission-not-allowed");
    refuses(|make| make.rules.approvals.clear(), "approval-missing");
    refuses(
        |make| make.rules.approvals.values_mut().for_each(|found| found.permissions = Default::default()),
        "approval-exceeded",
    );
    refuses(
        |make| make.rules.publishers[0].max_permissions = Some(Default::default()),
        "permission-above-maximum",
    );
    refuses(
        |make| make.rules.policy.deny.ids = vec!["acme/note".to_owned().try_into().unwrap()],
        "denied-by-policy",
    );
    refuses(|make| make.rules.policy.deny.digests = vec![Sha256Digest::of(b"{}")], "denied-by-policy");
    for key in [1, 2] {
        let id = SecretKey::from_seed(&[key; 32]).public().id().to_string();
        refuses(
            |make| make.rules.policy.deny.keys = vec![Sha256Digest::parse(&id).unwrap()],
            "denied-by-policy",
        );
    }
    refuses(
        |make| {
            let (files, _) = Make::good().build();
            let package = PackageBytes::new(files).unwrap();
            let manifest = Manifest::parse(package.manifest()).unwrap();
            make.rules.lock.pin(&manifest, &package);
            make.manifest["name"] = "Changed".into();
        },
        "lock-mismatch",
    );
}

#[test]
fn a_candidate_needs_no_signature_and_every_fact() {
    let (mut files, _) = Make::good().build();
    files.retain(|name, _| !name.ends_with(".dsse.json"));
    let package = PackageBytes::new(files).unwrap();
    assert_eq!(Candidate::examine(&package).unwrap().trust(), Trust::Candidate);
    let mut make = Make::good();
    make.component = component("orch:kv/kv@0.1.0");
    let (files, _) = make.build();
    assert_eq!(
        Candidate::examine(&PackageBytes::new(files).unwrap()).unwrap_err().code(),
        "import-undeclared"
    );
}

#[test]
fn a_release_names_each_file_once_and_no_other() {
    type Edit = fn(&mut Vec<Subject>);
    let edits: [(Edit, Option<&str>); 5] = [
        (|_| {}, None),
        (|subjects| drop(subjects.pop()), Some("release-other-subject")),
        (|subjects| subjects.push(subjects[0].clone()), Some("release-other-subject")),
        (
            |subjects| subjects.push(Subject { name: "LICENSE".into(), ..subjects[0].clone() }),
            Some("release-other-subject"),
        ),
        (|subjects| subjects[0].digest.sha256 = Sha256Digest::of(b"other"), Some("release-other-subject")),
    ];
    for (edit, code) in edits {
        let make = Make::good();
        let release = make.release.clone();
        let (mut files, rules) = make.build();
        let mut subjects = PackageBytes::new(files.clone()).unwrap().subjects();
        edit(&mut subjects);
        let signed =
            dsse::sign(&Statement::new(subjects, release), &[&SecretKey::from_seed(&[1; 32])]).unwrap();
        files.insert("release.dsse.json".into(), signed.into());
        assert_eq!(code_at((files, rules), NOW), code);
    }
}

#[test]
fn a_release_has_one_signature() {
    let make = Make::good();
    let (one, two) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    let release = make.release.clone();
    let (mut files, mut rules) = make.build();
    let mut second = rules.publishers[0].clone();
    second.key = two.public();
    rules.publishers.push(second);
    let package = PackageBytes::new(files.clone()).unwrap();
    let both = dsse::sign(&Statement::new(package.subjects(), release), &[&one, &two]).unwrap();
    files.insert("release.dsse.json".into(), both.into());
    assert_eq!(code_at((files, rules), NOW), Some("envelope-signatures"));
}

#[cfg(feature = "dangerous")]
#[test]
fn unsigned_is_marked_and_everything_but_the_signatures_is_asked_for() {
    use orch_trust::admission::admit_dangerous_unsigned;

    let (mut files, rules) = Make::good().build();
    files.retain(|name, _| !name.ends_with(".dsse.json"));
    let package = PackageBytes::new(files).unwrap();
    let trust = admit_dangerous_unsigned(&package, &rules).unwrap().trust();
    assert_eq!((trust, trust.as_str()), (Trust::Unsigned, "unsigned"));
    let code = |rules: &Rules| admit_dangerous_unsigned(&package, rules).unwrap_err().code();
    let mut unapproved = rules.clone();
    unapproved.approvals.clear();
    assert_eq!(code(&unapproved), "approval-missing");
    let mut denied = rules.clone();
    denied.policy.deny.digests = vec![package.component_digest()];
    assert_eq!(code(&denied), "denied-by-policy");
    let mut bare = rules;
    bare.policy = Policy::default();
    assert_eq!(code(&bare), "permission-not-allowed");
}
