//! What an executor is told of the attempt before its own that failed.
//!
//! In -> out: what the journal knows of it, the run's branch -> [`Earlier`].
//! Limits: [`DIFF_BYTES_MAX`] of its edits.
//! Invariant: what it changed comes from commits of the host's own, never from a tree that something wrote.
//! Not here: what is kept of it in a run (`orch_journal::state::Earlier`), whether there is another attempt (`attempt.rs`).

use std::sync::Arc;

use orch_journal::event::Unkept;
use orch_journal::state;
use tokio::runtime::Handle;

use super::branch::Branch;
use super::lodging::oid;
use crate::cut::cut_to;
use crate::git::{GitError, Show};
use crate::role::executor::Earlier;

/// Of what an attempt changed.
const DIFF_BYTES_MAX: usize = 64 << 10;

/// Code of a warning that an attempt is not told of what the one before it had changed.
pub const UNSHOWN: &str = "earlier-unshown";

/// What is told, made beside whoever waits; and why what it had changed is not shown, if git could not.
pub async fn told(
    earlier: Option<state::Earlier>,
    branch: Option<Arc<Branch>>,
    guests: &Handle,
) -> (Option<Earlier>, Option<String>) {
    let Some(state::Earlier { message, findings, unkept, .. }) = earlier else { return (None, None) };
    let (diff, unshown) = match unkept.zip(branch) {
        None => (String::new(), None),
        Some((unkept, branch)) => {
            let shown = guests.spawn_blocking(move || difference(&branch, &unkept)).await;
            match shown {
                Ok(Ok(diff)) => (diff, None),
                // Git removes after a while what no branch names.
                Ok(Err(error)) => (String::new(), Some(format!("{:#}", anyhow::Error::from(error)))),
                Err(_) => (String::new(), Some("it could not be asked".to_owned())),
            }
        }
    };
    (Some(Earlier { message, findings, diff }), unshown)
}

fn difference(branch: &Branch, unkept: &Unkept) -> Result<String, GitError> {
    let bytes = branch.repository().difference(&oid(&unkept.old)?, &oid(&unkept.new)?, Show::Text)?;
    Ok(cut_to(&String::from_utf8_lossy(&bytes), DIFF_BYTES_MAX).to_owned())
}
