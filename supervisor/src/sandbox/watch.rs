//! What a command and all its descendants take together, looked at while they run.
//!
//! In -> out: process ids, disks, [`Limits`] -> the limit that is passed.
//! Not here: ending them (`serve.rs`).

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, fstatvfs};

use super::limits::{Limit, Limits};

/// The disks that a command writes, held open: it may take away the folders.
pub(crate) struct Disks(Vec<OwnedFd>);

impl Disks {
    /// Of these folders; of one that is not there none.
    pub(crate) fn of<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Self {
        let how = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |folder: &Path| rustix::fs::open(folder, how, Mode::empty()).ok();
        Self(folders.into_iter().filter_map(open).collect())
    }

    /// True if one of them has less room than that, for whoever has no rights.
    fn have_less(&self, bytes: u64) -> io::Result<bool> {
        for disk in &self.0 {
            let found = fstatvfs(disk)?;
            if found.f_bavail.saturating_mul(found.f_frsize) < bytes {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Which limit these processes are beyond, if any.
pub(crate) fn beyond(limits: &Limits, processes: &[u32], disks: &Disks) -> io::Result<Option<Limit>> {
    if let Some(least) = limits.free_bytes
        && disks.have_less(least)?
    {
        return Ok(Some(Limit::Room));
    }
    let count = u32::try_from(processes.len()).unwrap_or(u32::MAX);
    if limits.processes.is_some_and(|most| count > most) {
        return Ok(Some(Limit::Processes));
    }
    let Some(most) = limits.memory_bytes else { return Ok(None) };
    // The cheap sum counts what a fork shares more than once; only where it is beyond is there a dear one.
    let is_beyond = sum(processes, resident)? > most && sum(processes, proportional)? > most;
    Ok(is_beyond.then_some(Limit::Memory))
}

fn sum(processes: &[u32], bytes: fn(u32) -> io::Result<u64>) -> io::Result<u64> {
    processes.iter().try_fold(0, |sum: u64, process| Ok(sum.saturating_add(bytes(*process)?)))
}

/// Bytes that are resident and not of a file; 0 of one that is over.
fn resident(process: u32) -> io::Result<u64> {
    let text = read(process, "statm")?;
    let mut numbers = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (Some(Ok(resident)), Some(Ok(shared))) = (numbers.next(), numbers.next()) else { return Ok(0) };
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(u64::MAX);
    Ok(resident.saturating_sub(shared).saturating_mul(page))
}

/// The same, each shared page divided among those who share it. One that lets nobody look counts whole.
fn proportional(process: u32) -> io::Result<u64> {
    let text = match read(process, "smaps_rollup") {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return resident(process),
        text => text?,
    };
    let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
    let kib =
        line.and_then(|line| line.split_ascii_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    match kib {
        Some(kib) => Ok(kib.saturating_mul(1024)),
        // A kernel before 5.9 has no such line.
        None => resident(process),
    }
}

/// Of `/proc`; nothing of a process that is over.
fn read(process: u32, name: &str) -> io::Result<String> {
    match fs::read_to_string(format!("/proc/{process}/{name}")) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(String::new()),
        text => text,
    }
}
