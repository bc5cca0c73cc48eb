//! Fake capabilities: what a candidate is lent instead of the world.
//!
//! In -> out: what the host's traits ask -> answers from memory, in the way of a [`Mood`], and a record of it.
//! Limits: 10,000 records of each sort are kept.
//! Invariant: nothing real happens: no process starts, no journal is written; the workspace is the caller's.
//! Not here: limits and grants, which the real engine enforces around these.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orch_host::call::{Boxed, CallContext};
use orch_host::capability::{EffectGate, EffectRecord, GateClosed};
use orch_host::capability::kv::{KvReader, KvUnavailable};
use orch_host::capability::log::{LogLevel, LogSink};
use orch_host::capability::process::{ProcessError, ProcessExit, ProcessOutput, ProcessRequest, Processes};
use orch_host::capability::tasks::{TaskReader, TaskSummary};
use orch_journal::event::TaskIndex;
use orch_task::{Status, Task};

const RECORDS_MAX: usize = 10_000;
const PAGE: usize = 1000;
/// The most that `orch:process` hands back of a stream.
const STREAM_BYTES_MAX: usize = 1 << 20;
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// How the fakes of one call answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// What there is; every command exits with 0 and says nothing.
    #[default]
    Good,
    /// Commands exit with 1 and say something.
    Failing,
    /// Commands are ended by a signal.
    Killed,
    /// Commands run out of time.
    TimedOut,
    /// Commands and values are bytes that are no text.
    Garbage,
    /// Nothing is there: no task, no value.
    Empty,
    /// Everything is as large as a host hands it over.
    Huge,
    /// Every budget is used up.
    Full,
    /// Nothing can be reached.
    Unavailable,
    /// Programs do not exist.
    Missing,
    /// The host ends the attempt at its first effect.
    Closed,
}

impl Mood {
    pub const ALL: [Self; 11] = [
        Self::Good,
        Self::Failing,
        Self::Killed,
        Self::TimedOut,
        Self::Garbage,
        Self::Empty,
        Self::Huge,
        Self::Full,
        Self::Unavailable,
        Self::Missing,
        Self::Closed,
    ];

    /// A value of `orch:kv`, if the mood has one of its own.
    fn value(self) -> Option<Vec<u8>> {
        match self {
            Self::Garbage => Some(vec![0xff, 0xfe, 0, 0x80]),
            Self::Huge => Some(vec![b'v'; VALUE_BYTES_MAX]),
            _ => None,
        }
    }

