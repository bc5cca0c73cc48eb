//! C: certificates, what they say and how many agree.

use orch_trust::authority::Level;
use orch_trust::certificate::{Certificate, CheckResult, CheckStatus};
use orch_trust::digest::Sha256Digest;
use orch_trust::facts::{Facts, Memory};
use orch_trust::inputs::{AdvisoryDb, Inputs};
use orch_trust::revocation::{Action, Entry, What};
use orch_trust::time::{Day, UnixSeconds};
use orch_trust::version_range::VersionRange;
use serde_json::json;

use super::Cases;
use crate::second::draft::{Certify, DAY, Draft, NOW, OTHER_CERTIFIER};
use crate::second::good::{fully_certified, permissions, plain, rooted};

pub(super) fn add(cases: &mut Cases) {
    checks(cases);
    tools(cases);
    databases(cases);
    results(cases);
    facts(cases);
    many(cases);
}

/// One certificate, so that the others do not speak for it.
pub(super) fn single(number: usize) -> Draft {
    let mut draft = plain(number);
    draft.certificates.truncate(1);
    draft.operator.threshold = 1;
    draft
}

fn check<'a>(certificate: &'a mut Certificate, id: &'static str) -> &'a mut CheckResult {
    certificate.checks.iter_mut().find(|check| check.id == id).unwrap()
}

const IDS: [&str; 12] = [
    "manifest",
    "names",
    "file-set",
    "imports",
    "memory",
    "sbom",
    "secrets",
    "fuzz",
    "permission-probe",
    "isolation",
    "self-check",
    "dependency-list",
];

fn checks(cases: &mut Cases) {
    for (number, id) in IDS.into_iter().enumerate() {
        cases.add("C1", format!("`{id}` is not there"), single, |draft| {
            draft.certificate(0, move |certificate| certificate.checks.retain(|check| check.id != id));
        });
        let status = [CheckStatus::Skipped, CheckStatus::Error, CheckStatus::Fail][number % 3];
        cases.add("C2", format!("`{id}` is {status:?}"), single, |draft| {
            draft.certificate(0, move |certificate| check(certificate, id).status = status);
        });
        cases.add("C3", format!("`{id}` looked at nothing"), single, |draft| {
            draft.certificate(0, move |certificate| check(certificate, id).looked_at = 0);
        });
        cases.add("C8", format!("what came out was cut off after {number} checks"), single, |draft| {
            draft.certificate(0, move |certificate| certificate.checks.truncate(number));
        });
    }
    for id in ["conformance/executor", "conformance/planner"] {
        cases.add(
            "C1",
            format!("another role's conformance in the place of its own, {id}"),
            single,
            |draft| {
                draft.certificate(0, move |certificate| {
                    certificate.checks.retain(|check| !check.id.starts_with("conformance/"));
                    let mut other = certificate.checks[0].clone();
                    other.id = format!("{id}s");
                    certificate.checks.push(other);
                });
            },
        );
    }
    for status in [CheckStatus::Fail, CheckStatus::Error] {
        cases.add("C8", format!("a check beyond our list is {status:?}"), single, |draft| {
            extra(draft, status)
        });
    }
    cases.near("a check beyond our list was skipped", single, |draft| extra(draft, CheckStatus::Skipped));
    let budgets = [
        ("names", 2),
        ("start-functions", 2),
        ("secrets", 8),
        ("dangerous-content", 1),
        ("fuzz", 6),
        ("determinism", 0),
        ("manifest", 0),
        ("memory", 0),
        ("isolation", 0),
    ];
    for (id, most) in budgets {
        cases
            .add("C4", format!("`{id}` warns {} times", most + 1), single, |draft| warn(draft, id, most + 1));
        if most > 0 {
            cases.near(format!("`{id}` warns {most} times"), single, |draft| warn(draft, id, most));
        }
    }
    cases.add("C4", "`sbom` warns without a finding", single, |draft| warn(draft, "sbom", 0));
    cases.add("C4", "`api-compatibility` warns too often", fully_certified, |draft| {
        warn(draft, "api-compatibility", 17)
    });
    cases.add("C7", "a check of version 0", single, |draft| {
        draft.certificate(0, |certificate| check(certificate, "imports").version = 0);
    });
    cases.add("C1", "certified, without the checks of that level", single, |draft| {
        draft.certificate(0, |certificate| certificate.level = Level::Certified);
    });
    cases.add("C1", "of a plugin that is being written", single, |draft| {
        draft.certificate(0, |certificate| {
            certificate.level = Level::Development;
            certificate.valid_until = certificate.finished_at.plus(3600);
        });
    });
    for place in [0, 5, 11] {
        cases.add("C10", format!("check {place} twice, the second one better"), single, |draft| {
            draft.certificate(0, move |certificate| {
                let again = certificate.checks[place].clone();
                certificate.checks[place].status = CheckStatus::Skipped;
                certificate.checks.push(again);
            });
        });
    }
}

