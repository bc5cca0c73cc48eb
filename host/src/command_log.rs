//! What the commands of one attempt or call printed, in one file of `logs/`.
//!
//! In -> out: bytes as they come -> the file: its first part at once, its end when a command is over.
//! Limits: bytes of the file (the caller's); of what comes beyond it the last [`TAIL_BYTES_MAX`] are kept, after a line
//! that says how many bytes are missing.
//! Invariant: what fits is kept byte for byte; what does not is counted.
//! Not here: how the file is opened (`log_folder.rs`), the commands (`processes.rs`).

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_supervisor::{Keep, Log};
use orch_task::TaskId;

use crate::log_folder;

/// The reason stands at the end; this much is held in memory until the command is over.
const TAIL_BYTES_MAX: u64 = 1 << 20;

/// Whose commands a log file holds; times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub enum LogName {
    Attempt {
        task: TaskId,
        attempt: u32,
        at: u64,
    },
    /// `place` is that of the run's last event as the call began: no two calls of a run share it.
    Call {
        call: &'static str,
        task: Option<TaskId>,
        plugin: String,
        at: u64,
        place: u64,
    },
}

impl fmt::Display for LogName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt { task, attempt, at } => {
                write!(out, "task-{task}-{}-{attempt}.log", log_stamp(*at))
            }
            Self::Call { call, task, plugin, at, place } => {
                let name = plugin.rsplit('/').next().unwrap_or(plugin);
                let task = task.as_ref().map_or_else(String::new, |task| format!("{task}-"));
                write!(out, "{call}-{task}{name}-{}-{place}.log", log_stamp(*at))
            }
        }
    }
}

/// Milliseconds since 1970 as `20261121-121726.042` (UTC), for names of log files.
pub fn log_stamp(at_ms: u64) -> String {
    let stamp =
        jiff::Timestamp::from_millisecond(i64::try_from(at_ms).unwrap_or(i64::MAX)).unwrap_or_default();
    stamp.strftime("%Y%m%d-%H%M%S.%3f").to_string()
}

/// When the call or the run whose log has that name began, to the second, as [`log_stamp`] writes it; none if it is no log of
/// a run's. These texts sort by time.
pub fn began(name: &str) -> Option<&str> {
    let name = name.strip_suffix(".log")?;
    let stamp = match name.strip_prefix("run-") {
        Some(run) => run,
        None => {
            let (name, _number) = name.rsplit_once('-')?;
            name.get(name.len().checked_sub(SECONDS.len() + ".000".len())?..)?
        }
    };
    let stamp = stamp.get(..SECONDS.len())?;
    let is_like = |(found, like): (u8, u8)| found == like || (found.is_ascii_digit() && like == b'0');
    stamp.bytes().zip(SECONDS.bytes()).all(is_like).then_some(stamp)
}

/// The form of a stamp without its milliseconds.
const SECONDS: &str = "00000000-000000";

/// Output for which a log file had no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogCut {
    pub kept_bytes: u64,
    pub all_bytes: u64,
}

impl fmt::Display for LogCut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept_bytes, all_bytes } = self;
        write!(
            out,
            "{kept_bytes} of {all_bytes} bytes of output are kept, its beginning and its end; `log_mib` in `config.yaml` is \
             the limit"
        )
    }
}

/// A log file that is made when the first command starts.
pub struct CommandLog {
    folder: PathBuf,
    name: LogName,
    so_far: Mutex<SoFar>,
}

struct SoFar {
    file: Option<File>,
    keep: Keep,
    left: u32,
}

impl CommandLog {
    pub fn new(folder: PathBuf, name: LogName, bytes_max: u64) -> Self {
        let so_far = SoFar { file: None, keep: Keep::new(bytes_max, TAIL_BYTES_MAX), left: 0 };
        Self { folder, name, so_far: Mutex::new(so_far) }
    }

    /// What of the output is kept, if not all of it is.
    pub fn cut(&self) -> Option<LogCut> {
        let so_far = self.so_far();
        let all_bytes = so_far.keep.all_bytes();
        let missed = so_far.keep.missed_bytes();
        (missed > 0).then_some(LogCut { kept_bytes: all_bytes - missed, all_bytes })
    }

    /// Relative to the workspace; none if no command ran.
    pub fn path(&self) -> Option<String> {
        self.so_far().file.as_ref().map(|_| format!("logs/{}", self.name))
    }

    /// Processes that commands left running, and that were ended.
    pub fn left(&self) -> u32 {
        self.so_far().left
    }

    pub(crate) fn add_left(&self, left: u32) {
        let mut so_far = self.so_far();
        so_far.left = so_far.left.saturating_add(left);
    }

    /// Makes the file, if it is not there yet.
    pub(crate) fn open(self: &Arc<Self>) -> io::Result<OpenLog> {
        let mut so_far = self.so_far();
        if so_far.file.is_none() {
            so_far.file = Some(log_folder::make(&self.folder, &self.name.to_string())?);
        }
        drop(so_far);
        Ok(OpenLog { log: self.clone() })
    }

