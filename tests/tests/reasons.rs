//! Errors name the reason: the system's own, at the task; and what the machine lacks is said before a task begins.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use orch_tests::{Workspace, err, out};

/// A workspace whose operator also grants these programs.
fn granting(tasks: &str, programs: &[String]) -> Workspace {
    let workspace = Workspace::new(tasks);
    let policy = workspace.operator().join("policy.toml");
    let more: String = programs.iter().map(|program| format!("\"{program}\", ")).collect();
    let text = fs::read_to_string(&policy).unwrap().replace("programs = [", &format!("programs = [{more}"));
    fs::write(&policy, text).unwrap();
    workspace
}

/// Why a task failed, as the run's line, `status` and the report say it.
#[track_caller]
fn check_said(workspace: &Workspace, task: &str, expected: &str) {
    let report: serde_json::Value =
        serde_json::from_str(&out(&workspace.host(&["report", "--format", "json"], 0))).unwrap();
    let tasks = report["tasks"].as_array().unwrap();
    let found = tasks.iter().find(|found| found["id"] == task).unwrap();
    let said = found["lastAttempt"]["error"].as_str().or(found["attempts"][0]["error"].as_str());
    assert_eq!(said.unwrap_or_else(|| panic!("{found}")), expected);
}

#[test]
fn a_command_that_did_not_start_says_the_systems_reason() {
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &[u8], mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let programs = [
        (
            script("crlf", b"#!/bin/sh\r\necho hi\r\n", 0o755),
            r"its first line asks for `/bin/sh\r`, which does not exist: it has Windows line ends",
        ),
        (script("noshebang", b"echo hi\n", 0o755), "it has no `#!` line and is no program of this system"),
        (script("noexec", b"#!/bin/sh\n", 0o644), "it is not executable (`chmod +x` makes it so)"),
        (
            script("nointerpreter", b"#!/no/such\n", 0o755),
            "its first line asks for `/no/such`, which does not exist",
        ),
        (script("foreign", b"\x7fELF\x02", 0o755), "it is built for another machine"),
        (folder.path().to_str().unwrap().to_owned(), "it is a folder"),
    ];
    let tasks: String = (0..)
        .zip(&programs)
        .map(|(nth, (program, _))| format!("- {{id: t{nth}, command: [{program}]}}\n"))
        .collect();
    let gone = folder.path().join("no/such").to_str().unwrap().to_owned();
    let tasks =
        format!("{tasks}- {{id: gone, command: [{gone}]}}\n- {{id: name, command: [no-such-program]}}\n");
    let granted: Vec<String> = programs.iter().map(|(program, _)| program.clone()).collect();
    let granted = [granted, vec![gone.clone(), "no-such-program".to_owned()]].concat();
    let workspace = granting(&tasks, &granted);
    let said = out(&workspace.run(&[], 1));
    assert!(said.contains("Windows line ends"), "{said}");
    for (nth, (program, why)) in programs.iter().enumerate() {
        check_said(&workspace, &format!("t{nth}"), &format!("cannot run `{program}`: {why}"));
    }
    let missing = format!("cannot run `{gone}`: not found: `{gone}` does not exist, nor does its folder");
    check_said(&workspace, "gone", &missing);
    let unknown =
        "cannot run `no-such-program`: not found: no folder of `PATH` has a program `no-such-program`";
    check_said(&workspace, "name", unknown);
}

#[test]
fn a_folder_that_a_command_cannot_be_run_in_is_named() {
    let workspace = Workspace::new(
        "- {id: typo, command: [\"true\"], directory: srcc}\n- {id: links, command: [sh, -c, 'ln -s src app']}\n\
         - {id: link, command: [\"true\"], directory: app/sub, dependencies: [links]}\n\
         - {id: file, command: [\"true\"], directory: src/file}\n- {id: good, command: [\"true\"], directory: src}\n",
    );
    workspace.write("src/file", "");
    // Made by a task: one that is there before is refused before any task begins.
    workspace.run(&[], 1);
    check_said(&workspace, "typo", "cannot run `true`: not found: folder `srcc` does not exist");
    check_said(&workspace, "link", "cannot run `true`: folder `app` is a link");
    check_said(&workspace, "file", "cannot run `true`: not found: `src/file` is no folder");
    assert_eq!(workspace.statuses()["good"], "done");
}

#[test]
fn retries_that_are_not_used_are_said() {
    let workspace = Workspace::new(
        "- {id: alone, command: [\"false\"], retries: 3}\n- {id: never, command: [\"false\"]}\n\
         - {id: used, command: [\"false\"], retries: 1, retry_on: [1]}\n",
    );
    workspace.write(
        "config.yaml",
        &format!("{}retry: {{base_ms: 1, max_ms: 1}}\n", workspace.read("config.yaml")),
    );
    let said = out(&workspace.run(&[], 1));
    let line = |task: &str| {
        said.lines().filter(|line| line.contains(&format!("failed  {task} "))).collect::<String>()
    };
    assert!(line("alone").contains("not tried again") && line("alone").contains("`retry_on`"), "{said}");
    assert!(
        !line("never").contains("not tried again") && !line("used").contains("not tried again"),
        "{said}"
    );
}

