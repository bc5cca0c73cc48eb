//! T: clocks, ends, freezes. Every end belongs to the time before it.

use std::sync::Arc;

use orch_trust::admission::admit;
use orch_trust::freshness::Verdict;
use orch_trust::package::PackageBytes;
use orch_trust::state::{CLOCK_BACK_SECONDS, TrustState};

use super::world::World;
use crate::make::{DAY, Make, NOW};

#[test]
fn t1_a_clock_that_went_back_refuses() {
    let world = World::good();
    let (anchor, state) = world.open().unwrap();
    let code = |seconds: i64| world.open_after(&state, NOW.plus(seconds)).err().map(|refusal| refusal.code());
    assert_eq!(code(0), None);
    assert_eq!(code(-CLOCK_BACK_SECONDS), None);
    assert_eq!(code(-CLOCK_BACK_SECONDS - 1), Some("clock-went-back"));
    // Also of an anchor that is kept, and for a package.
    assert_eq!(anchor.check(NOW.plus(-CLOCK_BACK_SECONDS - 1)).unwrap_err().code(), "clock-went-back");
    // What was seen is not forgotten when the clock is a little behind.
    let (_, later) = world.open_after(&state, NOW.plus(-CLOCK_BACK_SECONDS)).unwrap();
    assert_eq!(later.latest_time(), NOW);
}

#[test]
fn t2_each_end_belongs_to_the_time_before_it() {
    let code = |edit: fn(&mut World)| World::with(edit).code();
    assert_eq!(code(|world| world.root.expires = NOW), None);
    assert_eq!(code(|world| world.root.expires = NOW.plus(-1)), Some("root-expired"));
    let first = |at: i64| {
        let world = World::with(|world| world.root.expires = NOW);
        world.first_root(NOW.plus(at)).err().map(|refusal| refusal.code())
    };
    assert_eq!((first(0), first(1)), (None, Some("root-expired")));
    assert_eq!(code(|world| world.revocations.expires = NOW), None);
    assert_eq!(code(|world| world.revocations.expires = NOW.plus(-1)), Some("revocations-expired"));
    assert_eq!(code(|world| world.root.issued = NOW.plus(300)), None);
    assert_eq!(code(|world| world.root.issued = NOW.plus(301)), Some("root-not-yet"));
    assert_eq!(code(|world| world.revocations.issued = NOW.plus(300)), None);
    assert_eq!(code(|world| world.revocations.issued = NOW.plus(301)), Some("revocations-not-yet"));
    assert_eq!(code(|world| world.freshness.issued = NOW.plus(300)), None);
    assert_eq!(code(|world| world.freshness.issued = NOW.plus(301)), Some("freshness-not-yet"));
}

#[test]
fn t2_releases_and_certificates_too() {
    let world = World::good();
    assert_eq!(world.refused(|make| make.release.not_after = NOW), None);
    assert_eq!(world.refused(|make| make.release.not_after = NOW.plus(-1)), Some("release-expired"));
    assert_eq!(world.refused(|make| make.release.issued_at = NOW.plus(300)), None);
    assert_eq!(world.refused(|make| make.release.issued_at = NOW.plus(301)), Some("release-not-yet"));
    let finished = |seconds: i64, valid: i64| {
        world.refused(|make| {
            make.certificate = Box::new(move |certificate| {
                certificate.finished_at = NOW.plus(seconds);
                certificate.signed_at = certificate.finished_at;
                certificate.valid_until = NOW.plus(valid);
            });
        })
    };
    assert_eq!(finished(-7 * DAY, 0), None);
    assert_eq!(finished(-7 * DAY - 1, -1), Some("certificate-expired"));
    assert_eq!(finished(-7 * DAY, 1), Some("certificate-too-long"));
    assert_eq!(finished(300, 7 * DAY), None);
    assert_eq!(finished(301, 7 * DAY), Some("certificate-not-yet"));
    // Signing comes after the last check, and the life of what was found begins with that check.
    let signed = |finished: i64, signed: i64| {
        world.refused(|make| {
            make.certificate = Box::new(move |certificate| {
                certificate.finished_at = NOW.plus(finished);
                certificate.signed_at = NOW.plus(signed);
                certificate.valid_until = NOW.plus(finished + 7 * DAY);
            });
        })
    };
    assert_eq!(signed(-DAY, 0), None);
    assert_eq!(signed(-DAY, 300), None);
    assert_eq!(signed(-DAY, 301), Some("certificate-not-yet"));
    assert_eq!(signed(-DAY, -DAY), None);
    assert_eq!(signed(-DAY, -DAY - 1), Some("certificate-signed-early"));
    assert_eq!(signed(301, 300), Some("certificate-signed-early"));
}

