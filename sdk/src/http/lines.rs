//! Lines of what comes in pieces.
//!
//! In -> out: pieces of bytes -> lines without their ends.
//! Limits: [`LINE_BYTES_MAX`].
//! Invariant: a line is the same wherever the pieces are cut.

/// Longest line that is put together.
pub(super) const LINE_BYTES_MAX: usize = 1024 * 1024;

/// What came and was not handed out.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    pending: Vec<u8>,
    /// So much of it has no end of a line.
    searched: usize,
}

impl Splitter {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
    }

    /// The next whole line: ended by `\n` or `\r\n`, which is left out.
    pub(super) fn line(&mut self) -> Option<String> {
        let rest = self.pending.get(self.searched..).unwrap_or_default();
        let Some(at) = rest.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.pending.len();
            return None;
        };
        let line: Vec<u8> = self.pending.drain(..=self.searched + at).collect();
        self.searched = 0;
        Some(text(&line))
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.pending.len() > LINE_BYTES_MAX
    }

    /// What stands after the last end of a line.
    pub(super) fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| text(&rest))
    }
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_wherever_the_pieces_are_cut() {
        let whole = "data: {\"a\": 1}\r\n\r\ndata: \u{e4}\n: ping\nend".as_bytes();
        for size in 1..=whole.len() {
            let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
            for piece in whole.chunks(size) {
                splitter.push(piece);
                lines.extend(std::iter::from_fn(|| splitter.line()));
            }
            lines.extend(splitter.rest());
            assert_eq!(lines, ["data: {\"a\": 1}", "", "data: \u{e4}", ": ping", "end"], "{size}");
            assert_eq!(splitter.rest(), None);
        }
    }

    #[test]
    fn a_line_without_an_end_is_too_long_at_its_limit() {
        let mut splitter = Splitter::default();
        splitter.push(&vec![b'x'; LINE_BYTES_MAX]);
        assert!(splitter.line().is_none() && !splitter.is_too_long());
        splitter.push(b"x");
        assert!(splitter.line().is_none() && splitter.is_too_long());
    }
}
