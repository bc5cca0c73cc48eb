//! Where the packages of the reference plugins and their operator lie.

use std::path::PathBuf;
use std::process::Command;

/// The reference plugins, in the order of the README.
pub(crate) const PLUGINS: [&str; 25] = [
    "planner-priority",
    "planner-wsjf",
    "executor-shell",
    "executor-note",
    "executor-remote",
    "executor-intent",
    "executor-agent",
    "executor-index",
    "simulator-production",
    "reflector-complexity",
    "reflector-plan",
    "verifier-command",
    "auditor-files",
    "auditor-code-metrics",
    "guard-protect",
    "provider-log-notify",
    "provider-webhook-notify",
    "provider-slack-notify",
    "provider-openai",
    "provider-anthropic",
    "provider-embed-hash",
    "provider-retrieve",
    "service-status",
    "service-orchestrator-api",
    "service-broker",
];

/// Where everything of one operator lies.
pub(crate) struct Place {
    /// Folder of the built binaries.
    pub(crate) binaries: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) packages: PathBuf,
    /// Programs that the operator allows to the plugins that run commands.
    pub(crate) programs: Vec<&'static str>,
    /// `[sandbox]` of its policy.
    pub(crate) sandbox: &'static str,
}

impl Place {
    pub(crate) fn program(&self, name: &str) -> Command {
        Command::new(self.binaries.join(name))
    }
}
