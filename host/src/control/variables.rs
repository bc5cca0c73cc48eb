//! Variables of a process that plugins may get, as another process of this operator can compare them with its own.
//!
//! In -> out: names that are granted -> for each that is set, a seal of its value.
//! Invariant: no value travels; a seal is made with a key of this host's, and says nothing without it. Those of a session
//! are not compared: two processes of one person seldom share them.
//! Not here: what follows from a difference (`api/runs.rs`), who gets which (`capability/process/grant.rs`).

use std::collections::BTreeMap;
use std::env::var_os;
use std::os::unix::ffi::OsStrExt;

use hmac::{Hmac, KeyInit, Mac};
use orch_trust::policy::Policy;
use sha2::Sha256;

use crate::config::secret::{HostSecret, KeyUse};
use crate::drive::env::OF_SESSION;

/// By name; none: it is not set.
pub type Seals = BTreeMap<String, Option<String>>;

/// Of this process's own variables, those names.
pub fn seals<'a>(secret: &HostSecret, names: impl Iterator<Item = &'a str>) -> Seals {
    let key = secret.key(KeyUse::Variables);
    let seal = |name: &str| {
        let value = var_os(name)?;
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else {
            unreachable!("HMAC takes keys of any length")
        };
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
        Some(hex::encode(mac.finalize().into_bytes()))
    };
    let compared = names.filter(|name| !OF_SESSION.contains(name));
    compared.map(|name| (name.to_owned(), seal(name))).collect()
}

/// Every variable that a policy hands on to some plugin.
pub fn of_policy(policy: &Policy) -> impl Iterator<Item = &str> {
    let others = policy.namespaces.values().chain(policy.plugins.values());
    let granted = std::iter::once(&policy.default).chain(others);
    granted.filter_map(|allowed| allowed.allow.process.as_ref()).flat_map(|process| process.variables())
}

/// The first variable of a host that whoever asks has otherwise: its name, what it is there and what it is here, in words.
/// What one of them says nothing of is not compared.
pub fn first_other(has: &Seals, said: &Seals) -> Option<(String, &'static str, &'static str)> {
    has.iter().find_map(|(name, has)| {
        let (is, said) = match (has, said.get(name)?) {
            (None, Some(_)) => ("not set", "set"),
            (Some(_), None) => ("set", "not set"),
            (Some(has), Some(said)) if has != said => ("set", "another value"),
            _ => return None,
        };
        Some((name.clone(), is, said))
    })
}
