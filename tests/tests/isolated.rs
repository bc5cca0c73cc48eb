//! Runs whose attempts edit trees of their own: what is kept lies on the run's branch, what is not is gone, and the person's
//! tree, index and refs do not move but by their word.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use orch_journal::Event;
use orch_journal::event::{Actor, Ending};
use orch_tests::isolated::{Bench, POINTS};
use orch_tests::kill::{self, Moment};
use orch_tests::{err, out};

const TWO: &str = "\
- {id: edit, command: [sh, -c, 'echo more >> a.txt; mkdir new; echo x > new/file; rm src/b.txt; echo junk > x.log; mkdir build; echo o > build/o; echo keep > build/keep'], outputs: [build/keep]}
- {id: test, command: [sh, -c, 'grep -q more a.txt && test -f new/file && test ! -e src/b.txt && test ! -e x.log && test -z \"$(git status --porcelain)\" && ! git commit --allow-empty -qm x'], dependencies: [edit]}
";

#[test]
fn a_later_task_sees_what_an_earlier_one_edited_and_the_persons_tree_does_not_move() {
    let bench = Bench::new(TWO);
    let before = bench.of_the_person();
    bench.0.run(&[], 0);
    assert_eq!(bench.of_the_person(), before);
    assert_eq!(bench.on_branch("a.txt").unwrap(), "one\ntwo\nthree\nmore\n");
    assert_eq!(bench.on_branch("new/file").unwrap(), "x\n");
    assert_eq!(bench.on_branch("build/keep").unwrap(), "keep\n", "an output, though git ignores it");
    for gone in ["src/b.txt", "x.log", "build/o"] {
        assert_eq!(bench.on_branch(gone), None, "{gone}");
    }
    assert_eq!(bench.commits(), 1, "a task that changes nothing makes no commit");
    let message = bench.git(&["log", "-1", "--format=%an%n%B", &bench.branch()]);
    assert!(message.starts_with("orch\nedit\n") && message.contains("Orch-Task: edit"), "{message}");
    bench.is_sound();
    let said = out(&bench.0.host(&["status"], 0));
    assert!(said.contains(&format!("branch {}", bench.branch())) && said.contains("1 commit"), "{said}");
    let report = out(&bench.0.host(&["report"], 0));
    assert!(report.contains(&format!("branch {}", bench.branch())), "{report}");
}

#[test]
fn an_attempt_that_fails_leaves_nothing_and_its_next_one_begins_anew() {
    let tasks = "- {id: a, command: [sh, -c, 'echo x >> a.txt; test -e /tmp/never'], retries: 1}\n\
                 - {id: b, command: [sh, -c, 'test \"$(cat a.txt)\" = \"$(printf \"one\\ntwo\\nthree\")\"']}\n";
    let bench = Bench::new(tasks);
    let before = bench.of_the_person();
    bench.0.run(&["--jobs", "1"], 1);
    assert_eq!(
        bench.0.statuses(),
        [("a", "failed"), ("b", "done")].map(|(id, is)| (id.into(), is.into())).into()
    );
    assert_eq!(bench.of_the_person(), before);
    assert_eq!(bench.commits(), 0);
    bench.is_sound();
}

#[test]
fn a_task_may_work_in_the_persons_own_tree_beside_the_others() {
    let tasks = "- {id: a, command: [sh, -c, 'echo more >> a.txt; echo x > new']}\n\
                 - {id: home, tree: mine, command: [sh, -c, 'test ! -e new && cat a.txt > mine'], dependencies: [a], verify: [demo/verifier-command]}\n";
    let bench = Bench::new(tasks);
    // In a tree of its own `.git` is a file.
    verified(&bench, "test -f .git || test -e mine");
    let ran = bench.0.run(&[], 0);
    assert_eq!(bench.0.read("mine"), "one\ntwo\nthree\n");
    assert_eq!((bench.on_branch("mine"), bench.commits()), (None, 1));
    assert_eq!(bench.on_branch("a.txt").unwrap(), "one\ntwo\nthree\nmore\n");
    // Out of a tree it is an effect like every other.
    let intended = |event: &Event| matches!(event, Event::IntentRecorded { by: Actor::Attempt { .. }, .. });
    assert_eq!(bench.0.events().iter().filter(|event| intended(event)).count(), 1);
    assert!(out(&ran).contains("task `home` works in your own tree"), "{}", out(&ran));
    let told = out(&bench.0.host(&["report"], 0));
    assert!(told.contains("edits-yours"), "{told}");
    assert!(err(&bench.0.host(&["accept"], 2)).contains("git-uncommitted"));
}

