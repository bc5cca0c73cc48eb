//! The projects of `examples/`: their maintainers' sources, done as `tasks.yml` says, without a network.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use orch_journal::Event;
use orch_tests::world::World;
use orch_tests::{Workspace, binary, copy, err, out, root};

/// What `xtask/src/examples.rs` fetched.
fn fetched(name: &str) -> PathBuf {
    let path = root().join("target/examples").join(name);
    assert!(path.exists(), "`{}` is not fetched: run `cargo xtask examples`", path.display());
    path
}

/// The example's files over the sources of its project, under an operator who allows what `policy.toml` says.
fn example(name: &str, unpack: impl Fn(&Workspace)) -> Workspace {
    let workspace = Workspace::new("[]");
    unpack(&workspace);
    let files = root().join("examples").join(name);
    for file in ["config.yaml", "tasks.yml", "requirements.txt"] {
        let from = files.join(file);
        if from.exists() {
            std::fs::copy(from, workspace.path().join(file)).unwrap();
        }
    }
    let policy = workspace.operator().join("policy.toml");
    let before = std::fs::read_to_string(&policy).unwrap();
    let packages = before.lines().find(|line| line.starts_with("packages = ")).unwrap();
    let allowed = std::fs::read_to_string(files.join("policy.toml")).unwrap();
    // What pip and cargo would fetch lies beside the projects.
    let beside = format!("[sandbox]\nread = [\"{}\"]\n", root().join("target/examples").display());
    assert!(allowed.contains("[sandbox]\n"), "{allowed}");
    let allowed = allowed.replacen("[sandbox]\n", &beside, 1);
    std::fs::write(policy, format!("{packages}\n{allowed}")).unwrap();
    workspace
}

fn of_python(name: &str, archive: &str) -> Workspace {
    example(name, |workspace| {
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(fetched("sources").join(archive)).args(["--strip-components", "1", "-C"]);
        assert!(tar.arg(workspace.path()).status().unwrap().success());
    })
}

/// `orch-host run` where nothing reaches a network: by the kernel where this user may have that, by pip and cargo always.
#[track_caller]
fn run(workspace: &Workspace, args: &[&str], exit: i32) -> String {
    let mut host = workspace.command(&[&["run", "--trust-workspace"], args].concat());
    host.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", fetched("wheels")).env("CARGO_NET_OFFLINE", "true");
    let alone = || {
        // SAFETY: a system call only. A user who is not root may not; then the variables have to do.
        let _ = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        Ok(())
    };
    // SAFETY: see above.
    let output = unsafe { host.pre_exec(alone) }.output().unwrap();
    assert_eq!(output.status.code(), Some(exit), "{}\n{}", out(&output), err(&output));
    out(&output)
}

