//! Going in circles: the same call again and again, edits that undo each other.
//!
//! In -> out: each call, each content that a file came to -> [`Turn`].
//! Invariant: a call counts again only if nothing was changed since; a file's content is known by a digest of it.
//! Not here: what follows (`turns.rs`).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What is to be made of a call or an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing to say.
    New,
    /// Nothing comes of it; tell the model.
    Circle,
    /// It was told, and goes on: end.
    Lost,
}

/// What was seen so far.
#[derive(Debug)]
pub struct Repeats {
    max: u32,
    /// Calls since the last change, with how often.
    calls: BTreeMap<u64, u32>,
    /// Contents of each file so far.
    contents: BTreeMap<String, Vec<u64>>,
    undone: u32,
}

impl Repeats {
    #[must_use]
    pub fn new(max: u32) -> Self {
        Self { max: max.max(1), calls: BTreeMap::new(), contents: BTreeMap::new(), undone: 0 }
    }

    /// A call that is about to be made.
    pub fn call(&mut self, name: &str, arguments: &str) -> Turn {
        let times = self.calls.entry(digest(&(name, arguments))).or_default();
        *times = times.saturating_add(1);
        turn(*times, self.max)
    }

    /// A file came from one content to another; none: it was not, or is not there.
    pub fn changed(&mut self, path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Turn {
        self.calls.clear();
        let contents = self.contents.entry(path.to_owned()).or_insert_with(|| vec![digest(&before)]);
        let after = digest(&after);
        let is_undone = contents.contains(&after);
        contents.push(after);
        if !is_undone {
            return Turn::New;
        }
        self.undone = self.undone.saturating_add(1);
        turn(self.undone, self.max)
    }
}

fn turn(times: u32, max: u32) -> Turn {
    match times {
        times if times > max.saturating_mul(2) => Turn::Lost,
        times if times > max => Turn::Circle,
        _ => Turn::New,
    }
}

fn digest(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_call_again_and_again_is_told_and_then_the_end() {
        let mut repeats = Repeats::new(2);
        let turns: Vec<Turn> = (0..6).map(|_| repeats.call("read", "{}")).collect();
        assert_eq!(turns, [Turn::New, Turn::New, Turn::Circle, Turn::Circle, Turn::Lost, Turn::Lost]);
        assert_eq!(repeats.call("read", "{ }"), Turn::New);
    }

    #[test]
    fn a_call_after_a_change_is_another_one() {
        let mut repeats = Repeats::new(1);
        for content in [b"1", b"2", b"3", b"4"] {
            assert_eq!(repeats.call("run", "tests"), Turn::New);
            assert_eq!(repeats.changed("a", Some(b"0"), Some(content)), Turn::New);
        }
    }

    #[test]
    fn edits_that_undo_each_other_are_told_and_then_the_end() {
        let mut repeats = Repeats::new(1);
        let mut turn = |before, after| repeats.changed("a", before, after);
        let (one, two) = (Some(&b"1"[..]), Some(&b"2"[..]));
        assert_eq!(turn(one, two), Turn::New);
        assert_eq!(turn(two, one), Turn::New, "once is a change of mind");
        assert_eq!(turn(one, two), Turn::Circle);
        assert_eq!(turn(two, one), Turn::Lost);
        let mut other = Repeats::new(1);
        assert_eq!(other.changed("b", None, one), Turn::New);
        assert_eq!(other.changed("b", one, None), Turn::New);
        assert_eq!(other.changed("b", None, one), Turn::Circle);
    }
}
