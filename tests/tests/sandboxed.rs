//! Commands of tasks in the sandbox, in whole runs: what they see, what they cannot do, what people are told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::path::Path;

use orch_tests::{Workspace, err, out};

/// The operator's policy with a sandbox, and what it says besides.
fn sandboxed(tasks: &str, more: &str) -> Workspace {
    let workspace = Workspace::new(tasks);
    policy(&workspace, &format!("[sandbox]\n{more}\n"));
    workspace
}

/// Puts that in the place of `[sandbox] mode = "off"`.
fn policy(workspace: &Workspace, sandbox: &str) {
    let path = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("[sandbox]\nmode = \"off\"\n"), "{text}");
    fs::write(&path, text.replace("[sandbox]\nmode = \"off\"\n", sandbox)).unwrap();
}

/// The log of the only task.
fn log(workspace: &Workspace) -> String {
    out(&workspace.host(&["logs", "a"], 0))
}

#[test]
fn a_task_works_in_its_workspace_and_nothing_else_is_there() {
    let workspace = sandboxed(
        "- {id: a, command: [sh, -c, 'echo made > made; ls -a; ls /; ls -a /home /root; echo $HOME; cat /etc/shadow']}\n",
        "",
    );
    let said = workspace.run(&[], 1);
    assert_eq!(workspace.read("made"), "made\n");
    let log = log(&workspace);
    assert!(log.contains("/etc/shadow: No such file"), "{log}");
    assert!(
        log.contains(
            "`/etc/shadow` is outside of the sandbox, which may be why: `[sandbox] read = [\"/etc/shadow\"]`"
        ),
        "{log}"
    );
    for hidden in [".ssh", ".cargo", ".bashrc"] {
        assert!(!log.contains(hidden), "{log}");
    }
    assert!(!err(&said).contains("equals your own authority"), "{}", err(&said));
    assert!(!out(&workspace.host(&["report"], 0)).contains("authority"));
}

#[test]
fn a_path_that_a_command_prints_as_it_fails_is_no_denial() {
    let workspace = sandboxed("- {id: a, command: [sh, -c, 'echo kept in /etc/shadow; exit 1']}\n", "");
    workspace.run(&[], 1);
    let log = log(&workspace);
    assert!(log.contains("kept in /etc/shadow") && !log.contains("outside of the sandbox"), "{log}");
}

/// Of the host's own folders the one where it listens, too.
#[test]
fn commands_of_verifiers_see_no_more_than_those_of_tasks() {
    let workspace = sandboxed("- {id: a, command: [sh, -c, 'ls -A .. > seen']}\n", "");
    let check = "{name: looks, category: lint, command: [sh, -c, 'ls -A ..; test ! -e /etc/shadow && test \"$(ls -A ..)\" = workspace']}";
    let roles = workspace.read("config.yaml");
    let verified = format!(
        "{roles}  verifiers: [demo/verifier-command]\nsettings: {{demo/verifier-command: {{checks: [{check}]}}}}\nfindings: {{max_medium: 0, medium_fails: true}}\n"
    );
    workspace.write("config.yaml", &verified);
    workspace.run(&[], 0);
    assert_eq!(workspace.read("seen"), "workspace\n");
    // The check can say no.
    workspace.write("config.yaml", &verified.replace("! -e /etc/shadow", "-e /etc/shadow"));
    workspace.run(&[], 1);
}

#[test]
fn without_a_word_the_sandbox_is_required() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'test ! -e /etc/shadow']}\n");
    policy(&workspace, "");
    workspace.run(&[], 0);
}

