//! T: clocks, ends, and what was seen before.

use orch_trust::digest::Sha256Digest;
use orch_trust::freshness::Pinned;
use orch_trust::time::UnixSeconds;

use super::Cases;
use crate::second::case::SeenRelease;
use crate::second::draft::{DAY, Draft, NOW, Place};
use crate::second::good::{plain, rooted};

pub(super) fn add(cases: &mut Cases) {
    clocks(cases);
    ends(cases);
    frozen(cases);
    rollback(cases);
    forward(cases);
    failed(cases);
}

fn clocks(cases: &mut Cases) {
    for (number, back) in [301, 302, 3600, DAY, 2 * DAY, 5 * DAY].into_iter().enumerate() {
        cases.add("T1", format!("the root was taken {back} s from now"), rooted, |draft| {
            draft.world().taken = NOW.plus(back);
        });
        cases.add("T1", format!("lists were seen {back} s from now, {number}"), rooted, |draft| {
            let world = draft.world();
            world.before.push((world.freshness.clone(), world.list.clone(), NOW.plus(back), false));
        });
    }
    cases.near("the root was taken 300 s from now", rooted, |draft| draft.world().taken = NOW.plus(300));
    type Place1 = fn(&mut Draft) -> &mut UnixSeconds;
    let places: [(&str, Place1); 4] = [
        ("release", |draft| &mut draft.release.issued_at),
        ("root", |draft| &mut draft.world().root.issued),
        ("freshness document", |draft| &mut draft.world().freshness.issued),
        ("list", |draft| &mut draft.world().list.issued),
    ];
    for (what, place) in places {
        cases.add("T1", format!("a {what} from 301 s in the future"), unbounded, |draft| {
            *place(draft) = NOW.plus(301)
        });
        cases.near(format!("a {what} from 300 s in the future"), unbounded, |draft| {
            draft.world().taken = NOW;
            *place(draft) = NOW.plus(300);
        });
    }
    type Times = (i64, i64, bool);
    let certificates: [Times; 6] = [
        (-50, 300, true),
        (-50, 301, false),
        (-50, -50, true),
        (-50, -51, false),
        (-49, -50, false),
        (1, 0, false),
    ];
    for (finished, signed, is_fine) in certificates {
        let what =
            format!("a certificate whose checks ended at {finished} s and that was signed at {signed} s");
        let edit = move |draft: &mut Draft| {
            only(draft, move |certificate| {
                (certificate.finished_at, certificate.signed_at) = (NOW.plus(finished), NOW.plus(signed));
            });
        };
        match is_fine {
            true => cases.near(what, plain, edit),
            false => cases.add("T1", what, plain, edit),
        }
    }
}

/// Under a root, whose keys have no ends.
fn unbounded(number: usize) -> Draft {
    rooted(number)
}

/// Without a pin.
fn unpinned(number: usize) -> Draft {
    let mut draft = rooted(number);
    draft.pinned = false;
    draft
}

fn ends(cases: &mut Cases) {
    type Set = fn(&mut Draft, UnixSeconds);
    type Good = fn(usize) -> Draft;
    let ends: [(&str, Good, Set); 9] = [
        ("release", plain, |draft, end| draft.release.not_after = end),
        ("root", rooted, |draft, end| draft.world().root.expires = end),
        ("list", rooted, |draft, end| draft.world().list.expires = end),
        ("publisher's key", plain, |draft, end| draft.operator.publishers[0].not_after = Some(end)),
        ("certifier's key", plain, |draft, end| draft.operator.certifiers[0].not_after = Some(end)),
        ("freshness and its grace", rooted, |draft, end| {
            draft.world().freshness.expires = end.plus(-30 * DAY)
        }),
        ("age of the freshness document and its grace", rooted, |draft, end| {
            draft.world().freshness.issued = end.plus(-37 * DAY);
        }),
        ("certificate", plain, |draft, end| only(draft, move |certificate| certificate.valid_until = end)),
        ("life of a local certificate", plain, |draft, end| {
            only(draft, move |certificate| {
                certificate.finished_at = end.plus(-7 * DAY);
                certificate.signed_at = certificate.finished_at;
                certificate.valid_until = NOW;
            });
        }),
    ];
    for (what, good, set) in ends {
        cases.near(format!("the last second of the {what}"), good, |draft| set(draft, NOW));
        for late in [1, 2] {
            cases.add("T2", format!("{late} s after the end of the {what}"), good, |draft| {
                set(draft, NOW.plus(-late))
            });
        }
    }
    for (what, begin) in [("publisher", 0), ("certifier", 1)] {
        for (late, is_fine) in [(0, true), (1, false)] {
            let edit = move |draft: &mut Draft| {
                let operator = &mut draft.operator;
                match begin {
                    0 => operator.publishers[0].not_before = Some(draft.release.issued_at.plus(late)),
                    _ => operator.certifiers[0].not_before = Some(NOW.plus(-45 + late)),
                }
            };
            match is_fine {
                true => cases.near(format!("the first second of the {what}'s key"), plain, edit),
                false => cases.add("T2", format!("a second before the {what}'s key"), plain, edit),
            }
        }
    }
}

