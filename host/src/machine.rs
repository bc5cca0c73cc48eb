//! What this machine must give before a task begins: calls of its kernel, files, folders that can be written. Each is tried.
//!
//! In -> out: the folders of a run -> nothing, or the [`Fault`] of what is lacking.
//! Invariant: nothing is left of a trial. What fails here would fail in the midst of a run, as many tasks in doubt.
//! Not here: each call of the supervisors (`orch-supervisor`'s `kernel.rs`), what a plugin is refused (`capability/`).

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use orch_supervisor::Lacking;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::exit::{Exit, Fault};
use crate::open_files;

const OPEN_FILES_MIN: u64 = 64;
/// As Linux gives a program that nobody limits.
const STACK_BYTES: usize = 8 << 20;
/// Supervisors of commands have no more, and no thread of their own.
const STACK_BYTES_MIN: u64 = 64 << 10;
/// A block of every file system: one without room has none for it.
const TRIAL_BYTES: usize = 4096;

/// Makes limits errors of what was asked, wherever they can be: the limit of open files is raised as far as the system allows,
/// that of a file's size ends nothing. With fewer files than the least the parts of a run would fail one by one, each in its
/// own words.
///
/// # Errors
/// `stack`, `open-files`.
pub fn settle_limits() -> Result<(), Fault> {
    orch_supervisor::survive_large_files();
    if let Some(few) = getrlimit(Resource::Stack).current.filter(|bytes| *bytes < STACK_BYTES_MIN) {
        let hint = "`ulimit -s 8192` in the shell that starts it: what sees to commands would overflow, and nobody would know how they ended";
        let what =
            anyhow::anyhow!("this process has a stack of {few} bytes, expected at least {STACK_BYTES_MIN}");
        return Err(Fault::new(Exit::HostError, "stack", Some(hint.to_owned()), what));
    }
    match open_files::raise() {
        few if few < OPEN_FILES_MIN => {
            let hint =
                Some(format!("`ulimit -n 1024` in the shell that starts it; {OPEN_FILES_MIN} is the least"));
            let what =
                anyhow::anyhow!("this process may open {few} files, expected at least {OPEN_FILES_MIN}");
            Err(Fault::new(Exit::HostError, "open-files", hint, what))
        }
        _ => Ok(()),
    }
}

/// Runs a program on a stack of its own if `ulimit -s` leaves its first thread too little: that one would overflow, which ends a
/// program without a word. Where no thread starts, it runs where it is.
pub fn with_stack<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    let is_enough = getrlimit(Resource::Stack).current.is_none_or(|bytes| bytes >= STACK_BYTES as u64);
    let mut run = Some(run);
    let mut done = None;
    if !is_enough {
        std::thread::scope(|scope| {
            let own = std::thread::Builder::new().name("main".to_owned()).stack_size(STACK_BYTES);
            if let Ok(own) = own.spawn_scoped(scope, || done = run.take().map(|run| run()))
                && let Err(panic) = own.join()
            {
                std::panic::resume_unwind(panic);
            }
        });
    }
    match (done, run) {
        (Some(done), _) => done,
        (None, Some(run)) => run(),
        (None, None) => unreachable!("what was taken was run"),
    }
}

/// Refuses a machine on which a run would fail in its midst. `written`: the folders that it writes into; of one that is not
/// there yet, whichever above it is.
pub fn check<'a>(written: impl IntoIterator<Item = &'a Path>) -> Result<(), Fault> {
    if let Some(Lacking { what, source }) = lacking_calls().into_iter().next() {
        let error = anyhow::Error::from(source).context(format!("this machine does not give `{what}`"));
        return Err(Fault::new(Exit::HostError, "machine-call", Some(CALL_HINT.to_owned()), error));
    }
    if let Some((folder, source)) = unwritten(written).into_iter().next() {
        let hint = folder_hint(&folder, &source);
        let error =
            anyhow::Error::from(source).context(format!("`{}` cannot be written into", folder.display()));
        return Err(Fault::new(Exit::HostError, "machine-folder", Some(hint), error));
    }
    Ok(())
}

pub const CALL_HINT: &str = "Linux 5.9 or newer gives every call that a run needs; in a container the runtime's seccomp profile \
                             may refuse what the kernel has (Docker before 20.10, an old libseccomp)";

