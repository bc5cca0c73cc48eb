//! `tasks.yml` during a run: statuses and added tasks written back.
//!
//! In -> out: statuses and added tasks of the run -> the file.
//! Limits: a checkpoint at most every 5 s, and never for more than a twentieth of the time.
//! Invariant: what is written back is durable in the journal first; an edit made by hand is never overwritten.
//! Not here: taking an edit in (`edits.rs`), the exchange of files (`orch-task`).

use std::time::{Duration, Instant};

use orch_journal::failpoint;
use orch_task::{ExchangeError, Exchanged, NewFileTask, Status, TaskId, write_exchanging};

use super::{Sheet, to_file_task};
use crate::drive::desk::Desk;
use crate::drive::error::DriveError;
use crate::drive::file_watch::{CHECKPOINT, FileWatch, QUIET};
use crate::drive::run::Run;

/// A checkpoint that took long is not repeated before so many times its length.
const CHECKPOINT_SHARE: u32 = 20;
/// Somebody who edits the file faster than it can be merged.
const TRIES_MAX: u32 = 10;

/// Statuses to patch and tasks to append.
type Differences = (Vec<(TaskId, Status)>, Vec<NewFileTask>);

enum Written {
    Done,
    /// Somebody changed it since it was read.
    Edited,
}

impl Sheet {
    /// How long until a checkpoint is due.
    pub fn until_checkpoint(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// True if something happened since the last save.
    pub fn is_stale(&self, run: &Run) -> bool {
        run.last() > self.saved_at
    }

    /// The last save: fails if somebody edits the file faster than it can be written, or broke it. A run that is closed is never
    /// continued, so it may not be closed while the file says something else.
    pub async fn save_at_the_end(&mut self, run: &mut Run, desk: &Desk) -> Result<(), DriveError> {
        self.save_as(run, desk, "end", true).await?;
        if let Some(error) = self.unusable.take() {
            return Err(error);
        }
        match self.differences(run) {
            Some(_) => Err(DriveError::TaskFileBusy { file: self.name.clone() }),
            None => Ok(()),
        }
    }

    /// Writes statuses and added tasks back, after taking in what somebody changed meanwhile, and has the journal's
    /// head signed if that is due. What could not be written now is written by the next save.
    pub async fn save(&mut self, run: &mut Run, desk: &Desk, why: &str) -> Result<(), DriveError> {
        self.save_as(run, desk, why, false).await
    }

    async fn save_as(
        &mut self,
        run: &mut Run,
        desk: &Desk,
        why: &str,
        is_last: bool,
    ) -> Result<(), DriveError> {
        let started = Instant::now();
        self.write_back(run, desk, why, is_last).await?;
        self.saved_at = run.last();
        self.next = Instant::now() + CHECKPOINT.max(started.elapsed() * CHECKPOINT_SHARE);
        self.sign(desk, started);
        Ok(())
    }

    async fn write_back(
        &mut self,
        run: &mut Run,
        desk: &Desk,
        why: &str,
        is_last: bool,
    ) -> Result<(), DriveError> {
        if self.file.is_none() {
            return Ok(());
        }
        for _ in 0..TRIES_MAX {
            let Some((statuses, append)) = self.differences(run) else { break };
            run.durable(desk).await?;
            match self.write(&statuses, &append)? {
                Written::Done => {
                    failpoint::hit("before-saved");
                    self.record_saved(run, why)?;
                    break;
                }
                // Taken in by one of the next looks; at the end there is none.
                Written::Edited if !is_last => break,
                Written::Edited => {
                    self.be_quiet().await;
                    self.take_edits(run, &desk.roles)?;
                    if self.unusable.is_some() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns when nobody writes at the file any more, or seems to write for ever.
    async fn be_quiet(&mut self) {
        for _ in 0..TRIES_MAX {
            self.watch.look(&self.folder.join(&self.name));
            if self.watch.is_taken || self.watch.is_quiet() {
                break;
            }
            tokio::time::sleep(QUIET).await;
        }
    }

    /// Has the journal's head signed, so that also of a run that is killed only the newest events can be cut off
    /// unseen. Three syncs of the writer's thread; the loop does not wait for them.
    fn sign(&mut self, desk: &Desk, now: Instant) {
        if now >= self.sign {
            self.sign = now + CHECKPOINT;
            desk.journal.sign_head();
        }
    }

    /// Statuses that the file does not have, and tasks that it lacks because plugins added them; nothing if it says
    /// what the run says.
    fn differences(&self, run: &Run) -> Option<Differences> {
        let file = self.file.as_ref()?;
        let state = run.state();
        let mut in_file = vec![false; state.tasks.len()];
        let mut statuses = Vec::new();
        for found in file.tasks() {
            let Some(&index) = state.by_id.get(&found.task.id) else { continue };
            let Some(task) = state.tasks.get(index as usize) else { continue };
            if let Some(mark) = in_file.get_mut(index as usize) {
                *mark = true;
            }
            if found.status_or_pending() != task.status {
                statuses.push((found.task.id.clone(), task.status));
            }
        }
        let missing =
            state.tasks.iter().zip(&in_file).filter(|(task, there)| !**there && task.added_by.is_some());
        let append: Vec<NewFileTask> = missing.map(|(task, _)| to_file_task(task)).collect();
        (!statuses.is_empty() || !append.is_empty()).then_some((statuses, append))
    }

    /// One try; nothing is written if the file is not the one that was read.
    fn write(
        &mut self,
        statuses: &[(TaskId, Status)],
        append: &[NewFileTask],
    ) -> Result<Written, DriveError> {
        let Some(file) = &self.file else { return Ok(Written::Done) };
        let patched = file.patched_file(statuses, append).map_err(|source| self.patch_fault(source))?;
        let written =
            write_exchanging(&self.folder, &self.name, patched.bytes(), &file.sha256(), failpoint::hit);
        if let Err(ExchangeError::Missing { .. }) = written {
            return Ok(Written::Edited);
        }
        match written.map_err(|source| self.io("write", source))? {
            Exchanged::Edited { kept, .. } => {
                if let Some(kept) = kept {
                    tracing::warn!(kept, "the task file was edited twice at once; the earlier edit was kept");
                }
                Ok(Written::Edited)
            }
            Exchanged::Written => {
                self.watch = FileWatch::of(&self.folder.join(&self.name));
                self.file = Some(patched);
                Ok(Written::Done)
            }
        }
    }
}
