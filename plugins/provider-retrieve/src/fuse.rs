//! Lists fused to one, and cut to a budget.
//!
//! In -> out: lists of passages, each the best first -> one list, by reciprocal rank -> its beginning.
//! Invariant: a passage is in the list once; what is equal keeps the order of the lists.

use orch_sdk::vectors::Passage;

/// So much less than a whole place counts that a passage is first rather than second (Cormack, Clarke and Büttcher 2009).
const RANK_OFFSET: f64 = 60.0;
/// Of one token, about.
const BYTES: usize = 4;

/// One list, of which each passage's score is the sum of `1 / (60 + rank)` over the lists that have it.
pub fn fuse(lists: Vec<Vec<Passage>>) -> Vec<Passage> {
    let mut fused: Vec<Passage> = Vec::new();
    for list in lists {
        for (place, passage) in list.into_iter().enumerate() {
            let score = 1.0 / (RANK_OFFSET + 1.0 + place as f64);
            let is_it = |known: &&mut Passage| {
                (&known.path, known.first, known.last, &known.text)
                    == (&passage.path, passage.first, passage.last, &passage.text)
            };
            match fused.iter_mut().find(is_it) {
                Some(known) => known.score += score,
                None => fused.push(Passage { score, ..passage }),
            }
        }
    }
    fused.sort_by(|one, other| other.score.total_cmp(&one.score));
    fused
}

/// At most so many of them, and of so many tokens together; the first one always. `tokens`: 0 is no bound.
pub fn within(mut found: Vec<Passage>, count: usize, tokens: u32) -> Vec<Passage> {
    found.truncate(count);
    if tokens > 0 {
        let mut left = (tokens as usize).saturating_mul(BYTES);
        let fits = found.iter().take_while(|passage| {
            let bytes = passage.text.len() + passage.path.len();
            let fits = bytes <= left;
            left = left.saturating_sub(bytes);
            fits
        });
        let fits = fits.count().max(1);
        found.truncate(fits);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(path: &str, bytes: usize) -> Passage {
        let text = "x".repeat(bytes);
        Passage { path: path.to_owned(), first: 1, last: 2, language: String::new(), text, score: 9.0 }
    }

    fn paths(found: &[Passage]) -> Vec<&str> {
        found.iter().map(|passage| passage.path.as_str()).collect()
    }

    #[test]
    fn what_both_lists_have_comes_before_what_one_has_first() {
        let list = |paths: &[&str]| paths.iter().map(|path| passage(path, 1)).collect::<Vec<_>>();
        let fused = fuse(vec![list(&["a", "b", "c"]), list(&["d", "b"])]);
        assert_eq!(paths(&fused), ["b", "a", "d", "c"]);
        assert!((fused[0].score - 2.0 / 62.0).abs() < 1e-12 && (fused[1].score - 1.0 / 61.0).abs() < 1e-12);
        assert!(fuse(vec![Vec::new(), Vec::new()]).is_empty());
    }

    #[test]
    fn a_budget_ends_before_the_passage_that_goes_beyond_it() {
        let list = || vec![passage("a", 399), passage("b", 399), passage("c", 3)];
        assert_eq!(paths(&within(list(), 9, 0)), ["a", "b", "c"]);
        assert_eq!(paths(&within(list(), 2, 0)), ["a", "b"]);
        assert_eq!(paths(&within(list(), 9, 200)), ["a", "b"]);
        assert_eq!(paths(&within(list(), 9, 199)), ["a"]);
        assert_eq!(paths(&within(list(), 9, 1)), ["a"], "the first one always");
    }
}
