//! What tasks read and made when they were done last, beside what they would read and make now.
//!
//! In -> out: a task, who would do it, the files as they are -> [`Outcome`].
//! Invariant: whoever did it is known by HMACs of this host and store only.
//! Not here: when a task is looked at, and what follows (`fresh.rs`), single files (`marks/files.rs`).

mod coming;
mod files;
mod tree;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use orch_journal::event::{FileMark, Mark, MarkedBy, TaskIndex};
use orch_journal::rows::Known;
use orch_journal::{SharedReader, StoreError};
use orch_task::{Command, Look, Task, When};
use orch_trust::manifest::Role;
use sha2::Sha256;

use self::coming::Comings;
pub use self::coming::Watch;
use self::files::{Files, difference, touched};
use self::tree::Tree;
use super::error::DriveError;
use super::roles::Roles;
use crate::clock::now_ms;

const BEHIND: &str = "what it depends on was done again";
const LEFT_OUT: &str = "it was left out by its condition";
const UNKNOWN: &str = "nothing is known of when it was done";

/// What tasks read and made when they were done last, over all runs of a store.
pub struct Marks {
    store: SharedReader,
    /// Of this host, which the store may not have yet.
    made: Mutex<HashMap<String, Option<Mark>>>,
    files: Files,
    comings: Comings,
    key: [u8; 32],
    /// Name of the store's folder.
    name: String,
    /// Of which the tasks are: another one's with the same ids are others.
    task_file: String,
}

/// What is known of a task as it begins, for its mark.
#[derive(Clone, Debug, Default)]
pub struct Begun {
    pub(super) by: MarkedBy,
    pub(super) inputs: Arc<[FileMark]>,
    pub(super) at: u64,
    /// From before its attempt on.
    pub(super) watch: Option<Arc<Watch>>,
}

#[derive(Debug)]
pub(super) enum Outcome {
    /// Its condition does not hold.
    Skipped(String),
    /// It neither starts nor is done: why.
    Unasked(String),
    /// Nothing changed; with another mark if files have other times than before.
    Fresh(Option<Box<Mark>>),
    /// It is done, and says nothing of files.
    Kept(Kept),
    /// It starts: why, if it was done before; what it reads, or why that could not be looked at.
    Stale { why: Option<String>, begun: Result<Option<Begun>, String> },
}

/// How a task stands that is done and says nothing of files.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    /// The verifiers that it names, as they are now, did not look at it.
    pub(super) is_unseen: bool,
    /// What was done is not what it says now.
    pub(super) is_other: bool,
}

/// What is looked at beside the loop.
pub(super) struct Glance {
    pub(super) index: TaskIndex,
    pub(super) task: Task,
    /// None: nothing but its condition is asked for.
    pub(super) by: Option<MarkedBy>,
    pub(super) force: bool,
    /// Of the variable that its condition names.
    pub(super) variable: Option<OsString>,
    /// Its command would not get it, whether the host has it or not.
    pub(super) is_kept: bool,
    /// Something that it depends on was done after it.
    pub(super) is_behind: bool,
    /// It waits only because what it depends on does.
    pub(super) is_put_back: bool,
    /// An attempt began, and it was not done since.
    pub(super) is_unfinished: bool,
    /// That attempt failed or lost its host, and nobody had a word since.
    pub(super) is_tried_again: bool,
    /// When somebody said that it is done, if nobody else did.
    pub(super) said_at: Option<u64>,
    /// Of this look, if it could start.
    pub(super) look: u64,
}

impl Marks {
    /// Over the store that is read there. `key` is this host's, `state` the store's folder.
    pub fn over(
        store: SharedReader,
        folder: Arc<PathBuf>,
        key: [u8; 32],
        state: &Path,
        task_file: &Path,
    ) -> Self {
        let name = orch_journal::place::name_of(state);
        let tree = Arc::new(Tree::of(folder, state));
        let (files, comings) = (Files::below(tree.clone()), Comings::below(tree));
        let task_file = task_file.display().to_string();
        Self { store, made: Mutex::default(), files, comings, key, name, task_file }
    }

