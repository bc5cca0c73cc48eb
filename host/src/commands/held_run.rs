//! A person's word about a run: said to the host that holds the workspace, or taken into the store by this process.
//!
//! In -> out: [`Act`] -> events of the run, durable.
//! Invariant: a run is changed through its journal, by a process that holds the store; `tasks.yml` follows with the next
//! run, or at once if a host is at work.
//! Not here: what a word means (`drive/act.rs`), what becomes of it (`drive/hear.rs`), which one a command says (`task.rs`, `resolve.rs`, `approvals.rs`).

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orch_journal::Level;

use super::stored_run::find_run;
use crate::config::operator::this_process;
use crate::console::{Console, escape};
use crate::control::{SocketPlace, Told, tell};
use crate::drive::act::Act;
use crate::drive::hear;
use crate::drive::marks;
use crate::drive::retry::Backoff;
use crate::drive::run::Run;
use crate::drive::words;
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

/// So long who holds the store and does not answer may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Who took a person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBy {
    Holder,
    ThisProcess,
}

/// Says a word about that run, or the newest, and says what became of it.
pub fn say_about(
    args: &WorkspaceArgs,
    home: Option<&Path>,
    run: Option<&str>,
    act: &Act,
    console: Console,
) -> Outcome {
    let by = say(&Place::from_args(args)?, home, run, act)?;
    if let (Some(task), Some(to)) = (act.task(), act.to()) {
        let next = match by {
            TakenBy::Holder => "the host at work goes on with it",
            TakenBy::ThisProcess => "`orch-host run` goes on with it",
        };
        console.line(&format!("task {} is {to} now; {next}", escape(task)));
    }
    Ok(Exit::Done)
}

/// Says a word about that run, or the newest; afterwards it survives the end of the machine's power.
pub fn say(place: &Place, home: Option<&Path>, run: Option<&str>, act: &Act) -> Result<TakenBy, Fault> {
    let operator = place::operator(home)?;
    let socket = SocketPlace::of(&place.workspace, &operator.home)?;
    let run = find_run(&place.reader()?, run)?.id;
    let begun = Instant::now();
    loop {
        if tell(&socket, &run, act)? == Told::Taken {
            return Ok(TakenBy::Holder);
        }
        // Nobody answers: another command, a host that begins or ends, or nobody at all.
        match place.store_if_free(&operator, Level::Process)? {
            Ok(store) => {
                let journal = Arc::new(store.journal(&run)?);
                let mut held =
                    Run::new(run.clone(), store.reader()?.state(&run)?, journal.clone(), Backoff::default());
                hear::take(&mut held, act, this_process())?.map_err(Fault::from)?;
                words::keep_all(&mut held, |task| marks::said_of(&place.workspace, &place.state, task))?;
                journal.wait_durable(held.last(), Level::Power)?;
                store.close()?;
                return Ok(TakenBy::ThisProcess);
            }
            Err(held) if begun.elapsed() > PATIENCE => return Err(held),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}
