//! A workspace as a run of development has it: a copy, made anew each time, so that every edit begins from the same.
//!
//! In -> out: a workspace -> the same files in another folder.
//! Limits: 20,000 entries, 512 MiB.
//! Invariant: the workspace is read only. What a host keeps in it (`.orch`, `logs`) is left out, and so is what tools can make again:
//! folders that their `CACHEDIR.TAG` says are caches. A `.git` that is a file leads to a repository elsewhere, whose branches a run would
//! move: it is left out too. Pipes, sockets and devices are no files of a workspace.
//! Not here: what is run in it (`development.rs`).

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::symlink;
use std::path::Path;

use orch_host::exit::Fault;
use orch_host::place;

const ENTRIES_MAX: usize = 20_000;
const BYTES_MAX: u64 = 512 << 20;
/// Of a host, at the top of the workspace.
const OF_HOSTS: [&str; 2] = [".orch", "logs"];
/// As the convention for such folders says it.
const CACHE_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Copies the workspace into that folder, in the place of what was there. `left_out`: a folder that may lie in it.
///
/// # Errors
/// `workspace-missing`, `development-workspace-large`; the system's.
pub(super) fn copy(from: &Path, to: &Path, left_out: &Path) -> Result<(), Fault> {
    let source = from.canonicalize().ok().filter(|path| path.is_dir()).ok_or_else(|| {
        let hint = format!("`orch-host init {}` makes a workspace there", from.display());
        place::input("workspace-missing", Some(hint), format!("`{}` is not a folder", from.display()))
    })?;
    match fs::remove_dir_all(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(place::io(to, "remove", error)),
        _ => {}
    }
    Copying { top: &source, left_out, entries: 0, bytes: 0 }.folder(&source, to)
}

struct Copying<'a> {
    top: &'a Path,
    left_out: &'a Path,
    entries: usize,
    bytes: u64,
}

impl Copying<'_> {
    fn folder(&mut self, from: &Path, to: &Path) -> Result<(), Fault> {
        fs::create_dir_all(to).map_err(|error| place::io(to, "make", error))?;
        for entry in fs::read_dir(from).map_err(|error| place::io(from, "read", error))? {
            let entry = entry.map_err(|error| place::io(from, "read", error))?;
            let path = entry.path();
            let name = entry.file_name();
            let kind = entry.file_type().map_err(|error| place::io(&path, "read", error))?;
            let of_host = from == self.top && OF_HOSTS.iter().any(|one| name == *one);
            let elsewhere = name == ".git" && !kind.is_dir();
            if of_host || elsewhere || path == self.left_out || (kind.is_dir() && is_cache(&path)) {
                continue;
            }
            self.count(&path, 0)?;
            let target = to.join(&name);
            if kind.is_dir() {
                self.folder(&path, &target)?;
            } else if kind.is_symlink() {
                fs::read_link(&path)
                    .and_then(|link| symlink(link, &target))
                    .map_err(|error| place::io(&path, "copy", error))?;
            } else if kind.is_file() {
                let bytes = entry.metadata().map_err(|error| place::io(&path, "read", error))?.len();
                self.count(&path, bytes)?;
                fs::copy(&path, &target).map_err(|error| place::io(&path, "copy", error))?;
            }
        }
        Ok(())
    }

    /// One entry more, or so many bytes of one that was counted.
    fn count(&mut self, path: &Path, bytes: u64) -> Result<(), Fault> {
        self.entries += usize::from(bytes == 0);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.entries <= ENTRIES_MAX && self.bytes <= BYTES_MAX {
            return Ok(());
        }
        let what = format!(
            "`{}` has more than {ENTRIES_MAX} entries or {} MiB, at `{}`: a run of development works on a copy",
            self.top.display(),
            BYTES_MAX >> 20,
            path.display()
        );
        let hint = "name a smaller workspace; folders with a `CACHEDIR.TAG` are left out".to_owned();
        Err(place::input("development-workspace-large", Some(hint), what))
    }
}

/// True of a folder whose tag says that it can be made again.
fn is_cache(folder: &Path) -> bool {
    let mut begun = [0; CACHE_TAG.len()];
    let tag = folder.join("CACHEDIR.TAG");
    let is_file = tag.symlink_metadata().is_ok_and(|found| found.is_file());
    is_file
        && fs::File::open(tag).and_then(|mut file| file.read_exact(&mut begun)).is_ok()
        && begun == *CACHE_TAG
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn put(folder: &Path, name: &str, text: &[u8]) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_copy_has_what_a_run_needs_and_nothing_of_hosts_and_caches() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let from = top.join("workspace");
        for name in ["tasks.yml", "src/a.py", ".git/HEAD", "src/logs/kept", "target/x", ".orch/state.db"] {
            put(&from, name, b"x");
        }
        put(&from, "logs/run-r.log", b"x");
        put(&from, "target/CACHEDIR.TAG", CACHE_TAG);
        put(&from, "not-a-cache/CACHEDIR.TAG", b"Signature: none");
        put(&from, "sub/.git", b"gitdir: /elsewhere");
        put(&from, "plugin/target/dev/keys/publisher.json", b"x");
        symlink("src/a.py", from.join("link")).unwrap();
        let _socket = UnixListener::bind(from.join("socket")).unwrap();
        fs::set_permissions(from.join("src/a.py"), fs::Permissions::from_mode(0o755)).unwrap();
        let to = top.join("copy");
        put(&to, "left-by-the-run-before", b"x");
        copy(&from, &to, &from.join("plugin/target/dev")).unwrap();
        for kept in ["tasks.yml", ".git/HEAD", "src/logs/kept", "not-a-cache/CACHEDIR.TAG", "sub", "plugin"] {
            assert!(to.join(kept).exists(), "{kept}");
        }
        for gone in
            [".orch", "logs", "target", "sub/.git", "plugin/target/dev", "socket", "left-by-the-run-before"]
        {
            assert!(to.join(gone).symlink_metadata().is_err(), "{gone}");
        }
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("src/a.py"));
        assert_eq!(fs::metadata(to.join("src/a.py")).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn what_is_no_workspace_or_too_large_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("w"), folder.path().join("copy"));
        let code = || copy(&from, &to, Path::new("")).err().map_or("", |fault| fault.code);
        assert_eq!(code(), "workspace-missing");
        fs::write(&from, "x").unwrap();
        assert_eq!(code(), "workspace-missing");
        fs::remove_file(&from).unwrap();
        fs::create_dir(&from).unwrap();
        assert_eq!(code(), "");
        let large = fs::File::create(from.join("large")).unwrap();
        large.set_len(BYTES_MAX + 1).unwrap();
        assert_eq!(code(), "development-workspace-large");
    }
}
