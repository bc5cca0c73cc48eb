//! `orch-host run --replay RUN`: goes through a run again, in a scratch of its own.
//!
//! In -> out: a run that kept texts -> the same, or `replay-diverged` with the first difference.
//! Invariant: nothing is asked and nothing is reached; store, task file, branch and logs of the scratch are gone afterwards, and
//! nobody's own are changed.
//! Not here: what is compared (`replay.rs`), what a journal has of the run (`replay/recording.rs`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use orch_journal::{Reader, StoreError, forget_missing_runs};
use orch_trust::evidence::Compilable;
use orch_trust::manifest::Role;
use serde_json::json;

use super::{RUNNING_PROGRAM, RunArgs, announce, own_executable, rules};
use crate::commands::counted;
use crate::commands::prune::logs_of;
use crate::commands::run_branch::folder;
use crate::commands::stored_run::find_run;
use crate::config::operator::{Operator, this_process};
use crate::config::workspace::WorkspaceConfig;
use crate::console::{Console, escape, lines};
use crate::drive::branch::{self, Beginning};
use crate::drive::choice::Wanted;
use crate::drive::desk::{Notices, RunRules};
use crate::drive::lodging::oid;
use crate::drive::retry::Backoff;
use crate::drive::task_file::Sheet;
use crate::exit::{Exit, Fault, Outcome};
use crate::git::{GitError, Oid, Repository};
use crate::holder::{Holder, Setup};
use crate::place::{self, Place};
use crate::plugins::{self, AdmittedPlugins};
use crate::replay::recording::{NotReplayable, Recording};
use crate::replay::{Difference, Replay, Same};
use crate::session::Session;
use crate::watch::Format;
use crate::{interrupt, log_folder, whole_file};

pub(super) fn run(
    args: &RunArgs,
    run: &str,
    place: &Place,
    operator: &Operator,
    console: Console,
) -> Outcome {
    let config = place.config()?;
    let reader = place.reader()?;
    let run = find_run(&reader, Some(run))?.id;
    let recording =
        Recording::read(&reader, &run).map_err(|error| unread(error, &reader))?.map_err(refused)?;
    let folders = place::package_folders(operator, &args.plugins)?;
    let trust = operator.rules(&config, place.lock()?);
    let admitted = plugins::admit_bound(&config, &folders, &trust, place::now())?;
    announce(&admitted, console);
    check_vectors(&recording, &config, &admitted)?;
    for note in changed(&recording, &admitted) {
        console.note(&note);
    }
    let repository = branch::open(&place.workspace, &folder(place)?)?;
    let base = match &args.onto {
        Some(said) => commit(&repository, said)?,
        None => oid(&recording.based.base)?,
    };
    let rules = held_to(rules::wanted(args, &config, operator, &admitted, console), &recording, base);
    let values = recording.values_before(&reader)?.map_err(refused)?;
    drop(reader);

    let begun = Instant::now();
    let control = interrupt::listen(console, None)?;
    let scratch = Scratch::make(place, &recording)?;
    let replay = Replay::of(&recording, control.clone());
    let setup = Setup {
        place: &scratch.place,
        operator,
        config: &config,
        admitted: &admitted,
        packages: &args.plugins,
        task_file: &scratch.task_file,
        rules,
        program: own_executable()?,
        supervisor: RUNNING_PROGRAM.into(),
        requests: 0,
        wishes: None,
    };
    let driven = Holder::playing(setup, Some((replay.clone(), values))).and_then(|holder| {
        let sheet = Sheet::read(&place.workspace.join(&scratch.task_file))?;
        let wanted = Wanted { goal: recording.goal.clone(), ..Wanted::default() };
        let driven = Session::open(&holder, sheet, wanted, &control)
            .and_then(|session| session.asked_by(this_process()).observed_by(replay.observer()).drive());
        holder.close()?;
        driven
    });
    let same = replay.result().map_err(|first| named(first, &repository));
    scratch.remove(operator, &repository)?;
    let same = same.map_err(|first| diverged(&run, &first))?;
    if driven?.interrupted {
        return Ok(Exit::Interrupted);
    }
    show(&run, same, u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX), args.format, console);
    Ok(Exit::Done)
}

