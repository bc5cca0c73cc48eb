//! `pytest`'s ordinary report.
//!
//! In -> out: output -> one [`Parsed`] for each failed test and error, in the report's order.
//! Invariant: a failure that only the short summary names is reported too, without a place.
//! Not here: where the command ran (`judge.rs`).

use crate::parsed::{Parsed, Place, Severity};

/// Everything that the output reports.
#[must_use]
pub fn parse(output: &str) -> Vec<Parsed> {
    let mut sections = sections(output);
    let mut parsed: Vec<Parsed> = sections.iter().map(Section::read).collect();
    for (word, node, reason) in summary(output) {
        let described = sections.iter().position(|section| section.is_about(&node));
        if let Some(index) = described {
            sections.remove(index);
        } else {
            let message =
                reason.map_or_else(|| format!("{word} {node}"), |reason| format!("{word} {node}: {reason}"));
            parsed.push(Parsed { severity: Some(Severity::Major), message, place: None });
        }
    }
    parsed
}

/// What stands under one line of underscores.
struct Section<'a> {
    /// `TestDivide.test_zero`, `ERROR at setup of test_x`, `ERROR collecting tests/test_x.py`.
    title: &'a str,
    lines: Vec<&'a str>,
}

fn sections(output: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section> = Vec::new();
    let mut open = false;
    for line in output.lines() {
        if line.starts_with("===") {
            open = false;
        } else if let Some(title) = section_title(line) {
            sections.push(Section { title, lines: Vec::new() });
            open = true;
        } else if line.starts_with("---") && line.contains(" Captured ") {
            open = false;
        } else if let Some(section) = sections.last_mut()
            && open
        {
            section.lines.push(line);
        }
    }
    sections
}

/// `___ title ___`; lines of `_ _ _` between frames have none.
fn section_title(line: &str) -> Option<&str> {
    if !line.starts_with("__") || !line.ends_with('_') {
        return None;
    }
    let title = line.trim_matches('_').trim();
    (!title.is_empty()).then_some(title)
}

impl Section<'_> {
    fn read(&self) -> Parsed {
        let reason = self.lines.iter().find_map(|line| line.strip_prefix("E  ")).map(str::trim);
        let title = if self.title.starts_with("ERROR ") {
            self.title.to_owned()
        } else {
            format!("FAILED {}", self.title)
        };
        let message = reason.map_or(title.clone(), |reason| format!("{title}: {reason}"));
        let place = self.lines.iter().filter_map(|line| frame(line)).next_back();
        Parsed { severity: Some(Severity::Major), message, place }
    }

    /// `node`: `tests/test_calc.py::TestDivide::test_zero`.
    fn is_about(&self, node: &str) -> bool {
        let (file, name) = node.split_once("::").unwrap_or((node, ""));
        let title = ["ERROR collecting ", "ERROR at setup of ", "ERROR at teardown of "]
            .iter()
            .find_map(|start| self.title.strip_prefix(start))
            .unwrap_or(self.title);
        if name.is_empty() {
            return title == file;
        }
        let tested = name.replace("::", ".");
        let in_file = |line: &&str| frame(line).is_some_and(|place| place.path == file);
        (title == tested || tested.ends_with(&format!(".{title}"))) && self.lines.iter().any(in_file)
    }
}

/// `tests/test_calc.py:7: AssertionError`, `tests/test_x.py:1: in <module>`, `calc.py:2: `.
fn frame(line: &str) -> Option<Place> {
    let (path, rest) = line.split_once(':')?;
    let (number, _) =
        rest.split_once(": ").or_else(|| rest.split_once(':').filter(|(_, rest)| rest.is_empty()))?;
    if !path.ends_with(".py") || path.starts_with(char::is_whitespace) || path.contains("site-packages/") {
        return None;
    }
    Place::inside(path, number.parse().ok()?)
}

/// `(word, node, reason)` of the short summary.
fn summary(output: &str) -> Vec<(&'static str, String, Option<&str>)> {
    let is_heading = |line: &&str| line.starts_with("===") && line.contains(" short test summary info ");
    output
        .lines()
        .skip_while(|line| !is_heading(line))
        .filter_map(|line| {
            let (word, rest) = ["FAILED", "ERROR"]
                .into_iter()
                .find_map(|word| Some((word, line.strip_prefix(word)?.strip_prefix(' ')?)))?;
            let (node, reason) =
                rest.split_once(" - ").map_or((rest, None), |(node, reason)| (node, Some(reason)));
            Some((word, node.to_owned(), reason))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_alone_is_enough() {
        let output = "=== short test summary info ===\nFAILED tests/test_a.py::test_x - assert 1 == 2\nERROR tests/test_b.py\n=== 2 failed ===\n";
        let parsed = parse(output);
        let messages: Vec<_> = parsed.iter().map(|parsed| parsed.message.as_str()).collect();
        assert_eq!(messages, ["FAILED tests/test_a.py::test_x: assert 1 == 2", "ERROR tests/test_b.py"]);
        assert!(parsed.iter().all(|parsed| parsed.place.is_none()));
    }

    #[test]
    fn the_same_test_name_in_two_files_is_two_findings() {
        let output = "=== FAILURES ===\n___ test_x ___\n\nE   assert 1\n\ntests/test_a.py:3: AssertionError\n\
                      ___ test_x ___\n\nE   assert 2\n\ntests/test_b.py:4: AssertionError\n\
                      === short test summary info ===\nFAILED tests/test_a.py::test_x - assert 1\nFAILED tests/test_b.py::test_x - assert 2\n";
        let parsed = parse(output);
        let places: Vec<_> = parsed.iter().map(|parsed| parsed.place.clone().unwrap().path).collect();
        assert_eq!(places, ["tests/test_a.py", "tests/test_b.py"]);
    }

    #[test]
    fn what_a_test_printed_is_no_place() {
        let output = "=== FAILURES ===\n___ test_x ___\nE   assert 1\n\na.py:3: AssertionError\n--- Captured stdout call ---\nb.py:9: x\n";
        assert_eq!(parse(output)[0].place, Some(Place { path: "a.py".to_owned(), line: 3 }));
    }

    #[test]
    fn a_passing_run_reports_nothing() {
        assert_eq!(
            parse("=== test session starts ===\ntests/test_a.py ...   [100%]\n=== 3 passed in 0.01s ===\n"),
            []
        );
    }
}
