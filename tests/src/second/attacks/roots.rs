//! K9 to K11: roots that follow roots, what lies on the disk, and unknown fields.

use orch_trust::digest::Sha256Digest;
use orch_trust::root::document::RootDocument;

use super::{Cases, PLACES, good_with};
use crate::second::draft::{Bend, CERTIFIER, DAY, Draft, NOW, Place, ROOTS};
use crate::second::good::{plain, rooted};

pub(super) fn add(cases: &mut Cases) {
    chains(cases);
    disk(cases);
    fields(cases);
}

const ALL: [u8; 3] = ROOTS;
const BOTH: [u8; 2] = [ROOTS[0], ROOTS[1]];

/// A second root.
fn next(draft: &mut Draft, by: &[u8], follow: impl FnOnce(&mut RootDocument) + 'static) {
    draft.world().next.push((Box::new(follow), by.to_vec()));
}

fn chains(cases: &mut Cases) {
    for count in 1..4 {
        cases.near(format!("{count} roots after the first"), rooted, |draft| {
            for _ in 0..count {
                next(draft, &BOTH, |_| {});
            }
        });
    }
    type Follow = fn(&mut RootDocument);
    let follows: [(&str, Follow); 8] = [
        ("skips a version", |root| root.version += 1),
        ("has the version of the one before", |root| root.version -= 1),
        ("has version 0", |root| root.version = 0),
        ("has the highest version", |root| root.version = u64::MAX),
        ("follows other bytes", |root| root.previous_sha256 = Some(Sha256Digest::of(b"other"))),
        ("follows nothing", |root| root.previous_sha256 = None),
        ("is from the future", |root| root.issued = NOW.plus(DAY)),
        ("ended before it began", |root| root.expires = root.issued),
    ];
    for (about, follow) in follows {
        cases.add("K9", format!("the next root {about}"), rooted, |draft| next(draft, &BOTH, follow));
    }
    let others = [40, 41, 42];
    for (about, by, is_fine) in [
        ("the old keys only", vec![ROOTS[0], ROOTS[1]], false),
        ("the new keys only", vec![40, 41], false),
        ("one of the old and the new", vec![ROOTS[0], 40, 41], false),
        ("the old and one of the new", vec![ROOTS[0], ROOTS[1], 40], false),
        ("one old key twice and the new", vec![ROOTS[0], ROOTS[0], 40, 41], false),
        ("both and a stranger", vec![ROOTS[0], ROOTS[1], 40, 41, 99], false),
        ("nobody", vec![], false),
        ("enough of both", vec![ROOTS[1], ROOTS[2], 40, 42], true),
    ] {
        let edit = move |draft: &mut Draft| {
            let keys = draft.keys;
            next(draft, &by, move |root| {
                root.roles.root = keys.role(2, &others);
                others
                    .iter()
                    .for_each(|seed| drop(root.keys.insert(keys.id(*seed), keys.text(*seed, "new"))));
            });
        };
        match is_fine {
            true => cases.near(format!("new root keys, signed by {about}"), rooted, edit),
            false => cases.add("K9", format!("new root keys, signed by {about}"), rooted, edit),
        }
    }
    cases.add("K9", "the first root is signed by one of two", rooted, |draft| {
        draft.world().root_by = vec![ROOTS[1]]
    });
    // A later root may be the first that a host sees; who signed it as a key of the version before is unknown there.
    let later = |by: &[u8]| {
        let by = by.to_vec();
        move |draft: &mut Draft| {
            let world = draft.world();
            (world.root.version, world.root.previous_sha256) = (2, Some(Sha256Digest::of(b"version 1")));
            world.root_by = by;
        }
    };
    cases.near("a host begins with version 2", rooted, later(&BOTH));
    cases.near(
        "a host begins with version 2, which keys that left signed",
        rooted,
        later(&[ROOTS[1], 98, ROOTS[2], 99]),
    );
    cases.add(
        "K9",
        "a host begins with version 2 by one of its keys and one that left",
        rooted,
        later(&[ROOTS[1], 99]),
    );
    cases.add("K9", "a stranger signed version 1 too", rooted, |draft| {
        draft.world().root_by = vec![ROOTS[0], ROOTS[1], 99]
    });
    cases.add("K9", "the first root has version 2", rooted, |draft| draft.world().root.version = 2);
}

