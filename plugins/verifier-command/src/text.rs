//! Texts of programs, made fit to be read and shown.
//!
//! Invariant: what [`one_line`] gives has no control character and is within its limit.
//! Not here: what a text says (`format/`).

use std::borrow::Cow;

/// The text without colours and other sequences for terminals.
#[must_use]
pub fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after_sequence(after);
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// What follows a sequence whose escape character is gone.
fn after_sequence(text: &str) -> &str {
    let mut chars = text.chars();
    match chars.next() {
        // Parameters, then one final character.
        Some('[') => {
            let body = chars.as_str();
            body.find(|char: char| ('@'..='~').contains(&char)).map_or("", |end| {
                let mut chars = body.get(end..).unwrap_or("").chars();
                chars.next();
                chars.as_str()
            })
        }
        // A title or link, up to its end mark.
        Some(']') => {
            let body = chars.as_str();
            body.find(['\u{7}', '\u{1b}'])
                .and_then(|end| body.get(end + 1..))
                .map_or("", |rest| rest.strip_prefix('\\').unwrap_or(rest))
        }
        _ => chars.as_str(),
    }
}

/// Words with one space between them, without control characters, at most `bytes_max` bytes.
#[must_use]
pub fn one_line(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    for word in
        text.split(|char: char| char.is_whitespace() || char.is_control()).filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > bytes_max {
            let end = (0..=bytes_max).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
            line.truncate(end);
            break;
        }
    }
    line
}

/// The first line that has a word.
#[must_use]
pub fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_for_terminals_are_taken_out() {
        for (text, plain) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m end", "red end"),
            ("\u{1b}[1;38;5;9mbold\u{1b}[m", "bold"),
            ("\u{1b}]8;;https://e.example\u{7}link\u{1b}]8;;\u{1b}\\ end", "link end"),
            ("cut \u{1b}[3", "cut "),
            ("cut \u{1b}", "cut "),
            ("\u{1b}(Bä", "Bä"),
        ] {
            assert_eq!(without_escapes(text), plain, "{text:?}");
        }
    }

    #[test]
    fn a_line_has_no_control_characters_and_an_end() {
        assert_eq!(one_line(" a\n\tb\u{0}c\r\n", 99), "a b c");
        assert_eq!(one_line("ünö", 3), "ün");
        assert_eq!(one_line("ünö", 4), "ün");
        assert_eq!(one_line(&"ü".repeat(50), 7), "üüü");
        assert_eq!(first_line("\n  \n a b\nc"), "a b");
    }
}
