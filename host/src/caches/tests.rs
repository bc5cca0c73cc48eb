//! Layers that are kept and thrown away, and what is swept away after a kill.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, mknodat};

use super::*;

/// What lies beneath: texts of files, `-> ` links, `gone` for what was removed.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let said = if meta.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else if meta.is_symlink() {
                format!("-> {}", path.read_link().unwrap().display())
            } else if meta.file_type().is_char_device() {
                "gone".to_owned()
            } else {
                fs::read_to_string(&path).unwrap()
            };
            found.insert(path.strip_prefix(root).unwrap().display().to_string(), said);
        }
    }
    found
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match *text {
            "gone" => mknodat(CWD, &path, FileType::CharacterDevice, Mode::empty(), 0).unwrap(),
            text => fs::write(path, text).unwrap(),
        }
    }
}

fn opaque(folder: &Path) {
    lsetxattr(folder, "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
}

struct Layers {
    _folder: tempfile::TempDir,
    upper: PathBuf,
    kept: PathBuf,
}

impl Layers {
    fn new(upper: &[(&str, &str)], kept: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (up, below) = (folder.path().join("upper"), folder.path().join("kept"));
        fs::create_dir(&up).unwrap();
        fs::create_dir(&below).unwrap();
        write(&up, upper);
        write(&below, kept);
        Self { upper: up, kept: below, _folder: folder }
    }

    #[track_caller]
    fn keep(&self, expected: &[(&str, &str)]) {
        layer::keep(&self.upper, &self.kept).unwrap();
        let expected = expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        assert_eq!(tree(&self.kept), expected.collect());
    }
}

#[test]
fn what_was_written_replaces_what_was_kept_and_the_rest_stays() {
    let layers = Layers::new(
        &[("a", "new"), ("d/b", "new"), ("n/x/y", "new")],
        &[("a", "old"), ("s", "old"), ("d/b", "old"), ("d/c", "old")],
    );
    layers.keep(&[
        ("a", "new"),
        ("s", "old"),
        ("d", "folder"),
        ("d/b", "new"),
        ("d/c", "old"),
        ("n", "folder"),
        ("n/x", "folder"),
        ("n/x/y", "new"),
    ]);
}

#[test]
fn what_was_removed_stays_removed_also_of_what_lies_beneath_what_is_kept() {
    let layers = Layers::new(
        &[("a", "gone"), ("d", "gone"), ("of-the-person", "gone"), ("e/f", "gone")],
        &[("a", "old"), ("d/b", "old"), ("e/f", "old"), ("e/g", "old")],
    );
    layers.keep(&[
        ("a", "gone"),
        ("d", "gone"),
        ("of-the-person", "gone"),
        ("e", "folder"),
        ("e/f", "gone"),
        ("e/g", "old"),
    ]);
}

#[test]
fn a_folder_that_hides_what_was_there_a_file_for_a_folder_and_a_folder_for_a_file() {
    let layers = Layers::new(
        &[("d/b", "new"), ("file", "new"), ("folder/x", "new")],
        &[("d/c", "old"), ("file/y", "old"), ("folder", "old")],
    );
    opaque(&layers.upper.join("d"));
    layers.keep(&[
        ("d", "folder"),
        ("d/b", "new"),
        ("file", "new"),
        ("folder", "folder"),
        ("folder/x", "new"),
    ]);
    // It goes on hiding what a person has there.
    let mut value = [0; 1];
    assert_eq!(rustix::fs::lgetxattr(layers.kept.join("d"), "user.overlay.opaque", &mut value), Ok(1));
}

#[test]
fn no_link_is_followed_in_either_layer() {
    let layers = Layers::new(&[("d/b", "new"), ("made/x", "new")], &[("e", "old")]);
    let outside = layers.upper.with_file_name("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, layers.kept.join("d")).unwrap();
    symlink(&outside, layers.upper.join("e")).unwrap();
    let link = format!("-> {}", outside.display());
    layers.keep(&[("d", "folder"), ("d/b", "new"), ("e", &link), ("made", "folder"), ("made/x", "new")]);
    assert!(tree(&outside).is_empty());
}

#[test]
fn pipes_and_what_lies_too_deep_are_not_kept_and_unreadable_folders_are() {
    let layers = Layers::new(&[("d/b", "new"), ("closed/x", "new")], &[]);
    for path in ["pipe", "d/pipe"] {
        mknodat(CWD, layers.upper.join(path), FileType::Fifo, Mode::RUSR, 0).unwrap();
    }
    fs::set_permissions(layers.upper.join("closed"), Permissions::from_mode(0o000)).unwrap();
    layers.keep(&[("d", "folder"), ("d/b", "new"), ("closed", "folder"), ("closed/x", "new")]);
    let deep = Layers::new(&[("a", "new")], &[]);
    fs::create_dir_all(deep.upper.join(vec!["d"; 70].join("/"))).unwrap();
    assert!(layer::keep(&deep.upper, &deep.kept).is_err());
    assert!(!tree(&deep.kept).contains_key("d"));
}

#[test]
fn whatever_was_made_is_removed_and_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (root, beside) = (folder.path().join("root"), folder.path().join("beside"));
    write(&root, &[("a/b/c", "x"), ("a/gone", "gone")]);
    fs::write(&beside, "mine").unwrap();
    symlink(&beside, root.join("link")).unwrap();
    symlink(folder.path(), root.join("up")).unwrap();
    fs::set_permissions(root.join("a/b"), Permissions::from_mode(0o000)).unwrap();
    // Deeper than a path can be.
    let mut deepest = root.join("deep");
    fs::create_dir(&deepest).unwrap();
    for _ in 0..3000 {
        let above = deepest.with_file_name("above");
        fs::create_dir(&above).unwrap();
        fs::rename(&deepest, above.join("deep")).unwrap();
        fs::rename(&above, &deepest).unwrap();
        deepest = root.join("deep");
    }
    remove_all(&root).unwrap();
    remove_all(&root).unwrap();
    assert_eq!(tree(folder.path()), [("beside".to_owned(), "mine".to_owned())].into());
}

fn caches(root: &Path, workspace: &str, read: &[Place]) -> Arc<Caches> {
    let policy =
        SandboxPolicy { cache: vec!["~/tool".into(), "/elsewhere/tool".into()], ..SandboxPolicy::default() };
    let own = [root.join("operator")];
    let caches = root.join("operator/caches");
    Arc::new(Caches::of(&policy, Some(&root.join("home")), &caches, &root.join(workspace), read, &own))
}

#[test]
fn a_layer_goes_into_what_is_kept_after_a_good_answer_only_and_of_that_plugin_and_workspace_only() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let first = caches(&root, "first", &[]);
    let seen = |caches: &Arc<Caches>, plugin: &str| {
        let call = caches.of_call(plugin);
        let layers = call.layers().unwrap();
        let seen = tree(&layers[0].beneath[0]);
        call.end(true).unwrap();
        seen
    };
    for (is_good, expected) in [(false, 0), (true, 1)] {
        let call = first.of_call("demo/shell");
        assert!(call.is_unused());
        let layers = call.layers().unwrap();
        assert_eq!(layers, call.layers().unwrap(), "the same for all commands of a call");
        assert_eq!(
            layers.iter().map(|layer| &layer.path).collect::<Vec<_>>(),
            [&root.join("home/tool"), &PathBuf::from("/elsewhere/tool")]
        );
        let beside = first.of_call("demo/shell").layers().unwrap();
        assert_ne!(beside[0].upper, layers[0].upper, "of each call its own");
        write(&layers[0].upper, &[("made", "x")]);
        call.end(is_good).unwrap();
        assert!(!layers[0].upper.parent().unwrap().exists());
        assert_eq!(seen(&first, "demo/shell").len(), expected);
    }
    assert!(seen(&first, "demo/other").is_empty());
    assert!(seen(&caches(&root, "second", &[]), "demo/shell").is_empty());
    assert!(!root.join("home").exists(), "the person's own is nobody's");
}

