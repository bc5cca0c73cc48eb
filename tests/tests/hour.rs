//! What somebody found who tried for an hour to get a green run that did not do its work: each with the right value.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use orch_tests::served::serve;
use orch_tests::{Workspace, binary, copy, err, out};
use rustix::fs::{CWD, RenameFlags, renameat_with};

const VERIFIED: &str = "\
roles:
  planner: demo/planner-priority
  executors: {shell: demo/executor-shell, note: demo/executor-note}
  verifiers: [demo/verifier-command]
settings:
  demo/verifier-command: {checks: [{name: look, category: test, command: [\"CHECK\"]}]}
";

#[test]
fn a_host_that_serves_begins_no_run_with_another_config_and_says_what_a_choice_lacks() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'echo ran >> ran'], inputs: [in]}\n");
    workspace.write("in", "");
    workspace.make_known();
    let before = workspace.read("config.yaml");
    let _served = serve(&workspace, &[]);
    let followed = out(&workspace.run(&[], 0));
    assert!(followed.contains("tasks: 1 done; took"), "{followed}");
    workspace.write("config.yaml", &format!("{before}log_mib: 3\n"));
    let refused = err(&workspace.run(&["--force"], 2));
    assert!(
        refused.contains("code: config-changed") && refused.contains("end `orch-host serve --config-home "),
        "{refused}"
    );
    assert_eq!(workspace.read("ran"), "ran\n");
    workspace.write("config.yaml", "roles: [\n");
    assert!(err(&workspace.run(&["--force"], 2)).contains("code: workspace-config"));
    workspace.write("config.yaml", &before);
    workspace.run(&["--force"], 0);
    assert_eq!(workspace.read("ran"), "ran\nran\n");
    let refused = err(&workspace.run(&["--task", "nope"], 2));
    assert!(refused.contains("code: choice-unknown") && refused.contains("hint: "), "{refused}");
}

#[test]
fn what_keeps_a_run_from_beginning_is_the_same_beside_a_host_that_serves() {
    const GRANTED: &str = "- {id: a, command: [sh, -c, 'echo a >> ran']}\n";
    let faults = [
        (3, "code: program-not-granted", "- {id: b, command: [make]}\n"),
        (3, "code: variable-not-granted", "- {id: b, command: [sh], env: {MODE: x}}\n"),
        (2, "code: command-unused", "- {id: b, kind: note, command: [sh]}\n"),
        (2, "code: task-settings", "- {id: b, command: [sh], retry_on: all}\n"),
        (2, "code: task-unknown-key", "- {id: b, command: [sh], retry: 1}\n"),
        (2, "code: no-executor", "- {id: b, kind: other}\n"),
        (2, "code: task-file-syntax", "- {id: b\n"),
    ];
    for (exit, code, task) in faults {
        let workspace = Workspace::new(&format!("{GRANTED}{task}"));
        workspace.make_known();
        let alone = err(&workspace.run(&[], exit));
        let served = serve(&workspace, &[]);
        let beside = err(&workspace.run(&[], exit));
        assert!(alone.contains(code), "{alone}");
        let told = |text: &str| {
            let start = text.find("code: ").unwrap();
            text[start..].to_owned()
        };
        assert_eq!(told(&beside), told(&alone), "with hint and lines to write");
        assert!(!workspace.path().join("ran").exists());
        drop(served);
    }
}

#[test]
fn an_open_run_goes_on_with_its_own_task_file_only() {
    let workspace = Workspace::new("- {id: a, command: ['true'], verify: [demo/verifier-command]}\n");
    workspace.write("config.yaml", &VERIFIED.replace("CHECK", "no-such-program"));
    const OTHER: &str = "- {id: a, command: [sh, -c, 'echo other >> ran']}\n";
    workspace.write("other.yml", OTHER);
    workspace.run(&[], 1);
    let refused = err(&workspace.run(&["--tasks", "other.yml"], 6));
    assert!(refused.contains("code: run-of-another-file"), "{refused}");
    assert!(refused.contains("`orch-host run --tasks tasks.yml --config-home "), "{refused}");
    assert_eq!(workspace.read("other.yml"), OTHER, "nothing of it is called done");
    // The same file under its other ending is the same file.
    fs::rename(workspace.path().join("tasks.yml"), workspace.path().join("tasks.yaml")).unwrap();
    workspace.write("config.yaml", &VERIFIED.replace("CHECK", "true"));
    workspace.run(&[], 0);
    assert_eq!(workspace.reader().runs().unwrap().len(), 1);
    workspace.run(&["--tasks", "other.yml"], 0);
    assert_eq!(workspace.read("ran"), "other\n");
}

#[test]
fn a_store_that_lost_its_runs_is_no_new_one() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'echo ran >> ran']}\n");
    assert!(!err(&workspace.run(&[], 0)).contains("has no run"));
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    for end in ["", "-wal", "-shm"] {
        let path = workspace.path().join(format!(".orch/state.db{end}"));
        if end.is_empty() {
            fs::write(path, "").unwrap();
        } else if path.exists() {
            fs::remove_file(path).unwrap();
        }
    }
    let said = err(&workspace.run(&[], 0));
    assert!(said.contains("the store has no run") && said.contains(&run), "{said}");
    assert!(said.contains("what ran before may run again"), "{said}");
}

