//! What many commands see alike, mounted once: each command's mounts are a copy of it, which the kernel makes in one call.
//!
//! In -> out: the kept steps of a plan -> namespaces of users and mounts without a process, held by descriptors.
//! Invariant: no command is ever in it, only in a copy; nothing that a command may write lies in it, and nothing of what its
//! mounts lead to is another file or folder than when it was made, else it is made anew.
//! Not here: which steps those are (`plan.rs`), the other namespaces (`divide.rs`).

use std::cell::Cell;
use std::ffi::{CString, c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitOptions, waitpid};

use super::plan::{Plan, Step};
use super::{Wall, build, users};
use crate::error::StartStep;

/// Commands of one host differ little.
const KEPT_MAX: usize = 4;

/// Namespaces of users and of mounts.
pub(crate) struct Template {
    users: OwnedFd,
    mounts: OwnedFd,
}

impl Template {
    /// Brings this process, which shares its folder with no other, into both.
    pub(crate) fn enter(&self) -> io::Result<()> {
        for (namespace, kind) in [(&self.users, libc::CLONE_NEWUSER), (&self.mounts, libc::CLONE_NEWNS)] {
            // SAFETY: numbers.
            if unsafe { libc::setns(namespace.as_raw_fd(), kind) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

/// Those of a supervisor, the latest last.
pub(crate) struct Templates {
    kept: Vec<Kept>,
    /// Of the supervisor's own namespace: what is mounted there later is in no template.
    mounted: Option<File>,
}

struct Kept {
    steps: Vec<Step>,
    sources: Vec<(u64, u64)>,
    template: Rc<Template>,
}

impl Templates {
    pub(crate) fn new() -> Self {
        Self { kept: Vec::new(), mounted: None }
    }

    /// The one for these steps, made on that stack unless it is there; or the step that failed.
    pub(crate) fn of(
        &mut self,
        plan: &Plan,
        stack: *mut c_void,
    ) -> Result<Rc<Template>, (StartStep, io::Error)> {
        if !self.is_mounted_as_before() {
            self.kept.clear();
            // Before what it is asked about.
            self.mounted = File::open("/proc/self/mountinfo").ok();
        }
        let is_it = |kept: &Kept| kept.sources == plan.sources && kept.steps == plan.kept;
        let kept = match self.kept.iter().position(is_it) {
            Some(place) => self.kept.remove(place),
            None => {
                let template = Rc::new(make(&plan.kept, stack)?);
                Kept { steps: plan.kept.clone(), sources: plan.sources.clone(), template }
            }
        };
        let template = kept.template.clone();
        if self.kept.len() >= KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push(kept);
        Ok(template)
    }

    fn is_mounted_as_before(&self) -> bool {
        let Some(mounted) = &self.mounted else { return false };
        let mut waited = [PollFd::new(mounted, PollFlags::PRI)];
        // The kernel marks the file once for all changes since it was asked last.
        let asked = poll(&mut waited, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        let [mounted] = &waited;
        asked.is_ok() && !mounted.revents().intersects(PollFlags::PRI | PollFlags::ERR)
    }
}

/// What the process that makes it needs.
struct Making<'a> {
    steps: &'a [Step],
    users: CString,
    groups: CString,
    failure: Cell<Option<(StartStep, i32)>>,
    made: Cell<Option<[c_int; 2]>>,
}

fn make(steps: &[Step], stack: *mut c_void) -> Result<Template, (StartStep, io::Error)> {
    let (users, groups) = users::of_this_user().map_err(|error| (StartStep::Namespaces, error))?;
    let making = Making { steps, users, groups, failure: Cell::new(None), made: Cell::new(None) };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES | libc::SIGCHLD;
    let into = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;
    let at = ptr::from_ref(&making).cast_mut().cast::<c_void>();
    // SAFETY: as in `launch`: this process, which has one thread, stands still until the child is over, so `making` and the
    // stack outlive the child's use of them, and nobody else touches them or the table of descriptors, which both have.
    let pid = unsafe { libc::clone(maker, stack, flags | into, at) };
    let Some(pid) = Pid::from_raw(pid.max(0)) else {
        return Err((StartStep::Namespaces, io::Error::last_os_error()));
    };
    // Reaping cannot fail: it is this process's child.
    let _ = rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
    match (making.made.get(), making.failure.get()) {
        (Some([users, mounts]), None) => {
            // SAFETY: the child opened both for this process, and nobody else knows of them.
            unsafe {
                Ok(Template { users: OwnedFd::from_raw_fd(users), mounts: OwnedFd::from_raw_fd(mounts) })
            }
        }
        (_, Some((step, errno))) => Err((step, io::Error::from_raw_os_error(errno))),
        // It was killed.
        (None, None) => Err((StartStep::Namespaces, io::Error::from_raw_os_error(libc::EINTR))),
    }
}

extern "C" fn maker(making: *mut c_void) -> c_int {
    // SAFETY: `make` gives a `Making` that lives until this process is over.
    let making = unsafe { &*making.cast::<Making<'_>>() };
    match making.begin() {
        Ok(()) => 0,
        Err((step, error)) => {
            making.failure.set(Some((step, error.raw_os_error().unwrap_or(libc::EINVAL))));
            1
        }
    }
}

impl Making<'_> {
    fn begin(&self) -> Result<(), (StartStep, io::Error)> {
        let at = |step| move |error: io::Error| (step, error);
        users::map(&self.users, &self.groups).map_err(at(StartStep::Namespaces))?;
        // While the machine's `/proc` is there.
        let open = |path: &str| File::open(path).map(OwnedFd::from).map_err(at(StartStep::Namespaces));
        let namespaces = [open("/proc/self/ns/user")?, open("/proc/self/ns/mnt")?];
        build::take(self.steps).map_err(at(StartStep::Sandbox(Wall::Mounts)))?;
        self.made.set(Some(namespaces.map(std::os::fd::IntoRawFd::into_raw_fd)));
        Ok(())
    }
}
