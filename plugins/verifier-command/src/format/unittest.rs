//! Output of Python's `unittest`, verbose or not; it has no machine form.
//!
//! In -> out: a run -> one [`Parsed`] for each failed test, error and unexpected success; how many tests ran.
//! Invariant: with exit code 0 there is none, but `Ran N tests` and `OK` must be there. A block counts between its rule and its dashes, before the last line
//! `Ran N tests`. A place is the innermost line of the traceback that lies in the project; what the project is
//! follows from a test's module name, which is the end of its file's path.
//! Not here: where the project lies in the workspace (`places.rs`).

use super::traceback::python_line;
use crate::parsed::{Parsed, Place, Reading, Severity};
use crate::places::is_foreign;
use crate::ran::{Ending, Ran};

/// In front of the id of a module that could not be imported.
const LOADER: &str = "unittest.loader._FailedTest.";

/// Adds everything that failed.
pub fn read(ran: &Ran, reading: &mut Reading) {
    let ended_well = ran.ending == Ending::Code(0);
    for text in ran.texts() {
        let lines: Vec<&str> = text.lines().collect();
        let Some((end, tests)) = end(&lines) else { continue };
        let (before, after) = lines.split_at_checked(end).unwrap_or_default();
        let skipped = after.iter().find_map(|line| skipped(line));
        if ended_well && skipped.is_none() && tests > 0 {
            continue;
        }
        let skipped = skipped.unwrap_or(0);
        reading.count_tests(tests.saturating_sub(skipped), skipped);
        if !ended_well {
            read_blocks(before, reading);
        }
    }
    if ended_well && reading.tests.is_none() {
        reading.broke.push(UNENDED.to_owned());
    }
}

const UNENDED: &str =
    "no line `Ran 3 tests in 0.1s` with `OK` below is there: it ran no test or ended before";

/// Tests that were skipped, of `OK` or `OK (skipped=1, expected failures=1)`.
fn skipped(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("OK")?;
    if rest.is_empty() {
        return Some(0);
    }
    let parts = rest.strip_prefix(" (")?.strip_suffix(')')?;
    Some(parts.split(", ").find_map(|part| part.strip_prefix("skipped=")?.parse().ok()).unwrap_or(0))
}

/// Where the last line `Ran 3 tests in 0.1s` is, and its number.
fn end(lines: &[&str]) -> Option<(usize, u64)> {
    let count = |line: &str| {
        let (count, rest) = line.strip_prefix("Ran ")?.split_once(" test")?;
        rest.contains(" in ").then_some(count)?.parse().ok()
    };
    lines.iter().enumerate().rev().find_map(|(index, line)| Some((index, count(line)?)))
}

fn read_blocks(lines: &[&str], reading: &mut Reading) {
    let blocks = blocks(lines);
    let root = blocks.iter().find_map(Block::root).unwrap_or("");
    blocks.iter().for_each(|block| reading.push(block.parsed(root)));
}

/// From one line of `=` to the next.
struct Block<'a> {
    /// `FAIL`, `ERROR` or `UNEXPECTED SUCCESS`.
    word: &'a str,
    /// `test_add (tests.test_calc.CalcTest.test_add)`, with a subtest's values.
    title: &'a str,
    lines: Vec<&'a str>,
}

fn blocks<'a>(all: &[&'a str]) -> Vec<Block<'a>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (index, line) in all.iter().enumerate() {
        if is_rule(line, '=') {
            open = false;
        } else if let Some((word, title)) = title(line)
            && index
                .checked_sub(1)
                .and_then(|before| all.get(before))
                .is_some_and(|before| is_rule(before, '='))
        {
            blocks.push(Block { word, title, lines: Vec::new() });
            open = true;
        } else if let Some(block) = blocks.last_mut()
            && open
        {
            block.lines.push(line);
        }
    }
    // The dashes come after the title, or after a test's own sentence.
    blocks.retain(|block| block.word == SUCCESS || block.lines.iter().take(9).any(|line| is_rule(line, '-')));
    blocks
}

/// It has neither dashes nor a traceback.
const SUCCESS: &str = "UNEXPECTED SUCCESS";

fn title(line: &str) -> Option<(&'static str, &str)> {
    ["FAIL", "ERROR", SUCCESS]
        .into_iter()
        .find_map(|word| Some((word, line.strip_prefix(word)?.strip_prefix(": ")?)))
}

fn is_rule(line: &str, mark: char) -> bool {
    line.len() >= 70 && line.chars().all(|char| char == mark)
}

impl<'a> Block<'a> {
    fn parsed(&self, root: &str) -> Parsed {
        let reason = self.reason().map_or_else(String::new, |reason| format!(": {reason}"));
        let (word, title) = (self.word, self.title.replace(LOADER, ""));
        Parsed {
            severity: Some(Severity::Major),
            message: format!("{word} {title}{reason}"),
            place: self.place(root),
        }
    }

    /// `(path, line)` of each line of a traceback, outermost first.
    fn frames(&self) -> impl Iterator<Item = (&'a str, u32)> {
        self.lines.iter().filter_map(|line| python_line(inner(line)))
    }

