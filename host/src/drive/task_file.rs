//! `tasks.yml` during a run: read, and taken into the run.
//!
//! In -> out: file -> tasks of the run.
//! Invariant: an edit made by hand is taken in or refused by name; the host owns `status` and the tasks that it
//! appended.
//! Not here: the text itself (`orch-task`), what a person changed in it (`edits.rs`), what the run writes back
//! (`task_file/write_back.rs`).

mod write_back;

use std::path::{Path, PathBuf};
use std::time::Instant;

use orch_journal::event::{AddedTask, Event, TaskIndex};
use orch_journal::state::TaskState;
use orch_task::{FileTask, NewFileTask, Recovered, Status, TaskFile, TaskFileError, read_task_file, recover};

use super::error::DriveError;
use super::file_watch::{CHECKPOINT, FileWatch};
use super::offers::Offers;
use super::roles::Roles;
use super::run::Run;
use crate::clock::now_ms;
use crate::whole_file;

/// Events hold at most so many tasks.
const TASKS_PER_EVENT: usize = 1000;

/// The workspace's task file.
pub struct Sheet {
    pub(super) folder: PathBuf,
    pub(super) name: String,
    /// As it was read or written last; none if there is none.
    pub(super) file: Option<TaskFile>,
    /// Place of the last event whose status is in the file.
    saved_at: u64,
    next: Instant,
    /// When the journal's head is signed again.
    sign: Instant,
    pub(super) watch: FileWatch,
    /// Why what lies there now cannot be taken in; the run goes on with what it knew, and is not closed.
    pub(super) unusable: Option<DriveError>,
    /// Since when something is amiss with the file, for a run that could end.
    pub(super) amiss: Option<Instant>,
}

impl Sheet {
    /// Reads the file. One that is not there has no tasks.
    pub fn read(path: &Path) -> Result<Self, DriveError> {
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let now = Instant::now();
        let mut sheet = Self {
            watch: FileWatch::of(&folder.join(&name)),
            folder,
            name,
            file: None,
            saved_at: 0,
            next: now + CHECKPOINT,
            sign: now,
            unusable: None,
            amiss: None,
        };
        sheet.file = sheet.read_again(None)?;
        Ok(sheet)
    }

    /// Tidies up after a host that was killed while it wrote, and reads again. Only the host that holds the store
    /// calls it.
    pub fn recover(&mut self) -> Result<(), DriveError> {
        let found = recover(&self.folder, &self.name).map_err(|source| self.io("recover", source))?;
        for left in found {
            match left {
                Recovered::Removed { .. } => {}
                Recovered::Restored => tracing::warn!("an edit that a killed host had taken out is back"),
                Recovered::Kept { file } => tracing::warn!(file, "an edit was kept beside the task file"),
            }
        }
        let known = self.file.take();
        self.file = self.read_again(known)?;
        Ok(())
    }

    pub(super) fn read_again(&self, known: Option<TaskFile>) -> Result<Option<TaskFile>, DriveError> {
        match read_task_file(&self.folder, &self.name, known) {
            Ok(file) => Ok(Some(file)),
            Err(TaskFileError::Missing { .. }) => Ok(None),
            Err(source) => Err(self.fault(source)),
        }
    }

    pub(super) fn fault(&self, source: TaskFileError) -> DriveError {
        DriveError::TaskFile { file: self.name.clone(), source: Box::new(source) }
    }

    pub(super) fn patch_fault(&self, source: orch_task::PatchError) -> DriveError {
        DriveError::TaskFilePatch { file: self.name.clone(), source }
    }

    fn io(&self, what: &'static str, source: orch_task::ExchangeError) -> DriveError {
        DriveError::Io { what, path: self.name.clone(), source: std::io::Error::other(source) }
    }

    /// Fails if there is no file.
    pub fn require(&self) -> Result<(), DriveError> {
        let file = self.folder.join(&self.name).display().to_string();
        match self.file {
            Some(_) => Ok(()),
            None => Err(self.fault(TaskFileError::Missing { file })),
        }
    }

    /// Fails if a new run could not begin with this file: it is not there, or a task of it asks for what nobody offers.
    pub fn check_new(&self, offers: &Offers) -> Result<(), DriveError> {
        self.require()?;
        self.tasks().iter().try_for_each(|found| offers.check(found))
    }

