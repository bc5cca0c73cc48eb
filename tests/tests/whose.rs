//! Whose tree a task edits: as executors' manifests say, over them `config.yaml`, and over both a task that says `tree: mine`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;

use orch_journal::Event;
use orch_tests::isolated::Bench;
use orch_tests::kill::{self, Moment};
use orch_tests::vouch::vouch;
use orch_tests::{binary, copy, err, out, packages};
use serde_json::Value;

const EDIT: &str = "- {id: a, command: [sh, -c, 'echo more >> a.txt']}\n";
const HOME: &str = "- {id: a, tree: mine, command: [sh, -c, 'echo more >> a.txt']}\n";
const BEFORE: &str = "one\ntwo\nthree\n";
const EDITED: &str = "one\ntwo\nthree\nmore\n";

/// The executor of commands in a package whose manifest says this; `config` in the place of the line about it.
struct Said {
    bench: Bench,
    packages: String,
}

impl Said {
    fn new(tasks: &str, of_manifest: &str, config: &str) -> Self {
        let bench = Bench::new(tasks);
        let text = bench.0.read("config.yaml").replace("isolation: worktree\n", config);
        bench.0.write("config.yaml", &text);
        if !bench.git(&["status", "--porcelain"]).is_empty() {
            bench.git(&["commit", "--quiet", "--all", "--message=config"]);
        }
        let root = bench.0.outside().join("said");
        for plugin in
            ["demo/planner-priority", "demo/executor-shell", "demo/executor-note", "demo/verifier-command"]
        {
            copy(&packages().join(plugin), &root.join(plugin));
        }
        let package = root.join("demo/executor-shell/0.1.0");
        let manifest = fs::read(package.join("manifest.json")).unwrap();
        let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
        manifest["isolation"] = of_manifest.into();
        fs::write(package.join("manifest.json"), manifest.to_string()).unwrap();
        fs::remove_dir_all(package.join("certificates")).unwrap();
        let keys = bench.0.operator().join("keys");
        let mut sign = Command::new(binary("orch-plugin"));
        let signed =
            sign.arg("sign").arg(&package).arg("--key").arg(keys.join("publisher.json")).output().unwrap();
        assert!(signed.status.success(), "{}", err(&signed));
        vouch(&package, &keys.join("certifier.json"));
        let packages = root.to_str().unwrap().to_owned();
        bench.0.host(&["plugin", "approve", "demo/executor-shell", "--plugins", &packages], 0);
        Self { bench, packages }
    }

    fn run(&self, exit: i32) -> std::process::Output {
        self.bench.0.run(&["--plugins", &self.packages], exit)
    }

    /// What the person's tree and the run's branch have of the file that is edited.
    fn edited(&self) -> (String, Option<String>) {
        (self.bench.0.read("a.txt"), self.bench.on_branch("a.txt"))
    }
}

#[test]
fn a_manifest_says_whose_tree_is_edited_and_config_outweighs_it() {
    let mine = || (EDITED.to_owned(), None);
    let of_its_own = || (BEFORE.to_owned(), Some(EDITED.to_owned()));
    for (of_manifest, config, expected) in [
        ("worktree", "", of_its_own()),
        ("worktree", "isolation: none\n", mine()),
        ("none", "", mine()),
        ("any", "", mine()),
        ("any", "isolation: worktree\n", of_its_own()),
    ] {
        let said = Said::new(EDIT, of_manifest, config);
        said.run(0);
        assert_eq!(said.edited(), expected, "{of_manifest}, {config}");
    }
}

#[test]
fn who_edits_the_persons_tree_alone_is_refused_beside_a_branch_until_the_task_lets_it() {
    let said = Said::new(EDIT, "none", "isolation: worktree\n");
    let before = said.bench.of_the_person();
    let refused = err(&said.run(2));
    assert!(refused.contains("code: task-tree") && refused.contains("`demo/executor-shell`"), "{refused}");
    assert!(refused.contains("`tree: mine`"), "{refused}");
    assert_eq!(said.bench.of_the_person(), before);
    assert!(!said.bench.0.has_run(), "nothing began");
    said.bench.0.write("tasks.yml", HOME);
    let ran = out(&said.run(0));
    assert!(ran.contains("works in your own tree"), "{ran}");
    assert_eq!(said.edited(), (EDITED.to_owned(), Some(BEFORE.to_owned())));
    let package = format!("{}/demo/executor-shell/0.1.0", said.packages);
    let shown = out(&said.bench.0.host(&["plugin", "inspect", &package], 0));
    assert!(shown.contains("edits") && shown.contains("your own tree"), "{shown}");
}

#[test]
fn where_there_is_no_repository_a_manifest_that_wants_a_tree_is_refused_with_the_way_out() {
    let said = Said::new(EDIT, "worktree", "");
    fs::remove_dir_all(said.bench.0.path().join(".git")).unwrap();
    let refused = err(&said.run(2));
    assert!(
        refused.contains("code: git-no-repository") && refused.contains("`isolation: none`"),
        "{refused}"
    );
    assert_eq!(said.bench.0.read("a.txt"), BEFORE);
    let config = said.bench.0.read("config.yaml") + "isolation: none\n";
    said.bench.0.write("config.yaml", &config);
    said.run(0);
    assert_eq!(said.bench.0.read("a.txt"), EDITED);
}

#[test]
fn a_kill_of_a_task_in_the_persons_tree_is_in_doubt_and_the_others_run_again() {
    let script = "echo more >> a.txt; touch begun; until test -e go; do sleep 0.02; done";
    let tasks = format!(
        "- {{id: home, tree: mine, priority: 9, command: [sh, -c, '{script}']}}\n- {{id: other, command: [sh, -c, 'echo x > other; sleep 3']}}\n"
    );
    let bench = Bench::new(&tasks);
    let said = File::create(bench.0.outside().join("said")).unwrap();
    let mut host = kill::host(&bench.0, &["--jobs", "2"], Moment::After(Duration::ZERO));
    let errors = File::create(bench.0.outside().join("errors")).unwrap();
    let mut host = host.stdout(said).stderr(errors).spawn().unwrap();
    orch_tests::until(|| {
        // Each command, and who supervises it.
        let begun = |event: &Event| matches!(event, Event::ProcessStarted { .. });
        bench.0.path().join("begun").exists()
            && bench.0.has_run()
            && bench.0.events().iter().filter(|event| begun(event)).count() == 4
    });
    host.kill().unwrap();
    host.wait().unwrap();
    fs::write(bench.0.path().join("go"), "").unwrap();
    bench.0.run(&[], 6);
    let statuses = bench.0.statuses();
    assert_eq!((statuses["home"].as_str(), statuses["other"].as_str()), ("in_doubt", "done"));
    assert_eq!((bench.0.read("a.txt").as_str(), bench.on_branch("a.txt").as_deref()), (EDITED, Some(BEFORE)));
    assert_eq!((bench.on_branch("other").as_deref(), bench.commits()), (Some("x\n"), 1));
    assert_eq!(bench.trees(), Vec::<std::path::PathBuf>::new());
    assert_eq!(bench.git(&["fsck", "--strict", "--no-dangling"]), "");
}
