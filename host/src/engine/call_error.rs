//! How a call of a plugin ended without a good answer.
//!
//! In -> out: the engine's error and what the call's [`Meter`](super::limits::Meter) saw -> [`CallError`].
//! Invariant: every error names the plugin, and an exhausted limit is named as that limit, whatever the guest did
//! after it; a message is one short line of the plugin's own, not yet escaped.
//! Not here: counting (`limits.rs`), what becomes of the call's task (`drive`).

use std::sync::Arc;

use wasmtime::{Trap, WasmBacktrace};

use super::limits::{Exceeded, Meter};
use super::withdrawal::Withdrawn;
use crate::capability::GateClosed;
use crate::capability::wasi::Exited;
use crate::cut::cut;

/// Code of a call that was not begun, in errors, warnings and journals.
pub const WITHDRAWN: &str = "plugin-withdrawn";

/// Why a call has no good answer. All but `Failure`, `Closed`, `Withdrawn`, `Machine` and `Host` are faults of the plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    #[error("plugin `{plugin}` cannot be linked: {message}")]
    Link { plugin: Arc<str>, message: String },
    #[error("plugin `{plugin}` trapped: {message}")]
    Trap { plugin: Arc<str>, message: String },
    #[error("plugin `{plugin}` used up its limit `{limit}` of {allowed}")]
    Limit { plugin: Arc<str>, limit: &'static str, allowed: String },
    #[error("plugin `{plugin}` gave an answer that is not allowed: {message}")]
    Answer { plugin: Arc<str>, message: String },
    /// `wasi:cli/exit`, which leaves no answer.
    #[error("plugin `{plugin}` ended its call itself, with exit status {status}")]
    Exit { plugin: Arc<str>, status: u8 },
    /// The plugin's own answer, not a fault.
    #[error("plugin `{plugin}` failed: {message}")]
    Failure { plugin: Arc<str>, message: String, retriable: bool },
    #[error("call of plugin `{plugin}` was ended by the host{}", because(why.as_deref()))]
    Closed { plugin: Arc<str>, why: Option<String> },
    /// It was not called: the trust in it ended after it was admitted.
    #[error("plugin `{plugin}` was withdrawn ({code}): {text}")]
    Withdrawn { plugin: Arc<str>, code: String, text: String },
    /// Before anything of it ran.
    #[error("the machine lacks what an instance of plugin `{plugin}` needs: {message}")]
    Machine { plugin: Arc<str>, message: String },
    #[error("host could not call plugin `{plugin}`")]
    Host {
        plugin: Arc<str>,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CallError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Link { .. } => "plugin-link",
            Self::Trap { .. } => "plugin-trap",
            Self::Limit { limit, .. } => match *limit {
                "memory" => "limit-memory",
                "tables" => "limit-tables",
                "busy" => "limit-busy",
                "wall" => "limit-wall",
                "output" => "limit-output",
                "argument" => "limit-argument",
                "host-calls" => "limit-host-calls",
                "resources" => "limit-resources",
                "stack" => "limit-stack",
                "fuel" => "limit-fuel",
                "findings" => "limit-findings",
                "kv" => "limit-kv",
                _ => "limit",
            },
            Self::Exit { .. } => "plugin-exit",
            Self::Answer { .. } => "plugin-answer",
            Self::Failure { .. } => "plugin-failure",
            Self::Closed { .. } => "call-closed",
            Self::Withdrawn { .. } => WITHDRAWN,
            Self::Machine { .. } => "call-machine",
            Self::Host { .. } => "call-host",
        }
    }

    /// The plugin's id.
    pub fn plugin(&self) -> &str {
        match self {
            Self::Link { plugin, .. }
            | Self::Trap { plugin, .. }
            | Self::Limit { plugin, .. }
            | Self::Exit { plugin, .. }
            | Self::Answer { plugin, .. }
            | Self::Failure { plugin, .. }
            | Self::Closed { plugin, .. }
            | Self::Withdrawn { plugin, .. }
            | Self::Machine { plugin, .. }
            | Self::Host { plugin, .. } => plugin,
        }
    }

    /// What the operator or the author can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Limit { limit: "findings", plugin, .. } => Some(format!(
                "`{plugin}` reports more than a run keeps of one plugin; have it report less, or unbind it and go on"
            )),
            Self::Limit { limit, .. } => {
                let field = match *limit {
                    "memory" => "memoryMiB",
                    "busy" => "busyMs",
                    "wall" => "wallMs",
                    "output" => "outputKiB",
                    "host-calls" => "hostCalls",
                    _ => return None,
                };
                Some(format!("the limit is `limits.{field}` in the plugin's manifest"))
            }
            Self::Exit { .. } => Some(
                "a call ends by returning its answer or failure; take `std::process::exit` out".to_owned(),
            ),
            Self::Machine { .. } => Some(
                "`ulimit -a` and `free` show what this host may have; the plugin is not the reason"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// What an error of the engine means, after a call whose counters are in `meter`. `reason`: why the host did not do
    /// what the guest asked for last. `panic`: what the plugin logged of its panic, which says more than the instruction
    /// that ended it.
    pub(crate) fn from_engine(
        plugin: &Arc<str>,
        error: &wasmtime::Error,
        meter: &Meter,
        reason: Option<&str>,
        panic: Option<&str>,
    ) -> Self {
        let plugin = plugin.clone();
        if error.downcast_ref::<GateClosed>().is_some() {
            return Self::Closed { plugin, why: reason.map(str::to_owned) };
        }
        if let Some(exceeded) = meter.exceeded() {
            return Self::limit(&plugin, exceeded, meter);
        }
        if let Some(Exited(status)) = error.downcast_ref() {
            return Self::Exit { plugin, status: *status };
        }
        if is_transfer_exhausted(error) {
            // Inside guest code an error carries a backtrace: what was too large was an argument of a host function.
            let exceeded = match error.downcast_ref::<WasmBacktrace>() {
                Some(_) => Exceeded::Argument,
                None => Exceeded::Output,
            };
            return Self::limit(&plugin, exceeded, meter);
        }
        if error.downcast_ref::<wasmtime::component::ResourceTableError>().is_some_and(is_full) {
            return Self::limit(&plugin, Exceeded::Resources, meter);
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => Self::limit(&plugin, Exceeded::Stack, meter),
            Some(Trap::OutOfFuel) => Self::limit(&plugin, Exceeded::Fuel, meter),
            Some(trap) if meter.refused_memory() => Self::after_refusal(plugin, *trap, meter),
            Some(Trap::UnreachableCodeReached) if panic.is_some() => {
                Self::Trap { plugin, message: panic.map(one_line).unwrap_or_default() }
            }
            Some(trap) => Self::Trap { plugin, message: trap.to_string() },
            None if meter.refused_memory() => Self::limit(&plugin, Exceeded::Memory, meter),
            None if is_of_the_machine(error) => {
                Self::Machine { plugin, message: cut(&error.root_cause().to_string()) }
            }
            None => Self::Trap { plugin, message: cut(&error.root_cause().to_string()) },
        }
    }

    /// A trap after memory was refused: allocators end in `unreachable`.
    fn after_refusal(plugin: Arc<str>, trap: Trap, meter: &Meter) -> Self {
        match trap {
            Trap::UnreachableCodeReached | Trap::MemoryOutOfBounds => {
                Self::limit(&plugin, Exceeded::Memory, meter)
            }
            trap => Self::Trap { plugin, message: trap.to_string() },
        }
    }

    pub(crate) fn limit(plugin: &Arc<str>, exceeded: Exceeded, meter: &Meter) -> Self {
        let (limit, allowed) = (exceeded.as_str(), meter.limits().allowed(exceeded));
        Self::Limit { plugin: plugin.clone(), limit, allowed }
    }

    pub(crate) fn withdrawn(plugin: &Arc<str>, why: &Withdrawn) -> Self {
        let Withdrawn { code, text } = why.clone();
        Self::Withdrawn { plugin: plugin.clone(), code, text }
    }

    pub(crate) fn answer(plugin: &Arc<str>, message: impl Into<String>) -> Self {
        Self::Answer { plugin: plugin.clone(), message: message.into() }
    }

    /// Of a question for a role that the plugin is not linked in.
    pub(crate) fn other_role(plugin: &str) -> Self {
        Self::Link { plugin: plugin.into(), message: "it is linked in another role".to_owned() }
    }

    /// What the plugin said, and after it the reason that only the host knows.
    pub(crate) fn failure(plugin: &Arc<str>, message: &str, retriable: bool, reason: Option<&str>) -> Self {
        let reason = reason.filter(|reason| !message.contains(reason));
        let message = cut(&format!("{message}{}", because(reason)));
        Self::Failure { plugin: plugin.clone(), message, retriable }
    }
}

