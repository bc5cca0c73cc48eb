//! `cargo test`: libtest's text, whose machine form is not stable.
//!
//! In -> out: a run -> one [`Parsed`] for each failed test, each error of the compiler and each test program that died;
//! how many tests ran.
//! Invariant: with exit code 0 there is none, but each `running N tests` must have its result. Failed are the names right above `test result: FAILED`, as many as it
//! says.
//! Not here: `--message-format=json` (`rustc_json.rs`), whose lines are read too.

use std::collections::BTreeMap;

use super::{junit, rustc_json};
use crate::parsed::{Parsed, Place, Reading, Severity};
use crate::ran::{Ending, Ran};

/// Adds everything that failed.
pub fn read(ran: &Ran, reading: &mut Reading) {
    let (mut begun, mut ended) = (0_u64, 0_u64);
    for line in ran.texts().flat_map(str::lines) {
        begun += u64::from(running(line));
        if let Some((ran, skipped)) = result(line) {
            ended += 1;
            reading.count_tests(ran, skipped);
        }
    }
    if ran.ending == Ending::Code(0) {
        // Of output that was cut, the last program's result is there.
        if ended == 0 || (ended < begun && ran.missed_bytes == 0) {
            reading.broke.push(UNENDED.to_owned());
        }
        return;
    }
    rustc_json::read(ran, reading);
    for text in ran.texts() {
        let lines: Vec<&str> = text.lines().collect();
        failed_tests(&lines, reading);
    }
    around(ran, reading);
}

/// What stands around the tests: errors of the compiler, test programs that died.
pub(super) fn around(ran: &Ran, reading: &mut Reading) {
    for text in ran.texts() {
        let lines: Vec<&str> = text.lines().collect();
        compiler_errors(&lines, reading);
        let died = lines
            .iter()
            .filter(|line| line.contains("process didn't exit successfully") && line.contains("(signal: "));
        died.for_each(|line| reading.push_message(Severity::Major, line.trim().to_owned()));
    }
}

const UNENDED: &str = "a line `test result: ok.` is not there: no test program ran, or one ended before all of its tests had run";

/// `running 3 tests`.
fn running(line: &str) -> bool {
    let count = line.strip_prefix("running ").and_then(|rest| rest.split_once(' '));
    count.is_some_and(|(count, word)| matches!(word, "test" | "tests") && count.parse::<u64>().is_ok())
}

/// Tests that ran and that were passed over, of `test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured; ...`.
fn result(line: &str) -> Option<(u64, u64)> {
    let (word, parts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    if !matches!(word, "ok" | "FAILED") {
        return None;
    }
    let number = |word: &str| -> Option<u64> {
        parts.split("; ").find_map(|part| part.strip_suffix(word)?.strip_suffix(' ')?.parse().ok())
    };
    let ran = number("passed")?.saturating_add(number("failed")?);
    Some((ran.saturating_add(number("measured").unwrap_or(0)), number("ignored").unwrap_or(0)))
}

fn failed_tests(lines: &[&str], reading: &mut Reading) {
    let mut start = 0;
    for (end, line) in lines.iter().enumerate() {
        if !line.starts_with("test result: ") {
            continue;
        }
        let program = lines.get(start..end).unwrap_or(&[]);
        start = end;
        let Some(failed) = failed_count(line) else { continue };
        // The names, then an empty line.
        let names = program.iter().rev().skip_while(|line| line.is_empty()).take(failed);
        let mut names: Vec<&str> = names.filter_map(|line| line.strip_prefix("    ")).collect();
        names.reverse();
        let sections = sections(program);
        let section = |name| sections.get(name).map_or(&[][..], |section| *section);
        names.into_iter().for_each(|name| reading.push(failed_test(name, section(name))));
    }
}

/// What stands under `---- name stdout ----`, by name.
fn sections<'a, 'b>(program: &'b [&'a str]) -> BTreeMap<&'a str, &'b [&'a str]> {
    let name = |line: &&'a str| line.strip_prefix("---- ")?.strip_suffix(" stdout ----");
    let mut sections = BTreeMap::new();
    for (at, line) in program.iter().enumerate() {
        if let Some(name) = name(line) {
            let rest = program.get(at + 1..).unwrap_or(&[]);
            let is_end = |line: &&str| line.starts_with("---- ") || *line == "failures:";
            let end = rest.iter().position(is_end).unwrap_or(rest.len());
            sections.entry(name).or_insert(rest.get(..end).unwrap_or(rest));
        }
    }
    sections
}

