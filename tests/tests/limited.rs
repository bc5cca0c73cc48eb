//! What the system refuses, and what stands where a file of ours should: the reason is said, with the way out of that one, and
//! nothing that is whole is called damaged.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use orch_tests::{Workspace, binary, err, out};
use rustix::fs::{CWD, Mode, mkfifoat};

/// That command under a limit of its shell.
fn limited(workspace: &Workspace, limit: &str, args: &[&str]) -> Output {
    let host = workspace.command(args);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\"")]).arg(host.get_program());
    shell.args(host.get_args()).current_dir(workspace.path());
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.output().unwrap()
}

#[test]
fn a_limit_of_file_sizes_is_said_and_the_store_is_not_called_damaged() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    workspace.run(&[], 0);
    // In blocks of 512 bytes: too small for the index of the log, and for the log.
    for (blocks, args) in [
        ("1", &["status"][..]),
        ("1", &["task", "retry", "a"]),
        ("63", &["report"]),
        ("66", &["run", "--force"]),
    ] {
        let output = limited(&workspace, &format!("-f {blocks}"), args);
        let said = err(&output);
        assert_eq!(output.status.code(), Some(5), "{args:?}: {said}");
        assert!(said.contains("`ulimit -f unlimited`") && !said.contains("db check"), "{args:?}: {said}");
        assert!(!said.contains("full disk"), "{args:?}: {said}");
    }
    workspace.host(&["db", "check"], 0);
    workspace.run(&[], 0);
}

#[test]
fn a_small_stack_ends_no_program_without_a_word() {
    let workspace = Workspace::new("- {id: a, command: 'echo ran >> ran'}\n");
    workspace.make_known();
    let few = limited(&workspace, "-s 16", &["run"]);
    assert_eq!(few.status.code(), Some(5), "{few:?}");
    assert!(err(&few).contains("code: stack") && err(&few).contains("`ulimit -s 8192`"), "{}", err(&few));
    for args in [&["run"][..], &["status"], &["report"], &["plugin", "list"], &["run", "--help"]] {
        let output = limited(&workspace, "-s 64", args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    }
    assert_eq!(workspace.read("ran"), "ran\n");
    for program in ["orch-certify", "orch-plugin"] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -s 64; exec \"$0\" --help"]).arg(binary(program));
        assert!(shell.output().unwrap().status.success(), "{program}");
    }
}

#[test]
fn a_store_is_made_in_no_folder_of_other_things() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    workspace.write("src/main.c", "mine");
    workspace.write("file", "mine");
    workspace.write(".git/HEAD", "mine");
    for memory in ["src", "file", "tasks.yml", ".git", ".git/store", "logs", "logs/store"] {
        let said = err(&workspace.run(&["--memory", memory], 2));
        assert!(said.contains("code: memory-in-use"), "{memory}: {said}");
    }
    assert_eq!(fs::read_dir(workspace.path().join("src")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(workspace.path().join(".git")).unwrap().count(), 1);
    fs::create_dir(workspace.path().join("empty")).unwrap();
    workspace.run(&["--memory", "empty"], 0);
    workspace.run(&["--memory", "src/new"], 0);
    // One that lost its file is a store's folder still.
    fs::remove_file(workspace.path().join("empty/state.db")).unwrap();
    workspace.run(&["--memory", "empty"], 0);
}

#[test]
fn a_plugin_that_is_nowhere_is_not_there_whatever_other_workspaces_are() {
    let workspace = Workspace::new("[]\n");
    workspace.host(&["init", "."], 0);
    let other = workspace.outside().join("other");
    workspace.host(&["init", other.to_str().unwrap()], 0);
    fs::write(other.join("config.yaml"), "roles: [\n").unwrap();
    for broken in [false, true] {
        if broken {
            workspace.write("config.yaml", "roles: [\n");
        }
        let said = err(&workspace.host(&["plugin", "remove", "demo/nothing"], 2));
        assert!(said.contains("code: plugin-not-kept") && !said.contains("other"), "{said}");
    }
}

#[test]
fn init_refuses_what_no_run_could_read_and_makes_no_second_file() {
    let workspace = Workspace::new("");
    let begin = |name: &str, make: &dyn Fn(&std::path::Path)| {
        let folder = workspace.outside().join("new");
        drop(fs::remove_dir_all(&folder));
        fs::create_dir(&folder).unwrap();
        make(&folder.join(name));
        let output = workspace.command(&["init", folder.to_str().unwrap()]).output().unwrap();
        let mut found: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        (output, found)
    };
    let pipe = |path: &std::path::Path| mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
    let link = |path: &std::path::Path| symlink("nowhere", path).unwrap();
    let folder = |path: &std::path::Path| fs::create_dir(path).unwrap();
    let empty = |path: &std::path::Path| fs::write(path, "").unwrap();
    for name in ["tasks.yml", "tasks.yaml", "config.yaml", "config.yml"] {
        for make in [&pipe as &dyn Fn(&std::path::Path), &link, &folder] {
            let (output, found) = begin(name, make);
            assert!(err(&output).contains("code: workspace-config-not-a-file"), "{name}: {}", err(&output));
            assert_eq!((output.status.code(), found), (Some(2), vec![name.to_owned()]));
        }
        let (output, found) = begin(name, &empty);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        assert!(out(&output).contains(&format!("kept `{name}`")), "{}", out(&output));
        assert_eq!(found.len(), 2, "{found:?}");
    }
    for (make, code) in [
        (&pipe as &dyn Fn(&std::path::Path), "memory-in-use"),
        (&empty, "memory-in-use"),
        (&link, "folder-is-a-link"),
    ] {
        let (output, found) = begin(".orch", make);
        assert!(err(&output).contains(&format!("code: {code}")), "{}", err(&output));
        assert_eq!((output.status.code(), found), (Some(2), vec![".orch".to_owned()]));
    }
    // What this host could not remember is left as it is.
    let odd = workspace.outside().join("a\nb");
    fs::create_dir(&odd).unwrap();
    let said = err(&workspace.host(&["init", odd.to_str().unwrap()], 2));
    assert!(said.contains("code: workspace-name"), "{said}");
    assert_eq!(fs::read_dir(&odd).unwrap().count(), 0);
}

#[test]
fn what_is_known_of_a_task_and_cannot_be_read_ends_the_run() {
    let workspace = Workspace::new("- {id: a, command: 'echo ran >> ran', inputs: [in], outputs: [ran]}\n");
    workspace.write("in", "");
    workspace.run(&[], 0);
    let store = rusqlite::Connection::open(workspace.path().join(".orch/state.db")).unwrap();
    assert_eq!(store.execute("UPDATE known SET mark = CAST(x'ff' AS TEXT)", []).unwrap(), 1);
    drop(store);
    let said = err(&workspace.run(&[], 5));
    assert!(said.contains("code: store-sqlite") && said.contains("db check"), "{said}");
    assert_eq!(workspace.read("ran"), "ran\n", "nobody knows whether it has to be done");
    workspace.host(&["db", "check", "--rebuild"], 0);
    workspace.run(&[], 0);
    assert_eq!(workspace.read("ran"), "ran\n");
}