#[test]
fn what_is_the_hosts_is_empty_and_what_is_peoples_is_not_written() {
    let script = "for one in .orch logs config.yaml tasks.yml; do \
                  rm -rf $one && exit 1; mv $one there && exit 1;\
                  (echo x > $one) && exit 1; ln -sfT x $one && exit 1; done;\
                  for one in .orch logs; do ls -A $one/ | grep . && exit 1; (echo x > $one/made) && exit 1; done;\
                  cat config.yaml > seen; exit 0";
    let workspace = sandboxed(&format!("- id: a\n  command: [sh, -c, \"{script}\"]\n"), "");
    let config = workspace.read("config.yaml");
    workspace.run(&[], 0);
    assert_eq!((workspace.read("config.yaml"), workspace.read("seen")), (config.clone(), config));
    assert!(workspace.read("tasks.yml").contains("status: done"));
    assert!(!workspace.path().join("there").exists());
    // The operator's folder in the workspace, and a folder that the policy shows whole.
    let operator = workspace.operator();
    let script =
        format!("cat {0}/policy.toml && exit 1; ls -A {0} | grep . && exit 1; exit 0", operator.display());
    workspace.write("tasks.yml", &format!("- {{id: b, command: [sh, -c, '{script}']}}\n"));
    let text = fs::read_to_string(operator.join("policy.toml")).unwrap();
    let shown = format!("[sandbox]\nread = [\"{}\"]\n", workspace.outside().display());
    fs::write(operator.join("policy.toml"), text.replace("[sandbox]\n", &shown)).unwrap();
    workspace.run(&[], 0);
}

#[test]
fn a_name_of_the_hosts_that_a_command_makes_is_said_in_its_log() {
    let workspace = sandboxed("- {id: a, command: [sh, -c, 'echo x > config.yml; mkdir .git']}\n", "");
    workspace.run(&[], 0);
    let log = log(&workspace);
    for name in ["config.yml", ".git"] {
        assert!(log.contains(&format!("[orch: `{name}` was not there before this command")), "{log}");
    }
}

#[test]
fn a_repository_is_read_and_nothing_is_made_in_it() {
    let script = "cat .git/config && ls .git/objects || exit 1;\
                  (echo ../evil > .git/commondir) && exit 1; mkdir .git/hooks && exit 1; (echo x > .git/index) && exit 1;\
                  rm .git/objects/one && exit 1; mv .git gone && exit 1; exit 0";
    let workspace = sandboxed(&format!("- id: a\n  command: [sh, -c, \"{script}\"]\n"), "");
    for file in [".git/config", ".git/objects/one"] {
        workspace.write(file, "mine");
    }
    workspace.run(&[], 0);
    let names = fs::read_dir(workspace.path().join(".git")).unwrap();
    let names: std::collections::BTreeSet<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["config", "objects"].map(Into::into).into(), "nothing came into it");
    // A file that leads to a repository elsewhere is not led anywhere else, whatever the policy says of repositories.
    fs::remove_dir_all(workspace.path().join(".git")).unwrap();
    let workspace = sandboxed(
        "- {id: b, command: [sh, -c, 'cat .git || exit 1; (echo gitdir: evil > .git) && exit 1; rm .git && exit 1; exit 0']}\n",
        "git = \"write\"",
    );
    workspace.write(".git", "gitdir: /elsewhere\n");
    workspace.run(&[], 0);
    assert_eq!(workspace.read(".git"), "gitdir: /elsewhere\n");
}

#[test]
fn hooks_and_settings_of_git_are_read_and_not_written() {
    let script = "cat .git/config && echo x > .git/objects/new || exit 1;\
                  (echo x >> .git/config) && exit 1; (echo x > .git/hooks/pre-commit) && exit 1;\
                  mv .git gone && exit 1; mv .git/hooks gone && exit 1; rm -rf .git/hooks && exit 1; exit 0";
    let workspace = sandboxed(&format!("- id: a\n  command: [sh, -c, \"{script}\"]\n"), "git = \"write\"");
    for file in [".git/config", ".git/hooks/sample", ".git/objects/one"] {
        workspace.write(file, "mine");
    }
    workspace.run(&[], 0);
    assert_eq!(workspace.read(".git/config"), "mine");
    assert_eq!(workspace.read(".git/hooks/sample"), "mine");
    assert_eq!(workspace.read(".git/objects/new"), "x\n");
    // A link in its place shows nothing of what it leads to.
    fs::remove_dir_all(workspace.path().join(".git")).unwrap();
    let outside = workspace.outside().join("elsewhere");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("config"), "secret").unwrap();
    std::os::unix::fs::symlink(&outside, workspace.path().join(".git")).unwrap();
    workspace.write("tasks.yml", "- {id: b, command: [sh, -c, '! cat .git/config']}\n");
    workspace.run(&[], 0);
}

