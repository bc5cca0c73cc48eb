//! Runs build, test, lint and security commands and reads findings from what they write.
//!
//! In -> out: the checks in the settings -> findings, at most 1000.
//! Units: of each stream 1 MiB is read, of a longer one its beginning and its end.
//! Invariant: a command that cannot run is a failure, never an empty list; the checks after it run all the same.
//! Not here: what is checked (`check.rs`), what an output means (`judge.rs`, `format.rs`), files (`report.rs`).

pub mod check;
pub mod findings;
pub mod format;
pub mod judge;
pub mod parsed;
pub mod places;
pub mod ran;
mod report;
pub mod text;

use std::time::Duration;

use orch_sdk::process::{Command, Exit, Output};
use orch_sdk::{Error, Failure, Subject, Verifier, log, settings};

use crate::check::{Category, Check, Settings};
use crate::findings::{Finding, Findings};
use crate::judge::judge;
use crate::parsed::Severity;
use crate::places::{Asked, Places, Tree};
use crate::ran::{Ending, Ran};
use crate::report::{Fingerprints, Reports, Workspace};
use crate::text::without_escapes;

const CAPTURE_BYTES: u32 = 1024 * 1024;

pub struct CommandVerifier;

impl Verifier for CommandVerifier {
    fn verify(_subject: Subject) -> Result<Vec<orch_sdk::Finding>, Failure> {
        let settings = Settings::parse(&settings::read()).map_err(Failure::new)?;
        let tree = Asked::new(&Workspace);
        let mut findings = Findings::default();
        let looks: Vec<Result<(), Failure>> =
            settings.checks.iter().map(|check| look(check, &tree, &mut findings)).collect();
        let findings = findings.within_limit();
        match cannot_look(looks, &findings) {
            Some(failure) => Err(failure),
            None => Ok(findings.into_iter().map(to_wit).collect()),
        }
    }
}

fn look(check: &Check, tree: &dyn Tree, findings: &mut Findings) -> Result<(), Failure> {
    let before = read_reports(check)?.map(|reports| reports.fingerprints());
    let output = run(check)?;
    let reports = read_reports(check)?;
    let known = findings.count();
    judge_output(check, &output, reports, before.as_ref(), tree, findings);
    let found = findings.count() - known;
    log::info(format_args!("check `{}`: {:?}, {found} findings", check.name, output.exit));
    Ok(())
}

/// One failure for all checks that could not look, with the worst of what the others found: a failure brings no findings.
fn cannot_look(looks: Vec<Result<(), Failure>>, findings: &[Finding]) -> Option<Failure> {
    const FOUND_SHOWN: usize = 3;
    let failures: Vec<Failure> = looks.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        return None;
    }
    let retriable = failures.iter().all(|failure| failure.retriable);
    let mut parts: Vec<String> = failures.into_iter().map(|failure| failure.message).collect();
    let mut worst: Vec<&Finding> = findings.iter().collect();
    worst.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    if !worst.is_empty() {
        parts.push(format!("the other checks found {}", worst.len()));
    }
    let place =
        |finding: &Finding| finding.location.as_ref().map_or_else(String::new, |at| format!("{at}: "));
    parts.extend(worst.into_iter().take(FOUND_SHOWN).map(|finding| place(finding) + &finding.message));
    Some(Failure { message: parts.join("; "), retriable })
}

orch_sdk::export!(verifier: CommandVerifier);

fn run(check: &Check) -> Result<Output, Failure> {
    let mut words = check.command.iter();
    let program = words.next().map_or("", String::as_str);
    let mut command = Command::new(program).args(words).directory(&check.directory).capture(CAPTURE_BYTES);
    if check.timeout_ms > 0 {
        command = command.timeout(Duration::from_millis(check.timeout_ms));
    }
    command.run().map_err(|error| cannot(check, &format!("run `{program}`"), &error))
}

fn read_reports(check: &Check) -> Result<Option<Reports>, Failure> {
    let Some(glob) = check.report_glob() else { return Ok(None) };
    Reports::read(&glob).map(Some).map_err(|error| cannot(check, &format!("read `{glob}`"), &error))
}

fn cannot(check: &Check, what: &str, error: &Error) -> Failure {
    let message = format!("check `{}`: cannot {what}: {error}", check.name);
    Failure { message, retriable: *error == Error::Unavailable }
}

