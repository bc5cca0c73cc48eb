//! Who is at the other end of a local socket: a person's program, or a command of a plugin.
//!
//! In -> out: a connected Unix socket -> [`Peer`]: its user, its process, whether it runs under a supervisor.
//! Invariant: what is said of a process is said of the one that connected: where the kernel has `SO_PEERPIDFD` (6.5), by a
//! descriptor of it, else by its pid and the time of its start.
//! Not here: what a peer may ask for (`orch-host`'s `control/`).

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;

use crate::ARGUMENT;
use crate::identity::{ProcessIdentity, still_running};
use crate::process_table::stat;

/// `SO_PEERPIDFD` of `asm-generic/socket.h`.
const PEER_PIDFD: libc::c_int = 77;
/// More processes than this are not above one.
const DEPTH_MAX: usize = 1000;

/// The process that connected.
#[derive(Debug)]
pub struct Peer {
    pub uid: u32,
    pub process: ProcessIdentity,
    /// None on a kernel that gives none.
    pidfd: Option<OwnedFd>,
}

impl Peer {
    /// # Errors
    /// No socket of this machine, or its other end is gone already.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        let socket = socket.as_fd();
        let credentials = socket_peercred(socket)?;
        let pidfd = pidfd(&socket)?;
        let pid = u32::try_from(credentials.pid.as_raw_pid()).map_err(io::Error::other)?;
        let process = ProcessIdentity::of(pid)?;
        let peer = Self { uid: credentials.uid.as_raw(), process, pidfd };
        match peer.is_there()? {
            true => Ok(peer),
            false => Err(gone()),
        }
    }

    /// Path of its executable; empty if this user may not know.
    pub fn program(&self) -> String {
        let path = fs::read_link(format!("/proc/{}/exe", self.process.pid));
        path.map(|path| path.display().to_string()).unwrap_or_default()
    }

    /// Whether the process runs under a supervisor of any host, or is below this very host.
    ///
    /// One whose supervisor and guardian were both killed is a child of the host, if the host is a child subreaper
    /// ([`crate::adopt`]).
    ///
    /// # Errors
    /// It is gone, or `/proc` does not say what is above it: whoever asks refuses.
    pub fn is_a_command(&self) -> io::Result<bool> {
        let me = std::process::id();
        let mut pid = self.process.pid;
        let mut found = is_supervisor(pid)?;
        for _ in 0..DEPTH_MAX {
            let Some(above) = stat(pid)?.map(|stat| stat.parent).filter(|above| *above > 1) else { break };
            found |= above == me || is_supervisor(above)?;
            pid = above;
        }
        match self.is_there()? {
            true => Ok(found),
            false => Err(gone()),
        }
    }

    /// Whether it lives; as long as it does nobody else has its pid.
    fn is_there(&self) -> io::Result<bool> {
        let Some(pidfd) = &self.pidfd else { return still_running(&self.process) };
        let mut ended = [PollFd::new(pidfd, PollFlags::IN)];
        Ok(poll(&mut ended, Some(&Timespec::default()))? == 0)
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the process that connected is gone")
}

/// Supervisor and guardian are this program, called with [`ARGUMENT`].
fn is_supervisor(pid: u32) -> io::Result<bool> {
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(line) => Ok(line.split(|byte| *byte == 0).nth(1) == Some(ARGUMENT.as_bytes())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn pidfd(socket: &impl AsRawFd) -> io::Result<Option<OwnedFd>> {
    let mut found: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `found`, which has so many.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            PEER_PIDFD,
            (&raw mut found).cast(),
            &raw mut length,
        )
    };
    if failed == 0 {
        // SAFETY: the kernel made the descriptor for this call; nobody else has it.
        return Ok(Some(unsafe { OwnedFd::from_raw_fd(found) }));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOPROTOOPT) => Ok(None),
        // It is gone, and was reaped.
        Some(libc::ESRCH | libc::EINVAL) => Err(gone()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn who_made_the_socket_is_at_its_other_end() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(&one).unwrap();
        assert_eq!(peer.process.pid, std::process::id());
        assert_eq!(peer.uid, rustix::process::getuid().as_raw());
        assert_eq!(peer.program(), std::env::current_exe().unwrap().display().to_string());
        assert!(!peer.is_a_command().unwrap());
    }

    #[test]
    fn a_child_is_below_and_one_that_ended_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let program =
            "import socket,sys,time\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ntime.sleep(60)";
        let mut child =
            std::process::Command::new("python3").args(["-c", program]).arg(&path).spawn().unwrap();
        let (socket, _) = listener.accept().unwrap();
        let peer = Peer::of(&socket).unwrap();
        assert_eq!(peer.process.pid, child.id());
        assert!(peer.is_a_command().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(peer.is_a_command().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(Peer::of(&socket).is_err());
    }
}
