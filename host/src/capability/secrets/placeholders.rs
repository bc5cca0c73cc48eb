//! The words of one call, and what they stand for.
//!
//! In -> out: a secret's name -> a word; a header's value on its way to a host -> the same with what the words for that
//! host stand for; an answer on its way back -> the same, masked.
//! Limits: [`WORDS_MAX`] words.
//! Invariant: what a word stands for leaves by [`Placeholders::fill`] only, for the host that its secret is bound to; a
//! word of another call is none.
//! Not here: reading values (`backend.rs`), sending the request and reading its answer (who calls this).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use orch_trust::digest::Sha256Digest;
use orch_trust::permission::SecretsPermission;
use zeroize::Zeroizing;

use super::backend::SecretReader;
use super::forms::Forms;
use super::mask::{MASK, Scan};
use super::value::SecretValue;
use crate::capability::mood::lock;

/// So that people and tools that look for secrets know one.
pub const WORD_PREFIX: &str = "orch-secret-";
pub const WORDS_MAX: usize = 64;
const RANDOM_BYTES: usize = 16;
const WORD_BYTES: usize = WORD_PREFIX.len() + 2 * RANDOM_BYTES;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The connection is by TLS, and the peer's certificate is good for that host.
    pub tls: bool,
    /// A name or an address; of IPv6 with brackets or without.
    pub host: String,
    pub port: u16,
    /// It is an address of this machine, and the rule that allows it names that address.
    pub loopback_by_rule: bool,
}