#[test]
fn the_network_is_there_for_those_only_who_were_granted_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Its own loopback is there for whoever talks to itself.
    let script = format!(
        "import socket; own = socket.create_server((\\\"127.0.0.1\\\", 0)); \
         socket.create_connection(own.getsockname(), 5); print(\\\"own\\\", flush=True); \
         socket.create_connection((\\\"127.0.0.1\\\", {port}), 5)"
    );
    let workspace = sandboxed(&format!("- {{id: a, command: [/usr/bin/python3, -c, \"{script}\"]}}\n"), "");
    let path = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    let granted = text.replace("programs = [\"python3\"", "programs = [\"/usr/bin/python3\", \"python3\"");
    assert_ne!(granted, text);
    fs::write(&path, granted).unwrap();
    workspace.run(&[], 1);
    let log = log(&workspace);
    assert!(log.contains("own\n") && log.contains("ConnectionRefusedError"), "{log}");
    let text = fs::read_to_string(&path).unwrap();
    let network = format!("\"PATH\"], network = [\"127.0.0.1:{port}\"] }}");
    let granted = text.replacen("\"PATH\"] }", &network, 1);
    assert_ne!(granted, text);
    fs::write(&path, granted).unwrap();
    workspace.run(&["--retry-failed"], 0);
}

#[test]
fn too_many_processes_and_too_much_memory_end_a_task_and_its_log_says_which() {
    for (limit, script, key) in [
        (
            "processes = 20",
            "for i in 1 2 3 4 5 6 7 8; do (for j in 1 2 3 4; do sleep 60 & done; wait) & done; wait",
            "processes",
        ),
        ("memory_mib = 64", "x=0123456789abcdef; while :; do x=$x$x; done", "memory_mib"),
    ] {
        let workspace = sandboxed(&format!("- {{id: a, command: [sh, -c, '{script}']}}\n"), limit);
        workspace.run(&[], 1);
        let log = log(&workspace);
        assert!(
            log.contains(&format!("than `[sandbox] {key}` in the operator's `policy.toml` allows]")),
            "{log}"
        );
    }
}

#[test]
fn a_folder_that_the_operator_names_is_there_as_it_was_said() {
    let workspace = sandboxed("- {id: a, command: 'true'}\n", "");
    let (read, written) = (workspace.outside().join("read"), workspace.outside().join("written"));
    for folder in [&read, &written] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("file"), "there").unwrap();
    }
    let path = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    let said = format!("[sandbox]\nread = [\"{}\"]\nwrite = [\"{}\"]\n", read.display(), written.display());
    fs::write(&path, text.replace("[sandbox]\n", &said)).unwrap();
    let script = format!(
        "cat {0}/file && cat {1}/file && echo x > {1}/made && ! echo x > {0}/made",
        read.display(),
        written.display()
    );
    workspace.write("tasks.yml", &format!("- {{id: a, command: [sh, -c, '{script}']}}\n"));
    workspace.run(&[], 0);
    assert!(written.join("made").exists() && !read.join("made").exists());
}

#[test]
fn where_there_is_none_each_report_says_so_and_a_machine_that_lacks_a_wall_starts_nothing() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'echo ran >> ran']}\n");
    workspace.run(&[], 0);
    assert!(out(&workspace.host(&["report"], 0)).contains("equals your own authority"));
    // A namespace of users that may have no other: the machine of a container.
    let lacking_by = |workspace: &Workspace, args: &[&str], exit: i32| {
        let host = workspace.command(args);
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(["-Ur", "sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"", "sh"]);
        unshare.arg(host.get_program()).args(host.get_args()).current_dir(workspace.path());
        unshare.env("XDG_RUNTIME_DIR", workspace.outside()).env("NO_COLOR", "1");
        let output = unshare.output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{}{}", out(&output), err(&output));
        out(&output) + &err(&output)
    };
    let lacking = |workspace: &Workspace, exit: i32| {
        lacking_by(workspace, &["run", "--trust-workspace", "--force"], exit)
    };
    let dry = |workspace: &Workspace, exit: i32| {
        lacking_by(workspace, &["run", "--trust-workspace", "--force", "--dry-run"], exit)
    };
    policy(&workspace, "");
    for said in [lacking(&workspace, 2), dry(&workspace, 2)] {
        assert!(said.contains("code: sandbox-lacking") && said.contains("max_user_namespaces"), "{said}");
    }
    assert_eq!(workspace.read("ran"), "ran\n");
    let path = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "\n[sandbox]\nmode = \"best-effort\"\n").unwrap();
    let lacks = "does not give the sandbox its walls for mounts, processes, ipc, network";
    let said = dry(&workspace, 0);
    assert!(said.contains(lacks) && said.contains("nothing was run"), "{said}");
    let said = lacking(&workspace, 0);
    assert!(said.contains(lacks), "{said}");
    assert!(out(&workspace.host(&["report"], 0)).contains(lacks));
    assert_eq!(workspace.read("ran"), "ran\nran\n");
    assert!(Path::new("/etc/shadow").exists());
}