    /// As of the last read.
    pub fn tasks(&self) -> &[FileTask] {
        self.file.as_ref().map_or(&[], |file| file.tasks())
    }

    /// Takes the file into the run: all of it into a new run, hand edits into one that goes on.
    pub fn merge(&mut self, run: &mut Run, roles: &Roles) -> Result<(), DriveError> {
        let Some(file) = &self.file else {
            return match run.state().tasks.is_empty() {
                true => self.require(),
                false => Ok(()),
            };
        };
        let is_known = run.state().saved.as_deref() == Some(hex::encode(file.sha256()).as_str());
        let is_new = run.state().tasks.is_empty();
        if is_new {
            self.load(run, roles)?;
        } else if !is_known {
            self.merge_after_a_stop(run, roles)?;
        }
        if !is_new {
            self.check_open(run, roles)?;
        }
        self.take_env(run)?;
        self.hold_missing(run);
        self.record_saved(run, "read")
    }

    /// Fails if a task that may still start is not granted what it says: policy may be another one than when it was added.
    fn check_open(&self, run: &Run, roles: &Roles) -> Result<(), DriveError> {
        let state = run.state();
        let is_open = |found: &&FileTask| {
            let place = state.by_id.get(&found.task.id).copied().unwrap_or(TaskIndex::MAX);
            state.tasks.get(place as usize).is_some_and(|known| !known.status.is_final())
        };
        self.tasks().iter().filter(is_open).try_for_each(|found| roles.check_told(found))
    }

    /// All tasks of the file, into a new run.
    fn load(&self, run: &mut Run, roles: &Roles) -> Result<(), DriveError> {
        for found in self.tasks() {
            roles.check(found)?;
        }
        let added: Vec<AddedTask> = self.tasks().iter().map(|found| to_added(run, found)).collect();
        record_added(run, &added)?;
        run.added(now_ms());
        // Statuses that no run of this store gave.
        for (place, found) in self.tasks().iter().enumerate() {
            if found.status == Some(Status::InProgress) {
                let why =
                    "the task file said `in_progress`, and no run of this store says how it ended".to_owned();
                let task = place as TaskIndex;
                run.record(Event::TaskMoved { task, to: Status::InDoubt, why, who: None, at: now_ms() })?;
            }
        }
        Ok(())
    }

    pub(super) fn record_saved(&self, run: &mut Run, why: &str) -> Result<(), DriveError> {
        let Some(file) = &self.file else { return Ok(()) };
        let sha256 = hex::encode(file.sha256());
        run.note_file_bytes(file.bytes().len() as u64);
        run.record(Event::TasksSaved { sha256, why: why.to_owned(), at: now_ms() })?;
        Ok(())
    }
}

/// Writes a file without tasks where there is none or nothing in it: for a run whose tasks plugins ask for.
///
/// # Errors
/// `Io`: it can neither be looked at nor written.
pub fn make_if_none(path: &Path) -> Result<(), DriveError> {
    let io = |what, source| DriveError::Io { what, path: path.display().to_string(), source };
    let is_blank = match std::fs::metadata(path) {
        Ok(found) => found.is_file() && found.len() == 0,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(io("look at", error)),
    };
    match is_blank {
        true => {
            whole_file::write(path, b"tasks: []\n", whole_file::PUBLIC).map_err(|error| io("write", error))
        }
        false => Ok(()),
    }
}

pub(super) fn to_added(run: &Run, found: &FileTask) -> AddedTask {
    AddedTask {
        env: run.seal(found),
        task: found.task.clone(),
        status: found.status_or_pending(),
        added_by: found.added_by.clone(),
        added_for: None,
    }
}

pub(super) fn to_file_task(task: &TaskState) -> NewFileTask {
    NewFileTask { task: task.task.clone(), status: Some(task.status), added_by: task.added_by.clone() }
}

pub(super) fn record_added(run: &mut Run, tasks: &[AddedTask]) -> Result<(), DriveError> {
    for page in tasks.chunks(TASKS_PER_EVENT) {
        let first = run.state().tasks.len() as TaskIndex;
        run.record(Event::TasksAdded { first, tasks: page.to_vec(), at: now_ms() })?;
    }
    Ok(())
}
