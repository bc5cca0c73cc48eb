//! What the commands of one attempt or call printed, in one file of `logs/`.
//!
//! In -> out: bytes as they come -> the file, at once.
//! Limits: bytes of the file (the caller's); of what comes beyond it the last [`TAIL_BYTES_MAX`] are kept, after a line
//! that says how many bytes are missing; while a command runs at least a quarter of them.
//! Invariant: what fits is kept byte for byte; what does not is counted; the head never changes once it is written.
//! Not here: how the file is opened and followed (`log_folder.rs`), the commands (`processes.rs`).

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_supervisor::{Keep, Log};
use orch_task::TaskId;

use crate::console::escape;
use crate::log_folder;

/// The reason stands at the end; this much is held in memory until the command is over.
const TAIL_BYTES_MAX: u64 = 1 << 20;

/// Where the line about what is missing stands in a log of at most so many bytes.
pub fn gap_at(bytes_max: u64) -> u64 {
    keep(bytes_max).head_bytes_max()
}

fn keep(bytes_max: u64) -> Keep {
    Keep::new(bytes_max, TAIL_BYTES_MAX)
}

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
    /// Of the file.
    bytes: u64,
    left: u32,
}

impl CommandLog {
    pub fn new(folder: PathBuf, name: LogName, bytes_max: u64) -> Self {
        let so_far = SoFar { file: None, keep: keep(bytes_max), bytes: 0, left: 0 };
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

    /// A line of the host's own behind what the commands printed.
    pub(crate) fn note(&self, line: &str) {
        // What cannot be written is missing from a log that cannot be written: its commands said so already.
        let _ = self.take(format!("\n[orch: {}]\n", escape(line)).as_bytes());
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
        let so_far = &mut *self.so_far();
        let head = so_far.keep.take(bytes);
        so_far.write(head)?;
        // Who follows the log sees what comes beyond the head, too.
        let rest = bytes.get(head.len()..).unwrap_or_default();
        match so_far.bytes + rest.len() as u64 <= so_far.keep.bytes_max() {
            true => so_far.write(rest),
            false => so_far.write_behind_head(&so_far.keep.end_so_far()),
        }
    }

    /// Puts the end behind the head, in the place of what stood there.
    fn write_end(&self) -> io::Result<()> {
        let so_far = &mut *self.so_far();
        so_far.write_behind_head(&so_far.keep.end())
    }

    /// Nothing came that belongs behind the head.
    fn is_all_head(&self) -> bool {
        let so_far = self.so_far();
        so_far.keep.all_bytes() == so_far.keep.head_bytes()
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SoFar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) if !bytes.is_empty() => {
                file.write_all(bytes)?;
                self.bytes += bytes.len() as u64;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn write_behind_head(&mut self, end: &[u8]) -> io::Result<()> {
        if let Some(file) = &self.file
            && self.bytes > self.keep.head_bytes()
        {
            file.set_len(self.keep.head_bytes())?;
            self.bytes = self.keep.head_bytes();
        }
        self.write(end)
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
        match self.log.is_all_head() {
            true => Ok(()),
            false => self.aside(CommandLog::write_end).await,
        }
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
    use orch_supervisor::read_gap;

    use super::*;
    use crate::log_folder::tail::Tail;

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

    /// All that a follower of the log gets by now.
    fn follow(tail: &mut Tail, seen: &mut Vec<u8>) {
        let mut buffer = vec![0; 50_000];
        while let count @ 1.. = tail.read(&mut buffer).unwrap() {
            seen.extend_from_slice(&buffer[..count]);
        }
    }

    #[tokio::test]
    async fn who_follows_a_log_beyond_its_head_gets_what_comes_and_is_told_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), MIB);
        let all: Vec<u8> = (0..5 * MIB).map(|at| b'a' + (at % 23) as u8).collect();
        let opened = || {
            let name = log.path().unwrap();
            let file = log_folder::read(&folder.path().join("logs"), name.strip_prefix("logs/").unwrap());
            Tail::new(file.unwrap(), gap_at(MIB))
        };
        let mut open = log.open().unwrap();
        let (mut often, mut seldom) = (opened(), opened());
        let (mut of_often, mut of_seldom) = (Vec::new(), Vec::new());
        for (nth, part) in all.chunks(70_000).enumerate() {
            open.keep(part).await.unwrap();
            follow(&mut often, &mut of_often);
            let now = text(folder.path(), &log);
            assert!(now.len() as u64 <= MIB, "{}", now.len());
            assert!(all[..(nth * 70_000 + part.len())].ends_with(&now.as_bytes()[now.len() - 1000..]));
            if nth % 30 == 29 {
                follow(&mut seldom, &mut of_seldom);
            }
        }
        open.finish().await.unwrap();
        drop(open);
        follow(&mut often, &mut of_often);
        follow(&mut seldom, &mut of_seldom);
        // Who looks often enough misses nothing, though the file lacks most of it.
        assert!(of_often == all, "{} of {}", of_often.len(), all.len());
        let (mut at, mut rest, mut gaps) = (0, &of_seldom[..], 0);
        while !rest.is_empty() {
            if let Some((missed, line)) = read_gap(rest) {
                (at, rest, gaps) = (at + missed as usize, &rest[line..], gaps + 1);
                continue;
            }
            assert_eq!(rest[0], all[at], "at {at}");
            (at, rest) = (at + 1, &rest[1..]);
        }
        assert_eq!((at, gaps), (all.len(), 3));
        assert_eq!(seldom.waiting().unwrap(), 0);
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
