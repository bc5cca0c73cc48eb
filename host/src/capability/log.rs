//! `orch:log`: lines for the host's log.
//!
//! In -> out: WIT calls -> the call's [`Lines`].
//! Not here: limits, and what is printed (`log/lines.rs`).

pub mod backend;
pub(crate) mod fake;
pub(crate) mod lines;

use std::sync::Arc;

use orch_trust::permission::LogPermission;
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::log::log::{Host, Level, add_to_linker};
pub use backend::{LogLevel, LogSink};
pub(crate) use lines::Lines;
use orch_trust::interfaces::Import;

/// State of this capability in one store.
pub struct Log(Arc<Lines>);

impl Capability for Log {
    type Permission = LogPermission;
    type Granted = ();

    fn grant(_permission: LogPermission, _host: &HostEnvironment) {}

    fn open(_granted: &(), opening: Opening<'_>) -> Self {
        Self(opening.lines.clone())
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, _kept: &mut Kept) {}

    fn beyond(granted: Option<&LogPermission>, watched: &Watched<'_>) -> Vec<String> {
        match granted.is_none() && !watched.fakes.log.lines().is_empty() {
            true => vec!["a line was logged".to_owned()],
            false => Vec::new(),
        }
    }
}

impl Host for View<'_, Log> {
    async fn write(&mut self, level: Level, text: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Error => LogLevel::Error,
            Level::Warn => LogLevel::Warn,
            Level::Info => LogLevel::Info,
            Level::Debug => LogLevel::Debug,
        };
        self.state.0.write(level, &text);
        Ok(())
    }
}
