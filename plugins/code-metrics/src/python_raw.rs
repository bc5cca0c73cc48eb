//! Raw counts of Python, as radon 6.0.1 takes them.
//!
//! In -> out: source -> [`Raw`]. Lines are cut and stripped as Python's `splitlines` and `strip` do; as many as belong
//! together are looked at together.
//! Not here: tokens (`python_lines.rs`).

use crate::block::MeasureError;
use crate::python_lines::{Lines, Piece};
use crate::raw::Raw;

/// # Errors
/// `Syntax`: a line is never complete. radon refuses the file as well.
pub(crate) fn count(source: &str) -> Result<Raw, MeasureError> {
    let mut raw = Raw::default();
    let mut rest = split_lines(source).map(strip);
    let mut line_number = 0_u32;
    let mut used: Vec<&str> = Vec::new();
    while let Some(mut line) = rest.next() {
        line_number += 1;
        let first = line_number;
        let mut lines = Lines::default();
        used.clear();
        loop {
            // An empty line at the end is none for Python's reader of lines.
            let counts = lines.is_whole() || !line.is_empty();
            lines.add(line);
            used.push(line);
            if (lines.is_whole() && (counts || used.len() == 1)) || lines.is_broken() {
                break;
            }
            let Some(next) = rest.next() else { return Err(never_complete(first)) };
            line = next;
            line_number += 1;
        }
        if lines.is_broken() {
            return Err(never_complete(first));
        }
        add(&mut raw, &lines.pieces, &used);
    }
    raw.loc = raw.sloc + raw.blank + raw.multi + raw.single_comments;
    Ok(raw)
}

fn never_complete(line: u32) -> MeasureError {
    MeasureError::Syntax(format!("the statement at line {line} has no end"))
}

fn add(raw: &mut Raw, pieces: &[Piece], lines: &[&str]) {
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let blank = count(lines.iter().filter(|line| line.is_empty()).count());
    let filled = count(lines.len()) - blank;
    raw.comments += count(pieces.iter().filter(|piece| **piece == Piece::Comment).count());
    match pieces {
        [Piece::Comment | Piece::Text { one_line: true }] => raw.single_comments += 1,
        [Piece::Text { one_line: false }] => {
            raw.multi += filled;
            raw.blank += blank;
        }
        _ => {
            raw.sloc += filled;
            raw.blank += blank;
        }
    }
    raw.lloc += logical(pieces);
}

/// Statements are told apart by `;`, and by a colon with something behind it.
fn logical(pieces: &[Piece]) -> u32 {
    let mut parts = pieces.split(|piece| *piece == Piece::Semicolon).peekable();
    let mut lines = 0;
    while let Some(part) = parts.next() {
        let tokens = || part.iter().filter(|piece| **piece != Piece::Comment);
        // radon takes the end of the file for a token, and only the last part has it.
        let end = usize::from(parts.peek().is_none());
        lines += match tokens().rev().position(|piece| *piece == Piece::Colon) {
            Some(behind) => 2 - u32::from(behind + end == 1),
            None => u32::from(tokens().next().is_some()),
        };
    }
    lines
}

/// As `str.splitlines`.
fn split_lines(source: &str) -> impl Iterator<Item = &str> {
    let mut rest = source;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let is_end =
            |char: char| matches!(char, '\n'..='\r' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let Some(at) = rest.find(is_end) else { return Some(std::mem::take(&mut rest)) };
        let (line, ended) = rest.split_at(at);
        let end = if ended.starts_with("\r\n") { 2 } else { ended.chars().next().map_or(0, char::len_utf8) };
        rest = ended.get(end..).unwrap_or("");
        Some(line)
    })
}

/// As `str.strip`.
fn strip(line: &str) -> &str {
    line.trim_matches(|char: char| char.is_whitespace() || matches!(char, '\x1c'..='\x1f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// loc, lloc, sloc, comments, multi, blank, single comments.
    #[track_caller]
    fn check(source: &str, expected: [u32; 7]) {
        let raw = count(source).unwrap();
        let found = [raw.loc, raw.lloc, raw.sloc, raw.comments, raw.multi, raw.blank, raw.single_comments];
        assert_eq!(found, expected, "{source:?}");
    }

    #[test]
    fn lines_are_told_apart_as_radon_does() {
        check("", [0; 7]);
        check("a = 1\n", [1, 1, 1, 0, 0, 0, 0]);
        check("# c\n\na = 1  # d\n", [3, 1, 1, 2, 0, 1, 1]);
        check("if a: b\n", [1, 2, 1, 0, 0, 0, 0]);
        check("if a:\n    b\n", [2, 2, 2, 0, 0, 0, 0]);
        check("a; b; c\n", [1, 3, 1, 0, 0, 0, 0]);
        check("if a: b; c\n", [1, 2, 1, 0, 0, 0, 0]);
        check("a = {1: 2}\n", [1, 2, 1, 0, 0, 0, 0]);
        check("'''one'''\n", [1, 1, 0, 0, 0, 0, 1]);
        check("'''one\n\ntwo'''\n", [3, 1, 0, 0, 2, 1, 0]);
        check("x = f(\n    1,  # c\n\n)\n", [4, 1, 3, 1, 0, 1, 0]);
        check("x = '''\n\na'''\n", [3, 1, 2, 0, 0, 1, 0]);
        check("a = 1\x0c\nb = 2\n", [3, 2, 2, 0, 0, 1, 0]);
        check("a = 1 + \\\n    2\n", [2, 1, 2, 0, 0, 0, 0]);
        check("a = 1 \\\n\nb\n", [3, 1, 2, 0, 0, 1, 0]);
    }

    #[test]
    fn what_never_ends_is_refused_with_its_line() {
        for source in ["a\nf(\n", "a\n'''\n", "a\n'b\n", "a\nb $\n"] {
            let error = count(source).unwrap_err().to_string();
            assert!(error.contains("line 2"), "{source:?}: {error}");
        }
    }
}
