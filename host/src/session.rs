//! One run on what its host holds: found or begun, driven to its end.
//!
//! In -> out: a [`Holder`], a task file -> [`Session`] -> the run's [`Summary`].
//! Invariant: what was recorded is durable and signed when a session is over, also after a fault; nothing that it started is
//! left.
//! Not here: the loop (`drive.rs`), what is shown (`watch.rs`).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use orch_journal::event::{Event, RunStarted, TaskIndex, Who};
use orch_journal::{Journal, Reader, RunState};
use orch_task::TaskId;
use tokio::runtime::Builder;
use tokio::sync::watch::Sender;

use crate::capability::git::backend::OfWorkspace;
use crate::clock::now_ms;
use crate::config::operator::{OperatorError, this_process};
use crate::drive;
use crate::drive::branch::Branch;
use crate::drive::choice::Wanted;
use crate::drive::desk::{Control, Desk};
use crate::drive::error::DriveError;
use crate::drive::extend;
use crate::drive::finish::Summary;
use crate::drive::fresh;
use crate::drive::keep;
use crate::drive::measured::MeasuredFor;
use crate::drive::notices;
use crate::drive::recover::{self, Cut};
use crate::drive::run::Run;
use crate::drive::standing::Watches;
use crate::drive::task_file::Sheet;
use crate::drive::words;
use crate::exit::{Exit, Fault};
use crate::holder::Holder;
use crate::processes::Commands;
use crate::run_log::RunLog;
use crate::watch::Observer;

/// A run that can be driven.
pub struct Session<'a> {
    run: Run,
    desk: Desk,
    /// A run that is closed, of whose end not everybody has heard.
    owing: Option<(Run, Desk)>,
    sheet: Sheet,
    wanted: Wanted,
    who: Who,
    /// Who asked a host that serves for it, and by which call of a service.
    begun_for: Option<(Who, Option<u64>)>,
    holder: &'a Holder,
}

impl<'a> Session<'a> {
    /// Finds the run that goes on, or begins a new one, of which that is wanted; lets people say words about it.
    ///
    /// # Errors
    /// A task file that a new run cannot begin with; a store that cannot be read.
    pub fn open(
        holder: &'a Holder,
        mut sheet: Sheet,
        wanted: Wanted,
        control: &Sender<Control>,
    ) -> Result<Self, Fault> {
        sheet.recover()?;
        let reader = holder.store.shared();
        let (id, state) = open_run(&reader.read())?;
        match &state {
            None => sheet.check_new(&holder.roles.offers)?,
            Some(state) => {
                check_task_file(&id, state, &holder.task_file)?;
                check_goal(&id, state, wanted.goal.as_deref())?;
            }
        }
        let owing = {
            let reader = reader.read();
            reader.owing_run()?.map(|id| Ok::<_, Fault>((reader.state(&id)?, id))).transpose()?
        };
        let owing = owing.map(|(state, id)| at_work(holder, &id, state, control));
        let owing = owing.transpose()?;
        let (run, desk) = at_work(holder, &id, state.unwrap_or_default(), control)?;
        let run = run.sealed_by(holder.env_key.clone());
        holder.state.works_at(run.view(), run.say(), control.subscribe());
        Ok(Self { run, desk, owing, sheet, wanted, who: this_process(), begun_for: None, holder })
    }

    /// Says who asks.
    pub fn asked_by(self, who: Who) -> Self {
        Self { who, ..self }
    }

    /// Says in the run who asked a host that serves for it.
    pub fn begun_for(mut self, who: Who, call: Option<u64>) -> Self {
        self.begun_for = Some((who, call));
        self
    }

    /// Name of the run.
    pub fn id(&self) -> &str {
        &self.run.id
    }

    pub fn journal(&self) -> Arc<Journal> {
        self.desk.journal.clone()
    }

    /// Which tasks wait for their next attempt, for people.
    pub fn waiting(&self) -> Vec<String> {
        let now = now_ms();
        let waiting = |task| Some((self.run.id_of(task)?, self.run.pause_ms(task, now)));
        let said = |(id, ms): (TaskId, u64)| format!("{id} waits {}.{} s", ms / 1000, ms % 1000 / 100);
        let tasks = 0..self.run.state().tasks.len() as TaskIndex;
        tasks.filter_map(waiting).filter(|(_, ms)| *ms > 0).map(said).collect()
    }

    /// Tells an observer of every event from now on; it is dropped when the run is over.
    pub fn observed_by(mut self, observer: Box<dyn Observer>) -> Self {
        self.run = self.run.observed_by(observer);
        self
    }

