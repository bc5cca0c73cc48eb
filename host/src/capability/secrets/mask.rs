//! Masking: what an answer has of secrets is replaced by [`MASK`] while it goes by.
//!
//! In -> out: chunks -> the same bytes, with each stretch that is covered by forms of values as one [`MASK`].
//! Limits: holds back the longest form less a byte.
//! Invariant: what comes out does not depend on how the bytes were cut into chunks, and how much does not depend on what they
//! are, whole forms apart: else who sees when bytes come would learn where a value begins, and then how it goes on.
//! Not here: which values (`placeholders.rs`), their forms (`forms.rs`).

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::forms::{Forms, State};
use super::value::SecretValue;

pub const MASK: &[u8] = b"***";

/// What hides values in texts that are kept.
#[derive(Default)]
pub struct TextMask(Option<Arc<Forms>>);

impl TextMask {
    pub fn of(values: &[Arc<SecretValue>]) -> Self {
        let forms = || Arc::new(Forms::of(values.iter().map(|value| value.bytes()), []));
        Self((!values.is_empty()).then(forms))
    }

    /// The text with each value as one [`MASK`], and whether there was one.
    pub fn apply(&self, text: &[u8]) -> (Vec<u8>, bool) {
        let Some(forms) = &self.0 else { return (text.to_vec(), false) };
        let mut scan = Scan::new(forms.clone());
        let mut masked = scan.push(text).to_vec();
        masked.extend_from_slice(&scan.end());
        let is_masked = masked != text;
        (masked, is_masked)
    }
}

/// One stream of bytes that is masked.
pub(super) struct Scan {
    forms: Arc<Forms>,
    state: State,
    /// Where the held bytes begin in the stream.
    base: u64,
    held: BytesMut,
    /// What is covered, in the order of the stream, apart from each other.
    covered: VecDeque<Range<u64>>,
    /// The byte before the held ones is covered.
    masked: bool,
}

impl Scan {
    pub(super) fn new(forms: Arc<Forms>) -> Self {
        let state = forms.start();
        Self { forms, state, base: 0, held: BytesMut::new(), covered: VecDeque::new(), masked: false }
    }

    /// From here on with more forms; what is held is looked at again.
    pub(super) fn widen(&mut self, forms: Arc<Forms>) {
        self.state = forms.start();
        self.forms = forms;
        self.look(0);
    }

