//! The entry of a supervisor's process, and the guardian that outlives the supervisor.
//!
//! In -> out: a process with one thread and a socket as stdin -> guardian and its child, the supervisor.
//! The guardian only waits: if the supervisor is killed, its descendants become the guardian's, which ends them; one
//! that was stopped when the host went is killed. It holds the host's socket until then, so that the host's end of file
//! means that nobody is left.
//! Invariant: to leave a descendant behind, one must kill both; then the command itself still dies (`launch.rs`). A
//! request to end that reaches a whole process group or control group ends neither.
//! Not here: commands (`serve.rs`).

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal, set_child_subreaper, setsid,
};

use crate::descendants;
use crate::error::StartStep;
use crate::frame::{self, FromSupervisor};
use crate::launch::IGNORED;
use crate::process_table;
use crate::serve::Supervisor;

/// As many as the kernel has.
const SIGNALS: i32 = 64;
/// At a supervisor whose host is gone.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Serves the host whose socket is stdin, one command after the other, until the host closes it or is gone.
///
/// To be called at the start of `main` if the first argument is [`crate::ARGUMENT`]; the process ends after it.
///
/// # Errors
/// Called with other threads around, or without a socket as stdin: nothing was started. Later ones: the system's own;
/// every command was ended.
pub fn serve() -> io::Result<()> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a supervisor must be started before any thread"));
    }
    let socket = settle()?;
    set_child_subreaper(Some(getpid()))?;
    let guardian = getpid();
    // SAFETY: this process has one thread, so the child's copy of it is whole.
    match unsafe { libc::fork() } {
        0 => supervise(socket, guardian),
        pid => match Pid::from_raw(pid.max(0)) {
            Some(supervisor) => guard(supervisor, &socket),
            None => Err(unable(&socket, io::Error::last_os_error())),
        },
    }
}

/// Tells the host why there is no supervisor: the command that it is about to ask for was not started.
fn unable(socket: &OwnedFd, error: io::Error) -> io::Error {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    let said = frame::encode(&FromSupervisor::NotStarted { step: StartStep::Program, errno });
    // A host that is gone has nobody left to tell.
    let _ = said.map(|bytes| rustix::net::send(socket, &bytes, SendFlags::NOSIGNAL));
    error
}

/// Makes this process owe nothing to the one that started it; gives the socket.
fn settle() -> io::Result<OwnedFd> {
    let stdin = rustix::stdio::stdin();
    if FileType::from_raw_mode(rustix::fs::fstat(stdin)?.st_mode) != FileType::Socket {
        return Err(io::Error::other("a supervisor is started by its host, with a socket as stdin"));
    }
    // SAFETY: nothing in this process owns a descriptor but the standard three: it has just begun.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let socket = rustix::io::fcntl_dupfd_cloexec(stdin, 3)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    // Of every command, too.
    rustix::stdio::dup2_stdin(&null)?;
    rustix::process::chdir("/")?;
    // Files of commands are never writable for others than their owner, whatever the host was started with.
    let umask = rustix::process::umask(Mode::WGRP | Mode::WOTH);
    rustix::process::umask(umask | Mode::WGRP | Mode::WOTH);
    reset_signals()?;
    for signal in IGNORED {
        // SAFETY: no handler is set; these signals may be ignored.
        if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    // Not the host's name: whoever ends all hosts by name does not mean what sees to their ends.
    name(c"orch-guardian");
    // Away from the host's terminal: an interrupt typed there is for the host, which ends its commands in order. This
    // fails only for the leader of a group, which is one already.
    let _ = setsid();
    Ok(socket)
}

/// What a process ignores or blocks is inherited through exec, by commands too.
fn reset_signals() -> io::Result<()> {
    for signal in 1..=SIGNALS {
        // The standard library ignores it, for good reason; each command gets it back (`launch.rs`).
        if signal != libc::SIGPIPE {
            let default = [0_u64; 4];
            // SAFETY: all zeros, at least as long as the kernel's `struct sigaction`, is the default action. The
            // system call itself, because the C library refuses to touch the two signals that it uses, which may have
            // been inherited as ignored. For SIGKILL and SIGSTOP it fails, rightly.
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), 0, SIGNALS / 8) };
        }
    }
    // SAFETY: a set of signals is plain memory, made empty before use.
    let failed = unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut())
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn supervise(socket: OwnedFd, guardian: Pid) -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    name(c"orch-supervisor");
    let guardian_end = pidfd_open(guardian, PidfdFlags::empty())?;
    // Opened first: if that was another process with its pid, this one has another parent by now.
    if rustix::process::getppid() != Some(guardian) {
        return Ok(());
    }
    let resumed = guardian_end.try_clone()?;
    let mut supervisor = Supervisor::new(socket, guardian_end)?;
    let served = supervisor.serve();
    descendants::end_all(Duration::ZERO)?;
    // Not before: the host takes the end of the socket as the end of them all.
    drop(supervisor);
    // It would not notice, and stay, if it was stopped.
    let _ = pidfd_send_signal(&resumed, Signal::CONT);
    served
}

/// Waits for the supervisor's end, then ends what it may have left.
fn guard(supervisor: Pid, socket: &OwnedFd) -> io::Result<()> {
    let end = pidfd_open(supervisor, PidfdFlags::empty())?;
    loop {
        // Only the hang-up, which need not be asked for; what is said is the supervisor's.
        let mut waited = [PollFd::new(&end, PollFlags::IN), PollFd::new(socket, PollFlags::empty())];
        wait(&mut waited, None)?;
        let [end_of_it, end_of_host] = &waited;
        if !end_of_it.revents().is_empty() {
            break;
        }
        if !end_of_host.revents().is_empty() {
            see_its_end(supervisor, &end)?;
            break;
        }
    }
    descendants::end_all(Duration::ZERO).map(|_| ())
}

/// Returns at the end of a supervisor whose host is gone.
fn see_its_end(supervisor: Pid, end: &OwnedFd) -> io::Result<()> {
    loop {
        if process_table::stat(supervisor.as_raw_pid().cast_unsigned())?.is_some_and(|stat| stat.is_stopped())
        {
            pidfd_send_signal(end, Signal::KILL)?;
        }
        let mut waited = [PollFd::new(end, PollFlags::IN)];
        wait(&mut waited, Some(&LOOK_AGAIN))?;
        let [end_of_it] = &waited;
        if !end_of_it.revents().is_empty() {
            return Ok(());
        }
    }
}

fn wait(waited: &mut [PollFd<'_>], at_most: Option<&Timespec>) -> io::Result<()> {
    match poll(waited, at_most) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What `ps` and `killall` know this process by.
fn name(name: &std::ffi::CStr) {
    // SAFETY: a system call with a text that is NUL-terminated; it fails for none.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}
