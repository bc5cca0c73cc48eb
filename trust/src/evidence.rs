//! Evidence as a type: what may be compiled, and what may run.
//!
//! Invariant: both traits are sealed. [`Admitted`] comes from `admit` only; a [`Candidate`] may be compiled, to be
//! tested against fake capabilities, and is not [`Runnable`], so the loop's roles do not accept it.
//! Not here: compiling (`orch-host`'s `engine`).

use std::sync::Arc;

use crate::digest::Sha256Digest;
use crate::facts::Facts;
use crate::grant::Grant;
use crate::manifest::Manifest;
use crate::package::PackageBytes;
use crate::refusal::Refusal;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Admitted {}
    impl Sealed for super::Candidate {}
}

/// Who vouches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    Certified,
    CertifiedLocal,
    /// Nobody yet.
    Candidate,
}

impl Trust {
    /// As every report says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certified => "certified",
            Self::CertifiedLocal => "certified (local)",
            Self::Candidate => "candidate",
        }
    }
}

/// What may be compiled.
pub trait Compilable: sealed::Sealed + Send + Sync + 'static {
    fn component(&self) -> &Arc<[u8]>;
    fn component_digest(&self) -> Sha256Digest;
    fn manifest(&self) -> &Manifest;
    fn grant(&self) -> &Grant;
    fn facts(&self) -> &Facts;
    fn trust(&self) -> Trust;
}

/// What the loop may run.
pub trait Runnable: Compilable {}

#[derive(Clone, Debug)]
struct Parts {
    manifest: Manifest,
    component: Arc<[u8]>,
    digest: Sha256Digest,
    facts: Facts,
    grant: Grant,
    trust: Trust,
}

/// A package that passed every admission step, in order.
#[derive(Clone, Debug)]
pub struct Admitted(Parts);

impl Admitted {
    pub(crate) fn new(
        package: &PackageBytes,
        manifest: Manifest,
        facts: Facts,
        grant: Grant,
        trust: Trust,
    ) -> Self {
        Self(Parts {
            manifest,
            component: package.component(),
            digest: package.component_digest(),
            facts,
            grant,
            trust,
        })
    }
}

/// A package under certification or its author's tests. Its grant is all that it asks for: its calls meet fake
/// capabilities.
#[derive(Clone, Debug)]
pub struct Candidate(Parts);

impl Candidate {
    /// Manifest, files and facts hold; signatures are not asked for.
    pub fn examine(package: &PackageBytes) -> Result<Self, Refusal> {
        let manifest = Manifest::parse(package.manifest())?;
        package.check_integrity(&manifest)?;
        let facts = Facts::derive(&package.component())?;
        facts.check_imports(&manifest)?;
        facts.check_exports(&manifest.roles)?;
        facts.check_memory(&manifest)?;
        let grant = Grant::of_candidate(&manifest.permissions);
        let (component, digest) = (package.component(), package.component_digest());
        Ok(Self(Parts { manifest, component, digest, facts, grant, trust: Trust::Candidate }))
    }
}

macro_rules! compilable {
    ($($name:ident),*) => { $(
        impl Compilable for $name {
            fn component(&self) -> &Arc<[u8]> { &self.0.component }
            fn component_digest(&self) -> Sha256Digest { self.0.digest }
            fn manifest(&self) -> &Manifest { &self.0.manifest }
            fn grant(&self) -> &Grant { &self.0.grant }
            fn facts(&self) -> &Facts { &self.0.facts }
            fn trust(&self) -> Trust { self.0.trust }
        }
    )* };
}

compilable!(Admitted, Candidate);

impl Runnable for Admitted {}
