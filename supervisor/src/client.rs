//! The host's end of one supervisor.
//!
//! In -> out: executable -> [`Supervisor`]; `Request` -> identity and pipes of a command; later its `Ended`.
//! Invariant: at most one command at a time; a command that is given up is cancelled, and the next one begins only when
//! its end was heard. A conversation that broke in the middle is never taken up again: the supervisor is seen out
//! (`farewell.rs`).
//! Not here: who gets which supervisor (`pool.rs`), output (`pump.rs`).

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

use crate::error::RunError;
use crate::farewell::Farewell;
use crate::frame::{self, FrameBuffer, FromSupervisor, ToSupervisor};
use crate::identity::ProcessIdentity;
use crate::process_table::stat;
use crate::request::{Ended, Request};
use crate::sandbox::listen;
use crate::strays;

/// For descendants to be ended, after their `kill_after`. A supervisor that needs longer is stopped or stuck in the
/// kernel, and given up.
pub(crate) const ENDING_MAX: Duration = Duration::from_secs(10);
/// Between two looks at whether a supervisor is stopped whose command should be over.
const STOPPED_PAUSE: Duration = Duration::from_secs(1);
/// For the guardian of a supervisor that was given up, or is gone.
const GUARDIAN_PATIENCE: Duration = Duration::from_millis(500);
/// For an answer that is there already: this process may have been stopped itself.
const LAST_LOOK: Duration = Duration::from_millis(250);
/// Of a stream that nobody has read yet: a command that prints much is seldom held up, and few reads take it.
pub(crate) const PIPE_BYTES: usize = 256 << 10;

/// Where the conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talk {
    Idle,
    /// A request was sent whole, and its command is not over.
    Running,
    /// As `Running`, and cancelled.
    Ending,
    /// Nothing more can be said or heard.
    Broken,
}

/// Dropping it closes the socket, upon which the supervisor ends its command and itself.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: UnixStream,
    /// None once it is seen out.
    guardian: Option<Child>,
    identity: ProcessIdentity,
    /// The one that runs, and what it has between the request to end and SIGKILL.
    command: Option<ProcessIdentity>,
    kill_after: Duration,
    frames: FrameBuffer,
    talk: Talk,
}

/// A command that was started.
pub(crate) struct StartedCommand {
    pub(crate) identity: ProcessIdentity,
    pub(crate) stdout: Receiver,
    pub(crate) stderr: Receiver,
    pub(crate) listeners: Vec<TcpListener>,
}

