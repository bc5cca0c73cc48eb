//! Work trees and the host's git, on repositories that would run programs.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::*;
use crate::capability::HostEnvironment;
use crate::capability::files::Protected;
use crate::git::{Merged, Signed};

mod mended;

struct Bench {
    folder: tempfile::TempDir,
}

/// What each program of a hostile repository does.
const EVIL: &str = "#!/bin/sh\ntouch \"$RAN\"\ncat\n";

impl Bench {
    /// A repository with one commit of these files.
    fn new(files: &[(&str, &str)]) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.workspace()).unwrap();
        bench.git(&["init", "--quiet", "--initial-branch=main"]);
        files.iter().for_each(|(name, text)| bench.write(name, text));
        bench.git(&["add", "--all", "--force"]);
        bench.git(&["commit", "--quiet", "--allow-empty", "--message=first"]);
        bench
    }

    fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.workspace().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A person's git.
    fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.current_dir(self.workspace()).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "me").env(format!("GIT_{who}_EMAIL"), "me@example.com");
        }
        let output = git.output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn state(&self) -> StateFolder {
        StateFolder::of(&self.folder.path().join("state"), &self.workspace())
    }

    fn open(&self) -> Result<Repository, GitError> {
        Repository::open(&self.workspace(), &self.state().git(), HostEnvironment::of_this_process().folders())
    }

    fn worktrees(&self) -> Worktrees {
        Worktrees::new(Arc::new(self.open().unwrap()), &self.state(), false)
    }

    /// A work tree of `HEAD`.
    fn made(&self) -> Worktree {
        let worktrees = self.worktrees();
        let mut worktree = worktrees.reserve();
        let head = worktrees.repository().head().unwrap();
        worktrees.make(&mut worktree, &head.commit).unwrap();
        worktree
    }
}

fn edits(worktree: &Worktree, outputs: &[&str]) -> Result<Vec<String>, &'static str> {
    let outputs: Vec<String> = outputs.iter().map(|&output| output.to_owned()).collect();
    let edits = worktree.edits(&outputs, &Protected::default()).map_err(|error| error.code())?;
    let said = |(path, to): &Edit| {
        let to = to.as_ref().map_or_else(|| "gone".to_owned(), |(mode, _)| format!("{mode:?}"));
        format!("{} {to}", path.to_string_lossy())
    };
    Ok(edits.iter().map(said).collect())
}

