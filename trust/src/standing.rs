//! Standing: whether those who vouched for a package still do.
//!
//! In -> out: [`Vouched`], who counts, a revocation list -> [`Weighed`], or the severest entry that is in the way.
//! Invariant: one function for a load and for a plugin that runs. A certificate that an entry takes back is set aside;
//! the package is refused by that entry only if too few remain.
//! Not here: what an entry is about (`revocation/judge.rs`), how certificates are counted (`agreement.rs`).

use crate::agreement::{self, Wanted};
use crate::authority::{Certifier, Level};
use crate::key::KeyId;
use crate::refusal::Refusal;
use crate::revocation::judge::{Hit, Scope, Vouched, judge};
use crate::revocation::{Action, Revocations};
use crate::time::UnixSeconds;

/// Who vouched for an admitted package, and by whose rules.
#[derive(Clone, Debug)]
pub struct Standing {
    pub vouched: Vouched,
    /// Who counted, keys of jobs included.
    pub certifiers: Vec<Certifier>,
    pub wanted: Wanted,
    /// When that was asked.
    pub at: UnixSeconds,
}

/// What remains.
#[derive(Clone, Debug)]
pub struct Weighed {
    pub level: Level,
    pub valid_until: UnixSeconds,
    /// Entries that are about this package and do not keep it from running; reports show them.
    pub notes: Vec<Hit>,
}

impl Standing {
    /// What remains after this list; without one, everything.
    ///
    /// # Errors
    /// `RevokedKill`, `RevokedBlockLoad`, `RevokedRecertify`, `SbomUnreadable`, those of [`agreement::agree`].
    pub fn weigh(&self, list: Option<&Revocations>) -> Result<Weighed, Refusal> {
        let hits = match list {
            Some(list) => judge(&self.vouched, list)?,
            None => Vec::new(),
        };
        let set_aside: Vec<KeyId> = hits.iter().filter(blocks).filter_map(certificate_of).collect();
        let sound = &self.vouched.certificates;
        let agreed = agreement::agree(sound, &self.certifiers, self.wanted, &set_aside, self.at);
        // The severest is first.
        let in_the_way = |hit: &&Hit| blocks(hit) && (hit.scope == Scope::Package || agreed.is_err());
        if let Some(refusal) = hits.iter().find(in_the_way).and_then(refusal) {
            return Err(refusal);
        }
        let agreed = agreed?;
        Ok(Weighed { level: agreed.certificate.level, valid_until: agreed.valid_until, notes: hits })
    }

    /// The refusal of the entry by which a plugin that was admitted may make no further call; none, if it may go on.
    /// Certificates that merely ended since then do not matter here.
    ///
    /// # Errors
    /// `SbomUnreadable`.
    pub fn killed_by(&self, list: &Revocations) -> Result<Option<Refusal>, Refusal> {
        match self.weigh(Some(list)) {
            Err(kill @ Refusal::RevokedKill { .. }) => Ok(Some(kill)),
            Err(unreadable @ Refusal::SbomUnreadable { .. }) => Err(unreadable),
            Ok(_) | Err(_) => Ok(None),
        }
    }
}

fn blocks(hit: &&Hit) -> bool {
    hit.action != Action::Warn
}

fn certificate_of(hit: &Hit) -> Option<KeyId> {
    match hit.scope {
        Scope::Certificate(key) => Some(key),
        Scope::Package => None,
    }
}

fn refusal(hit: &Hit) -> Option<Refusal> {
    let (what, reason) = (hit.what.clone(), hit.reason.clone());
    match hit.action {
        Action::Warn => None,
        Action::Recertify => Some(Refusal::RevokedRecertify { what, reason }),
        Action::BlockLoad => Some(Refusal::RevokedBlockLoad { what, reason }),
        Action::Kill => Some(Refusal::RevokedKill { what, reason }),
    }
}
