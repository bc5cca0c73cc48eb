//! The capability without a store around it.

use std::fs;

use orch_journal::event::FileChange;
use orch_trust::digest::Sha256Digest;
use wasmtime::component::ResourceTable;

use super::*;
use crate::capability::Ledger;
use crate::capability::bench::Bench;
use crate::capability::mood::Mood;

struct Open {
    bench: Bench,
    files: Files,
    table: ResourceTable,
    ledger: Ledger,
    folder: tempfile::TempDir,
}

impl Open {
    fn new(read: &[&str], write: &[&str]) -> Self {
        Self::in_mood(read, write, Mood::Good)
    }

    fn in_mood(read: &[&str], write: &[&str], mood: Mood) -> Self {
        let list = |globs: &[&str]| globs.iter().map(|&glob| glob.to_owned()).collect();
        let granted = FilesGrant::new(&FilesPermission { read: list(read), write: list(write) });
        let (bench, folder) = (Bench::in_mood(mood), tempfile::tempdir().unwrap());
        let files = Files::new(Arc::new(granted), Arc::new(folder.path().to_owned()), Arc::default());
        Self { files, table: ResourceTable::new(), ledger: bench.ledger(), bench, folder }
    }

    fn view(&mut self) -> View<'_, Files> {
        View::of(&mut self.files, &mut self.table, &mut self.ledger)
    }

    async fn read(&mut self, path: &str) -> Result<Vec<u8>, Error> {
        self.view().read(path.to_owned(), 0).await.unwrap()
    }

    async fn write(&mut self, path: &str) -> Result<(), Error> {
        self.view().write(path.to_owned(), b"x".to_vec()).await.unwrap()
    }

    /// Tries every function that changes something at that path.
    async fn try_all(&mut self, path: &str) -> Vec<Result<(), Error>> {
        let (path, mut answers) = (path.to_owned(), Vec::new());
        answers.push(self.view().write(path.clone(), b"x".to_vec()).await.unwrap());
        answers.push(self.view().append(path.clone(), b"x".to_vec()).await.unwrap());
        answers.push(self.view().truncate(path.clone(), 0).await.unwrap());
        answers.push(self.view().make_folder(path.clone()).await.unwrap());
        answers.push(self.view().rename("own".to_owned(), path.clone()).await.unwrap());
        answers.push(self.view().rename(path.clone(), "other".to_owned()).await.unwrap());
        answers.push(self.view().remove(path).await.unwrap());
        answers
    }
}

#[tokio::test]
async fn reading_needs_a_glob_and_never_reaches_the_hosts_state() {
    let mut open = Open::new(&["src/*.py", "**/.orch/**", ".orch/**"], &[]);
    for name in ["src/a.py", "src/b/c.py", "src/a.rs", ".orch/state.db"] {
        let file = open.folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, name).unwrap();
    }
    assert_eq!(open.read("src/a.py").await.unwrap(), b"src/a.py");
    assert!(matches!(open.read("src/none.py").await, Err(Error::NotFound)));
    for path in ["src/b/c.py", "src/a.rs", ".orch/state.db", ".ORCH/state.db"] {
        assert!(matches!(open.read(path).await, Err(Error::Denied(_))), "{path}");
    }
    for path in ["/etc/passwd", "src/../src/a.py", ""] {
        assert!(matches!(open.read(path).await, Err(Error::Invalid(_))), "{path}");
    }
    assert_eq!(
        open.ledger.into_parts(),
        (
            vec![
                "files: read `src/b/c.py`".to_owned(),
                "files: read `src/a.rs`".to_owned(),
                "files: read `.orch/state.db`".to_owned(),
                "files: read `.ORCH/state.db`".to_owned(),
            ],
            false
        )
    );
}

#[tokio::test]
async fn protected_files_are_never_written() {
    let mut open = Open::new(&[], &["**"]);
    for path in [
        ".orch/state.db",
        "orch.lock",
        "config.yaml",
        "config.yml",
        "tasks.yaml",
        "tasks.yml",
        "TASKS.yml",
        "logs/a.log",
        ".git/hooks/pre-commit",
        "sub/.git/config",
        ".GIT/config",
        ".git",
        "git~1/config",
        "sub/.hg/hgrc",
    ] {
        let answers = open.try_all(path).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(Error::Denied(_)))), "{path}: {answers:?}");
    }
    assert_eq!(open.bench.effects(), [], "no intent for what is denied");
    for path in ["a.txt", "sub/tasks.yml", "sub/logs/a", ".github/x"] {
        assert!(open.write(path).await.is_ok(), "{path}");
    }
}

