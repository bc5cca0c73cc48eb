//! Tokens of those who ask a serving host over TCP.
//!
//! In -> out: the operator's `tokens.json` <-> names with scopes; a shown token -> the one that it is.
//! Invariant: a token is drawn here, shown once, and kept as a MAC by this host's secret only; what was revoked counts from
//! the next request on.
//! Not here: what needs which scope (`control/`).

use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use orch_journal::event::OperatorDecision;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::operator::{Operator, OperatorError};
use super::secret::KeyUse;
use crate::regular_file::{self, Links};

const FILE: &str = "tokens.json";
const FILE_BYTES_MAX: u64 = 1 << 20;
const TOKEN_BYTES: usize = 32;
/// So that tools which look for secrets in files find one.
const PREFIX: &str = "orch_";

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// See runs, tasks, events and metrics; ask services that change nothing
    Read,
    /// Start and stop runs; retry, skip and cancel tasks; ask services that change something
    Run,
    /// Approve, deny, resolve, waive
    Approve,
}

impl Scope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Approve => "approve",
        }
    }
}

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Token {
    pub name: String,
    pub scopes: Vec<Scope>,
    /// HMAC-SHA-256 of the token by this host's secret, 64 hex digits.
    pub mac: String,
    /// Milliseconds since 1970 UTC.
    pub created_at: u64,
}

/// The tokens of one operator.
pub struct Tokens {
    path: PathBuf,
    key: [u8; 32],
}

impl Tokens {
    pub fn of(operator: &Operator) -> Self {
        Self { path: operator.home.join(FILE), key: operator.secret.key(KeyUse::Tokens) }
    }

    /// As they are now.
    pub fn all(&self) -> Result<Vec<Token>, OperatorError> {
        let io = |source| OperatorError::Io { what: "read", path: self.path.clone(), source };
        match regular_file::read_text(&self.path, Links::Followed, FILE_BYTES_MAX) {
            Ok((text, _)) => serde_json::from_str(&text)
                .map_err(|error| io(std::io::Error::new(std::io::ErrorKind::InvalidData, error))),
            Err(error) if error.is_missing() => Ok(Vec::new()),
            Err(error) => Err(io(error.into())),
        }
    }

    /// The token that was shown. Every kept one is compared, in a time that does not depend on how much of it is right.
    pub fn find(&self, shown: &str) -> Result<Option<Token>, OperatorError> {
        let mut found = None;
        for token in self.all()? {
            let kept = hex::decode(&token.mac).unwrap_or_default();
            if self.mac(shown).verify_slice(&kept).is_ok() {
                found = Some(token);
            }
        }
        Ok(found)
    }

    /// Draws a token and keeps it under that name; `None` if the name is taken. Only this call ever shows it.
    pub fn add(
        &self,
        operator: &Operator,
        name: &str,
        scopes: &[Scope],
    ) -> Result<Option<String>, OperatorError> {
        let mut drawn = [0; TOKEN_BYTES];
        getrandom::fill(&mut drawn).map_err(|_| OperatorError::NoRandom)?;
        let shown = format!("{PREFIX}{}", hex::encode(drawn));
        let mac = hex::encode(self.mac(&shown).finalize().into_bytes());
        let token =
            Token { name: name.to_owned(), scopes: scopes.to_vec(), mac, created_at: crate::clock::now_ms() };
        let what = OperatorDecision::TokenAdded {
            name: name.to_owned(),
            scopes: scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        };
        let added = self.change(operator, what, |tokens| {
            let is_free = tokens.iter().all(|token| token.name != name);
            tokens.extend(is_free.then_some(token));
            is_free
        })?;
        Ok(added.then_some(shown))
    }

    /// Takes it away; false if there was none of that name.
    pub fn revoke(&self, operator: &Operator, name: &str) -> Result<bool, OperatorError> {
        self.change(operator, OperatorDecision::TokenRevoked { name: name.to_owned() }, |tokens| {
            let before = tokens.len();
            tokens.retain(|token| token.name != name);
            tokens.len() < before
        })
    }

    fn change(
        &self,
        operator: &Operator,
        what: OperatorDecision,
        change: impl FnOnce(&mut Vec<Token>) -> bool,
    ) -> Result<bool, OperatorError> {
        let begun = operator.change()?;
        let mut tokens = self.all()?;
        let changed = change(&mut tokens);
        if changed {
            let path = self.path.clone();
            let text = serde_json::to_vec_pretty(&tokens).map_err(|error| OperatorError::Io {
                what: "write",
                path,
                source: error.into(),
            })?;
            begun.decide(what, &self.path, &text)?;
        }
        Ok(changed)
    }

    fn mac(&self, shown: &str) -> Hmac<Sha256> {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            unreachable!("HMAC takes keys of every length")
        };
        mac.update(shown.as_bytes());
        mac
    }
}

/// True for a name that can be shown as it is: 1 to 64 of `[a-z0-9._-]`.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
}

/// Where the tokens of an operator's folder lie.
pub fn path(home: &Path) -> PathBuf {
    home.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_what_was_shown_until_it_is_revoked() {
        let home = tempfile::tempdir().unwrap();
        let operator = Operator::open(home.path()).unwrap();
        let tokens = Tokens::of(&operator);
        let ci = tokens.add(&operator, "ci", &[Scope::Read, Scope::Run]).unwrap().unwrap();
        let me = tokens.add(&operator, "me", &[Scope::Approve]).unwrap().unwrap();
        assert_eq!(tokens.add(&operator, "ci", &[Scope::Read]).unwrap(), None, "the name is taken");
        assert!(ci.starts_with("orch_") && ci != me);
        let text = std::fs::read_to_string(path(home.path())).unwrap();
        assert!(!text.contains(&ci[5..]), "{text}");

        let found = |shown: &str| tokens.find(shown).unwrap().map(|token| (token.name, token.scopes));
        assert_eq!(found(&ci), Some(("ci".to_owned(), vec![Scope::Read, Scope::Run])));
        assert_eq!(found(&me), Some(("me".to_owned(), vec![Scope::Approve])));
        for other in ["", "orch_", &ci[..ci.len() - 1], &format!("{ci}0"), &ci.to_uppercase()] {
            assert_eq!(found(other), None, "{other}");
        }
        assert!(tokens.revoke(&operator, "ci").unwrap());
        assert!(!tokens.revoke(&operator, "ci").unwrap());
        assert_eq!(found(&ci), None);

        // Of another host's secret the same file says nothing.
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Operator::open(elsewhere.path()).unwrap();
        std::fs::copy(path(home.path()), path(elsewhere.path())).unwrap();
        assert_eq!(Tokens::of(&other).find(&me).unwrap(), None);
    }
}
