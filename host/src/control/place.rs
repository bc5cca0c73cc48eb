//! Where the holder of a workspace is found: lock and socket, outside of the workspace.
//!
//! In -> out: a workspace -> `$XDG_RUNTIME_DIR/orch/<hash>.{lock,sock}`, else in the operator's folder `run/`.
//! Invariant: only this user may look into the folder; one process holds a workspace, whatever its state folder is called.
//! Not here: the store's own lock (`orch-journal`'s `lock.rs`), what is said over the socket.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open, openat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::exit::{Exit, Fault};
use crate::place::io as io_fault;

/// A folder of this user's and the names of one workspace in it.
pub struct SocketPlace {
    folder: OwnedFd,
    path: PathBuf,
    name: String,
}

/// The right to answer for a workspace, until it is dropped.
pub struct Holding {
    _lock: File,
}

impl SocketPlace {
    /// Makes the folder if it is missing.
    pub fn of(workspace: &Path, operator_home: &Path) -> Result<Self, Fault> {
        let path = runtime_folder().unwrap_or_else(|| operator_home.join("run"));
        let folder = private_folder(&path).map_err(|error| io_fault(&path, "use", error))?;
        let digest = Sha256::digest(workspace.as_os_str().as_bytes());
        let name = hex::encode(digest.get(..16).unwrap_or(&digest));
        Ok(Self { folder, path, name })
    }

    /// Where lock and socket of every workspace lie.
    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// The socket, by a path that is short enough for every folder.
    pub(super) fn socket(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{}.sock", self.folder.as_raw_fd(), self.name))
    }

    /// True if a holder listens, or listened until it was killed.
    pub fn is_there(&self) -> bool {
        fs::symlink_metadata(self.socket()).is_ok()
    }

    /// Takes the workspace.
    ///
    /// # Errors
    /// `store-held`, with the pid of who has it.
    pub fn hold(&self) -> Result<Holding, Fault> {
        let name = format!("{}.lock", self.name);
        let io = |what: &str, error: io::Error| io_fault(&self.path.join(&name), what, error);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = openat(&self.folder, &name, flags, Mode::from_raw_mode(0o600));
        let mut lock = File::from(lock.map_err(|error| io("open", error.into()))?);
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let _ = (&mut lock).take(16).read_to_string(&mut holder);
                let who =
                    holder.trim().parse().map_or_else(|_| String::new(), |pid: u32| format!(" (pid {pid})"));
                let what = format!("another host{who} works in this workspace, with another state folder");
                let hint = "one host at a time works in a workspace".to_owned();
                return Err(Fault::new(Exit::StoreHeld, "store-held", Some(hint), anyhow::Error::msg(what)));
            }
            Err(error) => return Err(io("lock", error.into())),
        }
        lock.set_len(0).map_err(|error| io("write", error))?;
        writeln!(lock, "{}", std::process::id()).map_err(|error| io("write", error))?;
        // Of a host that is gone: this one holds the lock.
        match fs::remove_file(self.socket()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_fault(&self.path, "clear", error))
            }
            _ => Ok(Holding { _lock: lock }),
        }
    }
}

/// The folder that lives as long as this user is logged in; where it always is, for who is called without the variable.
fn runtime_folder() -> Option<PathBuf> {
    let usual = || format!("/run/user/{}", rustix::process::geteuid().as_raw()).into();
    let folder = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").unwrap_or_else(usual));
    let found = fs::metadata(&folder).ok().filter(|_| folder.is_absolute())?;
    let is_own = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    is_own.then(|| folder.join("orch"))
}

/// Opens a folder that nobody else may look into; makes it.
fn private_folder(path: &Path) -> io::Result<OwnedFd> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let folder = open(path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let found = rustix::fs::fstat(&folder)?;
    let is_private = found.st_uid == rustix::process::geteuid().as_raw() && found.st_mode & 0o077 == 0;
    match is_private {
        true => Ok(folder),
        false => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it must belong to this user, and nobody else may look into it (mode 0700)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_process_holds_a_workspace_and_a_folder_that_others_see_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let at = private_folder(&home.path().join("run")).unwrap();
        let place = |name: &str| SocketPlace {
            folder: at.try_clone().unwrap(),
            path: home.path().join("run"),
            name: name.to_owned(),
        };
        let held = place("a").hold().unwrap();
        let refused = place("a").hold().err().unwrap();
        assert_eq!((refused.exit, refused.code), (Exit::StoreHeld, "store-held"));
        assert!(refused.source.to_string().contains(&std::process::id().to_string()), "{:?}", refused.source);
        place("b").hold().unwrap();
        drop(held);
        place("a").hold().unwrap();

        fs::set_permissions(home.path().join("run"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(
            private_folder(&home.path().join("run")).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        std::os::unix::fs::symlink(home.path().join("run"), home.path().join("link")).unwrap();
        assert!(private_folder(&home.path().join("link")).is_err());
    }
}