    /// Drives the run to its end. What was recorded is durable and signed afterwards, also after a fault.
    pub fn drive(mut self) -> Result<Summary, Fault> {
        // The loop has this thread to itself: no guest, no writer, no timer of theirs runs on it.
        let main = Builder::new_current_thread()
            .enable_all()
            .event_interval(1)
            .build()
            .map_err(anyhow::Error::from)?;
        let driven: Result<Summary, Fault> = main.block_on(async {
            if let Some((run, desk)) = &mut self.owing {
                notices::send(run, desk).await?;
            }
            self.begin()?;
            keep::recover(&mut self.run, &self.desk).await?;
            self.desk.marks.stop(false);
            self.sheet.merge(&mut self.run, &self.desk.roles)?;
            self.run.choose(&self.wanted, &self.who)?;
            if let Some((_, Some(call))) = &self.begun_for {
                self.holder.acts.done(*call, Some(&self.run.id), None)?;
            }
            // What a rule takes for done is part of what is looked at.
            if recover::settle(&mut self.run, &self.desk, Cut::HostGone)? > 0 {
                self.run.durable(&self.desk).await?;
            }
            words::look_at_all(&mut self.run, &self.desk).await?;
            fresh::look_at_the_done(&mut self.run, &self.desk, &self.desk.marks.known()?).await?;
            extend::hold_unapproved(&mut self.run, &self.desk)?;
            Ok(drive::drive(&mut self.run, &self.desk, &mut self.sheet).await?)
        });
        self.run.unobserved();
        self.holder.state.works_at_nothing();
        let kept = self.desk.journal.wait_checkpoint();
        self.desk.commands.dismiss();
        if let Some(branch) = &self.desk.branch {
            branch.put_away();
        }
        // Also what killed its own supervisor and guardian: once the store is free, it could say anything.
        let alone = end_descendants(self.desk.rules().kill_after);
        let summary = driven?;
        kept?;
        alone.map_err(anyhow::Error::from)?;
        Ok(summary)
    }

    /// Records the start of a new run, or that another host goes on with it.
    fn begin(&mut self) -> Result<(), Fault> {
        if self.run.state().started.is_none() {
            let name = self.desk.workspace.file_name();
            let said = self.wanted.goal.as_deref().map(|goal| goal.trim().to_owned());
            let started = RunStarted {
                run: self.run.id.clone(),
                goal_said: said.is_some(),
                goal: said.unwrap_or_else(|| {
                    name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
                }),
                plugins: self.holder.pins.clone(),
                jobs: self.desk.rules().jobs,
                durability: self.desk.rules().durability.as_str().to_owned(),
                budget: self.desk.rules().budget,
                unsigned: false,
                texts: self.desk.tape.keeps(),
                store: Some(orch_journal::place::name_of(&self.holder.place.state)),
                tasks: Some(self.holder.task_file.display().to_string()),
                at: now_ms(),
                mac: String::new(),
            };
            // As the journal stores it, so that what is shown and what the loop knows is what is stored.
            self.run.record(self.desk.journal.seal(Event::RunStarted(started))?)?;
            self.run.set_budget(self.desk.rules().budget);
        }
        self.run.record(self.holder.attached()?)?;
        // A service's call begins one run, though its host ended before it could say that it did.
        let known = self.run.state().begun_by;
        if let Some((who, call)) = self.begun_for.clone().filter(|(_, call)| call.is_none() || *call > known)
        {
            self.run.record(Event::StartAsked { who, call, at: now_ms() })?;
        }
        for (code, text) in &self.holder.notices {
            self.run.record(Event::Warned { code: (*code).to_owned(), text: text.clone() })?;
        }
        Ok(())
    }
}

/// Calls of plugins about a run that is not driven, recorded in it. What they started is gone afterwards.
///
/// # Errors
/// A store that cannot be read; whatever came of the calls.
pub fn ask_about<T>(
    holder: &Holder,
    run: &str,
    control: &Sender<Control>,
    calls: impl AsyncFnOnce(&mut Run, &Desk) -> Result<T, DriveError>,
) -> Result<T, Fault> {
    let state = holder.store.reader()?.state(run)?;
    let (mut run, desk) = at_work(holder, run, state, control)?;
    let main = Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let answer: Result<T, DriveError> = main.block_on(async {
        let answer = calls(&mut run, &desk).await?;
        run.durable(&desk).await?;
        Ok(answer)
    });
    let kept = desk.journal.wait_checkpoint();
    desk.commands.dismiss();
    if let Some(branch) = &desk.branch {
        branch.put_away();
    }
    let alone = end_descendants(desk.rules().kill_after);
    let answer = answer?;
    kept?;
    alone.map_err(anyhow::Error::from)?;
    Ok(answer)
}

