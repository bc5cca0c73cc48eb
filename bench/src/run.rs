//! One run of a workspace of no-op tasks, watched from inside the process.
//!
//! In -> out: a prepared workspace -> [`RunFigures`] as one line of JSON.
//! The clock runs from the planner's session, when all tasks are in the journal, until the run's last event is
//! durable at the level asked for. A gap is the time from the end of a task to the start of the one that depended on
//! it, both as the loop recorded them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use orch_host::drive::desk::Durability;
use orch_host::watch::Observer;
use orch_journal::event::{Event, TaskIndex};
use orch_journal::{Journal, RunState};
use orch_task::Status;
use serde::{Deserialize, Serialize};

use crate::figures::{memory_kib, nanoseconds, percentile};
use crate::place::Opened;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LevelArg {
    Process,
    Power,
}

impl LevelArg {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Power => "power",
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct RunArgs {
    #[arg(long)]
    workspace: PathBuf,
    #[arg(long)]
    config_home: PathBuf,
    #[arg(long)]
    host: PathBuf,
    #[arg(long)]
    level: LevelArg,
}

/// What one run cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunFigures {
    pub(crate) tasks: usize,
    pub(crate) seconds: f64,
    /// The same until the end of the last task: without the last write of the task file.
    pub(crate) tasks_seconds: f64,
    /// Nanoseconds.
    pub(crate) gap_p50: u64,
    pub(crate) gap_p99: u64,
    /// Most resident memory of the process.
    pub(crate) memory_kib: u64,
    /// Groups that the store committed.
    pub(crate) groups: u64,
    /// Events that were recorded before the clock started.
    pub(crate) events_before: u64,
}

#[derive(Default)]
struct Seen {
    /// When, and how many events and groups there were.
    started: Option<(Instant, u64, u64)>,
    ended: Option<Instant>,
    last_task: Option<Instant>,
    finished_at: HashMap<TaskIndex, Instant>,
    gaps: Vec<u64>,
    done: usize,
}

/// Notes when what was recorded; the dependency of a task is the one that ended last of those it names.
struct Stopwatch {
    seen: Arc<Mutex<Seen>>,
    journal: Arc<Journal>,
}

impl Observer for Stopwatch {
    fn recorded(&mut self, place: u64, event: &Event, state: &RunState) {
        let now = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::SessionOpened { .. } => seen.started = Some((now, place, self.journal.groups())),
            Event::AttemptStarted { task, .. } => {
                let found = state.tasks.get(*task as usize);
                let dependencies = found.map_or(&[][..], |found| &found.task.dependencies);
                let last = dependencies.iter().filter_map(|id| state.by_id.get(id));
                let last = last.filter_map(|index| seen.finished_at.get(index)).max().copied();
                if let Some(last) = last {
                    seen.gaps.push(nanoseconds(now - last));
                }
            }
            Event::AttemptFinished(finished) => {
                seen.finished_at.insert(finished.task, now);
                seen.last_task = Some(now);
                seen.done += usize::from(finished.status == Status::Done);
            }
            Event::RunFinished { .. } => {
                let (seen, journal) = (self.seen.clone(), self.journal.clone());
                std::thread::spawn(move || {
                    while journal.committed() <= place {
                        std::thread::sleep(Duration::from_micros(50));
                    }
                    seen.lock().unwrap_or_else(PoisonError::into_inner).ended = Some(Instant::now());
                });
            }
            _ => {}
        }
    }
}

pub(crate) fn measure(args: &RunArgs) -> anyhow::Result<()> {
    let opened = Opened::open(&args.workspace, &args.config_home)?;
    let durability = match args.level {
        LevelArg::Process => Durability::Process,
        LevelArg::Power => Durability::Power,
    };
    let holder = opened.holder(durability, args.host.clone(), 0)?;
    let session = opened.session(&holder)?;
    let (seen, journal) = (Arc::new(Mutex::new(Seen::default())), session.journal());
    let watch = Stopwatch { seen: seen.clone(), journal: journal.clone() };
    let summary = session.observed_by(Box::new(watch)).drive().map_err(crate::place::fault)?;
    holder.close().map_err(crate::place::fault)?;
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let (Some((started, events_before, groups_before)), Some(ended)) = (seen.started, seen.ended) else {
        anyhow::bail!("the run has no beginning or no end: {summary:?}");
    };
    let tasks_over = seen.last_task.unwrap_or(ended);
    seen.gaps.sort_unstable();
    let figures = RunFigures {
        tasks: seen.done,
        seconds: (ended - started).as_secs_f64(),
        tasks_seconds: (tasks_over - started).as_secs_f64(),
        gap_p50: percentile(&seen.gaps, 0.5),
        gap_p99: percentile(&seen.gaps, 0.99),
        memory_kib: memory_kib("VmHWM")?,
        groups: journal.groups().saturating_sub(groups_before),
        events_before,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}
