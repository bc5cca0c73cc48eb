//! The start of one command, in the supervisor.
//!
//! In -> out: (`Request`, write ends of its streams) -> pid of a process that executes the program, or what failed.
//! What every command gets: its own session, no controlling terminal, stdin from `/dev/null`, no other descriptor, no
//! blocked or ignored signal, exactly the environment that was asked for, no way to gain privileges (so that it can
//! always be killed), and death by SIGKILL when its supervisor dies.
//! Invariant: the program is executed as it is: no search path, and no shell for a file that the kernel refuses.
//! Not here: signal dispositions, umask, stdin and inherited descriptors, settled once for all (`guardian.rs`).

use std::cell::Cell;
use std::ffi::{CString, OsStr, OsString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use rustix::fs::{Mode, OFlags};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, fchdir, getpid, getppid, getrlimit,
    set_parent_process_death_signal, setrlimit, setsid, waitpid,
};

use crate::error::StartStep;
use crate::request::Request;
use crate::sandbox::Sandbox;

/// What is sent to process groups and control groups. Whoever guards ignores it; commands get the default back.
pub(crate) const IGNORED: [libc::c_int; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// Of the child between clone and exec; it uses a few kilobytes.
const STACK_BYTES: usize = 256 << 10;

/// Why there is no process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartFailure {
    pub(crate) step: StartStep,
    pub(crate) errno: i32,
}

impl StartFailure {
    fn new(step: StartStep, error: &io::Error) -> Self {
        Self { step, errno: error.raw_os_error().unwrap_or(libc::EINVAL) }
    }
}

/// Starts commands, one after the other.
pub(crate) struct Launcher {
    /// Kept: fresh pages for each command would cost as much as the rest.
    stack: Vec<u128>,
}

impl Launcher {
    pub(crate) fn new() -> Self {
        Self { stack: vec![0; STACK_BYTES / size_of::<u128>()] }
    }

    /// Returns once the program is executing. Its process is reaped by the caller.
    pub(crate) fn launch(
        &mut self,
        request: &Request,
        stdout: OwnedFd,
        stderr: OwnedFd,
    ) -> Result<Pid, StartFailure> {
        let failed = |step| move |error: io::Error| StartFailure::new(step, &error);
        let open = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&request.directory, open, Mode::empty())
            .map_err(|errno| failed(StartStep::Directory)(errno.into()))?;
        let texts = Texts::of(request).map_err(failed(StartStep::Program))?;
        let birth = Birth {
            program: &texts.program,
            args: &pointers(&texts.args),
            env: &pointers(&texts.env),
            directory: &directory,
            stdout: &stdout,
            stderr: &stderr,
            supervisor: getpid(),
            open_files: request.open_files_max.map(open_files),
            sandbox: &request.sandbox,
            failure: Cell::new(None),
        };
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: as with vfork, the child has this process's memory until it executes a program or exits, and this
        // process, which has one thread (`guardian::serve` checks it), stands still until then. So `birth` and the
        // stack outlive the child's use of them, nobody else touches either, and no lock is held. `child` neither
        // unwinds nor returns to a caller's frame. The stack's end is aligned to 16 bytes, as its items are.
        let pid = unsafe {
            let top = self.stack.as_mut_ptr_range().end.cast::<c_void>();
            libc::clone(child, top, flags, ptr::from_ref(&birth).cast_mut().cast::<c_void>())
        };
        let Some(pid) = Pid::from_raw(pid.max(0)) else {
            return Err(failed(StartStep::Program)(io::Error::last_os_error()));
        };
        match birth.failure.get() {
            None => Ok(pid),
            Some(failure) => {
                // It has exited, and cannot fail to be reaped: it is this process's child.
                let _ = rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
                Err(failure)
            }
        }
    }
}

/// What the child needs, prepared by its parent.
struct Birth<'a> {
    program: &'a CString,
    args: &'a [*const c_char],
    env: &'a [*const c_char],
    directory: &'a OwnedFd,
    stdout: &'a OwnedFd,
    stderr: &'a OwnedFd,
    supervisor: Pid,
    open_files: Option<Rlimit>,
    sandbox: &'a Sandbox,
    /// Set by the child, in its parent's memory.
    failure: Cell<Option<StartFailure>>,
}

extern "C" fn child(birth: *mut c_void) -> c_int {
    // SAFETY: `launch` gives a `Birth` that lives until this process has other memory or none.
    let birth = unsafe { &*birth.cast::<Birth<'_>>() };
    birth.failure.set(Some(birth.begin()));
    // The C library's clone makes this the exit code, without running anything of the parent's.
    1
}

impl Birth<'_> {
    /// Returns only if it failed.
    fn begin(&self) -> StartFailure {
        let at = |step| move |error: io::Error| StartFailure::new(step, &error);
        let prepared = fchdir(self.directory).map_err(|errno| at(StartStep::Directory)(errno.into()));
        let prepared = prepared
            .and_then(|()| self.settle().map_err(at(StartStep::Program)))
            .and_then(|()| self.sandbox.enter().map_err(at(StartStep::Sandbox)));
        prepared.err().unwrap_or_else(|| at(StartStep::Program)(self.execute()))
    }

    /// Everything but folder, sandbox and program.
    fn settle(&self) -> io::Result<()> {
        setsid()?;
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have died before the line above.
        if getppid() != Some(self.supervisor) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        if let Some(limit) = self.open_files {
            setrlimit(Resource::Nofile, limit)?;
        }
        // SAFETY: system calls on numbers, and on a set of signals that is made empty before use. The two descriptors
        // are above 2, because 0 to 2 are always open, so the copies lose their close-on-exec.
        unsafe {
            let mut none = std::mem::zeroed();
            let done = libc::dup2(self.stdout.as_raw_fd(), libc::STDOUT_FILENO) >= 0
                && libc::dup2(self.stderr.as_raw_fd(), libc::STDERR_FILENO) >= 0
                && libc::sigemptyset(&mut none) == 0
                && libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut()) == 0
                && libc::signal(libc::SIGPIPE, libc::SIG_DFL) != libc::SIG_ERR
                && IGNORED.iter().all(|signal| libc::signal(*signal, libc::SIG_DFL) != libc::SIG_ERR)
                && libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
            if done { Ok(()) } else { Err(io::Error::last_os_error()) }
        }
    }

    /// Returns only if it failed. Not `execvp`, which hands a file that the kernel refuses to execute to a shell.
    fn execute(&self) -> io::Error {
        // SAFETY: all texts are NUL-terminated, both lists end with a null pointer, and all outlive the call.
        unsafe { libc::execve(self.program.as_ptr(), self.args.as_ptr(), self.env.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// Never more than is allowed: that would fail.
fn open_files(wanted: u64) -> Rlimit {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Rlimit { current: Some(maximum.map_or(wanted, |maximum| maximum.min(wanted))), maximum }
}

/// What execve takes.
struct Texts {
    program: CString,
    /// With the program's own name.
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Texts {
    fn of(request: &Request) -> io::Result<Self> {
        let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(io::Error::from);
        let program = text(request.program.as_os_str())?;
        let mut args = vec![program.clone()];
        for arg in &request.args {
            args.push(text(arg)?);
        }
        let mut env = Vec::with_capacity(request.env.len());
        for (name, value) in &request.env {
            let mut pair = OsString::with_capacity(name.len() + value.len() + 1);
            pair.push(name);
            pair.push("=");
            pair.push(value);
            env.push(text(&pair)?);
        }
        Ok(Self { program, args, env })
    }
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}
