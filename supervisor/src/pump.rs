//! The output of one command: into its log, and the beginning and the end of each stream for whoever asked.
//!
//! In -> out: ([`Running`], [`Log`]) -> [`Output`].
//! Order: bytes of one stream stay in order and unchanged; between the two it is the order of arrival here.
//! Limits: what is captured; beyond it streams are read on and counted, so that no command hangs on a full pipe.
//! Invariant: it ends when the command does. Who holds a pipe's other end does not matter: no descendant is left, and
//! what they wrote lies in the pipe.
//! Not here: what is kept of a log, its name and folder (the host).

use std::io;

use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::unix::pipe::Receiver;

use crate::client::PIPE_BYTES;
use crate::error::RunError;
use crate::keep::Keep;
use crate::request::Ended;
use crate::running::Running;

/// As much as a pipe holds.
const READ_BYTES: usize = PIPE_BYTES;

/// Where both streams go.
pub trait Log: Send {
    /// Returns when they are kept, or dropped for good reason; after an error the command is cancelled.
    fn keep(&mut self, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// What is kept is to be seen by others.
    fn finish(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

impl<W: AsyncWrite + Unpin + Send> Log for W {
    async fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.flush().await
    }
}

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamOutput {
    /// Its first and its last bytes, as [`Keep`] keeps them.
    pub captured: Vec<u8>,
    /// Of the whole stream.
    pub total_bytes: u64,
}

/// What a command wrote, and how it was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub ended: Ended,
    pub stdout: StreamOutput,
    pub stderr: StreamOutput,
}

/// Returns when the command is over and its output is kept; `capture_bytes_max`: of each stream, in memory. Dropped
/// before, it cancels the command.
///
/// # Errors
/// As [`Running::wait`]; `Log`, `Read`: the command is cancelled.
pub async fn pump(
    mut running: Running,
    log: &mut impl Log,
    capture_bytes_max: u64,
) -> Result<Output, RunError> {
    let mut sink =
        Sink { log, stdout: Captured::new(capture_bytes_max), stderr: Captured::new(capture_bytes_max) };
    let ended = relay(&mut running, &mut sink).await?;
    // Both streams have ended, or nobody is left to write to them.
    drain(&running.stdout, Stream::Stdout, &mut sink).await?;
    drain(&running.stderr, Stream::Stderr, &mut sink).await?;
    sink.log.finish().await.map_err(|source| RunError::Log { source })?;
    Ok(Output { ended, stdout: sink.stdout.finish(), stderr: sink.stderr.finish() })
}

/// Keeps what arrives until the command is over.
async fn relay<L: Log>(running: &mut Running, sink: &mut Sink<'_, L>) -> Result<Ended, RunError> {
    let (mut from_stdout, mut from_stderr) = (vec![0; READ_BYTES], vec![0; READ_BYTES]);
    let (mut stdout_open, mut stderr_open) = (true, true);
    loop {
        // Each branch can be dropped without a loss: a read that is not ready has read nothing.
        let Running { stdout, stderr, command, listeners: _ } = running;
        let (stream, read) = tokio::select! {
            read = stdout.read(&mut from_stdout), if stdout_open => (Stream::Stdout, read),
            read = stderr.read(&mut from_stderr), if stderr_open => (Stream::Stderr, read),
            ended = command.wait() => return ended,
        };
        let read = read.map_err(|source| RunError::Read { source })?;
        let (bytes, open) = match stream {
            Stream::Stdout => (&from_stdout, &mut stdout_open),
            Stream::Stderr => (&from_stderr, &mut stderr_open),
        };
        *open = read > 0;
        sink.take(stream, bytes.get(..read).unwrap_or_default()).await?;
    }
}

/// Keeps what lies in a pipe that nobody of the command's writes to any more. Reads the descriptor itself: the runtime
/// may not have noticed yet that there is something. No more than lies there now: a stranger who was handed the other
/// end may write for ever.
async fn drain<L: Log>(pipe: &Receiver, stream: Stream, sink: &mut Sink<'_, L>) -> Result<(), RunError> {
    let failed = |error: Errno| RunError::Read { source: io::Error::from(error) };
    let mut left = rustix::io::ioctl_fionread(pipe).map_err(failed)?;
    let mut bytes = vec![0; READ_BYTES.min(usize::try_from(left).unwrap_or(READ_BYTES))];
    while left > 0 {
        match rustix::io::read(pipe, &mut bytes) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(()),
            Ok(read) => {
                sink.take(stream, bytes.get(..read).unwrap_or_default()).await?;
                left = left.saturating_sub(read as u64);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// Where a command's bytes go.
struct Sink<'a, L> {
    log: &'a mut L,
    stdout: Captured,
    stderr: Captured,
}

impl<L: Log> Sink<'_, L> {
    async fn take(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), RunError> {
        match stream {
            Stream::Stdout => self.stdout.take(bytes),
            Stream::Stderr => self.stderr.take(bytes),
        }
        self.log.keep(bytes).await.map_err(|source| RunError::Log { source })
    }
}

/// One stream so far.
struct Captured {
    keep: Keep,
    head: Vec<u8>,
}

impl Captured {
    fn new(bytes_max: u64) -> Self {
        Self { keep: Keep::new(bytes_max, u64::MAX), head: Vec::new() }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.head.extend_from_slice(self.keep.take(bytes));
    }

    fn finish(mut self) -> StreamOutput {
        self.head.extend(self.keep.end());
        StreamOutput { captured: self.head, total_bytes: self.keep.all_bytes() }
    }
}
