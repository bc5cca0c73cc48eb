//! S: envelopes and signatures.

use orch_trust::certificate::Certificate;
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Subject;
use orch_trust::key::{base64_decode, base64_encode};

use super::{Cases, PLACES, good_with};
use crate::random::Random;
use crate::second::bent::{Bent, loose_points, small, unreduced};
use crate::second::draft::{
    Bend, CERTIFIER, Draft, FRESHNESS, ISSUER, OTHER_CERTIFIER, Open, PUBLISHER, Place, REVOKER, ROOTS,
    STRANGER, subject,
};
use crate::second::good::{delegated, plain, rooted};

pub(super) fn add(cases: &mut Cases) {
    changed_bytes(cases);
    numbers_and_points(cases);
    spellings(cases);
    purposes(cases);
    subjects(cases);
    counts(cases);
    payloads(cases);
}

fn changed_bytes(cases: &mut Cases) {
    let mut random = Random(0x5eed_0001);
    for number in 0..48 {
        let (place, bit) = (random.below(1 << 40), random.below(8));
        let good = [plain, rooted, delegated][number % 3];
        cases.add("S1", format!("a bit of some byte, {number}"), good, |draft| {
            draft.after(move |files| {
                let name = files.keys().nth(number % files.len()).unwrap().clone();
                let bytes = files.get_mut(&name).unwrap();
                let at = place as usize % bytes.len();
                bytes[at] ^= 1 << bit;
            });
        });
    }
    for (number, place) in PLACES.into_iter().cycle().take(24).enumerate() {
        let at = random.below(1 << 40);
        cases.add(
            "S1",
            format!("a byte of the envelope at {place:?}, {number}"),
            good_with(place),
            |draft| {
                draft.file(place, move |mut bytes| {
                    let at = at as usize % bytes.len();
                    bytes[at] ^= [0x01, 0x20, 0x80][number % 3];
                    bytes
                });
            },
        );
    }
}

/// Another signature in the place of the first.
fn resigned(draft: &mut Draft, place: Place, change: impl FnOnce(Vec<u8>) -> Vec<u8> + 'static) {
    draft.open(place, move |open| {
        let signature = base64_decode(&open.signatures[0].1).unwrap();
        open.signatures[0].1 = base64_encode(&change(signature));
    });
}

/// Signed by a key that signs by hand, which the operator trusts.
fn by_hand(draft: &mut Draft, certifies: bool, key: Bent, torsion: usize, has_b: bool) {
    let (place, party) = match certifies {
        true => (Place::Certificate(0), &mut draft.operator.certifiers[0]),
        false => (Place::Release, &mut draft.operator.publishers[0]),
    };
    party.key = base64_encode(&key.public());
    let id = Sha256Digest::of(&key.public()).to_string();
    let (old, new) = (draft.keys.id(CERTIFIER).short(), id.chars().take(16).collect::<String>());
    draft.open(place, move |open| {
        let signature = key.sign(&open.message, small(torsion), has_b);
        open.signatures = vec![(id, base64_encode(&signature))];
    });
    if certifies {
        draft.after(move |files| {
            let bytes = files.remove(&format!("certificates/{old}.dsse.json")).unwrap();
            files.insert(format!("certificates/{new}.dsse.json"), bytes);
        });
    }
}

