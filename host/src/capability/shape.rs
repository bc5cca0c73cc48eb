//! The shape of a capability: what each one says, what its host functions borrow.
//!
//! Not here: the list of them (`capability.rs`), what each does (a file each).

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orch_journal::event::Writes;
use orch_trust::interfaces::Import;
use orch_trust::manifest::Role;
use orch_trust::permission::Domain;
use wasmtime::component::{HasData, Linker, ResourceTable};

use super::environment::HostEnvironment;
use super::ledger::Ledger;
use super::lent::Lent;
use super::log::lines::Lines;
use super::secrets::placeholders::Placeholders;
use super::tasks::backend::AskedTask;
use super::trial::Watched;

/// What one domain's interfaces do: everything that is true of it in this host.
///
/// A capability that leaves one of these out does not compile.
pub(crate) trait Capability: Sized + Send + 'static {
    type Permission: Domain;
    /// Of a plugin, for all its calls.
    type Granted: Clone + Send + Sync;

    /// Prepares a permission; programs are looked up now and never again.
    fn grant(permission: Self::Permission, host: &HostEnvironment) -> Self::Granted;
    /// Its state in one call, made when the guest first uses it.
    fn open(granted: &Self::Granted, opening: Opening<'_>) -> Self;
    /// Adds that interface, which is one of the domain's.
    fn link<S: Holds<Self>>(linker: &mut Linker<S>, import: Import<'_>) -> wasmtime::Result<()>;
    /// Puts what the call wrote to what is kept; called with a good answer only.
    fn keep(self, kept: &mut Kept);
    /// What of a candidate's call goes beyond its permission (`None`: it has none), in words.
    fn beyond(granted: Option<&Self::Permission>, watched: &Watched<'_>) -> Vec<String>;
}

/// What a capability's state is made from.
pub(crate) struct Opening<'a> {
    pub(crate) plugin: &'a Arc<str>,
    /// In which it is called.
    pub(crate) role: Role,
    /// The call's log.
    pub(crate) lines: &'a Arc<Lines>,
    pub(crate) lent: &'a Lent,
    /// What the plugin wrote before, as a provider for the same call.
    pub(crate) earlier: Option<&'a Writes>,
    /// The words of the call, which what sends its requests fills in.
    pub(crate) placeholders: &'a Arc<Placeholders>,
    /// Clocks and random numbers are the same in each call.
    pub(crate) fixed: bool,
}

/// What a call wrote into the host's own store, to be kept with its answer.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) writes: Writes,
    /// Tasks asked for through `orch:tasks`.
    pub(crate) asked: Vec<AskedTask>,
}

/// What a host function borrows: its capability's state, the store's resources, what the call leaves.
pub struct View<'a, C> {
    pub(crate) state: &'a mut C,
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) ledger: &'a mut Ledger,
    /// When the call's time is over.
    deadline: Instant,
}

impl<'a, C> View<'a, C> {
    pub(crate) fn new(
        state: &'a mut C,
        table: &'a mut ResourceTable,
        ledger: &'a mut Ledger,
        deadline: Instant,
    ) -> Self {
        Self { state, table, ledger, deadline }
    }

    /// Of the call's wall time.
    pub(crate) fn wall_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// A store's data that has that capability's state.
pub(crate) trait Holds<C>: Send + Sized + 'static {
    /// Counts the call of a host function; gives what it borrows.
    fn view(&mut self) -> View<'_, C>;
}

/// [`View`] as the generated bindings ask for it.
pub(crate) struct HasView<C>(PhantomData<C>);

impl<C: 'static> HasData for HasView<C> {
    type Data<'a> = View<'a, C>;
}
