//! Repositories that are odd: refused by name, or their edits kept right; nothing of them runs, and nothing of the person's moves.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use orch_journal::Event;
use orch_journal::event::Ending;
use orch_tests::isolated::Bench;
use orch_tests::{err, out, until};

const EDIT: &str = "- {id: a, command: [sh, -c, 'echo more >> a.txt']}\n";
const EDITED: &str = "one\ntwo\nthree\nmore\n";

/// A program of the operator's that says that it ran.
fn trap(bench: &Bench) -> (PathBuf, PathBuf) {
    let (evil, ran) = (bench.0.outside().join("evil"), bench.0.outside().join("ran"));
    fs::write(&evil, format!("#!/bin/sh\ntouch {}\ncat\n", ran.display())).unwrap();
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    (evil, ran)
}

fn commit(bench: &Bench) {
    bench.git(&["add", "--all"]);
    bench.git(&["commit", "--quiet", "--message=more"]);
}

fn failure(bench: &Bench) -> String {
    let failed = |event| match event {
        Event::AttemptFinished(finished) => match finished.ending {
            Ending::Failed { message, .. } => Some(message),
            _ => None,
        },
        _ => None,
    };
    bench.0.events().into_iter().find_map(failed).unwrap()
}

#[test]
fn without_git_and_in_a_bare_repository_nothing_begins() {
    let bench = Bench::new(EDIT);
    let programs = bench.0.outside().join("programs");
    fs::create_dir(&programs).unwrap();
    let without = bench.0.command(&["run", "--trust-workspace"]).env("PATH", &programs).output().unwrap();
    assert!(err(&without).contains("git-missing"), "{}", err(&without));
    let old = "#!/bin/sh\necho git version 2.30.1\n";
    fs::write(programs.join("git"), old).unwrap();
    fs::set_permissions(programs.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let without = bench.0.command(&["run", "--trust-workspace"]).env("PATH", path).output().unwrap();
    assert!(err(&without).contains("git-too-old"), "{}", err(&without));
    assert!(!bench.0.has_run());

    let root = bench.0.path();
    for entry in fs::read_dir(root.join(".git")).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), root.join(entry.file_name())).unwrap();
    }
    fs::remove_dir(root.join(".git")).unwrap();
    let bare = bench.0.run(&[], 2);
    assert!(err(&bare).contains("git-bare"), "{}", err(&bare));
    assert!(!bench.0.has_run());
}

#[test]
fn a_detached_checkout_takes_a_run_in_and_goes_back() {
    let bench = Bench::new(EDIT);
    bench.git(&["checkout", "--quiet", "--detach"]);
    let head = bench.git(&["rev-parse", "HEAD"]);
    bench.0.run(&[], 0);
    let said = out(&bench.0.host(&["accept"], 0));
    assert!(said.contains("taken into a detached HEAD"), "{said}");
    assert_eq!((bench.0.read("a.txt").as_str(), bench.git(&["rev-parse", "main"])), (EDITED, head.clone()));
    assert_ne!(bench.git(&["rev-parse", "HEAD"]), head);
    bench.0.host(&["rollback", &format!("{}-1", bench.run_id())], 0);
    assert_eq!(
        (bench.git(&["rev-parse", "HEAD"]), bench.git(&["branch", "--show-current"])),
        (head, String::new())
    );
    bench.is_sound();
}

#[test]
fn submodules_stay_as_they_are_and_their_commands_never_run() {
    let tasks = "- {id: a, command: [sh, -c, 'echo more >> a.txt']}\n\
                 - {id: inside, command: [sh, -c, 'mkdir -p sub; echo x > sub/x; echo x > new']}\n";
    let bench = Bench::new(tasks);
    let (evil, ran) = trap(&bench);
    let head = bench.git(&["rev-parse", "HEAD"]);
    let evil = evil.display();
    bench.0.write(
        ".gitmodules",
        &format!("[submodule \"sub\"]\n\tpath = sub\n\turl = ext::{evil}\n\tupdate = !{evil}\n"),
    );
    bench.git(&["add", ".gitmodules"]);
    bench.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    bench.git(&["commit", "--quiet", "--message=sub"]);
    fs::create_dir(bench.0.path().join("sub")).unwrap();
    let config = bench.0.read(".git/config")
        + &format!(
            "[submodule \"sub\"]\n\tactive = true\n\turl = ext::{evil}\n\tupdate = !{evil}\n[submodule]\n\trecurse = true\n"
        );
    bench.0.write(".git/config", &config);
    bench.0.run(&["--jobs", "1"], 1);
    assert!(failure(&bench).contains("edits-gitlink"), "{}", failure(&bench));
    assert_eq!((bench.on_branch("a.txt").as_deref(), bench.on_branch("new")), (Some(EDITED), None));
    bench.0.host(&["accept", "--unfinished"], 0);
    assert_eq!(bench.git(&["ls-tree", "HEAD", "sub"]), format!("160000 commit {head}\tsub"));
    assert_eq!(bench.0.read("a.txt"), EDITED);
    assert!(!ran.exists(), "a command of a submodule ran");
}