fn numbers_and_points(cases: &mut Cases) {
    for (number, place) in PLACES.into_iter().cycle().take(14).enumerate() {
        let times = 1 + number as u8 % 7;
        cases.add("S2", format!("S + {times}L at {place:?}"), good_with(place), |draft| {
            resigned(draft, place, move |signature| unreduced(&signature, times).unwrap());
        });
    }
    for certifies in [false, true] {
        for torsion in 0..8 {
            let who = if certifies { "certifier" } else { "publisher" };
            cases.add("S3", format!("the {who}'s key is point {torsion} of small order"), plain, |draft| {
                by_hand(draft, certifies, Bent::small(small(torsion)), 0, true);
            });
            cases.add("S4", format!("R of the {who} is point {torsion} of small order"), plain, |draft| {
                by_hand(draft, certifies, Bent::mixed(b"plain", small(0)), torsion, false);
            });
            if torsion > 0 {
                cases.add("S6", format!("the {who}'s key has the part {torsion}"), plain, |draft| {
                    by_hand(draft, certifies, Bent::mixed(b"mixed", small(torsion)), 0, true);
                });
                cases.add("S6", format!("R of the {who} has the part {torsion}"), plain, |draft| {
                    by_hand(draft, certifies, Bent::mixed(b"plain", small(0)), torsion, true);
                });
            }
        }
        cases.near(format!("a signature by hand, certificate: {certifies}"), plain, |draft| {
            by_hand(draft, certifies, Bent::mixed(b"plain", small(0)), 0, true);
        });
    }
    for (number, point) in loose_points().into_iter().enumerate() {
        cases.add("S5", format!("key in loose encoding {number}"), plain, |draft| {
            draft.operator.publishers[0].key = base64_encode(&point);
        });
        let place = PLACES[number % PLACES.len()];
        cases.add("S5", format!("R in loose encoding {number} at {place:?}"), good_with(place), |draft| {
            resigned(draft, place, move |signature| [&point, &signature[32..]].concat());
        });
    }
}

fn spellings(cases: &mut Cases) {
    let lengths: [fn(Vec<u8>) -> Vec<u8>; 4] = [
        |signature| signature[..63].to_vec(),
        |signature| [&signature[..], &[0]].concat(),
        |_| Vec::new(),
        |signature| [&signature[..], &signature[..]].concat(),
    ];
    for (number, change) in lengths.into_iter().enumerate() {
        let place = PLACES[number % PLACES.len()];
        cases.add("S7", format!("length {number} at {place:?}"), good_with(place), |draft| {
            resigned(draft, place, change)
        });
    }
    type Rewrite = fn(&str) -> String;
    let texts: [(&str, Rewrite); 6] = [
        ("a space before", |text| format!(" {text}")),
        ("a line end", |text| format!("{text}\\n")),
        ("without padding", |text| text.trim_end_matches('=').to_owned()),
        ("more padding", |text| format!("{text}=")),
        ("the alphabet for URLs", |text| {
            text.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
        }),
        ("stray bits", |text| {
            let at = text.trim_end_matches('=').len() - 1;
            let next = char::from(text.as_bytes()[at] + 1);
            format!("{}{next}{}", &text[..at], &text[at + 1..])
        }),
    ];
    for (number, (about, change)) in texts.into_iter().cycle().take(18).enumerate() {
        let place = PLACES[number % PLACES.len()];
        cases.add("S7", format!("{about}: signature at {place:?}"), good_with(place), |draft| {
            draft.open(place, move |open| open.signatures[0].1 = change(&open.signatures[0].1));
        });
        if about != "the alphabet for URLs" && (about != "stray bits") {
            cases.add("S7", format!("{about}: payload at {place:?}"), good_with(place), |draft| {
                draft.open(place, move |open| open.payload = change(&open.payload) + "===");
            });
        }
    }
    for place in PLACES {
        cases.add("S7", format!("spaces in the envelope at {place:?}"), good_with(place), |draft| {
            draft.file(place, |bytes| String::from_utf8(bytes).unwrap().replace(',', ", ").into_bytes());
        });
    }
}

