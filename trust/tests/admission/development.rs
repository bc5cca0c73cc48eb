//! Certificates of level `development`: they count on a host of development, and nowhere else.

use orch_trust::admission::explain;
use orch_trust::authority::Level;
use orch_trust::certificate::{Certificate, CheckStatus, SelfCheck, required_checks};
use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::{Compilable, Trust};
use orch_trust::manifest::Role;
use orch_trust::package::PackageBytes;
use orch_trust::policy::Policy;

use super::code_at;
use crate::make::{Make, NOW};

/// As quick checks leave it: nothing was called, and no known-bad package looked at.
fn develop(certificate: &mut Certificate) {
    let required = required_checks(Level::Development, &[Role::Executor]);
    certificate.checks.retain(|check| required.iter().any(|wanted| wanted.id == check.id));
    certificate.self_check = SelfCheck { corpus_sha256: Sha256Digest::of(b""), rejected: 0, of: 0 };
    certificate.level = Level::Development;
    certificate.valid_until = NOW.plus(3600);
}

/// A package that a host of development admits, its certificate changed by `edit`.
fn make(edit: impl FnOnce(&mut Certificate) + 'static) -> Make {
    let mut make = Make::good();
    make.rules.certifiers[0].profile = Level::Development;
    make.rules.development = true;
    make.certificate = Box::new(move |certificate| {
        develop(certificate);
        edit(certificate);
    });
    make
}

#[test]
fn a_host_of_development_admits_it_and_says_so() {
    let (files, rules) = make(|_| {}).build();
    let admitted = explain(&PackageBytes::new(files).unwrap(), &rules, NOW).outcome.unwrap();
    assert_eq!(admitted.trust(), Trust::Development);
    // What more was found is no fault, and what is certified says what it always does.
    let mut certified = make(|_| {});
    certified.rules.certifiers[0].profile = Level::Local;
    certified.certificate = Box::new(|_| {});
    let (files, rules) = certified.build();
    let admitted = explain(&PackageBytes::new(files).unwrap(), &rules, NOW).outcome.unwrap();
    assert_eq!(admitted.trust(), Trust::CertifiedLocal);
}

#[test]
fn an_ordinary_host_refuses_it_whoever_signed_it() {
    for profile in [Level::Development, Level::Local, Level::Certified] {
        let mut ordinary = make(|_| {});
        ordinary.rules.development = false;
        ordinary.rules.certifiers[0].profile = profile;
        assert_eq!(code_at(ordinary.build(), NOW), Some("certificate-development"), "{profile:?}");
    }
    // A certifier of development says no more than that, there and elsewhere.
    for development in [true, false] {
        let mut more = make(|_| {});
        more.rules.development = development;
        more.certificate = Box::new(|_| {});
        assert_eq!(code_at(more.build(), NOW), Some("certificate-level"), "{development}");
    }
}

#[test]
fn it_holds_an_hour_and_its_quick_checks_passed() {
    let refuses = |edit: fn(&mut Certificate), code: &str| {
        assert_eq!(code_at(make(edit).build(), NOW), Some(code));
    };
    refuses(|certificate| certificate.valid_until = NOW.plus(3601), "certificate-too-long");
    refuses(|certificate| drop(certificate.checks.pop()), "check-missing");
    refuses(|certificate| certificate.checks[0].status = CheckStatus::Fail, "check-not-passed");
    refuses(|certificate| certificate.facts.imports.clear(), "facts-disagree");
    assert_eq!(code_at(make(|_| {}).build(), NOW.plus(3600)), None);
    assert_eq!(code_at(make(|_| {}).build(), NOW.plus(3601)), Some("certificate-expired"));
    // What calls the plugin is asked of the levels that others rely on.
    let ids = |level| {
        let required = required_checks(level, &[Role::Executor]);
        required.into_iter().map(|required| required.id).collect::<Vec<_>>()
    };
    let (quick, local) = (ids(Level::Development), ids(Level::Local));
    assert!(!quick.is_empty() && local.starts_with(&quick), "{quick:?}");
    for called in ["conformance/executor", "fuzz", "permission-probe", "self-check"] {
        assert!(local.iter().any(|id| id == called) && !quick.iter().any(|id| id == called), "{called}");
    }
}

#[test]
fn no_policy_and_no_root_names_that_level() {
    assert!(Policy::parse("minimum_level = \"local\"\n").is_ok());
    let error = Policy::parse("minimum_level = \"development\"\n").unwrap_err().to_string();
    assert!(error.contains("development"), "{error}");
    // However many a policy wants, a plugin that is being written has one author.
    let mut make = make(|_| {});
    make.rules.policy =
        Policy::parse("[certificates]\nthreshold = 2\n[namespaces.acme.allow]\nlog = {}\n").unwrap();
    assert_eq!(code_at(make.build(), NOW), None);
}
