//! `orch-host reject RUN`: a run's branch is removed.
//!
//! Invariant: the person's own branch and tree do not move; the journal keeps what was there.
//! Not here: taking it (`accept.rs`).

use std::path::Path;

use orch_journal::event::Event;

use super::accept::short;
use super::run_branch::{Held, RunBranch, undecided, who};
use crate::clock::now_ms;
use crate::console::{Console, escape};
use crate::drive::held;
use crate::exit::{Exit, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Args)]
pub struct RejectArgs {
    /// The run
    run: String,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(args: &RejectArgs, home: Option<&Path>, console: Console) -> Outcome {
    let (place, operator) = (Place::from_args(&args.place)?, place::operator(home)?);
    let store = Held::open(&place, &operator)?;
    let of = RunBranch::of(&place, &store.reader()?, Some(&args.run))?;
    if of.state.finished.as_ref().is_none_or(|(status, _)| status.is_open()) {
        let what = format!("run `{}` is {}", escape(&of.run), of.state.status().as_str());
        let hint = "it is over once its tasks are done, failed or cancelled: `orch-host run` goes on with it, \
                    `orch-host task cancel TASK` takes out what nobody wants";
        return Err(undecided("run-open", hint, what));
    }
    let tip = of.check_tip()?;
    of.repository.move_ref(&of.edits.based.branch, Some(&tip), None)?;
    held::release_all(&of.repository, &of.run)?;
    of.folder.clear().map_err(|error| place::io(of.folder.path(), "clear", error))?;
    store.record(&of.run, Event::EditsRejected { tip: tip.to_string(), who: who(), at: now_ms() })?;
    let branch = escape(short(&of.edits.based.branch));
    console.line(&format!("branch {branch} is removed; it was at {:.12}", tip.as_str()));
    console.note("hint: `tasks.yml` says still what is done: set to `pending` what is to be done again");
    Ok(Exit::Done)
}
