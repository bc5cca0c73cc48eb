//! Values in what was written before, found and not changed.
//!
//! In -> out: named values -> [`Leaks`]; bytes -> which value stands where.
//! Limits: 10 places of each value in one stream.
//! Invariant: what is said is a name and a place, nothing of the value.
//! Not here: which files are looked through (`commands/secret.rs`).

use std::io::{self, Read};
use std::sync::Arc;

use super::forms::Forms;
use super::value::SecretValue;

const CHUNK_BYTES: usize = 64 << 10;
const PLACES_MAX: usize = 10;

/// What is looked for.
pub struct Leaks(Vec<(String, Forms)>);

impl Leaks {
    pub fn of(values: impl IntoIterator<Item = (String, Arc<SecretValue>)>) -> Self {
        let forms = |(name, value): (String, Arc<SecretValue>)| (name, Forms::of([value.bytes()], []));
        Self(values.into_iter().map(forms).collect())
    }

    /// Name, and offset of the first byte, of each stretch that is covered by forms of one value.
    ///
    /// # Errors
    /// What reading gives.
    pub fn find(&self, mut from: impl Read) -> io::Result<Vec<(&str, u64)>> {
        let mut found = Vec::new();
        let mut states: Vec<_> = self.0.iter().map(|(_, forms)| (forms.start(), 0, 0)).collect();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut base = 0;
        loop {
            let read = match from.read(&mut chunk) {
                Ok(0) => return Ok(found),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = chunk.get(..read).unwrap_or_default();
            for ((name, forms), (state, covered, places)) in self.0.iter().zip(&mut states) {
                for (end, byte) in (base + 1..).zip(bytes) {
                    let (next, matched) = forms.next(*state, *byte);
                    *state = next;
                    let start = end - matched as u64;
                    if matched == 0 {
                        continue;
                    }
                    if (*covered == 0 || start > *covered) && *places < PLACES_MAX {
                        *places += 1;
                        found.push((name.as_str(), start));
                    }
                    *covered = end;
                }
            }
            base += read as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::secrets::value::SecretEncoding;

    fn leaks(values: &[(&str, &str)]) -> Leaks {
        let value = |text: &str| SecretValue::parse(text.as_bytes(), SecretEncoding::Plain).ok().unwrap();
        Leaks::of(values.iter().map(|(name, text)| ((*name).to_owned(), Arc::new(value(text)))))
    }

    #[test]
    fn each_value_is_found_by_its_name_and_place() {
        let leaks = leaks(&[("one", "value-of-one"), ("two", "value-of-two")]);
        let text = "- value-of-one value-of-twovalue-of-two 76616c75652d6f662d6f6e65";
        let mut found = leaks.find(text.as_bytes()).unwrap();
        found.sort();
        assert_eq!(found, [("one", 2), ("one", 40), ("two", 15)]);
        assert!(leaks.find(&b"value-of-on value-of-tw"[..]).unwrap().is_empty());
    }

    #[test]
    fn a_value_across_chunks_is_found_and_there_are_no_more_than_ten_places() {
        let leaks = leaks(&[("one", "value-of-one")]);
        let before = "x".repeat(CHUNK_BYTES - 5);
        let found = leaks.find(format!("{before}value-of-one").as_bytes()).unwrap();
        assert_eq!(found, [("one", CHUNK_BYTES as u64 - 5)]);
        let found = leaks.find("value-of-one ".repeat(11).as_bytes()).unwrap();
        assert_eq!(found.len(), PLACES_MAX);
    }
}
