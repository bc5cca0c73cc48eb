//! Who is there in a namespace of users: nobody but the one who made it.
//!
//! In -> out: this process's user and group -> the texts that the kernel reads.
//! Invariant: [`map`] and [`write`] allocate nothing: they are called in a clone.
//! Not here: when a namespace is made (`divide.rs`, `template.rs`).

use std::ffi::{CStr, CString};
use std::io;

use rustix::process::{getegid, geteuid};

/// Nobody but this process's user and group, as texts for [`map`].
pub(super) fn of_this_user() -> io::Result<(CString, CString)> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    Ok((CString::new(format!("{user} {user} 1"))?, CString::new(format!("{group} {group} 1"))?))
}

/// Who is there in a namespace of users that this process is the first of.
pub(super) fn map(users: &CStr, groups: &CStr) -> io::Result<()> {
    // Without this a user could leave a group that is kept out of something.
    write(c"/proc/self/setgroups", c"deny")?;
    write(c"/proc/self/gid_map", groups)?;
    write(c"/proc/self/uid_map", users)
}

/// Nothing of this may allocate or leave a descriptor.
pub(super) fn write(path: &CStr, text: &CStr) -> io::Result<()> {
    // SAFETY: a NUL-terminated path, and a buffer of the length that is given; the descriptor is ours.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        let written = libc::write(file, text.as_ptr().cast(), text.count_bytes());
        let outcome = if written < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
        libc::close(file);
        outcome
    }
}
