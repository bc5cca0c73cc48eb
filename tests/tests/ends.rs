//! Processes end as people expect: asked first, killed then, whoever stopped whom; and what they leave is said.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use orch_host::interrupt::ECHO;
use orch_journal::Event;
use orch_journal::event::Ending;
use orch_tests::hears::Hears;
use orch_tests::{Workspace, err, out, until};
use rustix::process::{Pid, Signal, kill_process};

fn configured(tasks: &str, more: &str) -> Workspace {
    let workspace = Workspace::new(tasks);
    workspace.write("config.yaml", &format!("{}{more}", workspace.read("config.yaml")));
    workspace
}

/// Whether it runs; one that only waits to be reaped does not.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn start(workspace: &Workspace, args: &[&str]) -> Child {
    let mut host = workspace.command(&[&["run", "--trust-workspace"], args].concat());
    host.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap().success());
}

/// Ends of the attempts, by task.
fn endings(workspace: &Workspace) -> Vec<(u32, Ending)> {
    let events = workspace.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::AttemptFinished(finished) => Some((finished.task, finished.ending)),
            _ => None,
        })
        .collect()
}

/// Of each task's last attempt, in milliseconds.
fn durations(workspace: &Workspace) -> Vec<(u32, u64)> {
    let mut begun = std::collections::BTreeMap::new();
    let ended = workspace.events().into_iter().filter_map(|event| match event {
        Event::AttemptStarted { task, at, .. } => {
            begun.insert(task, at);
            None
        }
        Event::AttemptFinished(finished) => Some((finished.task, finished.at - begun[&finished.task])),
        _ => None,
    });
    ended.collect()
}

