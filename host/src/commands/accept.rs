//! `orch-host accept RUN`: a run's branch, taken into the person's own branch and tree.
//!
//! In -> out: a run that is over -> a merge, or one commit, at the person's `HEAD`; a ref that leads back.
//! Invariant: nothing is taken that is not committed there, that no attempt may change, or that a guard refuses; `tasks.yml` is not
//! touched; the ref that leads back is there before anything moves.
//! Not here: taking only a part (`accept/part.rs`), what guards say (`accept/judged.rs`), taking it back (`rollback.rs`), throwing
//! it away (`reject.rs`).

mod judged;
mod part;

use std::path::{Path, PathBuf};

use orch_journal::event::{EditsAccepted, Event, RunStatus, TaskIndex};
use orch_journal::failpoint;

use super::counted;
use super::run_branch::{RunBranch, undecided, who};
use crate::clock::now_ms;
use crate::config::operator::home_folder;
use crate::console::{Console, escape};
use crate::drive::finish::Unverified;
use crate::drive::guards::Merge;
use crate::exit::{Exit, Fault, Outcome};
use crate::git::{Merged, Oid};
use crate::place::{self, Place, WorkspaceArgs};
use crate::worktrees::check_change;

/// Where the person's checkout was before each `accept`.
pub const BEFORE: &str = "refs/orch/before/";