/// What of the kernel, and of the files that it shows, is not there.
pub fn lacking_calls() -> Vec<Lacking> {
    let how = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat2(CWD, "/", how, Mode::empty(), ResolveFlags::NO_MAGICLINKS);
    let openat2 = opened.err().map(|errno| Lacking { what: "openat2", source: errno.into() });
    openat2.into_iter().chain(orch_supervisor::lacking()).collect()
}

/// The folders that take no file, with what the system said.
pub fn unwritten<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Vec<(PathBuf, io::Error)> {
    let existing = |folder: &Path| folder.ancestors().find(|above| above.exists()).map(Path::to_owned);
    let tried: BTreeSet<PathBuf> = folders.into_iter().filter_map(existing).collect();
    tried.into_iter().filter_map(|folder| try_to_write(&folder).err().map(|error| (folder, error))).collect()
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    nameless(folder)?.write_all(&[0; TRIAL_BYTES])
}

/// A file without a name, so that a host that is killed here leaves nothing in a person's folder; on a file system that has none,
/// one that loses its name at once.
fn nameless(folder: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    match openat2(CWD, folder, flags, Mode::RUSR | Mode::WUSR, ResolveFlags::empty()) {
        Ok(file) => Ok(file.into()),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => named_for_a_moment(folder),
        Err(errno) => Err(errno.into()),
    }
}

fn named_for_a_moment(folder: &Path) -> io::Result<File> {
    let random = getrandom::u64().map_err(io::Error::other)?;
    let path = folder.join(format!(".{random:016x}.orch-trial"));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// What helps against that reason, and no other.
pub fn folder_hint(folder: &Path, source: &io::Error) -> String {
    let folder = folder.display();
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("make room on its disk: `df -h {folder}`, `df -i {folder}`, `quota`")
        }
        ErrorKind::ReadOnlyFilesystem => {
            format!(
                "its disk is mounted read-only, and a run is recorded there: `findmnt -T {folder}` says which"
            )
        }
        ErrorKind::PermissionDenied => {
            format!("this user may not write there, and a run is recorded there: `ls -ld {folder}`")
        }
        ErrorKind::FileTooLarge => {
            "`ulimit -f unlimited` in the shell that starts it: it allows this process no files of any use"
                .to_owned()
        }
        _ => format!("a run is recorded there: `ls -ld {folder}` says what it is"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_folder_is_tried_where_it_is_or_would_be_and_nothing_is_left_of_it() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, "").unwrap();
        let (below, above) = (file.join("heads"), place.path().join("a/b"));
        assert!(unwritten([place.path(), &above]).is_empty());
        // A system says so of a file as it does of a disk that is mounted to be read.
        let found = unwritten([below.as_path(), &file, place.path()]);
        assert_eq!(found.iter().map(|(folder, _)| folder.as_path()).collect::<Vec<_>>(), [file.as_path()]);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
        for made in [nameless(place.path()), named_for_a_moment(place.path())] {
            assert_eq!(made.unwrap().metadata().unwrap().nlink(), 0);
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
        let fault = check([file.as_path()]).unwrap_err();
        assert_eq!((fault.exit, fault.code), (Exit::HostError, "machine-folder"));
    }

    #[test]
    fn a_program_runs_once_whatever_its_first_thread_has() {
        let run = |deep: u32| {
            fn deepen(left: u32) -> u64 {
                let room = std::hint::black_box([left as u8; 1024]);
                if left == 0 { 0 } else { u64::from(room[0] == left as u8) + deepen(left - 1) }
            }
            with_stack(|| deepen(deep))
        };
        // More than this test's own thread could hold under a small limit, and far less than the stack that is promised.
        assert_eq!(run(100), 100);
        let mut times = 0;
        with_stack(|| times += 1);
        assert_eq!(times, 1);
    }

    #[test]
    fn no_hint_speaks_of_another_reason() {
        let hint = |kind: ErrorKind| folder_hint(Path::new("/x"), &kind.into());
        assert!(hint(ErrorKind::StorageFull).contains("df -h /x"));
        for kind in [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied, ErrorKind::NotADirectory] {
            assert!(!hint(kind).contains("room") && !hint(kind).contains("full"), "{kind}");
        }
    }
}