fn disk(cases: &mut Cases) {
    for count in 1..6 {
        cases.add(
            "K10",
            format!("the first of {} roots lies on the disk again", count + 1),
            rooted,
            |draft| {
                for _ in 0..count {
                    next(draft, &BOTH, |_| {});
                }
                draft.world().stale_file = true;
            },
        );
    }
    for by in [vec![ROOTS[0]], vec![99], BOTH.to_vec(), ALL.to_vec(), vec![40, 41], vec![CERTIFIER]] {
        cases.add(
            "K10",
            format!("a root by {by:?} that was never verified lies on the disk"),
            rooted,
            |draft| {
                // What lies there is the first of a chain whose first was bent after it was taken.
                let keys = draft.keys;
                let mut other = rooted(draft.keys.0 as usize);
                other.keys = keys;
                other.world().root.expires = NOW.plus(1000 * DAY);
                other.world().root_by = by;
                let file = other.build("K10", String::new()).anchor.unwrap().file;
                draft.world().file = Some(file);
            },
        );
    }
}

fn fields(cases: &mut Cases) {
    for (find, with) in [
        ("\"roles\":{", "\"roles\":{\"admin\":{\"threshold\":1,\"keyids\":[]},"),
        ("\"roles\":{", "\"roles\":{\"log\":{\"threshold\":1,\"keyids\":[]},"),
        ("\"version\":", "\"level\":1,\"version\":"),
        ("\"alg\":", "\"use\":\"sign\",\"alg\":"),
        ("\"prefix\":", "\"suffix\":\"x\",\"prefix\":"),
        ("\"namespaces\":", "\"policy\":{},\"namespaces\":"),
        ("\"maxAge\":", "\"minAge\":\"P1D\",\"maxAge\":"),
        ("\"revoker\":", "\"Revoker\":"),
        ("\"roles\":[\"planner\"", "\"roles\":[\"admin\",\"planner\""),
        ("\"log\":{}", "\"log\":{},\"all\":{}"),
        ("\"custody\":\"file\"", "\"custody\":\"paper\""),
        ("\"threshold\":2", "\"threshold\":-1"),
        ("\"owner\":\"ann\"", "\"owner\":\"ann \""),
        ("\"owner\":\"lab's job\"", "\"owner\":\"\""),
        ("https://git.example/acme\"", "https://git.example/\\nacme\""),
        ("refs/heads/main", "refs/heads/main\\u007f"),
        ("\"maxLifetime\":\"PT15M\"", "\"maxLifetime\":\"PT16M\""),
        ("\"maxLifetime\":\"PT15M\"", "\"maxLifetime\":\"PT015M\""),
        ("\"maxAge\":\"P7D\"", "\"maxAge\":\"PT168H\""),
        ("\"maxAge\":\"P7D\"", "\"maxAge\":\"P1M\""),
    ] {
        cases.add("K11", format!("a root with {with}"), rooted, |draft| {
            draft.said(Place::Root(0), move |text| {
                assert!(text.contains(find), "{find}");
                text.replacen(find, with, 1)
            });
        });
    }
    for place in PLACES {
        cases.add(
            "K11",
            format!("an unknown field in the payload at {place:?}"),
            good_with(place),
            |draft| {
                draft.said(place, |text| text.replacen('{', "{\"x\":1,", 1));
            },
        );
        cases.add(
            "J5",
            format!("an unknown field at the end of the payload at {place:?}"),
            good_with(place),
            |draft| {
                draft.said(place, |text| format!("{},\"x\":{{}}}}", &text[..text.len() - 1]));
            },
        );
        cases.add(
            "J5",
            format!("an unknown field in the envelope at {place:?}"),
            good_with(place),
            |draft| {
                draft.file(place, |bytes| {
                    String::from_utf8(bytes).unwrap().replacen('{', "{\"x\":1,", 1).into_bytes()
                });
            },
        );
    }
    cases.near("signed by the third root key too", rooted, |draft| {
        draft.bend(Place::Root(0), Bend::By(ALL.to_vec()))
    });
    cases.near("a package that a root knows nothing of", plain, |_| {});
}