    fn take(&self, bytes: &[u8]) -> io::Result<()> {
        let SoFar { file, keep, .. } = &mut *self.so_far();
        let head = keep.take(bytes);
        match file {
            Some(file) if !head.is_empty() => file.write_all(head),
            _ => Ok(()),
        }
    }

    /// Puts the end behind the head, in the place of that of the command before.
    fn write_end(&self) -> io::Result<()> {
        let SoFar { file, keep, .. } = &mut *self.so_far();
        let end = keep.end();
        match file {
            Some(file) if !end.is_empty() => {
                file.set_len(keep.head_bytes())?;
                file.write_all(&end)
            }
            _ => Ok(()),
        }
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log while one command writes to it. Also of a command that is given up the end is kept.
pub(crate) struct OpenLog {
    log: Arc<CommandLog>,
}

impl OpenLog {
    async fn aside(
        &self,
        work: impl FnOnce(&CommandLog) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let log = self.log.clone();
        tokio::task::spawn_blocking(move || work(&log))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Log for OpenLog {
    async fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        let bytes = bytes.to_vec();
        self.aside(move |log| log.take(&bytes)).await
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.aside(CommandLog::write_end).await
    }
}

impl Drop for OpenLog {
    fn drop(&mut self) {
        // Of one that is finished this writes the same again; nobody is left to hear of a fault.
        let _ = self.log.write_end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_name_of_a_log_says_when_it_began() {
        let at = 1_795_263_446_042;
        let (task, plugin) = (TaskId::parse("run-1-2").unwrap(), "demo/verifier-command".to_owned());
        let attempt = LogName::Attempt { task: task.clone(), attempt: 12, at };
        let call = LogName::Call { call: "verify", task: Some(task), plugin, at, place: 7 };
        let stamp = log_stamp(at);
        for name in [attempt.to_string(), call.to_string(), format!("run-{}-4f3a.log", &stamp[..15])] {
            assert_eq!(began(&name), stamp.get(..15), "{name}");
        }
        for name in ["run-serve.log", "notes.txt", "a.log", "task-a-1.log", "x-20261121-121726.042-1.txt", ""]
        {
            assert_eq!(began(name), None, "{name}");
        }
    }

    fn log(folder: &std::path::Path, bytes_max: u64) -> Arc<CommandLog> {
        let task = TaskId::parse("a").unwrap();
        let name = LogName::Attempt { task, attempt: 1, at: 0 };
        Arc::new(CommandLog::new(folder.join("logs"), name, bytes_max))
    }

    fn text(folder: &std::path::Path, log: &CommandLog) -> String {
        std::fs::read_to_string(folder.join(log.path().unwrap())).unwrap()
    }

    #[tokio::test]
    async fn of_several_long_commands_the_first_and_the_last_part_of_all_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 2 * MIB);
        assert_eq!(log.path(), None);
        let lines = |what: &str| format!("{what}\n").repeat(MIB as usize / 4);
        for (at, what) in ["first", "second", "third", "fourth"].into_iter().enumerate() {
            let mut open = log.open().unwrap();
            for part in lines(what).as_bytes().chunks(64 << 10) {
                open.keep(part).await.unwrap();
            }
            // One is given up.
            if at != 2 {
                open.finish().await.unwrap();
            }
            drop(open);
            let text = text(folder.path(), &log);
            assert!(text.starts_with("first\n") && text.ends_with(&format!("{what}\n")), "{what}");
            assert!(text.len() as u64 <= 2 * MIB, "{what}: {}", text.len());
        }
        let text = text(folder.path(), &log);
        assert_eq!(text.matches("bytes are left out here").count(), 1);
        assert!(!text.contains("third"));
        let all: u64 =
            ["first", "second", "third", "fourth"].map(|what| lines(what).len() as u64).iter().sum();
        let cut = log.cut().unwrap();
        // But for the line.
        assert_eq!(cut.all_bytes, all);
        assert!((2 * MIB - 100..2 * MIB).contains(&cut.kept_bytes), "{cut:?}");
    }

    #[tokio::test]
    async fn what_fits_is_kept_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), MIB);
        for byte in [b'a', b'b'] {
            let mut open = log.open().unwrap();
            open.keep(&vec![byte; MIB as usize / 2]).await.unwrap();
            open.finish().await.unwrap();
        }
        assert_eq!(log.cut(), None);
        let half = MIB as usize / 2;
        assert_eq!(text(folder.path(), &log), "a".repeat(half) + &"b".repeat(half));
    }

    #[tokio::test]
    async fn a_log_without_room_is_empty_and_counts() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), 0);
        let mut open = log.open().unwrap();
        open.keep(b"abc").await.unwrap();
        open.finish().await.unwrap();
        assert_eq!(text(folder.path(), &log), "");
        assert_eq!(log.cut(), Some(LogCut { kept_bytes: 0, all_bytes: 3 }));
    }
}
