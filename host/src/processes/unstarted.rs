//! Why there is no output of a command, in one clause with the system's own reason.
//!
//! In -> out: what was asked, the supervisor's error -> [`ProcessError`], as the guest may act on it.
//! Limits: of a script's first line, 128 bytes.
//! Invariant: the file is only looked at, after the system refused it; of a program that is there no path is named but the
//! one in its own first line.
//! Not here: which programs are granted and where a name leads (`capability/process.rs`).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use orch_supervisor::{RunError, StartStep};
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::io::Errno;

use crate::capability::process::{ProcessError, ProcessRequest};

/// Of a file, for its `#!` line. The kernel looks at twice as much.
const HEAD_BYTES: u64 = 128;

/// Why that request has no output.
pub(super) fn refused(request: &ProcessRequest, error: RunError) -> ProcessError {
    match error {
        RunError::NotStarted { step: StartStep::Program, source, .. } => {
            not_executed(&request.program, &source)
        }
        RunError::NotStarted { step: StartStep::Directory, source, .. } => {
            let why = format!("folder `{}`: {source}", request.directory.display());
            match source.kind() {
                io::ErrorKind::NotFound => ProcessError::NotFound { why },
                _ => ProcessError::NotStarted { why },
            }
        }
        // It may have run, in part or whole: nobody knows how it ended, so the guest gets no answer to act on.
        RunError::SupervisorGone | RunError::Socket { .. } | RunError::Log { .. } | RunError::Read { .. } => {
            ProcessError::EndUnknown { why: chain(error) }
        }
        RunError::Invalid { what } => ProcessError::NotExecutable { why: what },
        other => ProcessError::NotStarted { why: chain(other) },
    }
}

/// The error and its causes.
fn chain(error: RunError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

fn not_executed(program: &Path, said: &io::Error) -> ProcessError {
    let started_later = |why: &str| ProcessError::NotStarted { why: why.to_owned() };
    match said.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NOTDIR) if program.metadata().is_err() => {
            ProcessError::NotFound { why: missing(program) }
        }
        Some(Errno::AGAIN) => {
            started_later("the system starts no more processes for this user (`ulimit -u`, `pids.max`)")
        }
        Some(Errno::NOMEM) => started_later("the system has no memory for another process"),
        Some(Errno::MFILE) => started_later("its supervisor has no descriptor left (`ulimit -n`)"),
        Some(Errno::NFILE) => started_later("the system has no descriptor left"),
        Some(Errno::TXTBSY) => started_later("its file is being written"),
        said_so => match said_so.and_then(|errno| fault(program, errno)) {
            Some(why) => ProcessError::NotExecutable { why },
            None => ProcessError::NotStarted { why: said.to_string() },
        },
    }
}

fn missing(program: &Path) -> String {
    let shown = program.display();
    match program.parent() {
        _ if program.is_symlink() => format!("`{shown}` is a link that leads nowhere"),
        Some(folder) if !folder.is_dir() => {
            format!("`{shown}` does not exist, nor does its folder")
        }
        _ => format!("`{shown}` does not exist"),
    }
}

/// What is wrong with a program that is there, if it explains what the system said.
fn fault(program: &Path, errno: Errno) -> Option<String> {
    let found = program.metadata().ok()?;
    Some(match errno {
        Errno::TOOBIG => "its arguments and environment are longer than the system takes".to_owned(),
        _ if found.is_dir() => "it is a folder".to_owned(),
        _ if !found.is_file() => "it is no regular file".to_owned(),
        Errno::ACCESS if found.permissions().mode() & 0o111 == 0 => {
            "it is not executable (`chmod +x` makes it so)".to_owned()
        }
        Errno::ACCESS if lies_on_noexec(program) => "its disk is mounted with `noexec`".to_owned(),
        Errno::ACCESS => match interpreter(program) {
            Some(name) => format!("this user may not execute it, or `{name}`, which its first line asks for"),
            None => "this user may not execute it".to_owned(),
        },
        Errno::NOENT => match interpreter(program) {
            Some(name) if name.ends_with(r"\r") => {
                format!("its first line asks for `{name}`, which does not exist: it has Windows line ends")
            }
            Some(name) => format!("its first line asks for `{name}`, which does not exist"),
            None => "the loader that it needs does not exist: it may be built for another system".to_owned(),
        },
        Errno::NOEXEC if head(program).is_ok_and(|head| head.starts_with(b"\x7fELF")) => {
            "it is built for another machine".to_owned()
        }
        Errno::NOEXEC => "it has no `#!` line and is no program of this system".to_owned(),
        _ => return None,
    })
}

