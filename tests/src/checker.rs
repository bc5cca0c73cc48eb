//! What must hold after a kill, judged from files and the store alone.
//!
//! In -> out: what the host said, the task file, what commands wrote outside, the journal -> [`Fault`]s.
//! Commands write `<task> <pid> <start>` once for each time that they run ([`APPEND`]); the journal's processes say which
//! attempt it was.
//! Invariant: nothing of the host's code is asked but how events and tasks are read.
//! Not here: kills (`kill.rs`).

use std::collections::{BTreeMap, BTreeSet};

use orch_journal::Event;
use orch_journal::event::{Actor, Ending};
use orch_task::{Status, Task, TaskFile};

use crate::Workspace;

/// `sh append.sh FILE TASK [EXIT]`: appends one line outside the workspace: task, pid, start.
pub const APPEND: &str = "\
read -r stat < /proc/$$/stat
task=$2 outside=$1 exit=${3:-0}
set -- ${stat##*) }
echo \"$task $$ ${20}\" >> \"$outside\"
sleep 0.02
exit \"$exit\"
";

/// What may have come of the tasks of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tasks {
    /// All end done.
    Idempotent,
    /// Those in doubt wait, with what depends on them.
    Doubtful,
    /// The same, some fail, and people say words about all of them.
    Told,
}

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Said or written down, and not there any more.
    Lost(String),
    /// Happened more often than the journal says.
    Repeated(String),
    /// The task file, or what is left behind.
    Other(String),
}

/// One attempt, by the journal.
#[derive(Clone, Debug, Default)]
struct Attempt {
    intent: bool,
    /// Pid and start.
    processes: Vec<(u32, u64)>,
    ending: Option<Ending>,
    /// How often it happened outside.
    happened: usize,
}

/// By task id, then number; all runs.
type Attempts = BTreeMap<String, Vec<Attempt>>;

/// Every event of every run, oldest first: run, place, event.
type Events = Vec<(String, u64, Event)>;

fn events(workspace: &Workspace) -> Events {
    let mut found = Events::new();
    // A store that a kill left without a table holds nothing; what was said to be in it is missed then.
    let Ok(reader) = orch_journal::Reader::open(&workspace.path().join(".orch")) else { return found };
    for run in reader.runs().unwrap().iter().rev() {
        let all = reader.events(&run.id).map(Result::unwrap);
        found.extend(all.map(|(place, event)| (run.id.clone(), place, event)));
    }
    found
}

/// What must hold right after a kill, before anything else runs: what was said is in the store, and the task file is
/// whole and says nothing that the store does not.
pub fn after_a_kill(workspace: &Workspace, said: &str) -> Vec<Fault> {
    let events = events(workspace);
    let mut faults = Vec::new();
    // The last line may be cut, and so was not said.
    for line in said.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(event) = line.get("event") else { continue };
        let (run, place) = (line["run"].as_str().unwrap(), line["seq"].as_u64().unwrap());
        let same = |(in_run, at, _): &&(String, u64, Event)| in_run == run && *at == place;
        let stored = events.iter().find(same).map(|(_, _, event)| serde_json::to_value(event).unwrap());
        if stored.as_ref() != Some(event) {
            let stored = stored.map_or_else(|| "missing".to_owned(), |event| event.to_string());
            let what = format!("event {place} of {run} was shown as {event}, the store has {stored:.300}");
            faults.push(Fault::Lost(what));
        }
    }
    let file = match TaskFile::parse(workspace.read("tasks.yml").into_bytes()) {
        Ok(file) => file,
        Err(error) => return vec![Fault::Lost(format!("the task file is not whole: {error}"))],
    };
    let Folded { statuses, had, by_people, .. } = Folded::of(&events);
    for found in file.tasks() {
        let (id, says) = (found.task.id.as_str(), found.status_or_pending());
        let knows = statuses.get(id).copied().unwrap_or(Status::Pending);
        // What a person said last may not be written down yet.
        let knew = by_people.contains(id) && had.get(id).is_some_and(|had| had.contains(&says));
        if says.is_final() && says != knows && !knew {
            faults.push(Fault::Other(format!("the task file says `{id}` is {says}, the store {knows}")));
        }
    }
    faults
}

/// The events as they are judged.
#[derive(Default)]
struct Folded {
    attempts: Attempts,
    /// In the newest run that has the task.
    statuses: BTreeMap<String, Status>,
    /// That each task ever had, and those of which a person said one.
    had: BTreeMap<String, Vec<Status>>,
    by_people: BTreeSet<String>,
    /// What a person said last of a task since it last began, and how often one let it run again of which all was known.
    said: BTreeMap<String, Status>,
    again: BTreeMap<String, usize>,
    /// Of the newest run: its id, its tasks in order, attempts that earlier runs made.
    run: String,
    names: Vec<String>,
    before: BTreeMap<String, usize>,
    /// Of its tasks by id: as they are, and the verifiers that have not looked at what is done.
    tasks: BTreeMap<String, Task>,
    unverified: BTreeMap<String, BTreeSet<String>>,
    /// Gates that did not hold.
    faults: Vec<Fault>,
}