    /// What may go on when that came.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Bytes {
        let from = self.held.len();
        self.held.extend_from_slice(chunk);
        self.look(from);
        self.release((self.held.len() + 1).saturating_sub(self.forms.longest()))
    }

    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Everything that is held, whatever it may be the beginning of.
    pub(super) fn flush(&mut self) -> Bytes {
        self.release(self.held.len())
    }

    /// What is left when nothing more comes.
    pub(super) fn end(mut self) -> Bytes {
        self.flush()
    }

    /// Covers every form that ends in the held bytes from there on.
    fn look(&mut self, from: usize) {
        let first = self.base + from as u64;
        for (end, byte) in (first + 1..).zip(self.held.get(from..).unwrap_or_default()) {
            let (state, matched) = self.forms.next(self.state, *byte);
            self.state = state;
            if matched > 0 {
                // What was let go of is past.
                let mut found = end.saturating_sub(matched as u64).max(self.base)..end;
                while let Some(last) = self.covered.pop_back_if(|last| last.end >= found.start) {
                    found.start = found.start.min(last.start);
                    found.end = found.end.max(last.end);
                }
                self.covered.push_back(found);
            }
        }
    }

    /// The first held bytes, masked.
    fn release(&mut self, count: usize) -> Bytes {
        let raw = self.held.split_to(count).freeze();
        let (mut at, end) = (self.base, self.base + count as u64);
        let of = |range: Range<u64>| {
            let inside = |place: u64| usize::try_from(place - self.base).unwrap_or(usize::MAX);
            raw.get(inside(range.start)..inside(range.end)).unwrap_or_default()
        };
        let is_covered = self.covered.front().is_some_and(|found| found.start < end);
        if !is_covered {
            self.masked &= count == 0;
            self.base = end;
            return raw;
        }
        let mut out = BytesMut::with_capacity(count);
        while let Some(found) = self.covered.front_mut().filter(|found| found.start < end) {
            if found.start > at {
                out.extend_from_slice(of(at..found.start));
                self.masked = false;
            }
            if !self.masked {
                out.extend_from_slice(MASK);
                self.masked = true;
            }
            at = found.end.min(end);
            found.start = at;
            if found.end <= end {
                self.covered.pop_front();
            }
        }
        if at < end {
            out.extend_from_slice(of(at..end));
            self.masked = false;
        }
        self.base = end;
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(values: &[&[u8]]) -> Scan {
        Scan::new(Arc::new(Forms::of(values.iter().copied(), [])))
    }

    fn masked<'a>(values: &[&[u8]], chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut scan = scan(values);
        let mut out: Vec<u8> = chunks.into_iter().flat_map(|chunk| scan.push(chunk)).collect();
        out.extend(scan.end());
        out
    }

    #[track_caller]
    fn check(values: &[&str], body: &str, expected: &str) {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        for size in 1..=body.len().max(1) {
            let found = masked(&values, body.as_bytes().chunks(size));
            assert_eq!(String::from_utf8_lossy(&found), expected, "in chunks of {size}");
        }
    }

    #[test]
    fn a_value_is_masked_wherever_it_stands() {
        check(&["s3cret"], "", "");
        check(&["s3cret"], "s3cret", "***");
        check(&["s3cret"], "a s3cret b", "a *** b");
        check(&["s3cret"], "s3cre", "s3cre");
        check(&["s3cret"], "s3crs3cret", "s3cr***");
        check(
            &["s3cret"],
            "{\"headers\":{\"authorization\":\"Basic bWU6czNjcmV0\"}}",
            "{\"headers\":{\"authorization\":\"Basic bWU6***\"}}",
        );
        check(&["s3cret"], "733363726574 733363726574", "*** ***");
    }

    #[test]
    fn what_overlaps_or_touches_is_one_mask() {
        check(&["abcabc"], "xabcabcabcy", "x***y");
        check(&["abcabc"], "abcabcabcabc", "***");
        check(&["abcdef", "defghi"], "-abcdefghi-", "-***-");
        check(&["abcdef", "xabcdefx"], "xabcdefx xabcdef", "*** x***");
        check(&["bcdefg", "abcdefghijk"], "abcdefghij", "a***hij");
    }

    #[test]
    fn as_much_is_held_of_what_begins_like_a_value_as_of_anything_else() {
        let held = |chunks: &[&str]| {
            let mut scan = scan(&[b"s3cret-value"]);
            chunks.iter().map(|chunk| scan.push(chunk.as_bytes()).len()).collect::<Vec<_>>()
        };
        let other = held(&["data: 0123456789012345678901234567890123456789", "x", "x", "xxxxxxxxxxx", "xx"]);
        for chunks in [
            ["data: 012345678901234567890123456789012345678s", "3", "c", "ret-valuX..", ".."],
            ["data: s3cret-valus3cret-valus3cret-valus3cret-", "v", "a", "lu-s3cret-v", "al"],
        ] {
            assert_eq!(held(&chunks), other);
        }
    }

    #[test]
    fn what_is_let_go_of_is_not_masked_and_the_rest_of_it_is() {
        let mut scan = scan(&[b"s3cret"]);
        assert_eq!(scan.push(b"x s3c"), "");
        assert!(scan.holds());
        assert_eq!(scan.flush(), "x s3c");
        assert!(!scan.holds());
        assert_eq!(scan.push(b"ret, s3cret"), "");
        assert_eq!(scan.end(), "***, ***");
    }

    #[test]
    fn more_values_count_for_what_is_held() {
        let mut scan = scan(&[b"first-value"]);
        assert_eq!(scan.push(b"-fir"), "");
        scan.widen(Arc::new(Forms::of([&b"first-value"[..], b"fir-second"], [])));
        let first = scan.push(b"-second first-value");
        assert_eq!([first, scan.end()].concat(), b"-*** ***");
    }

    /// Every place that a form covers, found one by one.
    fn whole(forms: &[Vec<u8>], body: &[u8]) -> Vec<u8> {
        let mut covered = vec![false; body.len()];
        for form in forms {
            for at in 0..(body.len() + 1).saturating_sub(form.len()) {
                if body[at..].starts_with(form) {
                    covered[at..at + form.len()].fill(true);
                }
            }
        }
        let mut out = Vec::new();
        for (at, byte) in body.iter().enumerate() {
            match covered[at] {
                false => out.push(*byte),
                true if at == 0 || !covered[at - 1] => out.extend_from_slice(MASK),
                true => {}
            }
        }
        out
    }

    /// Values of few letters, so that they overlap with each other and themselves.
    fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(prop::sample::select(&b"abc/\xc3\xa4"[..]), 6..14), 1..4)
    }

    fn pieces() -> impl Strategy<Value = Vec<(usize, usize, Vec<u8>)>> {
        let noise = prop::collection::vec(prop::sample::select(&b"abc/%\xc3\xa4"[..]), 0..12);
        prop::collection::vec((0_usize..99, 0_usize..99, noise), 0..12)
    }

    proptest! {
        #[test]
        fn any_body_in_any_chunks_is_masked_as_a_whole(
            values in values(),
            pieces in pieces(),
            sizes in prop::collection::vec(0_usize..9, 0..200),
        ) {
            let forms: Vec<Vec<u8>> = values.iter().flat_map(|value| super::super::forms::all(value)).collect();
            let mut body = Vec::new();
            for (form, cut, noise) in &pieces {
                let form = &forms[form % forms.len()];
                // A whole one, or one that breaks off.
                body.extend_from_slice(&form[..if cut % 2 == 0 { form.len() } else { cut % form.len() }]);
                body.extend_from_slice(noise);
            }
            let mut rest = body.as_slice();
            let mut chunks = Vec::new();
            for size in sizes {
                let (chunk, after) = rest.split_at(size.min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            chunks.push(rest);
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let found = masked(&values, chunks);
            prop_assert_eq!(&found, &whole(&forms, &body));
            for form in &forms {
                prop_assert!(!found.windows(form.len()).any(|window| window == form.as_slice()));
            }
        }
    }
}
