//! What a command runs with: variables, programs by path, words, folders, and what is said before the first task.
//!
//! In -> out: files of a workspace, a policy -> what arrives at the program, or the refusal before anything ran.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

use std::os::unix::fs::{PermissionsExt, symlink};

use orch_tests::{Workspace, err, out};

/// Words that a program got, one a line.
const PRINT: &str = "import os, sys\nfor word in sys.argv[2:]: print(word, file=open(sys.argv[1], 'a'))\n";
/// Variables that a program got.
const ENV: &str = "import os, sys\nopen(sys.argv[1], 'w').write(repr(sorted(os.environ.items())))\n";

/// A workspace whose policy has these in the place of its programs and variables.
fn workspace(tasks: &str, programs: &str, env: &str) -> Workspace {
    let workspace = Workspace::new(tasks);
    allow(&workspace, programs, env);
    workspace.write("print.py", PRINT);
    workspace.write("env.py", ENV);
    workspace
}

fn allow(workspace: &Workspace, programs: &str, env: &str) {
    let path = workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = |line: &str| match line.starts_with("process = ") {
        true => format!("process = {{ programs = [{programs}], env = [{env}] }}\n"),
        false => format!("{line}\n"),
    };
    std::fs::write(&path, text.lines().map(line).collect::<String>()).unwrap();
}

fn with_verifier(workspace: &Workspace, command: &str) {
    let config = workspace.read("config.yaml");
    let settings = format!(
        "  verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command:\n    checks:\n      - {{name: on, category: test, command: {command}}}\n"
    );
    workspace.write("config.yaml", &format!("{config}{settings}"));
}

#[track_caller]
fn refused(workspace: &Workspace, exit: i32, code: &str, parts: &[&str]) {
    for args in [&["--dry-run"][..], &[]] {
        let output = workspace.run(args, exit);
        let said = err(&output);
        assert!(said.contains(&format!("code: {code}\n")), "{said}");
        for part in parts {
            assert!(said.contains(part), "`{part}` is not in {said}");
        }
    }
    assert!(!workspace.path().join(".orch").exists(), "nothing was begun");
}

/// No file of workspace or operator holds that text, but those that a person wrote.
#[track_caller]
fn is_nowhere(workspace: &Workspace, secret: &str) {
    fn walk(folder: &std::path::Path, secret: &str) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, secret),
                false
                    if path.ends_with("tasks.yml")
                        || path.ends_with("config.yaml")
                        || path.ends_with("got") => {}
                false if !path.is_file() => {}
                false => {
                    let bytes = std::fs::read(&path).unwrap();
                    let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                    assert!(!found, "`{secret}` is in `{}`", path.display());
                }
            }
        }
    }
    walk(workspace.outside(), secret);
}

#[test]
fn variables_of_task_and_workspace_arrive_and_their_values_are_kept_nowhere() {
    let tasks = "- {id: a, command: [python3, env.py, got], env: {PORT: 8080, DEBUG: no, TOKEN: hunter2-of-task, BOTH: task}, verify: [demo/verifier-command]}\n";
    let workspace = workspace(
        tasks,
        "\"python3\"",
        r#""PATH", "PORT", "DEBUG", "TOKEN", "BOTH", "REGION", "PYTHONPATH@python3""#,
    );
    let config = workspace.read("config.yaml");
    workspace.write(
        "config.yaml",
        &format!("env: {{BOTH: workspace, REGION: 010, PYTHONPATH: hunter2-lib}}\n{config}"),
    );
    with_verifier(&workspace, "[python3, env.py, got-of-check/got]");
    std::fs::create_dir(workspace.path().join("got-of-check")).unwrap();
    let output = workspace.run(&[], 0);
    let got = workspace.read("got");
    for pair in [
        "('BOTH', 'task')",
        "('DEBUG', 'no')",
        "('PORT', '8080')",
        "('TOKEN', 'hunter2-of-task')",
        "('REGION', '010')",
        "('PYTHONPATH', 'hunter2-lib')",
    ] {
        assert!(got.contains(pair), "{pair} is not in {got}");
    }
    // A verifier's commands have the workspace's and not the task's.
    let check = workspace.read("got-of-check/got");
    assert!(check.contains("('BOTH', 'workspace')") && !check.contains("TOKEN"), "{check}");
    let mut shown = out(&output) + &err(&output);
    for args in
        [&["status"][..], &["report", "--format", "json"], &["report"], &["logs", "a"], &["audit", "verify"]]
    {
        let output = workspace.host(args, 0);
        shown += &(out(&output) + &err(&output));
    }
    assert!(!shown.contains("hunter2"), "{shown}");
    is_nowhere(&workspace, "hunter2");
    let added = workspace.events().into_iter().find_map(|event| match event {
        orch_journal::Event::TasksAdded { tasks, .. } => tasks[0].env.clone(),
        _ => None,
    });
    assert_eq!(added.unwrap().names, ["BOTH", "DEBUG", "PORT", "TOKEN"]);
}

