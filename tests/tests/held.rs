//! A run that goes on: what people say is heard by the host at work, what its own commands say is not.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use orch_journal::Event;
use orch_journal::event::Who;
use orch_task::Status;
use orch_tests::{Workspace, binary, err, out, until};

const WAITS: &str = "import os,time\\nopen('begun','w')\\nwhile not os.path.exists('go'): time.sleep(0.02)";

fn begun(workspace: &Workspace, args: &[&str]) -> Child {
    let run = [&["run", "--trust-workspace", "--jobs", "2"], args].concat();
    let mut run = workspace.command(&run);
    let host = run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until(|| workspace.path().join("begun").exists());
    host
}

fn ends(host: Child, exit: i32) -> String {
    let output = host.wait_with_output().unwrap();
    let said = format!("{}{}", out(&output), err(&output));
    assert_eq!(output.status.code(), Some(exit), "{said}");
    said
}

/// Statuses that a person gave: task, status, who.
fn by_people(workspace: &Workspace) -> Vec<(u32, Status, Who)> {
    let moved = |event| match event {
        Event::TaskMoved { task, to, who: Some(who), .. } => Some((task, to, who)),
        _ => None,
    };
    workspace.events().into_iter().filter_map(moved).collect()
}

#[test]
fn what_people_say_while_a_run_goes_on_is_heard() {
    let tasks = format!(
        "- {{id: slow, command: [python3, -c, \"{WAITS}\"]}}\n\
         - {{id: skipped, kind: note, dependencies: [slow]}}\n\
         - {{id: after, command: [python3, -c, \"open('after', 'w')\"], dependencies: [skipped]}}\n\
         - {{id: cancelled, kind: note, dependencies: [slow]}}\n"
    );
    let workspace = Workspace::new(&tasks);
    let root = workspace.admit_hostile("asks-for-approval").to_str().unwrap().to_owned();
    workspace.write(
        "config.yaml",
        &format!("{}  reflectors: [demo/asks-for-approval]\n", workspace.read("config.yaml")),
    );
    let host = begun(&workspace, &["--plugins", &root]);

    let says = |args: &[&str]| out(&workspace.host(args, 0));
    let heard = "the host at work goes on with it\n";
    assert!(
        says(&["approvals", "approve", "wanted"]).ends_with(&format!("task wanted is pending now; {heard}"))
    );
    // It runs while the other task still does.
    until(|| workspace.path().join("approved").exists());
    assert_eq!(says(&["task", "skip", "skipped"]), format!("task skipped is done now; {heard}"));
    until(|| workspace.statuses()["after"] == "done");
    assert_eq!(says(&["task", "cancel", "cancelled"]), format!("task cancelled is cancelled now; {heard}"));
    for (args, code, sentence) in [
        (["task", "skip", "slow"], "task-under-way", "task `slow` is worked at"),
        (["task", "skip", "nobody"], "task-unknown", "has no task `nobody`"),
        (["task", "retry", "after"], "task-status", "task `after` is done"),
        (["approvals", "deny", "wanted"], "task-status", "expected waiting_approval"),
    ] {
        let refused = err(&workspace.host(&args, 2));
        assert!(refused.contains(code) && refused.contains(sentence), "{refused}");
    }
    workspace.write("go", "");
    ends(host, 0);
    let statuses = workspace.statuses();
    for (task, status) in
        [("slow", "done"), ("skipped", "done"), ("cancelled", "cancelled"), ("wanted", "done")]
    {
        assert_eq!(statuses[task], status, "{task}");
    }
    let by_people = by_people(&workspace);
    let said: Vec<Status> = by_people.iter().map(|(_, to, _)| *to).collect();
    assert_eq!(said, [Status::Pending, Status::Done, Status::Cancelled]);
    let program = binary("orch-host").canonicalize().unwrap().display().to_string();
    for (_, _, who) in by_people {
        assert_eq!((who.uid, &who.program), (rustix::process::getuid().as_raw(), &program));
    }
    // Without a host at work a command takes the store itself.
    let retried = out(&workspace.host(&["task", "retry", "cancelled"], 0));
    assert_eq!(retried, "task cancelled is pending now; `orch-host run` goes on with it\n");
}