fn purposes(cases: &mut Cases) {
    let types = [
        "application/vnd.in-toto+json",
        "application/vnd.orch.trust-root+json",
        "application/vnd.orch.freshness+json",
        "application/vnd.orch.revocations+json",
        "application/vnd.orch.delegation+json",
        "application/json",
    ];
    for (number, place) in PLACES.into_iter().enumerate() {
        for shift in 1..4 {
            let own = [0, 0, 1, 2, 3, 4][number];
            let other = types[(own + shift) % types.len()];
            cases.add("S8", format!("{place:?} as {other}"), good_with(place), |draft| {
                draft.bend(place, Bend::Type(other));
            });
        }
    }
    let predicates =
        ["urn:orch:plugin-release:v1", "urn:orch:plugin-certification:v1", "urn:orch:plugin-release:v2", ""];
    for (place, own) in [(Place::Release, 0), (Place::Certificate(0), 1)] {
        for other in predicates.into_iter().filter(|other| *other != predicates[own]) {
            cases.add("S9", format!("{place:?} of the predicate type `{other}`"), plain, |draft| {
                draft.said(place, move |text| text.replace(predicates[own], other));
            });
        }
        cases.add("S9", format!("{place:?} is no statement of v1"), plain, |draft| {
            draft.said(place, |text| text.replace("in-toto.io/Statement/v1", "in-toto.io/Statement/v0.1"));
        });
    }
    for (place, kind) in
        PLACES.into_iter().skip(2).zip(["trust-root", "freshness", "revocations", "delegation"])
    {
        for other in ["v2", "v1 "] {
            cases.add("S9", format!("{place:?} is `{kind}/{other}`"), good_with(place), |draft| {
                draft.said(place, move |text| {
                    text.replacen(&format!("{kind}/v1"), &format!("{kind}/{other}"), 1)
                });
            });
        }
    }
    for place in [Place::Release, Place::Certificate(0)] {
        cases.add("S9", format!("the other statement as {place:?}"), plain, |draft| {
            draft.after(move |files| {
                let certificate =
                    files.keys().find(|name| name.starts_with("certificates/")).unwrap().clone();
                let (from, to) = match place {
                    Place::Release => (certificate, "release.dsse.json".to_owned()),
                    _ => ("release.dsse.json".to_owned(), certificate),
                };
                files.insert(to, files[&from].clone());
            });
        });
    }
}

fn subjects(cases: &mut Cases) {
    type Change = fn(&mut Vec<Subject>);
    let others: [(&str, Change); 6] = [
        ("the manifest of another", |all| all[1].digest.sha256 = Sha256Digest::of(b"other")),
        ("another component", |all| all[0].digest.sha256 = Sha256Digest::of(b"other")),
        ("two digests exchanged", |all| {
            let digest = all[0].digest.clone();
            all[0].digest = std::mem::replace(&mut all[1].digest, digest);
        }),
        ("a name in another case", |all| all.last_mut().unwrap().name = "SBOM.CDX.JSON".into()),
        ("a name with a folder", |all| all[0].name = format!("./{}", all[0].name)),
        ("none", Vec::clear),
    ];
    for (number, (about, change)) in others.into_iter().cycle().take(12).enumerate() {
        cases.add("S10", format!("both statements are about {about}, {number}"), plain, |draft| {
            draft.subjects = Some(Box::new(change));
        });
    }
    for place in [Place::Release, Place::Certificate(0)] {
        for name in ["component.wasm", "manifest.json", "sbom.cdx.json"] {
            cases.add("S10", format!("{place:?} with another digest of {name}"), plain, |draft| {
                draft.said(place, move |text| {
                    let at = text.find(name).unwrap() + name.len() + "\",\"digest\":{\"sha256\":\"".len();
                    format!("{}{}{}", &text[..at], "0".repeat(64), &text[at + 64..])
                });
            });
        }
    }
    for (number, name) in ["LICENSE", "README.md"].into_iter().cycle().take(6).enumerate() {
        cases.add("S11", format!("{name} is there and nobody says so, {number}"), plain, |draft| {
            draft.documents.remove(name);
            draft.after(move |files| drop(files.insert(name.into(), format!("more {number}").into_bytes())));
        });
        cases.add("S11", format!("{name} is declared and not signed, {number}"), plain, |draft| {
            draft.documents.insert(name, format!("more {number}").into_bytes());
            draft.subjects = Some(Box::new(move |all| all.retain(|one| one.name != name)));
        });
        cases.add("S11", format!("{name} is signed and not there, {number}"), plain, |draft| {
            draft.documents.remove(name);
            draft.subjects = Some(Box::new(move |all| all.push(subject(name, Sha256Digest::of(b"x")))));
        });
    }
    for place in 0..4 {
        cases.add("S11", format!("subject {place} twice"), plain, |draft| {
            draft.subjects = Some(Box::new(move |all| all.push(all[place % all.len()].clone())));
        });
    }
}

