//! The steps of a plan, taken in the command's own process.
//!
//! In -> out: [`Step`]s -> mounts of this process's namespace.
//! Invariant: no step is left out; the first that fails is the last.
//! Not here: which steps (`plan.rs`).

use std::ffi::CStr;
use std::io;
use std::ptr;

use super::plan::Step;

/// Of `linux/mount.h`.
const READ_ONLY: u64 = 1;
const NO_SUID: u64 = 2;
const NO_DEVICES: u64 = 4;
const NO_EXEC: u64 = 8;

/// `struct mount_attr` of the kernel.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Takes all of them, in the namespaces of this process.
pub(crate) fn take(steps: &[Step]) -> io::Result<()> {
    steps.iter().try_for_each(take_one)
}

fn take_one(step: &Step) -> io::Result<()> {
    match step {
        Step::Private => mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None),
        Step::Tmpfs { at, options } => {
            mount(Some(c"tmpfs"), at, Some(c"tmpfs"), libc::MS_NOSUID | libc::MS_NODEV, Some(options))
        }
        // SAFETY: these calls take texts that are NUL-terminated, and numbers.
        Step::Dir(path) => there(unsafe { libc::mkdir(path.as_ptr(), 0o755) }),
        Step::File(path) => there(unsafe { libc::mknod(path.as_ptr(), libc::S_IFREG | 0o644, 0) }),
        Step::Link { to, at } => there(unsafe { libc::symlink(to.as_ptr(), at.as_ptr()) }),
        Step::Pivot { base, old } => pivot(base, old),
        Step::Bind { from, at, writable, device } => {
            mount(Some(from), at, None, libc::MS_BIND | libc::MS_REC, None)?;
            let read_only = if *writable { 0 } else { READ_ONLY };
            let no_device = if *device { NO_EXEC } else { NO_DEVICES };
            set(at, NO_SUID | read_only | no_device, libc::AT_RECURSIVE)
        }
        Step::Proc => {
            let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
            mount(Some(c"proc"), c"/proc", Some(c"proc"), flags, None)
        }
        Step::Devpts => {
            let options = c"newinstance,ptmxmode=0666,mode=620";
            let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
            mount(Some(c"devpts"), c"/dev/pts", Some(c"devpts"), flags, Some(options))
        }
        Step::Close(path) => done(unsafe { libc::chmod(path.as_ptr(), 0) }),
        Step::Remove { at, is_folder: true } => done(unsafe { libc::rmdir(at.as_ptr()) }),
        Step::Remove { at, is_folder: false } => done(unsafe { libc::unlink(at.as_ptr()) }),
        Step::Detach(path) => {
            done(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) })?;
            done(unsafe { libc::rmdir(path.as_ptr()) })
        }
        Step::ReadOnlyRoot => set(c"/", READ_ONLY | NO_SUID, 0),
    }
}

fn pivot(base: &CStr, old: &CStr) -> io::Result<()> {
    // SAFETY: texts that are NUL-terminated.
    unsafe {
        if libc::syscall(libc::SYS_pivot_root, base.as_ptr(), old.as_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        done(libc::chdir(c"/".as_ptr()))
    }
}

fn mount(
    from: Option<&CStr>,
    at: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    options: Option<&CStr>,
) -> io::Result<()> {
    let text = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr);
    let options = text(options).cast();
    // SAFETY: each text is NUL-terminated, or null where the kernel takes none.
    done(unsafe { libc::mount(text(from), at.as_ptr(), text(kind), flags, options) })
}

/// Attributes of a mount, or of it and all beneath.
fn set(at: &CStr, attributes: u64, recursive: libc::c_int) -> io::Result<()> {
    let wanted = MountAttr { set: attributes, clear: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: a NUL-terminated text, and a structure of the size that is given.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            at.as_ptr(),
            recursive,
            &raw const wanted,
            size_of::<MountAttr>(),
        )
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn done(failed: libc::c_int) -> io::Result<()> {
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// One that was there is as good as a new one.
fn there(failed: libc::c_int) -> io::Result<()> {
    match done(failed) {
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        other => other,
    }
}