/// What that task of that plugin's says of a cache; each command works in the same workspace.
fn with_cache(tasks: &str, more: &str) -> Workspace {
    let workspace = sandboxed(tasks, "");
    let path = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    let cache = workspace.outside().join("tool");
    let said = format!("[sandbox]\ncache = [\"{}\"]\n{more}\n", cache.display());
    fs::write(&path, text.replace("[sandbox]\n", &said)).unwrap();
    workspace
}

/// Runs one task with that script; `CACHE` in it is the cache's place.
fn with_script(workspace: &Workspace, id: &str, script: &str, exit: i32) {
    let script = script.replace("CACHE", workspace.outside().join("tool").to_str().unwrap());
    workspace.write("tasks.yml", &format!("- {{id: {id}, command: [sh, -c, '{script}']}}\n"));
    workspace.run(&[], exit);
}

#[test]
fn a_cache_is_kept_after_a_good_answer_and_a_poisoned_one_is_thrown_away() {
    let workspace = with_cache("[]\n", "");
    with_script(
        &workspace,
        "a",
        "test ! -e CACHE/good && mkdir -p CACHE/d/e && echo one > CACHE/good && echo x > CACHE/d/e/f",
        0,
    );
    // What failed poisons: a file that is there, one that is not, a folder instead of a file, all that is there.
    for (id, script) in [
        ("b", "echo bad > CACHE/good; echo bad > CACHE/new; exit 1"),
        ("c", "rm -rf CACHE/good && mkdir CACHE/good && echo bad > CACHE/good/x; exit 1"),
        ("d", "rm -rf CACHE/d; mv CACHE/good CACHE/other; ln -s /etc CACHE/link; exit 1"),
        ("e", "echo bad > CACHE/new; kill -9 $$"),
    ] {
        with_script(&workspace, id, script, 1);
    }
    with_script(
        &workspace,
        "f",
        "test \"$(cat CACHE/good)\" = one && test -e CACHE/d/e/f && test \"$(ls CACHE | wc -l)\" = 2",
        0,
    );
    // Replaced, removed and put in another's place by what was good.
    with_script(&workspace, "g", "echo two > CACHE/good && rm -r CACHE/d && echo x > CACHE/d", 0);
    with_script(
        &workspace,
        "h",
        "test \"$(cat CACHE/good)\" = two && test \"$(cat CACHE/d)\" = x && rm CACHE/d",
        0,
    );
    with_script(&workspace, "i", "test ! -e CACHE/d && ! mknod CACHE/gone c 0 0", 0);
    assert!(!workspace.outside().join("tool").exists(), "the person\'s own is never written");
    let out = out(&workspace.host(&["prune", "--caches"], 0));
    assert!(out.starts_with("caches of commands are removed, "), "nothing else is: {out}");
    assert_eq!(workspace.operator().join("caches").read_dir().unwrap().count(), 0);
    with_script(&workspace, "j", "test -d CACHE && test ! -e CACHE/good", 0);
}

