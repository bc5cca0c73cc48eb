//! K: keys, who they are and what they may do.

use orch_trust::authority::Level;
use orch_trust::delegation::DelegationDocument;
use orch_trust::digest::Sha256Digest;
use orch_trust::revocation::{Action, Entry, What};
use serde_json::json;

use super::{Cases, PLACES, good_with};
use crate::second::draft::{
    Bend, CERTIFIER, Certify, DAY, Draft, FRESHNESS, ISSUER, JOB, NOW, OTHER_CERTIFIER, OTHER_PUBLISHER,
    PUBLISHER, Place, REVOKER, ROOTS, STRANGER, plugin,
};
use crate::second::good::{delegated, plain, rooted};

pub(super) fn add(cases: &mut Cases) {
    twice(cases);
    ids(cases);
    other_hands(cases);
    namespaces(cases);
    times(cases);
    delegations(cases);
}

fn twice(cases: &mut Cases) {
    let right = [PUBLISHER, CERTIFIER, ROOTS[0], FRESHNESS, REVOKER, ISSUER];
    for (place, right) in PLACES.into_iter().zip(right) {
        cases.add("K1", format!("one key twice at {place:?}"), good_with(place), |draft| {
            draft.bend(place, Bend::By(vec![right, right]));
        });
        cases.add("K2", format!("one key under two ids at {place:?}"), good_with(place), |draft| {
            let other = draft.keys.id(STRANGER).to_string();
            draft.open(place, move |open| open.signatures.push((other, open.signatures[0].1.clone())));
        });
        cases.add("K3", format!("an id in capitals at {place:?}"), good_with(place), |draft| {
            draft.open(place, |open| open.signatures[0].0 = open.signatures[0].0.to_uppercase());
        });
        cases.add("K3", format!("an id cut off at {place:?}"), good_with(place), |draft| {
            draft.open(place, |open| open.signatures[0].0.truncate(16));
        });
        cases.add("K3", format!("an id of somebody else at {place:?}"), good_with(place), |draft| {
            let other =
                draft.keys.id(if right == PUBLISHER { OTHER_PUBLISHER } else { PUBLISHER }).to_string();
            draft.open(place, move |open| open.signatures[0].0 = other);
        });
    }
    for (number, role) in ["root", "certifier", "revoker", "freshness", "ci-issuer"].into_iter().enumerate() {
        cases.add("K1", format!("a key twice in the role {role}"), rooted, |draft| {
            let roles = &mut draft.world().root.roles;
            match number {
                0 => roles.root.keyids.push(roles.root.keyids[0]),
                1 => roles.certifier.keys.push(roles.certifier.keys[0].clone()),
                2 => roles.revoker.keyids.push(roles.revoker.keyids[0]),
                3 => roles.freshness.keyids.push(roles.freshness.keyids[0]),
                _ => {
                    let issuers = &mut roles.ci_issuer.as_mut().unwrap().keyids;
                    issuers.push(issuers[0]);
                }
            }
        });
    }
    for (number, seed) in [PUBLISHER, CERTIFIER, ROOTS[0], REVOKER, FRESHNESS, ISSUER].into_iter().enumerate()
    {
        cases.add("K2", format!("a root calls one key by another id, {number}"), rooted, |draft| {
            let keys = draft.keys;
            let text = draft.world().root.keys[&keys.id(seed)].clone();
            draft.world().root.keys.insert(keys.id(STRANGER), text);
        });
    }
}

fn ids(cases: &mut Cases) {
    for (number, file) in ["release.dsse.json", "certificate"].into_iter().cycle().take(4).enumerate() {
        cases.add("K3", format!("an id with something around it in {file}, {number}"), plain, |draft| {
            let place = if number % 2 == 0 { Place::Release } else { Place::Certificate(0) };
            draft.open(place, move |open| {
                let id = open.signatures[0].0.clone();
                open.signatures[0].0 = if number < 2 { format!("sha256:{id}") } else { format!("{id} ") };
            });
        });
    }
    for number in 0..3 {
        cases.add("K3", format!("a certificate in the file of another key, {number}"), plain, |draft| {
            let keys = draft.keys;
            draft.after(move |files| {
                let name = format!("certificates/{}.dsse.json", keys.id(CERTIFIER).short());
                let bytes = files.remove(&name).unwrap();
                let other =
                    [keys.id(STRANGER).short(), "0".repeat(16), keys.id(PUBLISHER).short()][number].clone();
                files.insert(format!("certificates/{other}.dsse.json"), bytes);
            });
        });
    }
    for number in 0..10_u32 {
        let threshold =
            if number.is_multiple_of(2) { 0 } else { [2, 4, u32::MAX, 3, 9][number as usize / 2] };
        cases.add("K4", format!("threshold {threshold} of role {}", number / 2), rooted, |draft| {
            let world = draft.world();
            match number / 2 {
                0 => world.root.roles.revoker.threshold = threshold,
                1 => world.root.roles.root.threshold = threshold,
                2 => world.root.roles.freshness.threshold = threshold,
                3 => world.root.roles.certifier.threshold = threshold,
                _ => world.root.namespaces[0].publisher.threshold = threshold,
            }
        });
    }
    cases.add("K4", "two independent certifiers of one owner", rooted, |draft| {
        let world = draft.world();
        let keys = world.keys;
        world.root.roles.certifier.threshold = 2;
        world.root.roles.certifier.independent = true;
        world.root.keys.get_mut(&keys.id(OTHER_CERTIFIER)).unwrap().owner = "lab".into();
    });
    cases
        .add("K4", "the operator wants three certifiers of two", plain, |draft| draft.operator.threshold = 3);
    cases.add("K4", "a role without keys", rooted, |draft| draft.world().root.roles.revoker.keyids.clear());
    for (number, (needed, count)) in [(2, 1), (2, 3), (1, 2)].into_iter().enumerate() {
        cases.add("K4", format!("{count} publishers where {needed} are needed, {number}"), rooted, |draft| {
            let keys = draft.keys;
            let world = draft.world();
            world.root.keys.insert(keys.id(50), keys.text(50, "third"));
            world.root.namespaces[0].publisher = keys.role(needed, &[PUBLISHER, OTHER_PUBLISHER, 50]);
            draft.release_by = [PUBLISHER, OTHER_PUBLISHER, 50][..count].to_vec();
        });
    }
}