/// One certificate, changed.
fn only(draft: &mut Draft, change: impl FnOnce(&mut orch_trust::certificate::Certificate) + 'static) {
    draft.certificates.truncate(1);
    draft.operator.threshold = 1;
    draft.certificate(0, change);
}

fn frozen(cases: &mut Cases) {
    for days in [38, 39, 60, 365, 4000] {
        cases.add("T3", format!("freshness is {days} days old"), rooted, |draft| {
            draft.world().freshness.issued = NOW.plus(-days * DAY);
        });
        cases.add("T3", format!("the list is not the newest, by {days}"), rooted, |draft| {
            let version = 3 + days as u64;
            draft.world().pin = Some(Pinned { version, sha256: Sha256Digest::of(b"newer") });
        });
    }
    for days in [8, 20, 36] {
        cases.near(format!("freshness is {days} days old, and the root gives it time"), rooted, |draft| {
            draft.world().freshness.issued = NOW.plus(-days * DAY);
        });
    }
    cases.add("T3", "no freshness document", rooted, |draft| draft.world().no_freshness = true);
    cases.add("T3", "no list", rooted, |draft| draft.world().no_list = true);
}

fn seen(draft: &mut Draft, counter: u64, channel: &str) {
    let (id, manifest) = (draft.release.id.to_string(), Sha256Digest::of(b"another manifest"));
    draft.world().seen.push(SeenRelease { id, channel: channel.into(), release_counter: counter, manifest });
}

fn rollback(cases: &mut Cases) {
    for (number, newer) in [1, 2, 100, 999_999_999].into_iter().enumerate() {
        cases.add("T4", format!("a release that is {newer} behind"), unpinned, |draft| {
            let (counter, channel) = (draft.release.release_counter + newer, draft.release.channel.clone());
            seen(draft, counter, &channel);
        });
        cases.add("T4", format!("a freshness document that is {newer} behind"), rooted, |draft| {
            let world = draft.world();
            let mut before = world.freshness.clone();
            before.version += newer;
            world.before.push((before, world.list.clone(), NOW, false));
        });
        cases.add("T4", format!("a list that is {newer} behind"), rooted, |draft| {
            let world = draft.world();
            let mut before = world.list.clone();
            before.version += newer;
            let mut freshness = world.freshness.clone();
            freshness.version -= 1;
            world.before.push((freshness, before, NOW, false));
        });
        let edit = |draft: &mut Draft| {
            let (counter, channel) = (draft.release.release_counter, draft.release.channel.clone());
            seen(draft, counter, &channel);
        };
        match number {
            0 => cases.add("T4", "another release of the same counter", unpinned, edit),
            1 => cases.near("the older release is pinned", rooted, |draft| {
                edit(draft);
                draft.pinned = true;
            }),
            2 => cases.near("the newer release was of another channel", unpinned, |draft| {
                seen(draft, 999, "nightly")
            }),
            _ => cases.add("T4", "another document of the same version", rooted, |draft| {
                let world = draft.world();
                let mut before = world.freshness.clone();
                before.expires = before.expires.plus(1);
                world.before.push((before, world.list.clone(), NOW, false));
            }),
        }
    }
    for what in ["version", "manifest", "component"] {
        cases.add("T4", format!("the pin names another {what}"), plain, |draft| {
            draft.pinned = false;
            draft.operator.lock = Some(crate::second::case::Pinned {
                id: draft.release.id.to_string(),
                version: if what == "version" { "9.9.9".into() } else { draft.release.version.to_string() },
                manifest: Sha256Digest::of(b"other"),
                component: Sha256Digest::of(b"other"),
            });
        });
    }
}

