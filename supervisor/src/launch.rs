//! The start of one command, in the supervisor.
//!
//! In -> out: (`Request`, write ends of its streams, channel of its sockets) -> pid of a process that executes the program, or what failed.
//! What every command gets: its own session, no controlling terminal, stdin from `/dev/null`, no other descriptor, no
//! blocked or ignored signal, exactly the environment that was asked for, no way to gain privileges (so that it can
//! always be killed), and death by SIGKILL when its supervisor dies.
//! Invariant: the program is executed as it is: no search path, and no shell for a file that the kernel refuses.
//! Not here: signal dispositions, umask, stdin and inherited descriptors, settled once for all (`guardian.rs`).

use std::cell::Cell;
use std::ffi::{CString, OsStr, OsString, c_char, c_int, c_void};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::rc::Rc;

use rustix::fs::{Mode, OFlags};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, fchdir, getpid, getppid, getrlimit, kill_process,
    set_parent_process_death_signal, setrlimit, setsid, waitpid,
};
use seccompiler::BpfProgram;

use crate::error::StartStep;
use crate::request::Request;
use crate::sandbox::{Sandbox, Wall, Walls, build, divide, filter, listen, plan, rules, template};

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

/// Of each child between clone and exec; it uses a few kilobytes, and Landlock's rules some more.
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

/// Processes that are this one's children, to be reaped by it.
pub(crate) struct Launched {
    pub(crate) command: Pid,
    /// Of the command's process namespace: whoever is in it dies with this one.
    pub(crate) first: Option<Pid>,
}

/// Starts commands, one after the other.
pub(crate) struct Launcher {
    /// Kept: fresh pages for each command would cost as much as the rest. The second is for the command of a process
    /// that leads into namespaces.
    stacks: [Vec<u128>; 2],
    /// Made once, when they are first needed.
    filter: Option<Rc<BpfProgram>>,
    templates: template::Templates,
}

impl Launcher {
    pub(crate) fn new() -> Self {
        let stack = || vec![0; STACK_BYTES / size_of::<u128>()];
        Self { stacks: [stack(), stack()], filter: None, templates: template::Templates::new() }
    }

