//! A report as SARIF 2.1.0, which code hosts show beside the source.
//!
//! In -> out: [`Report`] -> one JSON document with one run.
//! Rules are checks, with their help; results are findings, in the file that they are about.
//! Invariant: a finding has the same fingerprint as long as check, plugin id and text are the same.
//! Not here: what checks mean (`guide.rs`).

use orch_host::console::escape;
use orch_trust::certificate::{CheckResult, CheckStatus};
use orch_trust::digest::Sha256Digest;
use serde::Serialize;
use serde_json::{Value, json};

use super::Report;
use crate::check::tool;
use crate::guide;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Paths are relative to the package's folder.
const BASE: &str = "PACKAGE";

/// What of a result SARIF knows. `level` is `none` for all but `fail`, as the format demands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule_id: String,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Value,
    locations: [Value; 1],
    partial_fingerprints: Value,
}

/// The document.
pub fn render(report: &Report) -> String {
    let absent: Vec<&str> = report.absent().collect();
    let ids: Vec<&str> =
        report.results.iter().map(|result| result.id.as_str()).chain(absent.clone()).collect();
    let mut findings = Vec::new();
    for (index, result) in report.results.iter().enumerate() {
        findings.extend(of_result(report, index, result));
    }
    for (index, id) in (report.results.len()..).zip(absent) {
        findings.push(finding(report, index, id, ("fail", "error"), "the required check is absent"));
    }
    let broken = report.results.iter().any(|result| result.status == CheckStatus::Error);
    let plugin = escape(&report.plugin);
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": tool().name,
                "version": tool().version,
                "semanticVersion": tool().version,
                "rules": ids.iter().map(|id| rule(id)).collect::<Vec<_>>(),
            } },
            "automationDetails": { "id": format!("{}/{}/", report.level.as_str(), plugin.replace(' ', "/")) },
            "invocations": [{ "executionSuccessful": !broken }],
            "originalUriBaseIds": { BASE: { "description": { "text": "the folder of the package" } } },
            "artifacts": report.files.iter().map(|file| json!({
                "location": { "uri": file.name, "uriBaseId": BASE },
                "hashes": { "sha-256": file.digest.sha256 },
            })).collect::<Vec<_>>(),
            "columnKind": "unicodeCodePoints",
            "results": findings,
        }],
    });
    document.to_string()
}

fn rule(id: &str) -> Value {
    let Some(guide) = guide::check(id) else { return json!({ "id": id }) };
    json!({
        "id": id,
        "shortDescription": { "text": format!("Looks at {}.", plain(guide.looks_at)) },
        "fullDescription": { "text": format!("Looks at {}. Why: {}.", plain(guide.looks_at), plain(guide.why)) },
        "help": { "text": format!("What helps: {}.", plain(guide.helps)) },
        "defaultConfiguration": { "level": "error" },
    })
}

/// Without the marks of code.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

fn of_result(report: &Report, index: usize, result: &CheckResult) -> Vec<Finding> {
    let kind = match result.status {
        CheckStatus::Pass => ("fail", "note"),
        CheckStatus::Warn => ("fail", "warning"),
        CheckStatus::Fail | CheckStatus::Error => ("fail", "error"),
        CheckStatus::Skipped => ("notApplicable", "none"),
    };
    let unsaid = format!("the check is `{}`", result.status.as_str());
    let said: Vec<&str> = match (result.status, result.findings.as_slice()) {
        (CheckStatus::Pass, []) => Vec::new(),
        (_, []) => vec![&unsaid],
        (_, findings) => findings.iter().map(String::as_str).collect(),
    };
    said.into_iter().map(|text| finding(report, index, &result.id, kind, text)).collect()
}

fn finding(
    report: &Report,
    rule_index: usize,
    check: &str,
    (kind, level): (&'static str, &'static str),
    text: &str,
) -> Finding {
    // Without the version: the same finding of the next release is the same finding.
    let plugin = report.plugin.split(' ').next().unwrap_or_default();
    let print = Sha256Digest::of(format!("{check}\n{plugin}\n{text}").as_bytes());
    let file = guide::file_of(check);
    let index = report.files.iter().position(|known| known.name == file);
    let mut artifact = json!({ "uri": file, "uriBaseId": BASE });
    if let (Some(fields), Some(index)) = (artifact.as_object_mut(), index) {
        fields.insert("index".to_owned(), json!(index));
    }
    Finding {
        rule_id: check.to_owned(),
        rule_index,
        kind,
        level,
        message: json!({ "text": escape(text) }),
        locations: [json!({ "physicalLocation": { "artifactLocation": artifact } })],
        partial_fingerprints: json!({ "finding/v1": print }),
    }
}