impl Destination {
    /// As a secret's `host` names it.
    fn shown(&self) -> String {
        match self.host.contains(':') && !self.host.starts_with('[') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Why there is no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoWord {
    /// There are [`WORDS_MAX`].
    Limit,
    /// The machine gives no random numbers.
    NoRandom,
}

/// A word, and what it is for.
struct Word {
    name: String,
    stands_for: Zeroizing<Vec<u8>>,
    /// In answers besides the value: what was made of it.
    masked: Zeroizing<Vec<u8>>,
    value: Arc<SecretValue>,
}

/// Bytes in which each word, of whatever call, is hidden.
pub(crate) fn hide_words(whole: &[u8]) -> Vec<u8> {
    let is_word = |rest: &[u8]| {
        let random = rest.get(..WORD_BYTES).and_then(|word| word.strip_prefix(WORD_PREFIX.as_bytes()));
        random.is_some_and(|random| random.iter().all(u8::is_ascii_hexdigit))
    };
    let mut hidden = Vec::with_capacity(whole.len());
    let mut rest = whole;
    while let Some((first, after)) = rest.split_first() {
        rest = match is_word(rest) {
            true => {
                hidden.extend_from_slice(MASK);
                rest.get(WORD_BYTES..).unwrap_or_default()
            }
            false => {
                hidden.push(*first);
                after
            }
        };
    }
    hidden
}

#[derive(Default)]
struct Words {
    drawn: BTreeMap<String, Word>,
    /// What was read before by others, and the forms of it and of so many words.
    forms: Option<(Vec<Arc<SecretValue>>, usize, Arc<Forms>)>,
}

/// The words of one call; lent to whatever sends its requests.
pub struct Placeholders {
    granted: Arc<SecretsPermission>,
    reader: Arc<dyn SecretReader>,
    /// The words of each call are the same.
    fixed: bool,
    words: Mutex<Words>,
}

impl Placeholders {
    pub(crate) fn new(
        granted: Arc<SecretsPermission>,
        reader: Arc<dyn SecretReader>,
        fixed: bool,
    ) -> Arc<Self> {
        Arc::new(Self { granted, reader, fixed, words: Mutex::default() })
    }

    pub(crate) fn reader(&self) -> &Arc<dyn SecretReader> {
        &self.reader
    }

    /// Succeeds if there is room for one more.
    pub(crate) fn check_room(&self) -> Result<(), NoWord> {
        match lock(&self.words).drawn.len() < WORDS_MAX {
            true => Ok(()),
            false => Err(NoWord::Limit),
        }
    }

    /// A word for that text, which was made of that secret: of the text `masked` is hidden in answers, besides the
    /// secret itself.
    pub(crate) fn draw(
        &self,
        name: &str,
        value: Arc<SecretValue>,
        stands_for: Zeroizing<Vec<u8>>,
        masked: Zeroizing<Vec<u8>>,
    ) -> Result<String, NoWord> {
        let mut words = lock(&self.words);
        if words.drawn.len() >= WORDS_MAX {
            return Err(NoWord::Limit);
        }
        let mut random = [0; RANDOM_BYTES];
        match self.fixed {
            true => {
                let number = Sha256Digest::of(words.drawn.len().to_string().as_bytes()).to_string();
                hex::decode_to_slice(number.get(..2 * RANDOM_BYTES).unwrap_or_default(), &mut random)
                    .unwrap_or_default();
            }
            false => getrandom::fill(&mut random).map_err(|_| NoWord::NoRandom)?,
        }
        let word = format!("{WORD_PREFIX}{}", hex::encode(random));
        words.drawn.insert(word.clone(), Word { name: name.to_owned(), stands_for, masked, value });
        Ok(word)
    }

    /// A header's value as it goes to that host: each word whose secret is bound to it is what it stands for. Every other
    /// one stays what it is.
    pub fn fill(&self, header_value: &[u8], to: &Destination) -> Vec<u8> {
        let words = lock(&self.words);
        if words.drawn.is_empty() || !(to.tls || to.loopback_by_rule) {
            return header_value.to_vec();
        }
        let host = to.shown();
        let is_bound =
            |word: &Word| self.granted.uses.iter().any(|one| one.name == word.name && one.is_for(&host));
        let word_at = |rest: &[u8]| {
            let word = rest.get(..WORD_BYTES).filter(|word| word.starts_with(WORD_PREFIX.as_bytes()))?;
            words.drawn.get(std::str::from_utf8(word).ok()?).filter(|word| is_bound(word))
        };
        let mut filled = Vec::with_capacity(header_value.len());
        let mut rest = header_value;
        while let Some((first, after)) = rest.split_first() {
            // What was filled in is not looked at again.
            rest = match word_at(rest) {
                Some(word) => {
                    filled.extend_from_slice(&word.stands_for);
                    rest.get(WORD_BYTES..).unwrap_or_default()
                }
                None => {
                    filled.push(*first);
                    after
                }
            };
        }
        filled
    }

    /// True of a host that may get a secret of this call's grant: what it answers must be whole, and readable for the mask.
    pub fn guards(&self, to: &Destination) -> bool {
        let host = to.shown();
        self.granted.uses.iter().any(|one| one.is_for(&host))
    }

    /// True if something of an answer may be hidden, however late its word is drawn.
    pub fn may_hide(&self) -> bool {
        !self.granted.uses.is_empty()
    }

    /// For one answer's head, or its body: hides every secret that this call has a word for, and those of the grant that
    /// this host has read before. Words drawn while it goes by count from then on.
    pub fn mask(self: &Arc<Self>) -> Mask {
        let (count, forms) = self.forms();
        Mask { of: self.clone(), count, scan: forms.map(Scan::new) }
    }

    /// The same for something that is there as a whole, a header's value.
    pub fn masked(self: &Arc<Self>, whole: &[u8]) -> Vec<u8> {
        let mut mask = self.mask();
        let mut masked = mask.push(Bytes::copy_from_slice(whole)).to_vec();
        masked.extend_from_slice(&mask.end());
        masked
    }

    /// How many words there are, and the forms of what they stand for; none if there is nothing to hide.
    fn forms(&self) -> (usize, Option<Arc<Forms>>) {
        let mut known: Vec<Arc<SecretValue>> = Vec::new();
        for one in &self.granted.uses {
            known.extend(self.reader.known(&one.name));
        }
        let mut words = lock(&self.words);
        let Words { drawn, forms } = &mut *words;
        let count = drawn.len();
        if count == 0 && known.is_empty() {
            return (0, None);
        }
        let is_same = |before: &[Arc<SecretValue>]| {
            before.len() == known.len()
                && before.iter().zip(&known).all(|(one, other)| Arc::ptr_eq(one, other))
        };
        match forms {
            Some((before, of, forms)) if *of == count && is_same(before) => (count, Some(forms.clone())),
            _ => {
                let values = drawn.values().map(|word| &word.value).chain(&known).map(|value| value.bytes());
                let made = drawn.values().map(|word| word.masked.as_slice()).filter(|made| !made.is_empty());
                let texts = drawn.values().map(|word| word.stands_for.as_slice());
                let built = Arc::new(Forms::of(values.chain(made), texts));
                *forms = Some((known, count, built.clone()));
                (count, Some(built))
            }
        }
    }
}

/// One stream of an answer, masked while it goes by.
pub struct Mask {
    of: Arc<Placeholders>,
    /// Words that count.
    count: usize,
    scan: Option<Scan>,
}

impl Mask {
    /// What may go on of everything that came so far.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        if lock(&self.of.words).drawn.len() != self.count {
            let (count, forms) = self.of.forms();
            self.count = count;
            match (&mut self.scan, forms) {
                (Some(scan), Some(forms)) => scan.widen(forms),
                (none, forms) => *none = forms.map(Scan::new),
            }
        }
        match &mut self.scan {
            Some(scan) => scan.push(&chunk),
            None => chunk,
        }
    }

    pub fn holds(&self) -> bool {
        self.scan.as_ref().is_some_and(Scan::holds)
    }

    /// What is held, when nothing came for a while: the mask goes on, but for a value that pauses in its middle.
    pub fn flush(&mut self) -> Bytes {
        self.scan.as_mut().map_or_else(Bytes::new, Scan::flush)
    }

    /// What is left when nothing more comes.
    pub fn end(self) -> Bytes {
        self.scan.map_or_else(Bytes::new, Scan::end)
    }
}
