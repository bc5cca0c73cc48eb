//! Who can change what the operator's folder says.
//!
//! In -> out: what the system says of a file or folder -> nothing, or why it gives no authority.
//! Invariant: authority is read only from what this user or root owns and nobody else can write; links count as what
//! they lead to.
//! Not here: reading (`operator.rs`, `secret.rs`), files that others may not even read (`orch-signer`'s `secret_file.rs`).

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::operator::error::OperatorError;

/// Write permission of the group and of everybody else.
const OTHERS_WRITE: u32 = 0o022;
const ROOT: u32 = 0;

/// Succeeds if nobody but this user and root can change it.
pub(super) fn check(path: &Path, metadata: &Metadata) -> Result<(), OperatorError> {
    let me = rustix::process::geteuid().as_raw();
    check_as(path, metadata.uid(), metadata.mode() & 0o7777, me)
}

/// The same for a folder, if it is there.
pub(super) fn check_folder(path: &Path) -> Result<(), OperatorError> {
    match std::fs::metadata(path) {
        Ok(metadata) => check(path, &metadata),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OperatorError::Io { what: "read", path: path.to_owned(), source }),
    }
}

fn check_as(path: &Path, owner: u32, mode: u32, me: u32) -> Result<(), OperatorError> {
    if owner != me && owner != ROOT {
        return Err(OperatorError::OtherOwner { path: path.to_owned(), owner, me });
    }
    match mode & OTHERS_WRITE {
        0 => Ok(()),
        _ => Err(OperatorError::Writable { path: path.to_owned(), mode }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authority_is_its_owners_or_roots_and_nobody_elses_to_change() {
        let code = |owner, mode| check_as(Path::new("x"), owner, mode, 1000).err().map(|error| error.code());
        for mode in [0o700, 0o755, 0o600, 0o644, 0o444] {
            assert_eq!((code(1000, mode), code(0, mode)), (None, None), "{mode:o}");
            assert_eq!(code(1001, mode), Some("operator-other-owner"), "{mode:o}");
        }
        for mode in [0o775, 0o664, 0o620, 0o602, 0o757, 0o1777] {
            assert_eq!(code(1000, mode), Some("operator-writable"), "{mode:o}");
            assert_eq!(code(0, mode), Some("operator-writable"), "{mode:o}");
        }
    }
}