/// Gives everything below to a user.
fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), user));
    }
}

#[test]
fn a_head_that_this_user_cannot_read_is_named_and_stops_no_decision() {
    const NOBODY: u32 = 65_534;
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    workspace.run(&[], 0);
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    let other = workspace.outside().join("other");
    copy(&workspace.path(), &other);
    fs::remove_dir_all(other.join(".orch")).unwrap();
    fs::write(other.join("tasks.yml"), "- {id: a, kind: note}\n").unwrap();
    let head = workspace.operator().join(format!("heads/{run}.json"));
    let is_root = rustix::process::getuid().is_root();
    let program = match is_root {
        true => workspace.outside().join("orch-host"),
        false => binary("orch-host"),
    };
    if is_root {
        // By another program: what this one writes, a child that another test starts meanwhile may hold open, and then it
        // cannot be started.
        let copied = Command::new("cp").arg(binary("orch-host")).arg(&program).status();
        assert!(copied.unwrap().success());
        give(workspace.outside(), NOBODY);
        chown(&head, Some(0), Some(0)).unwrap();
        fs::set_permissions(&head, fs::Permissions::from_mode(0o600)).unwrap();
    } else {
        fs::set_permissions(&head, fs::Permissions::from_mode(0o000)).unwrap();
    }
    let host = |args: &[&str]| {
        let mut host = Command::new(&program);
        host.current_dir(&other).args(args).arg("--config-home").arg(workspace.operator());
        host.env("XDG_RUNTIME_DIR", workspace.outside()).env("NO_COLOR", "1");
        if is_root {
            host.uid(NOBODY).gid(NOBODY);
        }
        let output = host.output().unwrap();
        (output.status.code(), out(&output) + &err(&output))
    };
    let named = |text: &str| text.contains(&format!("heads/{run}.json` cannot be read"));
    // A workspace that this host does not know yet: to trust it is a decision.
    let (code, said) = host(&["run", "--trust-workspace"]);
    assert!(code == Some(0) && named(&said) && !said.contains("operator-journal"), "{said}");
    let (code, said) = host(&["prune", "--keep", "1"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = host(&["audit", "verify"]);
    assert!(code == Some(5) && named(&said) && said.contains("head-unreadable"), "{said}");
    assert!(said.contains("chown"), "{said}");
    let (code, said) = host(&["doctor"]);
    assert!(code == Some(1) && named(&said), "{said}");
}

#[test]
fn what_a_guard_refuses_ends_what_else_was_to_start() {
    let workspace = Workspace::new("- {id: refuse, kind: note}\n- {id: allow, kind: note, priority: -5}\n");
    let root = workspace.admit_hostile("judges-by-id").to_str().unwrap().to_owned();
    let bound = "roles:\n  guards: {note: demo/judges-by-id}\n";
    workspace.write("config.yaml", &workspace.read("config.yaml").replacen("roles:\n", bound, 1));
    workspace.run(&["--plugins", &root, "--jobs", "2", "--fail-fast"], 1);
    let statuses = workspace.statuses();
    assert_eq!((&*statuses["refuse"], &*statuses["allow"]), ("failed", "pending"));
}

#[test]
fn an_approval_is_for_the_variables_that_were_seen() {
    let task = |value: &str| {
        format!("- {{id: escalate, command: [sh, -c, 'echo $MODE >> ran'], env: {{MODE: {value}}}}}\n")
    };
    let workspace = Workspace::new(&task("seen"));
    let policy = workspace.operator().join("policy.toml");
    let granted = fs::read_to_string(&policy).unwrap().replace("env = [", "env = [\"MODE\", ");
    fs::write(&policy, granted).unwrap();
    let root = workspace.admit_hostile("judges-by-id").to_str().unwrap().to_owned();
    let bound = "roles:\n  guards: {shell: demo/judges-by-id}\n";
    workspace.write("config.yaml", &workspace.read("config.yaml").replacen("roles:\n", bound, 1));
    workspace.run(&["--plugins", &root], 6);
    workspace.host(&["approvals", "approve", "escalate"], 0);
    let file = workspace.read("tasks.yml");
    workspace.write("tasks.yml", &file.replace("MODE: seen", "MODE: other"));
    workspace.run(&["--plugins", &root], 6);
    assert!(!workspace.path().join("ran").exists());
    workspace.host(&["approvals", "approve", "escalate"], 0);
    workspace.run(&["--plugins", &root], 0);
    assert_eq!(workspace.read("ran"), "other\n");
}

#[test]
fn what_lies_behind_a_link_that_a_pattern_names_is_looked_at_and_an_empty_folder_is_said() {
    let workspace = Workspace::new(
        "- {id: a, command: [sh, -c, 'cat packages/*/src/* > o'], inputs: ['packages/*/src/**'], outputs: [o]}\n",
    );
    workspace.write("vendor/two/src/b", "1");
    workspace.write("vendor/three/src/b", "3");
    fs::create_dir(workspace.path().join("packages")).unwrap();
    let link = workspace.path().join("packages/two");
    symlink("../vendor/two", &link).unwrap();
    workspace.run(&[], 0);
    assert!(out(&workspace.run(&[], 0)).contains("up to date"));
    workspace.write("vendor/two/src/b", "2");
    workspace.run(&[], 0);
    assert_eq!(workspace.read("o"), "2");
    fs::remove_file(&link).unwrap();
    symlink("../vendor/three", &link).unwrap();
    workspace.run(&[], 0);
    assert_eq!(workspace.read("o"), "3");

    let workspace =
        Workspace::new("- {id: a, command: [sh, -c, 'mkdir -p dist'], inputs: [src], outputs: [dist]}\n");
    fs::create_dir(workspace.path().join("src")).unwrap();
    let said = workspace.run(&[], 0);
    let said = out(&said) + &err(&said);
    assert!(said.contains("`src` has no file"), "{said}");
}

#[test]
fn a_condition_may_be_a_pattern() {
    let workspace = Workspace::new(
        "- {id: a, when: {exists: '*.toml'}, command: [sh, -c, 'echo a >> ran']}\n\
         - {id: b, when: {missing: '**/*.lock'}, command: [sh, -c, 'echo b >> ran']}\n",
    );
    workspace.write("x.toml", "");
    workspace.write("deep/x.lock", "");
    workspace.run(&[], 0);
    assert_eq!(workspace.read("ran"), "a\n");
}

#[test]
fn doctor_reads_the_task_file_of_a_workspace() {
    let workspace = Workspace::new("- {id: a, kind: note}\n- {id: b, kind: note, dependencies: [a]}\n");
    let said = out(&workspace.command(&["doctor", "--workspace", "."]).output().unwrap());
    assert!(said.contains("ok   2 tasks of the task file could begin"), "{said}");
    for (tasks, why) in [
        ("- {id: a, kind: dance}\n", "no plugin executes kind `dance` of task `a`"),
        ("- {id: [}\n", "tasks.yml` is not a usable task file"),
        ("- {id: a, command: [no-such-program]}\n", "no-such-program"),
    ] {
        workspace.write("tasks.yml", tasks);
        let said = out(&workspace.host(&["doctor", "--workspace", "."], 1));
        assert!(said.lines().any(|line| line.starts_with("BAD") && line.contains(why)), "{said}");
    }
}

#[test]
fn the_state_folder_is_for_its_owner_alone_whatever_the_umask() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'true']}\n");
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    // SAFETY: a system call only.
    unsafe {
        host.pre_exec(|| {
            libc::umask(0);
            Ok(())
        });
    }
    assert!(host.output().unwrap().status.success());
    for folder in [".orch", "logs"] {
        let mode = fs::metadata(workspace.path().join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
}

#[test]
fn a_host_that_serves_ends_when_its_store_is_gone() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'echo a >> ran']}\n");
    workspace.make_known();
    let mut served = serve(&workspace, &[]);
    workspace.run(&[], 0);
    fs::rename(workspace.path().join(".orch"), workspace.outside().join("gone")).unwrap();
    assert_eq!(served.host.wait().unwrap().code(), Some(5), "it starts nothing more");
    // Another file in its place is not the one that it keeps.
    workspace.run(&["--force"], 0);
    let mut served = serve(&workspace, &[]);
    // Made while its host has nothing to do, and put there at once: what a host that ends removes is not to be copied.
    let other = workspace.outside().join("other");
    copy(&workspace.path().join(".orch"), &other);
    renameat_with(CWD, &other, CWD, workspace.path().join(".orch"), RenameFlags::EXCHANGE).unwrap();
    assert_eq!(served.host.wait().unwrap().code(), Some(5));
    assert_eq!(workspace.read("ran"), "a\na\n");
}

