//! Compiling: native code from a component that somebody vouches for.
//!
//! In -> out: [`Compilable`] evidence -> [`Compiled`], which keeps it.
//! Invariant: the bytes are those of the evidence, taken as binary and never as text; what the engine sees imported
//! and exported is what the facts say.
//! Not here: keeping native code on disk (`cache.rs`), limits of the compiler itself (callers that do not trust the
//! bytes compile in a process of their own).

use std::sync::Arc;

use orch_trust::evidence::{Candidate, Compilable, Runnable};
use orch_trust::manifest::Limits;
use orch_trust::permission::{PermissionExcess, Permissions};
use wasmtime::component::Component;

use super::Engine;
use super::cache::NativeCache;
use super::withdrawal::Withdrawal;
use crate::cut::cut;

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    #[error("component of plugin `{plugin}` is not valid: {message}")]
    Invalid { plugin: String, message: String },
    #[error("facts of plugin `{plugin}` say that it {what} `{fact}`, the engine sees `{seen}`")]
    FactsDisagree { plugin: String, what: &'static str, fact: String, seen: String },
    #[error("component of plugin `{plugin}` does not fit the engine `{engine}`")]
    DoesNotFit { plugin: String, engine: &'static str },
}

impl CompileError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "component-invalid",
            Self::FactsDisagree { .. } => "facts-disagree-with-engine",
            Self::DoesNotFit { .. } => "component-does-not-fit",
        }
    }
}

/// Native code with the evidence that it was made from.
#[derive(Clone)]
pub struct Compiled<E> {
    evidence: Arc<E>,
    component: Component,
    withdrawal: Arc<Withdrawal>,
}

impl<E: Compilable> Compiled<E> {
    pub fn evidence(&self) -> &Arc<E> {
        &self.evidence
    }

    /// What takes it from service, wherever it is linked.
    pub fn withdrawal(&self) -> &Arc<Withdrawal> {
        &self.withdrawal
    }

    pub(super) fn component(&self) -> &Component {
        &self.component
    }
}

impl Compiled<Candidate> {
    /// The same native code under a grant within its own, and limits of which each is the smaller one.
    ///
    /// # Errors
    /// The first permission that is not within what the package asks for.
    pub fn narrowed(&self, permissions: &Permissions, limits: Limits) -> Result<Self, PermissionExcess> {
        let evidence = Arc::new(self.evidence.narrowed(permissions, limits)?);
        Ok(Self { evidence, component: self.component.clone(), withdrawal: self.withdrawal.clone() })
    }
}

impl Engine {
    /// Compiles the evidence's component.
    ///
    /// # Errors
    /// `Invalid`, `FactsDisagree`, `DoesNotFit`.
    pub fn compile<E: Compilable>(&self, evidence: E) -> Result<Compiled<E>, CompileError> {
        let component = self.compile_binary(&evidence)?;
        self.check(evidence, component)
    }

    /// Its native code, if the cache has it.
    pub fn cached<R: Runnable>(&self, evidence: &R, cache: &NativeCache) -> Option<Component> {
        cache.load(self, &evidence.component_digest())
    }

    /// The same with native code from the cache if it is there, and kept in it if not.
    pub fn compile_cached<R: Runnable>(
        &self,
        evidence: R,
        cache: &NativeCache,
    ) -> Result<Compiled<R>, CompileError> {
        let known = self.cached(&evidence, cache);
        self.compile_known(evidence, known, cache)
    }

    /// The same of which it is known whether it was [`Self::cached`].
    pub fn compile_known<R: Runnable>(
        &self,
        evidence: R,
        known: Option<Component>,
        cache: &NativeCache,
    ) -> Result<Compiled<R>, CompileError> {
        let digest = evidence.component_digest();
        let component = match known {
            Some(component) => component,
            None => {
                let component = self.compile_binary(&evidence)?;
                cache.keep(self, &digest, &component);
                component
            }
        };
        self.check(evidence, component)
    }

    fn compile_binary<E: Compilable>(&self, evidence: &E) -> Result<Component, CompileError> {
        let plugin = || evidence.manifest().id.to_string();
        if !self.fits(evidence.facts()) {
            return Err(CompileError::DoesNotFit { plugin: plugin(), engine: self.kind().as_str() });
        }
        Component::from_binary(self.inner(), evidence.component())
            .map_err(|error| CompileError::Invalid { plugin: plugin(), message: cut(&format!("{error:#}")) })
    }

    fn check<E: Compilable>(&self, evidence: E, component: Component) -> Result<Compiled<E>, CompileError> {
        let seen = component.component_type();
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let imports = sorted(seen.imports(self.inner()).map(|(name, _)| name.to_owned()).collect());
        let exports = sorted(seen.exports(self.inner()).map(|(name, _)| name.to_owned()).collect());
        let facts = evidence.facts();
        for (what, stated, seen) in
            [("imports", &facts.imports, imports), ("exports", &facts.exports, exports)]
        {
            if *stated != seen {
                let (fact, seen) = difference(stated, &seen);
                return Err(CompileError::FactsDisagree {
                    plugin: evidence.manifest().id.to_string(),
                    what,
                    fact,
                    seen,
                });
            }
        }
        Ok(Compiled { evidence: Arc::new(evidence), component, withdrawal: Arc::default() })
    }
}

/// The first name on either side that the other does not have; `nothing` where a side has no such name.
fn difference(stated: &[String], seen: &[String]) -> (String, String) {
    let lacks = |list: &[String], name: &&String| !list.contains(name);
    let nothing = || "nothing".to_owned();
    match stated.iter().find(|name| lacks(seen, name)) {
        Some(name) => (name.clone(), nothing()),
        None => (nothing(), seen.iter().find(|name| lacks(stated, name)).cloned().unwrap_or_else(nothing)),
    }
}
