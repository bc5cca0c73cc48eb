//! What an examination says, for people and for machines.
//!
//! In -> out: [`Report`] -> text, JSON; SARIF and JUnit lie beside.
//! Invariant: text of the package is escaped; a status is a word, never a colour alone; times and digests of evidence
//! are shown for every check that has them.
//! Not here: printing (`orch-host`'s `console.rs`), SARIF (`report/sarif.rs`), JUnit (`report/junit.rs`).

pub mod junit;
pub mod sarif;

use orch_host::console::{escape, escape_cut};
use orch_trust::authority::Level;
use orch_trust::certificate::{CheckResult, CheckStatus, Measured, SelfCheck};
use orch_trust::dsse::Subject;
use orch_trust::inputs::Inputs;
use orch_trust::package::PackageBytes;
use orch_trust::time::UnixSeconds;
use serde_json::json;

use crate::examine::{Examination, Unmet};

const FINDING_CHARACTERS_MAX: usize = 400;
const EVIDENCE_CHARACTERS: usize = 12;

/// Everything that is shown of one package.
#[derive(Clone, Debug)]
pub struct Report {
    /// Id and version.
    pub plugin: String,
    pub files: Vec<Subject>,
    pub level: Level,
    pub results: Vec<CheckResult>,
    pub unmet: Vec<Unmet>,
    pub measured: Measured,
    /// What was looked at beside the package.
    pub inputs: Inputs,
    pub self_check: Option<SelfCheck>,
    /// Of the certificate, if there is one.
    pub valid_until: Option<UnixSeconds>,
    /// The certificate was there already; nothing ran.
    pub reused: bool,
}

impl Report {
    /// Of checks that just ran.
    pub fn of(plugin: &str, package: &PackageBytes, examination: &Examination) -> Self {
        Self {
            plugin: plugin.to_owned(),
            files: package.subjects(),
            level: examination.level,
            results: examination.results.clone(),
            unmet: examination.unmet.clone(),
            measured: examination.measured,
            inputs: examination.inputs.clone(),
            self_check: examination.self_check,
            valid_until: None,
            reused: false,
        }
    }

    fn passed(&self) -> bool {
        self.unmet.is_empty()
    }

    /// Required checks that no result is about.
    fn absent(&self) -> impl Iterator<Item = &str> {
        self.unmet.iter().filter(|unmet| unmet.found == "absent").map(|unmet| unmet.check.as_str())
    }
}

/// One line for a check that just ended.
pub fn progress(result: &CheckResult) -> String {
    let (id, status) = (escape(&result.id), result.status.as_str());
    match result.status {
        CheckStatus::Skipped => format!("{status:7}  {id}"),
        _ => format!("{status:7}  {id}  {} ms", result.duration_ms),
    }
}

/// A table: check, status, what was looked at, by what and how long; findings beneath.
pub fn text(report: &Report) -> String {
    let wide = report.results.iter().map(|result| result.id.len()).max().unwrap_or_default();
    let mut lines = vec![format!("plugin {} at level {}", escape(&report.plugin), report.level.as_str())];
    for result in &report.results {
        let line = format!("  {:wide$}  {:7}  {}", escape(&result.id), result.status.as_str(), how(result));
        lines.push(line.trim_end().to_owned());
        for finding in &result.findings {
            lines.push(format!("  {:wide$}    {}", "", escape_cut(finding, FINDING_CHARACTERS_MAX)));
        }
    }
    for check in report.absent() {
        lines.push(format!("  {check:wide$}  absent"));
    }
    lines.join("\n")
}

fn how(result: &CheckResult) -> String {
    let evidence: String = result.evidence_sha256.to_string().chars().take(EVIDENCE_CHARACTERS).collect();
    let tool = format!("{} {}", escape(&result.tool.name), escape(&result.tool.version));
    match result.status {
        CheckStatus::Skipped => String::new(),
        CheckStatus::Error => format!("{tool}, {} ms", result.duration_ms),
        _ => {
            format!("looked at {}, {tool}, {} ms, evidence {evidence}", result.looked_at, result.duration_ms)
        }
    }
}

/// The same as one object.
pub fn json(report: &Report) -> String {
    let unmet: Vec<&str> = report.unmet.iter().map(|unmet| unmet.check.as_str()).collect();
    let value = json!({
        "plugin": report.plugin,
        "level": report.level,
        "passed": report.passed(),
        "reused": report.reused,
        "checks": report.results,
        "measured": report.measured,
        "inputs": report.inputs,
        "selfCheck": report.self_check,
        "unmet": unmet,
        "validUntil": report.valid_until,
    });
    value.to_string()
}

#[cfg(test)]
mod tests;