#[test]
fn variables_that_policy_does_not_grant_are_refused_before_the_first_task() {
    let env = |env: &str| {
        format!(
            "- {{id: first, command: [python3, print.py, ran]}}\n- {{id: a, command: [python3, print.py, ran], env: {env}}}\n"
        )
    };
    let check = |said: &str, granted: &str, parts: &[&str]| {
        let workspace = workspace(&env(said), "\"python3\", \"sh\"", granted);
        refused(&workspace, 3, "variable-not-granted", parts);
        assert!(!workspace.path().join("ran").exists());
    };
    check(
        "{MODE: hunter2}",
        "\"PATH\"",
        &["task `a` sets `MODE`", "env = [\"PATH\", \"MODE\"]", "demo/executor-shell"],
    );
    for steering in [
        "PATH",
        "LD_PRELOAD",
        "PYTHONPATH",
        "BASH_ENV",
        "GIT_SSH_COMMAND",
        "https_proxy",
        "NODE_OPTIONS",
        "HOME",
    ] {
        // That the host's own value is handed on is no leave to say another.
        let (said, granted) =
            (format!("{{{steering}: hunter2}}"), format!("\"{steering}\", \"{steering}@sh\""));
        check(
            &said,
            &granted,
            &[
                &format!("sets `{steering}`, which is not granted to `demo/executor-shell` for `python3`"),
                &format!("\"{steering}@python3\""),
            ],
        );
    }
    let workspace = workspace("[]\n", "\"python3\"", "\"PATH\"");
    let config = workspace.read("config.yaml");
    workspace.write("config.yaml", &format!("env: {{MODE: hunter2}}\n{config}"));
    refused(
        &workspace,
        3,
        "variable-not-granted",
        &["`config.yaml` sets `MODE`", "env = [\"PATH\", \"MODE\"]"],
    );
}

#[test]
fn what_is_no_environment_or_has_nobody_to_take_it_is_input() {
    let cases = [
        ("- {id: a, command: [python3], env: [A=b]}\n", "task-wrong-type"),
        ("- {id: a, command: [python3], env: {A: [b]}}\n", "task-wrong-type"),
        ("- {id: a, command: [python3], env: {'A=B': c}}\n", "task-env"),
        ("- {id: a, command: [python3], env: {\"A\\0\": c}}\n", "task-env"),
        ("- {id: a, command: [python3], env: {A: b, A: c}}\n", "task-file-duplicate-key"),
        ("- {id: a, command: [python3], environment: {A: b}}\n", "task-unknown-key"),
        ("- {id: a, command: [python3], added_by: demo/auditor-files, env: {A: b}}\n", "task-env-of-plugin"),
        ("- {id: a, env: {A: b}}\n", "env-unused"),
        ("- {id: a, kind: note, env: {A: b}}\n", "env-unused"),
        (
            "- {id: b, command: [python3, env.py, b]}\n- {id: a, kind: note, command: [touch, x]}\n",
            "command-unused",
        ),
        ("- {id: a, command: [python3], directory: /tmp}\n", "task-directory"),
        ("- {id: a, command: [python3], directory: ../x}\n", "task-directory"),
        ("- {id: a, command: [python3], directory: link}\n", "task-directory"),
        ("- {id: b, command: [python3, env.py, b]}\n- {id: a, directory: src}\n", "task-directory"),
        ("- {id: a, command: [python3], cwd: src}\n", "task-unknown-key"),
        ("- {id: a, command: [python3], dir: src}\n", "task-unknown-key"),
        ("- {id: a, command: [python3], workdir: src}\n", "task-unknown-key"),
    ];
    for (tasks, code) in cases {
        let workspace = workspace(tasks, "\"python3\"", "\"A\"");
        std::fs::create_dir(workspace.path().join("src")).unwrap();
        symlink("src", workspace.path().join("link")).unwrap();
        refused(&workspace, 2, code, &[]);
    }
    for (env, part) in [
        ("[A]", "a mapping of names"),
        ("{A: {B: c}}", "`env.A` is a mapping"),
        ("{9: c}", "cannot name a variable"),
    ] {
        let workspace = workspace("[]\n", "\"python3\"", "\"A\"");
        let config = workspace.read("config.yaml");
        workspace.write("config.yaml", &format!("env: {env}\n{config}"));
        refused(&workspace, 2, "workspace-config", &[part]);
    }
}

