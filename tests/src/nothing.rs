//! A host that has nothing and does nothing, lent to admitted plugins that are called outside of a run.

use std::sync::Arc;
use std::time::Duration;

use orch_host::call::{Boxed, Lent};
use orch_host::capability::EffectGate;
use orch_host::capability::kv::{KvReader, KvUnavailable};
use orch_host::capability::log::{LogLevel, LogSink};
use orch_host::capability::process::{ProcessError, ProcessOutput, ProcessRequest, Processes};
use orch_host::capability::tasks::{TaskReader, TaskSummary};
use orch_host::drive::gate::NoEffects;
use orch_journal::event::TaskIndex;
use orch_task::Task;

struct Nothing;

impl TaskReader for Nothing {
    fn describe(&self, _index: TaskIndex) -> Option<Task> {
        None
    }

    fn find(&self, _id: &str) -> Option<TaskIndex> {
        None
    }

    fn scan(&self, _start: TaskIndex) -> Vec<TaskSummary> {
        Vec::new()
    }
}

impl KvReader for Nothing {
    fn read(&self, _plugin: &str, _label: &str, _key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        Err(KvUnavailable)
    }

    fn keys(
        &self,
        _plugin: &str,
        _label: &str,
        _prefix: &str,
        _after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        Err(KvUnavailable)
    }

    fn bytes(&self, _plugin: &str) -> Result<u64, KvUnavailable> {
        Err(KvUnavailable)
    }
}

impl Processes for Nothing {
    fn run(
        &self,
        request: ProcessRequest,
        _effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>> {
        let program = request.program.display().to_string();
        Box::pin(async move { Err(ProcessError::NotFound { program }) })
    }
}

impl LogSink for Nothing {
    fn line(&self, _plugin: &str, _level: LogLevel, _text: &str) {}
}

/// For one call of at most so long, in the folder `/`.
pub fn lent(wall: Duration) -> Lent {
    let nothing = Arc::new(Nothing);
    Lent {
        workspace: Arc::new("/".into()),
        protected: Arc::default(),
        settings: "{}".into(),
        tasks: nothing.clone(),
        kv: nothing.clone(),
        effects: Arc::new(NoEffects),
        processes: nothing.clone(),
        log: nothing,
        wall,
    }
}
