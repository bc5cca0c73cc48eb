//! Texts of plugins and of the engine, cut to what is kept of them.
//!
//! Limits: 4096 bytes where the caller names no other.
//! Invariant: a text is cut between characters.
//! Not here: what is shown of it (`console.rs` escapes).

/// Bytes of a text from a plugin or the engine that an error keeps.
const MESSAGE_BYTES_MAX: usize = 4096;

/// At most [`MESSAGE_BYTES_MAX`] bytes of a text.
pub(crate) fn cut(text: &str) -> String {
    cut_to(text, MESSAGE_BYTES_MAX).to_owned()
}

/// At most `bytes_max` bytes of a text.
pub fn cut_to(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut_to("abc", 4), "abc");
        assert_eq!(cut_to("abc", 2), "ab");
        assert_eq!(cut_to("aäb", 2), "a");
        assert_eq!(cut(&"x".repeat(5000)).len(), 4096);
    }
}
