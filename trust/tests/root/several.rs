//! Several certifiers: how many found the same.

use orch_trust::authority::Level;
use orch_trust::certificate::{self, Certificate, CheckStatus};
use orch_trust::dsse::Statement;
use orch_trust::package::PackageBytes;
use orch_trust::policy::Policy;
use orch_trust::revocation::{Action, What};
use orch_trust::root::document::CertifierText;
use orch_trust::time::UnixSeconds;

use super::world::{CERTIFIER, OTHER_CERTIFIER, World, entry, id, key, key_text, signed};
use crate::make::{DAY, Make, NOW};

const THIRD: u8 = 4;

/// A world in which so many of three certifiers must agree.
fn world(threshold: u32, independent: bool, owners: [&str; 3]) -> World {
    World::with(|world| {
        world.root.keys.insert(id(THIRD), key_text(THIRD, owners[2]));
        for (seed, owner) in [(CERTIFIER, owners[0]), (OTHER_CERTIFIER, owners[1])] {
            world.root.keys.get_mut(&id(seed)).unwrap().owner = owner.to_owned();
        }
        let certifier = &mut world.root.roles.certifier;
        certifier.keys.push(CertifierText { keyid: id(THIRD), level: Level::Local });
        (certifier.threshold, certifier.independent) = (threshold, independent);
    })
}

type Edit = fn(&mut Certificate);

const SAME: Edit = |_| {};
/// Other times, durations and measurements: not part of what must be equal.
const LATER: Edit = |certificate| {
    certificate.finished_at = NOW.plus(-5);
    certificate.valid_until = NOW.plus(3 * DAY);
    certificate.measured.fuel_max = 77;
    certificate.checks[0].duration_ms = 99;
};
const OTHER: Edit = |certificate| certificate.checks[0].looked_at = 9;

/// Admission with these certificates, each by its certifier.
fn outcome(world: &World, certificates: &[(u8, Edit)]) -> Result<UnixSeconds, &'static str> {
    let (mut files, rules) = Make::good().build();
    let name = files.keys().find(|name| name.starts_with("cert")).unwrap().clone();
    let statement: Statement<Certificate> = {
        let public = key(CERTIFIER).public();
        let known = |_| Some(public);
        let unknown = |_| unreachable!();
        orch_trust::dsse::verify(&name, &files.remove(&name).unwrap(), known, unknown).unwrap().into_payload()
    };
    for (seed, edit) in certificates {
        let mut certificate = statement.predicate.clone();
        edit(&mut certificate);
        certificate.result_digest = certificate.results();
        let package = PackageBytes::new(files.clone()).unwrap();
        let (name, bytes) = certificate::sign(&package, certificate, &key(*seed)).unwrap();
        files.insert(name, bytes.into());
    }
    let steps = world.explain_files(files, rules, NOW);
    let until = steps.valid_until;
    steps.outcome.map(|_| until.unwrap()).map_err(|(_, refusal)| refusal.code())
}

#[test]
fn of_two_results_that_enough_found_the_one_that_holds_longer_counts() {
    const FOURTH: u8 = 44;
    let world = World::with(|world| {
        let certifier = &mut world.root.roles.certifier;
        for (seed, owner) in [(THIRD, "third"), (FOURTH, "fourth")] {
            world.root.keys.insert(id(seed), key_text(seed, owner));
            certifier.keys.push(CertifierText { keyid: id(seed), level: Level::Local });
        }
        (certifier.threshold, certifier.independent) = (2, false);
    });
    // One result holds for 7 days by one certifier and for 3 by the second; the other for 5 by both.
    let other: Edit = |certificate| {
        certificate.checks[0].looked_at = 9;
        certificate.valid_until = NOW.plus(5 * DAY);
    };
    let certificates = [(CERTIFIER, SAME), (OTHER_CERTIFIER, LATER), (THIRD, other), (FOURTH, other)];
    assert_eq!(outcome(&world, &certificates), Ok(NOW.plus(5 * DAY)));
    assert_eq!(outcome(&world, &certificates[..3]), Ok(NOW.plus(3 * DAY)));
}

#[test]
fn so_many_certifiers_must_have_found_the_same() {
    let world = |threshold| world(threshold, false, ["lab", "lab", "institute"]);
    let (one, two) = (world(1), world(2));
    assert_eq!(outcome(&one, &[(CERTIFIER, SAME)]), Ok(NOW.plus(7 * DAY)));
    assert_eq!(outcome(&one, &[]), Err("certificate-missing"));
    assert_eq!(outcome(&two, &[]), Err("certificate-missing"));
    assert_eq!(outcome(&two, &[(CERTIFIER, SAME)]), Err("certificate-threshold"));
    // Valid as long as enough of them are.
    assert_eq!(outcome(&two, &[(CERTIFIER, SAME), (OTHER_CERTIFIER, LATER)]), Ok(NOW.plus(3 * DAY)));
    let three = [(CERTIFIER, SAME), (OTHER_CERTIFIER, LATER), (THIRD, SAME)];
    assert_eq!(outcome(&two, &three), Ok(NOW.plus(7 * DAY)));
    assert_eq!(outcome(&world(3), &three), Ok(NOW.plus(3 * DAY)));
    // Who found something else does not count for it.
    assert_eq!(outcome(&two, &[(CERTIFIER, SAME), (OTHER_CERTIFIER, OTHER)]), Err("certificates-disagree"));
    let outvoted = [(CERTIFIER, SAME), (OTHER_CERTIFIER, OTHER), (THIRD, SAME)];
    assert_eq!(outcome(&two, &outvoted), Ok(NOW.plus(7 * DAY)));
    assert_eq!(outcome(&world(3), &outvoted), Err("certificates-disagree"));
    // One that is not sound refuses, however many others there are.
    let failed: Edit = |certificate| certificate.checks[0].status = CheckStatus::Fail;
    assert_eq!(outcome(&two, &[three[0], three[1], (THIRD, failed)]), Err("check-not-passed"));
    let ended: Edit = |certificate| {
        certificate.finished_at = NOW.plus(-7 * DAY - 1);
        certificate.valid_until = NOW.plus(-1);
    };
    assert_eq!(outcome(&two, &[three[0], three[1], (THIRD, ended)]), Err("certificate-expired"));
}

