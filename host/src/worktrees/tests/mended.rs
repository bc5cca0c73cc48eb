//! Work trees that are used again: as fresh ones, whatever was done in them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::*;

/// A commit of the person's with that file, for trees to be at.
fn commit(bench: &Bench, name: &str, text: &str) -> Oid {
    bench.write(name, text);
    bench.git(&["add", "--all"]);
    bench.git(&["commit", "--quiet", "--message=more"]);
    Oid::parse(&bench.git(&["rev-parse", "HEAD"])).unwrap()
}

fn keeping(bench: &Bench) -> Worktrees {
    let folder = bench.state().path().join("trees");
    Worktrees::keeping(Arc::new(bench.open().unwrap()), folder, true, true)
}

fn made_at(worktrees: &Worktrees, base: &Oid) -> (Worktree, u64) {
    let mut worktree = worktrees.reserve();
    worktrees.make(&mut worktree, base).unwrap();
    let inode = fs::metadata(&worktree.seat().tree).unwrap().ino();
    (worktree, inode)
}

#[test]
fn a_tree_that_nobody_touched_is_the_next_ones_at_whatever_commit() {
    let bench = Bench::new(&[("a", "1"), ("b/c/d", "2"), (".gitignore", "*.log\n")]);
    let first = Oid::parse(&bench.git(&["rev-parse", "HEAD"])).unwrap();
    let second = commit(&bench, "b/e", "3");
    let worktrees = keeping(&bench);
    let (worktree, inode) = made_at(&worktrees, &first);
    // To read is no touch.
    assert_eq!(fs::read_to_string(worktree.seat().tree.join("b/c/d")).unwrap(), "2");
    let before = worktree.seat().tree.clone();
    drop(worktree);
    assert!(!before.exists(), "it is not where it was");
    for base in [&first, &second, &first, &second] {
        let (worktree, again) = made_at(&worktrees, base);
        assert_eq!((again, worktree.base()), (inode, Some(base)));
        assert_eq!(worktree.seat().tree.join("b/e").exists(), base == &second);
        assert_eq!(edits(&worktree, &[]).unwrap(), [""; 0]);
        let head = fs::read_to_string(worktree.seat().git.join("HEAD")).unwrap();
        assert_eq!(head.trim_end(), base.as_str());
    }
    // What is changed in one is seen as in a fresh one, and then it is nobody's.
    let (mut worktree, _) = made_at(&worktrees, &second);
    fs::write(worktree.seat().tree.join("b/e"), "4").unwrap();
    fs::remove_file(worktree.seat().tree.join("b/c/d")).unwrap();
    assert_eq!(edits(&worktree, &[]).unwrap(), ["b/c/d gone", "b/e File"]);
    worktrees.make(&mut worktree, &second).unwrap();
    let tree = &worktree.seat().tree;
    assert_eq!(fs::read_to_string(tree.join("b/e")).unwrap(), "3");
}

/// All that a tree has: mode, and bytes or where a link leads.
fn all_of(tree: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![tree.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
            let bytes = match () {
                () if kind.is_dir() => Vec::new(),
                () if kind.is_symlink() => {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                }
                () => fs::read(&path).unwrap(),
            };
            if kind.is_dir() {
                folders.push(path.clone());
            }
            let mode = path.symlink_metadata().unwrap().mode();
            found.insert(path.strip_prefix(tree).unwrap().to_owned(), (mode, bytes));
        }
    }
    found
}

/// Which inode each is: a number may be another's once it is free.
fn inodes(tree: &Path) -> HashMap<PathBuf, (u64, SystemTime)> {
    let inode = |path: PathBuf| {
        let found = tree.join(&path).symlink_metadata().unwrap();
        (path, (found.ino(), found.created().unwrap()))
    };
    all_of(tree).into_keys().chain([PathBuf::new()]).map(inode).collect()
}

