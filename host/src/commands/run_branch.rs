//! A run's branch, for the commands that show it or take it over.
//!
//! In -> out: a run's id or none -> what the journal says of its branch, the repository that it is in.
//! Invariant: what changes a branch is done by the process that holds the store, and is an event of the run.
//! Not here: how attempts come onto it (`drive/keep.rs`).

use std::path::Path;
use std::sync::Arc;

use orch_journal::event::{Event, Who};
use orch_journal::state::Edits;
use orch_journal::{Level, Reader, RunState, Store};

use super::stored_run::find_run;
use crate::capability::files::Protected;
use crate::config::operator::{Operator, state_home, this_process};
use crate::console::escape;
use crate::drive::branch;
use crate::drive::lodging::oid;
use crate::drive::retry::Backoff;
use crate::drive::run::Run;
use crate::exit::{Exit, Fault};
use crate::git::{GitError, Oid, Repository};
use crate::holder::Holder;
use crate::place::{self, Place};
use crate::worktrees::{StateFolder, Unkept};

/// A run whose edits lie on a branch.
pub struct RunBranch {
    pub run: String,
    pub state: RunState,
    pub edits: Edits,
    pub repository: Repository,
    pub folder: StateFolder,
    pub protected: Arc<Protected>,
}

impl RunBranch {
    /// That run's, or the newest's.
    ///
    /// # Errors
    /// `run-unknown`, `run-has-no-branch`; whatever refuses the repository.
    pub fn of(place: &Place, reader: &Reader, run: Option<&str>) -> Result<Self, Fault> {
        let run = find_run(reader, run)?.id;
        let state = reader.state(&run)?;
        let Some(edits) = state.edits.clone() else {
            let hint =
                "with `isolation: worktree` in `config.yaml` the next run's edits go to a branch".to_owned();
            let what = format!("run `{}` edited the workspace itself: it has no branch", escape(&run));
            return Err(place::input("run-has-no-branch", Some(hint), what));
        };
        let folder = folder(place)?;
        let repository = branch::open(&place.workspace, &folder)?;
        let tasks = state.started.as_ref().and_then(|started| started.tasks.clone());
        let protected = place.protected(Path::new(tasks.as_deref().unwrap_or("tasks.yml")));
        Ok(Self { run, state, edits, repository, folder, protected })
    }

    /// Where it begins and where it ends.
    pub fn ends(&self) -> Result<(Oid, Oid), GitError> {
        Ok((oid(&self.edits.based.base)?, oid(&self.edits.tip)?))
    }

    /// Refuses a branch that is not where the journal says.
    ///
    /// # Errors
    /// `branch-moved`, `run-not-settled`.
    pub fn check_tip(&self) -> Result<Oid, Fault> {
        let (_, tip) = self.ends()?;
        if self.edits.open.is_some() {
            let what = format!("run `{}` was cut off while it kept an attempt's edits", escape(&self.run));
            return Err(undecided("run-not-settled", "`orch-host run` finishes that", what));
        }
        match self.repository.resolve(&self.edits.based.branch)? {
            Some(found) if found == tip => Ok(tip),
            found => Err(GitError::branch_moved(&self.edits.based.branch, &tip, found.as_ref()).into()),
        }
    }

    /// Refuses a tree in which something is not committed.
    ///
    /// # Errors
    /// `git-uncommitted`.
    pub fn check_clean(&self) -> Result<(), Fault> {
        let paths = branch::uncommitted(&self.repository, &self.folder, &self.protected)?;
        if paths.is_empty() {
            return Ok(());
        }
        let paths = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let fault = Fault::from(GitError::Uncommitted { paths });
        Err(Fault { hint: Some("commit or stash it first".to_owned()), ..fault })
    }
}

/// The host's folder for that workspace.
///
/// # Errors
/// `no-state-folder`.
pub fn folder(place: &Place) -> Result<StateFolder, Fault> {
    let states = state_home().ok_or_else(|| {
        let hint = "set `XDG_STATE_HOME` or `HOME` to an absolute path".to_owned();
        place::input("no-state-folder", Some(hint), "there is no folder for the state of programs".to_owned())
    })?;
    Ok(StateFolder::of(&states, &place.workspace))
}

/// Something that a person has to do first.
pub fn undecided(code: &'static str, hint: &str, what: String) -> Fault {
    Fault::new(Exit::NeedsDecision, code, Some(hint.to_owned()), anyhow::Error::msg(what))
}

impl From<Unkept> for Fault {
    fn from(error: Unkept) -> Self {
        match error {
            Unkept::Git(error) => error.into(),
            error => {
                let hint =
                    "look at it with `orch-host diff`; what is right of it you can take by hand".to_owned();
                Self::new(Exit::GoalNotMet, error.code(), Some(hint), error)
            }
        }
    }
}

/// The store, held by this process for as long as a branch is changed.
pub enum Held {
    Store(Store),
    /// With plugins that are asked about it.
    Host(Box<Holder>),
}

impl Held {
    /// # Errors
    /// `store-held` while a host works here.
    pub fn open(place: &Place, operator: &Operator) -> Result<Self, Fault> {
        Ok(Self::Store(place.store(operator, Level::Power)?))
    }

    fn store(&self) -> &Store {
        match self {
            Self::Store(store) => store,
            Self::Host(holder) => &holder.store,
        }
    }

    pub fn reader(&self) -> Result<Reader, Fault> {
        Ok(self.store().reader()?)
    }

    /// Records what a person did with a run's branch; afterwards it survives the end of the machine's power.
    pub fn record(self, run: &str, event: Event) -> Result<(), Fault> {
        let journal = Arc::new(self.store().journal(run)?);
        let state = self.reader()?.state(run)?;
        let mut held = Run::new(run.to_owned(), state, journal.clone(), Backoff::default());
        held.record(event)?;
        journal.wait_durable(held.last(), Level::Power)?;
        drop((held, journal));
        self.close()
    }

    /// Lets go of it.
    pub fn close(self) -> Result<(), Fault> {
        match self {
            Self::Store(store) => store.close().map_err(Fault::from),
            Self::Host(holder) => holder.close(),
        }
    }
}

pub fn who() -> Who {
    this_process()
}