#[test]
fn what_was_changed_is_found_and_nothing_else() {
    let bench = Bench::new(&[
        ("a", "1"),
        ("b/c", "2"),
        ("b/d", "3"),
        ("e", "4"),
        ("same", "5"),
        (".gitignore", "*.o\nout/\n"),
        ("kept.o", "6"),
    ]);
    let worktree = bench.made();
    let tree = worktree.seat().tree.clone();
    assert_eq!(edits(&worktree, &[]), Ok(vec![]));
    fs::write(tree.join("a"), "x").unwrap();
    fs::remove_file(tree.join("b/c")).unwrap();
    fs::set_permissions(tree.join("b/d"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(tree.join("e")).unwrap();
    symlink("b/d", tree.join("e")).unwrap();
    fs::write(tree.join("same"), "5").unwrap();
    fs::write(tree.join("kept.o"), "changed").unwrap();
    for (name, text) in
        [("new", "7"), ("left.o", "8"), ("out/one", "9"), ("out/two", "9"), ("n/e/w\n\"\\ü", "10")]
    {
        let path = tree.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    rustix::fs::mkfifoat(rustix::fs::CWD, tree.join("pipe"), rustix::fs::Mode::from_bits_truncate(0o600))
        .unwrap();
    let expected =
        ["a File", "b/c gone", "b/d Program", "e Link", "kept.o File", "n/e/w\n\"\\ü File", "new File"];
    assert_eq!(edits(&worktree, &[]).unwrap(), expected);
    let with_outputs = edits(&worktree, &["out/one", "*.o"]).unwrap();
    let more: Vec<&String> = with_outputs.iter().filter(|one| !expected.contains(&one.as_str())).collect();
    assert_eq!(more, ["left.o File", "out/one File"]);
    // The bytes are the file's.
    let found = worktree.edits(&[], &Protected::default()).unwrap();
    let repository = bench.open().unwrap();
    let bytes = |name: &str| {
        let (_, to) = found.iter().find(|(path, _)| path == Path::new(name)).unwrap();
        repository.bytes_of(&to.as_ref().unwrap().1).unwrap()
    };
    assert_eq!(
        (bytes("a"), bytes("e"), bytes("n/e/w\n\"\\ü")),
        (b"x".to_vec(), b"b/d".to_vec(), b"10".to_vec())
    );
}

#[test]
fn what_is_never_kept_refuses_all_of_it() {
    #[track_caller]
    fn check(change: impl Fn(&Path), code: &'static str) {
        let bench = Bench::new(&[("a", "1"), ("b/c", "2"), ("tasks.yml", ""), ("sub/x", "3")]);
        let worktree = bench.made();
        change(&worktree.seat().tree);
        assert_eq!(edits(&worktree, &[]).err(), Some(code));
    }
    check(|tree| fs::write(tree.join("tasks.yml"), "x").unwrap(), "edits-protected");
    check(|tree| fs::remove_file(tree.join("tasks.yml")).unwrap(), "edits-protected");
    check(|tree| fs::write(tree.join("Config.YAML"), "x").unwrap(), "edits-protected");
    check(
        |tree| {
            fs::create_dir(tree.join("sub/.hg"))
                .and_then(|()| fs::write(tree.join("sub/.hg/hgrc"), ""))
                .unwrap()
        },
        "edits-protected",
    );
    check(|tree| fs::create_dir(tree.join("b/.git")).unwrap(), "edits-git-folder");
    check(|tree| fs::write(tree.join("b/.git"), "gitdir: /").unwrap(), "edits-git-folder");
    check(|tree| fs::create_dir(tree.join(".GIT")).unwrap(), "edits-git-folder");
    check(|tree| fs::write(tree.join("b/.GiT"), "x").unwrap(), "edits-git-folder");
    check(|tree| symlink("/etc/passwd", tree.join("l")).unwrap(), "edits-link-out");
    check(|tree| symlink("../../x", tree.join("b/l")).unwrap(), "edits-link-out");
    check(|tree| symlink("b/../../x", tree.join("l")).unwrap(), "edits-link-out");
    check(|tree| symlink("/dev/zero", tree.join(".gitignore")).unwrap(), "edits-ignore-file");
    check(
        |tree| fs::File::create(tree.join("b/.gitignore")).unwrap().set_len(1 << 40).unwrap(),
        "edits-ignore-file",
    );
    // Names that some file system takes for `.git`.
    check(
        |tree| fs::create_dir(tree.join("git~1")).and_then(|()| fs::write(tree.join("git~1/x"), "")).unwrap(),
        "edits-git-folder",
    );
    check(|tree| fs::write(tree.join(".g\u{200c}it"), "").unwrap(), "edits-git-folder");
    // A folder of the tree becomes a link out: nothing beyond it is read.
    check(
        |tree| {
            fs::remove_dir_all(tree.join("b")).unwrap();
            symlink("/etc", tree.join("b")).unwrap();
        },
        "edits-link-out",
    );
}

#[test]
fn a_submodule_is_left_as_it_is() {
    let bench = Bench::new(&[("a", "1")]);
    let head = bench.git(&["rev-parse", "HEAD"]);
    bench.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    bench.git(&["commit", "--quiet", "--message=sub"]);
    let worktree = bench.made();
    let sub = worktree.seat().tree.join("sub");
    assert!(sub.is_dir());
    assert_eq!(edits(&worktree, &[]), Ok(vec![]));
    fs::write(sub.join("x"), "").unwrap();
    assert_eq!(edits(&worktree, &[]).err(), Some("edits-gitlink"));
    fs::remove_dir_all(&sub).unwrap();
    assert_eq!(edits(&worktree, &[]).err(), Some("edits-gitlink"));
}

#[test]
fn nothing_of_a_hostile_repository_runs() {
    let bench = Bench::new(&[
        ("a.txt", "one\r\ntwo\r\n"),
        (".gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = ext::sh -c evil\n\tupdate = !evil\n"),
    ]);
    let evil = bench.folder.path().join("evil");
    let ran = bench.folder.path().join("ran");
    fs::write(&evil, EVIL.replace("$RAN", ran.to_str().unwrap())).unwrap();
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    let evil = evil.to_str().unwrap();
    bench.write(
        ".gitattributes",
        "* filter=evil diff=evil merge=evil text eol=crlf ident\n*.txt working-tree-encoding=UTF-16\n",
    );
    bench.git(&["add", ".gitattributes"]);
    bench.git(&["commit", "--quiet", "--message=attributes"]);
    let hooks = bench.workspace().join(".git/hooks");
    for hook in [
        "reference-transaction",
        "post-checkout",
        "pre-commit",
        "post-index-change",
        "pre-auto-gc",
        "fsmonitor-watchman",
    ] {
        fs::create_dir_all(&hooks).unwrap();
        fs::copy(bench.folder.path().join("evil"), hooks.join(hook)).unwrap();
    }
    let included = bench.folder.path().join("included");
    fs::write(&included, format!("[core]\n\tfsmonitor = {evil}\n")).unwrap();
    let included = included.display();
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = {evil}\n\tsshCommand = {evil}\n\thooksPath = {}\n\tpager = {evil}\n\
         \teditor = {evil}\n[filter \"evil\"]\n\tclean = {evil}\n\tsmudge = {evil}\n\tprocess = {evil}\n\trequired = true\n\
         [diff \"evil\"]\n\tcommand = {evil}\n\ttextconv = {evil}\n[diff]\n\texternal = {evil}\n[merge \"evil\"]\n\tdriver = {evil}\n\
         [alias]\n\tupdate-ref = !{evil}\n\tread-tree = !{evil}\n[include]\n\tpath = {included}\n[credential]\n\thelper = {evil}\n",
        hooks.display()
    );
    fs::write(bench.workspace().join(".git/config"), config).unwrap();
    let before = fs::read(bench.workspace().join(".git/index")).unwrap();

    let repository = bench.open().unwrap();
    let index = bench.state().git().join("index.look");
    assert_eq!(repository.uncommitted(&index).unwrap(), Vec::<PathBuf>::new());
    let worktree = bench.made();
    let tree = worktree.seat().tree.clone();
    assert_eq!(fs::read(tree.join("a.txt")).unwrap(), b"one\r\ntwo\r\n", "byte for byte");
    fs::write(tree.join("a.txt"), "one\r\ntwo\r\n$Id$\r\n").unwrap();
    fs::write(tree.join("b"), "new").unwrap();
    let found = worktree.edits(&[], &Protected::default()).unwrap();
    let base = worktree.base().unwrap();
    let kept = repository.tree_with(base, &found, &bench.state().git().join("index.keep")).unwrap();
    let commit = repository.commit(&kept, &[base], "kept\n", &Signed::by_host(1_000)).unwrap();
    repository.move_ref("refs/heads/orch/run", None, Some(&commit)).unwrap();
    assert_eq!(repository.merge(base, &commit).unwrap(), Merged::Tree(kept));
    let patch = repository.difference(base, &commit, crate::git::Show::Patch).unwrap();
    assert!(String::from_utf8_lossy(&patch).contains("+$Id$"));
    let oid =
        found.iter().find(|(path, _)| path == Path::new("a.txt")).unwrap().1.as_ref().unwrap().1.clone();
    assert_eq!(repository.bytes_of(&oid).unwrap(), b"one\r\ntwo\r\n$Id$\r\n");
    // A nested repository, which a look at its state would ask for its own configuration.
    fs::create_dir(tree.join("nested")).unwrap();
    fs::create_dir(tree.join("nested/.git")).unwrap();
    fs::copy(bench.workspace().join(".git/config"), tree.join("nested/.git/config")).unwrap();
    assert_eq!(edits(&worktree, &[]).err(), Some("edits-git-folder"));
    assert!(!ran.exists(), "something of the repository ran");
    assert_eq!(fs::read(bench.workspace().join(".git/index")).unwrap(), before);
    // The control: a person's own git does run it.
    let _ = Command::new("git").current_dir(bench.workspace()).arg("status").output().unwrap();
    assert!(ran.exists(), "the trap works");
}

#[test]
fn what_is_no_checkout_is_refused_by_name() {
    let code = |bench: &Bench| bench.open().and_then(|found| found.head()).err().map(|error| error.code());
    let bench = Bench::new(&[("a", "1")]);
    assert_eq!(code(&bench), None);
    bench.git(&["checkout", "--quiet", "--detach"]);
    assert_eq!(bench.open().unwrap().head().unwrap().branch, None);
    bench.git(&["checkout", "--quiet", "--orphan", "empty"]);
    assert_eq!(code(&bench), Some("git-no-commit"));
    bench.git(&["config", "core.bare", "true"]);
    assert_eq!(code(&bench), Some("git-bare"));
    fs::write(bench.workspace().join(".git/config"), "[extensions]\n\trefStorage = reftable\n").unwrap();
    assert_eq!(code(&bench), Some("git-unfit"));
    fs::write(bench.workspace().join(".git/config"), "[").unwrap();
    assert_eq!(code(&bench), Some("git-unfit"));
    fs::remove_dir_all(bench.workspace().join(".git")).unwrap();
    assert_eq!(code(&bench), Some("git-no-repository"));
    bench.write(".git", "gitdir: nowhere\n");
    assert_eq!(code(&bench), Some("git-unfit"));
}

#[test]
fn a_linked_checkout_and_names_of_256_bits_work() {
    let bench = Bench::new(&[("a", "1")]);
    let linked = bench.folder.path().join("linked");
    bench.git(&["worktree", "add", "--quiet", linked.to_str().unwrap(), "-b", "other"]);
    let folder = bench.folder.path().join("state/git");
    let open = || Repository::open(&linked, &folder, HostEnvironment::of_this_process().folders()).unwrap();
    assert_eq!(open().head().unwrap().branch.as_deref(), Some("refs/heads/other"));
    assert_eq!(open().uncommitted(&folder.join("index.look")).unwrap(), Vec::<PathBuf>::new());
    fs::write(linked.join("a"), "2").unwrap();
    assert_eq!(open().uncommitted(&folder.join("index.look")).unwrap(), [PathBuf::from("a")]);
    fs::remove_dir_all(bench.workspace()).unwrap();
    fs::create_dir(bench.workspace()).unwrap();
    bench.git(&["init", "--quiet", "--object-format=sha256"]);
    bench.write("b", "1");
    bench.git(&["add", "b"]);
    bench.git(&["commit", "--quiet", "--message=first"]);
    let worktree = bench.made();
    assert_eq!(worktree.base().unwrap().as_str().len(), 64);
    fs::write(worktree.seat().tree.join("b"), "2").unwrap();
    assert_eq!(edits(&worktree, &[]).unwrap(), ["b File"]);
}

#[test]
fn a_ref_moves_from_what_it_is_known_to_be_or_not_at_all() {
    let bench = Bench::new(&[("a", "1")]);
    let repository = bench.open().unwrap();
    let first = repository.head().unwrap().commit;
    let tree = repository.tree_of(&first).unwrap();
    let second = repository.commit(&tree, &[&first], "second", &Signed::by_host(0)).unwrap();
    let name = "refs/heads/orch/run";
    repository.move_ref(name, None, Some(&first)).unwrap();
    let moved = repository.move_ref(name, Some(&second), Some(&first)).unwrap_err();
    assert_eq!(moved.code(), "branch-moved");
    repository.move_ref(name, Some(&first), Some(&second)).unwrap();
    // Also where refs are in one file.
    bench.git(&["pack-refs", "--all"]);
    assert_eq!(repository.resolve(name).unwrap().as_ref(), Some(&second));
    assert_eq!(repository.move_ref(name, None, Some(&first)).unwrap_err().code(), "branch-moved");
    repository.move_ref(name, Some(&second), None).unwrap();
    assert_eq!(repository.resolve(name).unwrap(), None);
    assert_eq!(bench.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    assert_eq!(bench.git(&["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn a_work_tree_is_removed_whatever_was_done_in_it() {
    let bench = Bench::new(&[("a/b", "1"), ("m", "2")]);
    let worktree = bench.made();
    let seat = worktree.seat().clone();
    assert_eq!(fs::symlink_metadata(seat.tree.join("m")).unwrap().mode() & 0o777, 0o644);
    fs::set_permissions(seat.tree.join("a"), fs::Permissions::from_mode(0o000)).unwrap();
    drop(worktree);
    assert!(!seat.tree.exists());
    // For whoever asks git in it, it is at that commit.
    let worktree = bench.made();
    let status = Command::new("git")
        .current_dir(&worktree.seat().tree)
        .args(["status", "--porcelain"])
        .output()
        .unwrap();
    assert!(status.status.success() && status.stdout.is_empty(), "{status:?}");
}
