//! Trials: what a candidate is lent instead of the world, and what of it went beyond a grant.
//!
//! In -> out: tasks, a [`Mood`] -> [`Fakes`] -> the context of a call; permissions and what was seen -> what went beyond.
//! Limits: 10,000 records of each sort are kept.
//! Invariant: nothing real happens: no process starts, no journal is written; the workspace is the caller's. Only with a
//! [`Recorder`] are requests made, and secrets read. What is lent here fits a `Candidate` only, so that no run can meet a fake.
//! Not here: the fake of each capability, which lies beside it; limits and grants, which the engine enforces around these.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orch_journal::event::Writes;
use orch_task::Task;
use orch_trust::evidence::Candidate;
use orch_trust::time::UnixSeconds;

use super::control::backend::Standing;
use super::control::fake::FakeControl;
use super::effect::fake::FakeGate;
use super::embed::fake::FakeVectors;
use super::git::backend::NoRepository;
use super::http::backend::Egress;
use super::http::fake::FakeHttp;
use super::kv::fake::FakeKv;
use super::lent::Providers;
use super::lent::{CallContext, Lent};
use super::llm::fake::FakeModels;
use super::log::fake::FakeLog;
use super::metrics::fake::FakeMetrics;
use super::nothing::Nothing;
use super::notify::fake::FakeNotifier;
use super::process::env::CommandEnv;
use super::process::fake::FakeProcesses;
use super::provided::Asking;
use super::retrieve::fake::FakeRetriever;
use super::secrets::backend::SecretReader;
use super::secrets::fake::FakeSecrets;
use super::tape::Tape;
use super::tasks::backend::AskedTask;
use super::tasks::fake::FakeTasks;
use super::vectors::fake::FakeShelf;

pub use super::embed::fake::AskedVectors;
pub use super::http::fake::{ScriptedAnswer, ScriptedFault, SentRequest};
pub use super::http::record::{Recorder, Unkept};
pub use super::llm::fake::{AskedModel, ScriptedChat};
pub use super::metrics::backend::RecordedMetric;
pub use super::mood::Mood;
pub use super::process::fake::ScriptedCommand;

/// Everything that one call is lent.
#[derive(Clone, Default)]
pub struct Fakes {
    pub(crate) tasks: Arc<FakeTasks>,
    pub(crate) kv: Arc<FakeKv>,
    pub(crate) metrics: Arc<FakeMetrics>,
    pub(crate) vectors: Arc<FakeShelf>,
    pub(crate) gate: Arc<FakeGate>,
    pub(crate) processes: Arc<FakeProcesses>,
    pub(crate) log: Arc<FakeLog>,
    pub(crate) control: Arc<FakeControl>,
    pub(crate) notify: Arc<FakeNotifier>,
    pub(crate) llm: Arc<FakeModels>,
    pub(crate) embed: Arc<FakeVectors>,
    pub(crate) retrieve: Arc<FakeRetriever>,
    pub(crate) secrets: Arc<FakeSecrets>,
    pub(crate) http: Arc<FakeHttp>,
    /// Of its clock.
    start: Option<UnixSeconds>,
}

impl Fakes {
    /// With these tasks in the run, if the mood has any, and every answer of that mood.
    pub fn new(tasks: Vec<Task>, mood: Mood) -> Self {
        Self {
            control: Arc::new(FakeControl::new(mood, tasks.len())),
            tasks: Arc::new(FakeTasks::new(tasks, mood)),
            kv: Arc::new(FakeKv::new(mood)),
            metrics: Arc::new(FakeMetrics::new(mood)),
            vectors: Arc::new(FakeShelf::new(mood)),
            gate: Arc::new(FakeGate::new(mood)),
            processes: Arc::new(FakeProcesses::new(mood)),
            log: Arc::default(),
            notify: Arc::new(FakeNotifier::new(mood)),
            llm: Arc::new(FakeModels::new(mood)),
            embed: Arc::new(FakeVectors::new(mood)),
            retrieve: Arc::new(FakeRetriever::new(mood)),
            secrets: Arc::new(FakeSecrets::new(mood)),
            http: Arc::new(FakeHttp::new(mood)),
            start: None,
        }
    }

    /// With a clock that starts then.
    pub fn starting_at(self, start: UnixSeconds) -> Self {
        Self { start: Some(start), ..self }
    }

    /// With commands that come in that order or not at all.
    pub fn scripted(self, commands: impl IntoIterator<Item = ScriptedCommand>) -> Self {
        let processes = Arc::new(FakeProcesses::scripted(commands));
        Self { processes, ..self }
    }

    /// With a host that stands so.
    pub fn standing_at(mut self, standing: Standing, tasks: usize) -> Self {
        self.control = Arc::new(FakeControl::new(Mood::Good, tasks).standing_at(standing));
        self
    }

    /// With answers from outside that come in that order or not at all.
    pub fn answered(self, answers: impl IntoIterator<Item = ScriptedAnswer>) -> Self {
        Self { http: Arc::new(FakeHttp::scripted(answers)), ..self }
    }