#[test]
fn what_the_operator_lets_be_read_lies_beneath_a_cache_and_is_not_written() {
    let workspace = with_cache("[]\n", "");
    let (own, path) = (workspace.outside().join("tool"), workspace.operator().join("policy.toml"));
    fs::create_dir(&own).unwrap();
    fs::write(own.join("mine"), "mine").unwrap();
    with_script(&workspace, "a", "test -d CACHE && test ! -e CACHE/mine", 0);
    let text = fs::read_to_string(&path).unwrap();
    let said = format!("[sandbox]\nread = [\"{}\"]\n", own.display());
    fs::write(&path, text.replace("[sandbox]\n", &said)).unwrap();
    with_script(
        &workspace,
        "b",
        "test \"$(cat CACHE/mine)\" = mine && echo other > CACHE/mine && echo x > CACHE/made",
        0,
    );
    with_script(&workspace, "c", "test \"$(cat CACHE/mine)\" = other && rm CACHE/mine", 0);
    with_script(&workspace, "d", "test ! -e CACHE/mine && test -e CACHE/made", 0);
    assert_eq!(fs::read_to_string(own.join("mine")).unwrap(), "mine");
    assert_eq!(own.read_dir().unwrap().count(), 1);
}

#[test]
fn another_workspace_sees_nothing_of_a_cache_and_without_walls_there_is_none() {
    let first = with_cache("[]\n", "");
    with_script(&first, "a", "echo x > CACHE/made", 0);
    // The same operator, another workspace: the cache is of the workspace\'s path.
    let second = first.outside().join("second");
    fs::create_dir(&second).unwrap();
    fs::copy(first.path().join("config.yaml"), second.join("config.yaml")).unwrap();
    let script = "test -d CACHE && test ! -e CACHE/made"
        .replace("CACHE", first.outside().join("tool").to_str().unwrap());
    fs::write(second.join("tasks.yml"), format!("- {{id: a, command: [sh, -c, '{script}']}}\n")).unwrap();
    let output = first.command(&["run", "--trust-workspace"]).current_dir(&second).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
    let path = first.operator().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("[sandbox]\n", "[sandbox]\nmode = \"off\"\n")).unwrap();
    with_script(&first, "b", "test ! -e CACHE", 0);
}

#[test]
fn a_command_that_leaves_too_little_room_on_the_disk_is_ended_and_its_log_says_so() {
    // More than any disk has.
    let workspace = sandboxed("- {id: a, command: [sh, -c, 'sleep 60']}\n", "free_mib = 4294967295");
    workspace.run(&[], 1);
    let log = log(&workspace);
    assert!(log.contains("less room was left on the disk than `[sandbox] free_mib`"), "{log}");
}

#[test]
fn the_doctor_tries_every_limit_and_every_wall_and_leaves_nothing() {
    let workspace = sandboxed("[]\n", "");
    let output = workspace.host(&["doctor", "--limits", "--format", "json"], 0);
    let said: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    let rows = said["limits"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["fired"] == true), "{rows:#?}");
    let of = |what: &str| rows.iter().filter(|row| row["of"] == what).count();
    assert_eq!((of("call"), of("wall"), of("command")), (21, 6, 8));
    let text = out(&workspace.host(&["doctor", "--limits"], 0));
    assert_eq!(text.lines().count(), rows.len());
    assert!(text.lines().all(|line| line.starts_with("ok  ")), "{text}");
}

#[test]
fn the_operators_folder_may_be_named_from_where_the_host_is_started() {
    let workspace =
        sandboxed("- {id: a, command: [sh, -c, 'test ! -e /etc/shadow']}\n", "presets = [\"python\"]");
    let from = workspace.operator().parent().unwrap().to_owned();
    for home in ["orch", "../config/orch"] {
        workspace.write("tasks.yml", "- {id: a, command: [sh, -c, 'test ! -e /etc/shadow']}\n");
        let mut host = std::process::Command::new(orch_tests::binary("orch-host"));
        // Without a folder of the session the socket lies in the operator's.
        host.current_dir(&from).env_remove("XDG_RUNTIME_DIR").env("NO_COLOR", "1");
        host.env("XDG_STATE_HOME", workspace.outside().join("state"));
        let run = ["run", "--trust-workspace", "--config-home", home];
        let said = host.args(run).arg(workspace.path()).output().unwrap();
        assert_eq!(said.status.code(), Some(0), "{home}: {}{}", out(&said), err(&said));
    }
}
