//! A supervisor: one command at a time, for one host.
//!
//! In -> out: `ToSupervisor` and its descriptors -> `FromSupervisor`.
//! Waits for five things at once: the host's word, its end, a child's end, the timeout, the guardian's end.
//! Invariant: `Ended` is said only when no descendant is left, and a host that is gone is a reason to end everything.
//! In the midst of ending descendants the host is not listened to: there is nothing else left to do for it.
//! Not here: how a command is started (`launch.rs`) and ended (`descendants.rs`); which host may ask for what.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags};
use rustix::process::{Pid, WaitStatus};

use crate::descendants;
use crate::error::StartStep;
use crate::frame::{self, FrameBuffer, FromSupervisor, ToSupervisor};
use crate::identity::{self, ProcessIdentity};
use crate::launch::{Launched, Launcher, StartFailure};
use crate::process_table;
use crate::request::{Ended, Exit, Request};
use crate::sandbox::{Limit, Sandbox, Wall, watch};

const READ_BYTES: usize = 16 << 10;
/// For descendants that are about to end when their command does: a `tee` behind it has its last lines to write.
const LINGER_MAX: Duration = Duration::from_millis(100);
/// Between two looks at what a command in a sandbox takes.
const WATCH_EVERY: Duration = Duration::from_millis(100);

pub(crate) struct Supervisor {
    socket: OwnedFd,
    guardian_end: OwnedFd,
    child_ends: OwnedFd,
    boot_id: String,
    launcher: Launcher,
    frames: FrameBuffer,
    /// Came with messages and are not used yet.
    descriptors: VecDeque<OwnedFd>,
}

/// What a supervisor waits for.
enum Happened {
    Said(ToSupervisor),
    /// Host or guardian are gone.
    Alone,
    ChildEnded,
    TimePassed,
}