#[test]
fn an_edit_of_a_value_is_noticed_without_the_value_and_counts_for_the_next_attempt() {
    let text = |token: &str| {
        format!(
            "- {{id: gate, command: [python3, -c, \"import os; os.path.exists('go') or exit(1)\"]}}\n- {{id: a, command: [python3, env.py, got], env: {{PIN: '{token}'}}, dependencies: [gate]}}\n"
        )
    };
    let workspace = workspace(&text("0000"), "\"python3\"", "\"PATH\", \"PIN\"");
    workspace.run(&[], 1);
    let seals = |workspace: &Workspace| -> Vec<String> {
        let seal = |event: orch_journal::Event| match event {
            orch_journal::Event::TasksAdded { tasks, .. } => tasks.last().unwrap().env.clone(),
            orch_journal::Event::TaskEdited { env, .. } => env,
            _ => None,
        };
        workspace.events().into_iter().filter_map(seal).map(|seal| seal.seal).collect()
    };
    let before = seals(&workspace);
    assert_eq!(before.len(), 1);
    let edited = workspace.read("tasks.yml").replace("'0000'", "'a-pin-that-nothing-else-writes'");
    workspace.write("tasks.yml", &edited);
    workspace.write("go", "");
    workspace.host(&["task", "retry", "gate"], 0);
    workspace.run(&[], 0);
    assert!(workspace.read("got").contains("('PIN', 'a-pin-that-nothing-else-writes')"));
    let after = seals(&workspace);
    assert_eq!((after.len(), after[0] == before[0], after[0] == after[1]), (2, true, false), "{after:?}");
    is_nowhere(&workspace, "a-pin-that-nothing-else-writes");
}

#[test]
fn variables_that_the_operator_allowed_arrive_from_the_host() {
    let workspace = workspace(
        "- {id: a, command: [python3, env.py, got]}\n",
        "\"python3\"",
        r#""PATH", "CARGO_HOME", "HTTPS_PROXY", "CI""#,
    );
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    host.env("CARGO_HOME", "/opt/cargo")
        .env("HTTPS_PROXY", "http://proxy:1")
        .env("CI", "1")
        .env("OTHER", "x");
    assert_eq!(host.status().unwrap().code(), Some(0));
    let got = workspace.read("got");
    for pair in ["('CARGO_HOME', '/opt/cargo')", "('HTTPS_PROXY', 'http://proxy:1')", "('CI', '1')"] {
        assert!(got.contains(pair), "{got}");
    }
    assert!(!got.contains("OTHER"), "{got}");
}

