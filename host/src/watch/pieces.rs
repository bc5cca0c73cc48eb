//! Pieces of models' answers, on their way to whoever looks.
//!
//! In -> out: what providers show for a call of a run -> [`Piece`]s for each who listens: the thread that shows, streams of the
//! control API.
//! Limits: [`WAITING_MAX`] pieces wait for the slowest of them; who is further behind loses the oldest, and is told how many.
//! Invariant: no provider waits for who looks; nothing of it is kept, nor made where nobody listens.
//! Not here: how they are shown (`output.rs`, `control/api/events.rs`), what a provider may show (`capability/llm.rs`).

use std::sync::Arc;

use orch_trust::role::Role;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{Receiver, Sender, channel};

use crate::capability::llm::backend::Deltas;
use crate::capability::provided::Asking;
use crate::console::json_shown;

/// Of at most 64 KiB each.
pub const WAITING_MAX: usize = 256;

/// A piece of an answer that a call waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    pub run: String,
    /// The task that is worked at, or that is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// In which the plugin was called that asked the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The plugin that asks the model.
    pub provider: String,
    /// As the model wrote it; none: the answer is over, or there is none.
    pub delta: Option<String>,
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Heard {
    Piece(Piece),
    /// So many pieces were lost, because they were not taken in time.
    #[serde(rename_all = "camelCase")]
    LeftOut {
        left_out: u64,
    },
}

impl Heard {
    /// One line.
    pub fn json(&self) -> String {
        let Ok(line) = serde_json::to_string(self) else { unreachable!("texts and a number") };
        json_shown(&line)
    }
}

/// Where they come together, for as long as a host lives.
#[derive(Clone)]
pub struct Pieces(Sender<Heard>);

/// One who listens.
pub struct Listener(Receiver<Heard>);

impl Default for Pieces {
    fn default() -> Self {
        Self(channel(WAITING_MAX).0)
    }
}

impl Pieces {
    /// Of a call.
    pub fn of(&self, asking: &Asking) -> Arc<dyn Deltas> {
        Arc::new(OfCall { asking: asking.clone(), to: self.clone() })
    }

    /// From now on.
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }

    pub fn is_heard(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub fn say(&self, heard: Heard) {
        // Where nobody listens it is gone.
        let _ = self.0.send(heard);
    }
}

impl Listener {
    /// What is there by now; nothing is waited for.
    pub fn take(&mut self) -> Option<Heard> {
        match self.0.try_recv() {
            Ok(heard) => Some(heard),
            Err(TryRecvError::Lagged(left_out)) => Some(Heard::LeftOut { left_out }),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }

    /// The next of that run; none once the host ends. Nothing is lost if it is not waited for to the end.
    pub async fn next(&mut self, run: &str) -> Option<Heard> {
        loop {
            match self.0.recv().await {
                Ok(Heard::Piece(piece)) if piece.run != run => {}
                Ok(heard) => return Some(heard),
                Err(RecvError::Lagged(left_out)) => return Some(Heard::LeftOut { left_out }),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

struct OfCall {
    asking: Asking,
    to: Pieces,
}

impl OfCall {
    fn say(&self, provider: &str, delta: Option<&str>) {
        if self.to.is_heard() {
            let Asking { run, task, about, role, .. } = &self.asking;
            let task = task.as_ref().or(about.as_ref()).map(|task| task.to_string());
            let (run, provider) = (run.to_string(), provider.to_owned());
            let (role, delta) = (*role, delta.map(str::to_owned));
            self.to.say(Heard::Piece(Piece { run, task, role, provider, delta }));
        }
    }
}

impl Deltas for OfCall {
    fn show(&self, provider: &str, text: &str) {
        self.say(provider, Some(text));
    }

    fn over(&self, provider: &str) {
        self.say(provider, None);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(pieces: &Pieces, run: &str) -> Arc<dyn Deltas> {
        let task = Some("t".into());
        pieces.of(&Asking { run: run.into(), task, role: Some(Role::Executor), ..Asking::default() })
    }

    #[tokio::test]
    async fn who_does_not_look_holds_nobody_up_and_is_told_how_much_was_lost() {
        let pieces = Pieces::default();
        let of_call = call(&pieces, "r");
        of_call.show("demo/p", "nobody listens");
        let (mut quick, mut slow) = (pieces.listen(), pieces.listen());
        for number in 0..WAITING_MAX + 3 {
            of_call.show("demo/p", &number.to_string());
            assert!(
                matches!(quick.take(), Some(Heard::Piece(piece)) if piece.delta.as_deref() == Some(&*number.to_string()))
            );
        }
        assert_eq!(slow.take(), Some(Heard::LeftOut { left_out: 3 }));
        let Some(Heard::Piece(first)) = slow.next("r").await else { panic!("the oldest that is left") };
        assert_eq!(first.delta.as_deref(), Some("3"));
        assert_eq!(std::iter::from_fn(|| slow.take()).count(), WAITING_MAX - 1);
        drop((quick, slow));
        assert!(!pieces.is_heard());
    }

    #[tokio::test]
    async fn a_run_s_listener_hears_of_that_run_alone_what_is_written_and_that_it_is_over() {
        let pieces = Pieces::default();
        let mut listener = pieces.listen();
        call(&pieces, "other").show("demo/p", "no");
        call(&pieces, "r").show("demo/p", "Th");
        call(&pieces, "r").over("demo/p");
        let mut heard = Vec::new();
        for _ in 0..2 {
            heard.push(json!(listener.next("r").await));
        }
        let line = |delta: Option<&str>| json!({ "run": "r", "task": "t", "role": "executor", "provider": "demo/p", "delta": delta });
        assert_eq!(heard, [line(Some("Th")), line(None)]);
        assert_eq!(json!(Heard::LeftOut { left_out: 2 }), json!({ "leftOut": 2 }));
        drop(pieces);
        assert_eq!(listener.next("r").await, None);
    }
}