/// Stops or kills what is above it, leaves a child in a session of its own, and goes on for ever.
const STOPS: &str = "\
import os, signal, subprocess, sys, time
parent = lambda pid: int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])
supervisor = os.getppid()
guardian = parent(supervisor)
child = subprocess.Popen(['setsid', 'sleep', '1000'])
open('fresh-' + sys.argv[1], 'w').write(f'{os.getpid()} {child.pid} {supervisor} {guardian}')
os.rename('fresh-' + sys.argv[1], 'pids-' + sys.argv[1])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1] != 'supervisor': os.kill(guardian, signal.SIGSTOP)
if sys.argv[1] != 'guardian': os.kill(supervisor, signal.SIGSTOP)
if sys.argv[1] == 'killed': os.kill(supervisor, signal.SIGKILL)
if sys.argv[1] == 'murdered':
    os.kill(guardian, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
while True: time.sleep(0.1)
";

#[test]
fn a_command_that_stops_its_supervisor_does_not_outlive_its_limit() {
    let ways = ["supervisor", "guardian", "both", "killed", "murdered"];
    let task = |way: &&str| {
        format!("- {{id: {way}, command: [python3, stops.py, {way}], timeout: 5, on_doubt: fail}}\n")
    };
    let tasks: String = ways.iter().map(task).collect();
    let workspace = configured(&tasks, "kill_after: 0.5\njobs: 5\n");
    workspace.write("stops.py", STOPS);
    let begun = Instant::now();
    // Another task goes on, so that it is not the end of the host that ends them.
    workspace.write("tasks.yml", &format!("{tasks}- {{id: last, command: [python3, last.py]}}\n"));
    workspace.write("config.yaml", &workspace.read("config.yaml").replace("jobs: 5", "jobs: 6"));
    let last = format!(
        "import os, time\nbegun = time.time()\nfor way in {ways:?}:\n    while not os.path.exists(f'pids-{{way}}') and time.time() < begun + 30: time.sleep(0.05)\n\
         alive = lambda pid: os.path.exists(f'/proc/{{pid}}') and open(f'/proc/{{pid}}/stat').read().rsplit(')', 1)[1].split()[0] not in 'ZX'\n\
         pids = [pid for way in {ways:?} for pid in open(f'pids-{{way}}').read().split()[:2]]\n\
         for _ in range(400):\n    left = [pid for pid in pids if alive(pid)]\n    if not left: break\n    time.sleep(0.1)\n\
         else: raise SystemExit(f'still there: {{left}}')\n"
    );
    workspace.write("last.py", &last);
    let output = workspace.run(&[], 1);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(workspace.statuses()["last"], "done", "{}{}", out(&output), err(&output));
    for way in ways {
        assert_eq!(workspace.statuses()[way], "failed", "{way}");
        for pid in workspace.read(&format!("pids-{way}")).split(' ') {
            assert!(!runs(pid), "{way}: {pid}");
        }
    }
    // One that is seen to be stopped is given up before one that says nothing would be: ten seconds after `kill_after`.
    for (task, ms) in durations(&workspace) {
        assert!(task == 5 || ms < 1_000 + 500 + 10_000, "{task}: {ms} ms");
    }
    // Who only stopped the guardian was ended in time, and that is known.
    for (task, ending) in endings(&workspace) {
        let is_known = matches!(ending, Ending::Failed { .. } | Ending::Done { .. });
        assert_eq!(is_known, [1, 5].contains(&task), "{task}: {ending:?}");
    }
}

#[test]
fn a_host_that_ends_takes_a_stopped_supervisor_with_it() {
    let workspace =
        configured("- {id: a, command: [python3, stops.py, both], on_doubt: fail}\n", "kill_after: 0.5\n");
    workspace.write("stops.py", STOPS);
    let mut host = start(&workspace, &[]);
    let hears = Hears::to(&mut host);
    until(|| workspace.path().join("pids-both").exists());
    hears.interrupt(Signal::INT);
    hears.interrupt_again(Signal::INT);
    assert_eq!(host.wait().unwrap().code(), Some(130));
    for pid in workspace.read("pids-both").split(' ') {
        assert!(!runs(pid), "{pid}");
    }
}

/// Has a lock while it works, and gives it back when it is asked to end.
const POLITE: &str = "\
import os, signal, sys, time
open('lock', 'w').close()
def stop(*_):
    print('giving the lock back', flush=True)
    os.remove('lock')
    open('saved', 'w').close()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
open('begun', 'w').close()
while not os.path.exists('go'): time.sleep(0.05)
";

#[test]
fn a_timeout_asks_before_it_kills_and_the_last_words_are_in_the_log() {
    let workspace = Workspace::new("- {id: worker, command: [python3, polite.py], timeout: 5}\n");
    workspace.write("polite.py", POLITE);
    let said = out(&workspace.run(&[], 1));
    assert!(said.contains("did not end within 5"), "{said}");
    assert!(!workspace.path().join("lock").exists());
    assert_eq!(out(&workspace.host(&["logs", "worker"], 0)), "giving the lock back\n");
}

#[test]
fn a_second_interrupt_asks_before_it_kills() {
    let workspace = Workspace::new("- {id: worker, command: [python3, polite.py]}\n");
    workspace.write("polite.py", POLITE);
    let mut host = start(&workspace, &[]);
    let hears = Hears::to(&mut host);
    until(|| workspace.path().join("begun").exists());
    hears.interrupt(Signal::INT);
    hears.interrupt_again(Signal::INT);
    assert_eq!(host.wait().unwrap().code(), Some(130));
    assert!(!workspace.path().join("lock").exists());
}

#[test]
fn whoever_does_not_listen_is_killed_after_the_configured_time() {
    let workspace = configured(
        "- {id: deaf, command: [sh, -c, 'trap \"\" TERM; while :; do sleep 0.1; done'], timeout: 2}\n",
        "kill_after: 2\n",
    );
    let begun = Instant::now();
    workspace.run(&[], 1);
    assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(matches!(endings(&workspace).as_slice(), [(0, Ending::Failed { .. })]), "its end is known");
}

/// A process and all that descend from it.
fn below(pid: u32) -> Vec<u32> {
    let mut group = vec![pid];
    let mut at = 0;
    while let Some(pid) = group.get(at).copied() {
        // One that ends meanwhile has no children any more.
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            group.extend(text.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
        }
        at += 1;
    }
    group
}

#[test]
fn a_signal_to_the_whole_control_group_lets_tasks_end_and_their_exit_is_known() {
    let workspace = Workspace::new(
        "- {id: polite, command: [python3, polite.py]}\n- {id: plain, command: [sleep, '20']}\n- {id: next, kind: note, dependencies: [polite]}\n",
    );
    workspace.write("polite.py", POLITE);
    let mut host = start(&workspace, &["--jobs", "2"]);
    until(|| workspace.path().join("begun").exists() && workspace.statuses()["plain"] == "in_progress");
    // Host, two guardians, two supervisors, two commands: an attempt begins before its command is there.
    until(|| below(host.id()).len() >= 7);
    for pid in below(host.id()) {
        signal("TERM", pid);
    }
    assert_eq!(host.wait().unwrap().code(), Some(130));
    assert!(workspace.path().join("saved").exists());
    let statuses = workspace.statuses();
    assert_eq!((statuses["polite"].as_str(), statuses["plain"].as_str()), ("done", "failed"));
    let failed = endings(&workspace).into_iter().find(|(task, _)| *task == 1).unwrap().1;
    assert!(matches!(&failed, Ending::Failed { message, .. } if message.contains("SIGTERM")), "{failed:?}");
    assert_eq!(statuses["next"], "pending");
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    for name in ["HUP", "INT"] {
        let workspace = Workspace::new(
            "- {id: long, command: [python3, polite.py]}\n- {id: next, kind: note, dependencies: [long]}\n",
        );
        workspace.write("polite.py", POLITE);
        let host = workspace.command(&["run", "--trust-workspace"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("trap '' {name}; exec \"$@\""), "sh"]).arg(host.get_program());
        shell.args(host.get_args()).current_dir(workspace.path());
        shell.env("XDG_RUNTIME_DIR", workspace.outside()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut host = shell.spawn().unwrap();
        until(|| workspace.path().join("begun").exists());
        signal(name, host.id());
        std::thread::sleep(Duration::from_millis(300));
        workspace.write("go", "");
        assert_eq!(host.wait().unwrap().code(), Some(0), "{name}");
        assert_eq!(workspace.statuses()["next"], "done");
    }
}

#[test]
fn the_same_signal_twice_in_a_moment_is_one() {
    // A machine with much to do may need more than a moment to send them.
    assert!((0..20).any(|_| three_in_a_moment()), "they never came together");
}

fn three_in_a_moment() -> bool {
    let workspace = Workspace::new(
        "- {id: long, command: [python3, polite.py]}\n- {id: next, kind: note, dependencies: [long]}\n",
    );
    workspace.write("polite.py", POLITE);
    let mut host = start(&workspace, &[]);
    until(|| workspace.path().join("begun").exists());
    let hears = Hears::to(&mut host);
    let heard = Instant::now();
    hears.interrupt(Signal::INT);
    for _ in 0..2 {
        kill_process(Pid::from_child(&host), Signal::INT).unwrap();
        std::thread::sleep(Duration::from_millis(40));
    }
    if heard.elapsed() > ECHO / 2 {
        host.kill().unwrap();
        host.wait().unwrap();
        return false;
    }
    std::thread::sleep(Duration::from_millis(800));
    assert!(host.try_wait().unwrap().is_none(), "the task is let end");
    workspace.write("go", "");
    assert_eq!(host.wait().unwrap().code(), Some(130));
    let statuses = workspace.statuses();
    assert_eq!((statuses["long"].as_str(), statuses["next"].as_str()), ("done", "pending"));
    true
}

#[test]
fn what_a_command_leaves_running_is_ended_and_said() {
    let workspace = Workspace::new(
        "- {id: serve, command: 'sleep 1000 & setsid sleep 1000 & echo $! > pid; sleep 0.2; echo started'}\n- {id: neat, command: ['true']}\n",
    );
    let said = out(&workspace.run(&[], 0));
    assert!(said.contains("2 processes that its command left running were ended"), "{said}");
    assert!(!runs(workspace.read("pid").trim()));
    let warned = |event: &Event| matches!(event, Event::Warned { code, text } if code == "processes-left" && text.contains("task `serve`"));
    assert_eq!(workspace.events().iter().filter(|event| warned(event)).count(), 1);
    let output = workspace.host(&["logs", "serve"], 0);
    assert_eq!(out(&output), "started\n");
    assert!(err(&output).contains("2 processes that its command left"), "{}", err(&output));
    assert!(!err(&workspace.host(&["logs", "neat"], 0)).contains("left running"));
}

#[test]
fn the_reason_at_the_end_of_a_long_output_is_in_log_message_and_report() {
    let workspace = configured("- {id: build, command: [python3, noisy.py]}\n", "log_mib: 2\n");
    workspace.write(
        "noisy.py",
        "import sys\nprint('FIRST LINE', file=sys.stderr)\nfor i in range(200000): print('compiling unit', i, file=sys.stderr)\nprint('FATAL: disk image is corrupt', file=sys.stderr)\nsys.exit(1)\n",
    );
    workspace.run(&[], 1);
    let log = out(&workspace.host(&["logs", "build"], 0));
    assert!(log.starts_with("FIRST LINE\n") && log.ends_with("FATAL: disk image is corrupt\n"));
    assert!(log.len() <= 2 << 20 && log.matches(" bytes are left out here ...]\n").count() == 1);
    let Ending::Failed { message, .. } = &endings(&workspace)[0].1 else { panic!("it failed") };
    assert!(message.contains("compiling unit 199999\nFATAL: disk image is corrupt"), "{message}");
}

#[test]
fn nobody_else_reads_a_log_and_the_lines_of_plugins_have_a_limit() {
    let tasks: String = (0..30).map(|task| format!("- {{id: t{task}, kind: hostile}}\n")).collect();
    let workspace = configured(&format!("{tasks}- {{id: a, command: ['true']}}\n"), "log_mib: 1\n");
    let root = workspace.admit_hostile("logs-without-end");
    let config =
        workspace.read("config.yaml").replace("executors: {", "executors: {hostile: demo/logs-without-end, ");
    workspace.write("config.yaml", &config);
    workspace.run(&["--plugins", root.to_str().unwrap()], 0);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let logs = workspace.path().join("logs");
    assert_eq!((mode(&logs), mode(&workspace.path().join(".orch"))), (0o700, 0o700));
    for entry in fs::read_dir(&logs).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        assert!(path.metadata().unwrap().len() <= 1 << 20, "{}", path.display());
    }
    let dropped = |event: &Event| matches!(event, Event::Warned { code, text } if code == "log-cut" && text.contains("lines of `demo/logs-without-end` are not in the run's log"));
    assert_eq!(workspace.events().iter().filter(|event| dropped(event)).count(), 1);
}

#[test]
fn more_jobs_than_there_are_open_files_for_are_fewer_jobs_and_no_fault() {
    let tasks: String = (0..40).map(|task| format!("- {{id: t{task}, command: [sleep, '0.2']}}\n")).collect();
    // A soft limit is raised; a hard one is borne.
    for (limit, warned) in [("-n", true), ("-Sn", false)] {
        let workspace = Workspace::new(&tasks);
        let host = workspace.command(&["run", "--trust-workspace", "--jobs", "40"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit {limit} 100; exec \"$@\""), "sh"]).arg(host.get_program());
        shell.args(host.get_args()).current_dir(workspace.path());
        shell.env("XDG_RUNTIME_DIR", workspace.outside());
        let output = shell.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{limit}: {}{}", out(&output), err(&output));
        assert_eq!(err(&output).contains("8 tasks at once, not 40"), warned, "{limit}: {}", err(&output));
        assert!(workspace.statuses().values().all(|status| status == "done"));
    }
}