/// A filter that lets a process do without one system call, or one `prctl`, as a container's runtime does.
fn without(command: &mut Command, call: libc::c_long, first_argument: Option<u32>, errno: i32) {
    let load = |offset: u32| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let jump =
        |value: u32, if_not: u8| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, if_not, value);
    let end = |what: u32| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, what);
    let mut program =
        vec![load(0), jump(u32::try_from(call).unwrap(), if first_argument.is_some() { 3 } else { 1 })];
    // The low half of the first argument stands at 16.
    program.extend(first_argument.into_iter().flat_map(|argument| [load(16), jump(argument, 1)]));
    program.extend([end(libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()), end(libc::SECCOMP_RET_ALLOW)]);
    let filter = move || {
        let list = libc::sock_fprog {
            len: u16::try_from(program.len()).unwrap_or_default(),
            filter: program.as_ptr().cast_mut(),
        };
        // SAFETY: two system calls, on a list that lives until both are over.
        let done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const list) == 0
        };
        if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: the closure makes system calls only.
    unsafe { command.pre_exec(filter) };
}

fn instruction(code: u32, if_so: u8, if_not: u8, value: u32) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap(), jt: if_so, jf: if_not, k: value }
}

#[test]
fn a_call_that_the_machine_does_not_give_is_said_before_a_task_begins() {
    let subreaper = u32::try_from(libc::PR_SET_CHILD_SUBREAPER).unwrap();
    for (call, argument, name) in [
        (libc::SYS_openat2, None, "openat2"),
        (libc::SYS_pidfd_open, None, "pidfd_open"),
        (libc::SYS_pidfd_send_signal, None, "pidfd_send_signal"),
        (libc::SYS_close_range, None, "close_range"),
        (libc::SYS_signalfd4, None, "signalfd"),
        (libc::SYS_socketpair, None, "socketpair"),
        (libc::SYS_prctl, Some(subreaper), "prctl PR_SET_CHILD_SUBREAPER"),
    ] {
        // What a kernel says that has no such call, and what old profiles say.
        for errno in [libc::ENOSYS, libc::EPERM] {
            let workspace = Workspace::new("- {id: a, command: [sh, -c, 'touch begun']}\n");
            let host = |args: &[&str]| {
                let mut command = workspace.command(args);
                without(&mut command, call, argument, errno);
                command.output().unwrap()
            };
            let run = host(&["run", "--trust-workspace"]);
            let said = err(&run);
            assert_eq!(run.status.code(), Some(5), "{name}: {said}");
            assert!(said.contains(&format!("does not give `{name}`")), "{said}");
            assert!(said.contains("code: machine-call") && said.contains("seccomp"), "{said}");
            assert!(!workspace.path().join(".orch").exists(), "{name}: nothing began");
            assert_eq!(workspace.read("tasks.yml"), "- {id: a, command: [sh, -c, 'touch begun']}\n");
            let doctor = host(&["doctor"]);
            assert_eq!(doctor.status.code(), Some(1), "{name}: {}", err(&doctor));
            let named = format!("BAD  this machine does not give `{name}`: ");
            assert!(out(&doctor).contains(&named) && err(&doctor).contains("seccomp"), "{}", out(&doctor));
        }
    }
}

/// With that limit of the size of files, in blocks of the shell; the signal that comes with it is as it was.
fn limited(workspace: &Workspace, args: &[&str]) -> Output {
    let host = workspace.command(args);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]).arg(host.get_program()).args(host.get_args());
    shell.env("XDG_RUNTIME_DIR", workspace.outside()).current_dir(workspace.path());
    shell.output().unwrap()
}

#[test]
fn a_folder_that_takes_nothing_is_said_with_the_systems_reason_and_no_other_hint() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'touch begun']}\n");
    workspace.make_known();
    let check = |output: &Output, folder: &Path, hint: &str| {
        let said = err(output);
        assert_eq!(output.status.code(), Some(5), "{said}");
        let named = format!("`{}` cannot be written into", folder.display());
        assert!(said.contains("code: machine-folder") && said.contains(&named), "{said}");
        assert!(said.contains(hint) && !said.contains("full disk"), "{said}");
        assert!(!workspace.path().join(".orch").exists(), "nothing began");
    };
    // The system says so of a file in the place of a folder as it does of a disk that is mounted to be read.
    let logs = workspace.path().join("logs");
    fs::write(&logs, "").unwrap();
    check(&workspace.command(&["run"]).output().unwrap(), &logs, "ls -ld");
    let doctor = out(&workspace.host(&["doctor", "--workspace", "."], 1));
    assert!(doctor.contains(&format!("BAD  `{}` cannot be written into: ", logs.display())), "{doctor}");
    fs::remove_file(&logs).unwrap();
    let first = [workspace.operator().join("cache"), workspace.path()].into_iter().min().unwrap();
    check(&limited(&workspace, &["run"]), &first, "ulimit -f");
    let doctor = limited(&workspace, &["doctor"]);
    assert!(out(&doctor).contains("cannot be written into: File too large"), "{doctor:?}");
    workspace.run(&[], 0);
    let doctor = workspace.command(&["doctor", "--workspace", "."]).output().unwrap();
    assert!(
        !out(&doctor).contains("cannot be written into") && out(&doctor).contains("ok   kernel "),
        "{doctor:?}"
    );
}
