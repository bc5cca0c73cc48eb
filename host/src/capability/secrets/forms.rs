//! The forms that a value comes in, found in a stream of bytes.
//!
//! In -> out: values -> [`Forms`]; bytes -> the state after each, with the longest form that ends there.
//! Invariant: a form is found wherever it stands, also across others; the time for a byte does not depend on how many came
//! before.
//! Not here: what is put in its place (`mask.rs`).

use std::collections::BTreeSet;
use std::fmt::Write;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::noncontiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Where a search stands.
#[derive(Clone, Copy)]
pub(super) struct State(StateID);

/// All forms of some values.
pub(super) struct Forms {
    nfa: NFA,
    start: StateID,
    /// By state: so many of the last bytes are a form, the longest one; 0: none.
    matched: Vec<usize>,
    longest: usize,
}

impl Forms {
    /// Of these values and, as they are, these texts.
    pub(super) fn of<'a>(
        values: impl IntoIterator<Item = &'a [u8]>,
        texts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut forms: BTreeSet<Vec<u8>> = texts.into_iter().map(<[u8]>::to_vec).collect();
        for value in values {
            add_forms(value, &mut forms);
        }
        let built = NFA::builder().match_kind(MatchKind::Standard).prefilter(false).build(&forms);
        // It has a state for each byte of a form, and can have 2^31: of a grant's 64 values of 64 KiB there are fewer.
        let Ok(nfa) = built else { unreachable!("a grant names few secrets, and each has a size") };
        let Ok(start) = nfa.start_state(Anchored::No) else {
            unreachable!("it is built for searches like that")
        };
        let mut matched: Vec<usize> = Vec::new();
        // Through a form every state is one of that form's own beginning: the states of all beginnings are all there are.
        for form in &forms {
            let mut state = start;
            for byte in form {
                state = nfa.next_state(Anchored::No, state, *byte);
                let ends = if nfa.is_match(state) { nfa.match_len(state) } else { 0 };
                let lengths = (0..ends).map(|end| nfa.pattern_len(nfa.match_pattern(state, end)));
                if matched.len() <= state.as_usize() {
                    matched.resize(state.as_usize() + 1, 0);
                }
                if let Some(place) = matched.get_mut(state.as_usize()) {
                    *place = lengths.max().unwrap_or(0);
                }
            }
        }
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        Self { nfa, start, matched, longest }
    }

    pub(super) fn start(&self) -> State {
        State(self.start)
    }

    /// The state after one more byte, and how many of the last bytes are a form.
    pub(super) fn next(&self, state: State, byte: u8) -> (State, usize) {
        let next = self.nfa.next_state(Anchored::No, state.0, byte);
        (State(next), self.matched.get(next.as_usize()).copied().unwrap_or(0))
    }

    /// Bytes of the longest form.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }
}

/// How pages write `"` and `'`.
const HTML_QUOTES: [(&str, &str); 6] = [
    ("\"", "'"),
    ("&quot;", "'"),
    ("&quot;", "&#x27;"),
    ("&quot;", "&#39;"),
    ("&quot;", "&#039;"),
    ("&#34;", "&#39;"),
];

/// As it is, in small and in capital letters, in hexadecimal, in base64 wherever it begins in it, percent-encoded, in JSON, both also
/// twice, in HTML.
fn add_forms(value: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    // Names of headers come in small letters.
    forms.extend([value.to_vec(), value.to_ascii_lowercase(), value.to_ascii_uppercase()]);
    forms.insert(hex::encode(value).into_bytes());
    forms.insert(hex::encode_upper(value).into_bytes());
    for before in 0..3 {
        // The characters at both ends share bits with what stands beside the value: they are not its own.
        let bytes = [vec![0; before], value.to_vec()].concat();
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for coded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            forms.extend(coded.get(first..end).map(|own| own.as_bytes().to_vec()));
        }
    }
    for (kept, space) in
        [("-_.~", "%20"), ("-_.!~*'()", "%20"), ("*-._", "+"), ("-_.!~*'();/?:@&=+$,#", "%20")]
    {
        for upper in [true, false] {
            let once = percent(value, kept, space, upper);
            // A URL that stands in a URL.
            forms.insert(percent(once.as_bytes(), kept, space, upper).into_bytes());
            forms.insert(once.into_bytes());
        }
    }
    if let Ok(text) = std::str::from_utf8(value) {
        for escaped in [json(text, ""), json(text, "/"), json(text, "<>&"), json(text, "'<>&\"")] {
            for escaped in [ascii(&escaped, true), ascii(&escaped, false), escaped] {
                // JSON that stands in JSON.
                forms.insert(json(&escaped, "").into_bytes());
                forms.insert(escaped.into_bytes());
            }
        }
        for (double, single) in HTML_QUOTES {
            let replaced = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            forms.insert(replaced.replace('"', double).replace('\'', single).into_bytes());
        }
    }
}

