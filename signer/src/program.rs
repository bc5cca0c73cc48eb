//! Programs that sign: a wrapper around a key service, say.
//!
//! In -> out: the message on its standard input -> 64 bytes, raw or in base64 with at most a line's end, on its
//! standard output. The public key is said beside the program, so a wrong signature is never used.
//! Limits: its wall time; 4 KiB of answer, 4 KiB of errors.
//! Invariant: no shell, no search path, an environment of named variables only, `/` as its folder; it leads a process
//! group of its own, which is killed with it, so it has no terminal to ask on.
//! Not here: which file it may be (`code_file.rs`).

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use orch_trust::key::{PublicKey, SignError, Signer, base64_decode};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::address::ProgramAddress;
use crate::code_file::{self, CodeFileError};

const OUTPUT_BYTES_MAX: u64 = 4096;
const POLL: Duration = Duration::from_millis(5);

/// Why a program does not sign.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("program is not run")]
    Code(#[from] CodeFileError),
    #[error("program `{path}` cannot be run")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("program `{path}` did not answer within {seconds} s")]
    Late { path: PathBuf, seconds: u64 },
    #[error("program `{path}` failed with {status}, it said `{said}`")]
    Failed { path: PathBuf, status: String, said: String },
    #[error("program `{path}` gave {found}, expected 64 bytes, raw or in base64")]
    Malformed { path: PathBuf, found: String },
}

impl ProgramError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Code(error) => error.code(),
            Self::Io { .. } => "signer-program-io",
            Self::Late { .. } => "signer-program-late",
            Self::Failed { .. } => "signer-program-failed",
            Self::Malformed { .. } => "signer-program-malformed",
        }
    }
}

/// A program and its key.
pub struct ProgramSigner {
    address: ProgramAddress,
    /// Without links, as it was checked.
    path: PathBuf,
}

impl ProgramSigner {
    /// The program of that address, not yet run.
    ///
    /// # Errors
    /// `Code`.
    pub fn open(address: ProgramAddress) -> Result<Self, ProgramError> {
        let path = code_file::check(&address.path)?;
        Ok(Self { address, path })
    }

    fn run(&self, message: &[u8]) -> Result<[u8; 64], ProgramError> {
        let path = || self.path.clone();
        let io = |source| ProgramError::Io { path: path(), source };
        let deadline = Instant::now() + Duration::from_secs(self.address.wall_seconds_max);
        let late = || ProgramError::Late { path: path(), seconds: self.address.wall_seconds_max };
        let named = |name: &String| Some((name.clone(), std::env::var_os(name)?));
        let mut child = Command::new(&self.path)
            .args(&self.address.arguments)
            .env_clear()
            .envs(self.address.environment.iter().filter_map(named))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(io)?;
        let (input, message) = (child.stdin.take(), message.to_vec());
        // One that does not read what it signs is found out by its signature.
        thread::spawn(move || input.map(|mut input| input.write_all(&message)));
        let (output, errors) = (read_aside(child.stdout.take()), read_aside(child.stderr.take()));
        let status = wait(&mut child, deadline).map_err(io)?.ok_or_else(late)?;
        // The group is dead, so both pipes end.
        let answer = output.recv_timeout(POLL.max(deadline - Instant::now())).map_err(|_| late())?;
        if !status.success() {
            let said = errors.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
            let said =
                String::from_utf8_lossy(&said).lines().next().unwrap_or_default().escape_debug().to_string();
            return Err(ProgramError::Failed { path: path(), status: status.to_string(), said });
        }
        signature(&answer).map_err(|found| ProgramError::Malformed { path: path(), found })
    }
}

impl Signer for ProgramSigner {
    fn public(&self) -> PublicKey {
        self.address.key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.run(message).map_err(|error| SignError { key: self.address.key.id(), source: error.into() })
    }
}

/// At most the limit and one byte more, from a thread that ends with the pipe.
fn read_aside(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
        }
        sender.send(bytes)
    });
    receiver
}

/// How the program ended, or nothing if it was late; its group is dead either way.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<std::process::ExitStatus>> {
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

fn signature(answer: &[u8]) -> Result<[u8; 64], String> {
    if let Ok(raw) = <[u8; 64]>::try_from(answer) {
        return Ok(raw);
    }
    let found = || match answer.len() as u64 {
        0 => "nothing".to_owned(),
        length if length > OUTPUT_BYTES_MAX => format!("more than {OUTPUT_BYTES_MAX} bytes"),
        length => format!("{length} bytes"),
    };
    let text = std::str::from_utf8(answer).map_err(|_| found())?;
    let bytes = base64_decode(text.strip_suffix('\n').unwrap_or(text)).map_err(|_| found())?;
    bytes.try_into().map_err(|_| found())
}