fn other_hands(cases: &mut Cases) {
    let pairs = [
        (Place::Release, CERTIFIER),
        (Place::Certificate(0), PUBLISHER),
        (Place::Release, OTHER_CERTIFIER),
        (Place::Freshness, REVOKER),
        (Place::Revocations, FRESHNESS),
        (Place::Freshness, ROOTS[0]),
        (Place::Revocations, PUBLISHER),
        (Place::Root(0), CERTIFIER),
        (Place::Delegation(0), PUBLISHER),
        (Place::Delegation(0), ROOTS[1]),
        (Place::Release, ISSUER),
        (Place::Certificate(0), STRANGER),
    ];
    for (place, by) in pairs {
        let good =
            if matches!(place, Place::Release | Place::Certificate(_)) { rooted } else { good_with(place) };
        cases.add("K5", format!("{place:?} by {by}"), good, |draft| draft.bend(place, Bend::By(vec![by])));
    }
    for seed in [CERTIFIER, OTHER_CERTIFIER] {
        cases.add("K5", format!("a root in which {seed} publishes too"), rooted, |draft| {
            let keys = draft.keys;
            draft.world().root.namespaces[0].publisher = keys.role(1, &[PUBLISHER, seed]);
        });
    }
    cases.add("K5", "a certifier for local signs a certificate of everything", plain, |draft| {
        draft.operator.certifiers.iter_mut().for_each(|party| party.profile = Level::Local);
        draft.certificate(0, |certificate| certificate.level = Level::Certified);
    });
}

/// The plugin of the draft has another id.
fn renamed(draft: &mut Draft, id: &str) {
    draft.manifest["id"] = json!(id);
    draft.release.id = plugin(id);
    draft.operator.approval.as_mut().unwrap().id = id.into();
}

fn namespaces(cases: &mut Cases) {
    for (number, id) in ["acme-evil/x", "acm/x", "acmee/x", "evil/acme", "a/cme", "local/x"]
        .into_iter()
        .cycle()
        .take(12)
        .enumerate()
    {
        let good = if number < 6 { plain } else { rooted };
        cases.add("K6", format!("acme's key signs `{id}`, {number}"), good, |draft| renamed(draft, id));
    }
    for (number, prefixes) in
        [vec!["acme"], vec!["acm"], vec![""], vec!["/"], vec!["other/"], vec![]].into_iter().enumerate()
    {
        cases.add("K6", format!("a publisher of {prefixes:?}, {number}"), plain, |draft| {
            let names = prefixes.iter().map(|one| (*one).to_owned()).collect();
            draft.operator.publishers[0].namespaces = names;
        });
    }
    for (number, prefix) in
        ["acme", "acme/note", "/", "orch/", "Acme/", "acme//", "a/b/c/"].into_iter().enumerate()
    {
        cases.add("K6", format!("a root with the prefix `{prefix}`, {number}"), rooted, |draft| {
            draft.world().root.namespaces[0].prefix = prefix.into();
        });
    }
    for by in [PUBLISHER, OTHER_PUBLISHER] {
        let edit = move |draft: &mut Draft| {
            renamed(draft, "acme/own");
            let keys = draft.keys;
            let namespaces = &mut draft.world().root.namespaces;
            let mut own = namespaces[0].clone();
            (own.prefix, own.publisher) = ("acme/own/".into(), keys.role(1, &[OTHER_PUBLISHER]));
            namespaces.push(own);
            draft.release_by = vec![by];
        };
        match by {
            PUBLISHER => cases.add("K6", "the shorter prefix's key signs under the longer one", rooted, edit),
            _ => cases.near("the longer prefix's key signs under it", rooted, edit),
        }
    }
    cases.add("K6", "a prefix that is not terminating", rooted, |draft| {
        draft.world().root.namespaces[0].terminating = false
    });
}