impl Folded {
    fn of(events: &Events) -> Self {
        let mut folded = Self::default();
        for (run, _, event) in events {
            if *run != folded.run {
                (folded.run, folded.names) = (run.clone(), Vec::new());
                (folded.tasks, folded.unverified) = Default::default();
                folded.before = folded.attempts.iter().map(|(id, all)| (id.clone(), all.len())).collect();
            }
            folded.take(event);
        }
        folded
    }

    fn attempt(&mut self, task: u32, attempt: u32) -> &mut Attempt {
        let id = &self.names[task as usize];
        let all = self.attempts.entry(id.clone()).or_default();
        let place = self.before.get(id).copied().unwrap_or(0) + attempt as usize - 1;
        all.resize(all.len().max(place + 1), Attempt::default());
        &mut all[place]
    }

    fn stands(&mut self, task: u32, status: Status) {
        let name = &self.names[task as usize];
        self.statuses.insert(name.clone(), status);
        self.had.entry(name.clone()).or_default().push(status);
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::TasksAdded { tasks, .. } => {
                for added in tasks {
                    self.names.push(added.task.id.to_string());
                    self.statuses.insert(added.task.id.to_string(), added.status);
                    self.tasks.insert(added.task.id.to_string(), added.task.clone());
                }
            }
            Event::TaskEdited { to, .. } => drop(self.tasks.insert(to.id.to_string(), Task::clone(to))),
            Event::TaskMoved { task, to, who, .. } => {
                let name = self.names[*task as usize].clone();
                self.unverified.remove(&name);
                if who.is_some() {
                    let is_known = self.statuses.get(&name) != Some(&Status::InDoubt);
                    if *to == Status::Pending && is_known {
                        *self.again.entry(name.clone()).or_default() += 1;
                    }
                    self.by_people.insert(name.clone());
                    self.said.insert(name, *to);
                } else if *to == Status::Pending && self.statuses.get(&name) == Some(&Status::Done) {
                    // What it depends on is done again, and that is said.
                    *self.again.entry(name.clone()).or_default() += 1;
                    self.by_people.insert(name);
                }
                self.stands(*task, *to);
            }
            Event::LooksWaived { task: Some(task), .. } => {
                self.unverified.remove(&self.names[*task as usize]);
            }
            Event::Called(called) if called.call == "verify" && called.fault.is_none() => {
                let task = called.task.map(|task| &self.names[task as usize]);
                if let Some(missing) = task.and_then(|task| self.unverified.get_mut(task)) {
                    missing.remove(&called.plugin);
                }
            }
            Event::RunFinished { status, .. } if !status.is_open() => {
                self.passes(self.names.clone(), "the end")
            }
            Event::AttemptStarted { task, attempt, .. } => {
                let name = self.names[*task as usize].clone();
                let needs = self.tasks[&name].dependencies.iter().map(ToString::to_string).collect();
                self.passes(needs, &name);
                self.said.remove(&name);
                self.attempt(*task, *attempt);
                self.stands(*task, Status::InProgress);
            }
            Event::IntentRecorded { by: Actor::Attempt { task, attempt }, .. } => {
                self.attempt(*task, *attempt).intent = true;
            }
            Event::ProcessStarted { by: Actor::Attempt { task, attempt }, pid, start_ticks, .. } => {
                self.attempt(*task, *attempt).processes.push((*pid, *start_ticks));
            }
            Event::AttemptFinished(finished) => {
                self.attempt(finished.task, finished.attempt).ending = Some(finished.ending.clone());
                self.stands(finished.task, finished.status);
                if finished.status == Status::Done {
                    let name = self.names[finished.task as usize].clone();
                    let verifiers =
                        self.tasks[&name].verify.iter().map(|look| look.verifier.clone()).collect();
                    self.unverified.insert(name, verifiers);
                }
            }
            _ => {}
        }
    }

    /// Something comes that must wait until verifiers have looked at these tasks.
    fn passes(&mut self, needs: Vec<String>, what: &str) {
        let missing = |id: &String| self.unverified.get(id).is_some_and(|missing| !missing.is_empty());
        let faults = needs.into_iter().filter(missing);
        let faults = faults.map(|id| Fault::Other(format!("{what} came before the look at `{id}`")));
        self.faults.extend(faults.collect::<Vec<_>>());
    }
}