#[test]
fn commands_have_the_limit_of_open_files_that_the_host_was_started_with() {
    let workspace = Workspace::new("- {id: a, command: [sh, -c, 'ulimit -Sn > limit']}\n");
    let host = workspace.command(&["run", "--trust-workspace"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 333; exec \"$@\"", "sh"]).arg(host.get_program()).args(host.get_args());
    shell.current_dir(workspace.path()).env("XDG_RUNTIME_DIR", workspace.outside());
    assert!(shell.output().unwrap().status.success());
    assert_eq!(workspace.read("limit"), "333\n");
}

#[test]
fn a_retry_says_how_long_it_waits() {
    let workspace = configured(
        "- {id: flaky, command: [sh, -c, 'test -e once || { touch once; exit 1; }'], retries: 1, retry_on: true}\n",
        "retry: {base_ms: 800, max_ms: 800}\n",
    );
    let said = out(&workspace.run(&[], 0));
    let line = said.lines().find(|line| line.contains("pending  flaky")).unwrap();
    assert!(
        ["0.4", "0.5", "0.6", "0.7", "0.8"].iter().any(|wait| line.contains(&format!("again in {wait} s: "))),
        "{line}"
    );
}

#[test]
fn a_host_that_was_stopped_takes_the_answer_that_came_meanwhile() {
    let workspace = configured(
        "- {id: a, command: [sh, -c, 'touch begun; sleep 0.5'], timeout: 3}\n- {id: b, command: ['true'], dependencies: [a]}\n",
        "kill_after: 0\n",
    );
    let mut host = start(&workspace, &[]);
    until(|| workspace.path().join("begun").exists());
    signal("STOP", host.id());
    // Longer than the task's time and all that is added to it.
    std::thread::sleep(Duration::from_secs(20));
    signal("CONT", host.id());
    assert_eq!(host.wait().unwrap().code(), Some(0));
    assert!(workspace.statuses().values().all(|status| status == "done"));
}