#[derive(clap::Args)]
pub struct AcceptArgs {
    /// The run [default: the newest]
    run: Option<String>,
    /// Only what these tasks changed
    #[arg(long, value_name = "TASK,...", value_delimiter = ',')]
    tasks: Vec<String>,
    /// One commit of all, and no merge
    #[arg(long)]
    squash: bool,
    /// Also of a run that is not completed
    #[arg(long)]
    unfinished: bool,
    /// What guards ask about, as they said it
    #[arg(long, value_name = "CHANGE")]
    approve: Option<String>,
    /// One more folder with packages; may be said again
    #[arg(long, value_name = "DIR")]
    plugins: Vec<PathBuf>,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub fn run(args: &AcceptArgs, home: Option<&Path>, console: Console) -> Outcome {
    let (place, operator) = (Place::from_args(&args.place)?, place::operator(home)?);
    let (held, control) = judged::hold(args, &place, &operator, console)?;
    let of = RunBranch::of(&place, &held.reader()?, args.run.as_deref())?;
    let run = escape(&of.run);
    match &of.state.finished {
        Some((RunStatus::Completed, _)) => {}
        _ if args.unfinished => {}
        _ => {
            let what = format!("run `{run}` is {}", of.state.status().as_str());
            let hint = "`orch-host status` says what it lacks; `--unfinished` takes what there is of it";
            return Err(undecided("run-not-completed", hint, what));
        }
    }
    let branch = of.check_tip()?;
    let kept = part::kept(&of.run, &held.reader()?)?;
    let only = part::named(&of, &kept, &args.tasks)?;
    let tip = if only.is_empty() { branch } else { part::tip(&of, &kept, &only)? };
    let head = of.repository.head()?;
    if of.repository.is_within(&tip, &head.commit)? {
        held.close()?;
        console.line(&format!("nothing of run {run} is not there already"));
        return Ok(Exit::Done);
    }
    of.check_clean()?;
    let tree = match of.repository.merge(&head.commit, &tip)? {
        Merged::Tree(tree) => tree,
        Merged::Conflict(paths) => {
            let named: Vec<String> =
                paths.iter().map(|path| format!("`{}`", path.to_string_lossy().escape_debug())).collect();
            let what = format!("both you and run `{run}` changed {}", named.join(", "));
            let branch = short(&of.edits.based.branch);
            let hint = format!("`git merge {branch}` lets you decide; nothing was changed");
            return Err(undecided("accept-conflict", &hint, what));
        }
    };
    let changes = of.repository.changes(&head.commit, &tree)?;
    for changed in &changes {
        check_change(&of.repository, changed, &of.protected)?;
    }
    let parents: &[&Oid] = if args.squash { &[&head.commit] } else { &[&head.commit, &tip] };
    let at = now_ms();
    let by = of.repository.person(home_folder().as_deref(), at)?;
    let commit = of.repository.commit(&tree, parents, &message(&of, &only), &by)?;
    let mut tasks: Vec<TaskIndex> = kept.iter().map(|kept| kept.finished.task).collect();
    tasks.retain(|task| only.is_empty() || only.contains(task));
    let attempts = tasks.len();
    tasks.sort_unstable();
    tasks.dedup();
    let onto = head.branch.as_deref().map(|branch| short(branch).to_owned());
    let merge = Merge { tasks, onto, head: head.commit.clone(), commit: commit.clone() };
    let over = judged::judge(args, &held, control.as_ref(), &of.run, merge, &tree)?;

    let taken = of.repository.refs_below(BEFORE)?;
    let free = |number: &usize| !taken.iter().any(|(name, _)| *name == before(&of.run, *number));
    let before = before(&of.run, (1..).find(free).unwrap_or_default());
    of.repository.move_ref(&before, None, Some(&head.commit))?;
    let moved = move_to(&of, &head.commit, &commit).and_then(|()| {
        failpoint::hit("inside-accept");
        let moved = of.repository.move_head(&head, &commit).map_err(Fault::from);
        // The tree goes back to what the checkout is at.
        moved.or_else(|fault| move_to(&of, &commit, &head.commit).and(Err(fault)))
    });
    if let Err(fault) = moved {
        of.repository.move_ref(&before, Some(&head.commit), None)?;
        return Err(fault);
    }
    let accepted = EditsAccepted {
        before: before.clone(),
        tip: tip.to_string(),
        commit: commit.to_string(),
        tasks: only,
        over,
        who: who(),
        at,
    };
    held.record(&of.run, Event::EditsAccepted(Box::new(accepted)))?;
    let onto = head.branch.as_deref().map_or("a detached HEAD", short);
    console.line(&format!(
        "{} of run {run} taken into {}: {}, commit {:.12}",
        counted(attempts, "attempt's edits", "attempts' edits"),
        escape(onto),
        counted(changes.len(), "file", "files"),
        commit.as_str()
    ));
    let id = before.strip_prefix(BEFORE).unwrap_or(&before);
    console.note(&format!("hint: `orch-host rollback {}` takes it back", escape(id)));
    Ok(Exit::Done)
}

fn before(run: &str, number: usize) -> String {
    format!("{BEFORE}{run}-{number}")
}

/// Without what every branch's name begins with.
pub fn short(branch: &str) -> &str {
    branch.strip_prefix("refs/heads/").unwrap_or(branch)
}

/// Takes the person's tree from one commit to another.
pub fn move_to(of: &RunBranch, from: &Oid, to: &Oid) -> Result<(), Fault> {
    Ok(of.repository.move_checkout(from, to, &of.folder.git().join("index.checkout"))?)
}

/// What the run did, or only these tasks of it, in a few lines.
fn message(of: &RunBranch, only: &[TaskIndex]) -> String {
    let state = &of.state;
    let goal = state.started.as_ref().map(|started| started.goal.clone()).unwrap_or_default();
    let part = if only.is_empty() { "" } else { "a part of " };
    let mut lines = vec![format!("Take in {part}run {} of {goal}", of.run), String::new()];
    for (_, found) in (0..).zip(&state.tasks).filter(|(index, _)| only.is_empty() || only.contains(index)) {
        let about = found.task.description.lines().next().unwrap_or_default();
        let line = format!("- {} ({}) {about}", found.task.id, found.status.as_str());
        lines.push(line.trim_end().to_owned());
    }
    let unverified = Unverified::all(state).count();
    lines.push(String::new());
    lines.push(format!("Findings: {} major, {} medium, {} minor", state.major, state.medium, state.minor));
    if unverified > 0 {
        lines.push(format!("Not verified: {unverified}"));
    }
    lines.push(format!("Orch-Run: {}", of.run));
    lines.push(String::new());
    lines.join("\n")
}
