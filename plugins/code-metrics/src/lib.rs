//! What Python and Rust sources measure, and which files of a workspace are its own sources.
//!
//! In -> out: source -> [`FileMetrics`]: blocks with their cyclomatic complexity, Halstead's counts, raw counts,
//! maintainability index. Python as radon 6.0.1 says it, Rust by the same definitions.
//! Limits: what is nested beyond a plugin's stack is refused before anything recursive sees it (`nesting.rs`).
//! Not here: what is done about a number (`reflector-complexity`, `auditor-code-metrics`).

pub mod block;
pub mod halstead;
pub mod ignored;
pub mod maintainability;
mod nesting;
mod python;
mod python_complexity;
mod python_halstead;
mod python_lines;
mod python_nesting;
mod python_raw;
pub mod raw;
mod rust;
mod rust_complexity;
mod rust_halstead;
mod rust_nesting;
mod rust_raw;
pub mod source;
pub mod sources;

use crate::block::{Block, MeasureError};
use crate::halstead::Halstead;
use crate::raw::Raw;

/// What a file is written in, by its ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Python,
    Rust,
}

impl Language {
    /// The language of a file that has one of the two endings.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        match path.rsplit_once('.')?.1 {
            "py" => Some(Self::Python),
            "rs" => Some(Self::Rust),
            _ => None,
        }
    }
}

/// All that is measured of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileMetrics {
    /// Functions, methods and classes in file order, outer before inner.
    pub blocks: Vec<Block>,
    /// Of the whole file and what is outside of its blocks: decisions and one.
    pub complexity: u32,
    pub halstead: Halstead,
    /// Of each function that is in no other, in file order, by its name alone.
    pub functions: Vec<(String, Halstead)>,
    pub raw: Raw,
    /// 0.0..=100.0.
    pub maintainability: f64,
}

/// Measures one file. `source`: as [`source::text_of`] gives it.
///
/// # Errors
/// `Syntax` when it is no program of its language, `TooDeep` when it is nested beyond what fits the stack.
pub fn measure(language: Language, source: &str) -> Result<FileMetrics, MeasureError> {
    let source = without_mark(source);
    match language {
        Language::Python => python::measure(source),
        Language::Rust => rust::measure(source),
    }
}

/// The blocks of one file alone.
///
/// # Errors
/// As [`measure`].
pub fn blocks(language: Language, source: &str) -> Result<Vec<Block>, MeasureError> {
    let source = without_mark(source);
    match language {
        Language::Python => python::blocks(source),
        Language::Rust => rust::blocks(source),
    }
}

/// Without the mark that some editors put before UTF-8.
fn without_mark(source: &str) -> &str {
    source.strip_prefix('\u{feff}').unwrap_or(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_language() {
        assert_eq!(Language::of("a/b.py"), Some(Language::Python));
        assert_eq!(Language::of("a.py/b.rs"), Some(Language::Rust));
        for path in ["a.pyc", "rs", "a", "a.py/b"] {
            assert_eq!(Language::of(path), None, "{path}");
        }
        assert_eq!(blocks(Language::Python, "def f(): pass\n").unwrap().len(), 1);
        assert_eq!(blocks(Language::Rust, "fn f() {}\n").unwrap().len(), 1);
        assert!(blocks(Language::Rust, "def f(): pass\n").is_err());
    }

    #[test]
    fn a_mark_before_the_source_changes_nothing() {
        for (language, source) in
            [(Language::Python, "def f():\n    return a + 1\n"), (Language::Rust, "fn f() { a + 1 }\n")]
        {
            assert_eq!(measure(language, &format!("\u{feff}{source}")), measure(language, source));
        }
    }
}