/// `test result: FAILED. 1 passed; 2 failed; 0 ignored; ...`
fn failed_count(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("test result: FAILED. ")?;
    rest.split("; ").find_map(|part| part.strip_suffix(" failed"))?.parse().ok()
}

pub(super) fn failed_test(name: &str, section: &[&str]) -> Parsed {
    // Older compilers put the reason into the same line.
    let panic =
        section.iter().rposition(|line| line.starts_with("thread '") && line.contains(" panicked at "));
    // An example in the documentation panics in a file that rustdoc made.
    let place = of_documentation(name).or_else(|| junit::panic_place(section.get(panic?)?));
    let after = panic.map_or(0, |at| at + 1);
    let reason =
        section.iter().skip(after).find(|line| !line.trim().is_empty() && !line.starts_with("note: "));
    let message =
        reason.map_or(format!("FAILED {name}"), |reason| format!("FAILED {name}: {}", reason.trim()));
    Parsed { severity: Some(Severity::Major), message, place }
}

/// `src/lib.rs - add (line 3)`.
fn of_documentation(name: &str) -> Option<Place> {
    let (path, rest) = name.split_once(" - ")?;
    let (_, line) = rest.rsplit_once("(line ")?;
    Some(Place::new(path, line.split(')').next()?.parse().ok()?, None))
}

/// `error[E0425]: ...` and its ` --> src/lib.rs:3:5`.
fn compiler_errors(lines: &[&str], reading: &mut Reading) {
    for pair in lines.windows(2) {
        let [said, place] = pair else { continue };
        let Some(place) = place.trim_start().strip_prefix("--> ") else { continue };
        let Some((code, message)) = said.strip_prefix("error").and_then(|rest| rest.split_once(": ")) else {
            continue;
        };
        let mut parts = place.rsplitn(3, ':');
        let (column, row, path) = (parts.next(), parts.next(), parts.next());
        let (Some(path), Some(row)) = (path, row.and_then(|row| row.parse().ok())) else { continue };
        let code = code.trim_matches(['[', ']']);
        let message = if code.is_empty() { message.to_owned() } else { format!("{message} ({code})") };
        let place = Place::new(path, row, column.and_then(|column| column.parse().ok()));
        reading.push(Parsed { severity: Some(Severity::Major), message, place: Some(place) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_list_of_names_counts() {
        let lines = [
            "running 2 tests",
            "test a ... FAILED",
            "failures:",
            "---- a stdout ----",
            "test b ... FAILED",
            "thread 'a' (7) panicked at src/lib.rs:9:5:",
            "assertion failed",
            "",
            "failures:",
            "    a",
            "",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ];
        let mut reading = Reading::default();
        failed_tests(&lines, &mut reading);
        let place = Some(Place::new("src/lib.rs", 9, Some(5)));
        let message = "FAILED a: assertion failed".to_owned();
        assert_eq!(reading.parsed, [Parsed { severity: Some(Severity::Major), message, place }]);
        assert!(running(lines[0]) && !running("running 2 miles"));
        assert_eq!(result(lines[11]), Some((2, 0)));
        assert_eq!(
            result("test result: ok. 0 passed; 0 failed; 3 ignored; 1 measured; 0 filtered out"),
            Some((1, 3))
        );
        assert_eq!(result("test result: unknown"), None);
    }

    #[test]
    fn a_compilers_error_has_code_and_place() {
        let lines =
            ["error[E0425]: cannot find `x`", " --> src/lib.rs:2:5", "error: could not compile", "  |"];
        let mut reading = Reading::default();
        compiler_errors(&lines, &mut reading);
        assert_eq!(reading.parsed.len(), 1);
        assert_eq!(reading.parsed[0].message, "cannot find `x` (E0425)");
        assert_eq!(reading.parsed[0].place, Some(Place::new("src/lib.rs", 2, Some(5))));
    }
}
