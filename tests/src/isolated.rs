//! A workspace that is a repository, whose runs go to branches of their own.
//!
//! In -> out: tasks -> [`Bench`], with what the person has and what lies on the branch.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use orch_journal::Event;
use orch_journal::event::{EditsKept, Ending};

use crate::Workspace;

/// The failpoints between an attempt's answer and its end.
pub const POINTS: [&str; 4] = ["before-edits", "after-objects", "after-edits", "after-branch"];

/// A workspace that is a repository with one commit, whose runs go to a branch, in a sandbox or without one.
pub struct Bench(pub Workspace);

impl Bench {
    pub fn new(tasks: &str) -> Self {
        Self::with(tasks, "[sandbox]\n")
    }

    pub fn with(tasks: &str, sandbox: &str) -> Self {
        let workspace = Workspace::new(tasks);
        let policy = workspace.operator().join("policy.toml");
        let text = fs::read_to_string(&policy).unwrap();
        assert!(text.contains("[sandbox]\nmode = \"off\"\n"), "{text}");
        fs::write(&policy, text.replace("[sandbox]\nmode = \"off\"\n", sandbox)).unwrap();
        workspace.write("config.yaml", &(workspace.read("config.yaml") + "isolation: worktree\n"));
        workspace.write("a.txt", "one\ntwo\nthree\n");
        workspace.write("src/b.txt", "b\n");
        workspace.write(".gitignore", "*.log\nbuild/\nlogs/\n");
        let bench = Self(workspace);
        bench.git(&["init", "--quiet", "--initial-branch=main"]);
        bench.git(&["config", "user.name", "Ada"]);
        bench.git(&["config", "user.email", "ada@example.com"]);
        bench.git(&["add", "--all"]);
        bench.git(&["commit", "--quiet", "--message=first"]);
        bench
    }

    pub fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        let output =
            git.current_dir(self.0.path()).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// What the person has: files with their bytes, the index, `HEAD`, refs but the host's.
    pub fn of_the_person(&self) -> BTreeMap<String, Vec<u8>> {
        fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                // The host's own, and what it writes for people.
                if [".orch", "logs", "tasks.yml"].contains(&&*name) || name.starts_with(".git/") {
                    continue;
                }
                match path.symlink_metadata().unwrap().is_dir() {
                    true => walk(&path, root, found),
                    false => drop(found.insert(name, fs::read(&path).unwrap())),
                }
            }
        }
        let root = self.0.path();
        let mut found = BTreeMap::new();
        walk(&root, &root, &mut found);
        for name in [".git/index", ".git/HEAD", ".git/config"] {
            found.insert(name.to_owned(), fs::read(root.join(name)).unwrap());
        }
        let refs = self.git(&["for-each-ref", "--format=%(refname) %(objectname)"]);
        let refs: Vec<&str> = refs.lines().filter(|line| !line.contains("/orch/")).collect();
        found.insert("refs".to_owned(), refs.join("\n").into_bytes());
        found
    }

    /// Name of the newest run's branch.
    pub fn branch(&self) -> String {
        format!("orch/{}", self.run_id())
    }

    pub fn run_id(&self) -> String {
        self.0.reader().runs().unwrap()[0].id.clone()
    }

    /// A file as it is on the newest run's branch.
    pub fn on_branch(&self, name: &str) -> Option<String> {
        let object = format!("{}:{name}", self.branch());
        let output = Command::new("git")
            .current_dir(self.0.path())
            .args(["cat-file", "blob", &object])
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub fn commits(&self) -> usize {
        self.git(&["rev-list", "--count", &format!("main..{}", self.branch())]).parse().unwrap()
    }

    pub fn trees(&self) -> Vec<PathBuf> {
        let work = self.0.outside().join("state/orch/work");
        let workspaces = fs::read_dir(work).into_iter().flatten().flatten();
        let trees =
            workspaces.flat_map(|one| fs::read_dir(one.path().join("trees")).into_iter().flatten().flatten());
        trees.map(|tree| tree.path()).filter(|path| !path.ends_with("tip")).collect()
    }

    /// The repository is whole, no attempt is in doubt, no tree is left.
    #[track_caller]
    pub fn is_sound(&self) {
        assert_eq!(self.trees(), Vec::<PathBuf>::new());
        self.is_whole();
    }

    /// The same, but for trees: those of a host that was killed stay until the next one begins.
    #[track_caller]
    pub fn is_whole(&self) {
        assert_eq!(self.git(&["fsck", "--strict", "--no-dangling"]), "");
        let in_doubt = |event: &Event| matches!(event, Event::AttemptFinished(finished) if matches!(finished.ending, Ending::InDoubt { .. }));
        let events = self.0.events();
        assert!(!events.iter().any(in_doubt));
        assert!(!events.iter().any(|event| matches!(event, Event::IntentRecorded { .. })));
        self.0.host(&["audit", "verify"], 0);
    }

    pub fn kept(&self) -> Vec<EditsKept> {
        let kept = |event: Event| match event {
            Event::EditsKept(kept) => Some(*kept),
            _ => None,
        };
        self.0.events().into_iter().filter_map(kept).collect()
    }
}
