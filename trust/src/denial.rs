//! What one host took back by itself: plugins, files and keys that never run there.
//!
//! In -> out: text of `trust/denied.toml` <-> [`Denials`], added to the policy's [`Deny`].
//! Invariant: one thing an entry, with a reason; an entry can only refuse.
//! Not here: revocation lists that others sign (`revocation.rs`).

use serde::{Deserialize, Serialize};

use crate::authority::{AuthorityError, malformed};
use crate::digest::Sha256Digest;
use crate::name::PluginId;
use crate::policy::Deny;
use crate::time::UnixSeconds;

pub const REASON_CHARACTERS_MAX: usize = 200;

/// What is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Denied {
    /// Every version of that plugin.
    Id(PluginId),
    /// Every package that has a file of that digest.
    Sha256(Sha256Digest),
    /// Everything that the key of that id published or certified.
    Key(Sha256Digest),
}

/// One denial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    pub what: Denied,
    /// For people, at most 200 characters.
    pub reason: String,
    pub at: UnixSeconds,
}

/// `trust/denied.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denials {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<Denial>,
}

impl Denials {
    pub fn parse(text: &str) -> Result<Self, AuthorityError> {
        let read: Self = toml::from_str(text).map_err(|error| malformed(&error))?;
        match read.denied.iter().find(|one| one.reason.chars().count() > REASON_CHARACTERS_MAX) {
            None => Ok(read),
            Some(_) => Err(AuthorityError::Malformed {
                message: format!("a `reason` is over {REASON_CHARACTERS_MAX} characters"),
            }),
        }
    }

    pub fn render(&self) -> String {
        let head =
            "# What this host never runs. `orch-host plugin revoke` adds entries, `--undo` removes them.\n";
        format!("{head}{}", toml::to_string(self).unwrap_or_default())
    }

    /// Adds a denial; false if the same was denied before.
    pub fn add(&mut self, denial: Denial) -> bool {
        let is_new = self.denied.iter().all(|one| one.what != denial.what);
        if is_new {
            self.denied.push(denial);
        }
        is_new
    }

    /// Takes a denial back; false if there was none.
    pub fn remove(&mut self, what: &Denied) -> bool {
        let before = self.denied.len();
        self.denied.retain(|one| one.what != *what);
        self.denied.len() < before
    }

    /// Adds them to what the policy denies.
    pub fn join(&self, deny: &mut Deny) {
        for one in &self.denied {
            match &one.what {
                Denied::Id(id) => deny.ids.push(id.clone()),
                Denied::Sha256(digest) => deny.digests.push(*digest),
                Denied::Key(key) => deny.keys.push(*key),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(what: Denied) -> Denial {
        Denial { what, reason: "it \"deletes\"\nfiles".to_owned(), at: UnixSeconds(1_800_000_000) }
    }

    #[test]
    fn a_file_says_what_was_written_and_joins_the_policy() {
        let digest = Sha256Digest::of(b"x");
        let id = PluginId::parse("demo/x").unwrap();
        let all = [Denied::Id(id.clone()), Denied::Sha256(digest), Denied::Key(digest)];
        let mut denials = Denials::default();
        for what in &all {
            assert!(denials.add(denial(what.clone())) && !denials.add(denial(what.clone())));
        }
        assert_eq!(Denials::parse(&denials.render()).unwrap(), denials);
        assert_eq!(Denials::parse(&Denials::default().render()).unwrap(), Denials::default());
        let mut deny = Deny::default();
        denials.join(&mut deny);
        assert_eq!((deny.ids, deny.digests, deny.keys), (vec![id], vec![digest], vec![digest]));
        assert!(all.iter().all(|what| denials.remove(what) && !denials.remove(what)));
    }

    #[test]
    fn a_reason_has_its_length() {
        let of = |length: usize| {
            let reason = "ä".repeat(length);
            Denials { denied: vec![Denial { reason, ..denial(Denied::Key(Sha256Digest::of(b"k"))) }] }
                .render()
        };
        assert!(Denials::parse(&of(REASON_CHARACTERS_MAX)).is_ok());
        assert!(Denials::parse(&of(REASON_CHARACTERS_MAX + 1)).is_err());
    }

    #[test]
    fn unknown_fields_and_other_things_are_refused() {
        let good = Denials { denied: vec![denial(Denied::Key(Sha256Digest::of(b"k")))] }.render();
        assert!(Denials::parse(&good).is_ok());
        for wrong in [
            good.replace("reason", "raison"),
            good.replace("key = ", "keys = "),
            good.replace("key = \"", "key = \"x"),
            good.replace("[[denied]]", "[[allowed]]"),
            good.replace("files", &"x".repeat(300)),
        ] {
            assert!(Denials::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
