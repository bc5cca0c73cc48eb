//! What whoever asks a holder is told, and where people's words go.
//!
//! In -> out: the run at work -> its view and its ear; words for other runs -> [`Wish`]es for the thread that drives runs.
//! Invariant: nobody who asks holds up the loop.
//! Not here: what is answered (`api.rs`), what becomes of a word (`drive/hear.rs`).

use std::sync::{PoisonError, RwLock};

use orch_journal::Level;
use orch_journal::event::Who;
use tokio::sync::{mpsc, oneshot, watch};

use crate::drive::act::{Act, Refused, Said};
use crate::drive::choice::Wanted;
use crate::drive::desk::Control;
use crate::drive::task_reader::RunView;
use crate::watch::Pieces;

/// What a holder is asked for beside the run at work.
#[derive(Debug)]
pub enum Wish {
    /// Begin a run, or go on with the open one; the answer is its name, and the place of the next event.
    Start { wanted: Box<Wanted>, who: Who, answer: oneshot::Sender<Result<(String, u64), Refused>> },
    /// A word about a run that is not at work.
    Say { run: String, said: Said },
}

#[derive(Default)]
struct Seen {
    /// The run at work, or the one that was last.
    view: Option<RunView>,
    /// There while it is at work: its ear, and whether it goes on.
    at_work: Option<(mpsc::Sender<Said>, watch::Receiver<Control>)>,
}

/// Shared by all who ask.
pub struct HolderState {
    seen: RwLock<Seen>,
    /// Absent in a host that ends with its run.
    wishes: Option<mpsc::Sender<Wish>>,
    ending: watch::Sender<bool>,
    pieces: Pieces,
}

impl HolderState {
    pub fn new(wishes: Option<mpsc::Sender<Wish>>) -> Self {
        Self { seen: RwLock::default(), wishes, ending: watch::Sender::new(false), pieces: Pieces::default() }
    }

    pub fn works_at(&self, view: RunView, say: mpsc::Sender<Said>, control: watch::Receiver<Control>) {
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) =
            Seen { view: Some(view), at_work: Some((say, control)) };
    }

    pub fn works_at_nothing(&self) {
        self.seen.write().unwrap_or_else(PoisonError::into_inner).at_work = None;
    }

    /// Shows a run that is not at work.
    pub fn shows(&self, view: RunView) {
        self.seen.write().unwrap_or_else(PoisonError::into_inner).view = Some(view);
    }

    /// The run at work, or the one that was last.
    pub fn view(&self) -> Option<RunView> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).view.clone()
    }

    /// Name of the run at work.
    pub fn run(&self) -> Option<String> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.at_work.as_ref().and(seen.view.as_ref()).map(|view| view.id.clone())
    }

    /// The run at work, or the one that was last; and whether the one at work goes on.
    pub fn standing(&self) -> (Option<RunView>, Option<bool>) {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let goes_on = seen.at_work.as_ref().map(|(_, control)| *control.borrow() == Control::GoOn);
        (seen.view.clone(), goes_on)
    }

    /// What models write for its runs.
    pub fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// From now on nobody is told what is still to come.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Returns once the host is about to end.
    pub async fn ended(&self) {
        // The sender lives as long as this.
        let _ = self.ending.subscribe().wait_for(|ending| *ending).await;
    }

    /// True for a host that lives longer than its run.
    pub fn serves(&self) -> bool {
        self.wishes.is_some()
    }

    /// Says a word about a run; gives the place of its event, which survives the end of the machine's power.
    pub async fn say(&self, run: &str, act: Act, who: Who) -> Result<u64, Refused> {
        let over = || Refused::NotAtWork { run: run.to_owned() };
        let (answer, taken) = oneshot::channel();
        let said = Said { act, who, answer };
        let at_work = {
            let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
            let view = seen.view.clone().filter(|view| view.id == run);
            view.zip(seen.at_work.as_ref().map(|(say, _)| say.clone()))
        };
        match (at_work, &self.wishes) {
            (Some((view, say)), _) => {
                say.send(said).await.map_err(|_| over())?;
                let event = taken.await.map_err(|_| over())??;
                // It counts for the run already, and may be gone with it.
                let unsure = |_| Refused::Unsure { run: run.to_owned() };
                view.journal.durable(event, Level::Power).await.map_err(unsure)?;
                Ok(event)
            }
            (None, Some(wishes)) => {
                wishes.send(Wish::Say { run: run.to_owned(), said }).await.map_err(|_| over())?;
                taken.await.map_err(|_| over())?
            }
            (None, None) => Err(over()),
        }
    }

    /// Asks for a run; gives its name and the place of its next event.
    pub async fn start(&self, wanted: Wanted, who: Who) -> Result<(String, u64), Refused> {
        let Some(wishes) = &self.wishes else { return Err(Refused::Ends) };
        if let Some(run) = self.run() {
            return Err(Refused::AtWork { run });
        }
        let (answer, taken) = oneshot::channel();
        wishes
            .send(Wish::Start { wanted: Box::new(wanted), who, answer })
            .await
            .map_err(|_| Refused::Ends)?;
        taken.await.map_err(|_| Refused::Ends)?
    }
}