impl Supervisor {
    /// Starts `executable` with [`crate::ARGUMENT`].
    pub(crate) fn spawn(executable: &Path) -> io::Result<Self> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let socket = UnixStream::from_std(ours)?;
        let mut command = Command::new(executable);
        command
            .arg(crate::ARGUMENT)
            // The host's environment holds secrets, and everybody's environment can be read in /proc.
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut guardian = strays::spawn_guardian(&mut command)?;
        match ProcessIdentity::of(guardian.id()) {
            Ok(identity) => Ok(Self {
                socket,
                guardian: Some(guardian),
                identity,
                command: None,
                kill_after: Duration::ZERO,
                frames: FrameBuffer::default(),
                talk: Talk::Idle,
            }),
            Err(error) => {
                guardian.kill()?;
                guardian.wait()?;
                strays::try_reap_guardian(&mut guardian)?;
                Err(error)
            }
        }
    }

    /// Of the guardian, whose end is the last.
    pub(crate) fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// Whether another command can be asked for.
    pub(crate) fn is_usable(&self) -> bool {
        let mut byte = [0];
        self.talk == Talk::Idle
            && !matches!(
                rustix::net::recv(&self.socket, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT),
                Ok((0, _)) | Err(Errno::CONNRESET | Errno::PIPE)
            )
    }

    /// Whether the end of a cancelled command can still be heard.
    pub(crate) fn is_ending(&self) -> bool {
        self.talk == Talk::Ending
    }

    /// Waits for the end of a cancelled command.
    pub(crate) async fn settle(&mut self) -> Result<(), RunError> {
        let over_by = Instant::now() + self.kill_after + ENDING_MAX;
        while self.talk == Talk::Ending {
            let Ok(heard) = tokio::time::timeout_at(over_by, self.hear()).await else {
                self.talk = Talk::Broken;
                return Err(RunError::SupervisorGone);
            };
            match heard? {
                FromSupervisor::Started(identity) => self.command = Some(identity),
                FromSupervisor::NotStarted { .. } | FromSupervisor::Ended(_) => {
                    (self.talk, self.command) = (Talk::Idle, None);
                }
            }
        }
        Ok(())
    }

    /// Starts one command. Dropped half way, it is to be cancelled.
    pub(crate) async fn start(&mut self, request: Request) -> Result<StartedCommand, RunError> {
        request.check()?;
        let socket = |source: io::Error| RunError::Socket { source };
        let (program, kill_after) = (request.program.clone(), request.kill_after);
        let listens = request.sandbox.listens().len();
        let channel = (listens > 0).then(listen::channel).transpose().map_err(socket)?;
        let (channel, channel_end) = channel.unzip();
        let request = ToSupervisor::Run(Box::new(request));
        let bytes = frame::encode(&request).map_err(|error| RunError::Invalid { what: error.to_string() })?;
        let (stdout, stdout_end) = pipe().map_err(socket)?;
        let (stderr, stderr_end) = pipe().map_err(socket)?;
        let stdout = Receiver::from_owned_fd(stdout).map_err(socket)?;
        let stderr = Receiver::from_owned_fd(stderr).map_err(socket)?;

        // Until all of it is sent, half a message lies in the socket.
        self.talk = Talk::Broken;
        self.kill_after = kill_after;
        let descriptors = [Some(&stdout_end), Some(&stderr_end), channel_end.as_ref()];
        match self.send(&bytes, &descriptors.into_iter().flatten().map(AsFd::as_fd).collect::<Vec<_>>()).await
        {
            Ok(()) => self.talk = Talk::Running,
            // It may have said why it goes.
            Err(RunError::SupervisorGone) => {}
            Err(error) => return Err(error),
        }
        // The supervisor has its own by now, and the end of these streams must be the end of the command's.
        drop((stdout_end, stderr_end, channel_end));
        match self.hear().await? {
            FromSupervisor::Started(identity) => {
                self.command = Some(identity.clone());
                // They were sent before the program was executed.
                let listeners = channel.map(|channel| listen::receive(&channel, listens)).transpose();
                let listeners = listeners.map_err(socket)?.unwrap_or_default();
                Ok(StartedCommand { identity, stdout, stderr, listeners })
            }
            FromSupervisor::NotStarted { step, errno } => {
                self.talk = Talk::Idle;
                Err(RunError::NotStarted { program, step, source: io::Error::from_raw_os_error(errno) })
            }
            FromSupervisor::Ended(_) => Err(self.out_of_order()),
        }
    }

    /// Waits for the end of the started command; gives the supervisor up when `over_by` has come. Can be dropped and
    /// called again.
    pub(crate) async fn ended(&mut self, over_by: Option<Instant>) -> Result<Ended, RunError> {
        let heard = match over_by {
            Some(over_by) => match self.hear_by(over_by).await {
                Some(heard) => heard,
                None => tokio::time::timeout(LAST_LOOK, self.hear()).await.unwrap_or_else(|_| {
                    self.talk = Talk::Broken;
                    Err(RunError::SupervisorGone)
                }),
            },
            None => self.hear().await,
        };
        match heard? {
            FromSupervisor::Ended(ended) => {
                (self.talk, self.command) = (Talk::Idle, None);
                Ok(ended)
            }
            FromSupervisor::Started(_) | FromSupervisor::NotStarted { .. } => Err(self.out_of_order()),
        }
    }

    /// None: it says nothing until then, or cannot, being stopped while its command should be over.
    async fn hear_by(&mut self, over_by: Instant) -> Option<Result<FromSupervisor, RunError>> {
        let mut look = over_by.checked_sub(ENDING_MAX).unwrap_or(over_by);
        let mut is_stopped = false;
        loop {
            look = (look + STOPPED_PAUSE).min(over_by);
            if let Ok(heard) = tokio::time::timeout_at(look, self.hear()).await {
                return Some(heard);
            }
            // Twice: one that is stopped and goes on by itself is let do so.
            if look == over_by || (std::mem::replace(&mut is_stopped, self.is_stopped()) && is_stopped) {
                return None;
            }
        }
    }

    /// True if the supervisor of the command that runs is stopped or traced.
    fn is_stopped(&self) -> bool {
        let command = self.command.as_ref().and_then(|command| stat(command.pid).ok().flatten());
        let supervisor = command.and_then(|command| stat(command.parent).ok().flatten());
        supervisor.is_some_and(|supervisor| supervisor.is_stopped())
    }

    /// Asks for the end of the running command, if there is one.
    pub(crate) fn cancel(&mut self) {
        if self.talk != Talk::Running {
            return;
        }
        // The socket is all but empty, so this is sent whole or the supervisor is gone.
        let sent = frame::encode(&ToSupervisor::Cancel).and_then(|bytes| {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            Ok(rustix::net::send(&self.socket, &bytes, flags)? == bytes.len())
        });
        self.talk = if sent.is_ok_and(|whole| whole) { Talk::Ending } else { Talk::Broken };
    }

    async fn hear(&mut self) -> Result<FromSupervisor, RunError> {
        loop {
            match self.frames.take() {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(source) => {
                    self.talk = Talk::Broken;
                    return Err(RunError::Socket { source });
                }
            }
            let mut bytes = [0; 4096];
            let read = match self.socket.readable().await {
                Ok(()) => self.socket.try_read(&mut bytes),
                Err(error) => Err(error),
            };
            match read {
                Ok(0) => {
                    self.talk = Talk::Broken;
                    return Err(RunError::SupervisorGone);
                }
                Ok(read) => self.frames.push(bytes.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.talk = Talk::Broken;
                    return Err(gone_or(error));
                }
            }
        }
    }

    /// The descriptors travel with the first byte.
    async fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), RunError> {
        let mut sent = 0;
        while sent < bytes.len() {
            let rest = bytes.get(sent..).unwrap_or_default();
            let once = || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if sent == 0 && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                    return Err(io::Error::other("no room for three descriptors"));
                }
                let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                Ok(rustix::net::sendmsg(&self.socket, &[IoSlice::new(rest)], &mut control, flags)?)
            };
            sent += self.socket.async_io(Interest::WRITABLE, once).await.map_err(gone_or)?;
        }
        Ok(())
    }

    fn out_of_order(&mut self) -> RunError {
        self.talk = Talk::Broken;
        RunError::Socket { source: io::Error::other("supervisor's answers are out of order") }
    }

    /// Closes the socket; gives what is still to be done, which blocks.
    pub(crate) fn leave(&mut self) -> Option<Farewell> {
        let guardian = self.guardian.take()?;
        // Shut here rather than a moment later, when the field is dropped: the guardian may end at once.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        let patience = match self.talk {
            Talk::Idle | Talk::Running | Talk::Ending => self.kill_after.saturating_add(ENDING_MAX),
            Talk::Broken => GUARDIAN_PATIENCE,
        };
        let processes = [Some(self.identity.clone()), self.command.take()].into_iter().flatten().collect();
        let is_idle = self.talk == Talk::Idle;
        self.talk = Talk::Broken;
        Some(Farewell { guardian: Mutex::new(guardian), is_idle, processes, patience })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some(farewell) = self.leave() {
            farewell.aside(());
        }
    }
}

/// A pipe of [`PIPE_BYTES`], or of what the system gives to one who has many already.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (end, start) = pipe_with(PipeFlags::CLOEXEC)?;
    // Refused beyond the user's share of all pipes: the usual size does.
    let _ = fcntl_setpipe_size(&end, PIPE_BYTES);
    Ok((end, start))
}

fn gone_or(source: io::Error) -> RunError {
    match source.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => RunError::SupervisorGone,
        _ => RunError::Socket { source },
    }
}
