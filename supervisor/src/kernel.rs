//! What a kernel, and whatever filters its calls, must give so that commands can be started and seen to their end; and the
//! one signal that a limit would end a host with.
//!
//! In -> out: each call, tried on this process -> those that fail, with what the system said.
//! Invariant: a trial leaves this process as it was.
//! Not here: folders and limits (the host's).

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use rustix::process::{PidfdFlags, getpid, pidfd_open};

use crate::identity::boot_id;

/// What was tried, and why it is not there.
#[derive(Debug)]
pub struct Lacking {
    /// As a person finds it in a manual.
    pub what: &'static str,
    pub source: io::Error,
}

type Trial = fn() -> io::Result<()>;

/// What this machine lacks; nothing, if commands can be run on it.
pub fn lacking() -> Vec<Lacking> {
    let trials: [(&'static str, Trial); 8] = [
        ("pidfd_open", || Ok(pidfd_open(getpid(), PidfdFlags::empty()).map(drop)?)),
        ("pidfd_send_signal", pidfd_send_no_signal),
        ("close_range", || call(libc::SYS_close_range, [u32::MAX.into(), u32::MAX.into(), 0, 0])),
        ("prctl PR_SET_CHILD_SUBREAPER", become_subreaper_and_back),
        ("signalfd", signalfd),
        ("socketpair", || UnixStream::pair().map(drop)),
        ("/dev/null", || fs::OpenOptions::new().read(true).write(true).open("/dev/null").map(drop)),
        ("/proc", || {
            boot_id()?;
            // Without it nobody below a command would be found.
            fs::read("/proc/thread-self/children").map(drop)
        }),
    ];
    let tried = trials.into_iter().filter_map(|(what, trial)| Some((what, trial().err()?)));
    tried.map(|(what, source)| Lacking { what, source }).collect()
}

/// A file beyond `ulimit -f` is an error from now on, and not the end of this process. Commands get the default back.
pub fn survive_large_files() {
    // SAFETY: no handler is set; the signal may be ignored.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// A system call by its number: none of these has a wrapper that changes nothing.
fn call(number: libc::c_long, arguments: [libc::c_long; 4]) -> io::Result<()> {
    let [one, two, three, four] = arguments;
    // SAFETY: callers pass numbers only, or a null pointer where the kernel takes one.
    match unsafe { libc::syscall(number, one, two, three, four) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Signal 0 only asks whether it could be sent.
fn pidfd_send_no_signal() -> io::Result<()> {
    // Without a descriptor this one says so itself: it is another trial's.
    let Ok(me) = pidfd_open(getpid(), PidfdFlags::empty()) else { return Ok(()) };
    call(libc::SYS_pidfd_send_signal, [me.as_raw_fd().into(), 0, 0, 0])
}

fn become_subreaper_and_back() -> io::Result<()> {
    let mut before: libc::c_int = 0;
    // SAFETY: the kernel writes one number to `before`; the other two calls take numbers.
    let failed = unsafe {
        libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut before, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_CHILD_SUBREAPER, before, 0, 0, 0) != 0
    };
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn signalfd() -> io::Result<()> {
    // SAFETY: the set is plain memory, made empty before use; the descriptor is this function's own.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        match libc::signalfd(-1, &none, libc::SFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => match libc::close(descriptor) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_runs_the_tests_so_it_lacks_nothing() {
        assert!(lacking().is_empty(), "{:?}", lacking());
    }
}
