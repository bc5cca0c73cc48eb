//! Lines that plugins write, in one file of the run.
//!
//! In -> out: plugin, level, text -> `logs/run-<id>.log`, one escaped line each.
//! Limits: bytes of the file (the caller's), as they are written; of them half for one plugin. What comes beyond is
//! counted.
//! Invariant: a line is one line, whatever the plugin wrote into it; a file that cannot be written holds nobody up.
//! Not here: how much a call may write (`capability/log.rs`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::capability::log::{LogLevel, LogSink};
use crate::command_log::log_stamp;
use crate::console::escape;
use crate::log_folder;

/// For the host's own lines about what has no room.
const OWN_BYTES: u64 = 16 << 10;

/// The file, made with the first line.
pub struct RunLog {
    folder: PathBuf,
    name: String,
    bytes_max: u64,
    so_far: Mutex<SoFar>,
    /// The second of the last line, as it is written: most lines share theirs with the one before.
    second: Mutex<(u64, String)>,
}

#[derive(Default)]
struct SoFar {
    file: Option<File>,
    /// Of the file, what was there before included.
    bytes: u64,
    plugins: BTreeMap<String, Said>,
    /// It was said that it cannot be written.
    failed: bool,
}

/// By one plugin.
#[derive(Default)]
struct Said {
    bytes: u64,
    /// Lines.
    dropped: u64,
}

impl RunLog {
    pub fn new(folder: PathBuf, run: &str, bytes_max: u64) -> Self {
        let (so_far, second) = (Mutex::default(), Mutex::default());
        Self { folder, name: format!("run-{run}.log"), bytes_max, so_far, second }
    }

    fn stamp(&self, at_ms: u64) -> String {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.0 != at_ms / 1000 || second.1.is_empty() {
            let stamp = log_stamp(at_ms);
            *second = (at_ms / 1000, stamp.split('.').next().unwrap_or_default().to_owned());
        }
        format!("{}.{:03}", second.1, at_ms % 1000)
    }

    /// True if the line is kept.
    fn write(&self, plugin: &str, line: &str) -> std::io::Result<bool> {
        let so_far = &mut *self.so_far();
        let file = match so_far.file.take() {
            Some(file) => file,
            None => {
                let file = log_folder::append(&self.folder, &self.name)?;
                so_far.bytes = file.metadata()?.len();
                file
            }
        };
        let file = so_far.file.insert(file);
        let said = so_far.plugins.entry(plugin.to_owned()).or_default();
        let length = line.len() as u64;
        let room = self.bytes_max.saturating_sub(OWN_BYTES);
        if said.bytes + length <= room / 2 && so_far.bytes + length <= room {
            (said.bytes, so_far.bytes) = (said.bytes + length, so_far.bytes + length);
            file.write_all(line.as_bytes())?;
            return Ok(true);
        }
        said.dropped += 1;
        if said.dropped == 1 {
            let line = self.own_line(&format!(
                "`{plugin}` has no room for more: what it writes from here on is dropped"
            ));
            so_far.bytes += line.len() as u64;
            if so_far.bytes <= self.bytes_max {
                file.write_all(line.as_bytes())?;
            }
        }
        Ok(false)
    }

    fn own_line(&self, text: &str) -> String {
        format!("{} warn  orch-host: {text}\n", self.stamp(crate::clock::now_ms()))
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogSink for RunLog {
    fn line(&self, plugin: &str, level: LogLevel, text: &str) {
        let level = match level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        };
        let at = self.stamp(crate::clock::now_ms());
        if let Err(error) = self.write(plugin, &format!("{at} {level:5} {plugin}: {}\n", escape(text))) {
            let mut so_far = self.so_far();
            so_far.plugins.entry(plugin.to_owned()).or_default().dropped += 1;
            // Once: a plugin may write as many lines as it likes.
            if !std::mem::replace(&mut so_far.failed, true) {
                tracing::warn!(%error, file = self.name, "lines of plugins cannot be written");
            }
        }
    }

    fn dropped(&self) -> Vec<(String, u64)> {
        let so_far = self.so_far();
        let dropped = so_far.plugins.iter().filter(|(_, said)| said.dropped > 0);
        dropped.map(|(plugin, said)| (plugin.clone(), said.dropped)).collect()
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        let lines: String = self
            .dropped()
            .iter()
            .map(|(plugin, count)| self.own_line(&format!("{count} lines of `{plugin}` were dropped")))
            .collect();
        let so_far = &mut *self.so_far();
        if let Some(file) = &mut so_far.file
            && so_far.bytes + lines.len() as u64 <= self.bytes_max
        {
            // Nobody is left to hear of a fault.
            let _ = file.write_all(lines.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_stamp_is_that_of_the_moment_also_within_one_second() {
        let log = RunLog::new(PathBuf::new(), "r", 0);
        for at in
            [1_700_000_000_000, 1_700_000_000_042, 1_700_000_000_999, 1_700_000_001_000, 1_600_000_000_007]
        {
            assert_eq!(log.stamp(at), log_stamp(at));
        }
    }

    #[test]
    fn a_plugin_fills_half_of_it_counted_as_written_and_the_rest_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (logs, path) = (folder.path().join("logs"), folder.path().join("logs/run-r.log"));
        // A host that goes on with the run finds what the one before wrote.
        for hosts in 1..=3 {
            let log = RunLog::new(logs.clone(), "r", MIB);
            // Each is four times as long when it is escaped.
            let lines = 100 * hosts;
            for _ in 0..lines {
                log.line("demo/loud", LogLevel::Info, &"\u{1b}".repeat(8000));
            }
            log.line("demo/quiet", LogLevel::Info, "a word");
            let dropped = log.dropped();
            assert_eq!((dropped.len(), dropped[0].0.as_str()), (1, "demo/loud"));
            drop(log);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.len() as u64 <= MIB, "{}", text.len());
            assert_eq!(text.matches("demo/quiet: a word").count(), hosts);
            assert!(
                text.ends_with(&format!("{} lines of `demo/loud` were dropped\n", dropped[0].1)),
                "{hosts}"
            );
            assert!(text.contains("`demo/loud` has no room for more"));
        }
    }

    #[test]
    fn what_cannot_be_written_is_dropped_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let fifo = logs.join("run-r.log");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let log = RunLog::new(logs, "r", MIB);
        for _ in 0..3 {
            log.line("demo/x", LogLevel::Info, "a");
        }
        assert_eq!(log.dropped(), [("demo/x".to_owned(), 3)]);
    }
}