    fn last(&self, task: &str) -> Result<Option<Mark>, StoreError> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(task).cloned();
        made.map_or_else(|| self.store.read().mark(&self.task_file, task), Ok)
    }

    pub(super) fn keep(&self, task: &str, mark: Mark) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(task.to_owned(), Some(mark));
    }

    /// What the store knows of each task.
    pub fn known(&self) -> Result<HashMap<String, Known>, StoreError> {
        self.store.read().known(&self.task_file)
    }

    /// True if that is known of a task already.
    pub(super) fn has(&self, task: &str, by: &MarkedBy) -> Result<bool, StoreError> {
        Ok(self.last(task)?.is_some_and(|mark| mark.by == *by && !mark.skipped))
    }

    /// True if it is known how a task was done.
    pub(super) fn knows(&self, task: &str) -> Result<bool, StoreError> {
        Ok(self.last(task)?.is_some_and(|mark| !mark.skipped))
    }

    /// An attempt begins: what was known of the task is true no more, however it ends.
    pub fn forget(&self, task: &str) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(task.to_owned(), None);
    }

    /// Ends looks at files that are under way, or lets them be made again.
    pub fn stop(&self, stopped: bool) {
        self.files.stop(stopped);
    }

    fn mac(&self, what: &str, parts: &[&[u8]]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            unreachable!("HMAC takes keys of every length")
        };
        for part in [self.name.as_bytes(), what.as_bytes()].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        hex::encode(mac.finalize().into_bytes())
    }

    /// Whoever would do that task.
    pub(super) fn by<'e>(
        &self,
        task: &Task,
        env: impl Iterator<Item = (&'e str, &'e OsStr)>,
        roles: &Roles,
    ) -> Result<MarkedBy, DriveError> {
        let executor = roles.executor(task)?;
        let verifiers = task.verify.iter().flat_map(|Look { verifier, checks }| {
            let found = roles.by_id(Role::Verifier, verifier).map(|found| found.identity.to_string());
            [verifier.clone(), found.unwrap_or_default(), checks.len().to_string()]
                .into_iter()
                .chain(checks.clone())
        });
        let verifiers: Vec<String> = verifiers.collect();
        let command = format!("{:?}", (&task.kind, &task.command, &task.settings));
        let files = format!("{:?}", (&task.inputs, &task.outputs));
        Ok(MarkedBy {
            task: self.mac("task", &[command.as_bytes(), files.as_bytes()]),
            env: self.mac(
                "env",
                &env.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]).collect::<Vec<_>>(),
            ),
            executor: self.mac("executor", &[executor.id.as_bytes(), executor.identity.as_bytes()]),
            verifiers: self.mac("verifiers", &verifiers.iter().map(String::as_bytes).collect::<Vec<_>>()),
        })
    }

    /// `is_done`: by an earlier run. Then its condition is not asked: that is for when it could start.
    ///
    /// # Errors
    /// What is known of the task cannot be read: then nobody can say whether it has to be done.
    pub(super) fn check(&self, glance: &Glance, is_done: bool) -> Result<Outcome, StoreError> {
        let Glance { task, by, force, variable, is_kept, is_behind, .. } = glance;
        // Of what is done it is asked when that could start again.
        let missed = match &task.when {
            Some(_) if is_done => Ok(None),
            Some(_) if *is_kept => Err("no `env` has its variable, and no policy hands it on".to_owned()),
            // Its next attempt: what is there may be half of what it makes, and what is gone may be gone by it.
            Some(when) if glance.is_tried_again => {
                let of_variable = When { exists: None, missing: None, ..when.clone() };
                self.missed(&of_variable, variable.as_deref())
            }
            Some(when) => self.missed(when, variable.as_deref()),
            None => Ok(None),
        };
        match missed {
            Ok(None) => {}
            Ok(Some(why)) if glance.is_unfinished => {
                return Ok(Outcome::Unasked(format!("it was begun and not done, and now {why}")));
            }
            Ok(Some(why)) => return Ok(Outcome::Skipped(why)),
            Err(why) => return Ok(Outcome::Unasked(format!("its condition cannot be asked: {why}"))),
        }
        let at = now_ms();
        if !task.names_files() {
            let why = match is_done || glance.is_put_back {
                true => match why_again(glance, is_done, self.last(task.id.as_str())?.as_ref()) {
                    Ok(why) => Some(why.to_owned()),
                    Err(outcome) => return Ok(*outcome),
                },
                false => None,
            };
            let by = by.clone().filter(|_| task.when.is_some());
            let begun = by.map(|by| Begun { by, at, ..Begun::default() });
            return Ok(Outcome::Stale { why, begun: Ok(begun) });
        }
        let Some(by) = by else { return Ok(Outcome::Stale { why: None, begun: Ok(None) }) };
        let last = self.last(task.id.as_str())?;
        let known = last.as_ref().map_or((&[][..], 0), |mark| (&mark.inputs[..], mark.at));
        let inputs = match self.files.look(&reads(task), known.0, known.1) {
            Ok(inputs) => inputs,
            Err(why) => return Ok(Outcome::Stale { why: None, begun: Err(why) }),
        };
        let why = match (&last, force) {
            (_, true) => None,
            _ if *is_behind && (task.inputs.is_empty() || task.always) => Some(BEHIND.to_owned()),
            (None, _) => None,
            (Some(mark), _) => match self.changed(task, mark, by, &inputs) {
                Ok(outputs) => {
                    let is_same = (&mark.by, &mark.inputs, &mark.outputs) == (by, &inputs, &outputs);
                    let renewed = Mark { by: by.clone(), inputs, outputs, at, skipped: false };
                    return Ok(Outcome::Fresh((!is_same).then(|| Box::new(renewed))));
                }
                Err(why) => Some(why),
            },
        };
        let begun = Begun { by: by.clone(), inputs: inputs.into(), at, watch: None };
        Ok(Outcome::Stale { why, begun: Ok(Some(begun)) })
    }

    /// Hears from now on of what comes and goes among the files that a task reads, which an attempt begins at.
    pub fn watch(&self, task: &Task, inputs: &[FileMark]) -> Watch {
        self.comings.watch(&reads(task), inputs)
    }

    /// What is known of a task that is done now; or why nothing is, in words.
    pub(super) fn made(&self, task: &Task, begun: Begun) -> Result<Mark, String> {
        let Begun { by, inputs, at, watch } = begun;
        // What it read is what it was before, though it waited for its start, and others were at work.
        if task.names_files() {
            let now = self.files.look(&reads(task), &inputs, at).map_err(|why| format!("input {why}"))?;
            let unwatched = || Some("was not watched".to_owned());
            let came_or_went = || watch.as_ref().map_or_else(unwatched, |watch| watch.touched(&inputs));
            let what = difference(&inputs, &now).or_else(|| touched(&inputs, &now)).or_else(came_or_went);
            if let Some(what) = what {
                return Err(format!("input {what} meanwhile"));
            }
        }
        let outputs = self.files.look(&task.outputs, &[], 0).map_err(|why| format!("output {why}"))?;
        Ok(Mark { by, inputs: inputs.to_vec(), outputs, at, skipped: false })
    }

    /// What is known of a task that somebody, or its own rule, takes for done; or why nothing is, in words.
    pub fn said(&self, task: &Task) -> Result<Mark, String> {
        said(&self.files, task)
    }

    /// What it made, as that is now; or what changed, in words.
    fn changed(
        &self,
        task: &Task,
        mark: &Mark,
        by: &MarkedBy,
        inputs: &[FileMark],
    ) -> Result<Vec<FileMark>, String> {
        if mark.skipped {
            return Err(LEFT_OUT.to_owned());
        }
        // Whoever says that it is done says so whoever would do it.
        let is_other =
            |part: fn(&MarkedBy) -> &String| mark.by != MarkedBy::default() && part(&mark.by) != part(by);
        if is_other(|by| &by.task) {
            return Err("what it runs changed".to_owned());
        }
        if is_other(|by| &by.env) {
            return Err("its variables changed".to_owned());
        }
        if is_other(|by| &by.executor) {
            return Err("its executor, or what that may do, changed".to_owned());
        }
        if is_other(|by| &by.verifiers) {
            return Err("its verifiers changed".to_owned());
        }
        if let Some(what) = difference(&mark.inputs, inputs) {
            return Err(format!("input {what}"));
        }
        let outputs = self.files.look(&task.outputs, &mark.outputs, mark.at);
        let outputs = outputs.map_err(|why| format!("output {why}"))?;
        match difference(&mark.outputs, &outputs) {
            Some(what) => Err(format!("output {what}")),
            None => Ok(outputs),
        }
    }

    /// Why a condition does not hold; none if it does.
    ///
    /// # Errors
    /// It cannot be asked.
    fn missed(&self, when: &When, value: Option<&OsStr>) -> Result<Option<String>, String> {
        let has = value.filter(|value| !value.is_empty());
        match (&when.variable, &when.is) {
            (Some(name), Some(is)) if value != Some(is.as_ref()) => {
                return Ok(Some(format!("`{name}` is not `{}`", is.escape_debug())));
            }
            (Some(name), None) if has.is_none() => return Ok(Some(format!("`{name}` is not set"))),
            _ => {}
        }
        for (path, wanted, is) in [(&when.exists, true, "does not exist"), (&when.missing, false, "exists")] {
            if let Some(path) = path
                && self.files.is_there(path)? != wanted
            {
                return Ok(Some(format!("`{}` {is}", path.escape_debug())));
            }
        }
        Ok(None)
    }
}