    /// Returns once the program is executing.
    pub(crate) fn launch(
        &mut self,
        request: &Request,
        stdout: OwnedFd,
        stderr: OwnedFd,
        channel: Option<OwnedFd>,
    ) -> Result<Launched, StartFailure> {
        let failed = |step| move |error: io::Error| StartFailure::new(step, &error);
        let listens = request.sandbox.listens();
        if !listens.is_empty() && channel.is_none() {
            // The kernel drops what the receiver has no room for.
            return Err(StartFailure { step: StartStep::Sandbox(Wall::Network), errno: libc::EMFILE });
        }
        let open = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&request.directory, open, Mode::empty())
            .map_err(|errno| failed(StartStep::Directory)(errno.into()))?;
        let texts = Texts::of(request).map_err(failed(StartStep::Program))?;
        let confined = self.confined(&request.sandbox)?;
        let [stack, inner_stack] = &mut self.stacks;
        let birth = Birth {
            program: &texts.program,
            args: &pointers(&texts.args),
            env: &pointers(&texts.env),
            directory: &directory,
            directory_path: &texts.directory,
            stdout: &stdout,
            stderr: &stderr,
            supervisor: getpid(),
            open_files: request.open_files_max.map(open_files),
            confined,
            listening: channel.as_ref().map(|channel| (listens, channel)),
            inner_stack: top_of(inner_stack),
            failure: Cell::new(None),
            command: Cell::new(None),
            first: Cell::new(None),
        };
        let division = birth.confined.as_ref().and_then(|confined| confined.division.as_ref());
        let into = division.map_or(0, divide::Division::flags);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD | into;
        let main = if division.is_some() { leader } else { child };
        // SAFETY: as with vfork, the child has this process's memory until it executes a program or exits, and this
        // process, which has one thread (`guardian::serve` checks it), stands still until then. So `birth` and the
        // stack outlive the child's use of them, nobody else touches either, and no lock is held. `main` neither
        // unwinds nor returns to a caller's frame. The stack's end is aligned to 16 bytes, as its items are.
        let pid = unsafe {
            libc::clone(main, top_of(stack), flags, ptr::from_ref(&birth).cast_mut().cast::<c_void>())
        };
        let Some(pid) = Pid::from_raw(pid.max(0)) else {
            let error = io::Error::last_os_error();
            let step = if into == 0 { StartStep::Program } else { StartStep::Namespaces };
            return Err(failed(step)(error));
        };
        // The command's process is the leader's sibling. Reaping cannot fail: all of them are this process's children.
        let reap = |pid: Pid| {
            let _ = rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
        };
        let first = birth.first.get().and_then(Pid::from_raw);
        let command = match division {
            None => Some(pid),
            Some(_) => {
                reap(pid);
                birth.command.get().and_then(Pid::from_raw)
            }
        };
        match (birth.failure.get(), command) {
            (None, Some(command)) => Ok(Launched { command, first }),
            (failure, command) => {
                command.into_iter().for_each(reap);
                if let Some(first) = first {
                    // After the command, which the kernel has it wait for.
                    let _ = kill_process(first, Signal::KILL);
                    reap(first);
                }
                // A leader that ended without a word was killed.
                Err(failure.unwrap_or(StartFailure { step: StartStep::Namespaces, errno: libc::EINTR }))
            }
        }
    }

    fn confined<'a>(&mut self, sandbox: &'a Sandbox) -> Result<Option<Confined<'a>>, StartFailure> {
        let Sandbox::Walls(walls) = sandbox else { return Ok(None) };
        let [stack, _] = &mut self.stacks;
        let at = |step| move |error: io::Error| StartFailure::new(step, &error);
        let plan = plan::of(walls).map_err(at(StartStep::Sandbox(Wall::Mounts)))?;
        let division = divide::Division::of(walls).map_err(at(StartStep::Namespaces))?;
        let mounts = match plan {
            None => None,
            Some(plan) => {
                let made = self.templates.of(&plan, top_of(stack));
                let template = made.map_err(|(step, error)| StartFailure::new(step, &error))?;
                Some(Mounts { template, steps: plan.own })
            }
        };
        let filter = match &self.filter {
            Some(filter) => filter.clone(),
            None => {
                let made = filter::program().map_err(at(StartStep::Sandbox(Wall::Syscalls)))?;
                self.filter.insert(made.into()).clone()
            }
        };
        Ok(Some(Confined { walls, mounts, division, filter }))
    }
}

fn top_of(stack: &mut [u128]) -> *mut c_void {
    stack.as_mut_ptr_range().end.cast::<c_void>()
}

/// A sandbox, ready to be entered.
struct Confined<'a> {
    walls: &'a Walls,
    mounts: Option<Mounts>,
    division: Option<divide::Division>,
    filter: Rc<BpfProgram>,
}

/// What is there already, and what is mounted for this command.
struct Mounts {
    template: Rc<template::Template>,
    steps: Vec<plan::Step>,
}

/// What the child needs, prepared by its parent.
struct Birth<'a> {
    program: &'a CString,
    args: &'a [*const c_char],
    env: &'a [*const c_char],
    directory: &'a OwnedFd,
    /// The same, to be found in a root of its own.
    directory_path: &'a CString,
    stdout: &'a OwnedFd,
    stderr: &'a OwnedFd,
    supervisor: Pid,
    open_files: Option<Rlimit>,
    confined: Option<Confined<'a>>,
    /// Where the leader makes sockets, and where it sends them.
    listening: Option<(&'a [SocketAddr], &'a OwnedFd)>,
    inner_stack: *mut c_void,
    /// Set by the children, in their parent's memory.
    failure: Cell<Option<StartFailure>>,
    command: Cell<Option<i32>>,
    first: Cell<Option<i32>>,
}

