//! Changes below a folder, each on a disk of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn path(text: &str) -> WorkspacePath {
    WorkspacePath::parse(text).unwrap()
}

struct Bench {
    folder: tempfile::TempDir,
    workspace: Workspace,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { workspace: Workspace::open(folder.path()).unwrap(), folder }
    }

    fn changer(&self) -> Changer<'_> {
        self.while_it_goes_on(&|| true)
    }

    fn while_it_goes_on<'a>(&'a self, goes_on: &'a dyn Fn() -> bool) -> Changer<'a> {
        Changer { workspace: &self.workspace, is_synced: true, goes_on }
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.folder.path().join(name).symlink_metadata().is_ok()
    }

    /// What lies in the top folder.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn digest(bytes: &[u8]) -> Option<[u8; 32]> {
    Some(Sha256::digest(bytes).into())
}

#[test]
fn replacing_makes_folders_keeps_the_mode_and_tells_what_was_there() {
    let bench = Bench::new();
    let changer = bench.changer();
    let made = changer.replace(&path("a/b/c"), b"one").unwrap();
    assert_eq!((made.before, made.after, made.size), (None, digest(b"one"), Some(3)));
    let file = bench.folder.path().join("a/b/c");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o775)).unwrap();
    assert_eq!(changer.replace(&path("a/b/c"), b"two").unwrap().before, digest(b"one"));
    assert_eq!(bench.text("a/b/c"), "two");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o775);
    assert_eq!(fs::read_dir(bench.folder.path().join("a/b")).unwrap().count(), 1, "no other file is left");
    for wrong in ["a/b", "a/b/c/d"] {
        let refused = changer.replace(&path(wrong), b"x");
        assert!(matches!(refused, Err(ChangeError::File(FileError::NotRegular))), "{wrong}: {refused:?}");
    }
}

#[test]
fn appending_and_cutting_tell_both_digests_and_make_only_what_can_be() {
    let bench = Bench::new();
    let changer = bench.changer();
    assert_eq!(changer.append(&path("log/a"), b"one").unwrap().before, None);
    let added = changer.append(&path("log/a"), b"two").unwrap();
    assert_eq!((added.before, added.after), (digest(b"one"), digest(b"onetwo")));
    assert_eq!((added.size, bench.text("log/a").as_str()), (Some(6), "onetwo"));
    let cut = changer.truncate(&path("log/a"), 4).unwrap();
    assert_eq!((cut.before, cut.after, cut.size), (digest(b"onetwo"), digest(b"onet"), Some(4)));
    assert!(matches!(changer.truncate(&path("log/a"), 5), Err(ChangeError::Shorter { found: 4 })));
    assert!(matches!(changer.truncate(&path("none"), 0), Err(ChangeError::File(FileError::NotFound))));
    assert_eq!(changer.truncate(&path("log/a"), 0).unwrap().after, digest(b""));
    // Over more than one part that is read.
    let long: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
    changer.replace(&path("long"), &long).unwrap();
    let cut = changer.truncate(&path("long"), 100_001).unwrap();
    assert_eq!((cut.before, cut.after), (digest(&long), digest(&long[..100_001])));
    assert_eq!(changer.append(&path("long"), b"x").unwrap().size, Some(100_002));
}

#[test]
fn a_rename_moves_a_file_and_never_replaces() {
    let bench = Bench::new();
    let changer = bench.changer();
    changer.replace(&path("a"), b"one").unwrap();
    changer.replace(&path("b"), b"two").unwrap();
    for to in ["a", "b"] {
        assert!(matches!(changer.rename(&path("a"), &path(to)), Err(ChangeError::Exists)), "{to}");
    }
    assert_eq!((bench.text("a"), bench.text("b")), ("one".to_owned(), "two".to_owned()));
    let [gone, there] = changer.rename(&path("a"), &path("new/c")).unwrap();
    assert_eq!((gone.change, gone.before, gone.after), (FileChange::Removed, digest(b"one"), None));
    assert_eq!((there.path.as_str(), there.after, there.size), ("new/c", digest(b"one"), Some(3)));
    assert!(!bench.has("a") && bench.text("new/c") == "one");
    let folder = changer.rename(&path("new"), &path("other"));
    assert!(matches!(folder, Err(ChangeError::File(FileError::NotRegular))), "{folder:?}");
    assert!(matches!(changer.rename(&path("none"), &path("x")), Err(ChangeError::File(FileError::NotFound))));
}

