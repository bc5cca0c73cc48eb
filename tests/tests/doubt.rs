//! Attempts that are cut off one by one: by their own command, by a person, in the moment of a hand edit.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orch_journal::Event;
use orch_journal::event::{AttemptFinished, Ending};
use orch_tests::checker;
use orch_tests::kill::{self, Moment};
use orch_tests::{Workspace, copy, err, out};

/// Ends of a task's attempts, in order.
fn ends(workspace: &Workspace, task: u32) -> Vec<AttemptFinished> {
    let events = workspace.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::AttemptFinished(finished) if finished.task == task => Some(*finished),
            _ => None,
        })
        .collect()
}

/// Kills the host that it runs under: the first process above it that is an `orch-host run`.
const KILLS_ITS_HOST: &str = "\
import os, signal
pid = os.getpid()
while b'--trust-workspace' not in open(f'/proc/{pid}/cmdline', 'rb').read():
    pid = int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])
os.kill(pid, signal.SIGKILL)
";

#[test]
fn a_task_that_kills_its_host_is_failed_in_the_end_and_says_why() {
    let workspace = Workspace::new(
        "- {id: a, command: [python3, poison.py], idempotent: true}\n- {id: b, kind: note, dependencies: [a]}\n- {id: c, kind: note}\n",
    );
    workspace.write("poison.py", KILLS_ITS_HOST);
    for _ in 0..4 {
        assert!(workspace.command(&["run", "--trust-workspace"]).output().unwrap().status.code().is_none());
    }
    let output = workspace.run(&[], 1);
    assert!(out(&output).contains("the 4. time; it is repeated 3 times at most"), "{}", out(&output));
    let statuses = workspace.statuses();
    assert_eq!(
        (statuses["a"].as_str(), statuses["b"].as_str(), statuses["c"].as_str()),
        ("failed", "blocked", "done")
    );
    assert_eq!(ends(&workspace, 0).len(), 4);
    assert!(
        workspace.read("tasks.yml").contains("{id: a, status: failed,"),
        "{}",
        workspace.read("tasks.yml")
    );
    // A person who puts it back starts the count anew.
    workspace.write("poison.py", "");
    workspace.host(&["task", "retry", "a"], 0);
    workspace.run(&[], 0);
}

#[test]
fn what_a_second_interrupt_cuts_off_is_said_to_be_aborted() {
    let workspace = Workspace::new(
        "- {id: asks, command: [python3, hang.py, asks]}\n- {id: again, command: [python3, hang.py, again], on_doubt: retry}\n",
    );
    workspace.write(
        "hang.py",
        "import os, sys, time\nopen(f'begun-{sys.argv[1]}', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.05)\n",
    );
    let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "2"]);
    let mut child = host.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = |task: &str| workspace.path().join(format!("begun-{task}")).exists();
    while !(begun("asks") && begun("again")) {
        assert!(child.try_wait().unwrap().is_none(), "the run is over");
        std::thread::sleep(Duration::from_millis(10));
    }
    let interrupt = format!("kill -INT {}", child.id());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        // Two at once may arrive as one.
        std::process::Command::new("sh").args(["-c", &interrupt]).status().unwrap();
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(130));
    for (task, expected) in [(0, "in_doubt"), (1, "pending")] {
        let ends = ends(&workspace, task);
        assert_eq!((ends.len(), ends[0].status.as_str()), (1, expected));
        assert!(
            matches!(&ends[0].ending, Ending::InDoubt { code, message } if code == "aborted" && message.contains("a person")),
            "{ends:?}"
        );
    }
    let tasks = workspace.read("tasks.yml");
    assert!(tasks.contains("{id: asks, status: in_doubt,"), "{tasks}");
    workspace.write("go", "");
    assert!(out(&workspace.run(&[], 6)).contains("waits for you: asks"));
    assert_eq!(workspace.statuses()["again"], "done");
}

#[test]
fn the_journal_of_a_killed_run_cannot_be_cut_behind_its_kept_head() {
    // Repeatable: the first kill may come before or after its intent.
    let workspace = Workspace::new("- {id: a, command: ['true'], idempotent: true}\n");
    let said = File::create(workspace.outside().join("said")).unwrap();
    let (store, old, new) =
        (workspace.path().join(".orch"), workspace.outside().join("old"), workspace.outside().join("new"));
    assert!(kill::run_and_kill(&workspace, &[], Moment::At("before-head", 1), &said));
    copy(&store, &old);
    assert!(kill::run_and_kill(&workspace, &[], Moment::At("before-answer", 1), &said));
    // Asked for at the first checkpoint of the task file, before the first attempt, and kept before its intent.
    let report = out(&workspace.host(&["audit", "verify", "--format", "json"], 0));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let head = report["runs"][0]["kept_head"].as_u64().unwrap() as usize;
    let events = workspace.events();
    let attached = events.iter().rposition(|event| event.name() == "host_attached").unwrap();
    assert!(
        (attached + 1..events.len()).contains(&head),
        "head {head}, attached {attached}, {} events",
        events.len()
    );

    // Somebody puts an older state in its place.
    copy(&store, &new);
    std::fs::remove_dir_all(&store).unwrap();
    copy(&old, &store);
    assert!(out(&workspace.host(&["audit", "verify"], 5)).contains("journal-truncated"));
    assert!(err(&workspace.run(&[], 5)).contains("code: journal-truncated"));
    std::fs::remove_dir_all(&store).unwrap();
    copy(&new, &store);
    workspace.run(&[], 0);
}

