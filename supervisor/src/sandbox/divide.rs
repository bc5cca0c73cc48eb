//! From a supervisor to a command in namespaces of its own.
//!
//! In -> out: a process in new namespaces -> the first process of the new process namespace, and the command beside it;
//! both are children of the supervisor, and the process between is gone.
//! Invariant: whoever is left in the process namespace dies with its first process, and that one with the supervisor.
//! Not here: what the command does between its birth and its program (`launch.rs`).

use std::ffi::{CString, c_int, c_void};
use std::io;
use std::ptr;

use super::template::Template;
use super::users::{map, of_this_user};
use super::{Wall, Walls};

/// For the first process: it has a copy of this process's memory, and calls the kernel only.
const STACK_BYTES: usize = 64 << 10;

/// What is known before the process is cloned.
pub(crate) struct Division {
    /// All but the users'.
    namespaces: c_int,
    has_mounts: bool,
    users: CString,
    groups: CString,
    has_processes: bool,
    has_network: bool,
    has_name: bool,
    stack: Vec<u128>,
}

impl Division {
    /// None if no namespace is wanted.
    pub(crate) fn of(walls: &Walls) -> io::Result<Option<Self>> {
        if !Wall::ALL.into_iter().any(|wall| wall.takes_a_namespace() && walls.has(wall)) {
            return Ok(None);
        }
        let flag = |wall, flag| if walls.has(wall) { flag } else { 0 };
        let namespaces = flag(Wall::Mounts, libc::CLONE_NEWNS)
            | flag(Wall::Ipc, libc::CLONE_NEWIPC | libc::CLONE_NEWUTS)
            | flag(Wall::Network, libc::CLONE_NEWNET);
        let (users, groups) = of_this_user()?;
        Ok(Some(Self {
            namespaces,
            has_mounts: walls.has(Wall::Mounts),
            users,
            groups,
            has_processes: walls.has(Wall::Processes),
            has_network: walls.has(Wall::Network),
            has_name: walls.has(Wall::Ipc),
            stack: vec![0; STACK_BYTES / size_of::<u128>()],
        }))
    }

    /// Of the clone that leads away from the supervisor.
    pub(crate) fn flags(&self) -> c_int {
        if self.has_mounts { 0 } else { libc::CLONE_NEWUSER | self.namespaces }
    }

    /// In the first clone: its users, then the first process. Gives its pid as the supervisor knows it. `template`: there
    /// where mounts are the command's own.
    pub(crate) fn begin(&self, template: Option<&Template>) -> io::Result<Option<i32>> {
        match template {
            Some(template) => {
                template.enter()?;
                // SAFETY: numbers.
                done(unsafe { libc::unshare(self.namespaces) })?;
            }
            None => map(&self.users, &self.groups)?,
        }
        if self.has_name {
            let name = c"sandbox";
            // SAFETY: a text and its length.
            done(unsafe { libc::sethostname(name.as_ptr(), name.count_bytes()) })?;
        }
        if self.has_network {
            raise_loopback()?;
        }
        if !self.has_processes {
            return Ok(None);
        }
        // SAFETY: numbers only. `first` has a copy of this memory, of which it uses nothing but its stack.
        unsafe {
            done(libc::unshare(libc::CLONE_NEWPID))?;
            let top = self.stack.as_ptr_range().end.cast_mut().cast::<c_void>();
            let pid = libc::clone(first, top, libc::CLONE_PARENT | libc::SIGCHLD, ptr::null_mut());
            if pid > 0 { Ok(Some(pid)) } else { Err(io::Error::last_os_error()) }
        }
    }
}

/// Of the rights that a namespace of users gives within it, none is left, and none comes back with a program.
pub(crate) fn give_up_rights() -> io::Result<()> {
    /// `struct __user_cap_header_struct` and twice `struct __user_cap_data_struct` of the kernel.
    #[repr(C)]
    struct Header {
        version: u32,
        pid: c_int,
    }
    const VERSION_3: u32 = 0x2008_0522;
    // SAFETY: numbers, and structures as the kernel's.
    unsafe {
        let mut right = 0;
        // The first that the kernel does not know is after its last.
        while libc::prctl(libc::PR_CAPBSET_DROP, right, 0, 0, 0) == 0 {
            right += 1;
        }
        if right == 0 {
            return Err(io::Error::last_os_error());
        }
        done(libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))?;
        let header = Header { version: VERSION_3, pid: 0 };
        let none = [0_u32; 6];
        match libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// The first of a process namespace: it takes in orphans until it is killed, and all with it.
extern "C" fn first(_: *mut c_void) -> c_int {
    // SAFETY: system calls on numbers; the structure is written by the kernel.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"orch-first".as_ptr(), 0, 0, 0);
        // Its memory is a copy of the supervisor's.
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        // Who knows of it is outside; nobody there means that the supervisor is gone already.
        if libc::getppid() != 0 {
            return 1;
        }
        libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
        loop {
            while libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) > 0 {}
            libc::sigwaitinfo(&raw const set, ptr::null_mut());
        }
    }
}

/// Programs talk to themselves on it.
fn raise_loopback() -> io::Result<()> {
    // SAFETY: the structure is plain memory that the kernel reads, and zeros are a valid one; the descriptor is ours.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut request: libc::ifreq = std::mem::zeroed();
        for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
            *place = byte.cast_signed();
        }
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
        let raised = done(libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request));
        libc::close(socket);
        raised
    }
}

fn done(failed: c_int) -> io::Result<()> {
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