    /// The first line after the last traceback: the exception.
    fn reason(&self) -> Option<&'a str> {
        let mut reason = None;
        let mut in_traceback = false;
        for line in self.lines.iter().map(|line| inner(line)) {
            if line.starts_with("  File \"") {
                in_traceback = true;
            } else if in_traceback && !line.is_empty() && !line.starts_with(' ') {
                reason = Some(line);
                in_traceback = false;
            }
        }
        reason
    }

    /// The folder, with its final `/`, in which the test's module lies.
    fn root(&self) -> Option<&'a str> {
        let id = self.title.split_once('(')?.1.split_once(')')?.0;
        let id = id.strip_prefix(LOADER).unwrap_or(id);
        self.frames().find_map(|(path, _)| module_root(path, id))
    }

    fn place(&self, root: &str) -> Option<Place> {
        let inside = |path: &'a str| path.strip_prefix(root).filter(|rest| !is_foreign(rest));
        let frames: Vec<(&str, u32)> =
            self.frames().filter_map(|(path, line)| inside(path).map(|path| (path, line))).collect();
        frames.last().map(|(path, line)| Place::new(path, *line, None))
    }
}

/// The line without the bar of an exception group.
fn inner(line: &str) -> &str {
    line.strip_prefix("  | ").or_else(|| line.strip_prefix("  + ")).unwrap_or(line)
}

/// What is left of `path` without the file of the module that `id` starts with: `/p/` for `/p/tests/test_a.py`
/// and `tests.test_a.Class.test`.
fn module_root<'a>(path: &'a str, id: &str) -> Option<&'a str> {
    let mut module = id;
    loop {
        let file = format!("{}.py", module.replace('.', "/"));
        if let Some(root) = path.strip_suffix(file.as_str())
            && (root.is_empty() || root.ends_with('/'))
        {
            return Some(root);
        }
        module = module.rsplit_once('.')?.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_what_the_modules_name_leaves() {
        assert_eq!(module_root("/p/tests/test_a.py", "tests.test_a.A.test_x"), Some("/p/"));
        assert_eq!(module_root("/p/tests/test_a.py", "test_a.A.test_x"), Some("/p/tests/"));
        assert_eq!(module_root("test_a.py", "test_a.A"), Some(""));
        assert_eq!(module_root("/p/my_test_a.py", "test_a.A"), None);
        assert_eq!(module_root("/p/calc.py", "tests.test_a.A"), None);
    }

    fn parse(output: &str) -> Vec<Parsed> {
        let lines: Vec<&str> = output.lines().collect();
        let mut reading = Reading::default();
        read_blocks(&lines, &mut reading);
        reading.parsed
    }

    #[test]
    fn the_last_sum_counts() {
        assert_eq!(end(&["Ran 1 test in 0.1s", "x", "Ran 0 tests in 0.000s", "", "OK"]), Some((2, 0)));
        assert_eq!(end(&["Ran away", "Ran 3 tests"]), None);
    }

    #[test]
    fn what_was_skipped_did_not_run() {
        for (line, expected) in [
            ("OK", Some(0)),
            ("OK (skipped=3)", Some(3)),
            ("OK (expected failures=1)", Some(0)),
            ("OK (skipped=2, expected failures=1)", Some(2)),
            ("OKAY", None),
            ("FAILED (failures=1)", None),
        ] {
            assert_eq!(skipped(line), expected, "{line}");
        }
    }

    #[test]
    fn words_in_the_programs_own_output_are_no_findings() {
        let rule = "=".repeat(70);
        for output in
            ["ERROR: something (x.y)\nFAIL: a (b)\n", &format!("{rule}\nFAIL: over the limit\nand more\n")]
        {
            assert_eq!(parse(output), [], "{output}");
        }
    }

    #[test]
    fn lines_of_installed_packages_are_not_the_place() {
        let (rule, dashes) = ("=".repeat(70), "-".repeat(70));
        let output = format!(
            "{rule}\nERROR: test_x (test_a.A.test_x)\n{dashes}\nTraceback (most recent call last):\n  File \"/p/test_a.py\", line 3, in test_x\n    f()\n  \
             File \"/p/.venv/lib/site-packages/x.py\", line 9, in f\n    g()\nKeyError: 1\n"
        );
        let parsed = parse(&output);
        assert_eq!(parsed[0].place, Some(Place::new("test_a.py", 3, None)));
        assert_eq!(parsed[0].message, "ERROR test_x (test_a.A.test_x): KeyError: 1");
    }

    #[test]
    fn an_exception_group_has_its_place_and_reason() {
        let (rule, dashes) = ("=".repeat(70), "-".repeat(70));
        let output = format!(
            "{rule}\nERROR: test_x (test_a.A.test_x)\n{dashes}\n  + Exception Group Traceback (most recent call last):\n  \
             |   File \"/p/test_a.py\", line 3, in test_x\n  |     f()\n  | ExceptionGroup: two (2 sub-exceptions)\n  \
             +-+---------------- 1 ----------------\n    | ValueError: a\n"
        );
        let parsed = parse(&output);
        assert_eq!(parsed[0].place, Some(Place::new("test_a.py", 3, None)));
        assert_eq!(
            parsed[0].message,
            "ERROR test_x (test_a.A.test_x): ExceptionGroup: two (2 sub-exceptions)"
        );
    }
}
