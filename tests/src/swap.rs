//! Ways to put other files in the place of a package's while somebody reads it.
//!
//! In -> out: a package's folder, another package's files -> the folder changed in that way.
//! Invariant: a swap does what it says or fails loudly; nothing is written outside of its place.
//! Not here: when a swap happens and what must come out (`tests/race.rs`).

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::twins::Files;

/// Where one race takes place.
pub struct Place {
    root: PathBuf,
}

/// How files are put in the place of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// One file: a new one is renamed over it.
    Rename,
    /// The same with every file, one after the other.
    RenameEach,
    /// One file and one outside change places.
    Exchange,
    /// The whole folder and another change places.
    ExchangeFolder,
    /// The folder is a link, and it leads elsewhere now.
    FlipLink,
    /// One file becomes a link to the other's.
    LinkFile,
    /// One file becomes a second name of the other's.
    HardLink,
    /// One file is written over in its place, some bytes at a time.
    Overwrite,
    /// The same with every file.
    OverwriteEach,
    /// One file is cut, then made whole again with the other's bytes.
    Truncate,
    /// One file is written over through a mapping.
    Map,
    /// The component alone becomes one that nobody signed.
    Unsigned,
}

impl Way {
    pub const ALL: [Self; 12] = [
        Self::Rename,
        Self::RenameEach,
        Self::Exchange,
        Self::ExchangeFolder,
        Self::FlipLink,
        Self::LinkFile,
        Self::HardLink,
        Self::Overwrite,
        Self::OverwriteEach,
        Self::Truncate,
        Self::Map,
        Self::Unsigned,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rename => "one file renamed over",
            Self::RenameEach => "every file renamed over",
            Self::Exchange => "one file exchanged",
            Self::ExchangeFolder => "folder exchanged",
            Self::FlipLink => "folder's link flipped",
            Self::LinkFile => "one file becomes a link",
            Self::HardLink => "one file becomes a hard link",
            Self::Overwrite => "one file written in place",
            Self::OverwriteEach => "every file written in place",
            Self::Truncate => "one file truncated and written",
            Self::Map => "one file written by mmap",
            Self::Unsigned => "component nobody signed",
        }
    }

    /// True if the other package is there whole afterwards; else the folder holds some of each.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::RenameEach | Self::ExchangeFolder | Self::FlipLink | Self::OverwriteEach)
    }
}

/// What is put in the place of what.
pub struct Swap<'a> {
    pub way: Way,
    /// The package that is there whole at first.
    pub from: &'a Files,
    pub to: &'a Files,
    /// The file, where one is swapped.
    pub file: &'a str,
    /// A component that nobody signed.
    pub unsigned: &'a [u8],
}

impl Place {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// What the host reads.
    pub fn package(&self) -> PathBuf {
        self.root.join("package")
    }

    fn other(&self) -> PathBuf {
        self.root.join("other")
    }

    /// Puts both packages there as that way needs them.
    pub fn prepare(&self, swap: &Swap<'_>) {
        let _ = fs::remove_dir_all(&self.root);
        fs::create_dir_all(&self.root).unwrap();
        write_all(&self.other(), swap.to);
        match swap.way {
            Way::FlipLink => {
                write_all(&self.root.join("first"), swap.from);
                symlink("first", self.package()).unwrap();
            }
            _ => write_all(&self.package(), swap.from),
        }
        if swap.way == Way::Unsigned {
            fs::write(self.other().join("component.wasm"), swap.unsigned).unwrap();
        }
    }

    /// Does it. `pause` is called between the steps of a way that has several.
    pub fn swap(&self, swap: &Swap<'_>, pause: &mut dyn FnMut()) {
        let (there, other) = (self.package().join(swap.file), self.other().join(swap.file));
        match swap.way {
            Way::Rename => fs::rename(other, there).unwrap(),
            Way::Unsigned => {
                fs::rename(self.other().join("component.wasm"), self.package().join("component.wasm"))
                    .unwrap();
            }
            Way::RenameEach => {
                for file in swap.to.keys() {
                    fs::rename(self.other().join(file), self.package().join(file)).unwrap();
                    pause();
                }
            }
            Way::Exchange => renameat_with(CWD, other, CWD, there, RenameFlags::EXCHANGE).unwrap(),
            Way::ExchangeFolder => {
                renameat_with(CWD, self.other(), CWD, self.package(), RenameFlags::EXCHANGE).unwrap();
            }
            Way::FlipLink => {
                let fresh = self.root.join("fresh-link");
                symlink("other", &fresh).unwrap();
                fs::rename(fresh, self.package()).unwrap();
            }
            Way::LinkFile => {
                let fresh = self.root.join("fresh-link");
                symlink(other, &fresh).unwrap();
                fs::rename(fresh, there).unwrap();
            }
            Way::HardLink => {
                fs::remove_file(&there).unwrap();
                pause();
                fs::hard_link(other, there).unwrap();
            }
            Way::Overwrite => overwrite(&there, &swap.to[swap.file], pause),
            Way::OverwriteEach => {
                for (file, bytes) in swap.to {
                    overwrite(&self.package().join(file), bytes, pause);
                }
            }
            Way::Truncate => {
                let mut file = File::options().write(true).open(&there).unwrap();
                file.set_len(swap.from[swap.file].len() as u64 / 2).unwrap();
                pause();
                file.set_len(0).unwrap();
                pause();
                file.write_all(&swap.to[swap.file]).unwrap();
            }
            Way::Map => write_mapped(&there, &swap.to[swap.file], pause),
        }
    }
}

fn write_all(folder: &Path, files: &Files) {
    fs::create_dir_all(folder.join("certificates")).unwrap();
    for (file, bytes) in files {
        fs::write(folder.join(file), bytes).unwrap();
    }
}

/// In eight parts, then cut or grown to its size.
fn overwrite(path: &Path, bytes: &[u8], pause: &mut dyn FnMut()) {
    let mut file = File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    for part in bytes.chunks(bytes.len().div_ceil(8)) {
        file.write_all(part).unwrap();
        pause();
    }
    file.set_len(bytes.len() as u64).unwrap();
}

/// Byte for byte into the pages that readers of the file see.
fn write_mapped(path: &Path, bytes: &[u8], pause: &mut dyn FnMut()) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    // SAFETY: the mapping is of a file as long as it, shared, and unmapped before this returns; nobody else cuts the
    // file: a place has one swapper.
    unsafe {
        let kind = libc::PROT_READ | libc::PROT_WRITE;
        let at = libc::mmap(std::ptr::null_mut(), bytes.len(), kind, libc::MAP_SHARED, file.as_raw_fd(), 0);
        assert!(at != libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
        let half = bytes.len() / 2;
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), at.cast::<u8>(), half);
        pause();
        std::ptr::copy_nonoverlapping(
            bytes.as_ptr().add(half),
            at.cast::<u8>().add(half),
            bytes.len() - half,
        );
        assert_eq!(libc::munmap(at, bytes.len()), 0);
    }
}
