//! Lines and logical lines of one file.
//!
//! In -> out: filled by `python_raw.rs` and `rust_raw.rs`, read by `maintainability.rs` and by plugins.
//! Invariant: `sloc + blank + multi + single_comments == loc`.

/// Counts of lines, as radon names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    /// All lines.
    pub loc: u32,
    /// Logical lines: statements, and heads of compound ones.
    pub lloc: u32,
    /// Lines with code.
    pub sloc: u32,
    /// Comments, those behind code included.
    pub comments: u32,
    /// Lines of texts of several lines that stand alone, as documentation does.
    pub multi: u32,
    pub blank: u32,
    /// Lines that are a comment or a text of one line and nothing else.
    pub single_comments: u32,
}