/// As [`Marks::said`], without a host: files below a workspace, whose store lies there.
pub fn said_of(workspace: &Path, state: &Path, task: &Task) -> Result<Mark, String> {
    said(&Files::below(Arc::new(Tree::of(Arc::new(workspace.to_owned()), state))), task)
}

fn said(files: &Files, task: &Task) -> Result<Mark, String> {
    let at = now_ms();
    let inputs = files.look(&reads(task), &[], 0).map_err(|why| format!("input {why}"))?;
    let outputs = files.look(&task.outputs, &[], 0).map_err(|why| format!("output {why}"))?;
    Ok(Mark { by: MarkedBy::default(), inputs, outputs, at, skipped: false })
}

/// Why a task without files that was done is done again, or that it is not.
fn why_again(glance: &Glance, is_done: bool, last: Option<&Mark>) -> Result<&'static str, Box<Outcome>> {
    let has_condition = glance.task.when.is_some();
    match last {
        _ if glance.is_behind || (glance.force && !is_done) => Ok(BEHIND),
        Some(mark) if mark.skipped && has_condition => Ok("its condition is asked again"),
        Some(mark) if mark.skipped => Ok(LEFT_OUT),
        None if has_condition && glance.said_at.is_none() => Ok(UNKNOWN),
        _ if !is_done => Err(Box::new(Outcome::Fresh(None))),
        _ => Err(Box::new(Outcome::Kept(kept(glance, last)))),
    }
}

/// A person's word that a task is done stands for whatever is said of it.
fn kept(glance: &Glance, last: Option<&Mark>) -> Kept {
    let by = glance.by.as_ref();
    let is_same =
        |part: fn(&MarkedBy) -> &String| by.zip(last).is_some_and(|(by, mark)| part(by) == part(&mark.by));
    if glance.said_at.is_some_and(|said| last.is_none_or(|mark| mark.at <= said)) {
        return Kept::default();
    }
    // One of a task that named files says nothing of its command alone.
    let is_plain = |mark: &Mark| mark.inputs.is_empty() && mark.outputs.is_empty();
    Kept {
        is_unseen: !glance.task.verify.is_empty() && !is_same(|by| &by.verifiers),
        is_other: last.is_some_and(is_plain) && !is_same(|by| &by.task),
    }
}

/// What a task says that it reads, and the program itself, if that lies in the workspace.
fn reads(task: &Task) -> Vec<String> {
    let program = match &task.command {
        Some(Command::Argv(words)) => {
            words.first().filter(|word| word.contains('/') && !word.starts_with('/'))
        }
        _ => None,
    };
    task.inputs.iter().chain(program).cloned().collect()
}
