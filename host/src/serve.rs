//! A host that goes on after its run: services, runs on demand, and who asks for them over TCP.
//!
//! In -> out: a [`Holder`] with services -> answers until somebody interrupts.
//! Invariant: one thread drives runs, one after the other; whoever asks never holds it up.
//! Not here: a request (`serve/front.rs`), a service's call (`serve/mounts.rs`), arguments (`commands/serve.rs`).

mod budget;
mod control;
pub mod front;
mod gate;
mod metrics;
mod mounts;
mod requests_log;
mod tasks;

pub use metrics::recorded_text;
pub use mounts::{CALLS_MAX, Mounts};

use std::sync::Arc;

use orch_journal::event::{AskedAct, Event, StreamStarted, Who};
use orch_journal::{Level, RunState};
use tokio::sync::{mpsc, watch};

use crate::clock::now_ms;
use crate::command_log::gap_at;
use crate::config::operator::this_process;
use crate::console::{Console, escape};
use crate::control::Wish;
use crate::drive::act::{Refused, Said};
use crate::drive::acts;
use crate::drive::choice::{self, Wanted};
use crate::drive::desk::Control;
use crate::drive::error::DriveError;
use crate::drive::hear;
use crate::drive::own_files::OwnFiles;
use crate::drive::run::Run;
use crate::drive::task_file::{self, Sheet};
use crate::exit::Fault;
use crate::holder::Holder;
use crate::reload::{Found, LOOK};
use crate::session::Session;
use crate::watch::{self as shown, Format, How, Output};

/// The thread that drives runs.
pub struct Serving<'a> {
    pub holder: &'a Holder,
    pub wishes: mpsc::Receiver<Wish>,
    /// What the process was asked for.
    pub control: watch::Receiver<Control>,
    pub console: Console,
    /// Where what was asked of the process is told to the run at work.
    pub front: tokio::runtime::Handle,
    /// What was opened, and what runs; once one is gone, nothing more is begun.
    pub own_files: OwnFiles,
}

/// What there is to do next.
enum Next {
    Wish(Wish),
    /// A service asked for it first.
    Act(AskedAct),
    /// Services asked for tasks, or a person's word lets the open run go on.
    Run,
    End,
    /// The workspace says something else by now.
    Config(Found),
    Gone(DriveError),
}

/// Which run is begun.
struct Begin {
    wanted: Wanted,
    who: Who,
    /// Somebody asked this host for it: a person, or a service by that call.
    asked: Option<Option<u64>>,
}

impl Begin {
    /// Because there is something to do.
    fn by_itself() -> Self {
        Self { wanted: Wanted::default(), who: this_process(), asked: None }
    }
}

