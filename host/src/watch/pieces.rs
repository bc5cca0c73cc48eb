//! Pieces of models' answers, on their way to who looks.
//!
//! In -> out: what providers show for an attempt -> [`Piece`]s for the thread that shows.
//! Limits: [`WAITING_MAX`] pieces wait; what comes then is left out.
//! Invariant: no provider waits for who looks; nothing of it is kept.
//! Not here: how they are shown (`output.rs`), what a provider may show (`capability/llm.rs`).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use orch_journal::event::TaskIndex;

use crate::capability::llm::backend::Deltas;

pub(super) const WAITING_MAX: usize = 256;

/// A piece of an answer that an attempt waits for.
pub(super) struct Piece {
    pub(super) task: TaskIndex,
    /// As the model wrote it; none: the answer is over.
    pub(super) text: Option<String>,
}

/// The way to who looks.
#[derive(Clone)]
pub struct Pieces(SyncSender<Piece>);

impl Pieces {
    pub(super) fn open() -> (Self, Receiver<Piece>) {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        (Self(sender), receiver)
    }

    /// Of the attempt at that task.
    pub fn of(&self, task: TaskIndex) -> Arc<dyn Deltas> {
        Arc::new(OfTask { task, to: self.0.clone() })
    }
}

struct OfTask {
    task: TaskIndex,
    to: SyncSender<Piece>,
}

impl Deltas for OfTask {
    fn show(&self, _provider: &str, text: &str) {
        // Where nobody keeps up, or nobody looks any more, it is left out.
        let _ = self.to.try_send(Piece { task: self.task, text: Some(text.to_owned()) });
    }

    fn over(&self) {
        let _ = self.to.try_send(Piece { task: self.task, text: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_look_holds_nobody_up() {
        let (pieces, seen) = Pieces::open();
        let of_task = pieces.of(3);
        for _ in 0..2 * WAITING_MAX {
            of_task.show("demo/p", "x");
        }
        assert_eq!(seen.try_iter().count(), WAITING_MAX);
        of_task.over();
        assert!(seen.try_iter().all(|piece| piece.task == 3 && piece.text.is_none()));
        drop(seen);
        of_task.show("demo/p", "x");
    }
}
