//! What a journal has of a run, for going through it again.
//!
//! In -> out: events of a run -> [`Recording`]; events of the runs before it -> the values that it found.
//! Invariant: what was cut off by the end of its host, and done again, is left out, and so are looks that the next host asked for; a run in which something happened that no
//! journal has, or that a person did, is refused by name.
//! Not here: comparing (`replay.rs`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use orch_journal::Reader;
use orch_journal::StoreError;
use orch_journal::event::{
    ABORTED, Actor, AnswerKept, CarriedValue, EDITS_HELD, Ending, Event, HOST_GONE, Line, PluginPin,
    RunBased, RunStatus, TaskIndex, Writes,
};
use orch_task::NewFileTask;
use orch_trust::digest::Sha256Digest;

use crate::drive::kv::KvValues;

/// Of events, at a time.
const PAGE: u32 = 256;

/// A question that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptText {
    pub of: String,
    pub question: Vec<u8>,
    pub answer: Vec<u8>,
    pub masked: bool,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub word: &'static str,
    /// What the plugin said of it, or the code of what broke it.
    pub said: String,
}

impl Outcome {
    /// None: it was cut off, and made again.
    pub fn of(ending: &Ending) -> Option<Self> {
        let (word, said) = match ending {
            Ending::Done { summary } => ("done", summary),
            Ending::Failed { message, .. } => ("failed", message),
            Ending::Broken { code, .. } => ("broken", code),
            Ending::InDoubt { code, .. } if code != HOST_GONE && code != ABORTED => ("in doubt", code),
            Ending::InDoubt { .. } | Ending::Rerun { .. } | Ending::Cancelled => return None,
        };
        Some(Self { word, said: said.clone() })
    }
}

/// Why a run cannot be gone through again.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayable {
    #[error("run `{run}` kept digests and no texts")]
    NoTexts { run: String },
    #[error("run `{run}` is not over")]
    Open { run: String },
    #[error("run `{run}` changed the workspace itself, and no branch of its own")]
    NoBranch { run: String },
    #[error("run `{run}` has what no journal keeps: {what}")]
    Unkept { run: String, what: String },
    #[error("a person had a hand in run `{run}`: {what}")]
    ByPeople { run: String, what: String },
    #[error("what run `{run}` kept is not what its digest says: the {text} that is {at}, of `{of}`")]
    Changed { run: String, at: String, of: String, text: &'static str },
}

