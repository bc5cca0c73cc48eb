//! From one command's end and what it wrote to findings.
//!
//! In -> out: ([`Check`], [`Ran`]) -> [`Findings`].
//! Units: messages at most 2048 bytes, one line each.
//! Invariant: a command that did not succeed gives at least one finding, and a tool that did not do its work, or a
//! check that ran no test, a major one.
//! Not here: running it (`lib.rs`); a command that cannot run is a failure there, never an empty list. Exit codes of
//! tools (`format.rs`).

use crate::check::Check;
use crate::findings::{Finding, Findings};
use crate::format::{Format, Meaning};
use crate::parsed::{Parsed, Place, Severity};
use crate::places::Places;
use crate::ran::{Ending, Ran};
use crate::text::one_line;

const MESSAGE_BYTES_MAX: usize = 2048;
const LOCATION_BYTES_MAX: usize = 1024;
const TAIL_LINES_MAX: usize = 8;
const BROKE_MAX: usize = 20;

/// Adds every finding of one command, each once.
pub fn judge(check: &Check, ran: &Ran, findings: &mut Findings) {
    let reading = check.format.read(ran);
    let severity_of =
        |said: Option<Severity>| check.severity.or(said).unwrap_or_else(|| check.default_severity());
    let explained = reading.parsed.iter().any(|parsed| check.format.explains_failure(parsed.severity));
    let said_before = findings.count();
    for (severity, count) in reading.left_out() {
        findings.leave_out(severity_of(severity), check.category, count);
    }
    for parsed in reading.parsed {
        let severity = severity_of(parsed.severity);
        findings.push(finding(check, ran.places, severity, parsed));
    }
    let own = |severity, message: &str| {
        let message = one_line(&format!("{}: {message}", check.name), MESSAGE_BYTES_MAX);
        Finding { severity, category: check.category, message, location: None }
    };
    for why in ran.report_faults.iter().chain(&reading.broke).take(BROKE_MAX) {
        let message = format!("`{}` did not do its work: {why}", check.command.join(" "));
        findings.push(own(Severity::Major, &message));
    }
    let broke = !reading.broke.is_empty() || !ran.report_faults.is_empty();
    match ran.ending {
        Ending::Code(code) => match check.format.meaning(code) {
            Meaning::DidNotWork(why) => {
                findings
                    .push(own(Severity::Major, &ending_message(check, ran, &format!(" ({why})"), explained)));
            }
            Meaning::Found if check.format == Format::Plain => {
                let severity = check.severity.unwrap_or_else(|| check.default_severity());
                findings.push(own(severity, &ending_message(check, ran, "", explained)));
            }
            Meaning::Found if !explained && !broke => {
                findings.push(own(Severity::Major, &ending_message(check, ran, "", explained)));
            }
            Meaning::Found | Meaning::Well => {}
        },
        Ending::Signal(_) | Ending::TimedOut => {
            findings.push(own(Severity::Major, &ending_message(check, ran, "", explained)));
        }
    }
    if reading.tests == Some(0) && findings.count() == said_before {
        let skipped = match reading.skipped {
            0 => String::new(),
            count => format!(": {count} skipped"),
        };
        findings.push(own(Severity::Major, &format!("`{}` ran no test{skipped}", check.command.join(" "))));
    }
    if findings.count() > said_before && ran.missed_bytes > 0 && check.format != Format::Plain {
        let message = format!("{} bytes were not read, so findings may be missing", ran.missed_bytes);
        findings.push(own(Severity::Minor, &message));
    }
}

fn finding(check: &Check, places: &Places, severity: Severity, parsed: Parsed) -> Finding {
    let Parsed { message, place, .. } = parsed;
    let (location, message) = match place {
        None => (None, message),
        Some(place) => match location(&place, places) {
            Some(location) => (Some(location), message),
            None => (None, format!("{}: {message}", written(&place.path, &place))),
        },
    };
    let message = one_line(&format!("{}: {message}", check.name), MESSAGE_BYTES_MAX);
    Finding { severity, category: check.category, message, location }
}

/// None for a path outside, or that the host would not take.
fn location(place: &Place, places: &Places) -> Option<String> {
    let location = written(&places.inside(&place.path)?, place);
    (location.len() <= LOCATION_BYTES_MAX && !location.contains(char::is_control)).then_some(location)
}

fn written(path: &str, place: &Place) -> String {
    let column = place.column.map_or_else(String::new, |column| format!(":{column}"));
    format!("{path}:{}{column}", place.line)
}

/// With the last lines, unless what the command wrote is told already.
fn ending_message(check: &Check, ran: &Ran, why: &str, is_told: bool) -> String {
    let command = check.command.join(" ");
    let what = match ran.ending {
        Ending::Code(code) => format!("`{command}` exited with code {code}{why}"),
        Ending::Signal(signal) => format!("`{command}` was ended by signal {signal}"),
        Ending::TimedOut => format!("`{command}` did not end within {} ms", ran.duration_ms),
    };
    if is_told {
        return what;
    }
    let stream = [ran.stderr, ran.stdout].into_iter().find(|text| !text.trim().is_empty()).unwrap_or("");
    let has_words = |line: &&str| line.chars().any(char::is_alphanumeric);
    let lines = stream.lines().rev().filter(has_words).map(|line| line.trim_matches(['=', '!', ' ', '\t']));
    let mut lines: Vec<&str> = lines.take(TAIL_LINES_MAX).collect();
    if lines.is_empty() {
        return what;
    }
    lines.reverse();
    format!("{what}; its last lines: {}", lines.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Settings;
    use crate::places::Unknown;

    fn findings(more: &str, stdout: &str) -> Vec<Finding> {
        let json =
            format!(r#"{{"checks": [{{"name": "c", "category": "test", "command": ["x", "-y"]{more}}}]}}"#);
        let check = Settings::parse(&json).unwrap().checks.remove(0);
        let places = Places::new(check.path_prefix(), &Unknown);
        let ran = Ran {
            ending: Ending::Code(1),
            stdout,
            stderr: "",
            reports: None,
            report_faults: &[],
            missed_bytes: 0,
            duration_ms: 7,
            places: &places,
        };
        let mut findings = Findings::default();
        judge(&check, &ran, &mut findings);
        findings.within_limit()
    }

    #[test]
    fn the_same_finding_is_said_once() {
        let output = "a.py:1:1: bad\na.py:1:9: bad\na.py:1:1: bad\n";
        assert_eq!(findings(r#", "format": "path-line-col""#, output).len(), 2);
    }

    #[test]
    fn severity_and_prefix_are_the_checks() {
        let more = r#", "format": "path-line-col", "severity": "minor", "directory": "web/""#;
        let found = findings(more, "./a.py:1:1: error: bad\n/usr/x.h:3:5: error: bad\n");
        assert_eq!(found[0].severity, Severity::Minor);
        assert_eq!(found[0].location.as_deref(), Some("web/a.py:1:1"));
        assert_eq!((found[1].location.as_deref(), found[1].message.as_str()), (None, "c: /usr/x.h:3:5: bad"));
    }

    #[test]
    fn severity_is_not_that_of_a_tool_that_did_not_work() {
        let found = findings(r#", "format": "ruff", "severity": "minor""#, "no such option\n");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Major);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let found = findings("", &"ü".repeat(5000));
        assert!(found[0].message.len() <= MESSAGE_BYTES_MAX && found[0].message.ends_with('ü'));
    }
}