#[test]
fn what_policy_allows_and_a_manifest_does_not_ask_for_is_said() {
    let workspace = Workspace::new("[]\n");
    let path = workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + "\n[plugins.\"demo/executor-note\".allow]\nlog = {}\nprocess = { programs = [\"sh\"], env = [\"TMPDIR\"] }\n").unwrap();
    let package = orch_tests::packages().join("demo/executor-note/0.1.0");
    let inspected = out(&workspace.host(&["plugin", "inspect", package.to_str().unwrap()], 0));
    assert!(
        inspected.contains("policy allows `process.env = TMPDIR`, which the manifest does not ask for"),
        "{inspected}"
    );
    let json = out(&workspace.host(&["plugin", "inspect", package.to_str().unwrap(), "--format", "json"], 0));
    assert!(json.contains(r#""allowedUnasked":["process.programs = sh","process.env = TMPDIR"]"#), "{json}");
    // Some packages of the tests are there to be refused.
    let doctor = out(&workspace.host(&["doctor"], 1));
    assert!(
        doctor
            .contains("demo/executor-note: policy allows `process.env = TMPDIR`, which it does not ask for"),
        "{doctor}"
    );
    assert!(!doctor.contains("demo/executor-shell: policy allows"), "{doctor}");
}

fn script(workspace: &Workspace, name: &str, text: &str) {
    workspace.write(name, text);
    let path = workspace.path().join(name);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_program_of_the_workspace_runs_by_its_path() {
    let tasks = "- {id: a, command: [.venv/bin/tool, one]}\n- {id: b, command: [./run.sh, two]}\n- {id: c, command: [./.venv/bin/python3, print.py, got, three]}\n- {id: d, command: [tool, four], directory: sub}\n- {id: e, command: [python3, print.py, got, five]}\n";
    for programs in [
        r#""python3", ".venv/bin/*", "./run.sh", "tool""#,
        r#""python3", ".venv/bin/tool", ".venv/bin/python3", "./run.sh", "tool""#,
    ] {
        let workspace = workspace(tasks, programs, "\"PATH\"");
        let tool = format!("#!/bin/sh\necho $1 >> '{}/got'\n", workspace.path().display());
        script(&workspace, ".venv/bin/tool", &tool);
        script(&workspace, "run.sh", &tool);
        std::fs::create_dir(workspace.path().join("sub")).unwrap();
        // As every virtual environment has it.
        let python = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join("python3"))
            .find(|path| path.exists())
            .unwrap();
        symlink(python, workspace.path().join(".venv/bin/python3")).unwrap();
        let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "1"]);
        // With the environment active.
        let path = std::env::join_paths(
            std::iter::once(workspace.path().join(".venv/bin"))
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let output = host.env("PATH", path.unwrap()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
        let got = workspace.read("got");
        let mut lines: Vec<&str> = got.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["five", "four", "one", "three", "two"]);
    }
}

#[test]
fn a_program_that_is_not_granted_is_refused_before_the_first_task() {
    let check = |command: &str, exit: i32, parts: &[&str]| {
        let tasks =
            format!("- {{id: first, command: [python3, print.py, ran]}}\n- {{id: a, command: {command}}}\n");
        let workspace = workspace(&tasks, "\"python3\"", "\"PATH\"");
        script(&workspace, "run.sh", "#!/bin/sh\n");
        script(&workspace, ".venv/bin/pytest", "#!/bin/sh\n");
        refused(&workspace, exit, "program-not-granted", parts);
        assert!(!workspace.path().join("ran").exists());
    };
    check(
        "[ls, /]",
        3,
        &[
            "task `a` runs `ls`, which is not granted to `demo/executor-shell`",
            "programs = [\"python3\", \"ls\"]",
        ],
    );
    check("\"true\"", 3, &["runs `sh`", "programs = [\"python3\", \"sh\"]"]);
    check(
        "[.venv/bin/pytest]",
        3,
        &["programs = [\"python3\", \".venv/bin/pytest\"]", "whoever writes there decides what runs"],
    );
    check("[./.venv/bin/pytest]", 3, &["programs = [\"python3\", \".venv/bin/pytest\"]"]);
    check("[./run.sh]", 3, &["programs = [\"python3\", \"./run.sh\"]"]);
    check("[run.sh]", 3, &["`./run.sh`"]);
    check("[../run.sh]", 3, &["which is no path inside the workspace"]);
    check("[.venv/../run.sh]", 3, &["which is no path inside the workspace"]);
    // A task that is over needs nothing any more.
    let workspace = workspace("- {id: a, command: [ls], status: done}\n", "\"python3\"", "\"PATH\"");
    workspace.run(&["--dry-run"], 0);
    workspace.run(&[], 0);
}