/// It is as a fresh one, and what git keeps of it says so without a look at any content.
#[track_caller]
fn is_whole(worktree: &Worktree, fresh: &BTreeMap<PathBuf, (u32, Vec<u8>)>, what: &str) {
    let seat = worktree.seat();
    assert_eq!(&all_of(&seat.tree), fresh, "{what}");
    assert_eq!(edits(worktree, &[]).unwrap(), [""; 0], "{what}");
    let mut git = Command::new("git");
    git.arg("--git-dir").arg(worktree.repository.common()).arg("--work-tree").arg(&seat.tree);
    git.args(["diff-files", "--name-only"]).env("GIT_INDEX_FILE", seat.git.join("index"));
    let output = git.current_dir(&seat.tree).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{what}: {output:?}");
}

#[test]
fn what_was_touched_in_any_way_is_made_anew_and_the_rest_stays() {
    let bench =
        Bench::new(&[("a", "one"), ("b/c", "2"), ("b/deep/d", "3"), (".gitignore", "*.log\n"), ("z", "4")]);
    symlink("a", bench.workspace().join("link")).unwrap();
    let base = commit(&bench, "run.sh", "#!/bin/sh\n");
    let worktrees = keeping(&bench);
    let map = |tree: &Path| {
        let script = "import mmap,os; f=os.open('a',os.O_RDWR); m=mmap.mmap(f,3); m[0:3]=b'two'; m.close()";
        let wrote = Command::new("/usr/bin/python3").args(["-c", script]).current_dir(tree).status().unwrap();
        assert!(wrote.success());
    };
    let permit = |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    type Touch<'a> = (&'a str, &'a dyn Fn(&Path));
    // What is done, and whose inodes must not be there afterwards.
    let touches: [(Touch<'_>, &[&str]); 14] = [
        (("the same bytes", &|tree| fs::write(tree.join("a"), "one").unwrap()), &["a"]),
        (("a mapping", &map), &["a"]),
        (("a mode", &|tree| permit(tree.join("a"), 0o755)), &["a"]),
        (("a folder's mode", &|tree| permit(tree.join("b"), 0o000)), &["b"]),
        (("what git ignores", &|tree| fs::write(tree.join("b/x.log"), "").unwrap()), &["b"]),
        (("an empty folder", &|tree| fs::create_dir(tree.join("b/new")).unwrap()), &["b"]),
        (
            ("gone again", &|tree| {
                fs::write(tree.join("b/new"), "").unwrap();
                fs::remove_file(tree.join("b/new")).unwrap();
            }),
            &["b"],
        ),
        (
            ("a name", &|tree| {
                fs::rename(tree.join("a"), tree.join("y")).unwrap();
                fs::rename(tree.join("y"), tree.join("a")).unwrap();
            }),
            &["", "a"],
        ),
        (("another link", &|tree| fs::hard_link(tree.join("a"), tree.join("b/a")).unwrap()), &["a", "b"]),
        (
            ("one in the other's place", &|tree| {
                fs::rename(tree.join("a"), tree.join("x")).unwrap();
                fs::rename(tree.join("z"), tree.join("a")).unwrap();
                fs::rename(tree.join("x"), tree.join("z")).unwrap();
            }),
            &["", "a", "z"],
        ),
        (
            ("a link out in a folder's place", &|tree| {
                fs::remove_dir_all(tree.join("b")).unwrap();
                symlink("/etc", tree.join("b")).unwrap();
            }),
            &["", "b", "b/c", "b/deep", "b/deep/d"],
        ),
        (
            ("a link to another folder of it", &|tree| {
                fs::rename(tree.join("b/deep"), tree.join("deep")).unwrap();
                symlink("../deep", tree.join("b/deep")).unwrap();
            }),
            &["", "b", "b/deep"],
        ),
        (
            ("a folder in a file's place, closed", &|tree| {
                fs::remove_file(tree.join("a")).unwrap();
                fs::create_dir_all(tree.join("a/in")).unwrap();
                permit(tree.join("a"), 0o000);
            }),
            &["", "a"],
        ),
        (
            ("all of a folder, and an attribute", &|tree| {
                fs::remove_dir_all(tree.join("b/deep")).unwrap();
                let flags = rustix::fs::XattrFlags::empty();
                rustix::fs::setxattr(tree.join("b"), "user.mine", b"x", flags).unwrap();
            }),
            &["b", "b/deep", "b/deep/d"],
        ),
    ];
    let (worktree, _) = made_at(&worktrees, &base);
    let fresh = all_of(&worktree.seat().tree);
    drop(worktree);
    for ((what, touch), gone) in touches {
        let (worktree, _) = made_at(&worktrees, &base);
        let tree = worktree.seat().tree.clone();
        let before = inodes(&tree);
        touch(&tree);
        drop(worktree);
        let (worktree, _) = made_at(&worktrees, &base);
        let after = inodes(&worktree.seat().tree);
        is_whole(&worktree, &fresh, what);
        let stayed = before.iter().filter(|(path, inode)| after[*path] == **inode);
        let stayed: HashSet<&Path> = stayed.map(|(path, _)| path.as_path()).collect();
        assert!(gone.iter().all(|path| !stayed.contains(Path::new(path))), "{what}: {stayed:?}");
        assert!(stayed.contains(Path::new("run.sh")), "{what}: nothing of it was used again");
        let had: HashSet<(u64, SystemTime)> =
            gone.iter().filter_map(|path| before.get(Path::new(path)).copied()).collect();
        let has_old = after.iter().filter(|(path, _)| !gone.contains(&path.to_str().unwrap_or_default()));
        assert!(has_old.into_iter().all(|(_, inode)| !had.contains(inode)), "{what}");
    }
    // What was mended is seen as in a fresh one, and moves on as one.
    let next = commit(&bench, "b/c", "5");
    let (worktree, _) = made_at(&worktrees, &base);
    fs::write(worktree.seat().tree.join("b/c"), "mine").unwrap();
    fs::write(worktree.seat().tree.join("new"), "mine").unwrap();
    assert_eq!(edits(&worktree, &[]).unwrap(), ["b/c File", "new File"]);
    drop(worktree);
    let (worktree, _) = made_at(&worktrees, &next);
    assert_eq!(fs::read_to_string(worktree.seat().tree.join("b/c")).unwrap(), "5");
    assert!(!worktree.seat().tree.join("new").exists());
    assert_eq!(edits(&worktree, &[]).unwrap(), [""; 0]);
    drop(worktree);
    worktrees.clear();
    assert_eq!(fs::read_dir(bench.state().path().join("trees")).unwrap().count(), 0);
}

#[test]
fn what_is_not_worth_it_or_was_held_by_no_wall_is_nobodys_again() {
    let bench = Bench::new(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let base = Oid::parse(&bench.git(&["rev-parse", "HEAD"])).unwrap();
    let worktrees = keeping(&bench);
    type Touch<'a> = (&'a str, &'a dyn Fn(&Path));
    let touches: [Touch<'_>; 2] = [
        ("its git", &|tree| fs::write(tree.join(".git"), "gitdir: /run/orch/tree\n").unwrap()),
        ("most files", &|tree| {
            ["a", "b"].into_iter().for_each(|name| fs::remove_file(tree.join(name)).unwrap())
        }),
    ];
    for (what, touch) in touches {
        let (worktree, _) = made_at(&worktrees, &base);
        touch(&worktree.seat().tree);
        drop(worktree);
        assert!(worktrees.spares.take(&base).is_none(), "{what}");
    }
    // Where nothing holds commands none is.
    drop(bench.made());
    assert!(bench.worktrees().spares.take(&base).is_none());
    worktrees.clear();
    assert_eq!(fs::read_dir(bench.state().path().join("trees")).unwrap().count(), 0);
}

#[test]
fn a_tree_that_was_spoilt_while_nobody_had_it_is_made_anew() {
    let bench = Bench::new(&[("a", "1"), ("b", "2")]);
    let first = Oid::parse(&bench.git(&["rev-parse", "HEAD"])).unwrap();
    let second = commit(&bench, "a", "3");
    let worktrees = keeping(&bench);
    drop(made_at(&worktrees, &first));
    let spare = worktrees.spares.take(&first).unwrap();
    fs::remove_file(spare.folder.join("index")).unwrap();
    fs::write(spare.folder.join("tree/a"), "mine").unwrap();
    worktrees.spares.put(spare);
    let (worktree, _) = made_at(&worktrees, &second);
    assert_eq!(fs::read_to_string(worktree.seat().tree.join("a")).unwrap(), "3");
    assert_eq!(edits(&worktree, &[]).unwrap(), [""; 0]);
}
