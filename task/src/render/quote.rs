//! One value on one line of YAML, so that every reader understands the same.
//!
//! In -> out: text or JSON -> plain word where that is safe, else double quotes; lists and mappings in flow style.
//! Invariant: the result has no line break and no character that YAML calls not printable.
//! Not here: entries of a task file (`render.rs`).

use serde_json::Value;

use crate::hidden::is_hidden;

/// Words that some YAML reader takes for something else than text.
const RESERVED: [&str; 13] =
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity", "none"];

/// Text as a scalar; always in double quotes if `quoted`.
pub(crate) fn text(value: &str, quoted: bool) -> String {
    match !quoted && is_plain(value) {
        true => value.to_owned(),
        false => double_quoted(value),
    }
}

/// A list of texts in flow style.
pub(crate) fn texts<'a>(values: impl Iterator<Item = &'a str>, quoted: bool) -> String {
    let items: Vec<String> = values.map(|value| text(value, quoted)).collect();
    format!("[{}]", items.join(", "))
}

/// A JSON value in flow style.
pub(crate) fn json(value: &Value, quoted: bool) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => text(value, quoted),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| json(item, quoted)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", text(key, quoted), json(value, quoted)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// True for text that needs no quotes anywhere: it begins with a letter and goes on with letters, digits and a few
/// signs that mean nothing to YAML.
fn is_plain(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b" _./-".contains(byte))
        && !value.ends_with(' ')
        && !RESERVED.contains(&value.to_ascii_lowercase().as_str())
}

fn double_quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for letter in value.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if is_printable(letter) => out.push(letter),
            letter if (letter as u32) <= 0xffff => out.push_str(&format!("\\u{:04x}", letter as u32)),
            letter => out.push_str(&format!("\\U{:08x}", letter as u32)),
        }
    }
    out.push('"');
    out
}

/// Printable in YAML, and seen by people.
fn is_printable(letter: char) -> bool {
    let code = letter as u32;
    let is_none = matches!(code, 0xa0 | 0xfff0..=0xffff | 0xe0000..=0xe0fff) || code & 0xfffe == 0xfffe;
    !(is_none || letter.is_control() || is_hidden(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_words_go_without_quotes() {
        for word in ["build", "sh -c x", "a/b.c", "It is done"] {
            assert_eq!(text(word, false), word);
            assert_eq!(text(word, true), format!("\"{word}\""));
        }
        for word in [
            "", "7", "0x1f", "-a", ".", "~", "yes", "NULL", "NaN", "a: b", "a #b", "a,b", "a ", "é", "[x]",
            "*a",
        ] {
            assert_eq!(text(word, false), format!("\"{word}\""), "{word}");
        }
        assert_eq!(
            text("a\n\t\"\\\u{1b}\u{85}\u{2028}\u{1ffff}é", false),
            r#""a\n\t\"\\\u001b\u0085\u2028\U0001ffffé""#
        );
    }
}
