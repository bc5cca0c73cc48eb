//! `pytest`'s ordinary report, for runs that write no XML.
//!
//! In -> out: a run -> one [`Parsed`] for each failed test and error; with exit code 0 how many tests ran.
//! Invariant: with exit code 0 there is none, but its last line must be there, and say nothing else: a process that ends in
//! the middle of a test may end with 0. Otherwise the short summary says which there are, and the sections under `ERRORS` and
//! `FAILURES` where and why. What tests printed is under neither.
//! Not here: XML (`junit.rs`), tracebacks (`traceback.rs`).

use std::collections::BTreeMap;

use super::traceback;
use crate::parsed::{Parsed, Reading, Severity};
use crate::ran::{Ending, Ran};

const UNENDED: &str = "its last line, such as `3 passed in 0.1s`, is not there: it ran no test or ended before (`-qq` leaves the line out)";

/// Adds every failure and error.
pub fn read(ran: &Ran, reading: &mut Reading) {
    if ran.ending == Ending::Code(0) {
        match ran.texts().find_map(|text| text.lines().rev().find_map(|line| Some((line, count(line)?)))) {
            // The very line that has to be there: whoever hides an exit code (`|| true`) hides no failure.
            Some((line, Count { failed: 1.., .. })) => reading.broke.push(format!(
                "its last line says `{}`, though its exit code is 0",
                line.trim_matches('=').trim()
            )),
            Some((_, Count { ran, skipped, .. })) => reading.count_tests(ran, skipped),
            None => reading.broke.push(UNENDED.to_owned()),
        }
        return;
    }
    ran.texts().for_each(|text| read_text(text, reading));
}

/// Tests of a run.
#[derive(Debug, Default, PartialEq)]
struct Count {
    ran: u64,
    /// Of those that ran, with errors.
    failed: u64,
    skipped: u64,
}

/// Of `=== 2 passed, 1 skipped in 0.06s ===` or `2 tests collected in 0.01s`.
fn count(line: &str) -> Option<Count> {
    let (said, time) = line.trim_matches('=').trim().rsplit_once(" in ")?;
    time.split(' ').next()?.strip_suffix('s')?.parse::<f64>().ok()?;
    let mut counts = Count::default();
    if matches!(said, "no tests ran" | "no tests collected") {
        return Some(counts);
    }
    for part in said.split(", ") {
        let (count, word) = part.split_once(' ')?;
        let count: u64 = count.parse().ok()?;
        match word {
            "passed" | "xfailed" | "xpassed" => counts.ran = counts.ran.saturating_add(count),
            "failed" | "error" | "errors" => {
                counts.ran = counts.ran.saturating_add(count);
                counts.failed = counts.failed.saturating_add(count);
            }
            "skipped" => counts.skipped = counts.skipped.saturating_add(count),
            _ => {}
        }
    }
    Some(counts)
}

fn read_text(output: &str, reading: &mut Reading) {
    let sections = sections(output);
    let Some(summary) = summary(output) else {
        sections.iter().for_each(|section| reading.push(section.parsed(None)));
        return;
    };
    let mut titles = Titles::of(&sections);
    for entry in summary {
        reading.push(match titles.take(&entry) {
            Some(section) => section.parsed(entry.reason()),
            None => entry.parsed(),
        });
    }
}

/// Sections by what they are about: of an error or not, and the test's name.
struct Titles<'a> {
    sections: BTreeMap<(bool, String), Vec<&'a Section<'a>>>,
}

impl<'a> Titles<'a> {
    fn of(sections: &'a [Section<'a>]) -> Self {
        let mut titles = Self { sections: BTreeMap::new() };
        for section in sections {
            let key = (section.title.starts_with("ERROR "), section.subject().to_owned());
            titles.sections.entry(key).or_default().push(section);
        }
        titles
    }

    /// The section about it, once: of the same file if any is, or at least of the same name.
    fn take(&mut self, entry: &Entry) -> Option<&'a Section<'a>> {
        let is_error = entry.word == "ERROR";
        let file = entry.file();
        let names = entry.nodes().map(|node| tested(&node)).chain([file.to_owned()]);
        for name in names {
            let Some(about) = self.sections.get_mut(&(is_error, name)) else { continue };
            let in_file = about.iter().position(|section| section.subject() == file || section.names(file));
            let index = in_file.unwrap_or(0);
            if index < about.len() {
                return Some(about.remove(index));
            }
        }
        None
    }
}

/// `TestDivide.test_zero[a]` of `tests/test_calc.py::TestDivide::test_zero[a]`; a file is named by itself.
fn tested(node: &str) -> String {
    let Some((_, name)) = node.split_once("::") else { return node.to_owned() };
    // Parameters may have `::` themselves.
    let (name, parameters) = name.find('[').and_then(|at| name.split_at_checked(at)).unwrap_or((name, ""));
    format!("{}{parameters}", name.replace("::", "."))
}