#[test]
fn independent_certifiers_have_different_owners() {
    let two = |owners| world(2, true, owners);
    let (same, different) = (two(["lab", "lab", "institute"]), two(["lab", "institute", "lab"]));
    let certificates = [(CERTIFIER, SAME), (OTHER_CERTIFIER, SAME)];
    assert_eq!(outcome(&same, &certificates), Err("certificate-threshold"));
    assert_eq!(outcome(&different, &certificates), Ok(NOW.plus(7 * DAY)));
}

#[test]
fn a_policy_may_ask_for_more_than_the_root_and_not_for_less() {
    let policy = |text: &str| {
        let text = format!("{text}\n[namespaces.acme.allow]\nlog = {{}}\n");
        Policy::parse(&text).unwrap()
    };
    let refused = |world: &World, text: &str| world.refused(|make| make.rules.policy = policy(text));
    let (one, two) = (World::good(), world(2, false, ["a", "b", "c"]));
    assert_eq!(refused(&one, ""), None);
    assert_eq!(refused(&one, "[certificates]\nthreshold = 2"), Some("certificate-threshold"));
    assert_eq!(refused(&two, "[certificates]\nthreshold = 1"), Some("certificate-threshold"));
    assert_eq!(refused(&one, "[certificates]\nthreshold = 3"), Some("threshold-above-keys"));
    let independent = "[certificates]\nthreshold = 2\nindependent = true";
    assert_eq!(refused(&one, independent), Some("certificate-threshold"));
    let of_one = world(1, false, ["lab", "lab", "lab"]);
    assert_eq!(refused(&of_one, independent), Some("threshold-above-keys"));
    assert!(Policy::parse("[certificates]\nthreshold = 0").is_err());
    assert!(Policy::parse("[certificates]\nless = 0").is_err());
}

#[test]
fn a_certificate_that_was_taken_back_is_set_aside_and_the_others_count() {
    let taken_back = |threshold| {
        let mut world = world(threshold, false, ["a", "b", "c"]);
        let what = What::Key { keyid: id(CERTIFIER), invalid_after: NOW };
        world.revocations.entries = vec![entry(what, Action::Recertify)];
        world
    };
    let both = [(CERTIFIER, SAME), (OTHER_CERTIFIER, LATER)];
    assert_eq!(outcome(&taken_back(1), &both), Ok(NOW.plus(3 * DAY)));
    assert_eq!(outcome(&taken_back(2), &both), Err("revoked-recertify"));
    assert_eq!(outcome(&taken_back(1), &both[..1]), Err("revoked-recertify"));
    let three = [both[0], both[1], (THIRD, SAME)];
    assert_eq!(outcome(&taken_back(2), &three), Ok(NOW.plus(3 * DAY)));
    assert_eq!(outcome(&taken_back(3), &three), Err("revoked-recertify"));
}

/// Without a root: the operator's folder may have a key in two files, which is one certifier all the same.
#[test]
fn a_certifier_in_two_files_counts_once() {
    let code = |threshold: &str| {
        let mut make = Make::good();
        let text = format!("[certificates]\nthreshold = {threshold}\n[namespaces.acme.allow]\nlog = {{}}\n");
        make.rules.policy = Policy::parse(&text).unwrap();
        let again = make.rules.certifiers[0].clone();
        make.rules.certifiers.push(again);
        let (files, rules) = make.build();
        let package = PackageBytes::new(files).unwrap();
        orch_trust::admission::admit(&package, &rules, NOW).err().map(|refusal| refusal.code())
    };
    assert_eq!(code("1"), None);
    assert_eq!(code("2"), Some("threshold-above-keys"));
}

#[test]
fn a_certifiers_level_is_what_the_root_says() {
    let code = |level: Level| {
        let world = World::with(|world| world.root.roles.certifier.keys[0].level = level);
        let certified: Edit = |certificate| certificate.level = Level::Certified;
        outcome(&world, &[(CERTIFIER, certified)]).unwrap_err()
    };
    assert_eq!(code(Level::Local), "certificate-level");
    // Of that level, and without the checks of it.
    assert_eq!(code(Level::Certified), "check-missing");
    // No root speaks of plugins that are being written.
    for (level, reads) in [("local", true), ("certified", true), ("development", false)] {
        let text = format!(r#"{{"keyid":"{}","level":"{level}"}}"#, id(THIRD));
        assert_eq!(serde_json::from_str::<CertifierText>(&text).is_ok(), reads, "{level}");
    }
}

#[test]
fn a_signature_beyond_the_needed_ones_is_not_hidden_in_a_certificate() {
    let world = world(1, false, ["a", "b", "c"]);
    let (files, rules) = Make::good().build();
    let name = files.keys().find(|name| name.starts_with("cert")).unwrap().clone();
    let public = key(CERTIFIER).public();
    let statement: Statement<Certificate> =
        orch_trust::dsse::verify(&name, &files[&name], |_| Some(public), |_| unreachable!())
            .unwrap()
            .into_payload();
    let mut files = files;
    files.insert(name, signed(&statement, &[CERTIFIER, OTHER_CERTIFIER]).into());
    let refusal = world.explain_files(files, rules, NOW).outcome.unwrap_err().1;
    assert_eq!(refusal.code(), "envelope-signatures");
}
