//! Lines that plugins write, in one file of the run.
//!
//! In -> out: plugin, level, text -> `logs/run-<id>.log`, one escaped line each.
//! Invariant: a line is one line, whatever the plugin wrote into it.
//! Not here: how much a call may write (`capability/log.rs`).

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::capability::log::{LogLevel, LogSink};
use crate::console::escape;

/// The file, made with the first line.
pub struct RunLog {
    folder: PathBuf,
    name: String,
    file: Mutex<Option<File>>,
    /// The second of the last line, as it is written: most lines share theirs with the one before.
    second: Mutex<(u64, String)>,
}

impl RunLog {
    pub fn new(folder: PathBuf, run: &str) -> Self {
        Self { folder, name: format!("run-{run}.log"), file: Mutex::new(None), second: Mutex::default() }
    }

    fn stamp(&self, at_ms: u64) -> String {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.0 != at_ms / 1000 || second.1.is_empty() {
            let stamp = crate::processes::log_stamp(at_ms);
            *second = (at_ms / 1000, stamp.split('.').next().unwrap_or_default().to_owned());
        }
        format!("{}.{:03}", second.1, at_ms % 1000)
    }

    fn write(&self, line: &str) -> std::io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            crate::processes::make_log_folder(&self.folder)?;
            let open = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .custom_flags(libc::O_NOFOLLOW)
                .open(self.folder.join(&self.name))?;
            *file = Some(open);
        }
        match file.as_mut() {
            Some(file) => file.write_all(line.as_bytes()),
            None => Ok(()),
        }
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
        if let Err(error) = self.write(&format!("{at} {level:5} {plugin}: {}\n", escape(text))) {
            tracing::warn!(%error, "a plugin's log line could not be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_that_of_the_moment_also_within_one_second() {
        let log = RunLog::new(PathBuf::new(), "r");
        for at in
            [1_700_000_000_000, 1_700_000_000_042, 1_700_000_000_999, 1_700_000_001_000, 1_600_000_000_007]
        {
            assert_eq!(log.stamp(at), crate::processes::log_stamp(at));
        }
    }
}
