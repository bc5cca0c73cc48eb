//! A package that was verified, into the operator's folder.
//!
//! In -> out: its bytes -> `packages/NAMESPACE/NAME/VERSION/`.
//! Invariant: what is written is what was verified, not what lies in the package's folder by now; the version is there
//! whole or not at all.
//! Not here: who said yes (`plugin.rs`).

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use orch_trust::package::PackageBytes;

use crate::exit::Fault;
use crate::place;

/// Writes them into a folder that is not there yet.
pub(in crate::commands) fn write(bytes: &PackageBytes, target: &Path) -> Result<(), Fault> {
    if target.symlink_metadata().is_ok() {
        let hint = Some("remove it first, if it shall be replaced".to_owned());
        return Err(place::input("package-exists", hint, format!("`{}` is there already", target.display())));
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
        let left: Vec<_> = fs::read_dir(target.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