#[test]
fn t3_an_old_freshness_document_is_fresh_then_in_grace_then_stale() {
    // Issued a day ago, fresh for 7 days, in grace for 30 more.
    let (anchor, _) = World::good().open().unwrap();
    let verdict = |at: i64| anchor.check(NOW.plus(at)).map_err(|refusal| refusal.code());
    let (fresh, grace) = (NOW.plus(6 * DAY), NOW.plus(36 * DAY));
    assert_eq!(verdict(0), Ok(Verdict::Fresh { until: fresh }));
    assert_eq!(verdict(6 * DAY), Ok(Verdict::Fresh { until: fresh }));
    assert_eq!(verdict(6 * DAY + 1), Ok(Verdict::OfflineGrace { until: grace }));
    assert_eq!(verdict(36 * DAY), Ok(Verdict::OfflineGrace { until: grace }));
    assert_eq!(verdict(36 * DAY + 1), Err("freshness-stale"));
    assert_eq!(anchor.freshness().verdict(NOW.plus(36 * DAY + 1)), Verdict::Stale { since: grace });
    // The document may end earlier than its age allows.
    let short = World::with(|world| world.freshness.expires = NOW);
    let (anchor, _) = short.open().unwrap();
    assert_eq!(anchor.check(NOW).unwrap(), Verdict::Fresh { until: NOW });
    assert_eq!(anchor.check(NOW.plus(1)).unwrap(), Verdict::OfflineGrace { until: NOW.plus(30 * DAY) });
    // A host that starts with an old one is no better off, and its state does not move.
    let world = World::good();
    let state = TrustState::first(&world.first_root(NOW).unwrap(), NOW);
    let late = world.open_after(&state, NOW.plus(36 * DAY + 1)).unwrap_err();
    assert_eq!(late.code(), "freshness-stale");
}

#[test]
fn t3_r4_a_kept_anchor_ages_and_every_report_says_so() {
    let world = World::with(|world| {
        world.freshness.issued = NOW.plus(-7 * DAY);
        world.freshness.version = 6;
    });
    let (anchor, _) = world.open().unwrap();
    let (files, mut rules) = Make::good().build();
    let package = PackageBytes::new(files).unwrap();
    rules.anchor = Some(Arc::new(anchor));
    let freshness = |at: i64| admit(&package, &rules, NOW.plus(at)).unwrap().freshness().unwrap().as_str();
    assert_eq!(freshness(0), "fresh");
    assert_eq!(freshness(1), "offline grace");
    // The same anchor after everything ended: nothing that was verified once is believed for ever.
    for (edit, code) in [
        ((|world| world.root.expires = NOW.plus(5)) as fn(&mut World), "root-expired"),
        (|world| world.revocations.expires = NOW.plus(5), "revocations-expired"),
        (|world| world.freshness.issued = NOW.plus(5 - 37 * DAY), "freshness-stale"),
    ] {
        let mut rules = rules.clone();
        rules.anchor = Some(Arc::new(World::with(edit).open().unwrap().0));
        assert!(admit(&package, &rules, NOW.plus(5)).is_ok(), "{code}");
        assert_eq!(admit(&package, &rules, NOW.plus(6)).unwrap_err().code(), code);
    }
}
