//! A package's folder, read once; and envelopes that come into it.
//!
//! In -> out: folder -> [`PackageBytes`].
//! Limits: 64 entries a folder; each file's own, from `orch-trust`.
//! Invariant: regular files only, opened without following links and read once; what is read here is what is
//! verified and compiled.
//! Not here: what the files say (`orch-trust`), one file that has them all (`package/archive.rs`), where packages are (`plugins.rs`).

pub mod archive;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_trust::archive::ArchiveError;
use orch_trust::package::{CERTIFICATES, DELEGATIONS, MANIFEST, PackageBytes, bytes_max};
use orch_trust::refusal::Refusal;

use crate::regular_file::{self, Links, ReadError};
use crate::whole_file;

const ENTRIES_MAX: usize = 64;
/// What an author writes, of which `orch-plugin pack` makes the manifest.
const AUTHORED: &str = "plugin.json";

/// Why a folder is not read as a package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error("cannot read `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{path}` is a link or no regular file")]
    NotRegular { path: PathBuf },
    #[error("`{path}` has more than {ENTRIES_MAX} entries")]
    TooMany { path: PathBuf },
    #[error("`{path}` is the project of a plugin, not its package")]
    Project { path: PathBuf },
    #[error("`{path}` is no archive of a package")]
    Archive {
        path: PathBuf,
        #[source]
        source: ArchiveError,
    },
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl PackageError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "package-io",
            Self::NotRegular { .. } => "file-not-regular",
            Self::TooMany { .. } => "package-too-many-files",
            Self::Project { .. } => "package-project",
            Self::Archive { source, .. } => source.code(),
            Self::Refused(refusal) => refusal.code(),
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.hint(),
            Self::Io { .. } => Some(
                "a package is a folder with `manifest.json`, `component.wasm` and `sbom.cdx.json`".to_owned(),
            ),
            Self::Archive { .. } => Some(
                "`orch-plugin publish FILE.orchpkg` writes such a file; get it again from its publisher"
                    .to_owned(),
            ),
            Self::Project { .. } => Some(
                "`orch-plugin pack` in it makes its package and says where; `orch-plugin sign` signs that"
                    .to_owned(),
            ),
            Self::NotRegular { .. } | Self::TooMany { .. } => Some(
                "a package has regular files of fixed names only; get it again from its publisher".to_owned(),
            ),
        }
    }
}

/// The files of a package folder.
pub fn read(folder: &Path) -> Result<PackageBytes, PackageError> {
    let is_there = |file: &str| folder.join(file).symlink_metadata().is_ok();
    if is_there(AUTHORED) && !is_there(MANIFEST) {
        return Err(PackageError::Project { path: folder.to_owned() });
    }
    let mut files = BTreeMap::new();
    read_folder(folder, "", &mut files)?;
    Ok(PackageBytes::new(files)?)
}

/// The files of a package's folder, or of a `.orchpkg` file.
///
/// # Errors
/// Those of [`read`] and of [`archive::read`].
pub fn read_any(path: &Path) -> Result<PackageBytes, PackageError> {
    match path.is_file() {
        true => archive::read(path),
        false => read(path),
    }
}

/// Puts an envelope into a package's folder; gives its path. What is written lies beside the folder first: a file too many
/// in it, left by a stop in the middle, would refuse the package.
///
/// # Errors
/// The system's.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<PathBuf> {
    let path = folder.join(name);
    if let Some(inner) = path.parent() {
        std::fs::create_dir_all(inner)?;
    }
    let beside = folder.canonicalize()?.parent().map(Path::to_owned);
    let put = beside.map(|beside| whole_file::write_from(&beside, &path, bytes, whole_file::PUBLIC));
    match put {
        Some(Ok(())) => {}
        // Beside it is another disk, or a folder of others.
        Some(Err(_)) | None => whole_file::write(&path, bytes, whole_file::PUBLIC)?,
    }
    Ok(path)
}

