//! Where things lie: what is read under which name, whose store it is, and what is noticed when something is not there.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use orch_tests::random::Random;
use orch_tests::{Workspace, binary, copy, err, out, until};

const ONE: &str = "- {id: a, command: [\"true\"]}\n";
const WAITS: &str = "- {id: waits, command: [sh, -c, 'touch begun; until test -e go; do sleep 0.05; done']}\n\
                     - {id: after, command: [sh, -c, 'echo >> after'], dependencies: [waits]}\n";

/// `orch-host` of that operator, in another folder.
fn elsewhere(workspace: &Workspace, folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = workspace.command(args).current_dir(folder).output().unwrap();
    (output.status.code(), out(&output) + &err(&output))
}

#[test]
fn a_link_in_the_place_of_what_is_the_hosts_is_refused_and_nothing_beyond_it_is_touched() {
    let prod = Workspace::new(ONE);
    prod.run(&[], 0);
    let store = fs::read(prod.path().join(".orch/state.db")).unwrap();
    for name in [".orch", "logs", "config.yaml", "orch.lock"] {
        let workspace = Workspace::new(ONE);
        let target = prod.path().join(name);
        if !target.exists() {
            fs::write(&target, "version = 1\n").unwrap();
        }
        let _ = fs::remove_file(workspace.path().join(name));
        symlink(&target, workspace.path().join(name)).unwrap();
        let said = err(&workspace.run(&[], 2));
        assert!(said.contains("is a link") && said.contains(name), "{name}: {said}");
        assert!(
            !workspace.path().join("tasks.yml").metadata().is_ok_and(|found| found.len() != ONE.len() as u64)
        );
        if name == ".orch" {
            for args in [
                &["status"][..],
                &["report"],
                &["task", "retry", "a"],
                &["audit", "verify"],
                &["db", "check"],
            ] {
                assert!(err(&workspace.host(args, 2)).contains("code: folder-is-a-link"), "{args:?}");
            }
        }
    }
    // Also above it.
    let workspace = Workspace::new(ONE);
    symlink(prod.path(), workspace.path().join("state")).unwrap();
    assert!(err(&workspace.run(&["--memory", "state/.orch"], 2)).contains("code: folder-is-a-link"));
    assert_eq!(fs::read(prod.path().join(".orch/state.db")).unwrap(), store);
}

