//! Runs build, test, lint and security commands and reads findings from their output.
//!
//! In -> out: the checks in the settings -> findings, at most 1000.
//! Units: of each stream the first 1 MiB is read.
//! Invariant: a command that cannot run is a failure, never an empty list.
//! Not here: what is checked (`check.rs`), what an output means (`judge.rs` and one file a format).

pub mod check;
pub mod judge;
pub mod parsed;
pub mod path_line_col;
pub mod pytest;
pub mod rustc_json;
pub mod unittest;

use std::time::Duration;

use orch_sdk::process::{Command, Exit, Output};
use orch_sdk::{Error, Failure, Subject, Verifier, log, settings};

use crate::check::{Category, Check, Settings};
use crate::judge::{Ending, Finding, Ran, judge, within_limit};
use crate::parsed::Severity;

const CAPTURE_BYTES: u32 = 1024 * 1024;

pub struct CommandVerifier;

impl Verifier for CommandVerifier {
    fn verify(_subject: Subject) -> Result<Vec<orch_sdk::Finding>, Failure> {
        let settings = Settings::parse(&settings::read()).map_err(Failure::new)?;
        let mut findings = Vec::new();
        for check in &settings.checks {
            let output = run(check)?;
            let found = judge_output(check, &output);
            log::info(format_args!("check `{}`: {:?}, {} findings", check.name, output.exit, found.len()));
            findings.extend(found);
        }
        Ok(within_limit(findings).into_iter().map(to_wit).collect())
    }
}

orch_sdk::export!(verifier: CommandVerifier);

fn run(check: &Check) -> Result<Output, Failure> {
    let mut words = check.command.iter();
    let program = words.next().map_or("", String::as_str);
    let mut command = Command::new(program).args(words).directory(&check.directory).capture(CAPTURE_BYTES);
    if check.timeout_ms > 0 {
        command = command.timeout(Duration::from_millis(check.timeout_ms));
    }
    command.run().map_err(|error| cannot_run(check, program, &error))
}

fn cannot_run(check: &Check, program: &str, error: &Error) -> Failure {
    let message = format!("check `{}`: cannot run `{program}`: {error}", check.name);
    Failure { message, retriable: *error == Error::Unavailable }
}

fn judge_output(check: &Check, output: &Output) -> Vec<Finding> {
    let missed =
        |captured: &[u8], all: u64| all.saturating_sub(u64::try_from(captured.len()).unwrap_or(u64::MAX));
    let ran = Ran {
        ending: match output.exit {
            Exit::Code(code) => Ending::Code(code),
            Exit::Signal(signal) => Ending::Signal(signal),
            Exit::TimedOut => Ending::TimedOut,
        },
        stdout: &output.stdout_text(),
        stderr: &output.stderr_text(),
        missed_bytes: missed(&output.stdout, output.stdout_bytes)
            .saturating_add(missed(&output.stderr, output.stderr_bytes)),
        duration_ms: u64::try_from(output.duration.as_millis()).unwrap_or(u64::MAX),
    };
    judge(check, &ran)
}

fn to_wit(finding: Finding) -> orch_sdk::Finding {
    orch_sdk::Finding {
        severity: match finding.severity {
            Severity::Major => orch_sdk::Severity::Major,
            Severity::Medium => orch_sdk::Severity::Medium,
            Severity::Minor => orch_sdk::Severity::Minor,
        },
        category: match finding.category {
            Category::Build => orch_sdk::Category::Build,
            Category::Test => orch_sdk::Category::Test,
            Category::Lint => orch_sdk::Category::Lint,
            Category::Security => orch_sdk::Category::Security,
            Category::Custom => orch_sdk::Category::Custom,
        },
        message: finding.message,
        location: finding.location,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> Check {
        let json = r#"{"checks": [{"name": "lint", "category": "lint", "command": ["ruff", "check"],
                       "format": "path-line-col"}]}"#;
        Settings::parse(json).unwrap().checks.remove(0)
    }

    #[test]
    fn what_cannot_run_is_a_failure_that_names_the_check() {
        let failure = cannot_run(&check(), "ruff", &Error::NotFound);
        assert_eq!(failure, Failure::new("check `lint`: cannot run `ruff`: not found"));
        assert!(cannot_run(&check(), "ruff", &Error::Unavailable).retriable);
    }

    #[test]
    fn an_output_becomes_findings_of_the_host() {
        let output = Output {
            exit: Exit::Code(1),
            stdout: b"a.py:3:1: E501 too long \xff\n".to_vec(),
            stderr: Vec::new(),
            stdout_bytes: 30,
            stderr_bytes: 0,
            duration: Duration::from_millis(5),
        };
        let findings: Vec<_> = judge_output(&check(), &output).into_iter().map(to_wit).collect();
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].location.as_deref(), Some("a.py:3"));
        assert_eq!(findings[0].message, "lint: E501 too long \u{fffd}");
        assert_eq!(findings[0].severity, orch_sdk::Severity::Medium);
        assert_eq!(findings[0].category, orch_sdk::Category::Lint);
        assert_eq!(findings[1].message, "lint: 4 bytes of output were not read, so findings may be missing");
    }
}