fn show(run: &str, same: Same, took_ms: u64, format: Format, console: Console) {
    let Same { answers, attempts, edits } = same;
    match format {
        Format::Json => {
            console.json(&json!({ "replayed": run, "same": same, "tookMs": took_ms }).to_string())
        }
        Format::Text => {
            let count = |count: u64, one, several| {
                counted(usize::try_from(count).unwrap_or(usize::MAX), one, several)
            };
            console.line(&format!(
                "run {} is the same again: {}, {}, {}; took {}",
                escape(run),
                count(answers, "answer", "answers"),
                count(attempts, "attempt", "attempts"),
                count(edits, "kept edit", "kept edits"),
                lines::span(took_ms)
            ));
        }
    }
}

/// A journal that is broken at what somebody was told says whose question it was.
fn unread(error: StoreError, reader: &Reader) -> Fault {
    let whose = match &error {
        StoreError::Broken { run, seq, .. } => Recording::question_at(reader, run, *seq),
        _ => None,
    };
    let fault = Fault::from(error);
    match whose {
        Some(whose) => Fault { source: anyhow::anyhow!("{:#}, and keeps {whose}", fault.source), ..fault },
        None => fault,
    }
}

fn refused(why: NotReplayable) -> Fault {
    Fault::new(Exit::Usage, why.code(), why.hint(), why)
}

fn diverged(run: &str, first: &Difference) -> Fault {
    let what = anyhow::anyhow!("run `{}` is not the same again: {first}", escape(run));
    let hint = "what it was made with has changed since: a plugin, its settings, `models.toml`, a file of the base, or what it kept";
    Fault::new(Exit::GoalNotMet, "replay-diverged", Some(hint.to_owned()), what)
}

/// What collections hold is in a cache, and not in the journal.
fn check_vectors(
    recording: &Recording,
    config: &WorkspaceConfig,
    admitted: &AdmittedPlugins,
) -> Result<(), Fault> {
    let acted = |role: Role, key: &str| match role {
        Role::Provider | Role::Service => false,
        Role::Executor => recording.kinds.contains(key),
        _ => true,
    };
    let bound = Role::ALL.into_iter().flat_map(|role| config.roles.of(role));
    let reads = |id: &str| {
        admitted.by_id.get(id).is_some_and(|plugin| plugin.grant().permissions().vectors.is_some())
    };
    match bound.into_iter().find(|binding| acted(binding.role, &binding.key) && reads(&binding.id)) {
        Some(binding) => Err(refused(NotReplayable::Unkept {
            run: recording.run.clone(),
            what: format!("answers to `{}`, which reads `vectors`", binding.id),
        })),
        None => Ok(()),
    }
}

/// Plugins that are others than then, for people.
fn changed(recording: &Recording, admitted: &AdmittedPlugins) -> Vec<String> {
    let now = plugins::pins(&admitted.by_id);
    let differs = |then: &&orch_journal::event::PluginPin| {
        !now.iter().any(|pin| pin.id == then.id && pin.component == then.component)
    };
    let said = |then: &orch_journal::event::PluginPin| {
        format!("`{}` is another component than {} then", escape(&then.id), escape(&then.version))
    };
    recording.plugins.iter().filter(differs).map(said).collect()
}

fn commit(repository: &Repository, said: &str) -> Result<Oid, Fault> {
    let unknown = || {
        let what = format!("there is no commit `{}`", escape(said));
        place::input("commit-unknown", Some("say all digits of its name".to_owned()), what)
    };
    let commit = Oid::parse(said).ok_or_else(unknown)?;
    repository.tree_of(&commit).map_err(|_| unknown())?;
    Ok(commit)
}