impl Serving<'_> {
    /// That this process serves here from now on.
    pub fn begin(&self) -> Result<(), Fault> {
        let stream = &self.holder.stream;
        if stream.events() == 0 {
            stream.append(Event::StreamStarted(StreamStarted {
                stream: self.holder.stream_name.clone(),
                store: Some(orch_journal::place::name_of(&self.holder.place.state)),
                at: now_ms(),
                mac: String::new(),
            }))?;
        }
        let attached = stream.append(self.holder.attached()?)?;
        stream.wait_durable(attached, Level::Power)?;
        // What services see until there is another run.
        if let Some(newest) = self.holder.reader()?.runs()?.into_iter().next() {
            self.holder.state.shows(self.stored(&newest.id)?.view());
        }
        Ok(())
    }

    /// Drives runs until the process is asked to end.
    ///
    /// # Errors
    /// The store takes no more events, or one of its own files is gone.
    pub fn until_the_end(self, starts_at_once: bool) -> Result<(), Fault> {
        let own_files = self.own_files.clone();
        // Whatever else went wrong, it did because of that.
        self.work(starts_at_once).map_err(|fault| own_files.check().map_or_else(Fault::from, |()| fault))
    }

    fn work(mut self, starts_at_once: bool) -> Result<(), Fault> {
        let waiting = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)?;
        // Whether the open run goes on by itself, once there is something to do.
        let mut goes_on = starts_at_once;
        // What services asked for and a host that is gone did not do comes first, and is no second run.
        let acts = &self.holder.acts;
        if let Some(stop) = acts.stop() {
            acts.done(stop.call, None, None)?;
        }
        let mut next = acts.first().map(Next::Act);
        if next.is_none() {
            next = self.owed()?.map(Next::Act).or(starts_at_once.then_some(Next::Run));
        }
        loop {
            let wish = match next.take() {
                Some(known) => known,
                None => waiting.block_on(self.next(goes_on)),
            };
            match wish {
                Next::End => break,
                Next::Gone(error) => return Err(error.into()),
                Next::Config(found) => self.tell_config(&found)?,
                Next::Run => goes_on = self.run(Begin::by_itself(), |_| {})?,
                Next::Act(asked) => goes_on = self.act(&asked)?,
                Next::Wish(Wish::Start { wanted, who, answer }) => {
                    let begin = Begin { wanted: *wanted, who, asked: Some(None) };
                    goes_on = self.run(begin, |begun| drop(answer.send(begun)))?;
                }
                Next::Wish(Wish::Say { run, said }) => {
                    let moved = self.say(&run, said);
                    let is_open = self.holder.reader()?.open_run()?.as_ref() == Some(&run);
                    next = (moved && is_open && goes_on).then_some(Next::Run);
                }
            }
        }
        let detached = self.holder.stream.append(Event::HostDetached { at: now_ms() })?;
        self.holder.stream.wait_durable(detached, Level::Power)?;
        Ok(self.holder.stream.wait_checkpoint()?)
    }

    /// The start that the open run was begun for, if it did not come to an end by itself or by a person's word.
    fn owed(&self) -> Result<Option<AskedAct>, Fault> {
        let reader = self.holder.reader()?;
        let Some(id) = reader.open_run()? else { return Ok(None) };
        let Some(call) = reader.state(&id)?.owed_to else { return Ok(None) };
        let asked = reader.events(&self.holder.stream_name).nth(call as usize).transpose()?;
        Ok(asked.and_then(|(_, event)| match event {
            Event::Called(called) => {
                Some(AskedAct { call, plugin: called.plugin, token: called.token, act: called.writes.act? })
            }
            _ => None,
        }))
    }

    async fn next(&mut self, goes_on: bool) -> Next {
        if *self.control.borrow() != Control::GoOn {
            return Next::End;
        }
        if let Err(error) = self.own_files.check() {
            return Next::Gone(error);
        }
        if let Some(asked) = self.holder.acts.stop().or_else(|| self.holder.acts.first()) {
            return Next::Act(asked);
        }
        if goes_on && !self.holder.asked.is_empty() {
            return Next::Run;
        }
        loop {
            tokio::select! {
                Ok(()) = self.control.changed() => return Next::End,
                wish = self.wishes.recv() => return wish.map_or(Next::End, Next::Wish),
                () = tokio::time::sleep(LOOK) => {
                    if let Err(error) = self.own_files.check() {
                        return Next::Gone(error);
                    }
                    if let Some(found) = self.holder.reload.as_ref().and_then(|reload| reload.look()) {
                        return Next::Config(found);
                    }
                }
                () = self.holder.acts.more() => {
                    if let Some(asked) = self.holder.acts.stop().or_else(|| self.holder.acts.first()) {
                        return Next::Act(asked);
                    }
                }
                () = self.holder.asked.more() => {
                    if goes_on && !self.holder.asked.is_empty() {
                        return Next::Run;
                    }
                }
            }
        }
    }

    /// What a service asked for, with no run at work. True if the open run may go on by itself.
    fn act(&mut self, asked: &AskedAct) -> Result<bool, Fault> {
        let (acts, call) = (self.holder.acts.clone(), asked.call);
        // Whatever was to be stopped is over, or had not begun.
        let Some(wanted) = acts::wanted(&asked.act) else {
            acts.done(call, None, None)?;
            return Ok(false);
        };
        let begin = Begin { wanted, who: acts::who(asked), asked: Some(Some(call)) };
        let mut fault = None;
        let goes_on = self.run(begin, |begun| fault = begun.err().map(|refused| refused.to_string()))?;
        // A run that began has said so already.
        acts.done(call, None, fault.or_else(|| Some("the run could not begin".to_owned())))?;
        Ok(goes_on)
    }

    /// One run, until nothing more can start. True if it may go on by itself: nobody stopped it, nothing failed.
    fn run(
        &mut self,
        begin: Begin,
        begun: impl FnOnce(Result<(String, u64), Refused>),
    ) -> Result<bool, Fault> {
        let Begin { wanted, who, asked } = begin;
        let control = watch::Sender::new(Control::GoOn);
        let session = match self.open(&control, &wanted) {
            Ok(session) => session,
            Err(fault) => {
                self.say_fault(&fault);
                begun(Err(fault.into()));
                return Ok(false);
            }
        };
        let session = match asked {
            Some(call) => session.begun_for(who.clone(), call),
            None => session,
        };
        let session = session.asked_by(who);
        begun(Ok((session.id().to_owned(), session.journal().events())));
        let told = self.front.spawn(tell(self.control.clone(), control));
        let (id, journal) = (session.id().to_owned(), session.journal());
        // Signals are said by who hears them; a table has none of its own here.
        let (_, noted) = std::sync::mpsc::channel();
        let (watcher, screen) = shown::open(self.how(), &id, journal, noted, self.holder.state.pieces());
        let driven = session.observed_by(Box::new(watcher)).drive();
        screen.finish();
        told.abort();
        match driven {
            Ok(summary) => {
                let word = if summary.interrupted { "stopped" } else { summary.status.as_str() };
                self.console.line(&format!("run {id} {word}: {}", escape(&summary.why)));
                Ok(!summary.interrupted)
            }
            Err(fault) if self.holder.stream.is_over() => Err(fault),
            Err(fault) => {
                self.say_fault(&fault);
                Ok(false)
            }
        }
    }

    /// What became of a change of the workspace's configuration while no run is at work.
    fn tell_config(&self, found: &Found) -> Result<(), Fault> {
        match found {
            Found::Taken(_) => self.console.line(&found.said()),
            Found::NotTaken(error) => {
                self.console.warn(&escape(&found.said()));
                self.console.note(&format!("code: {}", error.code()));
            }
        }
        self.holder.stream.append(found.event())?;
        Ok(())
    }

    fn how(&self) -> How {
        How {
            format: Format::Text,
            output: Output::None,
            deltas: false,
            quiet: false,
            console: self.console,
            logs: self.holder.place.workspace.join("logs"),
            gap_at: gap_at(self.holder.rules().log_bytes_max),
        }
    }

    fn open(&self, control: &watch::Sender<Control>, wanted: &Wanted) -> Result<Session<'_>, Fault> {
        let holder = self.holder;
        self.own_files.check()?;
        if let Some(found) = holder.look_at_config()? {
            self.tell_config(&found)?;
        }
        let path = holder.place.workspace.join(&holder.task_file);
        if wanted.goal.is_some() {
            task_file::make_if_none(&path)?;
        }
        let sheet = Sheet::read(&path)?;
        wanted.check(sheet.tasks()).map_err(DriveError::from)?;
        let planned = choice::planned(sheet.tasks(), wanted).map_err(DriveError::from)?;
        planned.iter().try_for_each(|found| holder.roles.check_told(found))?;
        Session::open(holder, sheet, wanted.clone(), control)
    }

    /// A word about a run that is not at work; true if it was taken.
    fn say(&self, run: &str, said: Said) -> bool {
        let Said { act, who, answer } = said;
        let taken = (|| {
            if self.holder.reader()?.run(run)?.is_none() {
                return Ok(Err(Refused::RunUnknown { run: run.to_owned() }));
            }
            let mut stored = self.stored(run)?;
            let taken = hear::take(&mut stored, &act, who).map_err(Fault::from)?;
            let Ok(()) = taken else { return Ok(taken.map(|()| 0)) };
            self.holder.store.journal(run)?.wait_durable(stored.last(), Level::Power)?;
            if self.holder.state.view().is_some_and(|view| view.id == run) {
                self.holder.state.shows(stored.view());
            }
            Ok::<_, Fault>(Ok(stored.last()))
        })();
        let taken = taken.unwrap_or_else(|fault: Fault| Err(fault.into()));
        let was_taken = taken.is_ok();
        // Who asked may be gone.
        let _ = answer.send(taken);
        was_taken
    }

    /// A run of the store as of its last event.
    fn stored(&self, run: &str) -> Result<Run, Fault> {
        let reader = self.holder.reader()?;
        let state: RunState = match reader.run(run)? {
            Some(_) => reader.state(run)?,
            None => return Err(Refused::RunUnknown { run: run.to_owned() }.into()),
        };
        Ok(Run::new(
            run.to_owned(),
            state,
            Arc::new(self.holder.store.journal(run)?),
            self.holder.rules().backoff,
        ))
    }

    fn say_fault(&self, fault: &Fault) {
        self.console.warn(&escape(&format!("{:#}", fault.source)));
        self.console.note(&format!("code: {}", fault.code));
    }
}

/// Tells the run whatever is asked of the process.
async fn tell(mut process: watch::Receiver<Control>, run: watch::Sender<Control>) {
    loop {
        let asked = *process.borrow_and_update();
        run.send_if_modified(|control| {
            let more = asked > *control;
            *control = (*control).max(asked);
            more
        });
        if process.changed().await.is_err() {
            return;
        }
    }
}
