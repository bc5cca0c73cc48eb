//! Trees for calls: one each, at the newest commit of the run's branch, for whoever looks into the workspace.
//!
//! In -> out: a plugin that is about to be called -> [`Lodging`], then its tree.
//! Invariant: in a run whose edits go to a branch nobody works in the workspace but for a task that says so; a tree is made
//! before its call and given back after it.
//! Not here: what becomes of what was changed there (`keep.rs`).

use std::sync::Arc;

use tokio::runtime::Handle;

use super::branch::Branch;
use super::desk::Desk;
use super::roles::Bound;
use super::run::Run;
use crate::call::Lent;
use crate::command_log::CommandLog;
use crate::engine::CallError;
use crate::git::{GitError, Oid};
use crate::worktrees::Worktree;

/// A tree that a call will get.
pub struct Lodging {
    branch: Arc<Branch>,
    worktree: Worktree,
    commit: String,
    guests: Handle,
}

impl Lodging {
    /// A place for a call of that plugin, which is lent it; none if it works in the workspace, or looks at no file.
    pub fn of(run: &Run, desk: &Desk, bound: &Bound, lent: &mut Lent, log: &Arc<CommandLog>) -> Option<Self> {
        let branch = desk.branch.clone().filter(|_| bound.looks_around)?;
        let commit = run.state().edits.as_ref()?.tip.clone();
        let worktree = branch.reserve();
        desk.move_into(&bound.id, lent, worktree.seat(), log.clone());
        Some(Self { branch, worktree, commit, guests: desk.guests.clone() })
    }

    /// Makes it, beside whoever waits.
    ///
    /// # Errors
    /// That the call cannot be made, as its own failure; another attempt may come out better.
    pub async fn make(self, plugin: &str) -> Result<Worktree, CallError> {
        let Self { branch, mut worktree, commit, guests } = self;
        let made = guests.spawn_blocking(move || {
            let commit = oid(&commit)?;
            branch.make(&mut worktree, &commit).map(|()| worktree)
        });
        let why = match made.await {
            Ok(Ok(worktree)) => return Ok(worktree),
            Ok(Err(error)) => format!("its tree could not be made: {:#}", anyhow::Error::from(error)),
            Err(_) => "its tree could not be made".to_owned(),
        };
        Err(CallError::Failure { plugin: plugin.into(), message: why, retriable: true })
    }
}

/// Gives a tree back, beside whoever waits.
pub async fn leave(guests: &Handle, worktree: Option<Worktree>) {
    if let Some(worktree) = worktree {
        // What is left of it the next host removes.
        let _ = guests.spawn_blocking(move || drop(worktree)).await;
    }
}

/// A name of an object that the journal has.
///
/// # Errors
/// `Failed`: it is none.
pub fn oid(text: &str) -> Result<Oid, GitError> {
    let failed = || GitError::Failed {
        verb: "rev-parse".to_owned(),
        said: format!("the journal names no object: `{}`", text.escape_debug()),
    };
    Oid::parse(text).ok_or_else(failed)
}
