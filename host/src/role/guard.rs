//! Guards: a proposed change, judged before it is made.
//!
//! In -> out: [`ProposedChange`] -> [`Judgement`].
//! Limits: reasons are cut at 4096 bytes; of a difference 10,000 files, 1 MiB of paths, 256 KiB of a patch.
//! Not here: when guards are asked and what becomes of a judgement (`drive/guards.rs`).

use std::time::Duration;

use orch_journal::event::Writes;
use orch_task::Task;
use orch_trust::manifest::Role;
use serde::Deserialize;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::{Ask, Export, Exported, Form};
use crate::bindings::guard::GuardPre;
use crate::bindings::guard::exports::orch::guard::guard as wit;
use crate::bindings::types::types::Failure;
use crate::capability::tasks::{AskedTask, task_to_wit};
use crate::cut::cut;
use crate::engine::CallError;
use crate::engine::store::CallState;

/// The role's export.
pub struct GuardExport;

impl Export for GuardExport {
    const ROLE: Role = Role::Guard;
    const FORM: Form = Form::Keyed { name: "guards", by: "kind", many: true };
    type Pre = GuardPre<CallState>;

    fn pre(pre: InstancePre<CallState>) -> wasmtime::Result<Self::Pre> {
        GuardPre::new(pre)
    }
}

/// A linked guard.
pub type Guard<E> = Exported<GuardExport, E>;

/// Something that is about to be done: is it allowed?
#[derive(Clone, Debug)]
pub enum ProposedChange {
    /// A task that is about to start.
    Task(Box<Task>),
    /// An attempt's edits that are about to be kept.
    Edits(Box<ProposedEdits>),
    /// A run's edits that a person is about to take in.
    Merge(Box<ProposedMerge>),
}

/// What an attempt changed.
#[derive(Clone, Debug)]
pub struct ProposedEdits {
    pub task: Task,
    pub attempt: u32,
    pub difference: Difference,
}

/// What a person takes in.
#[derive(Clone, Debug)]
pub struct ProposedMerge {
    pub run: String,
    /// Ids, at most [`TASKS_MAX`].
    pub tasks: Vec<String>,
    /// The person's branch; none: their checkout is on none.
    pub onto: Option<String>,
    pub difference: Difference,
}

/// How two trees differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// By path, at most [`FILES_MAX`].
    pub files: Vec<ChangedFile>,
    /// Of all files.
    pub files_count: u32,
    pub added: u64,
    pub removed: u64,
    pub patch: String,
    pub patch_is_whole: bool,
}

/// Of a merge.
pub const TASKS_MAX: usize = 10_000;
pub const FILES_MAX: usize = 10_000;
/// Of all paths together.
pub const PATHS_BYTES_MAX: usize = 1 << 20;
pub const PATCH_BYTES_MAX: usize = 256 << 10;

/// How a file differs; no lines: one side is no text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangedFile {
    pub path: String,
    pub status: FileStatus,
    pub added: Option<u32>,
    pub removed: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileStatus {
    Added,
    Changed,
    Removed,
}

impl Difference {
    fn to_wit(&self) -> wit::Difference {
        let file = |file: &ChangedFile| wit::ChangedFile {
            path: file.path.clone(),
            status: match file.status {
                FileStatus::Added => wit::FileStatus::Added,
                FileStatus::Changed => wit::FileStatus::Changed,
                FileStatus::Removed => wit::FileStatus::Removed,
            },
            lines_added: file.added,
            lines_removed: file.removed,
        };
        wit::Difference {
            files: self.files.iter().map(file).collect(),
            files_count: self.files_count,
            lines_added: self.added,
            lines_removed: self.removed,
            patch: self.patch.clone(),
            patch_is_whole: self.patch_is_whole,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    Low,
    Medium,
    High,
}

impl Risk {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What a guard says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    Allow,
    /// A person decides.
    Escalate {
        risk: Risk,
        reason: String,
    },
    Refuse {
        reason: String,
    },
}

impl Ask for ProposedChange {
    const NAME: &'static str = "judge";
    type Of = GuardExport;
    type Raw = wit::Judgement;
    type Answer = Judgement;

    async fn ask(
        &self,
        pre: &GuardPre<CallState>,
        store: &mut Store<CallState>,
        _wall: Duration,
    ) -> wasmtime::Result<Result<Self::Raw, Failure>> {
        let change = match self {
            Self::Task(task) => wit::ProposedChange::Task(task_to_wit(task)),
            Self::Edits(edits) => wit::ProposedChange::Edits(wit::Edits {
                task: task_to_wit(&edits.task),
                attempt: edits.attempt,
                difference: edits.difference.to_wit(),
            }),
            Self::Merge(merge) => wit::ProposedChange::Merge(wit::Merge {
                run: merge.run.clone(),
                tasks: merge.tasks.clone(),
                onto: merge.onto.clone(),
                difference: merge.difference.to_wit(),
            }),
        };
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.orch_guard_guard().call_judge(store, &change).await
    }

    fn check(&self, raw: wit::Judgement, _state: &mut CallState) -> Result<Judgement, CallError> {
        Ok(match raw {
            wit::Judgement::Allow => Judgement::Allow,
            wit::Judgement::Refuse(reason) => Judgement::Refuse { reason: cut(&reason) },
            wit::Judgement::Escalate(wit::Escalation { risk, reason }) => {
                let risk = match risk {
                    wit::Risk::Low => Risk::Low,
                    wit::Risk::Medium => Risk::Medium,
                    wit::Risk::High => Risk::High,
                };
                Judgement::Escalate { risk, reason: cut(&reason) }
            }
        })
    }

    fn keep(_answer: &Judgement, _writes: &mut Writes) {}

    fn asked(_answer: &Judgement) -> Vec<AskedTask> {
        Vec::new()
    }
}
