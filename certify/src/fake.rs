//! Fake capabilities: what a candidate is lent instead of the world.
//!
//! In -> out: what the host's traits ask -> answers from memory, and a record of what was asked.
//! Limits: 10,000 records of each sort are kept.
//! Invariant: nothing real happens: no process starts, no journal is written; the workspace is the caller's.
//! Not here: limits and grants, which the real engine enforces around these.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orch_host::call::{
    Boxed, CallContext, Effect, EffectGate, GateClosed, KvReader, KvUnavailable, LogLevel, LogSink,
    ProcessError, ProcessExit, ProcessOutput, ProcessRequest, Processes, TaskReader, TaskSummary,
};
use orch_journal::event::TaskIndex;
use orch_task::{Status, Task};

const RECORDS_MAX: usize = 10_000;
const PAGE: usize = 1000;

/// Everything that one call is lent.
#[derive(Clone, Default)]
pub struct Fakes {
    pub tasks: Arc<FakeTasks>,
    pub kv: Arc<FakeKv>,
    pub gate: Arc<FakeGate>,
    pub processes: Arc<FakeProcesses>,
    pub log: Arc<FakeLog>,
}

impl Fakes {
    /// With these tasks in the run.
    pub fn with_tasks(tasks: Vec<Task>) -> Self {
        Self { tasks: Arc::new(FakeTasks { tasks }), ..Self::default() }
    }

    /// The context of a call. `workspace`: absolute, without links. `settings`: a JSON object.
    pub fn context(&self, workspace: PathBuf, settings: &str, wall: Duration) -> CallContext {
        CallContext {
            protected: Arc::default(),
            workspace: Arc::new(workspace),
            settings: settings.into(),
            tasks: self.tasks.clone(),
            kv: self.kv.clone(),
            effects: self.gate.clone(),
            processes: self.processes.clone(),
            log: self.log.clone(),
            wall,
        }
    }
}

/// The run's tasks, all pending.
#[derive(Default)]
pub struct FakeTasks {
    tasks: Vec<Task>,
}

impl TaskReader for FakeTasks {
    fn describe(&self, index: TaskIndex) -> Option<Task> {
        self.tasks.get(usize::try_from(index).ok()?).cloned()
    }

    fn find(&self, id: &str) -> Option<TaskIndex> {
        let place = self.tasks.iter().position(|task| task.id.as_str() == id)?;
        TaskIndex::try_from(place).ok()
    }

    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary> {
        let from = usize::try_from(start).unwrap_or(usize::MAX);
        let page = self.tasks.iter().zip(0..).skip(from).take(PAGE);
        page.map(|(task, index)| TaskSummary {
            index,
            id: task.id.as_str().to_owned(),
            kind: task.kind.as_str().to_owned(),
            status: Status::Pending,
            priority: task.priority,
            cost: task.cost,
        })
        .collect()
    }
}

/// Committed values, by label and key, of whichever plugin asks.
#[derive(Default)]
pub struct FakeKv {
    values: Mutex<BTreeMap<(String, String), Vec<u8>>>,
}

impl FakeKv {
    pub fn commit(&self, label: &str, key: &str, value: &[u8]) {
        lock(&self.values).insert((label.to_owned(), key.to_owned()), value.to_vec());
    }
}

impl KvReader for FakeKv {
    fn read(&self, _plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        Ok(lock(&self.values).get(&(label.to_owned(), key.to_owned())).cloned())
    }

    fn keys(
        &self,
        _plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        let values = lock(&self.values);
        let keys = values.keys().filter(|(of, _)| of == label).map(|(_, key)| key);
        let wanted =
            |key: &&String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        Ok(keys.filter(wanted).take(PAGE).cloned().collect())
    }

    fn bytes(&self, _plugin: &str) -> Result<u64, KvUnavailable> {
        Ok(lock(&self.values).iter().map(|((_, key), value)| (key.len() + value.len()) as u64).sum())
    }
}