fn times(cases: &mut Cases) {
    for (number, seconds) in [1, 60, DAY].into_iter().enumerate() {
        cases.add("K7", format!("publisher's key ended {seconds} s ago"), plain, |draft| {
            draft.operator.publishers[0].not_after = Some(NOW.plus(-seconds));
        });
        cases.add("K7", format!("certifier's key begins in {seconds} s"), plain, |draft| {
            draft.operator.certifiers[0].not_before = Some(NOW.plus(seconds));
        });
        let seed = [PUBLISHER, CERTIFIER, ROOTS[0]][number];
        cases.add("K7", format!("a root's key {seed} ended {seconds} s ago"), rooted, |draft| {
            let id = draft.keys.id(seed);
            draft.world().root.keys.get_mut(&id).unwrap().not_after = Some(NOW.plus(-2 * DAY - seconds));
        });
        cases.add("K7", format!("signed {seconds} s before the key counted"), plain, |draft| {
            draft.operator.publishers[0].not_before = Some(draft.release.issued_at.plus(seconds.min(3600)));
        });
    }
    for (number, seed) in [PUBLISHER, CERTIFIER, REVOKER, FRESHNESS].into_iter().enumerate() {
        for (late, about) in
            [(0, "from the second of its signature"), (-DAY, "from the day before"), (1, "a second later")]
        {
            let at = match seed {
                PUBLISHER => NOW.plus(-3600),
                CERTIFIER => NOW.plus(-45),
                REVOKER => NOW.plus(-2 * DAY),
                _ => NOW.plus(-DAY),
            };
            let edit = move |draft: &mut Draft| {
                let what = What::Key { keyid: draft.keys.id(seed), invalid_after: at.plus(late) };
                draft.certificates.truncate(1);
                draft.operator.threshold = 1;
                draft.world().list.entries = vec![Entry {
                    what,
                    action: [Action::BlockLoad, Action::Kill][number % 2],
                    reason: "stolen".into(),
                }];
            };
            match late {
                1 => cases.near(format!("key {seed} taken back {about}"), rooted, edit),
                _ => cases.add("K7", format!("key {seed} taken back {about}"), rooted, edit),
            }
        }
    }
    for seed in [PUBLISHER, CERTIFIER] {
        cases.add("K7", format!("key {seed} denied by the policy"), plain, |draft| {
            draft.operator.deny.keys.push(draft.keys.digest(seed));
        });
    }
}

fn delegations(cases: &mut Cases) {
    for (number, by) in
        [JOB, PUBLISHER, CERTIFIER, STRANGER, REVOKER].into_iter().cycle().take(10).enumerate()
    {
        cases.add("K8", format!("{by} delegates, {number}"), delegated, |draft| {
            draft.bend(Place::Delegation(0), Bend::By(vec![by]));
        });
    }
    cases.add("K8", "two jobs delegate to each other", delegated, |draft| {
        let mut other = draft.delegations[0].1.clone();
        other.key = draft.keys.base64(31);
        draft.delegations.push((31, other));
        draft.bend(Place::Delegation(0), Bend::By(vec![31]));
        draft.bend(Place::Delegation(1), Bend::By(vec![JOB]));
    });
    type Change = fn(&mut DelegationDocument);
    let changes: [(&str, Change); 9] = [
        ("is for another manifest", |said| said.subject = Sha256Digest::of(b"other")),
        ("lasts a second too long", |said| said.expires = said.issued.plus(901)),
        ("lasts no time", |said| said.expires = said.issued),
        ("is from the future", |said| (said.issued, said.expires) = (NOW.plus(301), NOW.plus(600))),
        ("is over before the signature", |said| {
            (said.issued, said.expires) = (NOW.plus(-900), NOW.plus(-61))
        }),
        ("is of another repository", |said| said.job.repository.push('/')),
        ("is of another workflow", |said| said.job.workflow = "release.yml@refs/heads/evil".into()),
        ("is to a key that is none", |said| said.key = "AAAA".into()),
        ("is to a key of small order", |said| said.key = format!("AQ{}=", "A".repeat(41))),
    ];
    for (about, change) in changes {
        cases.add("K8", format!("a delegation that {about}"), delegated, |draft| {
            change(&mut draft.delegations[0].1)
        });
    }
    cases.add("K8", "a delegation that nothing uses", delegated, |draft| {
        draft.release_by = vec![PUBLISHER];
        draft.certificates = vec![Certify::new(CERTIFIER)];
        draft.operator.threshold = 1;
    });
    cases.add("K8", "a delegation without a root", plain, |draft| {
        let mut with = delegated(1);
        draft.delegations.append(&mut with.delegations);
    });
    cases.add("K8", "a root without issuers", delegated, |draft| draft.world().root.roles.ci_issuer = None);
}