/// A run, with all that it needs of its host.
fn at_work(
    holder: &Holder,
    id: &str,
    state: RunState,
    control: &Sender<Control>,
) -> Result<(Run, Desk), Fault> {
    let journal = Arc::new(holder.store.journal(id)?);
    let rules = holder.rules();
    let protected = holder.place.protected(&holder.task_file);
    let branch = Branch::of_run(
        id,
        &state,
        rules.beginning.clone(),
        &holder.place.workspace,
        &holder.trees,
        protected.clone(),
        holder.sandboxing.has_mounts(),
    )?;
    let marks = match &branch {
        None => holder.marks.clone(),
        // What tasks read and make lies on the branch.
        Some(branch) => Arc::new(holder.marks_below(branch.tip_folder())),
    };
    let run = Run::new(id.to_owned(), state, journal.clone(), rules.backoff);
    let metrics = Arc::new(MeasuredFor { measured: holder.measured.clone(), journal: journal.clone() });
    let desk = Desk {
        protected,
        workspace: holder.place.workspace.clone(),
        journal,
        asked: holder.asked.clone(),
        acts: holder.acts.clone(),
        own_files: holder.own_files.clone(),
        guests: holder.guests.handle().clone(),
        sandboxing: holder.sandboxing.clone(),
        commands: Commands::new(holder.supervisor.clone(), rules.jobs as usize + 2),
        roles: holder.roles.clone(),
        kv: holder.kv.clone(),
        metrics,
        vectors: holder.vectors.clone(),
        providers: holder.providers.clone(),
        egress: holder.egress.clone(),
        relay: holder.relay.clone(),
        marks,
        repository: Arc::new(OfWorkspace::new(holder.place.workspace.clone(), holder.trees.git())),
        branch,
        env: holder.env.clone(),
        secrets: holder.secrets.clone(),
        log: Arc::new(RunLog::new(holder.place.workspace.join("logs"), id, rules.log_bytes_max)),
        standing: holder.standing.clone(),
        watches: holder.reload.clone().map(|reload| reload as Arc<dyn Watches>),
        control: control.subscribe(),
        say: control.clone(),
        pieces: holder.state.pieces().clone(),
        tape: holder.tape.clone(),
    };
    Ok((run, desk))
}

/// Idle supervisors end by themselves; whoever is left then is not meant to be.
fn end_descendants(kill_after: Duration) -> std::io::Result<()> {
    const SUPERVISORS_MAX: Duration = Duration::from_secs(1);
    if !orch_supervisor::descendants_gone_within(SUPERVISORS_MAX)? {
        orch_supervisor::end_descendants(kill_after)?;
    }
    Ok(())
}

/// An open run goes on with the task file that it is of: a task of another one may have the same id.
fn check_task_file(id: &str, state: &RunState, file: &Path) -> Result<(), Fault> {
    let Some(of) = state.started.as_ref().and_then(|started| started.tasks.as_deref()) else { return Ok(()) };
    // Whoever says one of `.yml` and `.yaml` means the one that is there.
    let plain = |path: &Path| match path.extension().and_then(|end| end.to_str()) {
        Some("yml" | "yaml") => path.with_extension(""),
        _ => path.to_owned(),
    };
    if plain(Path::new(of)) == plain(file) {
        return Ok(());
    }
    let (of, file) = (of.escape_debug(), file.display().to_string());
    let what = format!("run `{id}` is open and of `{of}`, not of `{}`", file.escape_debug());
    let hint = format!(
        "`orch-host run --tasks {of}` goes on with it; what nobody wants of it any more `orch-host task cancel TASK` takes out"
    );
    Err(Fault::new(Exit::NeedsDecision, "run-of-another-file", Some(hint), anyhow::Error::msg(what)))
}

/// An open run keeps its goal: its tasks are for that one.
fn check_goal(id: &str, state: &RunState, wanted: Option<&str>) -> Result<(), Fault> {
    let of = state.started.as_ref().and_then(|started| started.said_goal());
    if wanted.is_none_or(|wanted| Some(wanted.trim()) == of) {
        return Ok(());
    }
    let of = of.map_or_else(|| "no goal".to_owned(), |of| format!("the goal `{}`", of.escape_debug()));
    let hint = "`orch-host run` goes on with it; what nobody wants of it any more `orch-host task cancel TASK` takes out";
    let what = anyhow::anyhow!("run `{id}` is open and has {of}");
    Err(Fault::new(Exit::NeedsDecision, "run-of-another-goal", Some(hint.to_owned()), what))
}

/// The run that goes on, or the name of a new one.
fn open_run(reader: &Reader) -> Result<(String, Option<RunState>), Fault> {
    let Some(id) = reader.open_run()? else { return Ok((new_run_id()?, None)) };
    let state = reader.state(&id)?;
    Ok((id, Some(state)))
}

/// `20261121-121726-4f3a`: sorts by time, and two hosts do not collide.
fn new_run_id() -> Result<String, Fault> {
    let stamp = crate::command_log::log_stamp(now_ms());
    let random = getrandom::u32().map_err(|_| OperatorError::NoRandom)?;
    Ok(format!("{}-{:04x}", stamp.get(..15).unwrap_or(&stamp), random & 0xffff))
}