fn forward(cases: &mut Cases) {
    let first_most = 1_u64 << 40;
    for (number, version) in [first_most + 1, u64::MAX, u64::MAX - 1, 1 << 50].into_iter().enumerate() {
        cases.add("T5", format!("freshness begins with {version}"), rooted, |draft| {
            draft.world().freshness.version = version
        });
        cases.add("T5", format!("the list begins with {version}"), rooted, |draft| {
            draft.world().list.version = version
        });
        cases.add("T5", format!("the release begins with {version}, {number}"), unpinned, |draft| {
            draft.release.release_counter = version;
        });
    }
    for (about, more, is_fine) in [("at most", 1_000_000_000, true), ("too far", 1_000_000_001, false)] {
        let edit = move |draft: &mut Draft| {
            let world = draft.world();
            world.before.push((world.freshness.clone(), world.list.clone(), NOW, false));
            world.freshness.version += more;
        };
        let counter = move |draft: &mut Draft| {
            let (before, channel) = (draft.release.release_counter, draft.release.channel.clone());
            seen(draft, before, &channel);
            draft.release.release_counter += more;
        };
        match is_fine {
            true => {
                cases.near(format!("freshness jumps {about}"), rooted, edit);
                cases.near(format!("the release jumps {about}"), unpinned, counter);
            }
            false => {
                cases.add("T5", format!("freshness jumps {about}"), rooted, edit);
                cases.add("T5", format!("the release jumps {about}"), unpinned, counter);
            }
        }
    }
    cases.near("freshness begins with what is left for a clock", rooted, |draft| {
        draft.world().freshness.version = first_most
    });
    for text in [
        "9999-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "+292277026596-12-04T15:30:07Z",
        "2027-02-29T00:00:00Z",
    ] {
        for (place, field) in [(Place::Release, "notAfter"), (Place::Certificate(0), "validUntil")] {
            let edit = |draft: &mut Draft| draft.said(place, move |said| with_time(&said, field, text));
            match (place, text) {
                // An end that never comes is one that a publisher may say.
                (Place::Release, "9999-12-31T23:59:59Z") => {
                    cases.near("a release without an end", plain, edit)
                }
                _ => cases.add("T5", format!("{field} is {text}"), plain, edit),
            }
        }
    }
}

/// The text with another time in that field.
fn with_time(said: &str, field: &str, time: &str) -> String {
    let at = said.find(&format!("\"{field}\":\"")).unwrap() + field.len() + 4;
    let end = at + said[at..].find('"').unwrap();
    format!("{}{time}{}", &said[..at], &said[end..])
}

fn failed(cases: &mut Cases) {
    // An update that fails is ahead in everything; what counts is that nothing of it was kept.
    for number in 0..10_i64 {
        let edit = move |draft: &mut Draft| {
            let world = draft.world();
            let (mut freshness, mut list) = (world.freshness.clone(), world.list.clone());
            freshness.version += 1 + number as u64;
            list.version += 1 + number as u64;
            let mut at = NOW;
            match number % 4 {
                0 => list.expires = NOW.plus(-number - 1),
                1 => freshness.issued = NOW.plus(-100 * DAY),
                2 => at = NOW.plus(200 * DAY),
                _ => list.issued = NOW.plus(DAY),
            }
            world.before.push((freshness, list, at, number == 8));
        };
        cases.near(format!("T6: an update that failed moved nothing, {number}"), rooted, edit);
        cases.add("T6", format!("a rollback after an update that failed, {number}"), rooted, |draft| {
            let world = draft.world();
            let mut newer = world.freshness.clone();
            newer.version += 7;
            world.before.push((newer, world.list.clone(), NOW, false));
            edit(draft);
        });
    }
}