#[test]
fn folders_are_made_once_and_removed_when_nothing_is_in_them() {
    let bench = Bench::new();
    let changer = bench.changer();
    let made = changer.make_folder(&path("a/b/c")).unwrap().unwrap();
    assert_eq!((made.path.as_str(), made.change), ("a/b/c", FileChange::FolderMade));
    assert_eq!(changer.make_folder(&path("a/b/c")).unwrap(), None);
    assert!(matches!(changer.remove(&path("a/b")), Err(ChangeError::NotEmpty)));
    assert_eq!(changer.remove(&path("a/b/c")).unwrap().change, FileChange::FolderRemoved);
    changer.replace(&path("a/f"), b"x").unwrap();
    assert!(matches!(changer.make_folder(&path("a/f")), Err(ChangeError::File(FileError::NotRegular))));
    let removed = changer.remove(&path("a/f")).unwrap();
    assert_eq!((removed.change, removed.before), (FileChange::Removed, digest(b"x")));
    assert!(matches!(changer.remove(&path("a/f")), Err(ChangeError::File(FileError::NotFound))));
    assert!(bench.has("a/b") && !bench.has("a/b/c"));
}

#[test]
fn no_change_follows_a_link_or_makes_anything_outside() {
    let (bench, outside) = (Bench::new(), tempfile::tempdir().unwrap());
    let secret = outside.path().join("secret");
    fs::write(&secret, "s").unwrap();
    symlink(outside.path(), bench.folder.path().join("out")).unwrap();
    symlink(&secret, bench.folder.path().join("link")).unwrap();
    let changer = bench.changer();
    changer.replace(&path("own"), b"own").unwrap();
    for name in ["out/secret", "out/new", "link", "link/x"] {
        let name = path(name);
        let refused = [
            changer.replace(&name, b"x").map(drop),
            changer.append(&name, b"x").map(drop),
            changer.truncate(&name, 0).map(drop),
            changer.make_folder(&name).map(drop),
            changer.rename(&name, &path("taken")).map(drop),
            changer.remove(&name).map(drop),
            changer.rename(&path("own"), &name).map(drop),
        ];
        for (place, refused) in refused.into_iter().enumerate() {
            assert!(refused.is_err(), "{place} of {}", name.as_str());
        }
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "s");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(bench.names(), ["link", "out", "own"]);
}

#[test]
fn what_is_too_large_is_neither_read_nor_written() {
    let bench = Bench::new();
    let large = File::create(bench.folder.path().join("large")).unwrap();
    large.set_len(FILE_BYTES_MAX + 1).unwrap();
    let changer = bench.changer();
    let refused = [
        changer.replace(&path("large"), b"x").map(drop),
        changer.truncate(&path("large"), 1).map(drop),
        changer.rename(&path("large"), &path("other")).map(drop),
        changer.remove(&path("large")).map(drop),
    ];
    assert!(refused.iter().all(|refused| matches!(refused, Err(ChangeError::TooLarge))), "{refused:?}");
    large.set_len(FILE_BYTES_MAX).unwrap();
    assert!(matches!(changer.append(&path("large"), b"x"), Err(ChangeError::TooLarge)));
    assert_eq!(bench.names(), ["large"]);
    assert_eq!(large.metadata().unwrap().len(), FILE_BYTES_MAX);
}

#[test]
fn a_change_whose_call_is_over_does_not_happen() {
    let bench = Bench::new();
    bench.changer().replace(&path("kept"), b"old").unwrap();
    bench.changer().make_folder(&path("folder")).unwrap();
    let over = bench.while_it_goes_on(&|| false);
    for (place, refused) in [
        over.replace(&path("kept"), b"new").map(drop),
        over.replace(&path("fresh"), b"new").map(drop),
        over.append(&path("kept"), b"new").map(drop),
        over.truncate(&path("kept"), 0).map(drop),
        over.make_folder(&path("made")).map(drop),
        over.rename(&path("kept"), &path("moved")).map(drop),
        over.remove(&path("kept")).map(drop),
        over.remove(&path("folder")).map(drop),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(matches!(refused, Err(ChangeError::File(FileError::Io(_)))), "{place}: {refused:?}");
    }
    // Over between the last byte that was read and the rename.
    let asked = std::cell::Cell::new(0);
    let ends = || asked.replace(asked.get() + 1) < 2;
    assert!(bench.while_it_goes_on(&ends).replace(&path("kept"), b"new").is_err());
    assert_eq!(asked.get(), 3);
    assert_eq!(
        (bench.names(), bench.text("kept")),
        (vec!["folder".to_owned(), "kept".to_owned()], "old".to_owned())
    );
}