fn read_folder(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, Arc<[u8]>>,
) -> Result<(), PackageError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| PackageError::Io { path, source }
    };
    for (place, entry) in std::fs::read_dir(folder).map_err(io(folder))?.enumerate() {
        let path = entry.map_err(io(folder))?.path();
        if place >= ENTRIES_MAX {
            return Err(PackageError::TooMany { path: folder.to_owned() });
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let kind = std::fs::symlink_metadata(&path).map_err(io(&path))?.file_type();
        let inner = format!("{prefix}{name}");
        if kind.is_dir() && (inner == CERTIFICATES || inner == DELEGATIONS) {
            read_folder(&path, &format!("{inner}/"), files)?;
            continue;
        }
        if !kind.is_file() {
            return Err(match kind.is_dir() {
                true => Refusal::PackageFile { file: inner.escape_default().to_string() }.into(),
                false => PackageError::NotRegular { path },
            });
        }
        let Some(limit) = bytes_max(&inner) else {
            return Err(Refusal::PackageFile { file: inner.escape_default().to_string() }.into());
        };
        files.insert(inner.clone(), read_file(&path, &inner, limit)?);
    }
    Ok(())
}

fn read_file(path: &Path, inner: &str, limit: u64) -> Result<Arc<[u8]>, PackageError> {
    let path = || path.to_owned();
    match regular_file::read_public(&path(), Links::Refused, limit) {
        Ok(bytes) => Ok(bytes.into()),
        Err(ReadError::Io(source)) => Err(PackageError::Io { path: path(), source }),
        Err(ReadError::NotRegular) => Err(PackageError::NotRegular { path: path() }),
        Err(ReadError::TooLarge { found_bytes, limit_bytes }) => {
            Err(Refusal::FileTooLarge { file: inner.to_owned(), found_bytes, limit_bytes }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(make: impl FnOnce(&Path)) -> Option<&'static str> {
        let folder = tempfile::tempdir().unwrap();
        for name in ["manifest.json", "component.wasm", "sbom.cdx.json"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        make(folder.path());
        read(folder.path()).err().map(|error| error.code())
    }

    #[test]
    fn what_is_put_into_a_package_leaves_nothing_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("1.0.0");
        std::fs::create_dir(&folder).unwrap();
        let name = "certificates/a.dsse.json";
        for text in ["first", "second"] {
            assert_eq!(put(&folder, name, text.as_bytes()).unwrap(), folder.join(name));
            assert_eq!(std::fs::read_to_string(folder.join(name)).unwrap(), text);
        }
        let names = |folder: &Path| -> Vec<_> {
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
        };
        assert_eq!(names(&folder.join("certificates")), ["a.dsse.json"]);
        assert_eq!(names(place.path()), ["1.0.0"]);
        // A folder of that name is in the way: nothing of what was begun stays.
        std::fs::create_dir(folder.join("certificates/b.dsse.json")).unwrap();
        put(&folder, "certificates/b.dsse.json", b"third").unwrap_err();
        assert_eq!(names(&folder.join("certificates")).len(), 2);
        assert_eq!(names(place.path()), ["1.0.0"]);
    }

    #[test]
    fn takes_regular_files_of_known_names_only() {
        assert_eq!(code(|_| {}), None);
        assert_eq!(code(|folder| std::fs::write(folder.join("x.sh"), "").unwrap()), Some("file-extra"));
        assert_eq!(code(|folder| std::fs::create_dir(folder.join("src")).unwrap()), Some("file-extra"));
        assert_eq!(
            code(|folder| std::fs::remove_file(folder.join("sbom.cdx.json")).unwrap()),
            Some("file-missing")
        );
        let link = |folder: &Path| {
            std::fs::remove_file(folder.join("component.wasm")).unwrap();
            std::os::unix::fs::symlink("manifest.json", folder.join("component.wasm")).unwrap();
        };
        assert_eq!(code(link), Some("file-not-regular"));
        let fifo = |folder: &Path| {
            std::fs::remove_file(folder.join("component.wasm")).unwrap();
            rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("component.wasm"), rustix::fs::Mode::RUSR)
                .unwrap();
        };
        assert_eq!(code(fifo), Some("file-not-regular"));
        let large =
            |folder: &Path| std::fs::write(folder.join("manifest.json"), vec![b' '; 300_000]).unwrap();
        assert_eq!(code(large), Some("file-too-large"));
    }
}
