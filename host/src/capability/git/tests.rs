//! The capability on a repository of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use wasmtime::component::ResourceTable;

use super::*;
use crate::capability::Ledger;
use crate::capability::bench::Bench;
use backend::{NoRepository, OfBranch, OfWorkspace};

struct Open {
    git: Git,
    table: ResourceTable,
    ledger: Ledger,
    folder: tempfile::TempDir,
}

fn run(folder: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(folder).args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    for name in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{name}_NAME"), "Ada").env(format!("GIT_{name}_EMAIL"), "ada@example.com");
        git.env(format!("GIT_{name}_DATE"), "@1700000000 +0000");
    }
    let output = git.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

impl Open {
    /// Two commits: `a.txt` and `secret/key`; then `a.txt` changed, `new:1` added.
    fn new(read: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir_all(tree.join("secret")).unwrap();
        run(&tree, &["init", "--quiet", "--initial-branch=main"]);
        for (name, text) in [("a.txt", "one\n"), ("secret/key", "k\n")] {
            std::fs::write(tree.join(name), text).unwrap();
        }
        run(&tree, &["add", "--all"]);
        run(&tree, &["commit", "--quiet", "--message=first"]);
        run(&tree, &["branch", "side"]);
        for (name, text) in [("a.txt", "one\ntwo\n"), ("new:1", "x\n"), ("secret/key", "other\n")] {
            std::fs::write(tree.join(name), text).unwrap();
        }
        run(&tree, &["add", "--all"]);
        run(&tree, &["commit", "--quiet", "--message=second\n\nWith words."]);
        let workspace = Arc::new(tree.canonicalize().unwrap());
        let repositories = Arc::new(OfWorkspace::new(workspace, folder.path().join("host")));
        let read = read.iter().map(|&glob| glob.to_owned()).collect();
        let granted = Arc::new(FilesGrant::new(&FilesPermission { read, write: Vec::new() }));
        let git = Git { granted, protected: Arc::default(), repositories, questions: 0 };
        Self { git, table: ResourceTable::new(), ledger: Bench::new().ledger(), folder }
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    fn view(&mut self) -> View<'_, Git> {
        View::of(&mut self.git, &mut self.table, &mut self.ledger)
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[tokio::test]
async fn head_branches_and_commits_are_what_git_says() {
    let mut open = Open::new(&["**"]);
    let head = open.view().head().await.unwrap().unwrap();
    assert_eq!(
        (head.commit.clone(), head.branch.as_deref()),
        (run(&open.tree(), &["rev-parse", "HEAD"]), Some("main"))
    );
    let branches = open.view().branches(None).await.unwrap().unwrap();
    let names: Vec<_> = branches.iter().map(|branch| branch.name.as_str()).collect();
    assert_eq!(names, ["main", "side"]);
    assert_eq!(open.view().branches(Some(text("main"))).await.unwrap().unwrap().len(), 1);
    let log = open.view().log(text("main"), 0, 10).await.unwrap().unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(
        (log[0].message.as_str(), log[0].author.as_str(), log[0].at),
        ("second\n\nWith words.", "Ada", 1_700_000_000)
    );
    assert_eq!((log[0].id.clone(), log[0].parents.clone()), (head.commit, vec![log[1].id.clone()]));
    let rest = open.view().log(log[0].id.clone(), 1, 10).await.unwrap().unwrap();
    assert_eq!((rest.len(), rest[0].message.as_str(), rest[0].parents.len()), (1, "first", 0));
    assert!(!open.ledger.into_parts().1, "no effect");
}

#[tokio::test]
async fn only_what_the_globs_cover_is_seen() {
    let mut open = Open::new(&["*"]);
    let changes = open.view().changes(text("side"), text("main"), None).await.unwrap().unwrap();
    let seen: Vec<_> = changes.iter().map(|changed| (changed.path.as_str(), changed.how)).collect();
    assert_eq!(seen, [("a.txt", How::Changed), ("new:1", How::Added)]);
    let after = open.view().changes(text("side"), text("main"), Some(text("a.txt"))).await.unwrap().unwrap();
    assert_eq!(after.len(), 1);
    let back = open.view().changes(text("main"), text("side"), Some(text("a.txt"))).await.unwrap().unwrap();
    assert_eq!(back[0].how, How::Removed);
    let patch = open.view().diff(text("side"), text("main"), text("a.txt")).await.unwrap().unwrap();
    assert!(patch.contains("--- a/a.txt\n") && patch.ends_with(" one\n+two\n"), "{patch}");
    assert_eq!(open.view().diff(text("main"), text("main"), text("a.txt")).await.unwrap().unwrap(), "");
    assert_eq!(open.view().show(text("side"), text("a.txt"), 0).await.unwrap().unwrap(), b"one\n");
    assert_eq!(open.view().show(text("main"), text("a.txt"), 4).await.unwrap().unwrap(), b"two\n");
    assert_eq!(open.view().show(text("main"), text("a.txt"), u64::MAX).await.unwrap().unwrap(), b"");
    assert_eq!(open.view().show(text("main"), text("new:1"), 0).await.unwrap().unwrap(), b"x\n");
    for path in ["secret/key", ".orch/state.db"] {
        assert!(matches!(
            open.view().show(text("main"), text(path), 0).await.unwrap(),
            Err(Error::Denied(_))
        ));
        let patch = open.view().diff(text("side"), text("main"), text(path)).await.unwrap();
        assert!(matches!(patch, Err(Error::Denied(_))));
    }
}

#[tokio::test]
async fn what_is_not_there_or_no_name_of_a_commit_is_told() {
    let mut open = Open::new(&["**"]);
    let none = [
        open.view().show(text("side"), text("new:1"), 0).await.unwrap().map(drop),
        open.view().show(text("main"), text("secret"), 0).await.unwrap().map(drop),
        open.view().log(text("other"), 0, 1).await.unwrap().map(drop),
        open.view().log("0".repeat(40), 0, 1).await.unwrap().map(drop),
    ];
    assert!(none.iter().all(|answer| matches!(answer, Err(Error::NotFound))), "{none:?}");
    for name in [
        "",
        "HEAD~1",
        "main^",
        ":/first",
        "--all",
        "main..side",
        "@{1}",
        "../x",
        "refs/heads/main:a.txt",
        "a b",
    ] {
        let wrong = open.view().log(text(name), 0, 1).await.unwrap();
        assert!(matches!(wrong, Err(Error::Invalid(_))), "{name}: {wrong:?}");
    }
    open.git.questions = QUESTIONS_MAX;
    assert!(matches!(open.view().head().await.unwrap(), Err(Error::Limit(_))));
    open.git.questions = 0;
    open.git.repositories = Arc::new(NoRepository);
    assert!(matches!(open.view().head().await.unwrap(), Err(Error::NotFound)));
}

#[tokio::test]
async fn in_a_run_with_a_branch_head_is_that_branch() {
    let mut open = Open::new(&["**"]);
    let opened = open.git.repositories.open().unwrap();
    let side = opened.repository.resolve("refs/heads/side").unwrap().unwrap();
    open.git.repositories =
        Arc::new(OfBranch::new(opened.repository, text("refs/heads/orch/run-1"), side.clone()));
    let head = open.view().head().await.unwrap().unwrap();
    assert_eq!((head.commit, head.branch.as_deref()), (side.to_string(), Some("orch/run-1")));
}

#[tokio::test]
async fn nothing_of_the_repository_runs() {
    let mut open = Open::new(&["**"]);
    let (tree, ran) = (open.tree(), open.folder.path().join("ran"));
    let evil = format!("sh -c 'touch {}'", ran.display());
    for (key, value) in [
        ("core.fsmonitor", evil.as_str()),
        ("core.pager", &evil),
        ("diff.external", &evil),
        ("log.showSignature", "true"),
        ("gpg.program", &evil),
        ("diff.evil.textconv", &evil),
        ("core.sshCommand", &evil),
        ("core.alternateRefsCommand", &evil),
    ] {
        run(&tree, &["config", key, value]);
    }
    std::fs::write(tree.join(".git/info/attributes"), "* diff=evil\n").unwrap();
    open.view().head().await.unwrap().unwrap();
    open.view().log(text("main"), 0, 9).await.unwrap().unwrap();
    open.view().changes(text("side"), text("main"), None).await.unwrap().unwrap();
    open.view().diff(text("side"), text("main"), text("a.txt")).await.unwrap().unwrap();
    open.view().show(text("main"), text("a.txt"), 0).await.unwrap().unwrap();
    open.view().branches(None).await.unwrap().unwrap();
    assert!(!ran.exists(), "something of the repository ran");
}
