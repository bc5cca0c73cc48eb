//! `orch:control`: runs, started, stopped and seen by a service.
//!
//! In -> out: WIT calls -> [`ServiceAct`], kept with the call's answer; [`Controls`] -> how runs stand.
//! Limits: one act a call; [`ENTRIES_MAX`] entries a list of a choice, of [`ENTRY_BYTES_MAX`] bytes.
//! Invariant: nothing is done here: what is asked for is part of what the call writes, and [`ServiceAct`] has no word for
//! what only people may say.
//! Not here: who does it, and when (`drive/acts.rs`), when a call is made again (`serve/mounts.rs`).

pub mod backend;
pub(crate) mod fake;

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_journal::event::ServiceAct;
use orch_task::Status;
use orch_trust::interfaces::Import;
use orch_trust::permission::ControlPermission;
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::control::control::{self as wit, Choice, Counts, Host, State, add_to_linker};
use crate::bindings::types::types::Error;
pub use backend::{Controls, NoChoice, RunSeen, RunsSeen, RunsUnreadable, Standing};

const ENTRIES_MAX: usize = 1000;
const ENTRY_BYTES_MAX: usize = 1024;

/// State of this capability in one store.
pub struct Control {
    granted: ControlPermission,
    controls: Arc<dyn Controls>,
    act: Option<ServiceAct>,
}

impl Capability for Control {
    type Permission = ControlPermission;
    type Granted = ControlPermission;

    fn grant(permission: ControlPermission, _host: &HostEnvironment) -> ControlPermission {
        permission
    }

    fn open(granted: &ControlPermission, opening: Opening<'_>) -> Self {
        Self { granted: granted.clone(), controls: opening.lent.controls.clone(), act: None }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, kept: &mut Kept) {
        kept.writes.act = self.act;
    }

    fn beyond(granted: Option<&ControlPermission>, watched: &Watched<'_>) -> Vec<String> {
        let granted = granted.cloned().unwrap_or_default();
        let read = (watched.fakes.control.was_read() && !granted.read).then_some("runs were seen");
        let asked = match &watched.writes.act {
            Some(ServiceAct::Start { .. }) if !granted.start => Some("a run was started"),
            Some(ServiceAct::Stop) if !granted.stop => Some("the run was stopped"),
            _ => None,
        };
        read.into_iter().chain(asked).map(str::to_owned).collect()
    }
}

impl View<'_, Control> {
    /// It is granted, and the first that this call asks for.
    fn check(&mut self, granted: bool, what: &str) -> Result<(), Error> {
        match (granted, &self.state.act) {
            (false, _) => Err(self.ledger.deny("control", format!("`control.{what}`"))),
            (true, Some(_)) => Err(Error::Limit("one start or stop a call".to_owned())),
            (true, None) => Ok(()),
        }
    }

    async fn start(&mut self, choice: Choice) -> Result<(), Error> {
        self.check(self.state.granted.start, "start")?;
        let Choice { tasks, tags, exclude, fail_fast } = choice;
        for list in [&tasks, &tags, &exclude] {
            if list.len() > ENTRIES_MAX {
                return Err(Error::Invalid(format!("{} entries, limit is {ENTRIES_MAX}", list.len())));
            }
            if let Some(long) = list.iter().find(|entry| entry.len() > ENTRY_BYTES_MAX) {
                let found = long.len();
                return Err(Error::Invalid(format!("entry of {found} bytes, limit is {ENTRY_BYTES_MAX}")));
            }
        }
        if self.state.controls.standing() != Standing::Idle {
            return Err(Error::Unavailable);
        }
        let act = ServiceAct::Start { tasks, tags, exclude, fail_fast };
        self.state.controls.check(&act).await.map_err(|error| match error {
            NoChoice::Invalid(why) => Error::Invalid(why),
            NoChoice::Unreadable => Error::Unavailable,
        })?;
        self.state.act = Some(act);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.check(self.state.granted.stop, "stop")?;
        match self.state.controls.standing() {
            Standing::Idle => return Err(Error::NotFound),
            Standing::Stopping => {}
            Standing::Starting | Standing::AtWork => self.state.act = Some(ServiceAct::Stop),
        }
        Ok(())
    }

    async fn status(&mut self) -> Result<wit::Standing, Error> {
        if !self.state.granted.read {
            return Err(self.ledger.deny("control", "`control.read`".to_owned()));
        }
        let RunsSeen { standing, run, tasks, current, runs } =
            self.state.controls.runs().await.map_err(|RunsUnreadable| Error::Unavailable)?;
        let state = match standing {
            Standing::Idle => State::Idle,
            Standing::Starting => State::Starting,
            Standing::AtWork => State::AtWork,
            Standing::Stopping => State::Stopping,
        };
        let run_to_wit = |run: RunSeen| {
            let RunSeen { id, status, created_at, completed_at } = run;
            wit::Run { id, status, created_at, completed_at }
        };
        let runs = runs.into_iter().map(run_to_wit).collect();
        Ok(wit::Standing { state, run, tasks: counts_to_wit(&tasks), current, runs })
    }
}

