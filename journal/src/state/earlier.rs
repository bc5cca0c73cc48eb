//! What is known of the last attempt at a task that failed, for the next one.
//!
//! In -> out: how attempts ended, what verifiers saw -> [`Earlier`].
//! Limits: [`FINDINGS_MAX`] findings of [`MESSAGE_BYTES_MAX`] bytes a task.
//! Invariant: findings are of the attempt that failed, also where another one was cut off since.
//! Not here: how an executor is told (`orch-host`'s `drive/earlier.rs`).

use super::TaskState;
use crate::event::{AttemptFinished, Called, Ending, Finding, Unkept};

/// Of one attempt, the worst.
const FINDINGS_MAX: usize = 20;
/// Of each finding.
const MESSAGE_BYTES_MAX: usize = 1024;

/// The last attempt at a task that failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earlier {
    pub attempt: u32,
    /// Why it failed; empty before the first that did.
    pub message: String,
    /// What the verifiers of the task saw in what it did, the worst first.
    pub findings: Vec<Finding>,
    /// Its edits, which were not kept.
    pub unkept: Option<Unkept>,
    /// What they saw in the attempt of that number, of which nobody knows yet how it ended.
    looks: (u32, Vec<Finding>),
}

impl TaskState {
    /// What the next attempt is told of the last one that failed.
    pub fn failed_before(&self) -> Option<&Earlier> {
        self.earlier.as_deref().filter(|earlier| !earlier.message.is_empty())
    }

    /// A verifier looked at what the newest attempt did.
    pub(super) fn was_looked_at(&mut self, called: &Called) {
        if called.call != "verify" || called.writes.findings.is_empty() {
            return;
        }
        let earlier = self.earlier.get_or_insert_default();
        if earlier.looks.0 != self.attempts {
            earlier.looks = (self.attempts, Vec::new());
        }
        let looks = &mut earlier.looks.1;
        looks.extend(called.writes.findings.iter().map(shortened));
        looks.sort_by_key(|finding| finding.severity);
        looks.truncate(FINDINGS_MAX);
    }

    /// An attempt ended.
    pub(super) fn has_ended(&mut self, finished: &AttemptFinished) {
        match &finished.ending {
            Ending::Done { .. } => self.earlier = None,
            Ending::Failed { message, .. }
            | Ending::Broken { message, .. }
            | Ending::InDoubt { message, .. } => {
                self.failed(message, finished.unkept.clone());
            }
            Ending::Rerun { .. } | Ending::Cancelled => {}
        }
    }

    /// The newest attempt failed, or what it did counts for nothing.
    pub(super) fn failed(&mut self, message: &str, unkept: Option<Unkept>) {
        let earlier = self.earlier.get_or_insert_default();
        let (looked_at, looks) = std::mem::take(&mut earlier.looks);
        let findings = if looked_at == self.attempts { looks } else { Vec::new() };
        let (attempt, message) = (self.attempts, cut(message, 4 * MESSAGE_BYTES_MAX).to_owned());
        **earlier = Earlier { attempt, message, findings, unkept, looks: Default::default() };
    }
}

fn shortened(finding: &Finding) -> Finding {
    Finding { message: cut(&finding.message, MESSAGE_BYTES_MAX).to_owned(), ..finding.clone() }
}

/// The beginning of a text, between characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use orch_task::{Kind, Status, Task, TaskId};

    use super::*;
    use crate::event::{Category, HOST_GONE, Severity, Writes};

    fn begun(attempt: u32) -> TaskState {
        let task = Task::new(TaskId::parse("a").unwrap(), Kind::shell());
        TaskState { attempts: attempt, ..TaskState::new(task, Status::InProgress) }
    }

    fn saw(messages: &[(Severity, &str)]) -> Called {
        let finding = |(severity, message): &(Severity, &str)| Finding {
            severity: *severity,
            category: Category::Test,
            message: (*message).to_owned(),
            location: None,
        };
        let writes = Writes { findings: messages.iter().map(finding).collect(), ..Writes::default() };
        let (call, plugin) = ("verify".to_owned(), "demo/v".to_owned());
        let (task, rerun, fault, asked, token, at) = (Some(0), false, None, Vec::new(), None, 0);
        Called { call, plugin, task, rerun, fault, writes, asked, token, at }
    }

    fn ended(attempt: u32, ending: Ending) -> AttemptFinished {
        AttemptFinished {
            task: 0,
            attempt,
            ending,
            status: Status::Pending,
            not_before: None,
            writes: Writes::default(),
            log: None,
            looked: Vec::new(),
            unkept: None,
            held: None,
            at: 0,
        }
    }

    fn failed(message: &str) -> Ending {
        Ending::Failed { message: message.to_owned(), retriable: true }
    }

    #[test]
    fn the_next_attempt_is_told_of_the_one_that_failed_and_of_what_was_seen_in_it() {
        let mut task = begun(1);
        task.was_looked_at(&saw(&[(Severity::Minor, "style"), (Severity::Major, "test_a failed")]));
        assert_eq!(task.failed_before(), None, "nobody knows yet how it ends");
        task.has_ended(&ended(1, failed("too many")));
        let before = task.failed_before().unwrap();
        let messages: Vec<&str> = before.findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!((before.attempt, before.message.as_str()), (1, "too many"));
        assert_eq!(messages, ["test_a failed", "style"]);
    }

    #[test]
    fn an_attempt_that_was_cut_off_takes_nothing_of_the_one_before_it() {
        let mut task = begun(1);
        task.was_looked_at(&saw(&[(Severity::Major, "first")]));
        task.has_ended(&ended(1, failed("too many")));
        task.attempts = 2;
        task.was_looked_at(&saw(&[(Severity::Major, "second")]));
        task.has_ended(&ended(2, Ending::Rerun { code: HOST_GONE.to_owned() }));
        let before = task.failed_before().unwrap();
        assert_eq!((before.attempt, before.findings[0].message.as_str()), (1, "first"));
    }

    #[test]
    fn findings_of_an_earlier_attempt_are_not_those_of_a_later_one() {
        let mut task = begun(1);
        task.was_looked_at(&saw(&[(Severity::Major, "first")]));
        task.has_ended(&ended(1, failed("too many")));
        task.attempts = 2;
        task.has_ended(&ended(2, failed("model is busy")));
        let before = task.failed_before().unwrap();
        assert_eq!((before.attempt, before.message.as_str(), before.findings.len()), (2, "model is busy", 0));
        task.attempts = 3;
        task.has_ended(&ended(3, Ending::Done { summary: String::new() }));
        assert_eq!(task.failed_before(), None);
    }

    #[test]
    fn there_are_at_most_so_many_of_at_most_so_many_bytes() {
        let mut task = begun(1);
        let long = "ü".repeat(MESSAGE_BYTES_MAX);
        task.was_looked_at(&saw(&vec![(Severity::Minor, long.as_str()); 1000]));
        task.was_looked_at(&saw(&[(Severity::Major, "the worst")]));
        task.has_ended(&ended(1, failed(&long.repeat(9))));
        let before = task.failed_before().unwrap();
        assert_eq!((before.findings.len(), before.findings[0].message.as_str()), (FINDINGS_MAX, "the worst"));
        assert_eq!(before.findings[1].message.len(), MESSAGE_BYTES_MAX);
        assert_eq!(before.message.len(), 4 * MESSAGE_BYTES_MAX);
    }
}
