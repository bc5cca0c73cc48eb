//! Bytes of a log as a terminal may get them.
//!
//! In -> out: bytes as they come -> text in which everything but line breaks and tabs is printable.
//! Invariant: a character that is cut between two reads is shown as if it had come whole.

use std::fmt::Write as _;

use super::escape;

/// Holds the beginning of a character whose rest has not come yet.
#[derive(Debug, Default)]
pub struct Bytes {
    begun: Vec<u8>,
}

impl Bytes {
    /// What of it can be shown by now.
    pub fn take(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        if let Err(error) = std::str::from_utf8(last_bytes(&all))
            && error.error_len().is_none()
        {
            let cut = last_bytes(&all).len() - error.valid_up_to();
            self.begun = all.split_off(all.len() - cut);
        }
        printable(&all)
    }

    /// The bytes that never became a character.
    pub fn finish(&mut self) -> String {
        printable(&std::mem::take(&mut self.begun))
    }
}

/// From the last byte that begins a character on; a character has at most four bytes.
fn last_bytes(bytes: &[u8]) -> &[u8] {
    let back = bytes.iter().rev().take(4).position(|byte| byte & 0xc0 != 0x80);
    bytes.get(bytes.len() - back.map_or(0, |back| back + 1)..).unwrap_or_default()
}

/// Bytes that end no character early, in which everything but line breaks and tabs is printable.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for piece in chunk.valid().split_inclusive(['\n', '\t']) {
            let text = piece.trim_end_matches(['\n', '\t']);
            out.push_str(&escape(text));
            out.push_str(piece.get(text.len()..).unwrap_or_default());
        }
        for byte in chunk.invalid() {
            // Writing to a text never fails.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        for cut in 0..=bytes.len() {
            let mut shown = Bytes::default();
            let (first, second) = bytes.split_at(cut);
            let text = shown.take(first) + &shown.take(second) + &shown.finish();
            assert_eq!(text, expected, "cut at {cut}");
        }
        let mut shown = Bytes::default();
        let single: String = bytes.iter().map(|byte| shown.take(&[*byte])).collect();
        assert_eq!(single + &shown.finish(), expected, "one by one");
    }

    #[test]
    fn a_command_cannot_move_the_cursor_of_who_reads_its_log() {
        check(b"one\ttwo\n\x1b[2J\x1b]0;title\x07\r\n", "one\ttwo\n\\x1b[2J\\x1b]0;title\\x07\\r\n");
        check("größe 名前 🦀\u{9b}2J\u{202e}\n".as_bytes(), "größe 名前 🦀\\x9b2J\\u{202e}\n");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_bytes() {
        check(b"a\xff\xfeb\n", "a\\xff\\xfeb\n");
        check(b"a\xf0\x9f\xa6", "a\\xf0\\x9f\\xa6");
        check(b"\x80\x80\x80\x80\x80", "\\x80\\x80\\x80\\x80\\x80");
        check(b"", "");
    }
}