    /// With answers of models that come in that order or not at all.
    pub fn saying(self, answers: impl IntoIterator<Item = ScriptedChat>) -> Self {
        Self { llm: Arc::new(FakeModels::scripted(answers)), ..self }
    }

    pub fn http(&self) -> &FakeHttp {
        &self.http
    }

    pub fn kv(&self) -> &FakeKv {
        &self.kv
    }

    pub fn metrics(&self) -> &FakeMetrics {
        &self.metrics
    }

    pub fn processes(&self) -> &FakeProcesses {
        &self.processes
    }

    pub fn log(&self) -> &FakeLog {
        &self.log
    }

    pub fn llm(&self) -> &FakeModels {
        &self.llm
    }

    pub(crate) fn retrieve(&self) -> &FakeRetriever {
        &self.retrieve
    }

    pub fn vectors(&self) -> &FakeShelf {
        &self.vectors
    }

    pub fn embed(&self) -> &FakeVectors {
        &self.embed
    }

    pub(crate) fn notify(&self) -> &FakeNotifier {
        &self.notify
    }

    /// Everything that they were asked, as text; times, which differ, are left out.
    pub fn record(&self) -> String {
        let (commands, effects) = (self.processes.record(), self.gate.effects());
        let (lines, labels, names) = (self.log.lines(), self.kv.asked(), self.metrics.asked());
        let (notices, requests, secrets) = (self.notify.sent(), self.http.requests(), self.secrets.asked());
        let (chats, texts, queries) = (self.llm.asked(), self.embed.asked(), self.retrieve.asked());
        format!(
            "commands {commands:?}\neffects {effects:?}\nlog {lines:?}\nkv {labels:?}\nmetrics {names:?}\nnotices {notices:?}\nmodels {chats:?}\ntexts {texts:?}\nqueries {queries:?}\nrequests {requests:?}\nsecrets {secrets:?}"
        )
    }

    /// True if nobody else holds a part of them any more.
    pub fn are_given_back(&self) -> bool {
        let Self {
            tasks,
            kv,
            metrics,
            vectors,
            gate,
            processes,
            log,
            control,
            notify,
            llm,
            embed,
            retrieve,
            http,
            secrets,
            start: _,
        } = self;
        let held = [
            Arc::strong_count(tasks),
            Arc::strong_count(kv),
            Arc::strong_count(metrics),
            Arc::strong_count(vectors),
            Arc::strong_count(gate),
            Arc::strong_count(processes),
            Arc::strong_count(log),
            Arc::strong_count(control),
            Arc::strong_count(notify),
            Arc::strong_count(llm),
            Arc::strong_count(embed),
            Arc::strong_count(retrieve),
            Arc::strong_count(secrets),
            Arc::strong_count(http),
        ];
        held == [1; 14]
    }

    /// The context of a call. `workspace`: absolute, without links. `settings`: a JSON object.
    pub fn context(&self, workspace: PathBuf, settings: &str, wall: Duration) -> CallContext<Candidate> {
        self.lend(workspace, settings, wall, self.http.clone(), self.secrets.clone())
    }

    /// The same with real answers and secrets.
    pub fn recording_context(
        &self,
        workspace: PathBuf,
        settings: &str,
        wall: Duration,
        recorder: Arc<Recorder>,
        secrets: Arc<dyn SecretReader>,
    ) -> CallContext<Candidate> {
        self.lend(workspace, settings, wall, recorder, secrets)
    }

    fn lend(
        &self,
        workspace: PathBuf,
        settings: &str,
        wall: Duration,
        egress: Arc<dyn Egress>,
        secrets: Arc<dyn SecretReader>,
    ) -> CallContext<Candidate> {
        CallContext::of_trial(Lent {
            protected: Arc::default(),
            workspace: Arc::new(workspace),
            is_kept: false,
            git: Arc::new(NoRepository),
            settings: settings.into(),
            tasks: self.tasks.clone(),
            kv: self.kv.clone(),
            metrics: self.metrics.clone(),
            vectors: self.vectors.clone(),
            effects: self.gate.clone(),
            processes: self.processes.clone(),
            env: CommandEnv::default(),
            controls: self.control.clone(),
            egress,
            log: self.log.clone(),
            secrets,
            providers: Providers {
                workspace: "trial".into(),
                notify: Some(self.notify.clone()),
                llm: vec![self.llm.clone()],
                embed: vec![self.embed.clone()],
                retrieve: Some(self.retrieve.clone()),
                models: Arc::new(FakeModels::catalogue()),
                purse: Arc::default(),
            },
            asking: Asking { run: "run".into(), key: "run-1".into(), ..Asking::default() },
            earlier: Arc::default(),
            spending: false,
            deltas: Arc::new(Nothing),
            tape: Tape::Off,
            fixed_start: self.start,
            wall,
        })
    }
}

/// What was seen of one call of a candidate.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    pub plugin: &'a str,
    pub fakes: &'a Fakes,
    /// What it would have kept.
    pub writes: &'a Writes,
    pub asked: &'a [AskedTask],
}

#[cfg(test)]
mod tests;
