//! A run gone through again: its guests are called anew and told what it kept.
//!
//! In -> out: a [`Recording`] -> [`Replay`], which answers questions as they were answered and looks at what comes out.
//! Invariant: the first difference ends the run, and is the one that is said; nobody is asked but guests, and commands whose whole
//! effect is in a tree of their own.
//! Not here: what a journal has of a run (`replay/recording.rs`), the scratch that it is gone through in (`commands/run/replay.rs`).

pub mod recording;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_journal::RunState;
use orch_journal::event::{AttemptFinished, Event, Line, RunStatus};
use tokio::sync::watch::Sender;

use crate::capability::GateClosed;
use crate::capability::secrets::mask::MASK;
use crate::capability::tape::Player;
use crate::console::escape_cut;
use crate::drive::desk::Control;
use crate::watch::Observer;
use recording::{KeptText, Outcome, Recording};

/// Of each side of a difference.
const SHOWN_CHARACTERS: usize = 60;

/// Where a run is not what another one was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Whose call or which task.
    pub at: String,
    /// Of the first byte that is another one, in what is compared.
    pub byte: Option<usize>,
    pub why: String,
    /// Trees, of the run that was kept and of this one.
    pub trees: Option<(String, String)>,
}

impl fmt::Display for Difference {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: ", self.at)?;
        if let Some(byte) = self.byte {
            write!(to, "byte {byte}: ")?;
        }
        to.write_str(&self.why)
    }
}

/// How much was the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Same {
    pub answers: u64,
    pub attempts: u64,
    pub edits: u64,
}

/// One run that is gone through again.
pub struct Replay {
    run: String,
    /// By task.
    numbers: BTreeMap<String, Vec<u32>>,
    kept: Mutex<Kept>,
    say: Sender<Control>,
}

struct Kept {
    lines: BTreeMap<Line, VecDeque<KeptText>>,
    outcomes: BTreeMap<String, VecDeque<Outcome>>,
    /// By task, as its edits were kept.
    trees: BTreeMap<String, VecDeque<String>>,
    status: RunStatus,
    first: Option<Difference>,
    same: Same,
    /// So many answers each line was told.
    told: BTreeMap<Line, u64>,
}

impl Replay {
    /// `say`: how the run is ended.
    pub fn of(recording: &Recording, say: Sender<Control>) -> Arc<Self> {
        let kept = Kept {
            lines: recording.lines.clone(),
            outcomes: recording.outcomes.clone(),
            trees: recording.trees.clone(),
            status: recording.status,
            first: None,
            same: Same::default(),
            told: BTreeMap::new(),
        };
        let (run, numbers) = (recording.run.clone(), recording.numbers.clone());
        Arc::new(Self { run, numbers, kept: Mutex::new(kept), say })
    }

    /// What is to be told of everything that is recorded.
    pub fn observer(self: &Arc<Self>) -> Box<dyn Observer> {
        Box::new(Watching(self.clone()))
    }

    /// The first difference, or how much was the same.
    ///
    /// # Errors
    /// The difference.
    pub fn result(&self) -> Result<Same, Difference> {
        let kept = self.kept();
        kept.first.clone().map_or(Ok(kept.same), Err)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says the first difference, and ends the run.
    fn end(&self, kept: &mut Kept, difference: Difference) -> GateClosed {
        kept.first.get_or_insert(difference);
        // A loop that is gone ends by itself.
        let _ = self.say.send(Control::Abort);
        GateClosed
    }
}

impl Player for Replay {
    fn run(&self) -> &str {
        &self.run
    }

    fn attempt(&self, task: &str, own: u32) -> u32 {
        let numbers = self.numbers.get(task).and_then(|numbers| numbers.get(own.saturating_sub(1) as usize));
        numbers.copied().unwrap_or(own)
    }

    fn next(&self, line: &Line, of: &str, question: &[u8]) -> Result<Vec<u8>, GateClosed> {
        let mut kept = self.kept();
        if kept.first.is_some() {
            return Err(GateClosed);
        }
        let told = kept.told.entry(line.clone()).or_default();
        *told += 1;
        let at = recording::question(*told, line);
        let next = kept.lines.get_mut(line).and_then(VecDeque::pop_front);
        let (byte, why) = match next {
            None => (None, format!("it asks `{of}`, and no more was kept")),
            Some(next) if next.of != of => {
                (None, format!("it asks `{of}`, what was kept is of `{}`", next.of))
            }
            Some(next) => match first_difference(&next.question, question, next.masked) {
                None => {
                    kept.same.answers += 1;
                    return Ok(next.answer);
                }
                Some(byte) => (Some(byte), both(&next.question, question, byte)),
            },
        };
        Err(self.end(&mut kept, Difference { at, byte, why, trees: None }))
    }

    fn differs(&self, line: &Line, of: &str, why: String) -> GateClosed {
        let mut kept = self.kept();
        let told = kept.told.get(line).copied().unwrap_or_default();
        let at = format!("{}, of `{of}`", recording::question(told, line));
        self.end(&mut kept, Difference { at, byte: None, why, trees: None })
    }
}

/// Looks at what comes out.
struct Watching(Arc<Replay>);

impl Observer for Watching {
    fn recorded(&mut self, _place: u64, event: &Event, state: &RunState) {
        let mut kept = self.0.kept();
        if kept.first.is_some() {
            return;
        }
        let found = match event {
            Event::EditsKept(edits) => kept.edits(&edits.finished, &edits.tree, state),
            Event::AttemptFinished(finished) => kept.attempt(finished, state),
            Event::RunFinished { status, .. } => kept.end_of_run(*status),
            _ => None,
        };
        if let Some(difference) = found {
            self.0.end(&mut kept, difference);
        }
    }
}

impl Kept {
    /// How many edits of the task were looked at, and whether these are those that were kept.
    fn edits(&mut self, finished: &AttemptFinished, tree: &str, state: &RunState) -> Option<Difference> {
        let task = id_of(finished, state)?;
        let at = format!("edits of task `{task}` by attempt {}", finished.attempt);
        match self.trees.get_mut(&task).and_then(VecDeque::pop_front) {
            Some(kept) if kept == tree => {
                self.same.edits += 1;
                None
            }
            Some(kept) => {
                let trees = Some((kept, tree.to_owned()));
                Some(Difference { at, byte: None, why: "they are others".to_owned(), trees })
            }
            None => Some(Difference { at, byte: None, why: "none were kept".to_owned(), trees: None }),
        }
    }