#[test]
fn what_is_never_kept_refuses_the_whole_attempt() {
    for (script, code) in [
        ("echo x > new; echo x > orch.lock", "edits-protected"),
        ("echo x > new; git init -q src/nested 2>&1 || mkdir src/nested src/nested/.git", "edits-git-folder"),
        ("echo x > new; ln -s /etc/passwd link", "edits-link-out"),
    ] {
        let bench = Bench::new(&format!("- id: a\n  command: [sh, -c, '{script}']\n"));
        let before = bench.of_the_person();
        let said = bench.0.run(&[], 1);
        assert!(out(&said).contains(code), "{code}: {}", out(&said));
        assert_eq!((bench.of_the_person(), bench.commits()), (before, 0));
        bench.is_sound();
    }
    // What the host and people write there is not to be written at all, and the branch is out of reach.
    let script = "(echo x > tasks.yml) && exit 1; (echo x > .git) && exit 1; rm -f .git && exit 1;\
                  git update-ref refs/heads/main $(git hash-object -t tree /dev/null) && exit 1; exit 0";
    let bench = Bench::new(&format!("- id: a\n  command: [sh, -c, \"{script}\"]\n"));
    let before = bench.of_the_person();
    bench.0.run(&[], 0);
    assert_eq!(bench.of_the_person(), before);
    bench.is_sound();
}

/// Verifiers look at a tree before it is kept.
fn verified(bench: &Bench, check: &str) {
    let config = bench.0.read("config.yaml").replace(
        "isolation:",
        &format!(
            "  verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command: {{checks: [{{name: look, category: test, command: [sh, -c, '{check}']}}]}}\nisolation:"
        ),
    );
    bench.0.write("config.yaml", &config);
    bench.git(&["commit", "--quiet", "--all", "--message=config"]);
}

#[test]
fn what_a_verifier_finds_wrong_is_not_kept() {
    let tasks = "- {id: good, command: [sh, -c, 'echo good > new'], verify: [demo/verifier-command]}\n\
                 - {id: bad, command: [sh, -c, 'echo bad > new'], verify: [demo/verifier-command], dependencies: [good]}\n";
    let bench = Bench::new(tasks);
    verified(&bench, "test \"$(cat new)\" = good");
    bench.0.run(&["--jobs", "1"], 1);
    assert_eq!(bench.on_branch("new").unwrap(), "good\n");
    assert_eq!(bench.commits(), 1);
    assert_eq!(bench.0.statuses()["bad"], "failed");
    assert_eq!(bench.kept()[0].finished.looked, ["demo/verifier-command"]);
    bench.is_sound();
}

#[test]
fn tasks_that_change_the_same_line_both_come_onto_the_branch() {
    // Each waits until all have begun: whoever ends later runs again on what the others left.
    let outside = tempfile::tempdir().unwrap();
    let all_began = outside.path().join("all-began");
    let wait = format!("until test -e {}; do sleep 0.01; done", all_began.display());
    let tasks = format!(
        "- {{id: a, command: [sh, -c, '{wait}; echo line >> a.txt; echo a >> a.txt']}}\n\
         - {{id: b, command: [sh, -c, '{wait}; echo line >> a.txt; echo b >> a.txt']}}\n\
         - {{id: c, command: [sh, -c, '{wait}; echo line >> a.txt; echo c > c.txt']}}\n"
    );
    let bench = Bench::with(&tasks, &format!("[sandbox]\nread = [{:?}]\n", outside.path()));
    let began = || {
        let events = if bench.0.has_run() { bench.0.events() } else { Vec::new() };
        events.iter().filter(|event| matches!(event, Event::AttemptStarted { .. })).count()
    };
    std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.0.run(&["--jobs", "3"], 0));
        while !run.is_finished() && began() < 3 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        fs::write(&all_began, "").unwrap();
        run.join().unwrap();
    });
    let text = bench.on_branch("a.txt").unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines.iter().filter(|line| **line == "line").count(),
        3 - usize::from(lines.len() < 8),
        "{text}"
    );
    assert!(lines.contains(&"a") && lines.contains(&"b"), "{text}");
    assert_eq!(bench.on_branch("c.txt").unwrap(), "c\n");
    assert_eq!(bench.commits(), 3);
    bench.is_sound();
}

