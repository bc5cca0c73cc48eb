//! The start of one command, in the supervisor.
//!
//! In -> out: (`Request`, write ends of its streams) -> pid of a process that executes the program, or what failed.
//! What every command gets: its own session, no controlling terminal, stdin from `/dev/null`, no other descriptor, no
//! blocked or ignored signal, exactly the environment that was asked for, no way to gain privileges (so that it can
//! always be killed), and death by SIGKILL when its supervisor dies.
//! Invariant: the program is executed as it is: no search path, and no shell for a file that the kernel refuses.
//! Not here: signal dispositions, umask and inherited descriptors, settled once for all commands (`guardian.rs`).

use std::ffi::{CString, OsStr, OsString, c_char};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::ptr;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, fchdir, getppid, set_parent_process_death_signal, setsid};

use crate::error::StartStep;
use crate::request::Request;
use crate::sandbox::Sandbox;

/// Why there is no process.
#[derive(Debug)]
pub(crate) struct StartFailure {
    pub(crate) step: StartStep,
    pub(crate) errno: i32,
}

impl StartFailure {
    pub(crate) fn new(step: StartStep, error: &io::Error) -> Self {
        Self { step, errno: error.raw_os_error().unwrap_or(libc::EINVAL) }
    }
}

/// Marks an error of the sandbox on the way back from the child: no errno is that large.
const SANDBOX_ERRNO_OFFSET: i32 = 0x1_0000;

/// Returns once the program is executing.
pub(crate) fn launch(request: &Request, stdout: OwnedFd, stderr: OwnedFd) -> Result<u32, StartFailure> {
    let failed = |step| move |error: io::Error| StartFailure::new(step, &error);
    let open = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(&request.directory, open, Mode::empty())
        .map_err(|errno| failed(StartStep::Directory)(errno.into()))?;
    let image = Image::of(request).map_err(failed(StartStep::Program))?;
    let sandbox = request.sandbox.clone();
    let supervisor = rustix::process::getpid();

    let mut command = Command::new(&request.program);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let enter = move || {
        setsid()?;
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have died before the line above.
        if getppid() != Some(supervisor) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        fchdir(directory.as_fd())?;
        set_no_new_privileges()?;
        sandbox_entered(&sandbox)?;
        Err(image.execute())
    };
    // SAFETY: between fork and exec only what is async-signal-safe may be called if other threads exist. This process
    // has one thread (`guardian::serve` checks that), so no lock can be held by a thread that is not there.
    unsafe { command.pre_exec(enter) };
    match command.spawn() {
        // The child is reaped by pid, in `serve.rs`.
        Ok(child) => Ok(child.id()),
        Err(error) => match error.raw_os_error() {
            Some(errno) if errno >= SANDBOX_ERRNO_OFFSET => {
                Err(StartFailure { step: StartStep::Sandbox, errno: errno - SANDBOX_ERRNO_OFFSET })
            }
            _ => Err(StartFailure::new(StartStep::Program, &error)),
        },
    }
}

fn sandbox_entered(sandbox: &Sandbox) -> io::Result<()> {
    sandbox.enter().map_err(|error| {
        let errno = error.raw_os_error().unwrap_or(libc::EINVAL);
        io::Error::from_raw_os_error(errno.saturating_add(SANDBOX_ERRNO_OFFSET))
    })
}

fn set_no_new_privileges() -> io::Result<()> {
    // SAFETY: this prctl takes four numbers and touches no memory.
    match unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What execve takes.
struct Image {
    program: CString,
    /// With the program's own name.
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Image {
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

    /// Returns only if it failed. Not the standard library's own exec, which is `execvp` and hands a file that the
    /// kernel refuses to execute to a shell.
    fn execute(&self) -> io::Error {
        let args = pointers(&self.args);
        let env = pointers(&self.env);
        // SAFETY: all three are NUL-terminated, the lists end with a null pointer, and all outlive the call.
        unsafe { libc::execve(self.program.as_ptr(), args.as_ptr(), env.as_ptr()) };
        io::Error::last_os_error()
    }
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}
