//! What is taken back: by file, release, key, certifier and advisory, each with each action.

use orch_trust::digest::Sha256Digest;
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;
use orch_trust::revocation::{Action, What};
use orch_trust::version_range::VersionRange;

use super::world::{CERTIFIER, FRESHNESS, PUBLISHER, REVOKER, World, entry, id};
use crate::make::{DAY, Files, Make, NOW};

fn range(text: &str) -> VersionRange {
    VersionRange::parse(text).unwrap()
}

fn release(versions: &str) -> What {
    What::Release { id: "acme/note".to_owned().try_into().unwrap(), versions: range(versions) }
}

fn certifier(versions: &str, check: Option<&str>) -> What {
    What::Certifier {
        name: "orch-certify".into(),
        versions: range(versions),
        check: check.map(str::to_owned),
    }
}

fn key(seed: u8, after: i64) -> What {
    What::Key { keyid: id(seed), invalid_after: NOW.plus(after) }
}

fn advisory(krate: &str, versions: &str) -> What {
    What::Advisory { advisory: "RUSTSEC-2026-0001".into(), krate: krate.into(), versions: range(versions) }
}

/// A good package whose SBOM is this text.
fn with_sbom(sbom: &'static str) -> Make {
    let mut make = Make::good();
    make.sbom = sbom.as_bytes().to_vec();
    make
}

const SBOM: &str = r#"{"bomFormat":"CycloneDX","components":[{"name":"foo","version":"1.2.2"},{"name":"odd","version":"latest"},{"name":"bare"}]}"#;

/// The code with that entry and action `block-load`; none if it is admitted without a note.
#[track_caller]
fn check(what: What, make: Make, hit: bool) {
    let (files, rules) = make.build();
    let outcome = |action: Action| {
        let world = World::revoking(what.clone(), action);
        world.explain_files(files.clone(), rules.clone(), NOW).outcome.map_err(|(_, refusal)| refusal)
    };
    for (action, code) in [
        (Action::Recertify, "revoked-recertify"),
        (Action::BlockLoad, "revoked-block-load"),
        (Action::Kill, "revoked-kill"),
    ] {
        let found = outcome(action).err().map(|refusal| refusal.code());
        assert_eq!(found, hit.then_some(code), "{what:?}");
    }
    let admitted = outcome(Action::Warn).unwrap();
    assert_eq!(admitted.notes().len(), usize::from(hit), "{what:?}");
}

#[test]
fn files_and_releases_are_taken_back() {
    let (files, _) = Make::good().build();
    for name in ["component.wasm", "manifest.json", "sbom.cdx.json", "release.dsse.json"] {
        check(What::File { sha256: Sha256Digest::of(&files[name]) }, Make::good(), true);
    }
    check(What::File { sha256: Sha256Digest::of(b"other") }, Make::good(), false);
    check(release("=1.2.3"), Make::good(), true);
    check(release(">=1.0.0, <1.2.4"), Make::good(), true);
    check(release("<1.2.3"), Make::good(), false);
    check(release(">1.2.3"), Make::good(), false);
    let other = "acme/notes".to_owned().try_into().unwrap();
    check(What::Release { id: other, versions: range("*") }, Make::good(), false);
}

#[test]
fn k7_a_key_is_taken_back_from_a_date_on_and_what_it_signed_before_stays() {
    // The release was signed a day ago, the certificate now.
    check(key(PUBLISHER, -DAY), Make::good(), true);
    check(key(PUBLISHER, -DAY - 1), Make::good(), true);
    check(key(PUBLISHER, -DAY + 1), Make::good(), false);
    check(key(CERTIFIER, 0), Make::good(), true);
    check(key(CERTIFIER, 1), Make::good(), false);
    check(key(99, -1000 * DAY), Make::good(), false);
    // Of the list's and the freshness document's own keys.
    let code = |what, action| World::revoking(what, action).code();
    assert_eq!(code(key(REVOKER, -2 * DAY + 1), Action::BlockLoad), None);
    assert_eq!(code(key(REVOKER, -2 * DAY), Action::BlockLoad), Some("revocations-threshold"));
    assert_eq!(code(key(FRESHNESS, -DAY + 1), Action::BlockLoad), None);
    assert_eq!(code(key(FRESHNESS, -DAY), Action::BlockLoad), Some("freshness-threshold"));
    assert_eq!(code(key(FRESHNESS, -DAY), Action::Warn), None);
}

