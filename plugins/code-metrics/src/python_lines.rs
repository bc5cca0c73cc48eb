//! Python's tokens as far as lines are told apart by them, line after line.
//!
//! In -> out: lines without their ends and without what is blank around them -> [`Piece`]s.
//! The tokens are those of Python 3.11's `tokenize`, which radon asks: texts with a prefix, comments, numbers, operators, names. A
//! text's content does not matter.
//! Invariant: a line is looked at once; what is open at its end is kept for the next one.
//! Not here: what is counted (`python_raw.rs`).

/// A token, by what it means for lines. Line ends are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Comment,
    Text { one_line: bool },
    Colon,
    Semicolon,
    Other,
}

/// A text that goes on in the next line.
#[derive(Clone, Copy, Debug)]
struct Open {
    quote: u8,
    triple: bool,
}

/// The tokens of lines that belong together.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) pieces: Vec<Piece>,
    brackets: i64,
    goes_on: bool,
    open: Option<Open>,
    broken: bool,
}

impl Lines {
    /// Nothing is open: what comes next is a statement of its own.
    pub(crate) fn is_whole(&self) -> bool {
        self.brackets == 0 && !self.goes_on && self.open.is_none() && !self.broken
    }

    /// Something was no token, and no further line makes it one.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Takes the next line.
    pub(crate) fn add(&mut self, line: &str) {
        let mut rest = line;
        if let Some(open) = self.open.take() {
            match after_end(line, open) {
                Some(after) => {
                    self.pieces.push(Piece::Text { one_line: false });
                    rest = after;
                }
                None if open.triple || line.ends_with('\\') => {
                    self.open = Some(open);
                    return;
                }
                None => {
                    self.broken = true;
                    return;
                }
            }
        }
        self.goes_on = false;
        while let Some(after) = self.take_token(rest.trim_start_matches([' ', '\t', '\u{c}'])) {
            rest = after;
        }
    }

    /// Takes one token; gives what is behind it, none at the line's end.
    fn take_token<'l>(&mut self, text: &'l str) -> Option<&'l str> {
        let first = text.chars().next()?;
        if first == '#' {
            self.pieces.push(Piece::Comment);
            return None;
        }
        if let Some(opening) = opening(text) {
            return self.take_text(opening);
        }
        if text == "\\" {
            self.goes_on = true;
            return None;
        }
        if let Some(length) = number_bytes(text) {
            self.pieces.push(Piece::Other);
            return text.get(length..);
        }
        if let Some(operator) = OPERATORS.iter().find(|operator| text.starts_with(**operator)) {
            self.brackets += match *operator {
                "(" | "[" | "{" => 1,
                ")" | "]" | "}" => -1,
                _ => 0,
            };
            self.pieces.push(match *operator {
                ":" => Piece::Colon,
                ";" => Piece::Semicolon,
                _ => Piece::Other,
            });
            return text.get(operator.len()..);
        }
        let name = text.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(text.len());
        if name == 0 {
            self.broken = true;
            return None;
        }
        self.pieces.push(Piece::Other);
        text.get(name..)
    }

    fn take_text<'l>(&mut self, Opening { open, inside }: Opening<'l>) -> Option<&'l str> {
        if let Some(after) = after_end(inside, open) {
            self.pieces.push(Piece::Text { one_line: true });
            return Some(after);
        }
        if open.triple || is_escaped_end(inside) {
            self.open = Some(open);
        } else {
            self.broken = true;
        }
        None
    }
}

/// Longest first.
const OPERATORS: [&str; 48] = [
    "**=", "//=", ">>=", "<<=", "...", "!=", "%=", "&=", "**", "*=", "+=", "-=", "->", "//", "/=", ":=",
    "<<", "<=", "==", ">=", ">>", "->", "@=", "^=", "|=", "%", "&", "(", ")", "*", "+", ",", "-", ".", "/",
    ":", ";", "<", "=", ">", "@", "[", "]", "^", "{", "|", "}", "~",
];

/// A text's beginning.
struct Opening<'l> {
    open: Open,
    inside: &'l str,
}

