//! The output of one command: into its log, and the beginning of each stream for whoever asked.
//!
//! In -> out: ([`Running`], log) -> [`Output`].
//! Order: bytes of one stream stay in order and unchanged; between the two it is the order of arrival here.
//! Limits: [`OutputLimits`]; beyond them streams are read on and counted, so that no command hangs on a full pipe.
//! Invariant: it ends when the command does. Who holds a pipe's other end does not matter: no descendant is left, and
//! what they wrote lies in the pipe.
//! Not here: names and folders of logs (the host).

use std::io;

use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::unix::pipe::Receiver;

use crate::error::RunError;
use crate::request::Ended;
use crate::running::Running;

const READ_BYTES: usize = 64 << 10;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Of both streams together, in the log.
    pub log_bytes_max: u64,
    /// Of each stream, in memory.
    pub capture_bytes_max: u64,
}

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamOutput {
    /// Its first bytes.
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
    /// Written to the log.
    pub logged_bytes: u64,
    /// Came when the log was full.
    pub unlogged_bytes: u64,
}

/// Returns when the command is over and its output is kept. Dropped before, it cancels the command.
///
/// # Errors
/// As [`Running::wait`]; `Log`, `Read`: the command is cancelled.
pub async fn pump(
    mut running: Running,
    log: &mut (impl AsyncWrite + Unpin),
    limits: OutputLimits,
) -> Result<Output, RunError> {
    let mut keep =
        Keep { log, limits, stdout: StreamOutput::default(), stderr: StreamOutput::default(), logged: 0 };
    let ended = relay(&mut running, &mut keep).await?;
    // Both streams have ended, or nobody is left to write to them.
    drain(&running.stdout, Stream::Stdout, &mut keep).await?;
    drain(&running.stderr, Stream::Stderr, &mut keep).await?;
    keep.log.flush().await.map_err(|source| RunError::Log { source })?;
    let Keep { stdout, stderr, logged, .. } = keep;
    let unlogged_bytes = stdout.total_bytes + stderr.total_bytes - logged;
    Ok(Output { ended, stdout, stderr, logged_bytes: logged, unlogged_bytes })
}

/// Keeps what arrives until the command is over.
async fn relay<L: AsyncWrite + Unpin>(
    running: &mut Running,
    keep: &mut Keep<'_, L>,
) -> Result<Ended, RunError> {
    let (mut from_stdout, mut from_stderr) = (vec![0; READ_BYTES], vec![0; READ_BYTES]);
    let (mut stdout_open, mut stderr_open) = (true, true);
    loop {
        // Each branch can be dropped without a loss: a read that is not ready has read nothing.
        let Running { stdout, stderr, command } = running;
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
        keep.take(stream, bytes.get(..read).unwrap_or_default()).await?;
    }
}

/// Keeps what lies in a pipe that nobody of the command's writes to any more. Reads the descriptor itself: the runtime
/// may not have noticed yet that there is something. No more than lies there now: a stranger who was handed the other
/// end may write for ever.
async fn drain<L: AsyncWrite + Unpin>(
    pipe: &Receiver,
    stream: Stream,
    keep: &mut Keep<'_, L>,
) -> Result<(), RunError> {
    let failed = |error: Errno| RunError::Read { source: io::Error::from(error) };
    let mut left = rustix::io::ioctl_fionread(pipe).map_err(failed)?;
    let mut bytes = vec![0; READ_BYTES.min(usize::try_from(left).unwrap_or(READ_BYTES))];
    while left > 0 {
        match rustix::io::read(pipe, &mut bytes) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(()),
            Ok(read) => {
                keep.take(stream, bytes.get(..read).unwrap_or_default()).await?;
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

/// What is kept so far.
struct Keep<'a, L> {
    log: &'a mut L,
    limits: OutputLimits,
    stdout: StreamOutput,
    stderr: StreamOutput,
    logged: u64,
}

impl<L: AsyncWrite + Unpin> Keep<'_, L> {
    async fn take(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), RunError> {
        let output = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let captured = output.captured.len() as u64;
        output
            .captured
            .extend_from_slice(first(bytes, self.limits.capture_bytes_max.saturating_sub(captured)));
        output.total_bytes += bytes.len() as u64;
        let logged = first(bytes, self.limits.log_bytes_max.saturating_sub(self.logged));
        self.log.write_all(logged).await.map_err(|source| RunError::Log { source })?;
        self.logged += logged.len() as u64;
        Ok(())
    }
}

/// At most `max` bytes of them.
fn first(bytes: &[u8], max: u64) -> &[u8] {
    let end = usize::try_from(max).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(..end).unwrap_or_default()
}
