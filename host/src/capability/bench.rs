//! A bench for capabilities: what a call is lent, in memory, and what it did to it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_journal::event::TaskIndex;
use orch_task::{Kind, Status, Task, TaskId};

use super::Ledger;
use crate::call::*;

#[derive(Default)]
struct Kept {
    kv: BTreeMap<(String, String), Vec<u8>>,
    kv_broken: bool,
    effects: Vec<Effect>,
    gate_closed: bool,
    commands: Vec<ProcessRequest>,
    processes_broken: bool,
    lines: Vec<(LogLevel, String)>,
}

/// Plays store, journal, supervisor and log. Clones share what they keep.
#[derive(Clone, Default)]
pub(crate) struct Bench(Arc<Mutex<Kept>>);

impl Bench {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, what: impl FnOnce(&mut Kept) -> T) -> T {
        what(&mut self.0.lock().unwrap())
    }

    pub(crate) fn context(&self, workspace: PathBuf, wall: Duration) -> CallContext {
        CallContext {
            protected: Arc::default(),
            workspace: Arc::new(workspace),
            settings: "{}".into(),
            tasks: self.tasks(),
            kv: self.kv(),
            effects: Arc::new(self.clone()),
            processes: self.processes(),
            log: self.sink(),
            wall,
        }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::new(Arc::new(self.clone()))
    }

    pub(crate) fn sink(&self) -> Arc<dyn LogSink> {
        Arc::new(self.clone())
    }

    pub(crate) fn kv(&self) -> Arc<dyn KvReader> {
        Arc::new(self.clone())
    }

    pub(crate) fn tasks(&self) -> Arc<dyn TaskReader> {
        Arc::new(self.clone())
    }

    pub(crate) fn processes(&self) -> Arc<dyn Processes> {
        Arc::new(self.clone())
    }

    pub(crate) fn commit(&self, label: &str, key: &str, value: &[u8]) {
        self.with(|kept| kept.kv.insert((label.to_owned(), key.to_owned()), value.to_vec()));
    }

    pub(crate) fn break_kv(&self) {
        self.with(|kept| kept.kv_broken = true);
    }

    pub(crate) fn close_gate(&self) {
        self.with(|kept| kept.gate_closed = true);
    }

    pub(crate) fn break_processes(&self) {
        self.with(|kept| kept.processes_broken = true);
    }

    pub(crate) fn lines(&self) -> Vec<(LogLevel, String)> {
        self.with(|kept| kept.lines.clone())
    }

    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.with(|kept| kept.effects.clone())
    }

    pub(crate) fn commands(&self) -> Vec<ProcessRequest> {
        self.with(|kept| kept.commands.clone())
    }
}

impl LogSink for Bench {
    fn line(&self, _plugin: &str, level: LogLevel, text: &str) {
        self.with(|kept| kept.lines.push((level, text.to_owned())));
    }
}

impl KvReader for Bench {
    fn read(&self, _plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        self.with(|kept| match kept.kv_broken {
            true => Err(KvUnavailable),
            false => Ok(kept.kv.get(&(label.to_owned(), key.to_owned())).cloned()),
        })
    }

    fn keys(
        &self,
        _: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        self.with(|kept| match kept.kv_broken {
            true => Err(KvUnavailable),
            false => {
                let keys = kept.kv.keys().filter(|(of, _)| of == label).map(|(_, key)| key.clone());
                let wanted =
                    |key: &String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
                Ok(keys.filter(wanted).take(1000).collect())
            }
        })
    }

    fn bytes(&self, _plugin: &str) -> Result<u64, KvUnavailable> {
        self.with(|kept| match kept.kv_broken {
            true => Err(KvUnavailable),
            false => Ok(kept.kv.iter().map(|((_, key), value)| (key.len() + value.len()) as u64).sum()),
        })
    }
}

impl TaskReader for Bench {
    fn describe(&self, index: TaskIndex) -> Option<Task> {
        (index == 0).then(|| Task::new(TaskId::parse("first").unwrap(), Kind::shell()))
    }

    fn find(&self, id: &str) -> Option<TaskIndex> {
        (id == "first").then_some(0)
    }

    fn scan(&self, start: TaskIndex) -> Vec<TaskSummary> {
        let first = TaskSummary {
            index: 0,
            id: "first".to_owned(),
            kind: "shell".to_owned(),
            status: Status::Pending,
            priority: 0,
            cost: 1,
        };
        (start == 0).then_some(first).into_iter().collect()
    }
}

impl EffectGate for Bench {
    fn record(&self, effect: Effect) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async move {
            self.with(|kept| match kept.gate_closed {
                true => Err(GateClosed),
                false => {
                    kept.effects.push(effect);
                    Ok(())
                }
            })
        })
    }
}

impl Processes for Bench {
    fn run(
        &self,
        request: ProcessRequest,
        effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>> {
        Box::pin(async move {
            if self.with(|kept| kept.processes_broken) {
                return Err(ProcessError::SupervisorGone);
            }
            let program = request.program.display().to_string();
            let started = Effect::ProcessStarted { program, pid: 1, start_ticks: 2, boot_id: "b".to_owned() };
            effects.record(started).await?;
            self.with(|kept| kept.commands.push(request));
            Ok(ProcessOutput {
                exit: ProcessExit::Code(0),
                stdout: b"output".to_vec(),
                stderr: Vec::new(),
                stdout_bytes: 6,
                stderr_bytes: 0,
                duration: Duration::from_millis(1),
            })
        })
    }
}
