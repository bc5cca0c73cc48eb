//! Whether a new entry of a revocation list does what its author means.
//!
//! In -> out: entry, root, time -> nothing, or why it is not taken; and what its author should hear about it.
//! Invariant: what is refused here can have no effect, or not the one that it names; a host would take it.
//! Not here: the form of its texts, which a host refuses (`revoking/rehearsal.rs`).

use std::collections::BTreeSet;

use orch_trust::authority::Level;
use orch_trust::certificate::required_checks;
use orch_trust::key::KeyId;
use orch_trust::manifest::Role;
use orch_trust::revocation::{Action, Entry, What};
use orch_trust::root::document::RootDocument;
use orch_trust::time::UnixSeconds;
use orch_trust::version_range::VersionRange;

use crate::check::tool;

/// How far a name may be from one that is known, in letters, to be named beside it.
const NEAR_MAX: usize = 2;

/// Why an entry is not put into a list.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EntryError {
    #[error("key `{key}` signs roots, and no list can take that back")]
    RootKey { key: KeyId },
    #[error("{what} is taken back whatever certifies it, so `recertify` would block it for good")]
    Recertify { what: &'static str },
    #[error("no version is in the range `{versions}`")]
    NoVersion { versions: VersionRange },
}

impl EntryError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RootKey { .. } => "revoke-root-key",
            Self::Recertify { .. } => "revoke-recertify",
            Self::NoVersion { .. } => "revoke-no-version",
        }
    }

    /// What helps, if anything.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::RootKey { .. } => {
                "the next trust root does without it: `orch-certify root rotate`, then `root revoke`".to_owned()
            }
            Self::Recertify { .. } => {
                "say `--action block-load`; `recertify` is for `--certifier`, and for `--keyid` of a certifier"
                    .to_owned()
            }
            Self::NoVersion { .. } => "the lower end comes first, like `>=1.3.0, <1.4.2`".to_owned(),
        })
    }
}

/// Succeeds if the entry can do what it says.
///
/// # Errors
/// `RootKey`, `Recertify`, `NoVersion`.
pub fn check(entry: &Entry, root: &RootDocument) -> Result<(), EntryError> {
    let versions = match &entry.what {
        What::File { .. } => None,
        What::Key { keyid, .. } if root.roles.root.keyids.contains(keyid) => {
            return Err(EntryError::RootKey { key: *keyid });
        }
        What::Key { .. } => None,
        What::Release { versions, .. }
        | What::Certifier { versions, .. }
        | What::Advisory { versions, .. } => Some(versions),
    };
    if let Some(versions) = versions.filter(|versions| versions.covers_nothing()) {
        return Err(EntryError::NoVersion { versions: versions.clone() });
    }
    match without_cure(&entry.what, root).filter(|_| entry.action == Action::Recertify) {
        Some(what) => Err(EntryError::Recertify { what }),
        None => Ok(()),
    }
}

/// What is taken back, if that is the whole package whatever its certificates.
fn without_cure(what: &What, root: &RootDocument) -> Option<&'static str> {
    match what {
        What::File { .. } => Some("a file"),
        What::Release { .. } => Some("a release"),
        What::Advisory { .. } => Some("a crate in a package"),
        What::Key { keyid, .. } => {
            let certifies = root.roles.certifier.keys.iter().any(|key| key.keyid == *keyid);
            // One that the root does not name may be a job's, which certified.
            (root.keys.contains_key(keyid) && !certifies).then_some("what this key signed")
        }
        What::Certifier { .. } => None,
    }
}

/// What the author of an entry should hear, in sentences without an end. `from_said`: whether a key's time was named.
pub fn doubts(entry: &Entry, root: &RootDocument, from_said: bool, now: UnixSeconds) -> Vec<String> {
    let mut doubts = Vec::new();
    match &entry.what {
        What::File { .. } | What::Release { .. } | What::Advisory { .. } => {}
        What::Key { keyid, invalid_after } => {
            if !root.keys.contains_key(keyid) {
                let may_be = "only a job or an earlier root can have it";
                doubts.push(format!("the trust root has no key `{keyid}`: {may_be}"));
            }
            if *invalid_after > now {
                doubts.push(format!("the key counts until {invalid_after}, which is still to come"));
            }
            if !from_said {
                doubts.push(format!(
                    "what the key signed before {invalid_after} stays valid; `--from` says an earlier time"
                ));
            }
        }
        What::Certifier { name, check, .. } => {
            let own = tool().name;
            if *name != own {
                doubts.push(unknown("certifier", name, [own].into_iter()));
            }
            let checks = [Level::Local, Level::Certified].into_iter();
            let known: BTreeSet<String> = checks
                .flat_map(|level| required_checks(level, &Role::ALL))
                .map(|required| required.id)
                .collect();
            if let Some(check) = check.as_ref().filter(|check| !known.contains(*check)) {
                doubts.push(unknown("check", check, known.into_iter()));
            }
        }
    }
    doubts
}

/// A name that this program does not know, and those near it.
fn unknown(what: &str, said: &str, known: impl Iterator<Item = String>) -> String {
    let near = |name: &String| strsim::osa_distance(said, name) <= NEAR_MAX;
    let near: Vec<String> = known.filter(near).map(|name| format!("`{name}`")).collect();
    let said: String = said.escape_default().take(100).collect();
    let nothing = format!("this program knows no {what} `{said}`, so this may take nothing back");
    match near.is_empty() {
        true => nothing,
        false => format!("{nothing}; near it: {}", near.join(", ")),
    }
}

#[cfg(test)]
mod tests;