#[test]
fn a_kill_at_each_moment_leaves_what_the_journal_says_and_nothing_else() {
    for point in POINTS {
        let tasks = "- {id: a, command: [sh, -c, 'echo a >> a.txt']}\n- {id: b, command: [sh, -c, 'echo b >> a.txt'], dependencies: [a]}\n";
        for count in [1, 2] {
            let bench = Bench::new(tasks);
            let before = bench.of_the_person();
            let said = File::create(bench.0.outside().join("said")).unwrap();
            assert!(
                kill::run_and_kill(&bench.0, &["--jobs", "1"], Moment::At(point, count), &said),
                "{point}"
            );
            assert_eq!(bench.of_the_person(), before, "{point}");
            bench.0.run(&["--jobs", "1"], 0);
            assert_eq!(bench.of_the_person(), before, "{point}");
            assert_eq!(bench.on_branch("a.txt").unwrap(), "one\ntwo\nthree\na\nb\n", "{point} {count}");
            assert_eq!(bench.commits(), 2, "{point} {count}");
            bench.is_sound();
        }
    }
}

#[test]
fn a_kill_while_a_command_edits_leaves_nothing_and_it_runs_again() {
    let bench = Bench::new("- {id: a, command: [sh, -c, 'echo a >> a.txt']}\n");
    let said = File::create(bench.0.outside().join("said")).unwrap();
    assert!(kill::run_and_kill(&bench.0, &[], Moment::At("after-spawn", 1), &said));
    assert_eq!(bench.commits(), 0);
    bench.0.run(&[], 0);
    assert_eq!(bench.on_branch("a.txt").unwrap(), "one\ntwo\nthree\na\n");
    bench.is_sound();
}

#[test]
fn a_branch_that_somebody_moved_ends_the_run_by_name() {
    let bench = Bench::new("- {id: a, command: [sh, -c, 'echo a >> a.txt']}\n");
    let said = File::create(bench.0.outside().join("said")).unwrap();
    assert!(kill::run_and_kill(&bench.0, &[], Moment::At("after-edits", 1), &said));
    let was = bench.git(&["rev-parse", &bench.branch()]);
    let tree = bench.git(&["rev-parse", "HEAD^{tree}"]);
    let other = bench.git(&["commit-tree", &tree, "-m", "mine"]);
    bench.git(&["branch", "--force", &bench.branch(), &other]);
    let output = bench.0.run(&[], 6);
    assert!(err(&output).contains("branch-moved"), "{}", err(&output));
    bench.git(&["branch", "--force", &bench.branch(), &was]);
    bench.0.run(&[], 0);
    bench.is_sound();
}

#[test]
fn nothing_of_a_hostile_repository_runs_as_the_host() {
    let bench = Bench::new("- {id: a, command: [sh, -c, 'echo a >> a.txt']}\n");
    let (evil, ran) = (bench.0.outside().join("evil"), bench.0.outside().join("ran"));
    fs::write(&evil, format!("#!/bin/sh\ntouch {}\ncat\n", ran.display())).unwrap();
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    bench.0.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    bench.git(&["add", "--all"]);
    bench.git(&["commit", "--quiet", "--message=attributes"]);
    for hook in ["reference-transaction", "post-checkout", "post-commit", "post-merge", "post-index-change"] {
        fs::copy(&evil, bench.0.path().join(".git/hooks").join(hook)).unwrap();
    }
    let evil = evil.display();
    let config = format!(
        "{}[core]\n\tfsmonitor = {evil}\n\tsshCommand = {evil}\n[filter \"evil\"]\n\tclean = {evil}\n\tsmudge = {evil}\n\trequired = true\n\
         [diff \"evil\"]\n\tcommand = {evil}\n[merge \"evil\"]\n\tdriver = {evil}\n[alias]\n\tread-tree = !{evil}\n",
        bench.0.read(".git/config")
    );
    bench.0.write(".git/config", &config);
    bench.0.run(&[], 0);
    bench.0.host(&["diff", &bench.run_id()], 0);
    bench.0.host(&["accept"], 0);
    bench.0.host(&["rollback", "list"], 0);
    bench.0.host(&["rollback", &format!("{}-1", bench.run_id())], 0);
    bench.0.host(&["reject", &bench.run_id()], 0);
    assert!(!ran.exists(), "something of the repository ran");
}

