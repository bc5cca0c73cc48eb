//! What people see while a run goes on and at its end: why it failed, what tasks print, the table of a terminal.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::process::{Child, Command, Stdio};

use orch_tests::{Workspace, err, out, until};

/// Where a line that holds the text stands.
#[track_caller]
fn line_of(said: &str, text: &str) -> usize {
    said.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no `{text}` in\n{said}"))
}

#[test]
fn the_end_of_a_failed_run_shows_the_end_of_what_failed_line_by_line_and_where_the_rest_is() {
    let workspace = Workspace::new(
        "- {id: a, command: \"seq 2000000; echo THE REAL ERROR; touch over; exit 1\"}\n- {id: b, command: 'until test -e over; do sleep 0.1; done; sleep 1'}\n- {id: c, kind: note, dependencies: [a]}\n",
    );
    let output = workspace.run(&["--jobs", "2"], 1);
    let said = out(&output);
    assert!(!said.contains("\\n"), "line ends are line ends: {said}");
    // As it fails, and again at the end, after everything else.
    assert_eq!(said.lines().filter(|line| line.trim() == "THE REAL ERROR").count(), 2, "{said}");
    let (summary, last) = (line_of(&said, " failed: 2 tasks are not done"), said.lines().count());
    let end = said.lines().skip(summary - 28).collect::<Vec<_>>().join("\n");
    let lines: Vec<&str> = end.lines().map(str::trim).collect();
    let error = lines.iter().position(|line| *line == "THE REAL ERROR").unwrap();
    assert_eq!(lines[error - 2..error], ["1999999", "2000000"]);
    assert!(lines[error + 1].starts_with("log: logs/task-a-"), "{end}");
    assert!(line_of(&said, "slowest  b ") < summary && summary == last - 2, "{said}");
    assert!(said.lines().last().unwrap().starts_with("tasks: 1 blocked, 1 done, 1 failed; took "), "{said}");
    let hint = |line: &str| {
        line.starts_with("hint: `orch-host logs a ")
            && line.ends_with("` shows all that its commands printed")
    };
    assert!(err(&output).lines().any(hint), "{}", err(&output));
    for format in ["text", "markdown"] {
        let report = out(&workspace.host(&["report", "--format", format], 0));
        assert!(report.lines().any(|line| line.trim() == "THE REAL ERROR"), "{report}");
        assert!(!report.contains("\\n") && report.contains("logs/task-a-"), "{report}");
        assert!(report.contains("began 20") && report.contains(", took "), "{report}");
    }
    let status = out(&workspace.host(&["status"], 0));
    assert!(status.lines().any(|line| line.trim() == "THE REAL ERROR"), "{status}");
}

#[test]
fn a_failure_shows_both_streams_whichever_has_the_reason() {
    let workspace = Workspace::new(
        "- {id: a, command: [sh, -c, 'echo Would reformat x.py; echo one word >&2; exit 1']}\n",
    );
    let said = out(&workspace.run(&[], 1));
    for line in ["Would reformat x.py", "one word"] {
        assert_eq!(said.lines().filter(|said| said.trim() == line).count(), 2, "{said}");
    }
    // A person asked for no more than that.
    let workspace =
        Workspace::new("- {id: a, kind: note}\n- {id: b, command: ['false'], dependencies: [a]}\n");
    let said = out(&workspace.run(&["--quiet"], 1));
    assert!(!said.contains("started") && !said.contains("done  a") && said.contains("failed  b"), "{said}");
    assert_eq!(out(&Workspace::new("- {id: a, kind: note}\n").run(&["-q"], 0)).lines().count(), 3);
}