#[test]
fn after_a_restart_a_retry_waits_no_longer_than_the_configured_pause_and_says_so() {
    let workspace = configured(
        "- {id: flaky, command: [sh, -c, 'test -e once || { touch once; exit 1; }'], retries: 1, retry_on: true}\n",
        "retry: {base_ms: 600000, max_ms: 600000}\n",
    );
    let mut host = start(&workspace, &[]);
    until(|| workspace.path().join("once").exists() && workspace.statuses()["flaky"] == "pending");
    signal("INT", host.id());
    assert_eq!(host.wait().unwrap().code(), Some(130));
    // As far ahead as a clock that was set right since.
    let config = workspace.read("config.yaml").replace("600000", "300");
    workspace.write("config.yaml", &config);
    let begun = Instant::now();
    let output = workspace.run(&[], 0);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(err(&output).contains("flaky waits 0.3 s\n"), "{}", err(&output));
}

/// Runs a host with a terminal as its standard output, interrupts it, and says what came over both ways.
const IN_A_TERMINAL: &str = "\
import os, pty, signal, subprocess, sys, time
screen, theirs = pty.openpty()
host = subprocess.Popen(sys.argv[1:], stdout=theirs, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
os.close(theirs)
while not os.path.exists('begun') and host.poll() is None: time.sleep(0.05)
time.sleep(0.3)
host.send_signal(signal.SIGINT)
shown, until = b'', time.time() + 20
os.set_blocking(screen, False)
# To its end: a host whose screen nobody reads waits for it.
while host.poll() is None:
    try: shown += os.read(screen, 65536)
    except BlockingIOError: time.sleep(0.05)
    except OSError: break
    # Only once the interrupt was heard: a task that ends before it is no test of it.
    if b'running tasks end first' in shown or time.time() > until: open('go', 'w').close()
host.wait()
print(host.returncode, b'running tasks end first' in shown, b'running tasks end first' in host.stderr.read())
";

#[test]
fn on_a_terminal_the_first_interrupt_is_said_where_the_live_table_does_not_paint_over_it() {
    let workspace = Workspace::new(
        "- {id: long, command: [python3, polite.py]}\n- {id: next, kind: note, dependencies: [long]}\n",
    );
    workspace.write("polite.py", POLITE);
    let host = workspace.command(&["run", "--trust-workspace"]);
    let mut terminal = Command::new("python3");
    terminal.args(["-c", IN_A_TERMINAL]).arg(host.get_program()).args(host.get_args());
    terminal.current_dir(workspace.path()).env("XDG_RUNTIME_DIR", workspace.outside()).env("TERM", "xterm");
    orch_tests::hears_signals(&mut terminal);
    let output = terminal.output().unwrap();
    assert_eq!(out(&output), "130 True False\n", "{}", err(&output));
}

#[test]
fn what_a_verifier_s_command_leaves_running_is_said_too() {
    let workspace = configured(
        "- {id: a, command: ['true'], verify: [demo/verifier-command]}\n",
        "  verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command:\n    checks: [{name: unit, category: test, format: plain, command: [sh, -c, 'sleep 1000 & echo $! > pid']}]\n",
    );
    workspace.run(&[], 0);
    assert!(!runs(workspace.read("pid").trim()));
    let said = |event: &Event| matches!(event, Event::Warned { code, text } if code == "processes-left" && text.contains("`verify` by `demo/verifier-command`: a process that"));
    assert!(workspace.events().iter().any(said), "{:?}", workspace.events());
}
