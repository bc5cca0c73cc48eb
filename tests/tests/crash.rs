//! `kill -9` at any moment: nothing acknowledged is lost, nothing with an effect runs twice without saying so.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use orch_journal::Event;
use orch_journal::event::Ending;
use orch_tests::Workspace;

/// Seeded and small: the same kills each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Twelve tasks in three layers; each appends its name to a file outside the workspace.
fn tasks(outside: &str, idempotent: bool) -> String {
    let mut text = String::new();
    for task in 0..12 {
        let after: Vec<String> = (0..task)
            .filter(|before| before / 4 + 1 == task / 4)
            .map(|before| format!("t{before}"))
            .collect();
        text.push_str(&format!(
            "- {{id: t{task}, command: [python3, append.py, '{outside}', t{task}], idempotent: {idempotent}, dependencies: [{}]}}\n",
            after.join(", ")
        ));
    }
    text
}

const APPEND: &str = "import sys, time\nwith open(sys.argv[1], 'a') as out:\n    out.write(sys.argv[2] + '\\n')\ntime.sleep(0.02)\n";

/// How often the journal says that something may have happened twice.
fn announced(workspace: &Workspace) -> BTreeMap<u32, usize> {
    let mut found = BTreeMap::new();
    let reader = workspace.reader();
    for run in reader.runs().unwrap() {
        for event in reader.events(&run.id) {
            if let Event::AttemptFinished(finished) = event.unwrap().1
                && matches!(finished.ending, Ending::InDoubt { .. })
            {
                *found.entry(finished.task).or_insert(0) += 1;
            }
        }
    }
    found
}

/// `ORCH_KILLS` asks for more than the 20 of every test run.
fn kills(seed: u64, idempotent: bool) {
    let count = std::env::var("ORCH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let mut random = Random(seed);
    let mut workspace = fresh(idempotent);
    let (mut killed, mut runs) = (0, 0);
    while killed < count {
        let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "3"]);
        let mut child = host.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + random.below(500)));
        let ended = child.try_wait().unwrap();
        if ended.is_none() {
            child.kill().unwrap();
            killed += 1;
        }
        child.wait().unwrap();
        runs += 1;
        if ended.is_some() {
            check(&workspace, idempotent);
            workspace = fresh(idempotent);
        }
    }
    // The last one to its end.
    let end = workspace.command(&["run", "--trust-workspace"]).output().unwrap();
    assert!(matches!(end.status.code(), Some(0 | 6)), "{end:?}");
    check(&workspace, idempotent);
    println!("{killed} kills in {runs} runs");
}

fn fresh(idempotent: bool) -> Workspace {
    let workspace = Workspace::new("");
    let outside = workspace.outside().join("done");
    workspace.write("append.py", APPEND);
    workspace.write("tasks.yml", &tasks(outside.to_str().unwrap(), idempotent));
    workspace
}

/// Reads only files and the store.
fn check(workspace: &Workspace, idempotent: bool) {
    let done = std::fs::read_to_string(workspace.outside().join("done")).unwrap_or_default();
    let mut happened: BTreeMap<String, usize> = BTreeMap::new();
    for line in done.lines() {
        *happened.entry(line.to_owned()).or_insert(0) += 1;
    }
    let announced = announced(workspace);
    for (task, status) in workspace.statuses() {
        let number: u32 = task.trim_start_matches('t').parse().unwrap();
        let times = happened.get(&task).copied().unwrap_or(0);
        let doubts = announced.get(&number).copied().unwrap_or(0);
        assert!(status != "done" || times >= 1, "`{task}` is done and never happened");
        assert!(times <= 1 + doubts, "`{task}` happened {times} times, {doubts} doubts were announced");
        assert!(!idempotent || status == "done", "`{task}` is idempotent and {status}");
        assert!(status == "done" || status == "in_doubt" || status == "pending", "`{task}` is {status}");
    }
    workspace.host(&["audit", "verify"], 0);
    workspace.host(&["db", "check"], 0);
}

#[test]
fn idempotent_tasks_all_end_done_whatever_is_killed() {
    kills(0x5eed_0001, true);
}

#[test]
fn tasks_in_doubt_wait_and_nothing_is_repeated_unannounced() {
    kills(0x5eed_0002, false);
}

#[test]
fn no_process_is_left_when_the_host_is_killed() {
    let marker = "31.7180339";
    let workspace = Workspace::new(&format!(
        "- {{id: a, command: [sleep, '{marker}']}}\n- {{id: b, command: 'setsid sleep {marker} & (sleep {marker} &) ; sleep {marker}'}}\n"
    ));
    let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "2"]);
    let mut child = host.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let alive = || {
        let processes = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
        processes.filter(|line| String::from_utf8_lossy(line).contains(&format!("sleep\0{marker}"))).count()
    };
    let until = |wanted: &dyn Fn(usize) -> bool| {
        (0..400).any(|_| {
            std::thread::sleep(Duration::from_millis(25));
            wanted(alive())
        })
    };
    assert!(until(&|count| count >= 4), "the commands did not start: {}", alive());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(until(&|count| count == 0), "{} processes are left", alive());
    // What was cut off is in doubt, and says so.
    let output = workspace.run(&[], 6);
    assert!(orch_tests::out(&output).contains("waits for you: a"), "{}", orch_tests::out(&output));
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    workspace.host(&["resolve", &run, "a", "--as", "done"], 0);
    workspace.host(&["resolve", &run, "b", "--as", "failed"], 0);
    workspace.run(&[], 1);
}