/// Leads into the namespaces: the command is made beside it, by the supervisor's own side.
extern "C" fn leader(birth: *mut c_void) -> c_int {
    // SAFETY: as for `child`.
    let at_birth = unsafe { &*birth.cast::<Birth<'_>>() };
    let Some(confined) = &at_birth.confined else { return 1 };
    let Some(division) = &confined.division else { return 1 };
    match division.begin(confined.mounts.as_ref().map(|mounts| &*mounts.template)) {
        Ok(first) => at_birth.first.set(first),
        Err(error) => {
            at_birth.failure.set(Some(StartFailure::new(StartStep::Namespaces, &error)));
            return 1;
        }
    }
    if let Some((addresses, channel)) = at_birth.listening
        && let Err(error) = listen::send(addresses, channel.as_fd())
    {
        at_birth.failure.set(Some(StartFailure::new(StartStep::Sandbox(Wall::Network), &error)));
        return 1;
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT | libc::SIGCHLD;
    // SAFETY: as in `launch`: this process and the supervisor stand still until the child has other memory or none, and
    // its stack is not this one's.
    match unsafe { libc::clone(child, at_birth.inner_stack, flags, birth) } {
        -1 => {
            let error = io::Error::last_os_error();
            at_birth.failure.set(Some(StartFailure::new(StartStep::Namespaces, &error)));
            1
        }
        pid => {
            at_birth.command.set(Some(pid));
            0
        }
    }
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
        let prepared = match &self.confined {
            None => fchdir(self.directory)
                .map_err(|errno| at(StartStep::Directory)(errno.into()))
                .and_then(|()| self.settle().map_err(at(StartStep::Program))),
            Some(confined) => self.confine(confined),
        };
        prepared.err().unwrap_or_else(|| at(StartStep::Program)(self.execute()))
    }

    /// Puts up the walls, from the widest to the one that lets no other be put up.
    fn confine(&self, confined: &Confined<'_>) -> Result<(), StartFailure> {
        let at = |step| move |error: io::Error| StartFailure::new(step, &error);
        let wall = |wall| at(StartStep::Sandbox(wall));
        let Confined { walls, mounts, division, filter } = confined;
        let steps = mounts.as_ref().map_or(&[][..], |mounts| &mounts.steps);
        build::take(steps).map_err(wall(Wall::Mounts))?;
        let entered = match walls.has(Wall::Mounts) {
            // SAFETY: a text that is NUL-terminated.
            true if unsafe { libc::chdir(self.directory_path.as_ptr()) } != 0 => {
                Err(io::Error::last_os_error())
            }
            true => Ok(()),
            false => fchdir(self.directory).map_err(io::Error::from),
        };
        entered.map_err(at(StartStep::Directory))?;
        if walls.has(Wall::Limits) {
            walls.limits.apply().map_err(wall(Wall::Limits))?;
        }
        self.settle().map_err(at(StartStep::Program))?;
        if division.is_some() {
            divide::give_up_rights().map_err(at(StartStep::Namespaces))?;
        }
        if walls.has(Wall::Landlock) {
            rules::enter(walls).map_err(wall(Wall::Landlock))?;
        }
        if walls.has(Wall::Syscalls) {
            filter::enter(filter).map_err(wall(Wall::Syscalls))?;
        }
        Ok(())
    }

    /// Everything but folder, sandbox and program.
    fn settle(&self) -> io::Result<()> {
        setsid()?;
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have died before the line above. In a process namespace it is nobody, and who takes in orphans is 1.
        let parent = match self.first.get() {
            None => Some(self.supervisor),
            Some(_) => None,
        };
        if getppid() != parent {
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
    directory: CString,
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
        let directory = text(request.directory.as_os_str())?;
        Ok(Self { program, args, env, directory })
    }
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}
