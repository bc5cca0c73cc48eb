//! Output of Python's `unittest`, verbose or not.
//!
//! In -> out: output -> one [`Parsed`] for each failed test, error and unexpected success.
//! Invariant: a place is the innermost line of the traceback that lies in the project; what the project is
//! follows from a test's module name, which is the end of its file's path.
//! Not here: where the project lies in the workspace (`judge.rs`).

use crate::parsed::{Parsed, Place, Severity};

/// In front of the id of a module that could not be imported.
const LOADER: &str = "unittest.loader._FailedTest.";

/// Everything that the output reports.
#[must_use]
pub fn parse(output: &str) -> Vec<Parsed> {
    let blocks = blocks(output);
    let root = blocks.iter().find_map(Block::root).unwrap_or("");
    blocks.iter().map(|block| block.read(root)).collect()
}

/// From one line of `=` to the next.
struct Block<'a> {
    /// `FAIL`, `ERROR` or `UNEXPECTED SUCCESS`.
    word: &'a str,
    /// `test_add (tests.test_calc.CalcTest.test_add)`, with a subtest's values.
    title: &'a str,
    lines: Vec<&'a str>,
}

fn blocks(output: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut after_rule = false;
    let mut open = false;
    for line in output.lines() {
        if is_rule(line, '=') {
            after_rule = true;
            open = false;
            continue;
        }
        let title = ["FAIL", "ERROR", "UNEXPECTED SUCCESS"]
            .into_iter()
            .find_map(|word| Some((word, line.strip_prefix(word)?.strip_prefix(": ")?)));
        match (title, blocks.last_mut()) {
            (Some((word, title)), _) if after_rule => {
                blocks.push(Block { word, title, lines: Vec::new() });
                open = true;
            }
            (_, Some(block)) if open => {
                if line.starts_with("Ran ") && block.lines.last().is_some_and(|last| is_rule(last, '-')) {
                    open = false;
                } else {
                    block.lines.push(line);
                }
            }
            _ => {}
        }
        after_rule = false;
    }
    blocks
}

fn is_rule(line: &str, mark: char) -> bool {
    line.len() >= 70 && line.chars().all(|char| char == mark)
}

impl<'a> Block<'a> {
    fn read(&self, root: &str) -> Parsed {
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
        self.lines.iter().filter_map(|line| {
            let (path, rest) = line.strip_prefix("  File \"")?.split_once("\", line ")?;
            let number = rest.split(|char: char| !char.is_ascii_digit()).next()?;
            Some((path, number.parse().ok()?))
        })
    }

    /// The first line after the last traceback: the exception.
    fn reason(&self) -> Option<&'a str> {
        let mut reason = None;
        let mut in_traceback = false;
        for line in &self.lines {
            if line.starts_with("  File \"") {
                in_traceback = true;
            } else if in_traceback && !line.is_empty() && !line.starts_with(' ') {
                reason = Some(*line);
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
        frames.last().and_then(|(path, line)| Place::inside(path, *line))
    }
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

/// Packages that are installed inside the project.
fn is_foreign(path: &str) -> bool {
    path.split('/').any(|part| part == "site-packages" || part == "dist-packages")
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

    #[test]
    fn a_passing_run_reports_nothing() {
        let output = "...\n----------------------------------------------------------------------\nRan 3 tests in 0.001s\n\nOK\n";
        assert_eq!(parse(output), []);
    }

    #[test]
    fn words_in_the_programs_own_output_are_no_findings() {
        assert_eq!(parse("ERROR: something (x.y)\nFAIL: a (b)\n"), []);
    }

    #[test]
    fn lines_of_installed_packages_are_not_the_place() {
        let rule = "=".repeat(70);
        let output = format!(
            "{rule}\nERROR: test_x (test_a.A.test_x)\nTraceback (most recent call last):\n  File \"/p/test_a.py\", line 3, in test_x\n    f()\n  \
             File \"/p/.venv/lib/site-packages/x.py\", line 9, in f\n    g()\nKeyError: 1\n"
        );
        let parsed = parse(&output);
        assert_eq!(parsed[0].place, Some(Place { path: "test_a.py".to_owned(), line: 3 }));
        assert_eq!(parsed[0].message, "ERROR test_x (test_a.A.test_x): KeyError: 1");
    }
}
