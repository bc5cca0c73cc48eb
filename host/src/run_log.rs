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

use crate::call::{LogLevel, LogSink};
use crate::console::escape;

/// The file, made with the first line.
pub struct RunLog {
    folder: PathBuf,
    name: String,
    file: Mutex<Option<File>>,
}

impl RunLog {
    pub fn new(folder: PathBuf, run: &str) -> Self {
        Self { folder, name: format!("run-{run}.log"), file: Mutex::new(None) }
    }

    fn write(&self, line: &str) -> std::io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            crate::processes::make_log_folder(&self.folder)?;
            let open = OpenOptions::new()
                .create(true)
                .append(true)
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
        let at = crate::processes::log_stamp(crate::drive::desk::now_ms());
        if let Err(error) = self.write(&format!("{at} {level:5} {plugin}: {}\n", escape(text))) {
            tracing::warn!(%error, "a plugin's log line could not be written");
        }
    }
}