    /// How an attempt ended; one that the end of its host cut off is none.
    fn attempt(&mut self, finished: &AttemptFinished, state: &RunState) -> Option<Difference> {
        let now = Outcome::of(&finished.ending)?;
        let task = id_of(finished, state)?;
        let at = format!("end of attempt {} at task `{task}`", finished.attempt);
        let (byte, why) = match self.outcomes.get_mut(&task).and_then(VecDeque::pop_front) {
            Some(kept) if kept == now => {
                self.same.attempts += 1;
                return None;
            }
            Some(kept) if kept.word == now.word => {
                let (kept, now) = (kept.said.as_bytes(), now.said.as_bytes());
                let byte = first_difference(kept, now, false);
                (byte, both(kept, now, byte.unwrap_or_default()))
            }
            Some(kept) => (None, format!("it is {}, and was {}", now.word, kept.word)),
            None => (None, "it did not run again".to_owned()),
        };
        Some(Difference { at, byte, why, trees: None })
    }

    /// Everything that was kept must have come again.
    fn end_of_run(&mut self, status: RunStatus) -> Option<Difference> {
        let differs = |at: String, why: String| Some(Difference { at, byte: None, why, trees: None });
        if let Some((line, left)) = self.lines.iter().find(|(_, left)| !left.is_empty()) {
            let told = self.told.get(line).copied().unwrap_or_default();
            let of = left.front().map_or("", |next| next.of.as_str());
            return differs(recording::question(told + 1, line), format!("it does not ask `{of}` any more"));
        }
        if let Some((task, _)) = self.outcomes.iter().find(|(_, left)| !left.is_empty()) {
            return differs(format!("task `{task}`"), "one of its attempts was not made again".to_owned());
        }
        if status != self.status {
            let why = format!("it is `{}`, and was `{}`", status.as_str(), self.status.as_str());
            return differs("end of the run".to_owned(), why);
        }
        None
    }
}

fn id_of(finished: &AttemptFinished, state: &RunState) -> Option<String> {
    state.tasks.get(finished.task as usize).map(|found| found.task.id.to_string())
}

/// Where the second text is another one; `masked`: what the first one hides may be anything.
fn first_difference(kept: &[u8], now: &[u8], masked: bool) -> Option<usize> {
    if !masked {
        let both = kept.iter().zip(now);
        let common = both.take_while(|(kept, now)| kept == now).count();
        return (kept != now).then_some(common);
    }
    let mut at = 0;
    let parts: Vec<&[u8]> = split(kept);
    for (place, part) in parts.iter().enumerate() {
        let rest = now.get(at..).unwrap_or_default();
        let found = match place {
            0 => rest.starts_with(part).then_some(0),
            _ if place + 1 == parts.len() => rest.ends_with(part).then(|| rest.len() - part.len()),
            _ => find(rest, part),
        };
        match found {
            Some(found) => at += found + part.len(),
            None => return Some(at + rest.iter().zip(*part).take_while(|(now, kept)| kept == now).count()),
        }
    }
    (at != now.len()).then_some(at)
}

/// What stands between the masks.
fn split(kept: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut rest) = (Vec::new(), kept);
    while let Some(at) = find(rest, MASK) {
        let (before, after) = rest.split_at(at);
        parts.push(before);
        rest = after.get(MASK.len()..).unwrap_or_default();
    }
    parts.push(rest);
    parts
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    match what.is_empty() {
        true => Some(0),
        false => within.windows(what.len()).position(|window| window == what),
    }
}

/// A little of both from there on, for people.
fn both(kept: &[u8], now: &[u8], from: usize) -> String {
    let shown = |text: &[u8]| {
        let text = String::from_utf8_lossy(text.get(from..).unwrap_or_default()).into_owned();
        escape_cut(&text, SHOWN_CHARACTERS).to_string()
    };
    format!("`{}` was kept, now it is `{}`", shown(kept), shown(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kept: &str, now: &str, masked: bool, expected: Option<usize>) {
        assert_eq!(first_difference(kept.as_bytes(), now.as_bytes(), masked), expected, "{kept} {now}");
    }

    #[test]
    fn the_first_byte_that_is_another_one_is_named() {
        check("abc", "abc", false, None);
        check("abc", "abd", false, Some(2));
        check("abc", "ab", false, Some(2));
        check("ab", "abc", false, Some(2));
        check("", "a", false, Some(0));
        check("a***", "abcd", false, Some(1));
    }

    #[test]
    fn what_was_masked_may_be_anything_and_nothing_beside_it() {
        check("key *** end", "key s3cret end", true, None);
        check("***", "s3cret", true, None);
        check("a *** b *** c", "a x b y c", true, None);
        check("key *** end", "kay s3cret end", true, Some(1));
        check("key *** end", "key s3cret and", true, Some(4));
        check("*** end", "s3cret", true, Some(0));
    }
}
