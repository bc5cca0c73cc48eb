//! A package that was verified, into the operator's folder.
//!
//! In -> out: its bytes -> `packages/NAMESPACE/NAME/VERSION/`.
//! Invariant: what is written is what was verified, not what lies in the package's folder by now; the version is there
//! whole or not at all; a version that is there stays the bytes that it is.
//! Not here: who said yes (`plugin.rs`).

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use orch_trust::package::PackageBytes;

use crate::exit::Fault;
use crate::package;
use crate::place;

/// Whether they were there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    New,
    Before,
}

/// Writes them, unless these very files, envelopes apart, are kept already.
///
/// # Errors
/// `package-exists`: the version is there and is another package. The system's.
pub(super) fn keep(bytes: &PackageBytes, target: &Path) -> Result<Kept, Fault> {
    if target.symlink_metadata().is_err() {
        return write(bytes, target).map(|()| Kept::New);
    }
    match package::read(target).is_ok_and(|kept| kept.subjects() == bytes.subjects()) {
        true => Ok(Kept::Before),
        false => Err(other_package(target)),
    }
}

fn other_package(target: &Path) -> Fault {
    let hint = "a publisher gives other bytes another version; `orch-host plugin remove ID` takes off what is kept, if nobody uses it";
    let what = format!("`{}` is there already, with other files", target.display());
    place::input("package-exists", Some(hint.to_owned()), what)
}

/// Writes them into a folder that is not there yet.
pub(in crate::commands) fn write(bytes: &PackageBytes, target: &Path) -> Result<(), Fault> {
    if target.symlink_metadata().is_ok() {
        return Err(other_package(target));
    }
    let parent = target.parent().unwrap_or(target);
    fs::create_dir_all(parent).map_err(|error| place::io(parent, "make", error))?;
    // No name of a version, so nobody takes it for one.
    let fresh = fresh_folder(parent).map_err(|error| place::io(parent, "write into", error))?;
    let written = bytes
        .files()
        .try_for_each(|(name, content)| write_file(&fresh.join(name), content))
        .and_then(|()| fs::rename(&fresh, target));
    written.map_err(|error| {
        drop(fs::remove_dir_all(&fresh));
        place::io(target, "write", error)
    })
}

fn fresh_folder(parent: &Path) -> std::io::Result<PathBuf> {
    let random =
        getrandom::u64().map_err(|_| std::io::Error::other("the machine gives no random numbers"))?;
    let fresh = parent.join(format!(".new-{random:016x}"));
    fs::DirBuilder::new().mode(0o700).create(&fresh).map(|()| fresh)
}

fn write_file(path: &Path, content: &[u8]) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut file = File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_bytes_that_were_read_are_kept_whole_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let names =
            ["manifest.json", "component.wasm", "sbom.cdx.json", "certificates/0123456789abcdef.dsse.json"];
        let files: BTreeMap<String, _> =
            names.iter().map(|name| ((*name).to_owned(), name.as_bytes().into())).collect();
        let bytes = PackageBytes::new(files).unwrap();
        let target = folder.path().join("acme/plugin/1.0.0");
        write(&bytes, &target).unwrap();
        for name in names {
            assert_eq!(fs::read(target.join(name)).unwrap(), name.as_bytes());
        }
        assert_eq!(write(&bytes, &target).unwrap_err().code, "package-exists");
        // The same files again, also with other envelopes; and others.
        assert_eq!(keep(&bytes, &target).unwrap(), Kept::Before);
        let with = |name: &str, text: &str| {
            let mut files: BTreeMap<String, _> =
                bytes.files().map(|(name, bytes)| (name.to_owned(), bytes.into())).collect();
            files.insert(name.to_owned(), text.as_bytes().into());
            PackageBytes::new(files).unwrap()
        };
        assert_eq!(keep(&with(names[3], "renewed"), &target).unwrap(), Kept::Before);
        assert_eq!(fs::read(target.join(names[3])).unwrap(), names[3].as_bytes());
        for name in ["component.wasm", "LICENSE"] {
            assert_eq!(keep(&with(name, "other"), &target).unwrap_err().code, "package-exists", "{name}");
        }
        let left: Vec<_> = fs::read_dir(target.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