/// What a folder holds, all of it, with what it says of each.
fn all_of(folder: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = path.symlink_metadata().unwrap();
        let bytes = if about.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.push((path.clone(), about.mode(), bytes));
        if about.is_dir() {
            found.extend(all_of(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn whatever_stands_in_a_place_of_the_hosts_it_ends_and_touches_nothing_elsewhere() {
    const NAMES: [&str; 8] = [
        ".orch",
        ".orch/state.db",
        ".orch/lock",
        "logs",
        "config.yaml",
        "tasks.yml",
        "orch.lock",
        "models.yaml",
    ];
    const THINGS: [&str; 7] =
        ["link to a file", "link to a folder", "link to nothing", "pipe", "socket", "folder", "hard link"];
    let mut random = Random(0x5eed_0011);
    // Each name with most things, each thing in most places.
    let mut left: Vec<(&str, &str)> =
        NAMES.into_iter().flat_map(|name| THINGS.map(|thing| (name, thing))).collect();
    for _ in 0..28 {
        let (name, thing) = left.swap_remove(random.below(left.len() as u64) as usize);
        let what = format!("a {thing} as {name}");
        let workspace = Workspace::new(ONE);
        let (elsewhere, path) = (workspace.outside().join("elsewhere"), workspace.path().join(name));
        fs::create_dir_all(elsewhere.join("folder")).unwrap();
        fs::write(elsewhere.join("file"), "mine\n").unwrap();
        if random.below(2) == 0 {
            // As it was after a run.
            workspace.run(&[], 0);
            let _ = fs::remove_dir_all(&path);
            let _ = fs::remove_file(&path);
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        let _socket = match thing {
            "link to a file" => symlink(elsewhere.join("file"), &path).map(|()| None),
            "link to a folder" => symlink(elsewhere.join("folder"), &path).map(|()| None),
            "link to nothing" => symlink(elsewhere.join("nothing"), &path).map(|()| None),
            "hard link" => fs::hard_link(elsewhere.join("file"), &path).map(|()| None),
            "folder" => fs::create_dir(&path).map(|()| None),
            "socket" => std::os::unix::net::UnixListener::bind(&path).map(Some),
            _ => {
                assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
                Ok(None)
            }
        }
        .unwrap();
        let before = all_of(&elsewhere);
        // It waits for nobody at the other end of a pipe.
        let mut host = Command::new("timeout");
        let command = workspace.command(&["run", "--trust-workspace"]);
        host.arg("120").arg(command.get_program()).args(command.get_args()).current_dir(workspace.path());
        host.envs(command.get_envs().filter_map(|(variable, value)| Some((variable, value?))));
        let output = host.output().unwrap();
        let (said, exit) = (err(&output), output.status.code());
        assert!(matches!(exit, Some(0 | 2 | 5)), "{what}: {exit:?}\n{said}");
        assert!(exit == Some(0) || said.contains("code: "), "{what}: {said}");
        assert!(
            !thing.starts_with("link") || exit != Some(0),
            "{what} is taken for what it leads to\n{said}"
        );
        assert_eq!(all_of(&elsewhere), before, "{what}: {said}");
    }
}

#[test]
fn a_store_belongs_to_one_workspace_and_a_moved_one_is_taken_over_by_command() {
    let workspace =
        Workspace::new("- {id: a, command: [\"true\"]}\n- {id: b, command: [\"false\"], on_doubt: ask}\n");
    workspace.run(&[], 1);
    let (old, new) = (workspace.path(), workspace.outside().join("moved"));
    let copied = workspace.outside().join("copied");
    copy(&old, &copied);
    let readers = [&["status"][..], &["report"], &["runs", "list"], &["logs", "a"], &["audit", "verify"]];
    for args in readers.into_iter().chain([&["run", "--trust-workspace"][..], &["task", "retry", "b"]]) {
        let (exit, said) = elsewhere(&workspace, &copied, args);
        assert!(exit == Some(2) && said.contains("code: store-elsewhere"), "{args:?}: {said}");
        assert!(said.contains(old.to_str().unwrap()) && said.contains("db take-over"), "{args:?}: {said}");
    }
    // A copy stays one as long as the store is where it was.
    let (exit, said) = elsewhere(&workspace, &copied, &["db", "take-over"]);
    assert!(exit == Some(2) && said.contains("code: store-copied"), "{said}");

    fs::rename(&old, &new).unwrap();
    assert_eq!(elsewhere(&workspace, &new, &["status"]).0, Some(2));
    assert_eq!(elsewhere(&workspace, &new, &["db", "take-over"]).0, Some(0));
    assert_eq!(elsewhere(&workspace, &new, &["status"]).0, Some(0));
    let (exit, said) = elsewhere(&workspace, &new, &["audit", "verify"]);
    assert!(exit == Some(0), "{said}");
    assert_eq!(elsewhere(&workspace, &new, &["run", "--trust-workspace"]).0, Some(1));
    // What says so is for that place alone, and this host's.
    let (exit, said) = elsewhere(&workspace, &copied, &["status"]);
    assert!(exit == Some(2) && said.contains("code: store-elsewhere"), "{said}");
    copy(&new, &old);
    let again = workspace.outside().join("again");
    copy(&new, &again);
    assert_eq!(elsewhere(&workspace, &again, &["run", "--trust-workspace"]).0, Some(2));
    let moved = fs::read_to_string(new.join(".orch/moved.json")).unwrap();
    let forged = moved.replace("\"from\":[", &format!("\"from\":[\"{}\",", new.join(".orch").display()));
    fs::write(again.join(".orch/moved.json"), forged).unwrap();
    let (exit, said) = elsewhere(&workspace, &again, &["run", "--trust-workspace"]);
    assert!(exit == Some(2) && said.contains("code: store-elsewhere"), "{said}");
    // Without its store, what was kept of its runs is missed where it is now.
    fs::remove_dir_all(new.join(".orch")).unwrap();
    let (exit, said) = elsewhere(&workspace, &new, &["audit", "verify"]);
    assert!(exit == Some(5) && said.contains("journal-missing"), "{said}");
}

#[test]
fn git_does_not_see_what_is_the_hosts_and_others_do_not_read_it() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'echo said']}\n");
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).current_dir(workspace.path()).output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        out(&output)
    };
    git(&["init", "-q"]);
    workspace.run(&[], 0);
    let seen = git(&["status", "--short", "--untracked-files=all"]);
    assert_eq!(seen, "?? config.yaml\n?? tasks.yml\n");
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o077;
    let logs = workspace.path().join("logs");
    assert_eq!(mode(&logs), 0);
    let task = fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path());
    let task = task.filter(|path| path.extension().is_some_and(|end| end == "log")).map(|path| mode(&path));
    assert_eq!(task.collect::<Vec<_>>(), [0, 0], "the run's and the task's");
    // A person's own stays.
    let workspace = Workspace::new(ONE);
    workspace.write("logs/.gitignore", "# mine\n");
    workspace.run(&[], 0);
    assert_eq!(workspace.read("logs/.gitignore"), "# mine\n");
}