/// Tasks that the newest run started.
fn started(workspace: &Workspace) -> BTreeSet<String> {
    let reader = workspace.reader();
    let run = reader.runs().unwrap().first().unwrap().id.clone();
    let tasks = reader.tasks(&run).unwrap();
    let started = workspace.events().into_iter().filter_map(|event| match event {
        Event::AttemptStarted { task, .. } => Some(tasks[task as usize].id.clone()),
        _ => None,
    });
    started.collect()
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn all_done(workspace: &Workspace) {
    let statuses = workspace.statuses();
    assert!(statuses.values().all(|status| status == "done"), "{statuses:?}");
    assert_eq!(findings(workspace, ""), [""; 0]);
}

/// What the check of that name found, as the newest run's report has it.
fn findings(workspace: &Workspace, check: &str) -> Vec<String> {
    let report = out(&workspace.host(&["report", "--format", "json"], 0));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let found = report["findings"].as_array().unwrap().iter();
    let messages = found.map(|finding| finding["message"].as_str().unwrap().to_owned());
    messages.filter(|message| message.starts_with(check)).collect()
}

/// The numbers that a tool prints: of the last place where the text has that form.
#[track_caller]
fn counted(text: &str, form: &str) -> Vec<usize> {
    let form = regex::Regex::new(form).unwrap();
    let found = form.captures_iter(text).last().unwrap_or_else(|| panic!("no `{form}` in {text}"));
    found.iter().skip(1).map(|number| number.unwrap().as_str().parse().unwrap()).collect()
}

/// A tool of the workspace's own, beside any run.
fn tool(workspace: &Workspace, args: &[&str]) -> String {
    let mut tool = Command::new(workspace.path().join(".venv/bin").join(args[0]));
    out(&tool.args(&args[1..]).current_dir(workspace.path()).output().unwrap())
}

/// Changes a file of the sources; gives what it was before.
#[track_caller]
fn change(workspace: &Workspace, file: &str, from: &str, to: &str) -> String {
    let before = workspace.read(file);
    let after = before.replacen(from, to, 1);
    assert_ne!(before, after, "`{file}` has no `{from}`");
    workspace.write(file, &after);
    before
}

#[test]
fn itsdangerous_is_done_as_its_tox_does_it() {
    let workspace = of_python("itsdangerous", "itsdangerous-2.2.0.tar.gz");
    run(&workspace, &[], 0);
    all_done(&workspace);
    assert_eq!(started(&workspace), set(&["venv", "tools", "wheel", "install", "test", "clean"]));
    assert_eq!(
        counted(&workspace.read("build/test.xml"), "failures=\"(\\d+)\".* tests=\"(\\d+)\""),
        [0, 297]
    );

    let said = run(&workspace, &[], 0);
    assert!(said.contains("up to date  venv, tools, wheel, install, test"), "{said}");
    assert_eq!(started(&workspace), set(&[]));

    // One change that the tests, the types and the style object to.
    let file = "src/itsdangerous/encoding.py";
    let before = change(&workspace, file, "rstrip(b\"=\")", "rstrip(b\"!\")");
    workspace.write(file, &(workspace.read(file) + "import os\n\n\nsize: int = \"\"\n"));
    let said = run(&workspace, &[], 1);
    assert_eq!(started(&workspace), set(&["wheel", "install", "test", "clean"]));
    assert_eq!(workspace.statuses()["test"], "failed");
    assert!(said.contains("FAILED tests/test_itsdangerous/test_url_safe.py::"), "{said}");
    let tests = findings(&workspace, "tests: ");
    assert!(tests.iter().any(|found| found.contains("TestSigner.test_broken_signature")), "{tests:?}");
    assert_eq!(counted(&said, r"= (\d+) failed, (\d+) passed in"), [tests.len(), 297 - tests.len()]);
    let types = findings(&workspace, "typing: ").len();
    assert_eq!(counted(&tool(&workspace, &["mypy"]), r"Found (\d+) error"), [types]);
    let style = tool(&workspace, &["ruff", "check", "--no-fix", "--output-format", "json"]);
    let style: Vec<serde_json::Value> = serde_json::from_str(&style).unwrap();
    assert_eq!((style.len(), findings(&workspace, "style: ").len()), (3, 3));
    assert_eq!(findings(&workspace, "format: ").len(), 1);

    workspace.write(file, &before);
    run(&workspace, &["--retry-failed"], 0);
    all_done(&workspace);
    assert!(started(&workspace).is_disjoint(&set(&["venv", "tools"])));
}

#[test]
fn pyproject_hooks_is_done_as_its_nox_does_it() {
    let workspace = of_python("pyproject-hooks", "pyproject_hooks-1.3.3.tar.gz");
    run(&workspace, &[], 0);
    all_done(&workspace);
    assert_eq!(started(&workspace), set(&["venv", "requirements", "install", "test", "flake8", "clean"]));
    assert_eq!(counted(&workspace.read("build/test.xml"), "failures=\"(\\d+)\".* tests=\"(\\d+)\""), [0, 42]);

    run(&workspace, &[], 0);
    assert_eq!(started(&workspace), set(&[]));

    let file = "src/pyproject_hooks/_impl.py";
    let before = change(&workspace, file, "if os.path.isabs(requested):", "if requested is None:");
    let said = run(&workspace, &[], 1);
    assert_eq!(started(&workspace), set(&["install", "test", "flake8", "clean"]));
    assert_eq!(workspace.statuses()["test"], "failed");
    let tests = findings(&workspace, "tests: ");
    assert_eq!(counted(&said, r"= (\d+) failed, (\d+) passed in"), [tests.len(), 42 - tests.len()]);
    assert!(tests[0].contains("test_inplace_hooks"), "{tests:?}");

    workspace.write(file, &before);
    run(&workspace, &["--retry-failed"], 0);
    all_done(&workspace);
}

#[test]
fn shlex_is_done_as_its_workflow_does_it() {
    let workspace = example("shlex", |workspace| copy(&fetched("crates").join("shlex"), &workspace.path()));
    run(&workspace, &[], 0);
    all_done(&workspace);
    assert_eq!(started(&workspace), set(&["test", "clippy", "no-default-features", "doc"]));

    let said = run(&workspace, &[], 0);
    assert!(said.contains("up to date  test, clippy, no-default-features, doc"), "{said}");
    assert_eq!(started(&workspace), set(&[]));

    // A first finding ends the run: here that of the first task.
    let before = change(&workspace, "src/bytes.rs", "'#' => {", "'%' => {");
    let said = run(&workspace, &["--jobs", "1"], 1);
    assert_eq!(workspace.statuses()["test"], "failed");
    assert!(said.contains("test: ") && said.contains("FAILED bytes::test_split"), "{said}");
    let logs = std::fs::read_dir(workspace.path().join("logs")).unwrap();
    let logs = logs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let log = logs.filter(|name| name.starts_with("verify-test-")).max().unwrap();
    let log = workspace.read(&format!("logs/{log}"));
    let failed = counted(&log, r"\d+ passed; (\d+) failed");
    let found = findings(&workspace, "test: ");
    assert_eq!(failed, [found.len()], "{found:?}");

    workspace.write("src/bytes.rs", &before);
    run(&workspace, &["--retry-failed"], 0);
    all_done(&workspace);
}

/// The commands of the page's first block of them, and the network of its policy.
fn page() -> (String, Vec<String>) {
    let text = std::fs::read_to_string(root().join("docs/examples.md")).unwrap();
    let block = |of: &str| {
        let (_, rest) = text.split_once(&format!("```{of}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let policy: toml::Table = block("toml").parse().unwrap();
    let network = policy["network"].as_array().unwrap().iter();
    (block("sh"), network.map(|target| target.as_str().unwrap().to_owned()).collect())
}

/// What commands reached, and what they were refused.
fn reached(workspace: &Workspace) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    for event in workspace.events() {
        if let Event::NetworkUsed(used) = event {
            assert!(used.others == 0 && used.uses.iter().all(|one| one.refused == 0), "{used:?}");
            reached.extend(used.uses.into_iter().map(|one| one.target));
        }
    }
    reached
}

#[test]
fn an_example_is_done_in_the_sandbox_with_the_registries_and_nobody_else() {
    // The page has the first.
    for (name, sources) in
        [("itsdangerous", "itsdangerous-2.2.0"), ("pyproject-hooks", "pyproject_hooks-1.3.3")]
    {
        walk(name, sources);
    }
}

/// The page's commands, for that project.
fn walk(name: &str, sources: &str) {
    let (walk, network) = page();
    let walk = walk
        .replace("itsdangerous-2.2.0", sources)
        .replace("examples/itsdangerous", &format!("examples/{name}"));
    let mut workspace = example(name, |_| ());
    let policy = workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    // Whose certificates are believed is pip's own setting.
    let text = text.replacen("\"PIP_NO_INDEX\"", "\"PIP_CERT\"", 1).replace(", \"PIP_FIND_LINKS\"", "");
    let granted: toml::Table = text.parse().unwrap();
    let granted = &granted["plugins"]["demo/executor-shell"]["allow"]["process"]["network"];
    assert_eq!(
        granted.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect::<Vec<_>>(),
        network
    );
    let world = World::of_registries(&workspace, &fetched("wheels"));
    // Nothing that was fetched is to be read.
    let read = format!("read = [{:?}]", world.ca());
    let named = |line: &str| if line.starts_with("read = ") { read.clone() } else { line.to_owned() };
    let text = text.lines().map(named).collect::<Vec<_>>().join("\n");
    std::fs::write(&policy, text).unwrap();
    let archive = format!("{sources}.tar.gz");
    std::fs::copy(fetched("sources").join(&archive), workspace.path().join(&archive)).unwrap();
    std::os::unix::fs::symlink(root().join("examples"), workspace.path().join("examples")).unwrap();
    let programs = workspace.outside().join("programs");
    std::fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink(binary("orch-host"), programs.join("orch-host")).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-ec", &walk]).current_dir(workspace.path()).env("NO_COLOR", "1");
    bash.env("XDG_CONFIG_HOME", workspace.config_home()).env("XDG_RUNTIME_DIR", workspace.outside());
    bash.env("XDG_STATE_HOME", workspace.outside().join("state")).env("PIP_CERT", world.ca());
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let output = world.around(bash.env("PATH", path)).output().unwrap();
    assert!(output.status.success(), "{}{}", out(&output), err(&output));
    workspace.move_into(sources);
    all_done(&workspace);
    assert_eq!(reached(&workspace), network.into_iter().collect());
    let hosts: BTreeSet<String> = world.seen().into_iter().map(|(host, _)| host).collect();
    assert_eq!(hosts, set(&["pypi.org", "files.pythonhosted.org"]));
}

#[test]
fn cargo_and_npm_fetch_from_their_registries_and_from_nobody_else() {
    let workspace = example("shlex", |_| ());
    let policy = workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    let network = ["index.crates.io:443", "static.crates.io:443", "registry.npmjs.org:443"];
    let process = text.lines().find(|line| line.starts_with("process = ")).unwrap();
    let env = [
        "HOME",
        "PATH",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "CARGO_HOME@cargo",
        "CARGO_HTTP_CAINFO@cargo",
        "npm_config_cafile@npm",
        "npm_config_cache@npm",
    ];
    let granted =
        format!("process = {{ programs = [\"cargo\", \"npm\"], env = {env:?}, network = {network:?} }}");
    let text = text.replacen(process, &granted, 1);
    std::fs::write(&policy, text).unwrap();
    workspace.write(
        "config.yaml",
        "roles: {planner: demo/planner-priority, executors: {shell: demo/executor-shell}}\n",
    );
    workspace.write("Cargo.toml", "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\ntinything = \"1\"\n");
    workspace.write("src/lib.rs", "pub use tinything::SAID;\n");
    workspace.write("package.json", "{\"name\": \"app\", \"dependencies\": {\"tinything\": \"1.0.0\"}}\n");
    let world = World::of_registries(&workspace, &fetched("wheels"));
    // npm is on most machines, not on all.
    let has_npm =
        std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join("npm").exists());
    let mut tasks = "- {id: fetch, command: [cargo, fetch], env: {CARGO_HTTP_CAINFO: ca.pem, CARGO_HOME: HERE/.cargo-home}}\n\
                     - {id: build, command: [cargo, build, --offline], env: {CARGO_HOME: HERE/.cargo-home}, dependencies: [fetch]}\n"
        .to_owned();
    if has_npm {
        tasks += "- {id: npm, command: [npm, ci, --no-audit, --no-fund, --no-update-notifier, --fetch-retries=0], \
                  env: {npm_config_cafile: ca.pem, npm_config_cache: .npm}}\n";
    }
    workspace.write("tasks.yml", &tasks.replace("HERE", workspace.path().to_str().unwrap()));
    let host = workspace.command(&["run", "--trust-workspace"]);
    let output = world.around(&host).output().unwrap();
    let logs =
        || ["fetch", "npm"].map(|task| out(&workspace.command(&["logs", task]).output().unwrap())).concat();
    assert_eq!(output.status.code(), Some(0), "{}{}{}", out(&output), err(&output), logs());
    let mut wanted = set(&network[..2]);
    if has_npm {
        wanted.insert(network[2].to_owned());
        assert!(workspace.read("node_modules/tinything/index.js").contains("tiny"));
    }
    assert_eq!(reached(&workspace), wanted);
}

#[test]
fn a_preset_keeps_what_npm_fetched_and_a_person_has_nothing_of_it() {
    // npm is on most machines, not on all.
    let path = std::env::var_os("PATH").unwrap();
    if !std::env::split_paths(&path).any(|folder| folder.join("npm").exists()) {
        return;
    }
    let workspace = example("shlex", |_| ());
    let policy = workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    let process = text.lines().find(|line| line.starts_with("process = ")).unwrap();
    let granted = "process = { programs = [\"npm\"], env = [\"HOME\", \"PATH\", \"npm_config_cafile@npm\"], \
                   network = [\"registry.npmjs.org:443\"] }";
    let presets = text.lines().find(|line| line.starts_with("presets = ")).unwrap();
    let text = text.replacen(process, granted, 1).replacen(presets, "presets = [\"node\"]", 1);
    std::fs::write(&policy, text).unwrap();
    workspace.write(
        "config.yaml",
        "roles: {planner: demo/planner-priority, executors: {shell: demo/executor-shell}}\n",
    );
    workspace.write("package.json", "{\"name\": \"app\", \"dependencies\": {\"tinything\": \"1.0.0\"}}\n");
    let home = workspace.outside().join("home");
    std::fs::create_dir_all(home.join(".npm")).unwrap();
    let world = World::of_registries(&workspace, &fetched("wheels"));
    let ci = |id: &str, more: &str| {
        format!(
            "- {{id: {id}, command: [npm, ci{more}, --no-audit, --no-fund, --no-update-notifier, --fetch-retries=0], \
             env: {{npm_config_cafile: ca.pem}}}}\n"
        )
    };
    let (again, offline) = ("again, dependencies: [fetch]", ", --offline");
    workspace.write("tasks.yml", &[ci("offline", offline), ci("fetch", ""), ci(again, offline)].concat());
    let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "1"]);
    let output = world.around(host.env("HOME", &home)).output().unwrap();
    let logs =
        ["offline", "fetch", "again"].map(|task| out(&workspace.command(&["logs", task]).output().unwrap()));
    let ended = [("offline", "failed"), ("fetch", "done"), ("again", "done")];
    let ended = ended.map(|(task, status)| (task.to_owned(), status.to_owned()));
    assert_eq!(workspace.statuses(), ended.into(), "{}{}{}", out(&output), err(&output), logs.concat());
    assert!(workspace.read("node_modules/tinything/index.js").contains("tiny"));
    assert_eq!(std::fs::read_dir(home.join(".npm")).unwrap().count(), 0);
}
