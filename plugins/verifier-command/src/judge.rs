//! From one command's end and output to findings.
//!
//! In -> out: ([`Check`], [`Ran`]) -> [`Finding`]s.
//! Units: messages at most 2048 bytes, at most 1000 findings in all.
//! Invariant: a command that did not succeed gives at least one finding.
//! Not here: running it (`lib.rs`); a command that cannot run is a failure there, never an empty list.

use crate::check::{Category, Check, Format};
use crate::parsed::{Parsed, Severity};
use crate::{path_line_col, pytest, rustc_json, unittest};

/// The host takes no more from one call.
pub const FINDINGS_MAX: usize = 1000;
const MESSAGE_BYTES_MAX: usize = 2048;
const TAIL_LINES_MAX: usize = 8;

/// What the host is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub category: Category,
    pub message: String,
    /// `file:line`, relative to the workspace.
    pub location: Option<String>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Code(i32),
    Signal(i32),
    TimedOut,
}

/// A command that ran.
#[derive(Clone, Copy, Debug)]
pub struct Ran<'a> {
    pub ending: Ending,
    pub stdout: &'a str,
    pub stderr: &'a str,
    /// Bytes that it wrote and we did not get.
    pub missed_bytes: u64,
    pub duration_ms: u64,
}

/// Every finding of one command, each once.
#[must_use]
pub fn judge(check: &Check, ran: &Ran) -> Vec<Finding> {
    let parsed = read(check.format, ran);
    let explained = match check.format {
        // A build fails by errors; warnings do not explain it.
        Format::RustcJson => parsed.iter().any(|parsed| parsed.severity == Some(Severity::Major)),
        _ => !parsed.is_empty(),
    };
    let mut findings = Vec::new();
    for parsed in parsed {
        let finding = finding(check, parsed);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    let ended_well = ran.ending == Ending::Code(0);
    if !ended_well && (!explained || !matches!(ran.ending, Ending::Code(_))) {
        findings.push(own_finding(check, check.default_severity(), &ending_message(check, ran)));
    }
    if !ended_well && ran.missed_bytes > 0 && check.format != Format::Plain {
        let message =
            format!("{} bytes of output were not read, so findings may be missing", ran.missed_bytes);
        findings.push(own_finding(check, Severity::Minor, &message));
    }
    findings
}

/// At most [`FINDINGS_MAX`]; of more, the worst and then the first ones, and one that says how many are left out.
#[must_use]
pub fn within_limit(mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() <= FINDINGS_MAX {
        return findings;
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let left_out = findings.split_off(FINDINGS_MAX - 1);
    if let Some(worst) = left_out.first() {
        let message = format!("{} more findings are left out", left_out.len());
        findings.push(Finding {
            severity: worst.severity,
            category: worst.category,
            message,
            location: None,
        });
    }
    findings
}

fn read(format: Format, ran: &Ran) -> Vec<Parsed> {
    let parse = match format {
        Format::Unittest => unittest::parse,
        Format::Pytest => pytest::parse,
        Format::RustcJson => rustc_json::parse,
        Format::PathLineCol => path_line_col::parse,
        Format::Plain => return Vec::new(),
    };
    let mut parsed = parse(ran.stdout);
    parsed.append(&mut parse(ran.stderr));
    parsed
}

fn finding(check: &Check, parsed: Parsed) -> Finding {
    let severity = check.severity.or(parsed.severity).unwrap_or_else(|| check.default_severity());
    let prefix = check.path_prefix().trim_end_matches('/');
    let location = parsed.place.map(|place| match prefix {
        "" | "." => format!("{}:{}", place.path, place.line),
        _ => format!("{prefix}/{}:{}", place.path, place.line),
    });
    let message = start_of(&format!("{}: {}", check.name, parsed.message));
    Finding { severity, category: check.category, message, location }
}

/// A finding about the command itself.
fn own_finding(check: &Check, severity: Severity, message: &str) -> Finding {
    let severity = check.severity.unwrap_or(severity);
    let message = start_of(&format!("{}: {message}", check.name));
    Finding { severity, category: check.category, message, location: None }
}

fn ending_message(check: &Check, ran: &Ran) -> String {
    let command = check.command.join(" ");
    let what = match ran.ending {
        Ending::Code(code) => format!("`{command}` exited with code {code}"),
        Ending::Signal(signal) => format!("`{command}` was ended by signal {signal}"),
        Ending::TimedOut => format!("`{command}` did not end within {} ms", ran.duration_ms),
    };
    let stream = [ran.stderr, ran.stdout].into_iter().find(|text| !text.trim().is_empty()).unwrap_or("");
    let lines: Vec<&str> = stream.trim_end().lines().rev().take(TAIL_LINES_MAX).collect();
    if lines.is_empty() {
        return what;
    }
    let tail = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
    format!("{what}; its last lines:\n{tail}")
}

fn start_of(text: &str) -> String {
    let end =
        (0..=MESSAGE_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Settings;

    fn check(more: &str) -> Check {
        let json =
            format!(r#"{{"checks": [{{"name": "c", "category": "test", "command": ["x", "-y"]{more}}}]}}"#);
        Settings::parse(&json).unwrap().checks.remove(0)
    }

    fn ran<'a>(ending: Ending, stdout: &'a str, stderr: &'a str) -> Ran<'a> {
        Ran { ending, stdout, stderr, missed_bytes: 0, duration_ms: 7 }
    }

    fn messages(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.message.as_str()).collect()
    }

    #[test]
    fn success_without_output_is_no_finding() {
        for format in ["unittest", "pytest", "rustc-json", "path-line-col", "plain"] {
            let check = check(&format!(r#", "format": "{format}""#));
            assert_eq!(judge(&check, &ran(Ending::Code(0), "all is well\n", "")), [], "{format}");
        }
    }

    #[test]
    fn failure_without_readable_output_is_one_finding_with_the_code() {
        for format in ["unittest", "pytest", "rustc-json", "path-line-col", "plain"] {
            let check = check(&format!(r#", "format": "{format}""#));
            let findings = judge(&check, &ran(Ending::Code(2), "", "no such option\n"));
            assert_eq!(
                messages(&findings),
                ["c: `x -y` exited with code 2; its last lines:\nno such option"],
                "{format}"
            );
            assert_eq!(findings[0].severity, Severity::Major);
            assert_eq!(findings[0].location, None);
        }
    }

    #[test]
    fn signal_and_time_are_findings_besides_what_was_read() {
        let check = check(r#", "format": "path-line-col""#);
        let findings = judge(&check, &ran(Ending::Signal(11), "a.py:1:1: bad\n", ""));
        assert_eq!(
            messages(&findings),
            ["c: bad", "c: `x -y` was ended by signal 11; its last lines:\na.py:1:1: bad"]
        );
        let findings = judge(&check, &ran(Ending::TimedOut, "", ""));
        assert_eq!(messages(&findings), ["c: `x -y` did not end within 7 ms"]);
    }

    #[test]
    fn warnings_do_not_explain_a_failed_build() {
        let check = check(r#", "format": "rustc-json""#);
        let warning = r#"{"level":"warning","message":"unused","code":null,"spans":[]}"#;
        let findings = judge(&check, &ran(Ending::Code(101), warning, "linker not found\n"));
        assert_eq!(findings.len(), 2);
        assert!(findings[1].message.contains("exited with code 101"));
        assert_eq!(judge(&check, &ran(Ending::Code(0), warning, "")).len(), 1);
    }

    #[test]
    fn the_same_finding_is_said_once() {
        let check = check(r#", "format": "path-line-col""#);
        let findings =
            judge(&check, &ran(Ending::Code(1), "a.py:1:1: bad\na.py:1:9: bad\na.py:2:1: bad\n", ""));
        assert_eq!(findings.len(), 2);
    }

    #[test]
    fn severity_and_prefix_are_the_checks() {
        let check = check(r#", "format": "path-line-col", "severity": "minor", "directory": "web/""#);
        let findings = judge(&check, &ran(Ending::Code(1), "./a.py:1:1: error: bad\n", ""));
        assert_eq!(findings[0].severity, Severity::Minor);
        assert_eq!(findings[0].location.as_deref(), Some("web/a.py:1"));
    }

    #[test]
    fn output_that_was_not_read_is_said() {
        let check = check(r#", "format": "path-line-col""#);
        let ran = Ran { missed_bytes: 9, ..ran(Ending::Code(1), "a.py:1:1: bad\n", "") };
        let findings = judge(&check, &ran);
        assert_eq!(messages(&findings)[1], "c: 9 bytes of output were not read, so findings may be missing");
        assert_eq!(findings[1].severity, Severity::Minor);
    }

    #[test]
    fn of_too_many_the_worst_stay_and_the_rest_is_counted() {
        let minor = |number: usize| Finding {
            severity: Severity::Minor,
            category: Category::Lint,
            message: number.to_string(),
            location: None,
        };
        let mut findings: Vec<Finding> = (0..1000).map(minor).collect();
        assert_eq!(within_limit(findings.clone()), findings);
        findings.push(Finding { severity: Severity::Major, ..minor(1000) });
        let kept = within_limit(findings);
        assert_eq!(kept.len(), FINDINGS_MAX);
        assert_eq!((kept[0].severity, kept[0].message.as_str()), (Severity::Major, "1000"));
        assert_eq!(kept[999].message, "2 more findings are left out");
        assert_eq!(kept[999].severity, Severity::Minor);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let check = check("");
        let text = "ü".repeat(5000);
        let findings = judge(&check, &ran(Ending::Code(1), &text, ""));
        assert!(findings[0].message.len() <= MESSAGE_BYTES_MAX && findings[0].message.ends_with('ü'));
    }
}