#[test]
fn both_spellings_of_a_files_end_are_read_and_two_are_refused() {
    let workspace = Workspace::new(ONE);
    let rename =
        |from: &str, to: &str| fs::rename(workspace.path().join(from), workspace.path().join(to)).unwrap();
    rename("config.yaml", "config.yml");
    rename("tasks.yml", "tasks.yaml");
    workspace.run(&[], 0);
    assert_eq!(workspace.read("tasks.yaml"), "- {id: a, status: done, command: [\"true\"]}\n");
    assert!(!workspace.path().join("tasks.yml").exists());
    for (name, other) in [("tasks.yml", "tasks.yaml"), ("config.yaml", "config.yml")] {
        workspace.write(name, ONE);
        let said = err(&workspace.run(&[], 2));
        assert!(said.contains("code: two-files") && said.contains(name) && said.contains(other), "{said}");
        fs::remove_file(workspace.path().join(name)).unwrap();
    }
}

#[test]
fn a_file_that_begins_with_a_dot_gives_no_authority_and_takes_none() {
    let workspace = Workspace::new(ONE);
    let trust = workspace.operator().join("trust/publishers");
    symlink("me@host.1:1", trust.join(".#demo.toml")).unwrap();
    fs::write(trust.join("._demo.toml"), b"\0\x05\x16\x07").unwrap();
    fs::write(workspace.operator().join("approvals/._demo.json"), "").unwrap();
    workspace.run(&[], 0);
    let doctor = out(&workspace.command(&["doctor"]).output().unwrap());
    assert!(doctor.contains("1 publisher is trusted"), "{doctor}");
    fs::rename(trust.join("._demo.toml"), trust.join("demo2.toml")).unwrap();
    workspace.run(&[], 2);
}

/// A run whose store is taken away by that, while its first task runs: how it ended, and what it said.
fn without_store(take_away: impl Fn(&Path)) -> (Workspace, Option<i32>, String) {
    let workspace = Workspace::new(WAITS);
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    let host = host.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until(|| workspace.path().join("begun").exists());
    take_away(&workspace.path());
    let second = workspace.command(&["run"]).output().unwrap();
    assert_eq!(second.status.code(), Some(7), "one host at a time: {}", err(&second));
    workspace.write("go", "");
    let output = host.wait_with_output().unwrap();
    let said = out(&output) + &err(&output);
    (workspace, output.status.code(), said)
}

#[test]
fn a_run_whose_store_is_gone_starts_nothing_more_and_is_no_success() {
    let ways: [fn(&Path); 4] = [
        |workspace| fs::remove_dir_all(workspace.join(".orch")).unwrap(),
        |workspace| fs::rename(workspace.join(".orch"), workspace.join("away")).unwrap(),
        |workspace| fs::remove_file(workspace.join(".orch/state.db")).unwrap(),
        |workspace| fs::remove_file(workspace.join(".orch/state.db-wal")).unwrap(),
    ];
    for (nth, way) in ways.into_iter().enumerate() {
        let (workspace, exit, said) = without_store(way);
        assert_eq!(exit, Some(5), "{nth}: {said}");
        assert!(said.contains("code: store-gone") && said.contains("state.db"), "{nth}: {said}");
        assert!(!workspace.path().join("after").exists(), "{nth}: nothing more started");
        assert!(
            workspace.read("tasks.yml").contains("{id: waits, status: done"),
            "{nth}: what ended is in the file"
        );
    }
}