#[test]
fn what_a_killed_host_left_is_swept_away_and_what_is_kept_stays() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let killed = caches(&root, "first", &[]);
    let call = killed.of_call("demo/shell");
    write(&call.layers().unwrap()[0].upper, &[("made", "x")]);
    call.end(true).unwrap();
    let left = killed.of_call("demo/shell").layers().unwrap();
    write(&left[0].upper, &[("poison", "x")]);
    let next = caches(&root, "first", &[]);
    next.sweep().unwrap();
    assert!(!left[0].upper.exists());
    let layers = next.of_call("demo/shell").layers().unwrap();
    assert_eq!(tree(&layers[0].beneath[0]).keys().collect::<Vec<_>>(), ["made"]);
    assert_eq!(bytes_in(&root.join("operator/caches")).unwrap(), 1);
}

#[test]
fn what_may_be_read_lies_beneath_and_no_cache_lies_over_the_workspace_or_the_hosts_folders() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("home/tool")).unwrap();
    let base = |read: &[Place]| caches(&root, "w", read).of_call("p").layers().unwrap()[0].beneath.clone();
    assert_eq!(base(&[]).len(), 1);
    assert_eq!(base(&[Place::read(root.join("home"))])[1], root.join("home/tool"));
    for workspace in ["home/tool/w", "home/tool", "home"] {
        let found = caches(&root, workspace, &[]);
        assert_eq!(found.left_out(), [root.join("home/tool")], "{workspace}");
    }
}
