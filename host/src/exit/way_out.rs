//! What helps against what the system says no with.
//!
//! In -> out: an error's causes, what was refused a store -> a hint, if the reason is a limit, the disk or the machine.
//! Invariant: a hint speaks of the reason that the system gave, and of a limit only where this process has one.
//! Not here: folders that a run writes into (`machine.rs`), reasons that are ours (beside each error).

use std::error::Error;
use std::io;

use orch_journal::Refused;
use rustix::process::{Resource, getrlimit};

pub const NO_PROCESS: &str = "`ulimit -u` in the shell that starts it, or `pids.max` of its control group: a host has some dozens of \
                              threads, and each command two processes more";
const READ_ONLY: &str = "look whether the disk was mounted read-only, as one with faults is (`dmesg`), or the folder was taken from this user";
const FULL: &str = "look for a full disk: `df -h`, `df -i`, `quota`";
const MEMORY: &str =
    "look for `ulimit -v` in the shell that starts it, and for `memory.max` of its control group";
const FILES: &str = "`ulimit -n 1024` in the shell that starts it";
const ALL_FILES: &str =
    "every file that this machine may open is open: end what holds them, or raise `sysctl fs.file-max`";

/// Of the first cause that the system gave, if something helps against it.
pub fn of<'e>(mut causes: impl Iterator<Item = &'e (dyn Error + 'static)>) -> Option<String> {
    causes.find_map(|cause| of_io(cause.downcast_ref()?))
}

fn of_io(error: &io::Error) -> Option<String> {
    Some(match error.raw_os_error()? {
        libc::EAGAIN => NO_PROCESS.to_owned(),
        libc::EFBIG => too_large().unwrap_or_else(|| "its disk takes no file of that size".to_owned()),
        libc::ENOSPC | libc::EDQUOT => FULL.to_owned(),
        libc::EROFS => READ_ONLY.to_owned(),
        libc::ENOMEM => MEMORY.to_owned(),
        libc::EMFILE => FILES.to_owned(),
        libc::ENFILE => ALL_FILES.to_owned(),
        _ => return None,
    })
}

/// What helps a store that was refused that.
pub fn of_refused(refused: Refused) -> String {
    match refused {
        Refused::ReadOnly => READ_ONLY.to_owned(),
        Refused::Unopened => format!("{READ_ONLY}; and at `ulimit -n`"),
        Refused::Full => FULL.to_owned(),
        Refused::Write => {
            too_large().unwrap_or_else(|| format!("{FULL}; and for faults of the disk (`dmesg`)"))
        }
        Refused::Memory => MEMORY.to_owned(),
        Refused::Busy => "somebody else holds the file, with a tool for SQLite: end it".to_owned(),
    }
}

/// That files of this process may not grow, where that is so.
fn too_large() -> Option<String> {
    let bytes = getrlimit(Resource::Fsize).current?;
    Some(format!(
        "this process may make no file larger than {bytes} bytes: `ulimit -f unlimited` in the shell that starts it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_out_is_one_of_another_reason() {
        let hint = |errno| {
            let error = anyhow::Error::from(io::Error::from_raw_os_error(errno)).context("cannot write `x`");
            of(error.chain())
        };
        for (errno, words) in [
            (libc::EAGAIN, "ulimit -u"),
            (libc::ENOSPC, "df -h"),
            (libc::EDQUOT, "quota"),
            (libc::EROFS, "read-only"),
            (libc::ENOMEM, "ulimit -v"),
            (libc::EMFILE, "ulimit -n"),
            (libc::ENFILE, "fs.file-max"),
        ] {
            assert!(hint(errno).is_some_and(|hint| hint.contains(words)), "{words}");
        }
        for errno in [libc::ENOENT, libc::EACCES, libc::EISDIR] {
            assert_eq!(hint(errno), None);
        }
        // Where this process has no limit, none is spoken of.
        let has_limit = getrlimit(Resource::Fsize).current.is_some();
        for hint in [hint(libc::EFBIG).unwrap_or_default(), of_refused(Refused::Write)] {
            assert_eq!(hint.contains("ulimit -f"), has_limit, "{hint}");
        }
    }
}
