//! How large a text file is.
//!
//! In -> out: a file's bytes, part after part -> [`Size`].
//! Units: bytes; a line ends with a line feed, and a last line without one counts.
//! Not here: reading the parts (`lib.rs`).

/// Measures of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub bytes: u64,
    pub lines: u64,
    /// Bytes of the longest line, its line ending left out.
    pub longest_line_bytes: u64,
}

/// A measurement that is under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measure {
    size: Size,
    line_bytes: u64,
    after_return: bool,
}

impl Measure {
    /// Takes the next part of the file.
    pub fn take(&mut self, part: &[u8]) {
        for byte in part {
            self.size.bytes += 1;
            if *byte == b'\n' {
                self.end_line();
            } else {
                self.line_bytes += 1;
                self.after_return = *byte == b'\r';
            }
        }
    }

    /// The whole file's size.
    #[must_use]
    pub fn finish(mut self) -> Size {
        if self.line_bytes > 0 {
            self.after_return = false;
            self.end_line();
        }
        self.size
    }

    fn end_line(&mut self) {
        let ending = u64::from(self.after_return);
        self.size.lines += 1;
        self.size.longest_line_bytes =
            self.size.longest_line_bytes.max(self.line_bytes.saturating_sub(ending));
        self.line_bytes = 0;
        self.after_return = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &[u8], bytes: u64, lines: u64, longest_line_bytes: u64) {
        let expected = Size { bytes, lines, longest_line_bytes };
        for part in 1..=content.len().max(1) {
            let mut measure = Measure::default();
            content.chunks(part).for_each(|part| measure.take(part));
            assert_eq!(measure.finish(), expected, "{content:?} in parts of {part}");
        }
    }

    #[test]
    fn lines_bytes_and_the_longest_line_however_the_file_is_cut() {
        check(b"", 0, 0, 0);
        check(b"\n", 1, 1, 0);
        check(b"ab", 2, 1, 2);
        check(b"ab\nc\n", 5, 2, 2);
        check(b"a\n\nbcd", 6, 3, 3);
        check(b"ab\r\ncde\r\n", 9, 2, 3);
        check(b"a\rb\n", 4, 1, 3);
        check("\u{fc}\n".as_bytes(), 3, 1, 2);
    }
}