#[test]
fn a_run_that_a_person_stops_ends_with_what_runs() {
    let tasks = format!(
        "- {{id: slow, command: [python3, -c, \"{WAITS}\"]}}\n- {{id: later, kind: note, dependencies: [slow]}}\n"
    );
    let workspace = Workspace::new(&tasks);
    let host = begun(&workspace, &[]);
    let mut follows = workspace.command(&["status", "--follow"]);
    let path = workspace.outside().join("seen");
    let follows = follows.stdin(Stdio::null()).stdout(std::fs::File::create(&path).unwrap()).spawn().unwrap();
    let seen = || std::fs::read_to_string(&path).unwrap();
    until(|| seen().contains("in_progress  slow"));
    workspace.host(&["runs", "stop"], 0);
    workspace.write("go", "");
    ends(host, 130);
    ends(follows, 0);
    let seen = seen();
    assert!(seen.contains("1  in_progress") && seen.contains("done  slow"), "{seen}");
    assert!(seen.ends_with("; no host is at work\n"), "{seen}");
    let statuses = workspace.statuses();
    assert_eq!((&*statuses["slow"], &*statuses["later"]), ("done", "pending"));
    assert!(workspace.events().iter().any(|event| matches!(event, Event::StopAsked { .. })));
    let refused = err(&workspace.host(&["runs", "stop"], 2));
    assert!(refused.contains("not-at-work"), "{refused}");
    workspace.run(&[], 0);
    assert_eq!(workspace.statuses()["later"], "done");
}

/// Tries to skip a task: as a command, as one that left its family, and as one whose supervisor and guardian it killed. The host
/// stands still until the last one has asked, and the answer is read outside: it comes also when the host ended who asked.
const ATTACK: &str = r#"
import glob, os, signal, socket, subprocess, sys, time
host, config, out = sys.argv[1:]
def attempt(name):
    tried = subprocess.run([host, 'task', 'skip', 'later', '--config-home', config], capture_output=True, text=True,
        env=dict(os.environ, XDG_RUNTIME_DIR=out))
    with open(os.path.join(out, name), 'w') as file:
        file.write(f'{tried.returncode} {tried.stderr}')
def ask(line, body=b''):
    holder = socket.socket(socket.AF_UNIX)
    holder.connect(glob.glob(os.path.join(out, 'orch/*.sock'))[0])
    head = f'{line} HTTP/1.1\r\nHost: orch\r\nConnection: close\r\nContent-Type: application/json\r\n'
    holder.sendall(f'{head}Content-Length: {len(body)}\r\n\r\n'.encode() + body)
    return holder
def stat(pid):
    return open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
def state(pid):
    return stat(pid)[0]
def above(pid):
    return int(stat(pid)[1])