#[test]
fn a_run_is_shown_taken_in_and_taken_back() {
    let bench = Bench::new(TWO);
    bench.0.run(&[], 0);
    let before = bench.of_the_person();
    let patch = out(&bench.0.host(&["diff"], 0));
    assert!(patch.contains("+more") && patch.contains("new/file"), "{patch}");
    fs::write(bench.0.outside().join("patch"), &patch).unwrap();
    bench.git(&["apply", "--check", bench.0.outside().join("patch").to_str().unwrap()]);
    assert!(out(&bench.0.host(&["diff", "--stat"], 0)).contains("a.txt"));
    let mut coloured = bench.0.command(&["diff"]);
    let coloured = out(&coloured.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").output().unwrap());
    assert!(coloured.contains("\u{1b}[32m+more\u{1b}[0m\n"), "{coloured:?}");
    assert_eq!(out(&bench.0.host(&["diff", &bench.run_id(), "test"], 0)), "");
    let json: serde_json::Value =
        serde_json::from_str(&out(&bench.0.host(&["diff", "--format", "json"], 0))).unwrap();
    assert_eq!(json["changes"].as_array().unwrap().len(), 4, "{json}");

    bench.0.host(&["accept"], 0);
    assert_eq!(bench.0.read("a.txt"), "one\ntwo\nthree\nmore\n");
    assert!(!bench.0.path().join("src/b.txt").exists());
    let status = bench.git(&["status", "--porcelain"]);
    assert_eq!(status, " M tasks.yml", "the host's own word is the person's to commit");
    assert_eq!(
        bench.git(&["log", "-1", "--format=%an %s"]),
        format!("Ada Take in run {} of workspace", bench.run_id())
    );
    assert_eq!(bench.git(&["rev-list", "--count", "--merges", "HEAD"]), "1");
    assert!(out(&bench.0.host(&["accept"], 0)).contains("not there already"));
    let id = format!("{}-1", bench.run_id());
    assert!(out(&bench.0.host(&["rollback", "list"], 0)).contains(&id));
    // A second time under the same name, to another commit.
    bench.0.host(&["rollback", &id], 0);
    bench.git(&["commit", "--quiet", "--allow-empty", "--message=between"]);
    bench.0.host(&["accept"], 0);
    bench.0.host(&["rollback", &id], 0);
    assert_eq!(bench.git(&["log", "-1", "--format=%s"]), "between");
    bench.git(&["reset", "--quiet", "--soft", "HEAD^"]);
    // Where another git is at work, nothing is moved.
    bench.0.write(".git/index.lock", "");
    let locked = err(&bench.0.host(&["accept"], 5));
    assert!(locked.contains("code: git-locked") && locked.contains("index.lock"), "{locked}");
    fs::remove_file(bench.0.path().join(".git/index.lock")).unwrap();
    bench.0.host(&["accept"], 0);
    // What came after is not lost.
    bench.0.write("mine", "x");
    bench.git(&["add", "mine"]);
    bench.git(&["commit", "--quiet", "--message=mine"]);
    assert!(err(&bench.0.host(&["rollback", &id], 6)).contains("rollback-moved"));
    bench.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    bench.0.host(&["rollback", &id], 0);
    let index = ".git/index";
    let without = |mut all: BTreeMap<String, Vec<u8>>| {
        all.remove(index);
        all
    };
    assert_eq!(without(bench.of_the_person()), without(before));
    bench.0.host(&["accept", "--squash"], 0);
    assert_eq!(bench.git(&["rev-list", "--count", "--merges", "HEAD"]), "0");
    assert_eq!(bench.git(&["fsck", "--strict", "--no-dangling"]), "");
    bench.0.host(&["audit", "verify"], 0);
}

/// Names that a file can have, each as a shell's `printf` writes it.
const NAMES: [&str; 14] = [
    "-dash",
    ":colon",
    "sp ace ",
    "quo\"te",
    "back\\\\slash",
    "new\\nline",
    "tab\\there",
    "\\377\\376",
    "\\303\\251",
    "*?[x]",
    "#hash",
    "~tilde",
    "esc\\033[2J",
    "a/b/c/d/e/f/g/h/i/j/k/deep",
];

#[test]
fn names_of_every_kind_are_kept_shown_and_taken_in() {
    let bench = Bench::new("- {id: a, command: [sh, names.sh]}\n");
    let mut script = "set -e\nmkdir -p a/b/c/d/e/f/g/h/i/j/k\n".to_owned();
    for name in NAMES {
        script += &format!("name=$(printf -- '{name}x'); printf '%s' \"$name\" > \"./$name\"\n");
    }
    script += "printf long > $(printf 'l%0254d' 0)\n";
    bench.0.write("names.sh", &script);
    bench.git(&["add", "--all"]);
    bench.git(&["commit", "--quiet", "--message=names"]);
    bench.0.run(&[], 0);
    bench.is_sound();
    bench.0.host(&["diff"], 0);
    bench.0.host(&["diff", "--stat"], 0);
    let json: serde_json::Value =
        serde_json::from_str(&out(&bench.0.host(&["diff", "--format", "json"], 0))).unwrap();
    assert_eq!(json["changes"].as_array().unwrap().len(), NAMES.len() + 1);
    bench.0.host(&["accept"], 0);
    assert_eq!(bench.git(&["status", "--porcelain"]), " M tasks.yml");
    // Each file has its own name in it, byte for byte.
    let tree = bench.0.path();
    let mut found = 0;
    for entry in fs::read_dir(&tree).unwrap().chain(fs::read_dir(tree.join("a/b/c/d/e/f/g/h/i/j/k")).unwrap())
    {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().as_bytes();
        if name.ends_with(b"x") && path.is_file() {
            assert!(fs::read(&path).unwrap().ends_with(name), "{path:?}");
            found += 1;
        }
    }
    assert_eq!(found, NAMES.len());
    assert_eq!(fs::read(tree.join(format!("l{}", "0".repeat(254)))).unwrap(), b"long");
}

#[test]
fn a_persons_own_work_is_never_written_over() {
    let bench = Bench::new("- {id: a, command: [sh, -c, 'echo theirs > new; echo x >> a.txt']}\n");
    bench.0.run(&[], 0);
    bench.0.write("a.txt", "mine");
    let refused = bench.0.host(&["accept"], 2);
    assert!(
        err(&refused).contains("git-uncommitted") && err(&refused).contains("a.txt"),
        "{}",
        err(&refused)
    );
    bench.git(&["commit", "--quiet", "--all", "--message=mine"]);
    let conflict = bench.0.host(&["accept"], 6);
    assert!(err(&conflict).contains("accept-conflict"), "{}", err(&conflict));
    assert_eq!(bench.0.read("a.txt"), "mine");
    bench.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    // A file that git ignores lies where a new one would.
    fs::write(bench.0.path().join(".git/info/exclude"), "new\n").unwrap();
    bench.0.write("new", "mine");
    bench.0.host(&["accept"], 5);
    assert_eq!(bench.0.read("new"), "mine");
    assert_eq!(bench.git(&["for-each-ref", "refs/orch/before"]), "");
    fs::remove_file(bench.0.path().join("new")).unwrap();
    let branch = bench.branch();
    bench.0.host(&["reject", &bench.run_id()], 0);
    assert_eq!(bench.git(&["branch", "--list", &branch]), "");
    assert!(err(&bench.0.host(&["accept"], 6)).contains("branch-moved"));
}

#[test]
fn what_a_run_cannot_begin_with_is_refused_by_name_before_anything_is_written() {
    #[track_caller]
    fn check(make: impl Fn(&Bench), code: &str) {
        let bench = Bench::new("- {id: a, command: [sh, -c, 'echo a >> a.txt']}\n");
        make(&bench);
        let output = bench.0.run(&[], 2);
        assert!(err(&output).contains(code), "{code}: {}", err(&output));
        assert!(!bench.0.has_run(), "{code}");
    }
    check(|bench| fs::remove_dir_all(bench.0.path().join(".git")).unwrap(), "git-no-repository");
    check(|bench| drop(bench.git(&["checkout", "--quiet", "--orphan", "none"])), "git-no-commit");
    check(|bench| drop(bench.git(&["config", "core.bare", "true"])), "git-bare");
    check(|bench| bench.0.write("a.txt", "mine"), "git-uncommitted");
    check(|bench| bench.0.write("untracked", "mine"), "git-uncommitted");
    // The host's own files, and those that people write for it, are no edits.
    let bench = Bench::new("- {id: a, command: [sh, -c, 'echo a >> a.txt']}\n");
    bench.0.write("tasks.yml", "- {id: b, command: [sh, -c, 'cat untracked >> a.txt']}\n");
    bench.git(&["checkout", "--quiet", "--detach"]);
    bench.0.write("untracked", "mine\n");
    bench.0.run(&["--base-dirty"], 0);
    assert_eq!(bench.on_branch("a.txt").unwrap(), "one\ntwo\nthree\nmine\n");
    assert_eq!(bench.git(&["status", "--porcelain"]), " M tasks.yml\n?? untracked");
}

#[test]
fn without_a_sandbox_commands_work_in_the_tree_itself_and_it_is_said() {
    let tasks = "- {id: edit, command: [sh, -c, 'mkdir new; echo x > new/file']}\n\
                 - {id: test, command: [sh, -c, 'test -f new/file && test -z \"$(git status --porcelain)\"'], dependencies: [edit]}\n";
    let bench = Bench::with(tasks, "[sandbox]\nmode = \"off\"\n");
    let before = bench.of_the_person();
    bench.0.run(&[], 0);
    assert_eq!(bench.of_the_person(), before);
    assert_eq!(bench.on_branch("new/file").unwrap(), "x\n");
    let report = out(&bench.0.host(&["report"], 0));
    assert!(report.contains("without a sandbox nothing holds them"), "{report}");
    // Nobody holds them: what they did outside is in doubt after a kill.
    assert!(bench.0.events().iter().any(|event| matches!(event, Event::IntentRecorded { .. })));
    assert_eq!(bench.trees(), Vec::<PathBuf>::new());
}

#[test]
fn a_plugin_reads_history_as_its_run_has_it_and_only_what_it_may_see() {
    let tasks = "- {id: a, command: [sh, -c, 'echo more >> a.txt; mkdir new; echo x > new/f; rm src/b.txt']}\n\
                 - {id: look, kind: look, dependencies: [a]}\n";
    let bench = Bench::new(tasks);
    let allowed = "log = {}\nfiles = { read = [\"**\"] }\ngit = { read = [\"**\"] }\ndiff = {}\n";
    let root = bench.0.admit_guest("reads-history", allowed);
    let config = bench.0.read("config.yaml");
    bench.0.write("config.yaml", &config.replace("executors: {", "executors: {look: demo/reads-history, "));
    bench.git(&["commit", "--quiet", "--all", "--message=bound"]);
    bench.0.run(&["--plugins", root.to_str().unwrap()], 0);
    let summary = |event| match event {
        Event::AttemptFinished(finished) if finished.task == 1 => match finished.ending {
            Ending::Done { summary } => Some(summary),
            _ => None,
        },
        _ => None,
    };
    let summary = bench.0.events().into_iter().find_map(summary).unwrap();
    let expected = format!(
        "branch {}\ncommits 3\nbranches 2\nchanged a.txt\nadded new/f\n+++ b/a.txt\n+more\n+++ b/a.txt\n+more\nunseen denied",
        bench.branch()
    );
    assert_eq!(summary, expected);
    bench.is_sound();
}