#[test]
fn a_task_that_cleans_the_workspace_ends_its_run() {
    let workspace = Workspace::new(
        "- {id: clean, command: [sh, -c, 'rm -rf .orch logs']}\n- {id: build, command: [sh, -c, 'touch built'], dependencies: [clean]}\n",
    );
    assert!(err(&workspace.run(&[], 5)).contains("code: store-gone"));
    assert!(!workspace.path().join("built").exists());
    // The last task of a run, too.
    let workspace = Workspace::new("- {id: clean, command: [sh, -c, 'rm -rf .orch']}\n");
    assert!(err(&workspace.run(&[], 5)).contains("code: store-gone"));
}

#[test]
fn a_folder_of_the_operators_that_takes_nothing_is_named_before_the_first_task() {
    let workspace = Workspace::new(ONE);
    workspace.make_known();
    let heads = workspace.operator().join("heads");
    let _ = fs::remove_dir_all(&heads);
    // The system says so of a file as it does of a disk that is mounted to be read.
    fs::write(&heads, "").unwrap();
    let said = err(&workspace.command(&["run"]).output().unwrap());
    assert!(said.contains("heads") && !said.contains("journal could not"), "{said}");
    assert!(!workspace.path().join(".orch").exists());
    assert_eq!(workspace.read("tasks.yml"), ONE);
}

/// A program of its own for one host: what `binary` names, under another path.
fn own_program(workspace: &Workspace) -> PathBuf {
    let (from, own) = (binary("orch-host"), workspace.outside().join("orch-host"));
    let _ = fs::remove_file(&own);
    if fs::hard_link(&from, &own).is_err() {
        fs::copy(&from, &own).unwrap();
    }
    own
}

/// That command, by another path of its program.
fn by(program: &Path, command: &Command) -> Command {
    let mut by = Command::new(program);
    by.args(command.get_args()).current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => by.env(name, value),
            None => by.env_remove(name),
        };
    }
    by
}

#[test]
fn a_host_whose_program_is_gone_starts_nothing_more_and_fails_no_task() {
    type Way = fn(&Path);
    let ways: [(&str, Way); 3] = [
        ("removed", |program| fs::remove_file(program).unwrap()),
        ("renamed", |program| fs::rename(program, program.with_extension("old")).unwrap()),
        ("replaced", |program| {
            let new = program.with_extension("new");
            fs::copy("/bin/true", &new).unwrap();
            fs::rename(new, program).unwrap();
        }),
    ];
    // What ends the wait needs supervisors that are not there yet.
    let more: String = (0..4)
        .map(|n| format!("- {{id: more-{n}, command: [sh, -c, 'echo >> more'], dependencies: [waits]}}\n"))
        .collect();
    for (name, way) in ways {
        let workspace = Workspace::new(&(WAITS.to_owned() + &more));
        let program = own_program(&workspace);
        let mut host = by(&program, &workspace.command(&["run", "--trust-workspace", "--jobs", "4"]));
        let host = host.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until(|| workspace.path().join("begun").exists());
        way(&program);
        workspace.write("go", "");
        let output = host.wait_with_output().unwrap();
        let said = out(&output) + &err(&output);
        assert_eq!(output.status.code(), Some(5), "{name}: {said}");
        assert!(said.contains("code: program-gone") && said.contains("orch-host` "), "{name}: {said}");
        let statuses = workspace.statuses();
        assert_eq!(statuses["waits"], "done", "{name}: {said}");
        let others = statuses.iter().filter(|(id, _)| *id != "waits");
        assert!(others.clone().all(|(_, status)| status == "pending"), "{name}: {statuses:?}");
        assert!(!["after", "more"].iter().any(|made| workspace.path().join(made).exists()), "{name}");
        // With a program the same run goes on.
        workspace.run(&[], 0);
        assert_eq!(workspace.reader().runs().unwrap().len(), 1, "{name}");
    }
}

#[test]
fn a_host_that_serves_ends_when_its_program_is_gone() {
    let workspace = Workspace::new(ONE);
    workspace.make_known();
    let program = own_program(&workspace);
    let addresses = ["--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"];
    let host = workspace.command(&[&["serve"], &addresses[..]].concat());
    let mut host = by(&program, &host).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It works: what is asked of it is done.
    let mut line = String::new();
    BufReader::new(host.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    workspace.run(&[], 0);
    fs::remove_file(&program).unwrap();
    let output = host.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", err(&output));
    assert!(err(&output).contains("code: program-gone"), "{}", err(&output));
}