fn counts_to_wit(counts: &BTreeMap<Status, u32>) -> Counts {
    let of = |status: Status| counts.get(&status).copied().unwrap_or(0);
    Counts {
        pending: of(Status::Pending),
        in_progress: of(Status::InProgress),
        waiting_approval: of(Status::WaitingApproval),
        done: of(Status::Done),
        failed: of(Status::Failed),
        blocked: of(Status::Blocked),
        in_doubt: of(Status::InDoubt),
        cancelled: of(Status::Cancelled),
    }
}

impl Host for View<'_, Control> {
    async fn start(&mut self, choice: Choice) -> wasmtime::Result<Result<(), Error>> {
        Ok(View::start(self, choice).await)
    }

    async fn stop(&mut self) -> wasmtime::Result<Result<(), Error>> {
        Ok(View::stop(self))
    }

    async fn status(&mut self) -> wasmtime::Result<Result<wit::Standing, Error>> {
        Ok(View::status(self).await)
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;

    use super::fake::FakeControl;
    use super::*;
    use crate::capability::Ledger;
    use crate::capability::bench::Bench;
    use crate::capability::mood::Mood;

    const ALL: ControlPermission = ControlPermission { start: true, stop: true, read: true };

    struct Open {
        control: Control,
        table: ResourceTable,
        ledger: Ledger,
    }

    impl Open {
        fn new(granted: ControlPermission, standing: Standing, mood: Mood) -> Self {
            let controls = Arc::new(FakeControl::new(mood, 3).standing_at(standing));
            let control = Control { granted, controls, act: None };
            Self { control, table: ResourceTable::new(), ledger: Bench::new().ledger() }
        }

        fn view(&mut self) -> View<'_, Control> {
            View::of(&mut self.control, &mut self.table, &mut self.ledger)
        }
    }

    fn choice(tasks: &[&str]) -> Choice {
        let tasks = tasks.iter().map(|&id| id.to_owned()).collect();
        Choice { tasks, tags: Vec::new(), exclude: Vec::new(), fail_fast: false }
    }

    #[tokio::test]
    async fn what_is_asked_for_is_kept_with_the_answer_and_is_one_thing() {
        let mut open = Open::new(ALL, Standing::Idle, Mood::Good);
        assert!(matches!(open.view().stop(), Err(Error::NotFound)));
        open.view().start(choice(&["first"])).await.unwrap();
        assert!(matches!(open.view().start(choice(&[])).await, Err(Error::Limit(_))));
        assert!(matches!(open.view().stop(), Err(Error::Limit(_))));
        let mut kept = Kept::default();
        open.control.keep(&mut kept);
        let Some(ServiceAct::Start { tasks, .. }) = kept.writes.act else { panic!("{kept:?}") };
        assert_eq!(tasks, ["first"]);
    }

    #[tokio::test]
    async fn a_run_that_is_there_is_stopped_once_and_not_started_again() {
        for (standing, stops) in
            [(Standing::Starting, true), (Standing::AtWork, true), (Standing::Stopping, false)]
        {
            let mut open = Open::new(ALL, standing, Mood::Good);
            assert!(matches!(open.view().start(choice(&[])).await, Err(Error::Unavailable)), "{standing:?}");
            open.view().stop().unwrap();
            assert_eq!(open.control.act.is_some(), stops, "{standing:?}");
            assert_eq!(open.view().status().await.unwrap().tasks.pending, 3);
        }
    }

    #[tokio::test]
    async fn what_is_not_granted_is_denied_and_noted() {
        let mut open = Open::new(ControlPermission::default(), Standing::AtWork, Mood::Good);
        assert!(matches!(open.view().start(choice(&[])).await, Err(Error::Denied(_))));
        assert!(matches!(open.view().stop(), Err(Error::Denied(_))));
        assert!(matches!(open.view().status().await, Err(Error::Denied(_))));
        let denied = ["control: `control.start`", "control: `control.stop`", "control: `control.read`"];
        assert_eq!(open.ledger.into_parts().0, denied);
    }

    #[tokio::test]
    async fn a_choice_has_limits_and_names_what_is_there() {
        let mut open = Open::new(ALL, Standing::Idle, Mood::Good);
        let many = vec!["a"; ENTRIES_MAX + 1];
        let long = "x".repeat(ENTRY_BYTES_MAX + 1);
        for wrong in [choice(&many), choice(&[&long]), choice(&["nobody"])] {
            assert!(matches!(open.view().start(wrong).await, Err(Error::Invalid(_))));
        }
        let mut unavailable = Open::new(ALL, Standing::Idle, Mood::Unavailable);
        assert!(matches!(unavailable.view().start(choice(&[])).await, Err(Error::Unavailable)));
        assert!(matches!(unavailable.view().status().await, Err(Error::Unavailable)));
        assert_eq!(unavailable.control.act, None);
    }
}