#[test]
fn tasks_as_a_tree_stay_readable_whatever_their_number() {
    const LONG: usize = 20_000;
    let chain = |nth: usize| match nth {
        0 => "- {id: t0}\n".to_owned(),
        nth => format!("- {{id: t{nth}, dependencies: [t{}]}}\n", nth - 1),
    };
    let workspace = Workspace::new(&(0..LONG).map(chain).collect::<String>());
    let said = out(&workspace.host(&["tasks", "list", "--tree"], 0));
    let is_it = |line: &&str, id: &str| line.trim_start_matches(['│', '├', '└', '─', ' ']).starts_with(id);
    // Each once, and once more where it is unfolded below.
    for nth in [0, 1, LONG / 2, LONG - 1] {
        let shown = said.lines().filter(|line| is_it(line, &format!("t{nth} "))).count();
        assert!((1..=2).contains(&shown), "{nth}: {shown}");
    }
    assert!(said.len() < LONG * 200, "{} bytes", said.len());
    // Everything needs everything before it.
    const MANY: usize = 300;
    let all = |nth: usize| {
        let before: Vec<String> = (0..nth).map(|before| format!("t{before}")).collect();
        format!("- {{id: t{nth}, dependencies: [{}]}}\n", before.join(", "))
    };
    let workspace = Workspace::new(&(0..MANY).map(all).collect::<String>());
    let said = out(&workspace.host(&["tasks", "list", "--tree"], 0));
    assert!(said.lines().count() < MANY * 12 && said.contains("more that stand elsewhere"), "{}", said.len());
    for nth in 0..MANY {
        assert!(said.contains(&format!("t{nth} ")), "{nth}");
    }
}

