//! Rules of a run that a workspace may set.
//!
//! In -> out: what `config.yaml` and a command line say -> [`RunRules`].
//! Not here: where they come from (`config/`), which may change while a host serves (`standing.rs`).

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use orch_journal::Level;
use orch_task::{Look, OnDoubt, Task};
use serde::Deserialize;

use super::branch::Beginning;
use super::retry::Backoff;

/// When auditors are called, besides at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audit {
    Completion,
    Every(u32),
    #[default]
    End,
}

impl std::fmt::Display for Audit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Completion => out.write_str("every-completion"),
            Self::Every(count) => write!(out, "every-{count}"),
            Self::End => out.write_str("end"),
        }
    }
}

/// How durable what is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    Process,
    Power,
    /// Effects at `power`, the rest at `process`.
    #[default]
    Mixed,
}

impl Durability {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Power => "power",
            Self::Mixed => "mixed",
        }
    }

    /// Of intents.
    pub fn effects(self) -> Level {
        match self {
            Self::Process => Level::Process,
            Self::Power | Self::Mixed => Level::Power,
        }
    }

    /// Of everything else that somebody outside may see.
    pub fn answers(self) -> Level {
        match self {
            Self::Process | Self::Mixed => Level::Process,
            Self::Power => Level::Power,
        }
    }
}

/// Channels that hear of a run's end, by how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notices {
    pub failed: Vec<String>,
    pub waiting: Vec<String>,
    pub done: Vec<String>,
}

impl Notices {
    /// Each word of `config.yaml` with its channels.
    pub fn all(&self) -> [(&'static str, &[String]); 3] {
        [("failed", &self.failed), ("waiting", &self.waiting), ("done", &self.done)]
    }
}

/// Rules of this run that a workspace may set.
#[derive(Clone, Debug, Default)]
pub struct RunRules {
    pub jobs: u32,
    pub audit: Audit,
    pub durability: Durability,
    /// Of a new run; 0 is unlimited.
    pub budget: u64,
    /// Part of the budget after which the run warns once, 0.0..=1.0.
    pub budget_warn_at: f64,
    /// More unresolved major findings abort the run.
    pub major_max: u32,
    /// More unresolved medium findings give a warning.
    pub medium_max: u32,
    /// More of them are too many, and not only a warning.
    pub medium_fails: bool,
    pub backoff: Backoff,
    /// From the request to end to SIGKILL, for what commands started.
    pub kill_after: Duration,
    /// Where a run's edits go.
    pub beginning: Beginning,
    /// Of one log file.
    pub log_bytes_max: u64,
    pub notices: Notices,
    /// Plugins that may add tasks of a kind whose executor has effects, without approval.
    pub tasks_auto: Vec<(String, String)>,
    /// What tasks are held to that plugins ask for, by kind.
    pub asked: BTreeMap<String, HeldTo>,
}

/// What people say of tasks that a plugin asks for, which cannot say it itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeldTo {
    /// Verifiers that look at what each did.
    pub verify: Vec<Look>,
    pub retries: u32,
    /// In seconds; none: as of every task.
    pub timeout: Option<NonZeroU32>,
    /// What happens to an attempt of which nobody knows how it ended.
    pub on_doubt: OnDoubt,
}

impl HeldTo {
    /// The task, held to it.
    pub fn hold(&self, task: Task) -> Task {
        let timeout_ms = self.timeout.map_or(task.timeout_ms, |seconds| u64::from(seconds.get()) * 1000);
        let (verify, on_doubt) = (self.verify.clone(), self.on_doubt);
        Task { verify, retries: self.retries, timeout_ms, on_doubt, ..task }
    }
}

impl RunRules {
    /// Why so many findings are too many.
    pub fn too_many(&self, major: u32, medium: u32) -> Option<String> {
        let (severity, found, at_most) = match () {
            () if major > self.major_max => ("major", major, self.major_max),
            () if self.medium_fails && medium > self.medium_max => ("medium", medium, self.medium_max),
            () => return None,
        };
        Some(format!("too many {severity} findings: {found}, at most {at_most}"))
    }

    /// S0's order: one task at a time, and every change of a status is saved before the next step.
    pub fn is_strict(&self) -> bool {
        self.jobs == 1 && self.audit == Audit::Completion
    }
}