fn lies_on_noexec(program: &Path) -> bool {
    statvfs(program).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

/// What the first line of a script asks for, escaped; with its carriage return.
fn interpreter(program: &Path) -> Option<String> {
    let head = head(program).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let line = line.trim_start_matches([' ', '\t']);
    Some(line.split([' ', '\t']).next().unwrap_or_default().escape_debug().to_string())
}

fn head(program: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(program)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The system's own word. A test beside this one that forks while the file is written keeps it busy for a moment.
    fn said(path: &Path) -> io::Error {
        loop {
            let said = std::process::Command::new(path).status().unwrap_err();
            if said.kind() != io::ErrorKind::ExecutableFileBusy {
                return said;
            }
        }
    }

    /// What is said of a file with this text and mode, as the system refuses it.
    #[track_caller]
    fn check(text: &[u8], mode: u32, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let why = expected.to_owned();
        assert_eq!(not_executed(&path, &said(&path)), ProcessError::NotExecutable { why });
    }

    #[test]
    fn the_file_says_why_it_was_not_executed() {
        check(b"#!/bin/sh\n", 0o644, "it is not executable (`chmod +x` makes it so)");
        let windows = r"its first line asks for `/bin/sh\r`, which does not exist: it has Windows line ends";
        check(b"#!/bin/sh\r\necho hi\r\n", 0o755, windows);
        check(b"#! /no/such -x\n", 0o755, "its first line asks for `/no/such`, which does not exist");
        check(
            b"#!/etc/passwd\n",
            0o755,
            "this user may not execute it, or `/etc/passwd`, which its first line asks for",
        );
        check(b"\x7fELF\x02", 0o755, "it is built for another machine");
        check(b"", 0o755, "it has no `#!` line and is no program of this system");
        check(b"echo hi\n", 0o755, "it has no `#!` line and is no program of this system");
    }

    #[test]
    fn what_is_no_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let missing = |name: &str, rest: &str| {
            let path = folder.path().join(name);
            let why = format!("`{}` {rest}", path.display());
            assert_eq!(not_executed(&path, &said(&path)), ProcessError::NotFound { why });
        };
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        missing("link", "is a link that leads nowhere");
        missing("no/such", "does not exist, nor does its folder");
        missing("file/such", "does not exist, nor does its folder");
        missing("none", "does not exist");
        let why = "it is a folder".to_owned();
        assert_eq!(not_executed(folder.path(), &said(folder.path())), ProcessError::NotExecutable { why });
    }

    /// What is wrong with a file that somebody wants to run.
    #[derive(Clone, Debug)]
    enum Cause {
        NoFolder,
        NoFile,
        LinkToNowhere,
        Folder,
        NotExecutable,
        NoFirstLine,
        OtherMachine,
        NoInterpreter { name: String, windows: bool, space: bool },
        InterpreterNotExecutable,
    }

    fn cause() -> impl Strategy<Value = Cause> {
        let interpreter = ("/no/[a-z]{1,12}(/[a-z0-9.]{1,12})?", any::<bool>(), any::<bool>());
        prop_oneof![
            Just(Cause::NoFolder),
            Just(Cause::NoFile),
            Just(Cause::LinkToNowhere),
            Just(Cause::Folder),
            Just(Cause::NotExecutable),
            Just(Cause::NoFirstLine),
            Just(Cause::OtherMachine),
            interpreter.prop_map(|(name, windows, space)| Cause::NoInterpreter { name, windows, space }),
            Just(Cause::InterpreterNotExecutable),
        ]
    }

    impl Cause {
        /// Makes the file so; gives its path.
        fn make(&self, folder: &Path, name: &str, rest: &str) -> std::path::PathBuf {
            let path = folder.join(name);
            let write = |head: &str, mode: u32| {
                std::fs::write(&path, format!("{head}{rest}")).unwrap();
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            };
            match self {
                Self::NoFolder => return folder.join("none").join(name),
                Self::NoFile => {}
                Self::LinkToNowhere => std::os::unix::fs::symlink("nowhere", &path).unwrap(),
                Self::Folder => std::fs::create_dir(&path).unwrap(),
                Self::NotExecutable => write("#!/bin/sh\n", 0o644),
                Self::NoFirstLine => write("echo hi\n", 0o755),
                Self::OtherMachine => write("\u{7f}ELF", 0o755),
                Self::NoInterpreter { name, windows, space } => {
                    let (space, end) = (if *space { " " } else { "" }, if *windows { "\r\n" } else { "\n" });
                    write(&format!("#!{space}{name}{end}"), 0o755);
                }
                Self::InterpreterNotExecutable => write("#!/etc/passwd\n", 0o755),
            }
            path
        }

        /// What must be said of it, and of nothing else.
        fn words(&self) -> String {
            match self {
                Self::NoFolder => "does not exist, nor does its folder".to_owned(),
                Self::NoFile => "` does not exist".to_owned(),
                Self::LinkToNowhere => "is a link that leads nowhere".to_owned(),
                Self::Folder => "it is a folder".to_owned(),
                Self::NotExecutable => "it is not executable (".to_owned(),
                Self::NoFirstLine => "it has no `#!` line".to_owned(),
                Self::OtherMachine => "it is built for another machine".to_owned(),
                Self::NoInterpreter { name, windows: true, .. } => {
                    format!(r"asks for `{name}\r`, which does not exist: it has Windows line ends")
                }
                Self::NoInterpreter { name, .. } => format!("asks for `{name}`, which does not exist"),
                Self::InterpreterNotExecutable => "this user may not execute it, or `/etc/passwd`".to_owned(),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn any_cause_is_named_and_no_other(
            cause in cause(),
            name in "[a-z][a-z .é]{0,20}",
            rest in "[ -~\n]{0,60}",
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = cause.make(folder.path(), &name, &rest);
            let found = not_executed(&path, &said(&path));
            let is_missing = matches!(cause, Cause::NoFolder | Cause::NoFile | Cause::LinkToNowhere);
            prop_assert_eq!(matches!(found, ProcessError::NotFound { .. }), is_missing, "{:?}", found);
            let why = match found {
                ProcessError::NotFound { why } | ProcessError::NotExecutable { why } => why,
                other => return Err(TestCaseError::fail(format!("{cause:?}: {other:?}"))),
            };
            prop_assert!(why.contains(&cause.words()), "{cause:?}: {why}");
            prop_assert!(!why.contains('\n') && !why.contains('\r'), "{why:?}");
        }
    }

    #[test]
    fn only_what_may_be_better_another_time_is_worth_another_time() {
        let program = Path::new("/bin/sh");
        let later = |errno: Errno| {
            let found = not_executed(program, &io::Error::from(errno));
            assert!(!found.to_string().is_empty());
            matches!(found, ProcessError::NotStarted { .. })
        };
        for errno in [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::TXTBSY, Errno::IO] {
            assert!(later(errno), "{errno}");
        }
        for errno in [Errno::ACCESS, Errno::NOENT, Errno::NOEXEC, Errno::TOOBIG] {
            assert!(!later(errno), "{errno}");
        }
    }

    #[test]
    fn the_reason_of_a_command_that_may_have_run_goes_with_it() {
        let request = ProcessRequest {
            program: "/bin/sh".into(),
            args: Vec::new(),
            env: Vec::new(),
            directory: "/nowhere".into(),
            timeout: std::time::Duration::ZERO,
            wall_left: std::time::Duration::ZERO,
            capture_bytes: 0,
            network: Vec::new(),
        };
        let full = || io::Error::from(Errno::NOSPC);
        let why = "cannot write log of the command: No space left on device (os error 28)".to_owned();
        let found = refused(&request, RunError::Log { source: full() });
        assert_eq!(found, ProcessError::EndUnknown { why });
        let (program, step) = (request.program.clone(), StartStep::Directory);
        let source = io::Error::from(Errno::NOENT);
        let why = "folder `/nowhere`: No such file or directory (os error 2)".to_owned();
        let found = refused(&request, RunError::NotStarted { program, step, source });
        assert_eq!(found, ProcessError::NotFound { why });
    }
}