attempt('command')
supervisor = os.getppid()
guardian = above(supervisor)
holder = above(guardian)
if os.fork() == 0:
    os.setsid()
    leader = os.getpid()
    if os.fork() > 0:
        os._exit(0)
    while os.getppid() == leader:
        time.sleep(0.001)
    attempt('forked')
    run = ask('GET /v1').makefile().read().split('"run":"')[1].split('"')[0]
    for one in holder, supervisor, guardian:
        os.kill(one, signal.SIGSTOP)
        while state(one) != 'T':
            time.sleep(0.001)
    os.kill(guardian, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    while os.getppid() != holder:
        time.sleep(0.001)
    asked = ask(f'POST /v1/runs/{run}/acts', b'{"act": "skip", "task": "later"}')
    outside = socket.socket(socket.AF_UNIX)
    outside.connect(os.path.join(out, 'outside'))
    socket.send_fds(outside, [b'x'], [asked.fileno()])
    os.kill(holder, signal.SIGCONT)
time.sleep(60)
"#;

/// Reads what a connection is answered that somebody else made and handed over.
const OUTSIDE: &str = r"
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
listener.settimeout(60)
_, (asked,), _, _ = socket.recv_fds(listener.accept()[0], 1, 1)
print(socket.socket(fileno=asked).makefile().read())
";

#[test]
fn a_command_cannot_answer_for_a_person() {
    let workspace = Workspace::new("");
    workspace.write("attack.py", ATTACK);
    let outside = workspace.outside().display();
    let (host, config) = (binary("orch-host"), workspace.operator());
    let attack = format!("[python3, attack.py, {}, {}, {outside}]", host.display(), config.display());
    workspace.write(
        "tasks.yml",
        &format!(
            "- {{id: attack, command: {attack}}}\n- {{id: later, kind: note, dependencies: [attack]}}\n"
        ),
    );
    let socket = workspace.outside().join("outside");
    let mut reads = Command::new("python3");
    let reads = reads.args(["-c", OUTSIDE]).arg(&socket).stdout(Stdio::piped()).spawn().unwrap();
    until(|| socket.exists());
    let run = workspace
        .command(&["run", "--trust-workspace"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let orphaned = out(&reads.wait_with_output().unwrap());
    // It may still stand still, if nobody asked.
    rustix::process::kill_process(rustix::process::Pid::from_child(&run), rustix::process::Signal::CONT)
        .unwrap();
    ends(run, 6);
    for name in ["command", "forked"] {
        let said = std::fs::read_to_string(workspace.outside().join(name)).unwrap();
        assert!(said.starts_with("5 ") && said.contains("peer-is-a-command"), "{name}: {said}");
    }
    // Whether the host ended it first or looked first: it is told no.
    let codes = ["peer-is-a-command", "peer-unknown"];
    let is_refused = orphaned.starts_with("HTTP/1.1 403") && codes.iter().any(|code| orphaned.contains(code));
    assert!(is_refused, "{orphaned}");
    assert_eq!(by_people(&workspace), []);
    assert_ne!(workspace.statuses()["later"], "done");
}

#[test]
fn a_socket_that_a_dead_host_left_is_in_nobodys_way() {
    let tasks = format!("- {{id: slow, command: [python3, -c, \"{WAITS}\"]}}\n- {{id: later, kind: note}}\n");
    let workspace = Workspace::new(&tasks);
    let mut host = begun(&workspace, &[]);
    until(|| workspace.statuses()["later"] == "done");
    host.kill().unwrap();
    host.wait().unwrap();
    workspace.host(&["task", "cancel", "slow"], 2);
    workspace.host(&["runs", "list"], 0);
    workspace.write("go", "");
    workspace.run(&[], 6);
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    assert!(out(&workspace.host(&["resolve", &run, "slow", "--as", "done"], 0)).contains("slow is done now"));
    workspace.run(&[], 0);
}

#[test]
fn another_state_folder_is_no_second_host() {
    let tasks = format!("- {{id: slow, command: [python3, -c, \"{WAITS}\"]}}\n");
    let workspace = Workspace::new(&tasks);
    let host = begun(&workspace, &[]);
    let refused = err(&workspace.run(&["--memory", "other"], 7));
    assert!(refused.contains("store-held") && refused.contains(&host.id().to_string()), "{refused}");
    workspace.write("go", "");
    ends(host, 0);
}

/// The socket of the one host that is at work.
fn socket(workspace: &Workspace) -> PathBuf {
    let entries = std::fs::read_dir(workspace.outside().join("orch")).unwrap();
    let mut sockets =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().unwrap() == "sock");
    sockets.next().unwrap()
}

/// What the host at work answers to these very bytes.
fn asked(workspace: &Workspace, request: &str) -> String {
    let mut stream = UnixStream::connect(socket(workspace)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn slow(more: &str) -> Workspace {
    Workspace::new(&format!(
        "- {{id: slow, command: [python3, -c, \"{WAITS}\"]}}\n- {{id: later, kind: note, dependencies: [slow]}}\n{more}"
    ))
}

#[test]
fn who_speaks_another_version_is_refused_by_name_and_changes_nothing() {
    let workspace = slow("");
    let mut host = begun(&workspace, &[]);
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    let acts = format!("/v1/runs/{run}/acts");
    for (path, body, status, code) in [
        (acts.as_str(), r#"{"act": "dance", "task": "later"}"#, 422, "body-malformed"),
        (
            &acts,
            r#"{"act": "skip", "task": "later", "because": "of a later version"}"#,
            422,
            "body-malformed",
        ),
        (&acts, r#"["skip", "later"]"#, 400, "body-malformed"),
        ("/v2/runs", "{}", 404, "path-unknown"),
    ] {
        let length = body.len();
        let answer = asked(
            &workspace,
            &format!(
                "POST {path} HTTP/1.1\r\nHost: orch\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        );
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(code),
            "{body}: {answer}"
        );
    }
    // HTTP/2 is not spoken.
    let answer = asked(&workspace, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(by_people(&workspace), []);

    // A host that answers otherwise than this version: nothing is taken for said, nobody else is told instead.
    host.kill().unwrap();
    host.wait().unwrap();
    let path = socket(&workspace);
    std::fs::remove_file(&path).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let problem = r#"{"status": 409, "code": "of-a-later-version", "detail": "no"}"#;
    for (answer, code) in [
        (
            format!("HTTP/1.1 409 Conflict\r\nContent-Length: {}\r\n\r\n{problem}", problem.len()),
            "holder-refused",
        ),
        ("HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{}".to_owned(), "holder-broken"),
        ("HTTP/9.9 200 Good\r\n\r\n".to_owned(), "holder-broken"),
        (String::new(), "holder-broken"),
    ] {
        let listener = listener.try_clone().unwrap();
        let answers = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut some = [0; 4096];
            assert!(stream.read(&mut some).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let refused = err(&workspace.host(&["task", "skip", "later"], 5));
        assert!(refused.contains(code), "{refused}");
        answers.join().unwrap();
    }
    assert_eq!(by_people(&workspace), []);
}

#[test]
fn another_users_program_is_not_heard() {
    let workspace = slow("");
    let mut host = begun(&workspace, &[]);
    let path = socket(&workspace);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700, "nobody else comes near it");
    // Who came near all the same is told no. Only root can ask as somebody else.
    if rustix::process::getuid().is_root() {
        for (path, mode) in [(workspace.outside(), 0o755), (path.parent().unwrap(), 0o755), (&path, 0o777)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let run = workspace.reader().runs().unwrap()[0].id.clone();
        let program = format!(
            "import socket\ns=socket.socket(socket.AF_UNIX)\ns.connect('{}')\n\
             s.sendall(b'POST /v1/runs/{run}/acts HTTP/1.1\\r\\nHost: orch\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n')\n\
             print(s.makefile().read())",
            path.display()
        );
        let answer = Command::new("python3")
            .args(["-c", &program])
            .uid(65534)
            .gid(65534)
            .current_dir("/")
            .output()
            .unwrap();
        let said = out(&answer);
        assert!(
            said.starts_with("HTTP/1.1 403") && said.contains("peer-is-another-user"),
            "{said}{}",
            err(&answer)
        );
    }
    host.kill().unwrap();
    host.wait().unwrap();
}

#[test]
fn connections_that_commands_hold_open_keep_nobody_from_being_heard() {
    let hoard = "import glob,socket,sys,time\nall=[]\nfor _ in range(400):\n    s=socket.socket(socket.AF_UNIX)\n    \
                 s.connect(glob.glob(sys.argv[1]+'/orch/*.sock')[0])\n    all.append(s)\nopen('hoards','w')\ntime.sleep(60)\n";
    let workspace = slow("");
    workspace.write("hoard.py", hoard);
    let more =
        format!("- {{id: hoard, command: [python3, hoard.py, '{}']}}\n", workspace.outside().display());
    workspace.write("tasks.yml", &(workspace.read("tasks.yml") + &more));
    let mut host = begun(&workspace, &[]);
    until(|| workspace.path().join("hoards").exists());
    let begun = Instant::now();
    workspace.host(&["task", "skip", "later"], 0);
    assert!(begun.elapsed() < Duration::from_secs(8), "before any of them was let go for its silence");
    host.kill().unwrap();
    host.wait().unwrap();
}