#[test]
fn pointers_and_bytes_come_in_as_they_are_whatever_filters_are_said() {
    const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let script = "printf \"version https://git-lfs.github.com/spec/v1\\noid sha256:4d7a\\nsize 12345\\n\" > new.bin; \
                  printf \"* filter=evil text eol=crlf\\n*.bin filter=evil\\n\" > .gitattributes; printf \"a\\r\\nb\\n\" > lines";
    let bench = Bench::new(&format!("- id: a\n  command: [sh, -c, '{script}']\n"));
    let (evil, ran) = trap(&bench);
    bench.0.write("old.bin", POINTER);
    bench.0.write(".gitattributes", "*.bin filter=evil diff=evil merge=evil -text\n");
    commit(&bench);
    let evil = evil.display();
    let filter = format!(
        "[filter \"evil\"]\n\tclean = {evil}\n\tsmudge = {evil}\n\tprocess = {evil}\n\trequired = true\n"
    );
    bench.0.write(".git/config", &(bench.0.read(".git/config") + &filter));
    bench.0.run(&[], 0);
    bench.0.host(&["diff"], 0);
    bench.0.host(&["accept"], 0);
    assert_eq!((bench.0.read("new.bin").as_str(), bench.0.read("old.bin").as_str()), (POINTER, POINTER));
    assert_eq!(bench.0.read("lines"), "a\r\nb\n");
    assert!(!ran.exists(), "a filter ran");
}

#[test]
fn trees_may_lie_on_another_disk() {
    let other = tempfile::tempdir_in("/dev/shm").unwrap();
    let bench = Bench::new(EDIT);
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    assert_ne!(device(other.path()), device(&bench.0.path()), "`/dev/shm` is a disk of its own");
    let host = |args: &[&str]| {
        let done = bench.0.command(args).env("XDG_STATE_HOME", other.path()).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", err(&done));
    };
    host(&["run", "--trust-workspace"]);
    host(&["accept"]);
    assert_eq!(bench.0.read("a.txt"), EDITED);
    let left = fs::read_dir(other.path().join("orch/work")).unwrap().flatten();
    let trees = left.flat_map(|one| fs::read_dir(one.path().join("trees")).into_iter().flatten().flatten());
    assert_eq!(trees.filter(|tree| tree.file_name() != "tip").count(), 0);
    bench.is_sound();
}

#[test]
fn names_that_differ_by_case_alone_are_two() {
    let bench = Bench::new(
        "- {id: a, command: [sh, -c, 'mv a.txt A.txt; mkdir SRC; mv src/b.txt SRC/b.txt; echo x > src2; echo y > Src2']}\n",
    );
    bench.0.run(&[], 0);
    assert_eq!(
        (bench.on_branch("A.txt").as_deref(), bench.on_branch("a.txt")),
        (Some("one\ntwo\nthree\n"), None)
    );
    bench.0.host(&["accept"], 0);
    let root = bench.0.path();
    assert!(!root.join("a.txt").exists() && !root.join("src/b.txt").exists());
    assert_eq!(
        (bench.0.read("A.txt").as_str(), bench.0.read("SRC/b.txt").as_str()),
        ("one\ntwo\nthree\n", "b\n")
    );
    assert_eq!((bench.0.read("src2").as_str(), bench.0.read("Src2").as_str()), ("x\n", "y\n"));
    assert_eq!(bench.git(&["status", "--porcelain"]), " M tasks.yml");
    bench.is_sound();
}