#[test]
fn a_program_that_policy_takes_back_is_refused_when_the_run_goes_on() {
    let tasks = "- {id: a, command: [python3, -c, exit(1)]}\n- {id: b, command: [cat, print.py], dependencies: [a]}\n";
    let workspace = workspace(tasks, "\"python3\", \"cat\"", "\"PATH\"");
    workspace.run(&[], 1);
    workspace.host(&["task", "retry", "a"], 0);
    allow(&workspace, "\"python3\"", "\"PATH\"");
    let said = err(&workspace.run(&[], 3));
    assert!(said.contains("code: program-not-granted"), "{said}");
    allow(&workspace, "\"python3\", \"cat\"", "\"PATH\"");
    workspace.run(&[], 1);
}

#[test]
fn a_path_of_the_workspace_that_is_not_allowed_any_folder_is_malformed_policy() {
    for programs in ["\"../x\"", "\".venv/../x\"", "\"./a/b\"", "\"*/x\"", "\"**\"", "\"*\"", "\"a/\""] {
        let workspace = workspace("[]\n", programs, "\"PATH\"");
        workspace.run(&[], 2);
    }
    for env in ["\"*\"", "\"A=b\"", "\"A@*\"", "\"A@\"", "\"@sh\""] {
        let workspace = workspace("[]\n", "\"sh\"", env);
        workspace.run(&[], 2);
    }
}

#[test]
fn a_text_of_several_lines_stops_at_the_first_that_fails() {
    let tasks = "- id: lines\n  command: |\n    false\n    touch after-false\n- id: goes-on\n  command: |\n    set +e\n    false\n    touch goes-on\n- {id: pipe, command: \"false | cat\"}\n";
    let workspace = workspace(tasks, "\"sh\"", "\"PATH\"");
    workspace.run(&[], 1);
    assert!(!workspace.path().join("after-false").exists());
    assert!(workspace.path().join("goes-on").exists());
    let statuses = workspace.statuses();
    assert_eq!((&*statuses["lines"], &*statuses["goes-on"], &*statuses["pipe"]), ("failed", "done", "done"));
}

#[test]
fn words_arrive_as_they_are_written_in_either_file() {
    let words = [
        "4",
        "true",
        "no",
        "010",
        "1.50",
        "~",
        "null",
        "on",
        "0x1F",
        "1e3",
        "2001-01-01",
        "-0",
        ".inf",
        "1_000",
        "-j",
        "\"quoted 7\"",
        "'00'",
    ];
    let list = words.join(", ");
    let tasks = format!("- {{id: a, command: [python3, print.py, got, {list}]}}\n");
    let workspace = workspace(&tasks, "\"python3\"", "\"PATH\"");
    with_verifier(&workspace, &format!("[python3, print.py, got-of-check, {list}]"));
    workspace.run(&[], 0);
    let expected: Vec<&str> = words.iter().map(|word| word.trim_matches(['"', '\''])).collect();
    assert_eq!(workspace.read("got").lines().collect::<Vec<_>>(), expected);
    assert_eq!(workspace.read("got-of-check").lines().collect::<Vec<_>>(), expected);
}

#[test]
fn arguments_beyond_the_limit_are_said_at_the_start() {
    let tasks = |bytes: usize| format!("- {{id: a, command: [python3, -c, \"{}\"]}}\n", "#".repeat(bytes));
    let workspace = workspace(&tasks(131_073), "\"python3\"", "\"PATH\"");
    refused(&workspace, 2, "task-over-limit", &["`command` is 131082, limit is 131008"]);
    workspace.write("tasks.yml", &tasks(130_900));
    workspace.run(&[], 0);
}

#[test]
fn retries_alone_are_said_at_the_start() {
    let flaky = "test -e once || { touch once; exit 1; }";
    let tasks = |more: &str| format!("- {{id: flaky, command: [sh, -c, \"{flaky}\"], retries: 3{more}}}\n");
    let workspace = workspace(&tasks(""), "\"sh\"", "\"PATH\"");
    let note = "`retries` of task `flaky` covers only a command that could not be started";
    assert!(err(&workspace.run(&["--dry-run"], 0)).contains(note));
    assert!(err(&workspace.run(&[], 1)).contains(note));
    let with_reason = self::workspace(&tasks(", retry_on: [1]"), "\"sh\"", "\"PATH\"");
    assert!(!err(&with_reason.run(&[], 0)).contains("`retries`"));
}