#[tokio::test]
async fn a_state_folder_and_a_task_file_of_other_names_are_protected_too() {
    let mut open = Open::new(&["**"], &["**"]);
    let (hidden, unwritten) = (vec!["var/state".to_owned()], vec!["plan.yml".to_owned()]);
    open.files.protected = Arc::new(Protected { hidden, unwritten });
    fs::create_dir_all(open.folder.path().join("var/state")).unwrap();
    for file in ["var/state/state.db", "var/other", "plan.yml"] {
        fs::write(open.folder.path().join(file), "x").unwrap();
    }
    assert!(matches!(open.read("var/state/state.db").await, Err(Error::Denied(_))));
    assert!(matches!(open.write("VAR/state/state.db").await, Err(Error::Denied(_))));
    assert!(matches!(open.write("plan.yml").await, Err(Error::Denied(_))));
    assert!(matches!(open.write(".tasks.yml.0-1.orch-swap").await, Err(Error::Denied(_))));
    assert!(open.read("plan.yml").await.is_ok() && open.read("var/other").await.is_ok());
    let found = open.view().find("**".to_owned(), None).await.unwrap().unwrap();
    let paths: Vec<&str> = found.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["plan.yml", "var/other"]);
}

fn digest(bytes: &[u8]) -> Option<String> {
    Some(Sha256Digest::of(bytes).to_string())
}

fn changed(path: &str, change: FileChange, before: Option<&[u8]>, after: Option<&[u8]>) -> EffectRecord {
    EffectRecord::FileWritten {
        path: path.to_owned(),
        change,
        before: before.and_then(digest),
        after: after.and_then(digest),
        size: after.map(|bytes| bytes.len() as u64),
        in_tree: false,
    }
}

#[tokio::test]
async fn each_change_is_an_effect_with_one_intent_before_the_first() {
    let mut open = Open::new(&[], &["out/**"]);
    assert!(matches!(open.write("other").await, Err(Error::Denied(_))));
    open.write("out/a").await.unwrap();
    let text = |text: &str| text.to_owned();
    open.view().write(text("out/a"), b"y".to_vec()).await.unwrap().unwrap();
    open.view().append(text("out/a"), b"z".to_vec()).await.unwrap().unwrap();
    open.view().truncate(text("out/a"), 0).await.unwrap().unwrap();
    open.view().make_folder(text("out/b/c")).await.unwrap().unwrap();
    open.view().make_folder(text("out/b/c")).await.unwrap().unwrap();
    open.view().rename(text("out/a"), text("out/b/d")).await.unwrap().unwrap();
    open.view().remove(text("out/b/d")).await.unwrap().unwrap();
    open.view().remove(text("out/b/c")).await.unwrap().unwrap();
    let expected = [
        EffectRecord::Intent { domain: DomainName::Files, effect: "files-write", spends: false },
        changed("out/a", FileChange::Written, None, Some(b"x")),
        changed("out/a", FileChange::Written, Some(b"x"), Some(b"y")),
        changed("out/a", FileChange::Written, Some(b"y"), Some(b"yz")),
        changed("out/a", FileChange::Written, Some(b"yz"), Some(b"")),
        changed("out/b/c", FileChange::FolderMade, None, None),
        changed("out/a", FileChange::Removed, Some(b""), None),
        changed("out/b/d", FileChange::Written, None, Some(b"")),
        changed("out/b/d", FileChange::Removed, Some(b""), None),
        changed("out/b/c", FileChange::FolderRemoved, None, None),
    ];
    assert_eq!(open.bench.effects(), expected);
    assert!(open.ledger.into_parts().1);
}

#[tokio::test]
async fn in_a_work_tree_a_change_has_no_intent_and_says_where_it_was() {
    let mut open = Open::new(&[], &["**"]);
    open.files.is_kept = true;
    open.write("a").await.unwrap();
    let effects = open.bench.effects();
    assert!(matches!(&effects[..], [EffectRecord::FileWritten { in_tree: true, .. }]), "{effects:?}");
    assert!(!open.ledger.into_parts().1, "nothing that could be in doubt");
}