#[test]
fn a_git_file_that_was_replaced_leads_nobody_anywhere() {
    // Where nothing holds commands, they can replace it.
    let script = "mkdir ../evil; git init -q --bare ../evil; rm .git; echo \"gitdir: $PWD/../evil\" > .git; echo more >> a.txt";
    let tasks = format!(
        "- id: a\n  command: [sh, -c, '{script}']\n- {{id: b, command: [sh, -c, 'git rev-parse HEAD > at'], dependencies: [a]}}\n"
    );
    let bench = Bench::with(&tasks, "[sandbox]\nmode = \"off\"\n");
    let before = bench.of_the_person();
    bench.0.run(&[], 0);
    assert_eq!(bench.of_the_person(), before);
    assert_eq!(bench.on_branch("a.txt").unwrap(), EDITED);
    assert_eq!(bench.on_branch(".git"), None);
    // The next tree's own leads to the run's branch again.
    let first = bench.git(&["rev-list", "-1", "--skip=1", &bench.branch()]);
    assert_eq!(bench.on_branch("at").unwrap().trim_end(), first);
    assert_eq!(bench.git(&["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn a_nested_repository_with_a_monitor_is_refused_and_asked_nothing() {
    let bench = Bench::new("[]\n");
    let (evil, ran) = trap(&bench);
    let script = format!(
        "mkdir -p n/.git/objects n/.git/refs; printf \"ref: refs/heads/x\\n\" > n/.git/HEAD; \
         printf \"[core]\\n\\tfsmonitor = {}\\n\" > n/.git/config; echo more >> a.txt",
        evil.display()
    );
    bench.0.write("tasks.yml", &format!("- id: a\n  command: [sh, -c, '{script}']\n"));
    let before = bench.of_the_person();
    bench.0.run(&[], 1);
    assert!(failure(&bench).contains("edits-git-folder"), "{}", failure(&bench));
    assert_eq!((bench.of_the_person(), bench.commits()), (before, 0));
    assert!(!ran.exists(), "its monitor ran");
    bench.is_sound();
}

#[test]
fn while_one_host_works_nobody_else_decides_about_its_branch() {
    let bench = Bench::new("[]\n");
    bench.0.write("tasks.yml", EDIT);
    bench.0.run(&[], 0);
    let first = bench.run_id();
    let go_on = bench.0.outside().join("go-on");
    let wait = format!("until test -e {}; do sleep 0.02; done; echo x > x", go_on.display());
    let policy = bench.0.operator().join("policy.toml");
    let reads = format!("[sandbox]\nread = [{:?}]\n", bench.0.outside());
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replacen("[sandbox]\n", &reads, 1)).unwrap();
    bench.0.write("tasks.yml", &format!("- id: b\n  command: [sh, -c, '{wait}']\n"));
    let mut second = bench.0.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| {
        bench.run_id() != first
            && bench.0.events().iter().any(|event| matches!(event, Event::AttemptStarted { .. }))
    });
    let before = bench.of_the_person();
    for args in [&["accept", &*first][..], &["reject", &first], &["rollback", &format!("{first}-1")]] {
        let said = err(&bench.0.host(args, 7));
        assert!(said.contains("store-held"), "{args:?}: {said}");
    }
    assert_eq!(bench.of_the_person(), before);
    fs::write(&go_on, "").unwrap();
    assert!(second.wait().unwrap().success());
    bench.0.host(&["accept", &first], 0);
    assert_eq!(bench.0.read("a.txt"), EDITED);
}

#[test]
fn a_hundred_thousand_files_are_looked_at_and_those_that_changed_are_kept() {
    const FILES: usize = 100_000;
    let bench = Bench::new(
        "- {id: a, command: [sh, -c, 'rm -r many/0*; echo more >> many/1/7; mv many/2 many/x']}\n",
    );
    let blob = bench.git(&["rev-parse", "HEAD:src/b.txt"]);
    let mut index = String::new();
    for number in 0..FILES {
        index += &format!("100644 {blob}\tmany/{}/{}\n", number % 10, number / 10);
    }
    let mut git = Command::new("git");
    git.current_dir(bench.0.path()).args(["update-index", "--index-info"]).stdin(Stdio::piped());
    let mut child = git.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), index.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    bench.git(&["commit", "--quiet", "--message=many"]);
    bench.git(&["reset", "--quiet", "--hard"]);
    let before = bench.git(&["rev-parse", "HEAD"]);
    bench.0.run(&[], 0);
    assert_eq!(bench.git(&["rev-parse", "HEAD"]), before);
    let changed = bench.git(&["diff", "--no-renames", "--name-status", &before, &bench.branch()]);
    let count = |word: &str| changed.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!(
        (count("D\tmany/0"), count("D\tmany/2"), count("A\tmany/x"), count("M")),
        (10_000, 10_000, 10_000, 1)
    );
    assert_eq!(changed.lines().count(), 30_001);
    bench.is_sound();
}

#[test]
fn a_file_of_two_gigabytes_is_kept_whole() {
    let bench = Bench::new("- {id: a, command: [sh, -c, 'truncate -s 2G big; printf end >> big']}\n");
    bench.0.run(&[], 0);
    let size = bench.git(&["cat-file", "-s", &format!("{}:big", bench.branch())]);
    assert_eq!(size, (2 * (1_u64 << 30) + 3).to_string());
    let shown = out(&bench.0.host(&["diff", "--stat"], 0));
    assert!(shown.contains("big"), "{shown}");
    assert_eq!(bench.trees(), Vec::<PathBuf>::new());
}

