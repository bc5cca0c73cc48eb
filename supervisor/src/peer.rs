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
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, test_kill_process};

use crate::ARGUMENT;
use crate::identity::{ProcessIdentity, still_running};
use crate::process_table::stat;

/// `SO_PEERPIDFD` of `asm-generic/socket.h`.
const PEER_PIDFD: libc::c_int = 77;
/// More processes than this are not above a person's program.
const DEPTH_MAX: usize = 1000;
/// Something above may end while it is looked at; a command can make that happen again and again.
const LOOKS_MAX: usize = 8;

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
    /// It is gone, or `/proc` does not say what all is above it: whoever asks refuses.
    pub fn is_a_command(&self) -> io::Result<bool> {
        let looked = (0..LOOKS_MAX).find_map(|_| is_below(self.process.pid, DEPTH_MAX).transpose());
        match self.is_there()? {
            true => looked.unwrap_or_else(|| Err(io::Error::other("what is above it ends all the time"))),
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

/// Whether one of so many processes from this one upwards is a supervisor, or this one's ancestor is the caller; none if one
/// of them ended meanwhile, so that what is above it is not known.
fn is_below(mut pid: u32, depth_max: usize) -> io::Result<Option<bool>> {
    let me = std::process::id();
    for _ in 0..=depth_max {
        if is_supervisor(pid)? {
            return Ok(Some(true));
        }
        match stat(pid)?.map(|stat| stat.parent) {
            Some(above) if above == me => return Ok(Some(true)),
            Some(0 | 1) => return Ok(Some(false)),
            Some(above) => pid = above,
            None => return Ok(is_anothers(pid).then_some(false)),
        }
    }
    Err(io::Error::other(format!("more than {depth_max} processes are above it")))
}

/// True for what is there and not shown, as where `/proc` is mounted with `hidepid=2`. No supervisor is another user's.
fn is_anothers(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::PERM))
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

    #[test]
    fn who_has_more_above_it_than_can_be_followed_is_no_person() {
        let script = "sleep 60 & echo $!; wait";
        let mut shell = std::process::Command::new("sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = std::io::BufReader::new(shell.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        let below: u32 = line.trim().parse().unwrap();
        assert_eq!(is_below(below, 1).unwrap(), Some(true));
        let error = is_below(below, 0).unwrap_err();
        assert!(error.to_string().contains("more than 0 processes"), "{error}");
        // One that ended is no end of the way upwards.
        rustix::process::kill_process(Pid::from_raw(below as i32).unwrap(), rustix::process::Signal::KILL)
            .unwrap();
        shell.wait().unwrap();
        assert_eq!(is_below(shell.id(), DEPTH_MAX).unwrap(), None);
        assert_eq!(is_below(1, 0).unwrap(), Some(false));
    }
}