impl NotReplayable {
    /// Stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoTexts { .. } => "replay-no-texts",
            Self::Open { .. } => "replay-open",
            Self::NoBranch { .. } => "replay-no-branch",
            Self::Unkept { .. } => "replay-unkept",
            Self::ByPeople { .. } => "replay-by-people",
            Self::Changed { .. } => "replay-text-changed",
        }
    }

    /// What helps, if something does.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoTexts { .. } => "`record: full` in `config.yaml` keeps texts, from the next run on",
            Self::Open { .. } => "`orch-host run` goes on with it",
            Self::NoBranch { .. } => {
                "`isolation: worktree` in `config.yaml` gives runs a branch, from the next one on"
            }
            Self::Changed { .. } => {
                "somebody or something changed the store; `orch-host audit verify` says whether its chain still holds"
            }
            Self::Unkept { .. } | Self::ByPeople { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// A run, as far as it can be gone through again.
#[derive(Clone, Debug)]
pub struct Recording {
    pub run: String,
    pub goal: Option<String>,
    pub jobs: u32,
    pub at: u64,
    pub based: RunBased,
    pub plugins: Vec<PluginPin>,
    /// Those of the file, as it was when the run began.
    pub tasks: Vec<NewFileTask>,
    /// Plugins whose tasks of a kind people let run.
    pub approved: BTreeSet<(String, String)>,
    pub(super) lines: BTreeMap<Line, VecDeque<KeptText>>,
    pub(super) outcomes: BTreeMap<String, VecDeque<Outcome>>,
    /// Of the attempts that came to these.
    pub(super) numbers: BTreeMap<String, Vec<u32>>,
    pub(super) trees: BTreeMap<String, VecDeque<String>>,
    pub(super) status: RunStatus,
    /// Kinds of the tasks that were tried.
    pub kinds: BTreeSet<String>,
}

/// What is gathered on the way.
#[derive(Default)]
struct Gathered {
    /// Id, kind and who asked for it, by place.
    known: Vec<(String, String, Option<String>)>,
    tasks: Vec<NewFileTask>,
    approved: BTreeSet<(String, String)>,
    just_approved: Option<TaskIndex>,
    /// None: it is left out.
    answers: Vec<Option<AnswerKept>>,
    /// Answers that were kept before the last attempt at each task.
    begun: BTreeMap<TaskIndex, usize>,
    outcomes: BTreeMap<String, VecDeque<Outcome>>,
    numbers: BTreeMap<String, Vec<u32>>,
    trees: BTreeMap<String, VecDeque<String>>,
    kinds: BTreeSet<String>,
    has_begun: bool,
    /// Hosts that had the run.
    hosts: u32,
    /// Tasks that a host looks at once more because it took the run up.
    again: BTreeSet<TaskIndex>,
    unkept: Option<String>,
    by_people: Option<String>,
}

impl Recording {
    /// What the journal has of that run.
    ///
    /// # Errors
    /// What the store says; inside, why it cannot be gone through again.
    pub fn read(reader: &Reader, run: &str) -> Result<Result<Self, NotReplayable>, StoreError> {
        let (mut started, mut based, mut status) = (None, None, None);
        let mut found = Gathered::default();
        for event in reader.events(run) {
            match event?.1 {
                Event::RunStarted(one) => started = Some(one),
                Event::RunBased(one) => based = Some(one),
                Event::RunFinished { status: one, .. } => status = Some(one),
                event => found.take(event, started.as_ref().map_or(&[], |one| &one.plugins)),
            }
        }
        let run = run.to_owned();
        let Some(started) = started.filter(|started| started.texts) else {
            return Ok(Err(NotReplayable::NoTexts { run }));
        };
        let Some(status) = status.filter(|status| *status != RunStatus::Waiting) else {
            return Ok(Err(NotReplayable::Open { run }));
        };
        let Some(based) = based else { return Ok(Err(NotReplayable::NoBranch { run })) };
        if let Some(what) = found.unkept {
            return Ok(Err(NotReplayable::Unkept { run, what }));
        }
        if let Some(what) = found.by_people {
            return Ok(Err(NotReplayable::ByPeople { run, what }));
        }
        let lines = match lines(found.answers.into_iter().flatten()) {
            Ok(lines) => lines,
            Err(NotAsKept { at, of, text }) => return Ok(Err(NotReplayable::Changed { run, at, of, text })),
        };
        Ok(Ok(Self {
            goal: started.said_goal().map(str::to_owned),
            run,
            jobs: started.jobs,
            at: started.at,
            based,
            plugins: started.plugins,
            lines,
            tasks: found.tasks,
            approved: found.approved,
            outcomes: found.outcomes,
            numbers: found.numbers,
            trees: found.trees,
            status,
            kinds: found.kinds,
        }))
    }

    /// Which question the event at that place keeps, if it is one: of a journal whose chain is broken there, for people.
    pub fn question_at(reader: &Reader, run: &str, place: u64) -> Option<String> {
        let (mut asked, mut from) = (BTreeMap::<Line, u64>::new(), 0);
        loop {
            let page = reader.raw_events(run, from, PAGE).ok()?;
            from = page.last()?.0 + 1;
            for (seq, bytes) in page {
                let event = serde_json::from_slice::<Event>(&bytes).ok();
                if let Some(Event::AnswerKept(kept)) = event {
                    let nth = asked.entry(kept.line.clone()).or_default();
                    *nth += 1;
                    if seq == place {
                        return Some(format!("{}, of `{}`", question(*nth, &kept.line), kept.of));
                    }
                }
                if seq >= place {
                    return None;
                }
            }
        }
    }

    /// Values of `kv` as the run found them.
    ///
    /// # Errors
    /// What the store says; `Unkept` if runs that were taken out since had a part in them.
    pub fn values_before(&self, reader: &Reader) -> Result<Result<KvValues, NotReplayable>, StoreError> {
        let streams = reader.runs()?.into_iter().map(|run| run.id).chain(reader.stream()?);
        let mut written: Vec<(u64, Written)> = Vec::new();
        for stream in streams {
            for event in reader.events(&stream) {
                written.extend(Written::of(event?.1, stream == self.run));
            }
        }
        written.sort_by_key(|(at, _)| *at);
        let (mut values, mut before) = (KvValues::new(), None);
        for (at, written) in written {
            if at >= self.at && before.is_none() {
                before = Some(values.clone());
            }
            match written {
                Written::ByCall { is_own, writes } => {
                    if !is_own || at >= self.at {
                        take_in(&mut values, &writes);
                    }
                }
                Written::AtPrune(carried) => {
                    // What is left of all runs says whether those that went had written any of it.
                    if before.is_some() && carried != values {
                        let what = "values that runs had kept which were taken out since".to_owned();
                        return Ok(Err(NotReplayable::Unkept { run: self.run.clone(), what }));
                    }
                    values = carried;
                }
            }
        }
        Ok(Ok(before.unwrap_or(values)))
    }
}

/// What changed values of `kv`.
enum Written {
    ByCall {
        /// Of the run itself.
        is_own: bool,
        writes: Box<Writes>,
    },
    /// All values, as runs were taken out.
    AtPrune(KvValues),
}

impl Written {
    fn of(event: Event, is_own: bool) -> Option<(u64, Self)> {
        let at = match &event {
            Event::AttemptFinished(finished) => finished.at,
            Event::Called(called) => called.at,
            Event::NoticeSent(sent) => sent.at,
            Event::RunsPruned(pruned) => pruned.at,
            _ => return None,
        };
        if let Event::RunsPruned(pruned) = event {
            let value = |one: CarriedValue| ((one.plugin, one.label, one.key), one.value.0);
            return Some((at, Self::AtPrune(pruned.kv.into_iter().map(value).collect())));
        }
        let writes = event.writes().filter(|writes| writes.of_each().any(|one| !one.kv.is_empty()))?;
        Some((at, Self::ByCall { is_own, writes: Box::new(writes.clone()) }))
    }
}

fn take_in(values: &mut KvValues, writes: &Writes) {
    for Writes { plugin, kv, .. } in writes.of_each() {
        for (label, key, value) in
            kv.iter().flat_map(|(label, all)| all.iter().map(move |(key, value)| (label, key, value)))
        {
            let place = (plugin.clone(), label.clone(), key.clone());
            match value {
                Some(bytes) => drop(values.insert(place, bytes.0.clone())),
                None => drop(values.remove(&place)),
            }
        }
    }
}

impl Gathered {
    fn take(&mut self, event: Event, plugins: &[PluginPin]) {
        let just_approved = self.just_approved.take();
        match event {
            Event::TasksAdded { tasks, .. } => {
                for added in tasks {
                    let id = added.task.id.to_string();
                    if added.added_by.is_none() {
                        if self.has_begun {
                            self.by_people(format!("task `{id}` came into the task file on its way"));
                        }
                        if added.env.is_some() {
                            self.unkept(format!("`env` of task `{id}`"));
                        }
                        let (task, status) = (added.task.clone(), Some(added.status));
                        self.tasks.push(NewFileTask { task, status, added_by: None });
                    }
                    self.known.push((id, added.task.kind.as_str().to_owned(), added.added_by));
                }
            }
            Event::AttemptStarted { task, .. } => {
                self.has_begun = true;
                self.again.remove(&task);
                self.begun.insert(task, self.answers.len());
                self.kinds.extend(self.known.get(task as usize).map(|(_, kind, _)| kind.clone()));
            }
            Event::HostAttached { .. } => self.hosts += 1,
            Event::LooksAsked { tasks, .. } if self.hosts > 1 => self.again.extend(tasks),
            Event::AnswerKept(kept) => {
                let of_again = |task: &TaskIndex| kept.line.task.as_deref() == Some(&*self.id(*task));
                let is_left_out = kept.line.role == "verifier" && self.again.iter().any(of_again);
                self.answers.push((!is_left_out).then_some(*kept));
            }
            Event::EditsKept(kept) => {
                let id = self.id(kept.finished.task);
                self.trees.entry(id).or_default().push_back(kept.tree);
            }
            Event::AttemptFinished(finished) => match Outcome::of(&finished.ending) {
                Some(outcome) => {
                    let id = self.id(finished.task);
                    self.numbers.entry(id.clone()).or_default().push(finished.attempt);
                    self.outcomes.entry(id).or_default().push_back(outcome);
                }
                None => {
                    if matches!(&finished.ending, Ending::Rerun { code } if code == EDITS_HELD) {
                        self.by_people(format!(
                            "edits of task `{}` waited for a yes",
                            self.id(finished.task)
                        ));
                    }
                    self.cut_off(finished.task);
                }
            },
            Event::HttpRequested(requested) => {
                let provides = |pin: &&PluginPin| pin.id == requested.plugin;
                let is_provider = |pin: &PluginPin| pin.roles.iter().any(|role| role == "provider");
                if !plugins.iter().find(provides).is_some_and(is_provider) {
                    self.unkept(format!("answers to `{}`, which sent requests by `http`", requested.plugin));
                }
            }
            Event::TaskApproved { task, .. } => {
                self.just_approved = Some(task);
                if let Some((_, kind, Some(plugin))) = self.known.get(task as usize) {
                    self.approved.insert((plugin.clone(), kind.clone()));
                }
            }
            Event::TaskMoved { task, who: Some(_), to, .. } if just_approved != Some(task) => {
                self.by_people(format!("task `{}` was made `{}`", self.id(task), to.as_str()));
            }
            Event::TasksFresh { tasks, .. } => {
                if let Some(task) = tasks.first() {
                    self.unkept(format!("task `{}` was up to date by what another run did", self.id(*task)));
                }
            }
            Event::TaskEdited { task, .. } => {
                self.by_people(format!("task `{}` was edited", self.id(task)));
            }
            Event::LooksWaived { .. } => self.by_people("looks of verifiers were waived".to_owned()),
            Event::TasksChosen { .. } => self.by_people("it was asked for some of its tasks".to_owned()),
            _ => {}
        }
    }

    /// Leaves out what the last attempt at a task was told, and those who looked at it.
    fn cut_off(&mut self, task: TaskIndex) {
        let (id, from) = (self.id(task), self.begun.get(&task).copied().unwrap_or_default());
        let is_its = |kept: &AnswerKept| kept.line.task.as_ref().is_some_and(|of| *of == id);
        self.answers
            .iter_mut()
            .skip(from)
            .filter(|kept| kept.as_ref().is_some_and(is_its))
            .for_each(|kept| *kept = None);
    }

    fn id(&self, task: TaskIndex) -> String {
        self.known.get(task as usize).map(|(id, ..)| id.clone()).unwrap_or_default()
    }

    fn unkept(&mut self, what: String) {
        self.unkept.get_or_insert(what);
    }

    fn by_people(&mut self, what: String) {
        self.by_people.get_or_insert(what);
    }
}

/// How a question is named.
pub(super) fn question(nth: u64, line: &Line) -> String {
    format!("question {nth} of {line}")
}

/// A text that is not the one whose digest was kept with it.
struct NotAsKept {
    at: String,
    of: String,
    text: &'static str,
}

/// Answers of each line in their order; of a call that was made again those of the last time.
fn lines(answers: impl Iterator<Item = AnswerKept>) -> Result<BTreeMap<Line, VecDeque<KeptText>>, NotAsKept> {
    let mut whole: Vec<AnswerKept> = Vec::new();
    for kept in answers {
        if matches!(kept.by, Actor::Call { .. }) {
            whole.retain(|before| before.by != kept.by || before.nth < kept.nth);
        }
        whole.push(kept);
    }
    let mut lines: BTreeMap<Line, VecDeque<KeptText>> = BTreeMap::new();
    for AnswerKept { line, of, question, answer, masked, .. } in whole {
        let all = lines.entry(line.clone()).or_default();
        let found = [("question", question), ("answer", answer)].map(|(text, kept)| {
            let is_it = |bytes: &Vec<u8>| Sha256Digest::of(bytes).to_string() == kept.sha256;
            kept.bytes().filter(is_it).ok_or_else(|| {
                let nth = all.len() as u64 + 1;
                NotAsKept { at: self::question(nth, &line), of: of.clone(), text }
            })
        });
        let [question, answer] = found;
        let kept = KeptText { of: of.clone(), question: question?, answer: answer?, masked };
        all.push_back(kept);
    }
    Ok(lines)
}
