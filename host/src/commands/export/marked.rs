//! Words and colours within a page of HTML and within its picture.
//!
//! In -> out: text from outside -> text that makes no element and no attribute; a status -> its colour.

use crate::console::escape;

/// Text that stands for itself, in an element and in an attribute.
pub(in crate::commands) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in escape(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Of a status.
pub(super) fn colour(status: &str) -> &'static str {
    match status {
        "done" => "#bfe5c8",
        "failed" => "#f3c0bb",
        "in_progress" => "#bcd9f5",
        "in_doubt" | "waiting_approval" => "#f6e3a5",
        _ => "#e3e7ec",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_makes_no_element_and_no_attribute() {
        let hostile = "<script>alert(1)</script>\" onload='x' & \u{202e}";
        let escaped = text(hostile);
        assert!(!escaped.contains(['<', '>', '"', '\'', '\u{202e}']), "{escaped}");
        assert_eq!(text("a & b"), "a &amp; b");
    }
}