/// Agrees to every effect and remembers it.
#[derive(Default)]
pub struct FakeGate {
    effects: Mutex<Vec<Effect>>,
}

impl FakeGate {
    pub fn effects(&self) -> Vec<Effect> {
        lock(&self.effects).clone()
    }
}

impl EffectGate for FakeGate {
    fn record(&self, effect: Effect) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async move {
            remember(&self.effects, effect);
            Ok(())
        })
    }
}

/// Starts nothing; every command exits with 0 and says what it was told to say.
#[derive(Default)]
pub struct FakeProcesses {
    answer: Mutex<Option<ProcessOutput>>,
    requests: Mutex<Vec<ProcessRequest>>,
}

impl FakeProcesses {
    /// From now on every command ends like this.
    pub fn answer_with(&self, output: ProcessOutput) {
        *lock(&self.answer) = Some(output);
    }

    pub fn requests(&self) -> Vec<ProcessRequest> {
        lock(&self.requests).clone()
    }
}

impl Processes for FakeProcesses {
    fn run(
        &self,
        request: ProcessRequest,
        effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>> {
        Box::pin(async move {
            let program = request.program.display().to_string();
            // No process has these.
            let started = Effect::ProcessStarted { program, pid: 0, start_ticks: 0, boot_id: String::new() };
            effects.record(started).await?;
            remember(&self.requests, request);
            let good = ProcessOutput {
                exit: ProcessExit::Code(0),
                stdout: Vec::new(),
                stderr: Vec::new(),
                stdout_bytes: 0,
                stderr_bytes: 0,
                duration: Duration::from_millis(1),
            };
            Ok(lock(&self.answer).clone().unwrap_or(good))
        })
    }
}

/// Keeps lines.
#[derive(Default)]
pub struct FakeLog {
    lines: Mutex<Vec<(LogLevel, String)>>,
}

impl FakeLog {
    pub fn lines(&self) -> Vec<(LogLevel, String)> {
        lock(&self.lines).clone()
    }
}

impl LogSink for FakeLog {
    fn line(&self, _plugin: &str, level: LogLevel, text: &str) {
        remember(&self.lines, (level, text.to_owned()));
    }
}

/// A thread that panicked left whole values behind: each is set by one assignment.
fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remember<T>(list: &Mutex<Vec<T>>, value: T) {
    let mut list = lock(list);
    if list.len() < RECORDS_MAX {
        list.push(value);
    }
}

#[cfg(test)]
mod tests {
    use orch_task::{Kind, TaskId};

    use super::*;

    #[test]
    fn tasks_are_found_by_place_and_id_in_pages() {
        let task = |number: usize| Task::new(TaskId::parse(&format!("t{number}")).unwrap(), Kind::shell());
        let fakes = Fakes::with_tasks((0..1500).map(task).collect());
        assert_eq!(fakes.tasks.find("t7"), Some(7));
        assert_eq!(fakes.tasks.find("t1500"), None);
        assert_eq!(fakes.tasks.describe(1500), None);
        let pages = [0, 1000, 1500].map(|start| fakes.tasks.scan(start).len());
        assert_eq!(pages, [1000, 500, 0]);
        assert_eq!(fakes.tasks.scan(1000)[0].index, 1000);
    }

    #[test]
    fn keys_come_sorted_of_one_label_and_prefix_after_one() {
        let kv = FakeKv::default();
        for (label, key) in [("a", "x2"), ("a", "x1"), ("a", "y"), ("b", "x3")] {
            kv.commit(label, key, b"v");
        }
        assert_eq!(kv.keys("p", "a", "x", None).unwrap(), ["x1", "x2"]);
        assert_eq!(kv.keys("p", "a", "x", Some("x1")).unwrap(), ["x2"]);
        assert_eq!(kv.bytes("p").unwrap(), 11);
    }
}