fn extra(draft: &mut Draft, status: CheckStatus) {
    draft.certificate(0, move |certificate| {
        let mut more = certificate.checks[0].clone();
        (more.id, more.status) = ("beyond".into(), status);
        certificate.checks.push(more);
    });
}

fn warn(draft: &mut Draft, id: &'static str, times: usize) {
    draft.certificate(0, move |certificate| {
        let check = check(certificate, id);
        (check.status, check.findings) =
            (CheckStatus::Warn, (0..times).map(|one| format!("finding {one}")).collect());
    });
}

fn tools(cases: &mut Cases) {
    for (name, version) in [
        ("orch-certify", "0.0.9"),
        ("orch-certify", "0.1.0-rc.1"),
        ("orch-certify", "1"),
        ("orch-certify", ""),
        ("Orch-certify", "0.1.0"),
        ("other", "9.9.9"),
    ] {
        cases.add("C7", format!("by `{name} {version}`"), single, |draft| {
            draft.certificate(0, |certificate| {
                (certificate.certifier.name, certificate.certifier.version) = (name.into(), version.into())
            });
        });
    }
    for (versions, check, is_hit) in [
        ("*", None, true),
        ("<0.2.0", None, true),
        ("=0.1.0", Some("imports"), true),
        (">=0.1.0-rc.1, <0.1.1", None, true),
        ("<=0.1.0", Some("sbom"), true),
        (">0.1.0", None, false),
        ("*", Some("no-such-check"), false),
    ] {
        let edit = move |draft: &mut Draft| {
            let versions = VersionRange::parse(versions).unwrap();
            let what =
                What::Certifier { name: "orch-certify".into(), versions, check: check.map(str::to_owned) };
            draft.world().list.entries =
                vec![Entry { what, action: Action::Recertify, reason: "unsound".into() }];
        };
        match is_hit {
            true => {
                cases.add("C7", format!("orch-certify {versions} with {check:?} is taken back"), rooted, edit)
            }
            false => {
                cases.near(format!("orch-certify {versions} with {check:?} is taken back"), rooted, edit)
            }
        }
    }
    for number in 0..10 {
        cases.add("C5", format!("a certificate of another package, {number}"), single, |draft| {
            let mut other = single(100 + number);
            other.keys = draft.keys;
            let files = other.build("C5", String::new()).files;
            draft.after(move |mine| {
                mine.retain(|name, _| !name.starts_with("certificates/"));
                mine.extend(
                    files
                        .into_iter()
                        .filter(|(name, _)| name.starts_with("certificates/"))
                        .map(|(name, bytes)| (name, bytes.0)),
                );
            });
        });
    }
    cases.add("C5", "a certificate for another version", single, |draft| {
        draft.certificate(0, |certificate| certificate.version.patch += 1)
    });
    cases.add("C5", "a certificate for another plugin", single, |draft| {
        draft.certificate(0, |certificate| certificate.id = crate::second::draft::plugin("acme/other"));
    });
}

/// What is said of the database of advisories, changed.
fn database(draft: &mut Draft, change: impl FnOnce(&mut AdvisoryDb) + 'static) {
    draft.certificate(0, |certificate| {
        change(certificate.inputs.as_mut().unwrap().advisory_db.as_mut().unwrap())
    });
}

