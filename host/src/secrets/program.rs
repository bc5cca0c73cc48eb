//! Programs that give a secret: a password manager's, say.
//!
//! In -> out: an absolute path and arguments -> what it wrote to its standard output.
//! Limits: 10 s; 64 KiB of output; the first line of its errors.
//! Invariant: no shell, no search path, an environment of four variables, `/` as its folder, nothing on its standard input;
//! it leads a process group of its own, which is killed while nobody else can have its number.
//! Not here: what the output means (`capability/secrets/value.rs`).

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use zeroize::Zeroizing;

use crate::capability::secrets::value::VALUE_BYTES_MAX;
use crate::console::escape;

/// A line end may stand after the longest value.
pub(super) const GIVEN_BYTES_MAX: u64 = VALUE_BYTES_MAX as u64 + 2;

const WALL: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);
const ERRORS_BYTES_MAX: u64 = 4096;
/// What programs of keyrings need to find the user's.
const VARIABLES: [&str; 4] = ["PATH", "HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"];

/// Why a program gives no secret; follows the secret's name.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("cannot be had from program `{}`: {source}", escape(&path.display().to_string()))]
    Io { path: PathBuf, source: io::Error },
    #[error("cannot be had: program `{}` did not answer within {} s", escape(&path.display().to_string()), WALL.as_secs())]
    Late { path: PathBuf },
    #[error("cannot be had: program `{}` failed with {status}", escape(&path.display().to_string()))]
    Failed {
        path: PathBuf,
        status: ExitStatus,
        /// The first line of what it said, escaped. It may be anything, so it is for the operator's terminal only.
        said: String,
    },
    #[error("cannot be had: program `{}` gave more than {GIVEN_BYTES_MAX} bytes", escape(&path.display().to_string()))]
    Long { path: PathBuf },
}

/// What the program writes.
///
/// # Errors
/// All.
pub(super) fn output(path: &Path, arguments: &[String]) -> Result<Zeroizing<Vec<u8>>, ProgramError> {
    let io = |source| ProgramError::Io { path: path.to_owned(), source };
    let late = || ProgramError::Late { path: path.to_owned() };
    check_program(path).map_err(io)?;
    let deadline = Instant::now() + WALL;
    let mut child = Command::new(path)
        .args(arguments)
        .env_clear()
        .envs(VARIABLES.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(io)?;
    let output = read_aside(child.stdout.take(), GIVEN_BYTES_MAX);
    let errors = read_aside(child.stderr.take(), ERRORS_BYTES_MAX);
    let status = wait(&mut child, deadline).map_err(io)?.ok_or_else(late)?;
    // The group is dead, so both pipes end.
    let given = output.recv_timeout(POLL.max(deadline - Instant::now())).map_err(|_| late())?.map_err(io)?;
    if given.len() as u64 > GIVEN_BYTES_MAX {
        return Err(ProgramError::Long { path: path.to_owned() });
    }
    if !status.success() {
        let said = errors.recv_timeout(Duration::from_secs(1)).ok().and_then(Result::ok).unwrap_or_default();
        let said = escape(String::from_utf8_lossy(&said).lines().next().unwrap_or_default());
        return Err(ProgramError::Failed { path: path.to_owned(), status, said });
    }
    Ok(given)
}

/// At most that much and one byte more, from a thread that ends with the pipe.
fn read_aside(
    pipe: Option<impl Read + Send + 'static>,
    most: u64,
) -> mpsc::Receiver<io::Result<Zeroizing<Vec<u8>>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Room for all of it from the start: a buffer that grows leaves a copy of a secret behind.
        let room = usize::try_from(most + 1).unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        // A part of a secret is none.
        let read = pipe.map_or(Ok(0), |pipe| pipe.take(most + 1).read_to_end(&mut bytes));
        sender.send(read.map(|_| bytes))
    });
    receiver
}

/// How the program ended, or nothing if it was late; its group is dead either way.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return Err(io::Error::other("it has no process id"));
    };
    // Not reaped before its group is killed: until then nobody else can have its number.
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let ended = loop {
        match waitid(WaitId::Pid(pid), look) {
            Ok(Some(_)) => break true,
            Ok(None) if Instant::now() >= deadline => break false,
            Ok(None) => thread::sleep(POLL),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let _ = kill_process_group(pid, Signal::KILL);
    let status = child.wait()?;
    Ok(ended.then_some(status))
}

/// Succeeds if only this user and root can change that program.
fn check_program(path: &Path) -> io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    let me = rustix::process::geteuid().as_raw();
    let wrong = match () {
        () if !metadata.is_file() => "it is no regular file",
        () if metadata.uid() != me && metadata.uid() != 0 => "it belongs to another user",
        () if metadata.mode() & 0o022 != 0 => "others can change it",
        () => return Ok(()),
    };
    Err(io::Error::other(wrong))
}