/// What the host does where a folder has so many KiB left; what is there then is there afterwards. The copies have stamps of their
/// own, which the person's git is told of.
fn on_full_disk(bench: &Bench, folder: &Path, free_kib: u32, args: &[&str]) -> Output {
    fs::create_dir_all(folder).unwrap();
    let host = bench.0.command(args);
    let script = "set -e; folder=$1 real=$2 free=$3; shift 3; mkdir \"$real\"; mount --bind \"$folder\" \"$real\"; \
                  mount -t tmpfs -o size=64m none \"$folder\"; cp -a \"$real/.\" \"$folder\"; \
                  used=$(df -k --output=used \"$folder\" | tail -n1); \
                  mount -o remount,size=$((used + free + 4))k \"$folder\"; \
                  set +e; \"$@\"; ended=$?; find \"$real\" -mindepth 1 -delete; cp -a \"$folder/.\" \"$real\"; exit $ended";
    let mut run = Command::new("unshare");
    run.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    let real = bench.0.outside().join("real");
    run.args([folder, real.as_path()])
        .arg(free_kib.to_string())
        .arg(host.get_program())
        .args(host.get_args());
    run.current_dir(host.get_current_dir().unwrap());
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => run.env(name, value),
            None => run.env_remove(name),
        };
    }
    let ended = run.output().unwrap();
    fs::remove_dir(real).unwrap();
    ended
}

#[test]
fn a_disk_that_is_full_in_any_step_keeps_nothing_half() {
    let script = "head -c 300000 /dev/urandom > blob; echo more >> a.txt";
    let (mut failed, mut kept) = (0, 0);
    for place in ["state", "store", "objects", "refs"] {
        for free in [0, 24, 100, 500, 4000] {
            let bench = Bench::new(&format!("- id: a\n  command: [sh, -c, '{script}']\n"));
            bench.0.write("big", &"x".repeat(100_000));
            commit(&bench);
            let folder = match place {
                "state" => bench.0.outside().join("state"),
                "store" => bench.0.path().join(".orch"),
                "objects" => bench.0.path().join(".git/objects"),
                _ => bench.0.path().join(".git/refs"),
            };
            let before = bench.of_the_person();
            let ended = on_full_disk(&bench, &folder, free, &["run", "--trust-workspace"]);
            let when = format!("{place}, {free} KiB: {:?}\n{}{}", ended.status, out(&ended), err(&ended));
            assert_eq!(bench.of_the_person(), before, "{when}");
            match ended.status.success() {
                true => kept += 1,
                false => failed += 1,
            }
            assert!(ended.status.code().is_some_and(|code| [0, 1, 5].contains(&code)), "{when}");
            // With room again it is done, once.
            if !ended.status.success() {
                let has_failed =
                    bench.0.has_run() && bench.0.statuses().get("a").is_some_and(|status| status == "failed");
                bench.0.run(if has_failed { &["--retry-failed"] } else { &[] }, 0);
            }
            assert_eq!(bench.on_branch("a.txt").as_deref(), Some(EDITED), "{when}");
            assert_eq!((bench.of_the_person(), bench.commits()), (before, 1), "{when}");
            bench.is_sound();
        }
    }
    assert!(failed >= 5 && kept >= 3, "{failed} failed, {kept} kept");
}

#[test]
fn a_disk_that_is_full_while_a_run_is_taken_in_leaves_the_persons_tree_as_it_was() {
    let script = "head -c 300000 /dev/urandom > src/blob; echo more >> src/b.txt; rm src/c.txt; mkdir src/new; echo x > src/new/x";
    let (mut failed, mut taken) = (0, 0);
    for place in ["src", ".git"] {
        for free in [0, 24, 100, 4000] {
            let bench = Bench::new(&format!("- id: a\n  command: [sh, -c, '{script}']\n"));
            bench.0.write("src/c.txt", &"c\n".repeat(20_000));
            bench.0.write("big", &"x".repeat(100_000));
            commit(&bench);
            bench.0.run(&[], 0);
            let before = bench.of_the_person();
            let ended = on_full_disk(&bench, &bench.0.path().join(place), free, &["accept"]);
            let when = format!("{place}, {free} KiB: {:?}\n{}{}", ended.status, out(&ended), err(&ended));
            match ended.status.success() {
                true => taken += 1,
                false => {
                    failed += 1;
                    assert_eq!(ended.status.code(), Some(5), "{when}");
                    assert_eq!(bench.of_the_person(), before, "{when}");
                    assert!(!bench.0.path().join(".git/index.lock").exists(), "{when}");
                    // With room again it is taken in.
                    bench.0.host(&["accept"], 0);
                }
            }
            assert_eq!(bench.0.read("src/b.txt"), "b\nmore\n", "{when}");
            assert_eq!(fs::metadata(bench.0.path().join("src/blob")).unwrap().len(), 300_000, "{when}");
            assert_eq!(bench.0.read("src/new/x"), "x\n", "{when}");
            assert_eq!(bench.git(&["status", "--porcelain"]), " M tasks.yml", "{when}");
            bench.is_sound();
        }
    }
    assert!(failed >= 3 && taken >= 2, "{failed} failed, {taken} taken in");
}
