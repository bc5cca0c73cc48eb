//! K7: what is taken back from packages that were good.

use orch_trust::digest::Sha256Digest;
use orch_trust::revocation::{Action, Entry, What};
use orch_trust::version_range::VersionRange;

use super::Cases;
use crate::second::draft::{CERTIFIER, Certify, DAY, Draft, NOW, OTHER_CERTIFIER, Place};
use crate::second::good::rooted;

fn single_rooted(number: usize) -> Draft {
    let mut draft = rooted(number);
    draft.certificates.truncate(1);
    draft.operator.threshold = 1;
    draft
}

pub(super) fn add(cases: &mut Cases) {
    let mut list = |about: String, is_hit: bool, action: Action, what: fn(&Draft) -> What| {
        let edit = move |draft: &mut Draft| {
            let what = what(draft);
            draft.world().list.entries = vec![Entry { what, action, reason: "because".into() }];
        };
        match is_hit {
            true => cases.add("K7", about, single_rooted, edit),
            false => cases.near(about, single_rooted, edit),
        }
    };
    for action in [Action::Kill, Action::BlockLoad, Action::Recertify, Action::Warn] {
        let hit = action != Action::Warn;
        list(format!("the component is taken back: {action:?}"), hit, action, |draft| What::File {
            sha256: Sha256Digest::of(&draft.component),
        });
        list(format!("the plugin is taken back: {action:?}"), hit, action, |draft| What::Release {
            id: draft.release.id.clone(),
            versions: VersionRange::parse("*").unwrap(),
        });
        list(format!("an advisory: {action:?}"), hit, action, |_| What::Advisory {
            advisory: "RUSTSEC-2026-0001".into(),
            krate: "serde".into(),
            versions: VersionRange::parse(">=1.0.0, <2.0.0").unwrap(),
        });
        list(format!("a certifier's key from yesterday: {action:?}"), hit, action, |draft| What::Key {
            keyid: draft.keys.id(CERTIFIER),
            invalid_after: NOW.plus(-DAY),
        });
    }
    list("an advisory about what has no version".into(), true, Action::Kill, |_| What::Advisory {
        advisory: "A".into(),
        krate: "bare".into(),
        versions: VersionRange::parse("=9.0.0").unwrap(),
    });
    list("an advisory about another version".into(), false, Action::Kill, |_| What::Advisory {
        advisory: "A".into(),
        krate: "serde".into(),
        versions: VersionRange::parse("<1.0.200").unwrap(),
    });
    list("an advisory about another crate".into(), false, Action::Kill, |_| What::Advisory {
        advisory: "A".into(),
        krate: "serde_json".into(),
        versions: VersionRange::parse("*").unwrap(),
    });
    list("another version is taken back".into(), false, Action::Kill, |draft| What::Release {
        id: draft.release.id.clone(),
        versions: VersionRange::parse("=77.0.0").unwrap(),
    });
    cases.add(
        "K7",
        "an advisory, and a package that does not say what it is made of",
        single_rooted,
        |draft| {
            draft.documents.insert("sbom.cdx.json", b"{}".to_vec());
            let what = What::Advisory {
                advisory: "A".into(),
                krate: "x".into(),
                versions: VersionRange::parse("*").unwrap(),
            };
            draft.world().list.entries = vec![Entry { what, action: Action::Warn, reason: "because".into() }];
        },
    );
    for text in [
        r#"{"bomFormat":"SPDX","components":[]}"#,
        r#"{"bomFormat":"CycloneDX"}"#,
        "[]",
        r#"["CycloneDX",{},[]]"#,
        "",
    ] {
        cases.add(
            "K7",
            format!("an advisory, and a bill of materials that says {text}"),
            single_rooted,
            |draft| {
                draft.documents.insert("sbom.cdx.json", text.into());
                let versions = VersionRange::parse("*").unwrap();
                let what = What::Advisory { advisory: "A".into(), krate: "x".into(), versions };
                draft.world().list.entries =
                    vec![Entry { what, action: Action::Warn, reason: "because".into() }];
            },
        );
    }
    for range in ["1.0.0", "^1.0.0", ">=1", ">=1.0.0,<2.0.0", ">= 1.0.0", "", "*, *", "=1.0.0+b"] {
        cases.add("K7", format!("a list with the range `{range}`"), single_rooted, |draft| {
            let (id, versions) = (draft.release.id.clone(), VersionRange::parse("*").unwrap());
            let what = What::Release { id, versions };
            draft.world().list.entries = vec![Entry { what, action: Action::Warn, reason: "because".into() }];
            let other = format!("\"versions\":\"{range}\"");
            draft.said(Place::Revocations, move |said| said.replacen("\"versions\":\"*\"", &other, 1));
        });
    }
    cases.near("one certificate of two is taken back", rooted, |draft| {
        draft.certificates = vec![Certify::new(CERTIFIER), Certify::new(OTHER_CERTIFIER)];
        draft.operator.threshold = 1;
        let what = What::Key { keyid: draft.keys.id(CERTIFIER), invalid_after: NOW.plus(-DAY) };
        draft.world().list.entries = vec![Entry { what, action: Action::Kill, reason: "stolen".into() }];
    });
    cases.add("C7", "one certificate of the two that are needed is taken back", rooted, |draft| {
        draft.certificates = vec![Certify::new(CERTIFIER), Certify::new(OTHER_CERTIFIER)];
        draft.operator.threshold = 2;
        let what = What::Key { keyid: draft.keys.id(CERTIFIER), invalid_after: NOW.plus(-DAY) };
        draft.world().list.entries = vec![Entry { what, action: Action::Recertify, reason: "stolen".into() }];
    });
}
