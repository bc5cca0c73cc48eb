//! `orch:log`: lines for the host's log.
//!
//! In -> out: WIT calls -> [`LogSink`].
//! Limits: 8 KiB a line; `logKiB` of the manifest for a call, each line and its end counted.
//! Not here: escaping and colour (`console.rs`).

pub mod backend;
pub(crate) mod fake;

use std::sync::Arc;

use orch_trust::permission::LogPermission;
use wasmtime::component::Linker;

use super::shape::{Capability, HasView, Holds, HostEnvironment, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::log::log::{Host, Level, add_to_linker};
use crate::cut::cut_to;
pub use backend::{LogLevel, LogSink};
use orch_trust::interfaces::Import;

const LINE_BYTES_MAX: usize = 8 * 1024;

/// State of this capability in one store.
pub struct Log {
    plugin: Arc<str>,
    sink: Arc<dyn LogSink>,
    bytes_left: u64,
}

impl Log {
    pub fn new(plugin: Arc<str>, bytes_max: u64, sink: Arc<dyn LogSink>) -> Self {
        Self { plugin, sink, bytes_left: bytes_max }
    }
}

impl Capability for Log {
    type Permission = LogPermission;
    type Granted = ();

    fn grant(_permission: LogPermission, _host: &HostEnvironment) {}

    fn open(_granted: &(), opening: Opening<'_>) -> Self {
        Self::new(opening.plugin.clone(), opening.log_bytes_max, opening.lent.log.clone())
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
        let line = cut_to(&text, LINE_BYTES_MAX);
        match self.state.bytes_left.checked_sub(line.len() as u64 + 1) {
            Some(left) if !self.ledger.is_log_cut() => {
                self.state.bytes_left = left;
                self.state.sink.line(&self.state.plugin, level, line);
            }
            _ => self.ledger.cut_log(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::bench::Bench;

    #[tokio::test]
    async fn a_line_is_kept_with_its_level_and_cut_at_8_kib() {
        let bench = Bench::new();
        let mut log = Log::new("demo/x".into(), 100_000, bench.0.log.clone());
        let (mut table, mut ledger) = (ResourceTable::new(), bench.ledger());
        let mut view = View::of(&mut log, &mut table, &mut ledger);
        view.write(Level::Warn, "a".to_owned()).await.unwrap();
        view.write(Level::Info, "x".repeat(LINE_BYTES_MAX + 1)).await.unwrap();
        let lines = bench.lines();
        assert_eq!(lines[0], (LogLevel::Warn, "a".to_owned()));
        assert_eq!(lines[1].1.len(), LINE_BYTES_MAX);
        assert!(!ledger.is_log_cut());
    }

    #[tokio::test]
    async fn lines_over_the_limit_are_dropped_and_that_is_said() {
        let bench = Bench::new();
        let mut log = Log::new("demo/x".into(), 6, bench.0.log.clone());
        let (mut table, mut ledger) = (ResourceTable::new(), bench.ledger());
        let mut view = View::of(&mut log, &mut table, &mut ledger);
        for text in ["abcd", "", "e", ""] {
            view.write(Level::Info, text.to_owned()).await.unwrap();
        }
        assert_eq!(bench.lines().len(), 2, "5 bytes and 1 byte");
        assert!(ledger.is_log_cut());
    }
}
