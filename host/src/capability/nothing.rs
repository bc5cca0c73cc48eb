//! A host that has nothing: no task, no value, no program. For services, which start none, and for whoever calls an
//! admitted plugin outside of a run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use orch_journal::event::{ServiceAct, TaskIndex};
use orch_task::Task;
use orch_vectors::{Cache, CacheError};
use wasmtime_wasi_http::{Error, WasiBody};

use super::control::backend::{Controls, NoChoice, RunsSeen, RunsUnreadable, Standing};
use super::effect::{Boxed, EffectGate, EffectRecord, GateClosed};
use super::git::backend::NoRepository;
use super::http::backend::{Egress, EgressLimits, Failed, Outgoing};
use super::kv::backend::{KvReader, KvUnavailable};
use super::lent::Lent;
use super::lent::Providers;
use super::llm::backend::Deltas;
use super::log::backend::{LogLevel, LogSink};
use super::metrics::backend::{MetricPage, MetricQuery, MetricReader, MetricsUnavailable};
use super::process::backend::{ProcessError, ProcessOutput, ProcessRequest, Processes};
use super::process::env::CommandEnv;
use super::provided::Asking;
use super::secrets::backend::{SecretReader, SecretUnread};
use super::secrets::value::SecretValue;
use super::tape::Tape;
use super::tasks::backend::{TaskCounts, TaskReader, TaskSummary};
use super::vectors::backend::VectorStore;

pub struct Nothing;

impl Nothing {
    /// For calls of at most so long, in that folder.
    pub fn lent(workspace: Arc<PathBuf>, wall: Duration) -> Lent {
        let nothing = Arc::new(Self);
        Lent {
            workspace,
            is_kept: false,
            git: Arc::new(NoRepository),
            protected: Arc::default(),
            settings: "{}".into(),
            tasks: nothing.clone(),
            kv: nothing.clone(),
            metrics: nothing.clone(),
            vectors: nothing.clone(),
            effects: nothing.clone(),
            processes: nothing.clone(),
            env: CommandEnv::default(),
            controls: nothing.clone(),
            egress: nothing.clone(),
            log: nothing.clone(),
            secrets: nothing.clone(),
            providers: Providers::default(),
            asking: Asking::default(),
            earlier: Arc::default(),
            spending: false,
            deltas: nothing,
            tape: Tape::Off,
            fixed_start: None,
            wall,
        }
    }
}

impl Deltas for Nothing {
    fn over(&self, _provider: &str) {}

    fn show(&self, _provider: &str, _text: &str) {}
}

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

    fn count(&self) -> TaskCounts {
        TaskCounts::default()
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

impl MetricReader for Nothing {
    fn read(&self, _query: MetricQuery) -> Boxed<'_, Result<MetricPage, MetricsUnavailable>> {
        Box::pin(async { Err(MetricsUnavailable) })
    }
}

impl VectorStore for Nothing {
    fn cache(&self) -> Result<Arc<Cache>, CacheError> {
        Err(CacheError::Io(std::io::ErrorKind::NotFound.into()))
    }
}

impl Processes for Nothing {
    fn run(
        &self,
        request: ProcessRequest,
        _effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>> {
        let why = format!("`{}` does not exist", request.program.display());
        Box::pin(async move { Err(ProcessError::NotFound { why }) })
    }
}

/// Nobody would write an effect down, so there is none.
impl EffectGate for Nothing {
    fn record(&self, _effect: EffectRecord) -> Boxed<'_, Result<(), GateClosed>> {
        Box::pin(async { Err(GateClosed) })
    }

    fn tell(&self, _effect: EffectRecord) {}
}

/// Only a host that serves starts runs.
impl Controls for Nothing {
    fn standing(&self) -> Standing {
        Standing::Idle
    }

    fn runs(&self) -> Boxed<'_, Result<RunsSeen, RunsUnreadable>> {
        Box::pin(async { Err(RunsUnreadable) })
    }

    fn check<'a>(&'a self, _act: &'a ServiceAct) -> Boxed<'a, Result<(), NoChoice>> {
        Box::pin(async { Err(NoChoice::Unreadable) })
    }
}

/// There is no way out.
impl Egress for Nothing {
    fn limits(&self) -> EgressLimits {
        EgressLimits { requests: 0, sent_bytes: 0, received_bytes: 0 }
    }

    fn send(&self, _: Arc<str>, _: Outgoing) -> Boxed<'static, Result<Response<WasiBody>, Failed>> {
        Box::pin(async { Err(Failed::new(Error::DestinationUnavailable, "there is no network here")) })
    }
}

impl LogSink for Nothing {
    fn line(&self, _plugin: &str, _level: LogLevel, _text: &str) {}
}

impl SecretReader for Nothing {
    fn read(&self, name: &str) -> Result<Arc<SecretValue>, SecretUnread> {
        Err(SecretUnread { name: name.to_owned(), why: "is not there: this host has none".to_owned() })
    }

    fn known(&self, _name: &str) -> Option<Arc<SecretValue>> {
        None
    }
}
