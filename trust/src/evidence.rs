//! Evidence as a type: what may be compiled, and what may run.
//!
//! Invariant: both traits are sealed. [`Admitted`] comes from `admit` only; a [`Candidate`] may be compiled, to be
//! tested against fake capabilities, and is not [`Runnable`], so the loop's roles do not accept it. `Unsigned` exists
//! only with the feature `dangerous`, which does not build without debug assertions.
//! Not here: compiling (`orch-host`'s `engine`).

use std::sync::Arc;

use crate::digest::Sha256Digest;
use crate::facts::Facts;
use crate::freshness::Verdict;
use crate::grant::Grant;
use crate::manifest::{Limits, Manifest};
use crate::package::PackageBytes;
use crate::permission::{PermissionExcess, Permissions};
use crate::refusal::Refusal;
use crate::revocation::judge::Hit;
use crate::standing::Standing;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Admitted {}
    impl Sealed for super::Candidate {}
    #[cfg(feature = "dangerous")]
    impl Sealed for super::Unsigned {}
}

/// Who vouches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    Certified,
    CertifiedLocal,
    /// Its author, on a host of development.
    Development,
    /// Nobody, and it runs all the same: only with the feature `dangerous`.
    Unsigned,
    /// Nobody yet.
    Candidate,
}

impl Trust {
    /// As every report says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certified => "certified",
            Self::CertifiedLocal => "certified (local)",
            Self::Development => "development",
            Self::Unsigned => "unsigned",
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
///
/// ```
/// fn runs(_: impl orch_trust::evidence::Runnable) {}
/// fn loops(plugin: orch_trust::evidence::Admitted) {
///     runs(plugin);
/// }
/// ```
///
/// A candidate is not:
///
/// ```compile_fail,E0277
/// fn runs(_: impl orch_trust::evidence::Runnable) {}
/// fn loops(plugin: orch_trust::evidence::Candidate) {
///     runs(plugin);
/// }
/// ```
///
/// Nor can another crate make evidence of its own, here one that is complete but for the seal:
///
/// ```compile_fail,E0277
/// # use orch_trust::{digest::Sha256Digest, evidence::*, facts::Facts, grant::Grant, manifest::Manifest};
/// struct Mine(Candidate);
/// impl Compilable for Mine {
///     fn component(&self) -> &std::sync::Arc<[u8]> { self.0.component() }
///     fn component_digest(&self) -> Sha256Digest { self.0.component_digest() }
///     fn manifest(&self) -> &Manifest { self.0.manifest() }
///     fn grant(&self) -> &Grant { self.0.grant() }
///     fn facts(&self) -> &Facts { self.0.facts() }
///     fn trust(&self) -> Trust { Trust::Certified }
/// }
/// ```
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
///
/// Another crate cannot make one of its parts:
///
/// ```compile_fail,E0624
/// # use orch_trust::{evidence::*, facts::Facts, grant::Grant, manifest::Manifest, package::PackageBytes};
/// fn forge(package: &PackageBytes, manifest: Manifest, facts: Facts, grant: Grant) -> Admitted {
///     Admitted::new(package, manifest, facts, grant, Trust::Certified)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Admitted(Parts, Arc<Seen>);

/// What admission knew.
#[derive(Debug)]
struct Seen {
    standing: Standing,
    freshness: Option<Verdict>,
    notes: Vec<Hit>,
}

impl Admitted {
    pub(crate) fn new(
        package: &PackageBytes,
        manifest: Manifest,
        facts: Facts,
        grant: Grant,
        trust: Trust,
        standing: Standing,
        (freshness, notes): (Option<Verdict>, Vec<Hit>),
    ) -> Self {
        let (component, digest) = (package.component(), package.component_digest());
        let parts = Parts { manifest, component, digest, facts, grant, trust };
        Self(parts, Arc::new(Seen { standing, freshness, notes }))
    }

    /// Who vouched for it: to ask again when a new revocation list comes.
    pub fn standing(&self) -> &Standing {
        &self.1.standing
    }

    /// How new what was known of revocations was; none without a trust root.
    pub fn freshness(&self) -> Option<Verdict> {
        self.1.freshness
    }

    /// What the revocation list said about it without keeping it from running.
    pub fn notes(&self) -> &[Hit] {
        &self.1.notes
    }
}

/// A package under certification or its author's tests. Its grant is all that it asks for: its calls meet fake
/// capabilities.
#[derive(Clone, Debug)]
pub struct Candidate(Parts);

impl Candidate {
    /// Manifest, files and facts hold; signatures are not asked for.
    pub fn examine(package: &PackageBytes) -> Result<Self, Refusal> {
        let manifest = package.parse_manifest()?.clone();
        package.check_integrity(&manifest)?;
        let facts = Facts::fitting(package, &manifest)?;
        let grant = Grant::of_candidate(&manifest.permissions);
        let (component, digest) = (package.component(), package.component_digest());
        Ok(Self(Parts { manifest, component, digest, facts, grant, trust: Trust::Candidate }))
    }

    /// The same component with fewer permissions; of each limit the smaller one.
    ///
    /// # Errors
    /// The first permission that is not within what the package asks for.
    pub fn narrowed(&self, permissions: &Permissions, limits: Limits) -> Result<Self, PermissionExcess> {
        permissions.within(&self.0.manifest.permissions)?;
        let mut parts = self.0.clone();
        parts.manifest.limits = parts.manifest.limits.at_most(limits);
        parts.grant = Grant::of_candidate(permissions);
        Ok(Self(parts))
    }
}

/// A package that nobody vouches for. For authors on their own machine; marks the run `unsigned` for ever.
#[cfg(feature = "dangerous")]
#[derive(Clone, Debug)]
pub struct Unsigned(Parts);

#[cfg(feature = "dangerous")]
impl Unsigned {
    pub(crate) fn new(package: &PackageBytes, manifest: Manifest, facts: Facts, grant: Grant) -> Self {
        let (component, digest) = (package.component(), package.component_digest());
        Self(Parts { manifest, component, digest, facts, grant, trust: Trust::Unsigned })
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

#[cfg(feature = "dangerous")]
compilable!(Unsigned);

#[cfg(feature = "dangerous")]
impl Runnable for Unsigned {}