/// Each form of a value, for tests.
#[cfg(test)]
pub(super) fn all(value: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    add_forms(value, &mut forms);
    forms
}

fn percent(value: &[u8], kept: &str, space: &str, upper: bool) -> String {
    let mut text = String::new();
    for byte in value {
        let plain = byte.is_ascii_alphanumeric() || kept.as_bytes().contains(byte);
        // Writing to a text cannot fail.
        let _ = match (plain, byte) {
            (true, _) => text.write_char(char::from(*byte)),
            (false, b' ') => text.write_str(space),
            (false, _) if upper => write!(text, "%{byte:02X}"),
            (false, _) => write!(text, "%{byte:02x}"),
        };
    }
    text
}

/// As it stands between the quotes of JSON; of these characters `/` with a backslash, the others as numbers.
fn json(text: &str, more: &str) -> String {
    let mut escaped = String::new();
    for one in text.chars() {
        let _ = match one {
            '/' if more.contains('/') => escaped.write_str("\\/"),
            _ if more.contains(one) => write!(escaped, "\\u{:04x}", u32::from(one)),
            '"' | '\\' => write!(escaped, "\\{one}"),
            _ if one.is_ascii_control() => write!(escaped, "\\u{:04x}", u32::from(one)),
            _ => escaped.write_char(one),
        };
    }
    escaped
}

/// With everything that is not ASCII as numbers, as Python writes it.
fn ascii(text: &str, upper: bool) -> String {
    let mut escaped = String::new();
    let mut units = [0; 2];
    for one in text.chars() {
        if one.is_ascii() {
            escaped.push(one);
            continue;
        }
        for unit in one.encode_utf16(&mut units) {
            let _ = match upper {
                true => write!(escaped, "\\u{unit:04X}"),
                false => write!(escaped, "\\u{unit:04x}"),
            };
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(value: &str) -> Vec<String> {
        let mut forms = BTreeSet::new();
        add_forms(value.as_bytes(), &mut forms);
        forms.into_iter().map(|form| String::from_utf8(form).unwrap()).collect()
    }

    #[test]
    fn each_form_that_people_meet_is_among_them() {
        let found = forms("p\u{e4}ss/w \"o+rd'<");
        for expected in [
            "p\u{e4}ss/w \"o+rd'<",
            "70c3a47373",
            "p%C3%A4ss%2Fw%20%22o%2Brd%27%3C",
            "p%c3%a4ss%2fw%20%22o%2brd%27%3c",
            "p%C3%A4ss%2Fw%20%22o%2Brd'%3C",
            "p%C3%A4ss%2Fw+%22o%2Brd%27%3C",
            "p%C3%A4ss/w%20%22o+rd'%3C",
            "p\u{e4}ss/w \\\"o+rd'<",
            "p\\u00e4ss/w \\\"o+rd'<",
            "p\\u00E4ss/w \\\"o+rd'<",
            "p\u{e4}ss\\/w \\\"o+rd'<",
            "p\u{e4}ss/w \\\"o+rd'\\u003c",
            "P\u{e4}SS/W \"O+RD'<",
            "p%25C3%25A4ss%252Fw%2520%2522o%252Brd%2527%253C",
            "p\u{e4}ss/w \\\\\\\"o+rd'<",
            "p\\\\u00e4ss/w \\\\\\\"o+rd'<",
            "p\u{e4}ss/w &quot;o+rd&#x27;&lt;",
            "p\u{e4}ss/w &#34;o+rd&#39;&lt;",
        ] {
            assert!(found.iter().any(|form| form.starts_with(expected)), "{expected} of {found:#?}");
        }
    }

    #[test]
    fn base64_is_found_wherever_the_value_begins_in_it() {
        for value in ["123456", "1234567", "12345678", "\u{ff}\u{fe}>?>?~~"] {
            let found = forms(value);
            for (before, after) in [("", ""), ("a", ""), ("ab", "c"), ("abc", "de"), ("user:", "\n")] {
                let whole = format!("{before}{value}{after}");
                for coded in [STANDARD_NO_PAD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
                    assert!(found.iter().any(|form| coded.contains(form)), "{whole}: {coded}");
                }
            }
        }
    }
}