/// As of that run, but that nobody is told of its end and nothing waits.
fn held_to(usual: RunRules, recording: &Recording, base: Oid) -> RunRules {
    let approved = recording.approved.iter().cloned();
    RunRules {
        jobs: recording.jobs,
        beginning: Beginning { isolated: true, dirty: false, at: Some(base) },
        notices: Notices::default(),
        backoff: Backoff { base_ms: 0, max_ms: 0 },
        tasks_auto: usual.tasks_auto.iter().cloned().chain(approved).collect(),
        ..usual
    }
}

/// The difference with file and byte, where it is one of edits.
fn named(first: Difference, repository: &Repository) -> Difference {
    let found = first.trees.as_ref().and_then(|(kept, now)| {
        let (kept, now) = (Oid::parse(kept)?, Oid::parse(now)?);
        let changes = repository.changes(&kept, &now).ok()?;
        let change = changes.into_iter().next()?;
        let bytes = |side: Option<_>| match side {
            Some((_, oid)) => repository.bytes_of(&oid).ok(),
            None => Some(Vec::new()),
        };
        let (kept, now) = (bytes(change.from)?, bytes(change.to)?);
        let byte = kept.iter().zip(&now).take_while(|(kept, now)| kept == now).count();
        Some((change.path.display().to_string(), byte))
    });
    match found {
        Some((path, byte)) => {
            let why = format!("`{}` is another one", escape(&path));
            Difference { byte: Some(byte), why, ..first }
        }
        None => first,
    }
}

/// Where a run is gone through again.
struct Scratch {
    place: Place,
    /// Relative to the workspace.
    task_file: PathBuf,
}

impl Scratch {
    /// With the task file as the run found it.
    fn make(place: &Place, recording: &Recording) -> Result<Self, Fault> {
        let name = format!("replay-{:016x}", getrandom::u64().map_err(|error| anyhow::anyhow!("{error}"))?);
        let state = place.state.join(name);
        std::fs::create_dir(&state).map_err(|error| place::io(&state, "make", error))?;
        let path = state.join("tasks.yml");
        let text = orch_task::render_entries(&recording.tasks).map_err(anyhow::Error::from)?;
        whole_file::write(&path, text.as_bytes(), 0o600).map_err(|error| place::io(&path, "write", error))?;
        let task_file = path.strip_prefix(&*place.workspace).unwrap_or(&path).to_owned();
        Ok(Self { place: Place { workspace: Arc::clone(&place.workspace), state }, task_file })
    }

    /// Removes all that it left.
    fn remove(self, operator: &Operator, repository: &Repository) -> Result<(), Fault> {
        let Place { workspace, state } = &self.place;
        if let Ok(reader) = Reader::open(state) {
            self.forget(&reader, repository)?;
        }
        std::fs::remove_dir_all(state).map_err(|error| place::io(state, "remove", error))?;
        forget_missing_runs(state, &operator.secret.journal_keys(), &operator.home.join("heads"), &[])?;
        folder(&self.place)?.clear().map_err(|error| place::io(workspace, "clear trees of", error))
    }

    /// Removes its branch and its logs.
    fn forget(&self, reader: &Reader, repository: &Repository) -> Result<(), Fault> {
        let runs = reader.runs()?;
        for run in &runs {
            remove_branch(repository, &branch::name_of(&run.id))?;
        }
        let logs = self.place.workspace.join("logs");
        let left = log_folder::names(&logs).map_err(|error| place::io(&logs, "read", error))?;
        let own = logs_of(reader, &runs)?;
        for name in left.iter().filter(|name| own.contains(*name)) {
            log_folder::remove(&logs, name).map_err(|error| place::io(&logs, "clear", error))?;
        }
        Ok(())
    }
}

fn remove_branch(repository: &Repository, name: &str) -> Result<(), GitError> {
    match repository.resolve(name)? {
        Some(tip) => repository.move_ref(name, Some(&tip), None),
        None => Ok(()),
    }
}
