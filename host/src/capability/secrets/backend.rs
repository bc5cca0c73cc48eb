//! What stands behind `orch:secrets`.

use std::sync::Arc;

use super::value::SecretValue;

/// Why a secret is not there, for the operator; nothing of its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("secret `{name}` {why}")]
pub struct SecretUnread {
    pub name: String,
    pub why: String,
}

/// The operator's secrets.
pub trait SecretReader: Send + Sync {
    /// The secret of that name. May wait for a program.
    fn read(&self, name: &str) -> Result<Arc<SecretValue>, SecretUnread>;
    /// The same if somebody read it before. Waits for nothing.
    fn known(&self, name: &str) -> Option<Arc<SecretValue>>;
    /// All that can be had, to hide them in texts. May wait for programs.
    fn all(&self) -> Vec<Arc<SecretValue>> {
        Vec::new()
    }
}
