//! Capabilities: the host functions behind each WIT interface.
//!
//! In -> out: permissions -> [`Granted`], once for a plugin; an import -> its interface in a linker; what a call did ->
//! [`Kept`].
//! Invariant: one list, at the end of this file, which has every domain of the grammar; what is not granted is in no
//! linker; what was denied and what is an effect goes through one [`Ledger`].
//! Not here: which import needs what (`orch-trust`'s `permission`), counting of calls (`engine/store.rs`).

pub mod artifacts;
pub mod ask;
pub mod control;
pub mod diff;
pub mod effect;
pub mod embed;
pub mod environment;
pub mod files;
pub mod findings;
pub mod git;
pub mod http;
pub mod kv;
pub mod ledger;
pub mod lent;
pub mod llm;
pub mod log;
pub mod metrics;
pub(crate) mod mood;
pub mod notes;
pub mod nothing;
pub mod notify;
pub mod process;
pub mod provided;
pub mod purse;
pub mod retrieve;
pub mod secrets;
pub mod settings;
mod shape;
pub mod tape;
pub mod tasks;
pub mod trial;
pub mod vectors;
pub mod wasi;

#[cfg(test)]
pub(crate) mod bench;

use std::collections::BTreeSet;
use std::sync::Arc;

use orch_trust::interfaces::Import;
use orch_trust::permission::{Domain, DomainName, Effect, Permissions, SecretsPermission};
use wasmtime::component::Linker;

pub use effect::{EffectGate, EffectRecord, GateClosed};
pub use environment::HostEnvironment;
pub use ledger::Ledger;
pub use shape::View;
pub(crate) use shape::{Capability, Holds, Kept, Opening};
use trial::Watched;

/// A capability's place among those of a call.
pub(crate) trait Place: Capability {
    fn of<'a>(opened: &'a mut Opened, granted: &'a Granted) -> (&'a mut Option<Self>, &'a Self::Granted);
}

/// The list: a line for each domain of `orch-trust`, with the type behind it. One that is not here, or
/// whose permission is another's, does not compile.
macro_rules! capabilities {
    (
        $($field:ident: $Name:ident($State:ty)),+ $(,)?
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
            for domain in effects.iter().filter_map(EffectRecord::domain).collect::<BTreeSet<_>>() {
                let granted = match domain {
                    $(DomainName::$Name => permissions.$field.as_ref().map(Domain::effect),)+
                };
                if granted.unwrap_or(Effect::None) == Effect::None {
                    found.push(format!("{}: an effect was recorded", domain.as_str()));
                }
            }
            found
        }

        /// Adds an interface of that domain; its import is granted.
        pub(crate) fn link<S>(
            linker: &mut Linker<S>,
            domain: DomainName,
            import: Import<'_>,
        ) -> wasmtime::Result<()>
        where
            S: $(Holds<$State> +)+,
        {
            match domain {
                $(DomainName::$Name => <$State>::link(linker, import),)+
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
    diff: Diff(diff::Diff),
    git: Git(git::Git),
    process: Process(process::Process),
    findings: Findings(findings::Findings),
    metrics: Metrics(metrics::Metrics),
    artifacts: Artifacts(artifacts::Artifacts),
    control: Control(control::Control),
    notify: Notify(notify::Notify),
    llm: Llm(llm::Llm),
    embed: Embed(embed::Embed),
    retrieve: Retrieve(retrieve::Retrieve),
    vectors: Vectors(vectors::Vectors),
    http: Http(http::Http),
    secrets: Secrets(secrets::Secrets),
    wasi: Wasi(wasi::Wasi),
}

impl Granted {
    /// Which secrets words of a call may stand for.
    pub(crate) fn secrets(&self) -> &Arc<SecretsPermission> {
        &self.secrets
    }
}