/// What must hold once a run went to its end: each effect is one that the journal knows, in the number that it says; the
/// task file says what the store says; nothing is left beside it.
pub fn at_the_end(workspace: &Workspace, tasks: Tasks) -> Vec<Fault> {
    let Folded { mut attempts, statuses, said, again, mut faults, .. } = Folded::of(&events(workspace));
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    let done = std::fs::read_to_string(workspace.outside().join("done")).unwrap_or_default();
    for line in done.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let process = (words[1].parse().unwrap(), words[2].parse().unwrap());
        let of_task = attempts.entry(words[0].to_owned()).or_default();
        match of_task.iter_mut().find(|attempt| attempt.processes.contains(&process)) {
            Some(attempt) => attempt.happened += 1,
            None => *unknown.entry(words[0].to_owned()).or_default() += 1,
        }
    }
    for (task, of_task) in &attempts {
        for (place, attempt) in of_task.iter().enumerate() {
            if let Some(fault) = of_attempt(attempt, tasks) {
                faults.push(fault(format!("`{task}`, attempt {}: {attempt:?}", place + 1)));
            }
        }
        // Cut off between the start of the command and the record of its process: in doubt, each at most once.
        let in_doubt = |attempt: &&Attempt| matches!(attempt.ending, Some(Ending::InDoubt { .. }));
        let nameless = of_task.iter().filter(in_doubt).filter(|attempt| attempt.processes.is_empty()).count();
        let unknown = unknown.get(task).copied().unwrap_or(0);
        if unknown > nameless {
            let what =
                format!("`{task}` ran {unknown} times without a process in the journal, {nameless} may");
            faults.push(Fault::Repeated(what));
        }
        let happened = unknown + of_task.iter().map(|attempt| attempt.happened).sum::<usize>();
        let doubts = of_task.iter().filter(in_doubt).count();
        let again = again.get(task).copied().unwrap_or(0);
        if happened > 1 + doubts + again {
            let what = format!(
                "`{task}` happened {happened} times, {doubts} doubts were announced, a person asked {again} times"
            );
            faults.push(Fault::Repeated(what));
        }
        let (status, said) = (statuses.get(task).copied(), said.get(task).copied());
        if status == Some(Status::Done) && happened == 0 && said != status {
            faults.push(Fault::Lost(format!("`{task}` is done and never happened")));
        }
        let last = of_task.last().and_then(|attempt| attempt.ending.as_ref());
        let may_be = match status {
            Some(Status::Done) => true,
            Some(Status::InDoubt | Status::Pending) => tasks != Tasks::Idempotent,
            Some(Status::Failed) => {
                tasks == Tasks::Told && (said == status || matches!(last, Some(Ending::Failed { .. })))
            }
            Some(Status::Cancelled) => tasks == Tasks::Told && said == status,
            // Of those that a person let run again.
            Some(Status::Blocked | Status::WaitingApproval) => tasks == Tasks::Told && again > 0,
            _ => false,
        };
        if !may_be {
            faults.push(Fault::Lost(format!("`{task}` is {status:?}")));
        }
    }
    faults.extend(on_disk(workspace, &statuses));
    faults
}

/// What must hold on disk of a run whose tasks have no effect.
pub fn at_the_end_of_notes(workspace: &Workspace) -> Vec<Fault> {
    on_disk(workspace, &Folded::of(&events(workspace)).statuses)
}

/// What an attempt's ending says and what happened.
fn of_attempt(attempt: &Attempt, tasks: Tasks) -> Option<fn(String) -> Fault> {
    let happened = attempt.happened;
    match &attempt.ending {
        _ if happened > 0 && !attempt.intent => Some(Fault::Repeated),
        _ if happened > 1 => Some(Fault::Repeated),
        None => Some(Fault::Lost),
        Some(Ending::Done { .. }) if happened == 0 => Some(Fault::Lost),
        Some(Ending::Rerun { .. }) if happened > 0 || attempt.intent => Some(Fault::Repeated),
        Some(Ending::Failed { .. }) if tasks == Tasks::Told && happened == 1 => None,
        Some(Ending::Done { .. } | Ending::Rerun { .. } | Ending::InDoubt { .. }) => None,
        Some(_) => Some(Fault::Other),
    }
}

/// The task file says what the store says, and no half of a write lies beside it.
fn on_disk(workspace: &Workspace, statuses: &BTreeMap<String, Status>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let file = TaskFile::parse(workspace.read("tasks.yml").into_bytes()).unwrap();
    let written: BTreeMap<String, Status> =
        file.tasks().iter().map(|found| (found.task.id.to_string(), found.status_or_pending())).collect();
    if written != *statuses {
        faults.push(Fault::Other(format!("the task file says {written:?}, the store {statuses:?}")));
    }
    for entry in std::fs::read_dir(workspace.path()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name.starts_with(".tasks.yml.") {
            faults.push(Fault::Other(format!("`{name}` is left")));
        }
    }
    faults
}
