//! What a certifier reads of others: the report of a child that ran a plugin, and a statement to sign.

use orch_certify::check::{Group, GroupReport};
use orch_certify::sandbox::read_report;
use orch_certify::statement;
use orch_trust::certificate::{CheckStatus, Measured};
use orch_trust::inputs::Inputs;
use orch_trust::manifest::Role;

use crate::package::{NOW, good};

const GROUPS: [Group; 3] = [Group::Package, Group::Component, Group::Conformance(Role::Executor)];

/// A report that is taken is about its group's checks, in order, and nothing passed unseen.
pub(crate) fn report(bytes: &[u8]) -> bool {
    let mut taken = 0;
    for group in GROUPS {
        let Ok(report) = read_report(group, bytes) else { continue };
        let ids: Vec<_> = report.results.iter().map(|result| result.id.clone()).collect();
        assert_eq!(ids, group.checks());
        for result in &report.results {
            assert!(result.status != CheckStatus::Pass || result.looked_at > 0, "{result:?}");
        }
        let again = serde_json::to_vec(&report).unwrap();
        assert_eq!(read_report(group, &again).expect("our own text is read"), report);
        taken += 1;
    }
    assert!(taken <= 1, "a report is about one group");
    taken == 1
}

/// A statement is read as it was written; one that may be signed says of the good package what its host would accept.
pub(crate) fn statement(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("statement.json");
    std::fs::write(&path, bytes).unwrap();
    let Ok(read) = statement::read(&path) else { return false };
    let Ok(certificate) = statement::check(read, &good().package, NOW) else { return false };
    std::fs::write(&path, statement::render(&good().package, certificate.clone())).unwrap();
    assert_eq!(statement::read(&path).expect("our own text is read").predicate, certificate);
    assert_eq!((certificate.results(), &certificate.id), (certificate.result_digest, &good().manifest.id));
    assert_eq!(certificate.facts, good().certificate.facts);
    for check in &certificate.checks {
        assert!(check.tool == good().certificate.certifier, "{check:?}");
    }
    true
}

pub(crate) fn valid_report() -> Vec<(&'static str, Vec<u8>)> {
    let report = |group: Group| {
        let ids = group.checks();
        let results =
            good().certificate.checks.iter().filter(|check| ids.contains(&check.id)).cloned().collect();
        serde_json::to_vec(&GroupReport {
            results,
            measured: Measured { fuel_max: 1, memory_bytes_max: 2, ..Measured::default() },
            self_check: None,
            inputs: Inputs::default(),
        })
        .unwrap()
    };
    vec![
        ("valid-package", report(GROUPS[0])),
        ("valid-component", report(GROUPS[1])),
        ("valid-conformance", report(GROUPS[2])),
    ]
}

pub(crate) fn valid_statement() -> Vec<(&'static str, Vec<u8>)> {
    vec![("valid", statement::render(&good().package, good().certificate.clone()))]
}
