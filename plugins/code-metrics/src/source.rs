//! The text of a source file, as its language reads the bytes.
//!
//! In -> out: bytes, whether they are Python -> text with lines that end in `\n`, or why there is none.
//! Known: UTF-8 with or without its mark; in Python what a coding line names of Latin-1, Latin-9 and Windows-1252, and the
//! line ends of the old Mac.
//! Not here: what the text says (`python.rs`, `rust.rs`).

use crate::Language;

/// Of the lines in which Python looks for a coding line.
const CODING_LINES: usize = 2;

/// What Windows-1252 has where Latin-1 has control characters.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text.
///
/// # Errors
/// What it is encoded in cannot be read; for people.
pub fn text_of(bytes: Vec<u8>, language: Language) -> Result<String, String> {
    let coding = match language {
        Language::Python => coding(&bytes),
        Language::Rust => None,
    };
    let text = match coding.as_deref() {
        None | Some("utf-8" | "utf8" | "ascii" | "us-ascii") => String::from_utf8(bytes)
            .map_err(|_| "it is not UTF-8 and has no coding line that says otherwise".to_owned())?,
        Some("latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1") => decoded(&bytes, char::from),
        Some("iso-8859-15" | "latin-9" | "latin9" | "l9") => decoded(&bytes, latin_9),
        Some("cp1252" | "windows-1252" | "1252") => decoded(&bytes, windows_1252),
        Some(other) => return Err(format!("its coding line names `{other}`, which is not known here")),
    };
    Ok(match language {
        Language::Python if text.contains('\r') => text.replace("\r\n", "\n").replace('\r', "\n"),
        Language::Python | Language::Rust => text,
    })
}

/// What a line as PEP 263 describes it names, in Python's spelling: lower case, `-` for `_`.
fn coding(bytes: &[u8]) -> Option<String> {
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    lines.take(CODING_LINES).find_map(|line| {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let comment = line.trim_ascii_start().strip_prefix(b"#")?;
        let comment = String::from_utf8_lossy(comment);
        let (_, rest) = comment.split_once("coding")?;
        let name = rest.strip_prefix([':', '='])?.trim_start_matches([' ', '\t']);
        let end = name.find(|char: char| !char.is_ascii_alphanumeric() && !"-_.".contains(char));
        let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
        (!name.is_empty()).then(|| name.to_ascii_lowercase().replace('_', "-"))
    })
}

fn decoded(bytes: &[u8], character: impl Fn(u8) -> char) -> String {
    bytes.iter().map(|byte| character(*byte)).collect()
}

fn windows_1252(byte: u8) -> char {
    let place = usize::from(byte.wrapping_sub(0x80));
    WINDOWS.get(place).copied().unwrap_or(char::from(byte))
}

fn latin_9(byte: u8) -> char {
    match byte {
        0xa4 => '€',
        0xa6 => 'Š',
        0xa8 => 'š',
        0xb4 => 'Ž',
        0xb8 => 'ž',
        0xbc => 'Œ',
        0xbd => 'œ',
        0xbe => 'Ÿ',
        other => char::from(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<&str, &str>) {
        let found = text_of(bytes.to_vec(), Language::Python);
        assert_eq!(found.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn python_is_read_as_its_coding_line_says() {
        check("é = 1\n".as_bytes(), Ok("é = 1\n"));
        check(b"# -*- coding: latin-1 -*-\n\xe9 = 1\n", Ok("# -*- coding: latin-1 -*-\né = 1\n"));
        check(
            b"#!/usr/bin/python\n# vim: set fileencoding=CP1252 :\n\x8a",
            Ok("#!/usr/bin/python\n# vim: set fileencoding=CP1252 :\nŠ"),
        );
        check(b"# coding=iso_8859_15\n\xa4\xe9", Ok("# coding=iso_8859_15\n€é"));
        check(b"\xef\xbb\xbf# coding: utf-8\n", Ok("\u{feff}# coding: utf-8\n"));
        // Neither in the third line nor in a text.
        let unsaid = Err("it is not UTF-8 and has no coding line that says otherwise");
        check(b"a\nb\n# coding: latin-1\n\xe9", unsaid);
        check(b"coding = 'latin-1'\n\xe9", unsaid);
        check(b"# coding: latin-1x\n", Err("its coding line names `latin-1x`, which is not known here"));
    }

    #[test]
    fn lines_of_the_old_mac_are_lines_of_python_and_of_nothing_else() {
        check(b"a\rb\r\nc\n", Ok("a\nb\nc\n"));
        assert_eq!(text_of(b"a\rb".to_vec(), Language::Rust).as_deref(), Ok("a\rb"));
        assert!(text_of(b"# coding: latin-1\n\xe9".to_vec(), Language::Rust).is_err());
    }
}
