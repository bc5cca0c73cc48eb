//! What people say of the environment of commands, past the plugin that runs them.
//!
//! In -> out: values of the workspace and of a task -> what a call is lent.
//! Not here: which variables a command gets (`process.rs`), how values are read and sealed (`drive/env.rs`).

use std::sync::Arc;

use orch_task::Env;

/// What people say of the environment of a call's commands.
#[derive(Clone, Debug)]
pub struct CommandEnv {
    pub workspace: Arc<Env>,
    /// Of the task that the call is an attempt at, and empty for any other; none: it has one, and its values are in no
    /// file any more.
    pub task: Option<Arc<Env>>,
}

impl Default for CommandEnv {
    fn default() -> Self {
        Self { workspace: Arc::default(), task: Some(Arc::default()) }
    }
}
