//! `env` of tasks: from the task file to the commands of an attempt, past the journal.
//!
//! In -> out: what the file says -> values for the attempt, and an [`EnvSeal`] for the journal.
//! Invariant: no value is recorded or shown; a seal is made with a key of this host's, so that nobody else can try values
//! against it, and for one task of one run, so that equal values are not seen to be equal.
//! Not here: which names a grant lets set (`capability/process/grant.rs`, `told.rs`).

use std::collections::HashMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use orch_journal::event::EnvSeal;
use orch_journal::state::TaskState;
use orch_task::{Env, FileTask, TaskId};
use sha2::Sha256;

/// Variables of the host's own that say who is logged in and where, not what a command makes.
pub const OF_SESSION: [&str; 14] = [
    "DISPLAY",
    "HOME",
    "LANG",
    "LOGNAME",
    "OLDPWD",
    "PATH",
    "PWD",
    "SHELL",
    "SHLVL",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "TERM",
    "TMPDIR",
    "USER",
];

/// Makes seals.
#[derive(Clone, Default)]
pub struct EnvKey([u8; 32]);

impl EnvKey {
    /// `key`: this host's, for nothing else.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn seal(&self, run: &str, task: &TaskId, env: &Env) -> Option<EnvSeal> {
        if env.is_empty() {
            return None;
        }
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            unreachable!("HMAC takes keys of any length")
        };
        let of_task = [run, task.as_str()];
        // Each text with its length before it, so that no two lists of texts are the same bytes.
        for text in of_task.into_iter().chain(env.iter().flat_map(|(name, value)| [name, value])) {
            mac.update(&(text.len() as u64).to_le_bytes());
            mac.update(text.as_bytes());
        }
        let names = env.names().map(str::to_owned).collect();
        Some(EnvSeal { names, seal: hex::encode(mac.finalize().into_bytes()) })
    }
}

/// What the task file says of the environments of one run's tasks.
#[derive(Default)]
pub struct Envs {
    key: EnvKey,
    values: HashMap<TaskId, Arc<Env>>,
}

impl Envs {
    pub fn new(key: EnvKey) -> Self {
        Self { key, values: HashMap::new() }
    }

    /// What is recorded of it.
    pub fn seal(&self, run: &str, found: &FileTask) -> Option<EnvSeal> {
        self.key.seal(run, &found.task.id, &found.env)
    }

    /// From now on it is what these say.
    pub fn take(&mut self, tasks: &[FileTask]) {
        let said = tasks.iter().filter(|found| !found.env.is_empty());
        self.values = said.map(|found| (found.task.id.clone(), Arc::new(found.env.clone()))).collect();
    }

    /// For the commands of an attempt; none: the task has one, and the file lacks its values.
    pub fn of(&self, task: &TaskState) -> Option<Arc<Env>> {
        match &task.env {
            None => Some(Arc::default()),
            Some(_) => self.values.get(&task.task.id).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        Env::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
    }

    #[test]
    fn a_seal_is_of_one_task_of_one_run_and_of_this_host() {
        let key = EnvKey([7; 32]);
        let id = |id: &str| TaskId::parse(id).unwrap();
        let seal =
            |key: &EnvKey, run: &str, task: &str, env: &Env| key.seal(run, &id(task), env).unwrap().seal;
        let (pin, other) = (env(&[("PIN", "0000")]), env(&[("PIN", "0001")]));
        let first = seal(&key, "r", "a", &pin);
        assert_eq!(first, seal(&key, "r", "a", &pin));
        for different in [
            seal(&EnvKey([8; 32]), "r", "a", &pin),
            seal(&key, "s", "a", &pin),
            seal(&key, "r", "b", &pin),
            seal(&key, "r", "a", &other),
            seal(&key, "r", "a", &env(&[("PI", "N0000")])),
            seal(&key, "r", "a", &env(&[("PIN", "0000"), ("A", "")])),
        ] {
            assert_ne!(first, different);
        }
        assert_eq!(key.seal("r", &id("a"), &Env::default()), None);
        let kept = serde_json::to_string(&key.seal("r", &id("a"), &env(&[("TOKEN", "hunter2")]))).unwrap();
        assert!(kept.contains("TOKEN") && !kept.contains("hunter2"), "{kept}");
    }
}
