//! TAP, the Test Anything Protocol, 12 to 14: `prove`'s programs, `node --test`, bats, tape, pgTAP.
//!
//! In -> out: a run -> one [`Parsed`] for each test point that is `not ok`, but for those that are still to be done (`TODO`);
//! how many tests ran.
//! Invariant: only points at the beginning of a line count, as many as the plan says: those of subtests are within their
//! test's. Results are in the stream, whatever the exit code is.
//! Not here: which program wrote which line: the protocol does not tell.

use std::collections::BTreeMap;

use crate::parsed::{Parsed, Place, Reading, Severity};
use crate::ran::Ran;

const UNPLANNED: &str = "a plan, such as `1..3`, is not there: it ended before";

/// Adds every test that failed; whether there was a plan or a point.
pub fn read(ran: &Ran, reading: &mut Reading) -> bool {
    let told = told(ran.stderr);
    let mut any = false;
    for text in ran.documents() {
        any |= read_stream(text, &told, reading);
    }
    any
}

/// What may be several streams one behind the other, each with its own plan.
fn read_stream(text: &str, told: &BTreeMap<&str, Place>, reading: &mut Reading) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let (mut planned, mut points, mut plans) = (0_u64, 0_u64, 0_u64);
    let (mut ran, mut skipped) = (0_u64, 0_u64);
    for (at, line) in lines.iter().enumerate() {
        if let Some(why) = line.strip_prefix("Bail out!") {
            reading.broke.push(format!("it bailed out: {}", why.trim()));
        } else if let Some(count) = plan(line) {
            plans += 1;
            planned = planned.saturating_add(count);
        } else if let Some(point) = Point::of(line) {
            points += 1;
            match point.directive {
                Some(Directive::Skip) => skipped += 1,
                _ => ran += 1,
            }
            if !point.is_ok && point.directive.is_none() {
                reading.push(point.failed(lines.get(at + 1..).unwrap_or(&[]), told));
            }
        }
    }
    if plans == 0 && points == 0 {
        return false;
    }
    if plans == 0 {
        reading.broke.push(UNPLANNED.to_owned());
    } else if planned != points {
        reading.broke.push(format!("its plan is {planned} tests, and {points} were there"));
    }
    reading.count_tests(ran, skipped);
    true
}

/// `1..3`, `1..0 # SKIP no database`.
fn plan(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("1..")?;
    let (count, after) = rest.split_once([' ', '#']).unwrap_or((rest, ""));
    (after.is_empty() || rest.contains('#')).then_some(count)?.trim().parse().ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directive {
    Skip,
    Todo,
}

/// `not ok 2 - subtracts # TODO later`.
#[derive(Debug, PartialEq, Eq)]
struct Point<'a> {
    is_ok: bool,
    /// Its number, if it has no name.
    name: &'a str,
    directive: Option<Directive>,
}

impl<'a> Point<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (is_ok, rest) = match line.strip_prefix("not ok") {
            Some(rest) => (false, rest),
            None => (true, line.strip_prefix("ok")?),
        };
        if !rest.is_empty() && !rest.starts_with(' ') {
            return None;
        }
        let (said, directive) = split_directive(rest.trim());
        let digits = said.len() - said.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let (number, name) = said.split_at_checked(digits).unwrap_or((said, ""));
        // `2nd try` is a name.
        let (number, name) = match name.is_empty() || name.starts_with(' ') {
            true => (number, name.trim().trim_start_matches('-').trim()),
            false => ("", said),
        };
        Some(Self { is_ok, name: if name.is_empty() { number } else { name }, directive })
    }

    /// `after`: the lines below it.
    fn failed(&self, after: &[&str], told: &BTreeMap<&str, Place>) -> Parsed {
        let name = self.name.replace("\\#", "#");
        let mut place = told.get(name.as_str()).cloned();
        let mut reason = None;
        let about =
            after.iter().take_while(|line| line.starts_with([' ', '#']) && !line.starts_with("# Subtest"));
        for line in about {
            let line = line.trim_start_matches('#').trim();
            if let Some(found) = yaml(line, "location").and_then(column_place).or_else(|| said_place(line)) {
                place.get_or_insert(found);
            } else if let Some(found) = yaml(line, "error").or_else(|| yaml(line, "message")) {
                reason.get_or_insert(found);
            }
        }
        let reason = reason.filter(|reason| !matches!(*reason, "" | "|-" | "|" | ">-" | ">"));
        let message = match reason {
            Some(reason) => format!("FAILED {name}: {reason}"),
            None => format!("FAILED {name}"),
        };
        Parsed { severity: Some(Severity::Major), message, place }
    }
}

