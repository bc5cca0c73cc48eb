//! What stands in the place of a package's file: links, pipes, sockets, devices, files that grow.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use orch_host::package;
use orch_host::regular_file::{self, Links, ReadError};
use orch_tests::twins::Makers;
use orch_trust::time::UnixSeconds;
use rustix::fs::{CWD, FileType, Mode, makedev, mkfifoat, mknodat};

use super::names::write;

/// Something that is no regular file, made at that path; false if this machine lets nobody make it here.
type Make = fn(&Path) -> bool;

const ODD: [(&str, Make); 7] = [
    ("link to a good file", |path| symlink(path.with_file_name("kept"), path).is_ok()),
    ("link to nothing", |path| symlink("nowhere", path).is_ok()),
    ("link to itself", |path| symlink(path.file_name().unwrap(), path).is_ok()),
    ("link to a device", |path| symlink("/dev/zero", path).is_ok()),
    ("pipe", |path| mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).is_ok()),
    // The socket stays when its listener is gone.
    ("socket", |path| UnixListener::bind(path).is_ok()),
    // Only root makes devices; elsewhere the link to one is what there is.
    ("device", |path| mknodat(CWD, path, FileType::CharacterDevice, Mode::RUSR, makedev(1, 5)).is_ok()),
];

#[test]
fn only_regular_files_are_read_whatever_stands_in_their_place() {
    let files = Makers::new(UnixSeconds(1_800_000_000)).package("old");
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("package");
    write(&folder, &files);
    let code = || package::read(&folder).err().map(|error| error.code());
    let names: Vec<&str> = files.keys().map(String::as_str).chain(["certificates"]).collect();
    let mut tried = 0;
    for name in names {
        let (path, kept) = (folder.join(name), root.path().join("kept"));
        fs::rename(&path, &kept).unwrap();
        for (what, make) in ODD {
            if !make(&path) {
                assert_eq!(what, "device", "{what} as `{name}`");
                continue;
            }
            assert_eq!(code(), Some("file-not-regular"), "{what} as `{name}`");
            fs::remove_file(&path).unwrap();
            tried += 1;
        }
        if name == "certificates" {
            fs::write(&path, "").unwrap();
            assert_eq!(code(), Some("file-extra"), "a file as `certificates`");
            fs::remove_file(&path).unwrap();
        } else {
            fs::create_dir(&path).unwrap();
            assert_eq!(code(), Some("file-extra"), "a folder as `{name}`");
            fs::remove_dir(&path).unwrap();
            // A second name of a regular file is that file: what counts is what is read of it.
            fs::hard_link(&kept, &path).unwrap();
            assert_eq!(code(), None, "a second name as `{name}`");
            fs::remove_file(&path).unwrap();
        }
        fs::rename(&kept, &path).unwrap();
        assert_eq!(code(), None, "`{name}` is back");
    }
    assert!(tried >= 36, "{tried}");
}

#[test]
fn a_file_that_grows_is_read_up_to_its_limit() {
    let files = Makers::new(UnixSeconds(1_800_000_000)).package("old");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files);
    let path = folder.path().join("manifest.json");
    let mut grows = File::options().append(true).open(&path).unwrap();
    let stop = AtomicBool::new(false);
    let (mut read, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // At most 8 MiB, 32 times what a manifest may have.
            for _ in 0..8192 {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                grows.write_all(&[b' '; 1024]).unwrap();
            }
        });
        while refused == 0 {
            match package::read(folder.path()) {
                Ok(package) => {
                    assert!(package.manifest().len() <= 256 * 1024);
                    read += 1;
                }
                Err(error) => {
                    assert_eq!(error.code(), "file-too-large");
                    refused += 1;
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("{read} times read while it was small enough");
    // A file whose size says nothing: the system makes it while it is read.
    let endless = regular_file::read_public(Path::new("/proc/self/maps"), Links::Refused, 100);
    assert!(matches!(endless, Err(ReadError::TooLarge { found_bytes: 101, limit_bytes: 100 })));
}
