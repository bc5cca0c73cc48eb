//! Capabilities: the host functions behind each WIT interface.
//!
//! In -> out: permissions -> [`Granted`], once for a plugin; an import -> its interface in a linker; what a call did ->
//! [`Kept`].
//! Invariant: one list, at the end of this file, which has every domain of the grammar; what is not granted is in no
//! linker; what was denied and what is an effect goes through one [`Ledger`].
//! Not here: which import needs what (`orch-trust`'s `permission`), counting of calls (`engine/store.rs`).

pub mod artifacts;
pub mod effect;
pub mod files;
pub mod findings;
pub mod kv;
pub mod log;
pub mod metrics;
pub mod process;
pub mod settings;
pub mod tasks;
pub mod wasi;

#[cfg(test)]
pub(crate) mod bench;

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orch_journal::event::Writes;
use orch_trust::interfaces::Import;
use orch_trust::permission::{Domain, DomainName, Effect, Permissions};
use wasmtime::component::{HasData, Linker, ResourceTable};

use crate::call::Lent;
use crate::engine::limits::CallLimits;
use crate::engine::store::CallState;
use crate::trial::Watched;
pub use effect::{EffectGate, EffectRecord, GateClosed, Ledger};
use tasks::AskedTask;

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
    fn link(linker: &mut Linker<CallState>, import: Import<'_>) -> wasmtime::Result<()>;
    /// Puts what the call wrote to what is kept; called with a good answer only.
    fn keep(self, kept: &mut Kept);
    /// What of a candidate's call goes beyond its permission (`None`: it has none), in words.
    fn beyond(granted: Option<&Self::Permission>, watched: &Watched<'_>) -> Vec<String>;
}

/// What a capability's state is made from.
pub(crate) struct Opening<'a> {
    pub(crate) plugin: &'a Arc<str>,
    pub(crate) limits: &'a CallLimits,
    pub(crate) lent: &'a Lent,
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

/// [`View`] as the generated bindings ask for it.
pub(crate) struct HasView<C>(PhantomData<C>);

impl<C: 'static> HasData for HasView<C> {
    type Data<'a> = View<'a, C>;
}

/// What programs and variables are looked up in.
pub struct HostEnvironment {
    path: Vec<PathBuf>,
    variables: BTreeMap<String, String>,
}

impl HostEnvironment {
    /// Of this process. Folders of `PATH` that are not absolute are left out.
    pub fn of_this_process() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { path: folders, variables: std::env::vars_os().filter_map(text).collect() }
    }
}

/// A capability's place among those of a call.
pub(crate) trait Place: Capability {
    fn of<'a>(opened: &'a mut Opened, granted: &'a Granted) -> (&'a mut Option<Self>, &'a Self::Granted);
}

/// The list: a line for each domain of `orch-trust`, with the type behind it or `nobody`. One that is not here, or
/// whose permission is another's, does not compile.
macro_rules! capabilities {
    (
        $($field:ident: $Name:ident($State:ty)),+;
        nobody: $($Missing:ident),+
    ) => {
        /// A grant, prepared once for all calls of a plugin.
        pub struct Granted {
            $($field: <$State as Capability>::Granted,)+
        }

        impl Granted {
            /// What these permissions open.
            pub fn new(permissions: &Permissions) -> Self {
                let host = HostEnvironment::of_this_process();
                Self {
                    $($field: <$State>::grant(permissions.$field.clone().unwrap_or_default(), &host),)+
                }
            }
        }

        /// The capabilities that a call has used so far.
        #[derive(Default)]
        pub(crate) struct Opened {
            $($field: Option<$State>,)+
        }

        impl Opened {
            /// Everything that the call wrote.
            pub(crate) fn keep(self) -> Kept {
                let mut kept = Kept::default();
                $(if let Some(state) = self.$field {
                    state.keep(&mut kept);
                })+
                kept
            }
        }

        $(impl Place for $State {
            fn of<'a>(
                opened: &'a mut Opened,
                granted: &'a Granted,
            ) -> (&'a mut Option<Self>, &'a Self::Granted) {
                (&mut opened.$field, &granted.$field)
            }
        })+

        /// What of a candidate's call goes beyond these permissions, in words.
        pub fn beyond(permissions: &Permissions, watched: Watched<'_>) -> Vec<String> {
            let mut found = Vec::new();
            $({
                let granted = permissions.$field.as_ref();
                let said = <$State>::beyond(granted, &watched);
                found.extend(said.into_iter().map(|what| format!("{}: {what}", stringify!($field))));
            })+
            let effects = watched.fakes.gate.effects();
            for domain in effects.iter().map(EffectRecord::domain).collect::<BTreeSet<_>>() {
                let granted = match domain {
                    $(DomainName::$Name => permissions.$field.as_ref().map(Domain::effect),)+
                    $(DomainName::$Missing)|+ => None,
                };
                if granted.unwrap_or(Effect::None) == Effect::None {
                    found.push(format!("{}: an effect was recorded", domain.as_str()));
                }
            }
            found
        }

        /// Adds an interface of that domain; its import is granted.
        pub(crate) fn link(
            linker: &mut Linker<CallState>,
            domain: DomainName,
            import: Import<'_>,
        ) -> wasmtime::Result<()> {
            match domain {
                $(DomainName::$Name => <$State>::link(linker, import),)+
                $(DomainName::$Missing)|+ => {
                    Err(wasmtime::Error::msg(format!("no host offers `{}`", import.0)))
                }
            }
        }
    };
}

capabilities! {
    log: Log(log::Log),
    settings: Settings(settings::Settings),
    kv: Kv(kv::Kv),
    tasks: Tasks(tasks::Tasks),
    files: Files(files::Files),
    process: Process(process::Process),
    findings: Findings(findings::Findings),
    metrics: Metrics(metrics::Metrics),
    artifacts: Artifacts(artifacts::Artifacts),
    wasi: Wasi(wasi::Wasi);
    nobody: Http, Secrets
}
