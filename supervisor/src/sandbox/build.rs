//! The steps of a plan, taken in the command's own process.
//!
//! In -> out: [`Step`]s -> mounts of this process's namespace.
//! Invariant: no step is left out; the first that fails is the last.
//! Not here: which steps (`plan.rs`).

use std::ffi::{CStr, CString};
use std::io;
use std::ptr;

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::plan::{NO_FILE, NO_FOLDER, Shown, Step};
use super::users::write;

/// Of `linux/mount.h`.
const READ_ONLY: u64 = 1;
const NO_SUID: u64 = 2;
const NO_DEVICES: u64 = 4;
const NO_EXEC: u64 = 8;
const CLONE_TREE: libc::c_int = 1;
const MOVE_FROM_DESCRIPTOR: libc::c_int = 4;
const MOVE_TO_DESCRIPTOR: libc::c_int = 0x40;

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
        Step::Over { at, shown } => over(at, *shown),
        Step::Overlay { at, options } => {
            let flags = libc::MS_NOSUID | libc::MS_NODEV;
            mount(Some(c"overlay"), at, Some(c"overlay"), flags, Some(options))
        }
        Step::Proc => {
            let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
            mount(Some(c"proc"), c"/proc", Some(c"proc"), flags, None)
        }
        Step::ProcessIds(most) => {
            let _ = write(c"/proc/sys/kernel/pid_max", most);
            Ok(())
        }
        Step::Devpts => {
            let options = c"newinstance,ptmxmode=0666,mode=620";
            let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
            mount(Some(c"devpts"), c"/dev/pts", Some(c"devpts"), flags, Some(options))
        }
        Step::Close(path) => done(unsafe { libc::chmod(path.as_ptr(), 0) }),
        Step::Remove(at) => done(unsafe { libc::unlink(at.as_ptr()) }),
        Step::Detach(path) => done(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) }),
        Step::ReadOnlyRoot => set(c"/", READ_ONLY | NO_SUID, 0),
    }
}

/// Reads and writes nothing of what it covers, and follows no link on the way.
fn over(at: &CStr, shown: Shown) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let covered = match openat2(CWD, at, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(covered) => covered,
        Err(Errno::LOOP | Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let tree = match shown {
        Shown::Readable | Shown::Writable => clone_tree(covered.as_raw_fd(), c"")?,
        Shown::NoFile => clone_tree(libc::AT_FDCWD, CString::new(NO_FILE)?.as_c_str())?,
        Shown::NoFolder => clone_tree(libc::AT_FDCWD, CString::new(NO_FOLDER)?.as_c_str())?,
    };
    let read_only = if shown == Shown::Writable { 0 } else { READ_ONLY };
    let how = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    set_at(tree.as_raw_fd(), c"", NO_SUID | NO_DEVICES | read_only, how)?;
    // SAFETY: descriptors and empty texts.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            covered.as_raw_fd(),
            c"".as_ptr(),
            MOVE_FROM_DESCRIPTOR | MOVE_TO_DESCRIPTOR,
        )
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A copy of what is mounted there and beneath, mounted nowhere yet.
fn clone_tree(folder: libc::c_int, path: &CStr) -> io::Result<OwnedFd> {
    let flags = CLONE_TREE | libc::O_CLOEXEC | libc::AT_RECURSIVE | libc::AT_EMPTY_PATH;
    // SAFETY: a text that is NUL-terminated; what the kernel gives is a new descriptor or -1.
    unsafe {
        match libc::syscall(libc::SYS_open_tree, folder, path.as_ptr(), flags) {
            -1 => Err(io::Error::last_os_error()),
            tree => Ok(OwnedFd::from_raw_fd(tree as libc::c_int)),
        }
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
    set_at(libc::AT_FDCWD, at, attributes, recursive)
}

fn set_at(folder: libc::c_int, at: &CStr, attributes: u64, how: libc::c_int) -> io::Result<()> {
    let wanted = MountAttr { set: attributes, clear: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: a NUL-terminated text, and a structure of the size that is given.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            folder,
            at.as_ptr(),
            how,
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
