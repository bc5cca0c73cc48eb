//! Characters that are not seen, or change how what stands beside them is seen.
//!
//! Invariant: a control character is none of them (`char::is_control` says those); a letter or mark of a script is none.
//! Not here: how one is shown or written instead (`render/quote.rs`, the host's `console.rs`).

/// True for a character that people do not see or that turns text around: formatting, separators of lines, fillers, tags.
pub fn is_hidden(character: char) -> bool {
    matches!(character as u32,
        0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
        | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x2800 | 0x3164 | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
        | 0x13430..=0x1343f | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_hidden_and_what_people_write_is_not() {
        for hidden in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{180e}',
            '\u{200b}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2066}',
            '\u{206a}',
            '\u{206f}',
            '\u{3164}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{e0001}',
            '\u{e0061}',
            '\u{e007f}',
        ] {
            assert!(is_hidden(hidden), "{hidden:?}");
        }
        for seen in "aé größe 名前 한글 العربية עברית 🦀️ \u{301} \u{fffd} – …".chars()
        {
            assert!(!is_hidden(seen), "{seen:?}");
        }
    }
}