fn databases(cases: &mut Cases) {
    let old = ["2026-12-15", "2026-12-14", "2026-12-01", "2026-01-15", "2017-01-01", "0001-01-01"];
    let ahead = ["2027-01-17", "2027-01-18", "2027-02-15", "2028-01-15", "9999-12-31"];
    for date in old.into_iter().chain(ahead) {
        cases.add("C9", format!("the newest advisory is of {date}"), fully_certified, |draft| {
            database(draft, move |said| said.date = Day::parse(date).unwrap());
        });
    }
    for date in ["2026-12-17", "2027-01-16"] {
        cases.near(format!("the newest advisory is of {date}"), fully_certified, |draft| {
            database(draft, move |said| said.date = Day::parse(date).unwrap());
        });
    }
    cases.near("checks ended in the last second of thirty days", fully_certified, |draft| {
        database(draft, |said| said.date = Day::parse("2026-12-16").unwrap());
        draft.certificate(0, |certificate| {
            certificate.finished_at = UnixSeconds::parse("2027-01-15T00:00:00Z").unwrap();
            certificate.valid_until = certificate.finished_at.plus(90 * DAY);
        });
    });
    cases.add("C9", "a database without advisories", fully_certified, |draft| {
        database(draft, |said| said.advisories = 0)
    });
    type Remove = fn(&mut Inputs);
    let missing: [(&str, Remove); 5] = [
        ("database", |inputs| inputs.advisory_db = None),
        ("lock file", |inputs| inputs.cargo_lock_sha256 = None),
        ("commit", |inputs| inputs.source_commit = None),
        ("whole name of a commit", |inputs| inputs.source_commit.as_mut().unwrap().truncate(39)),
        ("commit of the release", |inputs| inputs.source_commit = Some("d".repeat(40))),
    ];
    for (about, change) in missing {
        cases.add("C5", format!("a certificate that names no {about}"), fully_certified, |draft| {
            draft.certificate(0, move |certificate| change(certificate.inputs.as_mut().unwrap()));
        });
    }
    cases.add(
        "C5",
        "a release that names no commit, and a certificate that does",
        fully_certified,
        |draft| draft.release.source = None,
    );
    for (id, most) in [("vulnerabilities", 5), ("dependency-review", 1), ("licences", 0)] {
        cases.add("C4", format!("`{id}` warns {} times", most + 1), fully_certified, |draft| {
            warn(draft, id, most + 1)
        });
        if most > 0 {
            cases.near(format!("`{id}` warns {most} times"), fully_certified, |draft| warn(draft, id, most));
        }
    }
}

fn results(cases: &mut Cases) {
    let late: [fn(&mut Certificate); 8] = [
        |certificate| check(certificate, "imports").looked_at += 1,
        |certificate| check(certificate, "names").version += 1,
        |certificate| check(certificate, "sbom").findings.push("more".into()),
        |certificate| certificate.facts.functions += 1,
        |certificate| certificate.self_check.corpus_sha256 = Sha256Digest::of(b"other"),
        |certificate| certificate.checks.swap(0, 1),
        |certificate| certificate.checks[3].tool.version = "9".into(),
        |certificate| certificate.result_digest = Sha256Digest::of(b"other"),
    ];
    for (number, change) in late.into_iter().enumerate() {
        cases.add("C10", format!("results changed under their digest, {number}"), single, |draft| {
            draft.certificates[0].stale_digest = true;
            draft.certificate(0, change);
        });
    }
    for (rejected, of) in [(0, 0), (8, 9), (9, 8), (0, 9)] {
        cases.add("C10", format!("its own check refused {rejected} of {of}"), single, |draft| {
            draft.certificate(0, move |certificate| {
                (certificate.self_check.rejected, certificate.self_check.of) = (rejected, of)
            });
        });
    }
    let evidence: [fn(&mut Certificate); 3] = [
        |certificate| certificate.checks[0].duration_ms += 1,
        |certificate| certificate.checks[0].evidence_sha256 = Sha256Digest::of(b"other"),
        |certificate| certificate.measured.fuel_max = u64::MAX,
    ];
    for (number, change) in evidence.into_iter().enumerate() {
        cases.near(format!("evidence is no part of the digest, {number}"), single, |draft| {
            draft.certificates[0].stale_digest = true;
            draft.certificate(0, change);
        });
    }
}