/// What stands under one line of underscores.
struct Section<'a> {
    /// `TestDivide.test_zero`, `ERROR at setup of test_x`, `ERROR collecting tests/test_x.py`.
    title: &'a str,
    lines: Vec<&'a str>,
}

fn sections(output: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section> = Vec::new();
    // Under `ERRORS` or `FAILURES`; inside of a section, and before what its test printed.
    let (mut wanted, mut open) = (false, false);
    for line in output.lines() {
        if let Some(heading) = heading(line, '=') {
            (wanted, open) = (matches!(heading, "ERRORS" | "FAILURES"), false);
        } else if !wanted {
        } else if let Some(title) = heading(line, '_').filter(|title| !title.starts_with("_ ")) {
            sections.push(Section { title, lines: Vec::new() });
            open = true;
        } else if heading(line, '-').is_some_and(|title| title.starts_with("Captured ")) {
            open = false;
        } else if let Some(section) = sections.last_mut()
            && open
        {
            section.lines.push(line);
        }
    }
    sections
}

/// `=== title ===`, of any mark.
fn heading(line: &str, mark: char) -> Option<&str> {
    let after = line.strip_prefix(mark)?.trim_start_matches(mark);
    let title = after.strip_suffix(mark)?.trim_end_matches(mark);
    let title = title.strip_prefix(' ')?.strip_suffix(' ')?.trim();
    (!title.is_empty()).then_some(title)
}

impl Section<'_> {
    /// `reason`: what the summary says, if nothing better is known.
    fn parsed(&self, reason: Option<&str>) -> Parsed {
        let lines = || self.lines.iter().copied();
        let title = match self.title.starts_with("ERROR ") {
            true => self.title.to_owned(),
            false => format!("FAILED {}", self.title),
        };
        let message = match traceback::reason(lines()).or(reason) {
            Some(reason) => format!("{title}: {reason}"),
            None => title,
        };
        Parsed { severity: Some(Severity::Major), message, place: traceback::place(lines()) }
    }

    /// The title without what pytest puts in front.
    fn subject(&self) -> &str {
        ["ERROR collecting ", "ERROR at setup of ", "ERROR at teardown of "]
            .iter()
            .find_map(|start| self.title.strip_prefix(start))
            .unwrap_or(self.title)
    }

    fn names(&self, file: &str) -> bool {
        let ends =
            |path: &str| path == file || path.strip_suffix(file).is_some_and(|rest| rest.ends_with('/'));
        let frames = |line: &&str| {
            traceback::frame(line)
                .or_else(|| traceback::python_frame(line))
                .is_some_and(|place| ends(&place.path))
        };
        self.lines.iter().any(frames)
    }
}

/// One line of the short summary.
struct Entry<'a> {
    /// `FAILED`, `ERROR`, `SUBFAILED(x)`.
    word: &'a str,
    /// `tests/test_calc.py::TestDivide::test_zero - reason`; an id may itself have ` - `.
    rest: &'a str,
}

impl<'a> Entry<'a> {
    fn file(&self) -> &'a str {
        self.rest.split("::").next().and_then(|file| file.split(" - ").next()).unwrap_or(self.rest)
    }

    /// What may be the test's id, the longest first: the line up to each ` - `. Of a subtest, the title goes on with
    /// what stands in the word.
    fn nodes(&self) -> impl Iterator<Item = String> {
        let (rest, ends) = (self.rest, self.rest.rmatch_indices(" - ").map(|(at, _)| at));
        let subtest = self.word.find(['[', '(']).and_then(|at| self.word.get(at..));
        let nodes = std::iter::once(rest.len()).chain(ends).filter_map(move |end| rest.get(..end));
        nodes.map(move |node| subtest.map_or(node.to_owned(), |subtest| format!("{node} {subtest}")))
    }

    fn reason(&self) -> Option<&'a str> {
        self.rest.rsplit_once(" - ").map(|(_, reason)| reason.trim()).filter(|reason| !reason.is_empty())
    }

    fn parsed(&self) -> Parsed {
        let (node, reason) = self
            .rest
            .split_once(" - ")
            .map_or((self.rest, String::new()), |(node, reason)| (node, format!(": {reason}")));
        let message = format!("{} {node}{reason}", self.word);
        Parsed { severity: Some(Severity::Major), message, place: None }
    }
}

/// The last short summary; none: there is none.
fn summary(output: &str) -> Option<Vec<Entry<'_>>> {
    let lines: Vec<&str> = output.lines().collect();
    let start = lines.iter().rposition(|line| heading(line, '=') == Some("short test summary info"))?;
    let entries =
        lines.iter().skip(start + 1).take_while(|line| !line.starts_with("===")).filter_map(|line| {
            let is_word = |word: &str| matches!(word, "FAILED" | "ERROR") || word.starts_with("SUBFAIL");
            let (word, rest) = parts(line)?;
            is_word(word).then_some(Entry { word, rest })
        });
    Some(entries.collect())
}