/// The text that begins here, with its prefix if it has one.
fn opening(text: &str) -> Option<Opening<'_>> {
    let at = text.find(['\'', '"']).filter(|at| *at <= 2)?;
    let prefix = text.get(..at)?.to_ascii_lowercase();
    if !["", "b", "r", "u", "f", "br", "rb", "fr", "rf"].contains(&prefix.as_str()) {
        return None;
    }
    let quoted = text.get(at..)?;
    let quote = *quoted.as_bytes().first()?;
    let mark = if quote == b'"' { "\"\"\"" } else { "'''" };
    let triple = quoted.starts_with(mark);
    Some(Opening { open: Open { quote, triple }, inside: quoted.get(if triple { 3 } else { 1 }..)? })
}

/// What is behind the text's end, if it ends in this line.
fn after_end(inside: &str, open: Open) -> Option<&str> {
    let mut bytes = inside.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == open.quote {
            let marks = inside.get(at..)?;
            match (open.triple, marks.bytes().take_while(|byte| *byte == open.quote).count()) {
                (false, _) => return marks.get(1..),
                (true, 3..) => return marks.get(3..),
                (true, _) => {}
            }
        }
    }
    None
}

/// Its last character is a backslash that is not itself escaped.
fn is_escaped_end(inside: &str) -> bool {
    inside.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// How long the number is that begins here.
fn number_bytes(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let digits = |mut at: usize| {
        while is_digit(at) || (bytes.get(at) == Some(&b'_') && is_digit(at + 1)) {
            at += 1;
        }
        at
    };
    let begins = is_digit(0) || (bytes.first() == Some(&b'.') && is_digit(1));
    if !begins {
        return None;
    }
    if bytes.first() == Some(&b'0') && matches!(bytes.get(1), Some(b'x' | b'X' | b'b' | b'B' | b'o' | b'O')) {
        let end =
            bytes.iter().skip(2).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        return Some(2 + end);
    }
    let mut at = digits(0);
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if is_digit(at + 1 + sign) {
            at = digits(at + 1 + sign);
        }
    }
    Some(at + usize::from(matches!(bytes.get(at), Some(b'j' | b'J'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], whole: bool, expected: &[Piece]) {
        let mut found = Lines::default();
        lines.iter().for_each(|line| found.add(line));
        assert_eq!((found.is_whole(), found.pieces.as_slice()), (whole, expected), "{lines:?}");
    }

    #[test]
    fn tokens_are_pythons() {
        use Piece::{Colon, Comment, Other, Semicolon, Text};
        let one = Text { one_line: true };
        check(&["a=1.5e-3j;b # c"], true, &[Other, Other, Other, Semicolon, Other, Comment]);
        check(&["x[1:2] := y"], true, &[Other, Other, Other, Colon, Other, Other, Other, Other]);
        check(&["rb'a\\'b' f\"c\" ''"], true, &[one, one, one]);
        check(&["0xFF_00 .5 1_0.0 ..."], true, &[Other, Other, Other, Other]);
        check(&["été"], true, &[Other]);
        check(&["~a -> b"], true, &[Other, Other, Other, Other]);
        check(&["xf''"], true, &[Other, one]);
    }

    #[test]
    fn what_is_open_waits_for_its_end() {
        use Piece::{Other, Text};
        let more = Text { one_line: false };
        check(&["f("], false, &[Other, Other]);
        check(&["f(", ")"], true, &[Other, Other, Other]);
        check(&["a \\"], false, &[Other]);
        check(&["a \\", "b"], true, &[Other, Other]);
        check(&["'''a"], false, &[]);
        check(&["'''a", "b\\'''", "c'''"], true, &[more]);
        check(&["'a\\", "b'"], true, &[more]);
    }

    #[test]
    fn what_is_no_token_stays_so() {
        for lines in [&["a $ b"][..], &["'a", "b'"], &["'a\\", "b", "c'"], &["!"]] {
            let mut found = Lines::default();
            lines.iter().for_each(|line| found.add(line));
            assert!(found.is_broken() && !found.is_whole(), "{lines:?}");
        }
    }
}
