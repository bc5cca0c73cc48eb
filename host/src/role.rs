//! Roles: the exports of plugins, called with checked answers.
//!
//! In -> out: a compiled plugin -> [`Exported`], linked once; an [`Ask`] -> [`CallReport`].
//! Invariant: a fresh instance for each call, but for a planner's session; an answer that leaves here is inside its
//! limits. What a call goes through stands once, in [`Exported::call`]. A role keeps what it was made from, so that one
//! made from a `Candidate` fits no run:
//!
//! ```compile_fail,E0308
//! use orch_host::role::executor::Executor;
//! use orch_trust::evidence::{Admitted, Candidate};
//! fn smuggle(of_a_test: Executor<Candidate>) -> Executor<Admitted> {
//!     of_a_test
//! }
//! ```
//!
//! ```
//! use orch_host::role::executor::Executor;
//! use orch_trust::evidence::Admitted;
//! fn bind(admitted: Executor<Admitted>) -> Executor<Admitted> {
//!     admitted
//! }
//! ```
//!
//! Not here: when roles are called and what comes of it (`drive`), host functions (`capability/`).

pub mod auditor;
pub mod executor;
pub mod guard;
pub mod planner;
pub mod provider;
pub mod reflector;
pub mod service;
pub mod verifier;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use orch_journal::event::Writes;
use orch_trust::evidence::Compilable;
use orch_trust::manifest::Role;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::bindings::types::types::{Failure, NewTask};
use crate::call::{CallContext, CallReport};
use crate::capability::tasks::AskedTask;
use crate::engine::link::Linked;
use crate::engine::store::{self, CallState};
use crate::engine::{CallError, Compiled, Engine};

/// What makes a plugin one of a role.
pub trait Export: Sized + Send + Sync + 'static {
    const ROLE: Role;
    /// How a workspace binds it.
    const FORM: Form;
    /// The generated type that knows where the export's functions are.
    type Pre: Send + Sync;

    /// # Errors
    /// The export is missing, or of another form.
    fn pre(pre: InstancePre<CallState>) -> wasmtime::Result<Self::Pre>;
}

/// How plugins of a role stand in `config.yaml`, mostly under `roles:`, with the name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    One(&'static str),
    List(&'static str),
    /// `by`: what the keys are; `many`: a key may have a list.
    Keyed {
        name: &'static str,
        by: &'static str,
        many: bool,
    },
    /// Beside `roles:`, by what the keys are.
    Beside {
        name: &'static str,
        by: &'static str,
    },
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Self::One(name) | Self::List(name) | Self::Keyed { name, .. } | Self::Beside { name, .. } => name,
        }
    }

    /// True of what stands under `roles:`.
    pub fn is_beneath_roles(self) -> bool {
        !matches!(self, Self::Beside { .. })
    }

    /// What is expected behind the name, for people.
    pub fn expected(self) -> String {
        match self {
            Self::One(_) => "plugin id".to_owned(),
            Self::List(_) => "list of plugin ids".to_owned(),
            Self::Keyed { by, many: false, .. } | Self::Beside { by, .. } => {
                format!("mapping from {by} to plugin id")
            }
            Self::Keyed { by, many: true, .. } => format!("mapping from {by} to plugin ids"),
        }
    }
}

/// One plugin in one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub role: Role,
    /// What the role is bound by: a kind of task, a mount path; empty where it is bound by nothing.
    pub key: String,
    pub id: String,
}

/// One question to a role's export, and what becomes of its answer.
pub trait Ask: Send + Sync {
    /// As events and messages name it: a verb.
    const NAME: &'static str;
    type Of: Export;
    /// As the guest gives it.
    type Raw: Send;
    /// Inside its limits.
    type Answer: Send;