/// `FAILED tests/...`; `SUBFAILED[part] (number=1) tests/...` has spaces in front of its id.
fn parts(line: &str) -> Option<(&str, &str)> {
    if !line.starts_with("SUBFAIL") {
        return line.split_once(' ');
    }
    let is_id = |rest: &str| rest.split(' ').next().is_some_and(|id| id.contains(".py") || id.contains("::"));
    let at = line.match_indices(' ').map(|(at, _)| at).find(|at| line.get(at + 1..).is_some_and(is_id))?;
    Some((line.get(..at)?, line.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(output: &str) -> Vec<Parsed> {
        let mut reading = Reading::default();
        read_text(output, &mut reading);
        reading.parsed
    }

    fn messages(output: &str) -> Vec<String> {
        parse(output).into_iter().map(|parsed| parsed.message).collect()
    }

    #[test]
    fn the_last_line_says_how_many_ran() {
        for (line, expected) in [
            (
                "============================== 2 passed in 0.06s ===============================",
                Some((2, 0, 0)),
            ),
            ("1 passed, 3 deselected in 0.01s", Some((1, 0, 0))),
            ("2 passed, 1 skipped, 1 xfailed, 1 xpassed, 3 warnings in 63.01s (0:01:03)", Some((4, 0, 1))),
            ("1 failed, 3 passed, 2 errors in 0.12s", Some((6, 3, 0))),
            (
                "============================== 1 skipped in 0.01s ==============================",
                Some((0, 0, 1)),
            ),
            (
                "========================== 4 tests collected in 0.01s ==========================",
                Some((0, 0, 0)),
            ),
            ("no tests ran in 0.00s", Some((0, 0, 0))),
            ("pytest 9.2.0", None),
            ("2 passed in time", None),
            ("all passed in 0.1s", None),
        ] {
            let counted = count(line).map(|Count { ran, failed, skipped }| (ran, failed, skipped));
            assert_eq!(counted, expected, "{line}");
        }
    }

    #[test]
    fn a_summary_alone_is_enough() {
        let output = "=== short test summary info ===\nFAILED tests/test_a.py::test_x - assert 1 == 2\nERROR tests/test_b.py\n=== 2 failed ===\n";
        assert_eq!(
            messages(output),
            ["FAILED tests/test_a.py::test_x: assert 1 == 2", "ERROR tests/test_b.py"]
        );
    }

    #[test]
    fn sections_alone_are_enough() {
        let output = "=== FAILURES ===\n_ test_x _\n\nE   assert 1\n\na.py:3: AssertionError\n=== 1 failed in 0.1s ===\n";
        assert_eq!(messages(output), ["FAILED test_x: assert 1"]);
    }

    #[test]
    fn the_same_test_name_in_two_files_is_two_findings() {
        let output = "=== FAILURES ===\n___ test_x ___\n\nE   assert 1\n\ntests/test_a.py:3: AssertionError\n\
                      ___ test_x ___\n\nE   assert 2\n\ntests/test_b.py:4: AssertionError\n\
                      === short test summary info ===\nFAILED tests/test_b.py::test_x - assert 2\nFAILED tests/test_a.py::test_x - assert 1\n";
        let places: Vec<_> = parse(output).into_iter().map(|parsed| parsed.place.unwrap().path).collect();
        assert_eq!(places, ["tests/test_b.py", "tests/test_a.py"]);
    }

    #[test]
    fn an_id_with_a_dash_and_a_test_without_lines_are_said_once() {
        let output = "=== FAILURES ===\n___ test_x[a - b] ___\nE   assert 0\na.py:3: AssertionError\n___ test_y ___\n[XPASS(strict)] why\n\
                      === short test summary info ===\nFAILED a.py::test_x[a - b] - assert 0\nFAILED a.py::test_y - [XPASS(strict)] why\n=== 2 failed ===\n";
        assert_eq!(
            messages(output),
            ["FAILED test_x[a - b]: assert 0", "FAILED test_y: [XPASS(strict)] why"]
        );
    }

    #[test]
    fn a_subtest_is_named() {
        let output = "=== short test summary info ===\nSUBFAILED(i=1, j=2) a.py::T::test_x - assert 0\n=== 1 failed ===\n";
        assert_eq!(messages(output), ["SUBFAILED(i=1, j=2) a.py::T::test_x: assert 0"]);
    }

    #[test]
    fn what_a_test_printed_is_nothing() {
        let printed = "___ test_z ___\nb.py:9: x\nFAILED b.py::test_q - no";
        let output = format!(
            "=== FAILURES ===\n___ test_x ___\nE   assert 1\n\na.py:3: AssertionError\n--- Captured stdout call ---\n{printed}\n\
             === PASSES ===\n___ test_ok ___\n--- Captured stdout call ---\n{printed}\n___ coverage: platform linux ___\n\
             === short test summary info ===\nPASSED a.py::test_ok\nFAILED a.py::test_x - assert 1\n=== 1 failed ===\n"
        );
        let parsed = parse(&output);
        assert_eq!(parsed.len(), 1);
        assert_eq!(parsed[0].message, "FAILED test_x: assert 1");
        assert_eq!(parsed[0].place.as_ref().unwrap().line, 3);
    }
}