impl Supervisor {
    /// `guardian_end` becomes readable when the guardian has ended.
    pub(crate) fn new(socket: OwnedFd, guardian_end: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            socket,
            guardian_end,
            child_ends: child_ends()?,
            boot_id: identity::boot_id()?,
            launcher: Launcher::new(),
            frames: FrameBuffer::default(),
            descriptors: VecDeque::new(),
        })
    }

    /// Returns when host or guardian are gone.
    pub(crate) fn serve(&mut self) -> io::Result<()> {
        loop {
            match self.wait(None)? {
                Happened::Said(ToSupervisor::Run(request)) => {
                    if !self.run(&request)? {
                        return Ok(());
                    }
                }
                // A cancel that crossed the end of its command: the host always sends it before the next request.
                Happened::Said(ToSupervisor::Cancel) | Happened::TimePassed => {}
                Happened::ChildEnded => {
                    descendants::reap(|_, _| {})?;
                }
                Happened::Alone => return Ok(()),
            }
        }
    }

    /// False if nobody is there any more to say the end to.
    fn run(&mut self, request: &Request) -> io::Result<bool> {
        let begun = Instant::now();
        let disks = written(request);
        let Launched { command: pid, first } = match self.start(request) {
            Ok(launched) => launched,
            Err(StartFailure { step, errno }) => {
                self.say(&FromSupervisor::NotStarted { step, errno })?;
                return Ok(true);
            }
        };
        // Until it is reaped, below, it can be asked about, over or not.
        let identity = ProcessIdentity::of_booted(pid.as_raw_pid().cast_unsigned(), self.boot_id.clone())?;
        self.say(&FromSupervisor::Started(identity))?;
        let deadline = request.timeout.and_then(|timeout| begun.checked_add(timeout));
        let exit = loop {
            let look = watched(request).then(|| Instant::now() + WATCH_EVERY);
            match self.wait(deadline.into_iter().chain(look).min())? {
                Happened::ChildEnded => {
                    let mut exit = None;
                    descendants::reap(|ended, status| {
                        if ended == pid {
                            exit = Some(exit_of(status));
                        }
                    })?;
                    if let Some(exit) = exit {
                        break exit;
                    }
                }
                Happened::TimePassed if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    break Exit::TimedOut;
                }
                Happened::TimePassed => {
                    if let Some(limit) = beyond(request, first, &disks)? {
                        break Exit::Beyond(limit);
                    }
                }
                Happened::Said(ToSupervisor::Cancel) => break Exit::Cancelled,
                Happened::Said(ToSupervisor::Run(_)) => {
                    return Err(io::Error::other("asked for a command while another one runs"));
                }
                Happened::Alone => {
                    end_all(first, request.kill_after)?;
                    return Ok(false);
                }
            }
        };
        let duration = begun.elapsed();
        let left = match exit {
            Exit::TimedOut | Exit::Cancelled => {
                end_all(first, request.kill_after)?;
                0
            }
            // Whoever takes too much is given no time to take more.
            Exit::Beyond(_) => {
                end_all(first, Duration::ZERO)?;
                0
            }
            Exit::Code(_) | Exit::Signal(_) => match first {
                None if descendants::gone_within(LINGER_MAX)? => 0,
                // The first starts nobody.
                Some(first) if descendants::alone_within(first, LINGER_MAX)? => {
                    descendants::end_first(first)?;
                    0
                }
                _ => end_all(first, request.kill_after)?,
            },
        };
        self.say(&FromSupervisor::Ended(Ended { exit, duration, left }))?;
        Ok(true)
    }

    fn start(&mut self, request: &Request) -> Result<Launched, StartFailure> {
        let (Some(stdout), Some(stderr)) = (self.descriptors.pop_front(), self.descriptors.pop_front())
        else {
            // The kernel drops what the receiver has no room for.
            return Err(StartFailure { step: StartStep::Program, errno: libc::EMFILE });
        };
        let channel = self.descriptors.pop_front();
        self.descriptors.clear();
        self.launcher.launch(request, stdout, stderr, channel)
    }

    fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Happened> {
        loop {
            let message = self.frames.take()?;
            let left = match deadline {
                _ if message.is_some() => Some(Duration::ZERO),
                deadline => deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())),
            };
            let (socket, guardian, children) = {
                let mut waited = [
                    PollFd::new(&self.socket, PollFlags::IN),
                    PollFd::new(&self.guardian_end, PollFlags::IN),
                    PollFd::new(&self.child_ends, PollFlags::IN),
                ];
                match poll(&mut waited, timespec(left).as_ref()) {
                    Ok(_) => {}
                    Err(Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                }
                let [socket, guardian, children] = &waited;
                (socket.revents(), guardian.revents(), children.revents())
            };
            // A host that is gone wants nothing any more, not even what it said last.
            if !guardian.is_empty() || socket.intersects(PollFlags::HUP | PollFlags::ERR) {
                return Ok(Happened::Alone);
            }
            if let Some(message) = message {
                return Ok(Happened::Said(message));
            }
            if !children.is_empty() {
                self.forget_signals()?;
                return Ok(Happened::ChildEnded);
            }
            if !socket.is_empty() {
                if !self.receive()? {
                    return Ok(Happened::Alone);
                }
                continue;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(Happened::TimePassed);
            }
        }
    }

    /// False at the end of the stream.
    fn receive(&mut self) -> io::Result<bool> {
        let mut bytes = [0; READ_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let read =
            match rustix::net::recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)
            {
                Ok(message) => message.bytes,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(true),
                Err(Errno::CONNRESET) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        self.frames.push(bytes.get(..read).unwrap_or_default());
        Ok(read > 0)
    }

    fn say(&self, message: &FromSupervisor) -> io::Result<()> {
        let bytes = frame::encode(message)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match rustix::net::send(self.socket.as_fd(), rest, SendFlags::NOSIGNAL) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Empties `child_ends`; who ended is asked of the kernel, not read from it.
    fn forget_signals(&self) -> io::Result<()> {
        let mut bytes = [0; 1024];
        match rustix::io::read(&self.child_ends, &mut bytes) {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Everything of the command.
fn end_all(first: Option<Pid>, grace: Duration) -> io::Result<u32> {
    match first {
        Some(first) => descendants::end_namespace(first, grace),
        None => descendants::end_all(grace),
    }
}

/// True if what the command takes is looked at.
fn watched(request: &Request) -> bool {
    matches!(&request.sandbox, Sandbox::Walls(walls) if walls.has(Wall::Limits))
}

/// The disks that a command in a sandbox writes: of its folder and its caches.
fn written(request: &Request) -> watch::Disks {
    match &request.sandbox {
        Sandbox::Walls(walls) if walls.has(Wall::Limits) && walls.limits.free_bytes.is_some() => {
            let caches = walls.caches.iter().map(|cache| cache.upper.as_path());
            watch::Disks::of(caches.chain([request.directory.as_path()]))
        }
        _ => watch::Disks::of([]),
    }
}

/// The limit that the command and its descendants are beyond.
fn beyond(request: &Request, first: Option<Pid>, disks: &watch::Disks) -> io::Result<Option<Limit>> {
    let Sandbox::Walls(walls) = &request.sandbox else { return Ok(None) };
    let processes = match first {
        Some(first) => descendants::beside(first)?.into_iter().collect(),
        None => process_table::descendants(std::process::id())?,
    };
    watch::beyond(&walls.limits, &processes, disks)
}

/// A descriptor that is readable when a child has ended.
fn child_ends() -> io::Result<OwnedFd> {
    // SAFETY: the set is plain memory, made empty before use; what signalfd gives is a new descriptor or -1.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => unreachable!("only ended children are asked for"),
    }
}

fn timespec(left: Option<Duration>) -> Option<Timespec> {
    let left = left?;
    let tv_sec = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
    Some(Timespec { tv_sec, tv_nsec: left.subsec_nanos().into() })
}