/// What stands before an unescaped `#`, and what it says if that is a directive.
fn split_directive(text: &str) -> (&str, Option<Directive>) {
    for (at, _) in text.rmatch_indices('#') {
        let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
        let word = after.trim_start_matches('#').trim_start();
        let is = |directive: &str| word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(directive));
        let directive = match () {
            () if before.ends_with('\\') => None,
            () if is("skip") => Some(Directive::Skip),
            () if is("todo") => Some(Directive::Todo),
            () => None,
        };
        if directive.is_some() {
            return (before.trim(), directive);
        }
    }
    (text, None)
}

/// The value of a key of the block below a point.
fn yaml<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let value = line.strip_prefix(key)?.strip_prefix(':')?.trim();
    Some(value.trim_matches(['\'', '"']))
}

/// `src/sum.test.mjs:3:1`.
fn column_place(text: &str) -> Option<Place> {
    let (rest, column) = text.rsplit_once(':')?;
    let (path, line) = rest.rsplit_once(':')?;
    Some(Place::new(path.strip_prefix("file://").unwrap_or(path), line.parse().ok()?, column.parse().ok()))
}

/// `at t/calc.t line 6.` of Perl, `(in test file test/calc.bats, line 3)` of bats.
fn said_place(line: &str) -> Option<Place> {
    let perl = line.strip_prefix("at ").and_then(|rest| rest.strip_suffix('.')?.rsplit_once(" line "));
    let bats = || line.strip_prefix("(in test file ")?.strip_suffix(')')?.rsplit_once(", line ");
    let (path, number) = perl.or_else(bats)?;
    Some(Place::new(path, number.parse().ok()?, None))
}

/// What Perl's tests say on their error stream: `#   Failed test 'adds'`, and below it where.
fn told(stderr: &str) -> BTreeMap<&str, Place> {
    let mut told = BTreeMap::new();
    let mut lines = stderr.lines().map(|line| line.trim_start_matches('#').trim()).peekable();
    while let Some(line) = lines.next() {
        let name = line.strip_prefix("Failed test '").and_then(|rest| rest.strip_suffix('\''));
        if let (Some(name), Some(place)) = (name, lines.peek().and_then(|line| said_place(line))) {
            told.entry(name).or_insert(place);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_a_name_and_a_directive() {
        for (line, is_ok, name, directive) in [
            ("ok 1 - adds", true, "adds", None),
            ("not ok 2 subtracts", false, "subtracts", None),
            ("ok", true, "", None),
            ("not ok 7", false, "7", None),
            ("not ok 2nd try", false, "2nd try", None),
            ("not ok 4 - not yet # TODO later", false, "not yet", Some(Directive::Todo)),
            ("ok 5 # skip no network", true, "5", Some(Directive::Skip)),
            ("not ok 6 - issue \\# TODO is a word", false, "issue \\# TODO is a word", None),
            ("not ok 6 - issue #12", false, "issue #12", None),
        ] {
            assert_eq!(Point::of(line), Some(Point { is_ok, name, directive }), "{line}");
        }
        for line in ["okay", "not okay", " ok 1", "# ok 1", "TAP version 14", "notok 1"] {
            assert_eq!(Point::of(line), None, "{line}");
        }
        assert_eq!(
            ["1..3", "1..0 # SKIP no database", "1..x", "1..2 words"].map(plan),
            [Some(3), Some(0), None, None]
        );
    }
}
