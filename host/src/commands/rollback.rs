//! `orch-host rollback list|ID`: the person's checkout, taken back to where it was before an `accept`.
//!
//! Invariant: what was committed since is never lost: then it refuses and says what to do.
//! Not here: `accept.rs`, which keeps where it was.

use std::path::Path;

use orch_journal::Reader;
use orch_journal::event::{EditsAccepted, Event};

use super::accept::{BEFORE, move_to};
use super::run_branch::{Held, RunBranch, folder, undecided, who};
use crate::clock::now_ms;
use crate::console::{Console, escape};
use crate::drive::branch;
use crate::drive::lodging::oid;
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Args)]
pub struct RollbackArgs {
    /// `list`, or which one of it
    #[arg(value_name = "list|ID")]
    which: String,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(args: &RollbackArgs, home: Option<&Path>, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    if args.which == "list" {
        return list(&place, console);
    }
    let operator = place::operator(home)?;
    let held = Held::open(&place, &operator)?;
    let reader = held.reader()?;
    let name = format!("{BEFORE}{}", args.which);
    let run = args.which.rsplit_once('-').map(|(run, _)| run).unwrap_or(&args.which);
    let Some(accepted) = accepted(&reader, run, &name)? else { return Err(unknown(&args.which)) };
    let of = RunBranch::of(&place, &reader, Some(run))?;
    let (was, is) = (of.repository.resolve(&name)?, oid(&accepted.commit)?);
    let Some(was) = was else { return Err(unknown(&args.which)) };
    let head = of.repository.head()?;
    if head.commit != is {
        let what = format!(
            "your checkout is at {:.12}, `accept` left it at {:.12}",
            head.commit.as_str(),
            is.as_str()
        );
        let hint = format!(
            "`git revert -m 1 {is}` undoes a merge with what came after it kept, without `-m 1` a squashed one"
        );
        return Err(undecided("rollback-moved", &hint, what));
    }
    of.check_clean()?;
    move_to(&of, &is, &was)?;
    if let Err(error) = of.repository.move_head(&head, &was) {
        move_to(&of, &was, &is)?;
        return Err(error.into());
    }
    of.repository.move_ref(&name, Some(&was), None)?;
    let (from, to) = (is.to_string(), was.to_string());
    held.record(&of.run, Event::EditsRolledBack { before: name, from, to, who: who(), at: now_ms() })?;
    console.line(&format!("your checkout is at {:.12} again; the run's branch is kept", was.as_str()));
    Ok(Exit::Done)
}

fn list(place: &Place, console: Console) -> Outcome {
    let folder = folder(place)?;
    let repository = branch::open(&place.workspace, &folder)?;
    let kept = repository.refs_below(BEFORE)?;
    if kept.is_empty() {
        console.line("no run was taken in");
    }
    for (name, commit) in kept {
        let id = name.strip_prefix(BEFORE).unwrap_or(&name);
        console.line(&format!("{}  {:.12}", escape(id), commit.as_str()));
    }
    Ok(Exit::Done)
}

/// The last one of that name: a name is free again once it was taken back.
fn accepted(reader: &Reader, run: &str, before: &str) -> Result<Option<EditsAccepted>, Fault> {
    let mut last = None;
    if reader.run(run)?.is_none() {
        return Ok(last);
    }
    for event in reader.events(run) {
        if let Event::EditsAccepted(accepted) = event?.1
            && accepted.before == before
        {
            last = Some(*accepted);
        }
    }
    Ok(last)
}

fn unknown(which: &str) -> Fault {
    let hint = "`orch-host rollback list` shows what there is".to_owned();
    place::input("rollback-unknown", Some(hint), format!("nothing was taken in as `{}`", escape(which)))
}