#[test]
fn what_tasks_print_is_shown_as_it_comes_behind_their_names() {
    let workspace = Workspace::new(
        "- {id: one, command: [sh, -c, 'echo begun; until test -e go; do sleep 0.01; done; printf \"\\033[2Jred\\r\\nno end\"']}\n\
         - {id: fast, command: [python3, fast.py]}\n",
    );
    // A flood, bytes that are no text, a line of 20,000 bytes.
    let fast = "import sys\no = sys.stdout.buffer\no.write(b''.join(b'line %d\\n' % i for i in range(60000)))\no.write(b'\\xff\\xfe\\n' + b'x' * 20000 + b'\\nlast')\n";
    workspace.write("fast.py", fast);
    let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "2", "--output", "prefixed"]);
    let mut host = host.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = host.stdout.take().unwrap();
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = heard.clone();
    let reader = std::thread::spawn(move || {
        use std::io::Read;
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stdout.read(&mut buffer) {
            kept.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
    let has = |text: &str| String::from_utf8(heard.lock().unwrap().clone()).unwrap().contains(text);
    until(|| has("one │ begun\n"));
    assert!(!has("done  one"), "it still runs");
    workspace.write("go", "");
    assert!(host.wait().unwrap().success());
    reader.join().unwrap();
    let said = String::from_utf8(heard.lock().unwrap().clone()).unwrap();
    // Nothing of it is lost on a pipe that takes it, and its lines stay in order.
    let numbers: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("fast │ line ")).collect();
    assert_eq!(numbers.len(), 60_000, "{}", &said[..1000]);
    assert!(numbers.iter().enumerate().all(|(at, number)| *number == at.to_string()));
    assert!(said.contains("fast │ \\xff\\xfe\n") && said.contains("fast │ last\n"), "{said}");
    let long: usize =
        said.lines().filter(|line| line.starts_with("fast │ xx")).map(|line| line.matches('x').count()).sum();
    assert_eq!(long, 20_000);
    assert!(said.contains(" one │ \\x1b[2Jred\n one │ no end\n"), "{said}");
    // All of a task stands before its end.
    assert!(line_of(&said, "fast │ last") < line_of(&said, "done  fast"), "{said}");
}

/// Runs a program with a terminal of that size, without reading from it until a file is there; prints all that came then.
const IN_A_TERMINAL: &str = "\
import os, pty, subprocess, sys, time, fcntl, struct, termios, select
rows, columns, after = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
screen, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
host = subprocess.Popen(sys.argv[4:], stdout=theirs, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
os.close(theirs)
while not os.path.exists(after) and host.poll() is None: time.sleep(0.05)
while True:
    try: part = os.read(screen, 65536)
    except OSError: break
    if not part: break
    sys.stdout.buffer.write(part)
sys.exit(host.wait())
";

fn in_a_terminal(workspace: &Workspace, (rows, columns): (u32, u32), after: &str, args: &[&str]) -> Child {
    let host = workspace.command(&[&["run", "--trust-workspace"], args].concat());
    let mut terminal = Command::new("python3");
    terminal.args(["-c", IN_A_TERMINAL, &rows.to_string(), &columns.to_string(), after]);
    terminal.arg(host.get_program()).args(host.get_args()).current_dir(workspace.path());
    terminal.env("XDG_RUNTIME_DIR", workspace.outside()).env("TERM", "xterm").env("NO_COLOR", "1");
    terminal.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_terminal_that_does_not_keep_up_holds_no_task_up_and_is_told_what_it_missed() {
    let workspace = Workspace::new(
        "- {id: flood, command: [python3, flood.py]}\n- {id: next, command: [sh, -c, 'date > over'], dependencies: [flood]}\n",
    );
    workspace.write("flood.py", "for i in range(300000): print('line', i)\n");
    let terminal = in_a_terminal(&workspace, (24, 80), "over", &["--output", "prefixed"]);
    // Nobody reads yet, and the run goes on all the same.
    until(|| workspace.path().join("over").exists());
    let output = terminal.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let said = out(&output);
    assert!(
        said.contains(" bytes are left out here, `orch-host logs flood` shows them ...]"),
        "{}",
        said.len()
    );
    assert!(said.contains("flood │ line 299999") && said.len() < 2 << 20, "{}", said.len());
    assert_eq!(out(&workspace.host(&["logs", "flood"], 0)).lines().count(), 300_000);
}

#[test]
fn the_table_shows_how_long_each_task_runs_and_what_it_printed_last() {
    let tasks: String = (0..20).map(|task| format!("- {{id: t{task}, command: [sh, -c, 'echo printed by {task}; until test -e go; do sleep 0.05; done']}}\n")).collect();
    let workspace = Workspace::new(&format!("{tasks}- {{id: bad, command: ['false'], priority: 9}}\n"));
    let terminal = in_a_terminal(&workspace, (10, 80), "tasks.yml", &["--jobs", "20"]);
    let running = || {
        workspace.has_run()
            && workspace.statuses().values().filter(|word| *word == "in_progress").count() == 20
    };
    until(running);
    std::thread::sleep(std::time::Duration::from_millis(1200));
    workspace.write("go", "");
    let output = terminal.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let said = out(&output);
    // One task has failed and none is done: the bar does not say that all is over.
    assert!(said.contains("0 of 21 done, 1 failed") && said.contains("20 of 21 done, 1 failed"), "{said:?}");
    assert!(said.contains(" s  t0  printed by 0"), "{said:?}");
    // Of a terminal of ten rows the table leaves some.
    assert!(said.contains("14 more at work"), "{said:?}");
}

#[test]
fn events_as_json_name_tasks_by_their_ids() {
    let workspace =
        Workspace::new("- {id: a, kind: note}\n- {id: b, command: [sh, -c, 'exit 1'], dependencies: [a]}\n");
    let said = out(&workspace.run(&["--format", "json", "--jobs", "1"], 1));
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| lines.iter().filter(|line| line["event"]["type"] == name).collect::<Vec<_>>();
    let ids: Vec<&str> = of("attempt_finished").iter().map(|line| line["task"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert!(
        of("process_started").iter().all(|line| line["task"] == "b" && line["event"]["task"] == 1),
        "{said}"
    );
    assert!(of("decided").iter().any(|line| line["tasks"] == serde_json::json!(["a"])), "{said}");
    assert!(of("run_started").iter().all(|line| line.get("task").is_none()), "{said}");
    let summary = lines.last().unwrap();
    assert!(summary["tookMs"].is_u64() && summary["summary"]["status"] == "failed", "{summary}");
}

#[test]
fn following_a_log_goes_on_beyond_what_it_keeps_and_says_what_is_missing() {
    let workspace = Workspace::new("- {id: a, command: [python3, long.py]}\n");
    workspace.write("config.yaml", &format!("{}log_mib: 1\n", workspace.read("config.yaml")));
    let long = "import os, time\nfor part in range(3):\n    print(str(part) * 1000000, flush=True)\n    while not os.path.exists(f'go{part}'): time.sleep(0.01)\nprint('the end')\n";
    workspace.write("long.py", long);
    let mut host = workspace.command(&["run", "--trust-workspace"]).stdout(Stdio::null()).spawn().unwrap();
    until(|| workspace.has_run());
    until(|| workspace.command(&["logs", "a"]).output().unwrap().stdout.len() >= 1_000_000);
    let path = workspace.outside().join("seen");
    let into = std::fs::File::create(&path).unwrap();
    let mut follower = workspace.command(&["logs", "-f", "a"]).stdout(into).spawn().unwrap();
    let logged = |byte: u8| {
        let log = workspace.command(&["logs", "a"]).output().unwrap().stdout;
        log.ends_with(b"\n") && log[log.len() - 2] == byte
    };
    // What comes next is seen while the command runs, though the log is full.
    for part in 0..2 {
        workspace.write(&format!("go{part}"), "");
        until(|| logged(b'1' + part));
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    workspace.write("go2", "");
    assert!(host.wait().unwrap().success());
    assert!(follower.wait().unwrap().success());
    let seen = std::fs::read(&path).unwrap();
    let count = |byte: u8| seen.iter().filter(|found| **found == byte).count();
    assert!(seen.ends_with(b"2\nthe end\n"), "{}", String::from_utf8_lossy(&seen[seen.len() - 100..]));
    let counts = [b'0', b'1', b'2'].map(count);
    assert!(counts[0] >= 1 << 19 && counts[1] >= 200_000 && counts[2] >= 200_000, "{counts:?}");
    let text = String::from_utf8(seen.clone()).unwrap();
    let gaps = text
        .split("\n[... ")
        .skip(1)
        .map(|rest| rest.split_once(" bytes are left out here ...]\n").unwrap().0.parse::<usize>().unwrap());
    let gaps: Vec<usize> = gaps.collect();
    let lines: usize =
        gaps.iter().map(|missed| format!("\n[... {missed} bytes are left out here ...]\n").len()).sum();
    assert_eq!(
        seen.len() - lines + gaps.iter().sum::<usize>(),
        3 * 1_000_001 + "the end\n".len(),
        "{gaps:?}"
    );
}

#[test]
fn the_list_of_tasks_is_that_of_the_run_that_is_open_beside_its_host() {
    let workspace = Workspace::new(
        "- {id: a, command: [sh, -c, 'until test -e go; do sleep 0.01; done']}\n- {id: b, kind: note, dependencies: [a]}\n",
    );
    assert_eq!(out(&workspace.host(&["tasks", "list"], 0)).lines().count(), 2, "there is no store yet");
    let mut host = workspace.command(&["run", "--trust-workspace"]).stdout(Stdio::null()).spawn().unwrap();
    until(|| workspace.has_run());
    until(|| out(&workspace.host(&["tasks", "list"], 0)).contains("in_progress  a"));
    assert!(
        out(&workspace.host(&["tasks", "list", "--tree"], 0)).starts_with("b  pending\n└── a  in_progress")
    );
    workspace.write("go", "");
    assert!(host.wait().unwrap().success());
    // What is closed is what the file says, also where somebody edits it.
    workspace.write("tasks.yml", &workspace.read("tasks.yml").replacen("status: done", "status: failed", 1));
    assert!(out(&workspace.host(&["tasks", "list"], 0)).contains("failed  a"));
}