#[test]
fn what_no_attempt_was_made_at_is_counted_wherever_a_run_is_summed_up() {
    let workspace = Workspace::new(
        "- {id: a, command: 'true', inputs: [in]}\n- {id: b, command: 'true', when: {exists: flag}}\n\
         - {id: c, command: 'false', tags: [late]}\n- {id: d, command: 'true'}\n",
    );
    workspace.write("in", "");
    workspace.run(&["--exclude", "late"], 0);
    workspace.make_known();
    for is_served in [false, true] {
        let _served = is_served.then(|| serve(&workspace, &[]));
        let said = out(&workspace.run(&["--exclude", "late"], 0));
        assert!(said.contains("tasks: 3 done (1 up to date, 1 skipped), 1 pending"), "{said}");
        assert!(said.contains("left out: 1, as was asked"), "{is_served}: {said}");
    }
    let report = out(&workspace.host(&["report"], 0));
    assert!(
        report.contains("3 of 4 tasks done (1 up to date, 1 skipped), 0 failed, 1 left out as was asked"),
        "{report}"
    );
    let report = out(&workspace.host(&["report", "--format", "json"], 0));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["spared"], serde_json::json!({ "up_to_date": 1, "skipped": 1, "left_out": 1 }));
    let lines = out(&workspace.run(&["--format", "json", "--exclude", "late"], 0));
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let summary = &last["summary"];
    assert_eq!((&summary["up_to_date"], &summary["skipped"]), (&1.into(), &1.into()), "{summary}");
}

#[test]
fn colour_is_forced_where_somebody_wants_it() {
    let workspace = Workspace::new("- {id: a, command: 'true'}\n");
    let colours = |variable: &str, value: &str| {
        let has = |args: &[&str]| {
            let mut host = workspace.command(args);
            let output = host.env_remove("NO_COLOR").env(variable, value).output().unwrap();
            (out(&output).contains('\u{1b}'), err(&output).contains('\u{1b}'))
        };
        (has(&["run", "--trust-workspace", "--force"]).0, has(&["run", "nowhere"]).1)
    };
    assert_eq!(colours("FORCE_COLOR", "1"), (true, true));
    assert_eq!(colours("CLICOLOR_FORCE", "1"), (true, true));
    assert_eq!(colours("TERM", "xterm"), (false, false));
    assert_eq!(colours("NO_COLOR", "1"), (false, false));
}
