//! Files of others' code that signs for us: programs and PKCS#11 libraries.
//!
//! In -> out: absolute path -> the path without links, to start or to load.
//! Invariant: nobody but root and this user can change the file or any folder above it.
//! Not here: starting and loading it (`program.rs`, `token.rs`).

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why code is not run.
#[derive(Debug, thiserror::Error)]
pub enum CodeFileError {
    #[error("`{path}` cannot be found")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` is not an absolute path to a regular file")]
    NotRegular { path: PathBuf },
    #[error("`{path}` has mode {mode:04o} and belongs to user {owner}: others can change what would be run")]
    Changeable { path: PathBuf, mode: u32, owner: u32 },
}

impl CodeFileError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "signer-code-io",
            Self::NotRegular { .. } => "signer-code-not-regular",
            Self::Changeable { .. } => "signer-code-changeable",
        }
    }
}

/// The file's real path, if only root and this user can change what is there.
///
/// # Errors
/// Each of them.
pub fn check(path: &Path) -> Result<PathBuf, CodeFileError> {
    if !path.is_absolute() {
        return Err(CodeFileError::NotRegular { path: path.to_owned() });
    }
    let io = |source| CodeFileError::Io { path: path.to_owned(), source };
    let real = path.canonicalize().map_err(io)?;
    if !real.metadata().map_err(io)?.is_file() {
        return Err(CodeFileError::NotRegular { path: path.to_owned() });
    }
    let own = rustix::process::geteuid().as_raw();
    for part in real.ancestors() {
        let metadata = part.metadata().map_err(io)?;
        if !is_ours(&metadata, own) {
            let (path, mode, owner) = (part.to_owned(), metadata.mode() & 0o7777, metadata.uid());
            return Err(CodeFileError::Changeable { path, mode, owner });
        }
    }
    Ok(real)
}

/// In a folder with the sticky bit others can add files, but not take ours away.
fn is_ours(metadata: &Metadata, own: u32) -> bool {
    let others_write = metadata.mode() & 0o022 != 0;
    let sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
    [0, own].contains(&metadata.uid()) && (!others_write || sticky)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn code_that_others_can_change_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let path = inner.join("program");
        fs::write(&path, "").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let code = |path: &Path| check(path).err().map(|error| error.code());
        mode(&path, 0o755);
        assert_eq!(code(&path), None);
        for open in [0o775, 0o757] {
            mode(&path, open);
            assert_eq!(code(&path), Some("signer-code-changeable"), "{open:o}");
        }
        mode(&path, 0o755);
        mode(&inner, 0o777);
        assert_eq!(code(&path), Some("signer-code-changeable"));
        mode(&inner, 0o1777);
        assert_eq!(code(&path), None);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(check(&link).unwrap(), path.canonicalize().unwrap());
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
            assert_eq!(code(&link), Some("signer-code-changeable"));
        }
    }

    #[test]
    fn code_is_a_file_by_its_absolute_path() {
        let code = |path: &str| check(Path::new(path)).unwrap_err().code();
        assert_eq!(code("sh"), "signer-code-not-regular");
        assert_eq!(code("/"), "signer-code-not-regular");
        assert_eq!(code("/nowhere/program"), "signer-code-io");
    }
}