    /// What comes of a command.
    fn output(self) -> Result<ProcessOutput, ProcessError> {
        let ended = |exit, stream: Vec<u8>| ProcessOutput {
            exit,
            stdout_bytes: stream.len() as u64,
            stderr_bytes: stream.len() as u64,
            stdout: stream.clone(),
            stderr: stream,
            duration: Duration::from_millis(1),
        };
        let program = || "program".to_owned();
        match self {
            Self::Good | Self::Empty | Self::Full | Self::Closed => {
                Ok(ended(ProcessExit::Code(0), Vec::new()))
            }
            Self::Failing => Ok(ended(ProcessExit::Code(1), b"error: it did not work\n".to_vec())),
            Self::Killed => Ok(ended(ProcessExit::Signal(9), Vec::new())),
            Self::TimedOut => Ok(ended(ProcessExit::TimedOut, Vec::new())),
            Self::Garbage => Ok(ended(ProcessExit::Code(i32::MIN), vec![0xff, 0, 0xc3, 0x28, 0x1b])),
            Self::Huge => Ok(ended(ProcessExit::Code(0), vec![b'x'; STREAM_BYTES_MAX])),
            Self::Missing => Err(ProcessError::NotFound { program: program() }),
            Self::Unavailable => {
                let source = std::io::Error::from(std::io::ErrorKind::ResourceBusy);
                Err(ProcessError::NotStarted { program: program(), source })
            }
        }
    }
}

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

    /// With these tasks in the run, if the mood has any, and every answer of that mood.
    pub fn in_mood(tasks: Vec<Task>, mood: Mood) -> Self {
        let tasks = match mood {
            Mood::Empty => Vec::new(),
            _ => tasks,
        };
        Self {
            tasks: Arc::new(FakeTasks { tasks }),
            kv: Arc::new(FakeKv { mood, ..FakeKv::default() }),
            gate: Arc::new(FakeGate { mood, ..FakeGate::default() }),
            processes: Arc::new(FakeProcesses { mood, ..FakeProcesses::default() }),
            log: Arc::default(),
        }
    }

    /// Everything that they were asked, as text; times, which differ, are left out.
    pub fn record(&self) -> String {
        let requests: Vec<ProcessRequest> = self.processes.requests();
        let commands: Vec<_> = requests
            .iter()
            .map(|request| (&request.program, &request.args, &request.env, request.capture_bytes))
            .collect();
        let (effects, lines, labels) = (self.gate.effects(), self.log.lines(), self.kv.asked());
        format!("commands {commands:?}\neffects {effects:?}\nlog {lines:?}\nkv {labels:?}")
    }

    /// True if nobody else holds a part of them any more.
    pub fn are_given_back(&self) -> bool {
        let held = [
            Arc::strong_count(&self.tasks),
            Arc::strong_count(&self.kv),
            Arc::strong_count(&self.gate),
            Arc::strong_count(&self.processes),
            Arc::strong_count(&self.log),
        ];
        held == [1; 5]
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

/// Committed values by plugin, label and key; those of no plugin belong to whichever asks.
#[derive(Default)]
pub struct FakeKv {
    mood: Mood,
    values: Mutex<BTreeMap<(String, String, String), Vec<u8>>>,
    asked: Mutex<Vec<(String, String)>>,
}

const ANYONE: &str = "";

impl FakeKv {
    /// A value that every plugin finds.
    pub fn commit(&self, label: &str, key: &str, value: &[u8]) {
        self.commit_of(ANYONE, label, key, value);
    }

    /// A value that only this plugin finds.
    pub fn commit_of(&self, plugin: &str, label: &str, key: &str, value: &[u8]) {
        let place = (plugin.to_owned(), label.to_owned(), key.to_owned());
        lock(&self.values).insert(place, value.to_vec());
    }

    /// Plugin and label of each question.
    pub fn asked(&self) -> Vec<(String, String)> {
        lock(&self.asked).clone()
    }

    fn ask(&self, plugin: &str, label: &str) -> Result<(), KvUnavailable> {
        remember(&self.asked, (plugin.to_owned(), label.to_owned()));
        match self.mood {
            Mood::Unavailable => Err(KvUnavailable),
            _ => Ok(()),
        }
    }

    /// Label, key and value of all that this plugin finds.
    fn found(&self, plugin: &str) -> Vec<(String, String, Vec<u8>)> {
        let values = lock(&self.values);
        let own = values.iter().filter(|((of, _, _), _)| of == plugin || of == ANYONE);
        own.map(|((_, label, key), value)| (label.clone(), key.clone(), value.clone())).collect()
    }
}

impl KvReader for FakeKv {
    fn read(&self, plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        self.ask(plugin, label)?;
        if let Some(value) = self.mood.value() {
            return Ok(Some(value));
        }
        let found = self.found(plugin).into_iter().find(|(of, name, _)| of == label && name == key);
        Ok(found.map(|(_, _, value)| value))
    }

    fn keys(
        &self,
        plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        self.ask(plugin, label)?;
        let mut keys: Vec<String> =
            self.found(plugin).into_iter().filter(|(of, _, _)| of == label).map(|(_, key, _)| key).collect();
        if self.mood == Mood::Huge {
            keys.extend((0..PAGE).map(|number| format!("{prefix}{}{number:04}", "k".repeat(200))));
        }
        keys.sort();
        let wanted = |key: &String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        Ok(keys.into_iter().filter(wanted).take(PAGE).collect())
    }

    fn bytes(&self, plugin: &str) -> Result<u64, KvUnavailable> {
        self.ask(plugin, "")?;
        match self.mood {
            Mood::Full => Ok(u64::MAX),
            _ => Ok(self.found(plugin).iter().map(|(_, key, value)| (key.len() + value.len()) as u64).sum()),
        }
    }
}

/// Agrees to every effect and remembers it.
#[derive(Default)]
pub struct FakeGate {
    mood: Mood,
    effects: Mutex<Vec<EffectRecord>>,
}

impl FakeGate {
    pub fn effects(&self) -> Vec<EffectRecord> {
        lock(&self.effects).clone()
    }
}

impl EffectGate for FakeGate {
    fn record(&self, effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async move {
            remember(&self.effects, effect);
            match self.mood {
                Mood::Closed => Err(GateClosed),
                _ => Ok(()),
            }
        })
    }
}

/// Starts nothing; every command ends as it was told to, or as the mood is.
#[derive(Default)]
pub struct FakeProcesses {
    mood: Mood,
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
            let started = EffectRecord::ProcessStarted { program, pid: 0, start_ticks: 0, boot_id: String::new() };
            effects.record(started).await?;
            let kept = usize::try_from(request.capture_bytes).unwrap_or(usize::MAX);
            remember(&self.requests, request);
            match lock(&self.answer).clone() {
                Some(output) => Ok(output),
                None => self.mood.output().map(|mut output| {
                    // As the host does: no more than was asked for.
                    output.stdout.truncate(kept);
                    output.stderr.truncate(kept);
                    output
                }),
            }
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
        assert_eq!(
            kv.asked(),
            [("p", "a"), ("p", "a"), ("p", "")].map(|(of, label)| (of.into(), label.into()))
        );
    }

    #[test]
    fn values_of_another_plugin_are_not_found() {
        let kv = FakeKv::default();
        kv.commit_of("other", "a", "x", b"v");
        assert_eq!(kv.read("p", "a", "x").unwrap(), None);
        assert_eq!(kv.keys("p", "a", "", None).unwrap(), [""; 0]);
        assert_eq!(kv.bytes("p").unwrap(), 0);
        assert_eq!(kv.read("other", "a", "x").unwrap(), Some(b"v".to_vec()));
    }

    #[test]
    fn each_mood_answers_in_its_own_way() {
        let of = |mood| Fakes::in_mood(vec![Task::new(TaskId::parse("t").unwrap(), Kind::shell())], mood);
        assert_eq!(of(Mood::Empty).tasks.scan(0).len(), 0);
        assert_eq!(of(Mood::Good).tasks.scan(0).len(), 1);
        assert!(of(Mood::Unavailable).kv.read("p", "a", "x").is_err());
        assert_eq!(of(Mood::Full).kv.bytes("p").unwrap(), u64::MAX);
        assert_eq!(of(Mood::Huge).kv.read("p", "a", "x").unwrap().unwrap().len(), VALUE_BYTES_MAX);
        assert_eq!(of(Mood::Huge).kv.keys("p", "a", "", None).unwrap().len(), PAGE);
        let exits = Mood::ALL.map(|mood| mood.output().ok().map(|output| output.exit));
        assert!(exits.contains(&Some(ProcessExit::Code(1))) && exits.contains(&None));
    }
}