#[test]
fn c7_certificates_of_a_tool_or_of_one_of_its_checks_are_taken_back() {
    check(certifier("=0.1.0", None), Make::good(), true);
    check(certifier("<0.9.3", Some("imports")), Make::good(), true);
    check(certifier("<0.1.0", None), Make::good(), false);
    check(certifier("<0.9.3", Some("no-such-check")), Make::good(), false);
    let other = What::Certifier { name: "other".into(), versions: range("*"), check: None };
    check(other, Make::good(), false);
}

#[test]
fn an_advisory_is_about_what_the_sbom_names() {
    check(advisory("foo", "<1.2.3"), with_sbom(SBOM), true);
    check(advisory("foo", "<1.2.2"), with_sbom(SBOM), false);
    check(advisory("fo", "*"), with_sbom(SBOM), false);
    // A version that cannot be compared, and none.
    check(advisory("odd", "<0.0.1"), with_sbom(SBOM), true);
    check(advisory("bare", "<0.0.1"), with_sbom(SBOM), true);
    // A package that does not say what it is made of; asked only if the list has an advisory.
    for unreadable in ["{}", "", "[]", r#"{"bomFormat":"CycloneDX"}"#] {
        let refused = |what: What| {
            let steps = World::revoking(what, Action::Warn).explain(with_sbom(unreadable), NOW);
            steps.outcome.err().map(|(_, refusal)| refusal.code())
        };
        assert_eq!(refused(advisory("foo", "*")), Some("sbom-unreadable"));
        assert_eq!(refused(release("<0.1.0")), None);
    }
}

#[test]
fn the_severest_entry_is_the_one_that_is_said_and_a_warning_is_a_note() {
    let world = World::with(|world| {
        world.revocations.entries = vec![
            entry(release("*"), Action::Warn),
            entry(certifier("*", None), Action::Recertify),
            entry(release("=1.2.3"), Action::Kill),
            entry(release(">=1.0.0"), Action::BlockLoad),
        ];
    });
    assert_eq!(world.refused(|_| {}), Some("revoked-kill"));
    let steps = World::revoking(release("*"), Action::Warn).explain(Make::good(), NOW);
    let notes: Vec<String> = steps.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["warn of release acme/note *: test"]);
    assert_eq!(steps.outcome.unwrap().notes(), steps.notes);
}

#[test]
fn a_list_is_well_formed_and_of_bounded_size() {
    let code = |reason: &str| {
        let world = World::with(|world| {
            let mut one = entry(release("*"), Action::Warn);
            one.reason = reason.to_owned();
            world.revocations.entries = vec![one];
        });
        world.code()
    };
    assert_eq!(code("vuln"), None);
    assert_eq!(code(&"x".repeat(256)), None);
    for wrong in ["", "a\nb", "\u{1b}[2J", &"x".repeat(257)] {
        assert_eq!(code(wrong), Some("revocations-malformed"));
    }
    let many = |count: usize| {
        let entry = || entry(What::File { sha256: Sha256Digest::of(b"x") }, Action::Warn);
        World::with(|world| world.revocations.entries = (0..count).map(|_| entry()).collect()).code()
    };
    assert_eq!(many(20_000), None);
    assert_eq!(many(20_001), Some("revocations-malformed"));
}

/// A plugin that runs is asked about again when a new list comes.
#[test]
fn r6_a_running_plugin_is_killed_by_a_kill_and_by_nothing_else() {
    let admitted = World::good().explain(Make::good(), NOW).outcome.unwrap();
    let killed = |what: What, action: Action| {
        let (anchor, _) = World::revoking(what, action).open().unwrap();
        let found = admitted.standing().killed_by(anchor.revocations()).unwrap();
        found.map(|refusal| refusal.code())
    };
    for what in [release("*"), key(PUBLISHER, -DAY), key(CERTIFIER, 0), certifier("*", None)] {
        assert_eq!(killed(what.clone(), Action::Kill), Some("revoked-kill"), "{what:?}");
        for action in [Action::Warn, Action::Recertify, Action::BlockLoad] {
            assert_eq!(killed(what.clone(), action), None, "{what:?}");
        }
    }
    assert_eq!(killed(release("<1.0.0"), Action::Kill), None);
    let (anchor, _) = World::revoking(advisory("foo", "*"), Action::Kill).open().unwrap();
    let unreadable = admitted.standing().killed_by(anchor.revocations()).unwrap_err();
    assert!(matches!(unreadable, Refusal::SbomUnreadable { .. }));
}

#[test]
fn a_revocation_refuses_at_its_own_step() {
    let (files, rules): (Files, _) = Make::good().build();
    assert!(PackageBytes::new(files.clone()).is_ok());
    let steps = World::revoking(release("*"), Action::BlockLoad).explain_files(files, rules, NOW);
    assert_eq!(steps.outcome.unwrap_err().0.as_str(), "revocation");
}
