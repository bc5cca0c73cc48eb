//! What a complexity measurement says about one file.
//!
//! In -> out: filled by `python_complexity.rs` and `rust_complexity.rs`, read by plugins.
//! Units: complexity is a count of independent paths, at least 1 for a function; lines count from 1.
//! Invariant: names are qualified, so two blocks of one file with one name are redefinitions of each other.
//! Not here: how complexity is counted (`python_complexity.rs`, `rust_complexity.rs`).

use std::fmt;

/// A function, a method or a class of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub kind: BlockKind,
    /// With what encloses it: `Class.method`, `outer.inner`, `module::Type::method`.
    pub name: String,
    pub line: u32,
    pub complexity: u32,
}

/// What sort of block it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    Function,
    Method,
    /// Its complexity is the average of its methods, as radon reports it.
    Class,
}

impl fmt::Display for BlockKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Function => "function",
            Self::Method => "method",
            Self::Class => "class",
        })
    }
}

/// Why a file was not measured. A plugin logs it and goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeasureError {
    /// Not a program of its language. Holds the parser's words.
    Syntax(String),
    /// Measuring it would need more stack than a plugin has.
    TooDeep { line: u32 },
}

impl fmt::Display for MeasureError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(message) => write!(formatter, "does not parse: {message}"),
            Self::TooDeep { line } => write!(formatter, "is nested too deeply at line {line}"),
        }
    }
}

impl std::error::Error for MeasureError {}