#[tokio::test]
async fn what_cannot_be_changed_is_told_and_nothing_is_recorded_of_it() {
    let mut open = Open::new(&[], &["**"]);
    fs::create_dir_all(open.folder.path().join("full/inner")).unwrap();
    fs::write(open.folder.path().join("own"), "own").unwrap();
    let text = |text: &str| text.to_owned();
    let none = [
        open.view().truncate(text("none"), 0).await.unwrap(),
        open.view().rename(text("none"), text("b")).await.unwrap(),
        open.view().remove(text("none")).await.unwrap(),
    ];
    assert!(none.iter().all(|answer| matches!(answer, Err(Error::NotFound))), "{none:?}");
    let invalid = [
        open.view().truncate(text("own"), 4).await.unwrap(),
        open.view().rename(text("own"), text("own")).await.unwrap(),
        open.view().rename(text("full"), text("b")).await.unwrap(),
        open.view().remove(text("full")).await.unwrap(),
        open.view().make_folder(text("own")).await.unwrap(),
        open.view().write(text("own/x"), Vec::new()).await.unwrap(),
        open.view().write(text("full"), Vec::new()).await.unwrap(),
        open.view().write("a/".repeat(64) + "a", Vec::new()).await.unwrap(),
        open.view().write("a".repeat(256), Vec::new()).await.unwrap(),
        open.view().append(text("../a"), Vec::new()).await.unwrap(),
    ];
    assert!(invalid.iter().all(|answer| matches!(answer, Err(Error::Invalid(_)))), "{invalid:?}");
    let effects = open.bench.effects();
    assert!(matches!(&effects[..], [EffectRecord::Intent { .. }]), "{effects:?}");
    assert_eq!(fs::read(open.folder.path().join("own")).unwrap(), b"own");
}

#[tokio::test]
async fn changes_and_bytes_of_a_call_have_limits() {
    let mut open = Open::new(&[], &["**"]);
    open.files.changes = CHANGES_MAX - 1;
    open.write("a").await.unwrap();
    let limit = |answer: &Result<(), Error>| matches!(answer, Err(Error::Limit(_)));
    assert!(open.try_all("own").await.iter().all(limit));
    (open.files.changes, open.files.written) = (0, WRITTEN_BYTES_MAX - 1);
    open.write("a").await.unwrap();
    assert!(limit(&open.write("a").await));
    open.view().remove("a".to_owned()).await.unwrap().unwrap();
    assert!(!open.folder.path().join("own").exists());
}

#[tokio::test]
async fn a_gate_that_refuses_ends_the_call_before_anything_is_written() {
    let mut open = Open::in_mood(&[], &["**"], Mood::Closed);
    let ended = open.view().write("a".to_owned(), Vec::new()).await;
    assert!(ended.unwrap_err().downcast_ref::<crate::capability::GateClosed>().is_some());
    assert!(!open.folder.path().join("a").exists());
}

#[tokio::test]
async fn content_and_globs_over_their_limits_are_invalid() {
    let mut open = Open::new(&["**"], &["**"]);
    let large = open.view().write("a".to_owned(), vec![0; WRITE_BYTES_MAX + 1]).await.unwrap();
    assert!(matches!(large, Err(Error::Invalid(_))));
    for glob in ["[".to_owned(), "a".repeat(1025)] {
        assert!(matches!(open.view().find(glob, None).await.unwrap(), Err(Error::Invalid(_))));
    }
    fs::remove_dir(open.folder.path()).unwrap();
    assert!(matches!(open.view().find("**".to_owned(), None).await.unwrap(), Err(Error::Unavailable)));
}

#[tokio::test]
async fn a_search_finds_what_both_the_glob_and_the_grant_cover() {
    let mut open = Open::new(&["src/**"], &[]);
    for name in ["src/a.py", "src/b.rs", "c.py"] {
        let file = open.folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "12").unwrap();
    }
    let found = open.view().find("**/*.py".to_owned(), None).await.unwrap().unwrap();
    let found: Vec<(&str, u64)> = found.iter().map(|entry| (entry.path.as_str(), entry.size)).collect();
    assert_eq!(found, [("src/a.py", 2)]);
    let after = open.view().find("**".to_owned(), Some("src/a.py".to_owned())).await.unwrap().unwrap();
    assert_eq!(after[0].path, "src/b.rs");
}
