//! Programs of the host, run in the workspace.
//!
//! Permission: `process`. An effect. All descendants are ended with the command.

use std::borrow::Cow;
use std::time::Duration;

use crate::Error;
pub use crate::bindings::capabilities::orch::process::process::Exit;
use crate::host::process;

const CAPTURE_BYTES: u32 = 64 * 1024;

/// A command to run: `Command::new("python3").arg("-m").arg("unittest").run()?`.
#[derive(Clone, Debug)]
pub struct Command(process::Command);

impl Command {
    /// `program`: a granted name, absolute path or path in the workspace. Of each stream 64 KiB come back, unless [`Self::capture`] says more.
    pub fn new(program: impl Into<String>) -> Self {
        Self(process::Command {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            directory: String::new(),
            timeout_ms: 0,
            capture_bytes: CAPTURE_BYTES,
        })
    }

    /// One more argument; at most 1024, 128 KiB together.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.0.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable besides the granted ones that are handed on; its name must be granted (one that steers what runs: for that
    /// program), at most 64.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.env.push((name.into(), value.into()));
        self
    }

    /// The folder to run in, relative to the workspace; without it the workspace itself.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<String>) -> Self {
        self.0.directory = directory.into();
        self
    }

    /// When to end it; without it the rest of the call's wall time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1);
        self
    }

    /// Bytes of each stream to hand back, at most 1 MiB. The log file gets all of it.
    #[must_use]
    pub fn capture(mut self, bytes: u32) -> Self {
        self.0.capture_bytes = bytes;
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// `Denied`: program or variable are not granted. `Invalid`: a field is over its limit, or the folder is outside.
    /// `NotFound`: program or folder do not exist. `Unavailable`: it could not be started.
    pub fn run(&self) -> Result<Output, Error> {
        let output = process::run(&self.0)?;
        Ok(Output {
            exit: output.exit,
            stdout: output.stdout,
            stderr: output.stderr,
            stdout_bytes: output.stdout_bytes,
            stderr_bytes: output.stderr_bytes,
            duration: Duration::from_millis(output.duration_ms),
        })
    }
}

/// How a command ended and what it said.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub exit: Exit,
    /// As much of the stream as was to be captured: of a longer one its first and its last part, and between them a line
    /// that says how many bytes are left out.
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// All that the program wrote.
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
    pub duration: Duration,
}

impl Output {
    /// It ended by itself with code 0.
    pub fn success(&self) -> bool {
        self.exit == Exit::Code(0)
    }

    /// What was captured of standard output; bytes that are not UTF-8 are replaced.
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// What was captured of standard error; bytes that are not UTF-8 are replaced.
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}