#[test]
fn an_edit_that_came_out_is_put_back_after_a_kill() {
    // The whole campaign asks for more than every test run.
    let mut wanted = if std::env::var_os("ORCH_KILLS").is_some() { 10 } else { 1 };
    for _ in 0..20 * wanted {
        let tasks: String = (0..8).map(|task| format!("- {{id: t{task}, kind: note}}\n")).collect();
        let workspace = Workspace::new(&tasks);
        let strict = ["--jobs", "1", "--audit", "every-completion"];
        let stop = AtomicBool::new(false);
        let (killed, edits) = std::thread::scope(|scope| {
            let editor = scope.spawn(|| edit_until(&workspace, &stop, Duration::from_millis(4)));
            let end = Ended(&stop);
            let mut host = kill::host(&workspace, &strict, Moment::At("before-exchange-back", 1));
            let mut host = host.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let status = kill::wait(&mut host);
            let killed = status.signal() == Some(9);
            // An editor that is faster every time keeps the run from being closed.
            let said = std::io::read_to_string(host.stderr.take().unwrap()).unwrap();
            let is_busy = status.code() == Some(2) && said.contains("code: task-file-busy");
            assert!(killed || is_busy || status.code() == Some(0), "{status:?} {said}");
            drop(end);
            (killed, editor.join().unwrap())
        });
        if !killed {
            continue;
        }
        workspace.run(&[], 0);
        assert!(workspace.statuses().values().all(|status| status == "done"));
        assert_eq!(checker::at_the_end_of_notes(&workspace), []);
        // Whoever wrote when finds it again: in the task file, or beside it where two were faster than the host.
        let mut all = String::new();
        for entry in std::fs::read_dir(workspace.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == "tasks.yml" || name.starts_with("tasks.yml.edited-") {
                all += &std::fs::read_to_string(path).unwrap();
            }
        }
        let missing: Vec<u32> =
            (0..edits).filter(|edit| !all.contains(&format!("# edit {edit}.\n"))).collect();
        assert_eq!(missing, [0; 0], "{edits} edits");
        println!("killed after {edits} edits, none lost");
        wanted -= 1;
        if wanted == 0 {
            return;
        }
    }
    panic!("too few edits came out");
}

#[test]
fn a_run_is_not_closed_while_its_task_file_cannot_be_written() {
    // Now and then the host is faster than the editor, who may then write an older text over its last one.
    let was_busy = (0..30).any(|_| {
        let workspace = Workspace::new("- {id: a, kind: note}\n- {id: b, kind: note}\n");
        let stop = AtomicBool::new(false);
        let output = std::thread::scope(|scope| {
            let editor = scope.spawn(|| edit_until(&workspace, &stop, Duration::ZERO));
            let end = Ended(&stop);
            let output = workspace.command(&["run", "--trust-workspace"]).output().unwrap();
            drop(end);
            editor.join().unwrap();
            output
        });
        let is_busy = output.status.code() == Some(2);
        if is_busy {
            assert!(err(&output).contains("code: task-file-busy"), "{}", err(&output));
            workspace.run(&[], 0);
            assert_eq!(checker::at_the_end_of_notes(&workspace), []);
        } else {
            assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        }
        assert_eq!((ends(&workspace, 0).len(), ends(&workspace, 1).len()), (1, 1), "nothing is done again");
        is_busy
    });
    assert!(was_busy, "the editor was never faster than ten tries");
}

/// Ends the editor, also when a test fails meanwhile: else it would never end.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Adds comments to the task file as an editor does, as fast as it can; gives how many.
fn edit_until(workspace: &Workspace, stop: &AtomicBool, pause: Duration) -> u32 {
    let (file, mine) = (workspace.path().join("tasks.yml"), workspace.outside().join("mine"));
    let mut edits = 0;
    while !stop.load(Ordering::SeqCst) {
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&mine, format!("{text}# edit {edits}.\n")).unwrap();
        std::fs::rename(&mine, &file).unwrap();
        edits += 1;
        std::thread::sleep(pause);
    }
    edits
}