fn facts(cases: &mut Cases) {
    type Change = fn(&mut Facts);
    let changes: [(&str, Change); 14] = [
        ("size", |facts| facts.size_bytes += 1),
        ("an import more", |facts| facts.imports.push("orch:log/log@0.1.0".into())),
        ("an export less", |facts| drop(facts.exports.pop())),
        ("exports in another order", |facts| facts.exports.insert(0, "z".into())),
        ("an import inside", |facts| facts.inner_imports.push("orch:kv/kv@0.1.0".into())),
        ("no memories", |facts| facts.memories.clear()),
        ("a memory's minimum", |facts| facts.memories[0].min += 65_536),
        ("a memory's maximum", |facts| facts.memories[0].max = Some(0)),
        ("a memory more", |facts| facts.memories.push(Memory { min: 0, max: None })),
        ("tables", |facts| facts.tables += 1),
        ("elements", |facts| facts.table_elements += 1),
        ("starts", |facts| facts.start_functions += 1),
        ("modules", |facts| facts.modules += 1),
        ("components and sections", |facts| {
            (facts.components, facts.custom_sections) =
                (facts.components + 1, vec!["name".into(), "x".into()])
        }),
    ];
    for (about, change) in changes {
        cases.add("C11", format!("other facts: {about}"), single, |draft| {
            draft.certificate(0, move |certificate| change(&mut certificate.facts))
        });
    }
    for (number, asked) in [
        r#"{"log":{},"settings":{},"metrics":{}}"#,
        r#"{"process":{"programs":["sh","git"]}}"#,
        r#"{"kv":{"labels":["a","b"],"bytes":9}}"#,
        r#"{"files":{"read":["**"],"write":["**"]}}"#,
        r#"{"wasi":{"clocks":true,"random":true}}"#,
    ]
    .into_iter()
    .cycle()
    .take(10)
    .enumerate()
    {
        let of_release = number >= 5;
        cases.add("C12", format!("a certificate for fewer permissions, {number}"), single, |draft| {
            let before = draft.keys;
            let mut fewer = single(draft.release.release_counter as usize - 1);
            fewer.keys = before;
            fewer.manifest["permissions"] = json!({});
            fewer.component = crate::second::wasm::Wasm::default().bytes();
            let files = fewer.build("C12", String::new()).files;
            draft.manifest["permissions"] = serde_json::from_str(asked).unwrap();
            draft.operator.approval.as_mut().unwrap().permissions = permissions(asked);
            draft.after(move |mine| {
                let takes = |name: &str| {
                    name.starts_with("certificates/") || (of_release && name.starts_with("release"))
                };
                for (name, bytes) in files {
                    if takes(&name) {
                        mine.insert(name, bytes.0);
                    }
                }
            });
        });
    }
}

fn many(cases: &mut Cases) {
    for (number, id) in IDS.into_iter().take(3).enumerate() {
        cases.add("C10", format!("two certifiers found different things, {number}"), single, |draft| {
            draft.operator.threshold = 2;
            draft.certificates.push(Certify::new(OTHER_CERTIFIER));
            draft.certificate(1, move |certificate| check(certificate, id).looked_at += 1);
        });
        cases.near(format!("one of two is enough, and they differ, {number}"), single, |draft| {
            draft.certificates.push(Certify::new(OTHER_CERTIFIER));
            draft.certificate(1, move |certificate| {
                check(certificate, id).looked_at += 1;
                certificate.valid_until = NOW.plus(DAY * (1 + number as i64));
            });
        });
    }
    cases.add("C1", "one of the two certificates that are needed", single, |draft| {
        draft.operator.threshold = 2
    });
    cases.add("C1", "the level that is wanted is not there", single, |draft| {
        draft.operator.level = Level::Certified
    });
    cases.add("C1", "two certifiers of one owner where independent ones are wanted", single, |draft| {
        (draft.operator.threshold, draft.operator.independent) = (2, true);
        draft.certificates.push(Certify::new(OTHER_CERTIFIER));
        draft.operator.certifiers[1].owner = "lab".into();
    });
}