    /// Makes an instance and calls it. `wall`: the time that the call has.
    fn ask(
        &self,
        pre: &<Self::Of as Export>::Pre,
        store: &mut Store<CallState>,
        wall: Duration,
    ) -> impl Future<Output = wasmtime::Result<Result<Self::Raw, Failure>>> + Send;
    /// The answer, or what is wrong with it.
    fn check(&self, raw: Self::Raw, state: &mut CallState) -> Result<Self::Answer, CallError>;
    /// Adds what of the answer is kept in the host's own store.
    fn keep(answer: &Self::Answer, writes: &mut Writes);
    /// The tasks that the answer asks for.
    fn asked(answer: &Self::Answer) -> Vec<AskedTask>;
}

/// A plugin, linked in one role.
pub struct Exported<R: Export, E> {
    linked: Linked<E>,
    pre: R::Pre,
}

impl<R: Export, E: Compilable> Exported<R, E> {
    /// # Errors
    /// `Link`: an import is not granted or not for this role, or the export is missing.
    pub fn link(engine: &Engine, compiled: Compiled<E>) -> Result<Self, CallError> {
        let linked = Linked::new(engine, compiled, R::ROLE)?;
        let pre = R::pre(linked.pre().clone()).map_err(|error| linked.lacks_export(&error))?;
        Ok(Self { linked, pre })
    }

    pub fn evidence(&self) -> &E {
        self.linked.evidence()
    }

    /// Asks in a fresh instance.
    pub async fn call<A: Ask<Of = R>>(&self, context: CallContext<E>, ask: &A) -> CallReport<A::Answer> {
        let mut store = self.linked.store(context);
        let wall = match store::arm(&mut store) {
            Ok(wall) => wall,
            Err(withdrawn) => return store::report(store, Err(withdrawn)),
        };
        let allowed = store.data().wall();
        let outcome = wall.wait(ask.ask(&self.pre, &mut store, allowed)).await;
        store::settle(&mut store).await;
        let result = store::outcome(&mut store, outcome)
            .and_then(|answer| store::answered(&store, answer))
            .and_then(|raw| ask.check(raw, store.data_mut()));
        store::report(store, result)
    }
}

/// The list of roles: a line for each one of `orch-trust`. One that is not here does not compile.
macro_rules! roles {
    ($($Name:ident: $Export:ty,)+) => {
        /// A plugin, linked in whichever role.
        pub enum AnyExported<E> {
            $($Name(Exported<$Export, E>),)+
        }

        impl<E> AnyExported<E> {
            /// The one that it is linked in.
            pub fn role(&self) -> Role {
                match self {
                    $(Self::$Name(_) => Role::$Name,)+
                }
            }
        }

        impl<E: Compilable> AnyExported<E> {
            /// # Errors
            /// Those of [`Exported::link`].
            pub fn link(engine: &Engine, compiled: Compiled<E>, role: Role) -> Result<Self, CallError> {
                Ok(match role {
                    $(Role::$Name => Self::$Name(Exported::link(engine, compiled)?),)+
                })
            }
        }

        /// How a workspace binds plugins of that role.
        pub fn form(role: Role) -> Form {
            match role {
                $(Role::$Name => <$Export>::FORM,)+
            }
        }

        $(impl Listed for $Export {
            fn of<E>(any: &AnyExported<E>) -> Option<&Exported<Self, E>> {
                match any {
                    AnyExported::$Name(exported) => Some(exported),
                    _ => None,
                }
            }
        })+
    };
}

/// A role of the list.
pub trait Listed: Export {
    /// The plugin, if it is linked in this role.
    fn of<E>(any: &AnyExported<E>) -> Option<&Exported<Self, E>>;
}

roles! {
    Planner: planner::PlannerExport,
    Executor: executor::ExecutorExport,
    Reflector: reflector::ReflectorExport,
    Auditor: auditor::AuditorExport,
    Verifier: verifier::VerifierExport,
    Guard: guard::GuardExport,
    Provider: provider::ProviderExport,
    Service: service::ServiceExport,
}

/// The tasks of an answer, after those that the same call asked for.
fn check_tasks(tasks: Vec<NewTask>, state: &mut CallState) -> Result<Vec<AskedTask>, CallError> {
    let checked = state.tasks().check_answer(tasks);
    checked.map_err(|refusal| state.wrong_answer(format!("it asks for a task: {refusal}")))
}
