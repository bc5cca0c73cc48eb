//! What of the repository may matter to a task: passages that another plugin finds.
//!
//! In -> out: what is to be done -> passages -> text for the model.
//! Limits: those of the settings.
//! Invariant: without a provider, or where it has nothing, a model is told nothing and works as it would without; what passages say
//! is put between marks, each with where it is.
//! Not here: finding them (the provider that the workspace binds).

use orch_sdk::log;
use orch_sdk::retrieve::{Passage, Query, find};

/// As the manifest names it.
const COLLECTION: &str = "code";
const QUESTION_BYTES_MAX: usize = 8 << 10;

/// Passages for that; none if `count` is 0, nobody finds any, or it may not be asked.
pub fn passages(wanted: &str, count: u32, tokens: u32) -> Vec<Passage> {
    let wanted = wanted.get(..wanted.floor_char_boundary(QUESTION_BYTES_MAX)).unwrap_or_default();
    if count == 0 || wanted.trim().is_empty() {
        return Vec::new();
    }
    find(&Query { count, tokens, ..Query::new(COLLECTION, wanted) }).unwrap_or_else(|error| {
        log::info(format_args!("no passages: {error}"));
        Vec::new()
    })
}

/// The passages in words; empty if there are none.
#[must_use]
pub fn told(passages: &[Passage]) -> String {
    if passages.is_empty() {
        return String::new();
    }
    let mut text = "Passages that may matter, as they were when they were indexed:\n".to_owned();
    for passage in passages {
        let (place, content) = (passage.citation(), passage.text.trim_end());
        text.push_str(&format!("\n----- {place} begins\n{content}\n----- {place} ends\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_passage_has_its_place_and_none_are_no_words() {
        let passage = Passage {
            path: "src/a.py".to_owned(),
            first: 3,
            last: 4,
            language: "python".to_owned(),
            text: "def a():\n    pass\n".to_owned(),
            score: 1.0,
        };
        let text = told(&[passage]);
        assert!(
            text.ends_with("----- src/a.py:3-4 begins\ndef a():\n    pass\n----- src/a.py:3-4 ends\n"),
            "{text}"
        );
        assert_eq!(told(&[]), "");
        assert!(passages("x", 0, 9).is_empty(), "nobody is asked");
    }
}