/// The place of a panic and its message stand on lines of their own.
fn one_line(panic: &str) -> String {
    panic.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

fn is_full(error: &wasmtime::component::ResourceTableError) -> bool {
    matches!(error, wasmtime::component::ResourceTableError::Full)
}

/// True for an error of the operating system outside of guest code: an instance was not made for want of descriptors or memory.
fn is_of_the_machine(error: &wasmtime::Error) -> bool {
    let is_of_system = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<std::io::Error>() || cause.is::<rustix::io::Errno>()
    };
    error.downcast_ref::<WasmBacktrace>().is_none() && error.chain().any(is_of_system)
}

/// True for the engine's error of a list or string over the transfer limit. Its type is private to the engine.
fn is_transfer_exhausted(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_outside_of_guest_code_is_the_machines_and_no_trap() {
        let refused = std::io::Error::from_raw_os_error(libc::EMFILE);
        for (error, is_machine) in [
            (wasmtime::Error::from(refused).context("an instance"), true),
            (wasmtime::Error::from(rustix::io::Errno::NFILE), true),
            (wasmtime::Error::msg("Too many open files"), false),
            (wasmtime::Error::from(Trap::UnreachableCodeReached), false),
        ] {
            assert_eq!(is_of_the_machine(&error), is_machine, "{error:?}");
        }
    }
}