/// `before`: what the reports were before the command.
fn judge_output(
    check: &Check,
    output: &Output,
    reports: Option<Reports>,
    before: Option<&Fingerprints>,
    tree: &dyn Tree,
    findings: &mut Findings,
) {
    let missed =
        |captured: &[u8], all: u64| all.saturating_sub(u64::try_from(captured.len()).unwrap_or(u64::MAX));
    let before = before.filter(|_| check.format.has_times());
    let report_faults = reports.as_ref().map_or_else(Vec::new, |reports| reports.faults(before));
    let missed_bytes = match &reports {
        Some(_) => 0,
        None => missed(&output.stdout, output.stdout_bytes)
            .saturating_add(missed(&output.stderr, output.stderr_bytes)),
    };
    let (stdout, stderr) = (output.stdout_text(), output.stderr_text());
    let places = Places::new(check.path_prefix(), tree);
    let ran = Ran {
        ending: match output.exit {
            Exit::Code(code) => Ending::Code(code),
            Exit::Signal(signal) => Ending::Signal(signal),
            Exit::TimedOut => Ending::TimedOut,
        },
        stdout: &without_escapes(&stdout),
        stderr: &without_escapes(&stderr),
        reports: reports.as_ref().map(|reports| reports.texts.as_slice()),
        report_faults: &report_faults,
        missed_bytes,
        duration_ms: u64::try_from(output.duration.as_millis()).unwrap_or(u64::MAX),
        places: &places,
    };
    judge(check, &ran, findings);
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
    use crate::places::Unknown;

    fn check() -> Check {
        let json = r#"{"checks": [{"name": "lint", "category": "lint", "command": ["ruff", "check"],
                       "format": "path-line-col"}]}"#;
        Settings::parse(json).unwrap().checks.remove(0)
    }

    fn output(exit: Exit, stdout: &[u8]) -> Output {
        Output {
            exit,
            stdout: stdout.to_vec(),
            stderr: Vec::new(),
            stdout_bytes: 30,
            stderr_bytes: 0,
            duration: Duration::from_millis(5),
        }
    }

    fn judged(
        check: &Check,
        output: &Output,
        reports: Option<Reports>,
        before: Option<&Fingerprints>,
    ) -> Vec<Finding> {
        let mut findings = Findings::default();
        judge_output(check, output, reports, before, &Unknown, &mut findings);
        findings.within_limit()
    }

    #[test]
    fn what_cannot_run_is_a_failure_that_names_the_check() {
        let failure = cannot(&check(), "run `ruff`", &Error::NotFound);
        assert_eq!(failure, Failure::new("check `lint`: cannot run `ruff`: not found"));
        assert!(cannot(&check(), "run `ruff`", &Error::Unavailable).retriable);
    }

    #[test]
    fn all_that_cannot_run_is_one_failure_with_what_the_others_found() {
        let fault = |name: &str, retriable| {
            Err(Failure { message: format!("check `{name}`: cannot run"), retriable })
        };
        let finding = |severity, message: &str| Finding {
            severity,
            category: Category::Test,
            message: message.to_owned(),
            location: Some("a.py:3".to_owned()),
        };
        let found = [finding(Severity::Minor, "small"), finding(Severity::Major, "unit: broken")];
        assert_eq!(cannot_look(vec![Ok(()), Ok(())], &found), None);
        let failure = cannot_look(vec![fault("a", true), Ok(()), fault("b", false)], &found).unwrap();
        let expected = "check `a`: cannot run; check `b`: cannot run; the other checks found 2; a.py:3: unit: broken; a.py:3: small";
        assert_eq!(failure, Failure { message: expected.to_owned(), retriable: false });
        assert!(cannot_look(vec![fault("a", true)], &[]).unwrap().retriable);
    }

    #[test]
    fn an_output_becomes_findings_of_the_host() {
        let output = output(Exit::Code(1), b"a.py:3:1: \x1b[1mE501\x1b[0m too long \xff\n");
        let findings: Vec<_> = judged(&check(), &output, None, None).into_iter().map(to_wit).collect();
        assert_eq!(findings[0].location.as_deref(), Some("a.py:3:1"));
        assert_eq!(findings[0].message, "lint: E501 too long \u{fffd}");
        assert_eq!(findings[0].severity, orch_sdk::Severity::Medium);
        assert_eq!(findings[0].category, orch_sdk::Category::Lint);
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn output_that_was_not_read_is_said() {
        let output = Output { stdout_bytes: 100, ..output(Exit::Code(1), b"a.py:3:1: E501 too long\n") };
        let findings = judged(&check(), &output, None, None);
        assert_eq!(findings[1].message, "lint: 76 bytes were not read, so findings may be missing");
        assert_eq!(findings[1].severity, Severity::Minor);
    }

    #[test]
    fn a_runners_report_must_be_new() {
        let json = r#"{"checks": [{"name": "unit", "category": "test", "command": ["pytest"], "format": "pytest",
                       "report": "r.xml"}]}"#;
        let check = Settings::parse(json).unwrap().checks.remove(0);
        let reports = |said: &[(&str, &str)]| {
            let mut reports = Reports::default();
            said.iter().for_each(|(path, text)| reports.push((*path).to_owned(), (*text).to_owned()));
            reports
        };
        const GREEN: &str = "<testsuite tests=\"1\"><testcase name=\"x\"/></testsuite>";
        const NEWER: &str = "<testsuite tests=\"1\"><testcase name=\"x\" time=\"1\"/></testsuite>";
        let output = output(Exit::Code(0), b"");
        let messages = |now: &[(&str, &str)], before: &[(&str, &str)]| -> Vec<String> {
            let before = reports(before).fingerprints();
            let findings = judged(&check, &output, Some(reports(now)), Some(&before));
            findings.into_iter().map(|finding| finding.message).collect()
        };
        let old = |what| {
            format!("unit: `pytest` did not do its work: its report {what} is the one that was there before")
        };
        assert_eq!(messages(&[("a", GREEN)], &[("a", GREEN)]), [old("`a`")]);
        assert_eq!(messages(&[("a", GREEN)], &[]), [""; 0]);
        assert_eq!(messages(&[("a", NEWER), ("b", GREEN)], &[("a", GREEN), ("b", GREEN)]), [old("`b`")]);
        let three = [("a", GREEN), ("b", GREEN), ("c", GREEN)];
        assert_eq!(messages(&three, &three), [old("`a` (and 2 more)")]);
        assert_eq!(messages(&[("a", GREEN)], &[("b", GREEN)]), [""; 0]);
        let nothing = "unit: `pytest` did not do its work: nothing of its format was there to be read";
        assert_eq!(messages(&[], &[]), [nothing]);
    }
}