fn counts(cases: &mut Cases) {
    for place in PLACES {
        cases.add("S12", format!("nobody signed {place:?}"), good_with(place), |draft| {
            draft.bend(place, Bend::By(Vec::new()));
        });
        cases.add("S12", format!("an empty signature at {place:?}"), good_with(place), |draft| {
            draft.open(place, |open| open.signatures[0].1 = String::new());
        });
        cases.add("S13", format!("17 keys signed {place:?}"), good_with(place), |draft| {
            draft.bend(place, Bend::By((100..117).collect()));
        });
        cases.add(
            "S13",
            format!("the same signature a thousand times at {place:?}"),
            good_with(place),
            |draft| {
                draft.open(place, |open| open.signatures = vec![open.signatures[0].clone(); 1000]);
            },
        );
    }
    for number in 0..3 {
        cases.add("S12", format!("no release {number}"), plain, |draft| {
            draft.after(|files| drop(files.remove("release.dsse.json")));
        });
        cases.add("S12", format!("no certificate {number}"), plain, |draft| draft.certificates.clear());
        cases.add("S13", format!("{} certificates", 17 + number), plain, |draft| {
            draft.after(move |files| {
                let bytes = files.values().next().unwrap().clone();
                for place in 0..17 + number {
                    files.insert(format!("certificates/{place:016x}.dsse.json"), bytes.clone());
                }
            });
        });
    }
    let right = [PUBLISHER, CERTIFIER, ROOTS[0], FRESHNESS, REVOKER, ISSUER];
    for (place, right) in PLACES.into_iter().zip(right) {
        for by in [vec![STRANGER, right], vec![right, STRANGER]] {
            cases.add("S14", format!("by {by:?} at {place:?}"), good_with(place), |draft| {
                draft.bend(place, Bend::By(by))
            });
        }
    }
    for place in 0..2 {
        cases.add("S14", format!("signature {place} of a root does not hold"), rooted, |draft| {
            spoil(draft, Place::Root(0), place);
        });
        cases.add(
            "S14",
            format!("a stranger in the place {place}, whose signature does not hold"),
            plain,
            |draft| {
                draft.bend(
                    Place::Release,
                    Bend::By(if place == 0 { vec![STRANGER, PUBLISHER] } else { vec![PUBLISHER, STRANGER] }),
                );
                spoil(draft, Place::Release, place);
            },
        );
        cases.add("S14", format!("two certifiers in one file, {place}"), plain, |draft| {
            draft.bend(Place::Certificate(0), Bend::By(vec![CERTIFIER, OTHER_CERTIFIER]));
        });
    }
}

fn spoil(draft: &mut Draft, at: Place, place: usize) {
    draft.open(at, move |open: &mut Open| {
        let mut bytes = base64_decode(&open.signatures[place].1).unwrap();
        bytes[40] ^= 1;
        open.signatures[place].1 = base64_encode(&bytes);
    });
}

fn payloads(cases: &mut Cases) {
    for place in PLACES {
        for (find, with) in
            [("\"keyid\"", "\"alg\":\"none\",\"keyid\""), ("\"payload\":", "\"alg\":\"HS256\",\"payload\":")]
        {
            cases.add("S15", format!("{with} at {place:?}"), good_with(place), |draft| {
                draft.file(place, move |bytes| {
                    String::from_utf8(bytes).unwrap().replacen(find, with, 1).into_bytes()
                });
            });
        }
        for (about, change) in [
            ("is cut off", (|text| text[..text.len() / 2].to_owned()) as fn(String) -> String),
            ("is empty", |_| String::new()),
            ("is a list", |text| format!("[{text}]")),
        ] {
            cases.add("S16", format!("the payload at {place:?} {about}"), good_with(place), |draft| {
                draft.said(place, change);
            });
        }
    }
    for alg in ["none", "ed25519ph", "ED25519"] {
        cases.add("S15", format!("a root's key is for `{alg}`"), rooted, |draft| {
            draft.said(Place::Root(0), move |text| {
                text.replacen("\"alg\":\"ed25519\"", &format!("\"alg\":\"{alg}\""), 1)
            });
        });
    }
    // What is said is checked, and not only that somebody said it.
    cases.add("S16", "a certificate without facts", plain, |draft| {
        draft.said(Place::Certificate(0), |text| text.replacen("\"facts\":{", "\"fact\":{", 1));
    });
    cases.add("S16", "a check of an unknown status", plain, |draft| {
        draft.certificate(0, |_: &mut Certificate| {});
        draft.said(Place::Certificate(0), |text| {
            text.replacen("\"status\":\"pass\"", "\"status\":\"passed\"", 1)
        });
    });
}
