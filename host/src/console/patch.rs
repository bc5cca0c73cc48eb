//! Patches as a terminal gets them.
//!
//! In -> out: bytes of a patch, or of how much of each file changed -> text in colour, in which everything but line breaks and tabs
//! is printable.
//! Invariant: what somebody wrote into a file moves no cursor and looks like no colour of ours.
//! Not here: patches for programs, which are bytes as they are (`commands/diff.rs`).

use super::bytes::printable;
use super::{Tone, paint};

/// A unified diff; `colour`: of what is there no more, of what is new, and of where.
pub fn patch(bytes: &[u8], colour: bool) -> String {
    let (mut out, mut is_head) = (String::with_capacity(bytes.len()), true);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        is_head = match line.first() {
            Some(b'@') => false,
            // In a file's lines each begins with one of four others.
            Some(b'+' | b'-' | b' ' | b'\\') => is_head,
            _ => true,
        };
        let tone = match line.first() {
            _ if is_head => Tone::Strong,
            Some(b'+') => Tone::Good,
            Some(b'-') => Tone::Bad,
            Some(b'@') => Tone::Careful,
            _ => Tone::Plain,
        };
        painted(line, colour, tone, &mut out);
    }
    out
}

/// Git's own count of lines: ` a.txt | 3 ++-`.
pub fn stat(bytes: &[u8], colour: bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = printable(line);
        let ended = text.trim_end_matches('\n');
        let without_removed = ended.trim_end_matches('-');
        let without_both = without_removed.trim_end_matches('+');
        let is_count = without_both.ends_with(' ') && without_both.contains('|');
        match is_count {
            false => out.push_str(&text),
            true => {
                let part = |from: usize, to: usize| ended.get(from..to).unwrap_or_default();
                out.push_str(without_both);
                out.push_str(&paint_some(
                    colour,
                    Tone::Good,
                    part(without_both.len(), without_removed.len()),
                ));
                out.push_str(&paint_some(colour, Tone::Bad, part(without_removed.len(), ended.len())));
                out.push_str(text.get(ended.len()..).unwrap_or_default());
            }
        }
    }
    out
}

/// One line, whose end has no colour.
fn painted(line: &[u8], colour: bool, tone: Tone, out: &mut String) {
    let text = printable(line);
    let ended = text.trim_end_matches('\n');
    out.push_str(&paint_some(colour, tone, ended));
    out.push_str(text.get(ended.len()..).unwrap_or_default());
}

fn paint_some(colour: bool, tone: Tone, text: &str) -> String {
    paint(colour && !text.is_empty(), tone, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@ x\n one\n-two\n+\x1b[2J\t2\u{202e}\n\\ No newline at end of file\n";

    #[test]
    fn nothing_in_a_patch_moves_a_cursor() {
        let plain = patch(PATCH.as_bytes(), false);
        assert_eq!(plain, PATCH.replace('\x1b', "\\x1b").replace('\u{202e}', "\\u{202e}"));
        assert_eq!(patch(b"+\xff\r\n+x", false), "+\\xff\\r\n+x");
    }

    #[test]
    fn what_is_new_and_what_is_gone_have_colours_of_their_own() {
        let said = patch(PATCH.as_bytes(), true);
        for part in [
            "\x1b[1mdiff --git a/a b/a\x1b[0m\n\x1b[1m--- a/a\x1b[0m\n\x1b[1m+++ b/a\x1b[0m\n",
            "\x1b[33m@@ -1,2 +1,2 @@ x\x1b[0m\n one\n\x1b[31m-two\x1b[0m\n\x1b[32m+\\x1b[2J\t2\\u{202e}\x1b[0m\n\\ No",
        ] {
            assert!(said.contains(part), "{said:?}");
        }
        // A second file's head, and lines that look like one.
        let two = patch(b"@@ -1 +1 @@\n--- x\n+++ y\ndiff --git a/b b/b\n--- a/b\n", true);
        assert!(two.contains("\x1b[31m--- x\x1b[0m\n\x1b[32m+++ y\x1b[0m\n\x1b[1mdiff"), "{two:?}");
        assert!(two.ends_with("\x1b[1m--- a/b\x1b[0m\n"), "{two:?}");
    }

    #[test]
    fn counts_have_colour_where_they_count() {
        assert_eq!(stat(b" a-+ | 3 ++-\n", true), " a-+ | 3 \x1b[32m++\x1b[0m\x1b[31m-\x1b[0m\n");
        assert_eq!(stat(b" 1 file changed, 2 insertions(+)\n", true), " 1 file changed, 2 insertions(+)\n");
        assert_eq!(stat(b" a-+ | 3 ++-\n", false), " a-+ | 3 ++-\n");
    }
}
