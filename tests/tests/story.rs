//! The whole of the self-improving loop in one run: epics by what they are worth, work of two other machines, an auditor that sees
//! that the code got worse, metrics, simulated production; the host is killed in the middle.
//!
//! In -> out: two epics and a day of traffic, a broker with two workers -> everything done, each command of a worker once.
//! Not here: what each part does alone (`first_seed.rs`, `brokered.rs`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use orch_tests::{Workspace, err, out};

use crate::brokered::Broker;
use crate::first_seed::{started, values};

const PATIENCE: Duration = Duration::from_secs(120);
const RUN: [&str; 6] = ["run", "--trust-workspace", "--jobs", "3", "--audit", "every-completion"];

const CONFIG: &str = "\
roles:
  planner: demo/planner-wsjf
  executors:
    note: demo/executor-note
    epic: demo/executor-intent
    remote: demo/executor-remote
    simulate: demo/simulator-production
  auditors: [demo/auditor-code-metrics]
asked: {remote: {on_doubt: retry}}
settings:
  demo/auditor-code-metrics: {use_wily: true}
  demo/executor-remote: {broker: 'BROKER', prefix: site}
";

/// `simple` and `docs` end only beside each other, so two workers have them; `grown` ends when it may. `later` is first in the
/// file and worth less.
const TASKS: &str = r#"
- id: later
  kind: epic
  user_business_value: 3
  job_size: 3
  steps: [Think about what comes next]
- id: login
  kind: epic
  user_business_value: 8
  time_criticality: 1
  job_size: 1
  steps:
    - {name: simple, description: Write it, kind: remote, after: [], settings: {save: src/login.py},
       command: "touch AT/simple; while ! test -e AT/docs; do sleep 0.05; done; CODE16"}
    - {name: docs, description: Document it, kind: remote, after: [],
       command: "touch AT/docs; while ! test -e AT/simple; do sleep 0.05; done; echo documented"}
    - {name: grown, description: Let it do more, kind: remote, after: [simple, docs], settings: {save: src/login.py},
       command: "echo began > AT/grown; while ! test -e AT/go; do sleep 0.05; done; CODE25"}
- {id: day, kind: simulate, priority: -1, model: model.json, trace: day.json}
"#;

const MODEL: &str = r#"{"balancers": {"front": {"policy": "least-connections", "to": ["a", "b"]}},
  "services": {"a": {"slots": 4, "queue": 20, "time_us": 90000, "jitter_percent": 40, "calls": ["db"]},
               "b": {"slots": 4, "queue": 20, "time_us": 90000, "jitter_percent": 40, "calls": ["db"]}},
  "databases": {"db": {"connections": 5, "queue": 20, "time_us": 30000}},
  "actions": [{"at_us": 43200000000, "node": "b", "stop": true}]}"#;

/// A request a second, from midnight to midnight.
const DAY: &str = r#"[{"at_us": 0, "to": "front", "count": 86400, "every_us": 1000000}]"#;

/// A line for `sh` that writes a function of that complexity.
fn code(complexity: u32) -> String {
    let more = complexity - 1;
    format!("i=0; echo 'def login(a):'; while [ $i -lt {more} ]; do echo '    if a: a = 1'; i=$((i+1)); done")
}

fn private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The workspace of the loop, whose host may ask that broker.
fn workspace(broker: &Broker, at: &Path) -> Workspace {
    let tasks = TASKS.replace("CODE16", &code(16)).replace("CODE25", &code(25));
    let workspace = Workspace::new(&tasks.replace("AT", at.to_str().unwrap()));
    workspace.write("config.yaml", &CONFIG.replace("BROKER", &broker.url()));
    workspace.write("model.json", MODEL);
    workspace.write("day.json", DAY);
    let_reach(&workspace, broker);
    let policy = workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    // What a worker runs is an effect: of an epic's tasks these wait for nobody's yes.
    let auto = "[tasks]\nauto = [{ plugin = \"demo/executor-intent\", kind = \"remote\" }]\n";
    std::fs::write(&policy, text + auto).unwrap();
    workspace
}

/// Lets tasks of that workspace go to that broker, with its token.
pub(crate) fn let_reach(workspace: &Workspace, broker: &Broker) {
    let policy = workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text.replace("127.0.0.1:8000", &broker.served.services.to_string())).unwrap();
    let file = workspace.outside().join("token");
    private(&file, &broker.token);
    private(&workspace.operator().join("secrets.toml"), &format!("[secrets.broker]\nfile = {file:?}\n"));
}

#[track_caller]
fn until(what: &str, mut wanted: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !wanted() {
        assert!(begun.elapsed() < PATIENCE, "it never came: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

#[test]
fn epics_go_by_their_worth_to_two_workers_and_what_got_worse_comes_back_though_the_host_was_killed() {
    let broker = Broker::new();
    let flags = tempfile::tempdir().unwrap();
    let workspace = workspace(&broker, flags.path());
    let mut workers = ["w1", "w2"].map(|name| broker.worker(name, &[]));

    // Killed while a worker works on the last step, and after the note about the first one was done.
    let log = std::fs::File::create(workspace.outside().join("said")).unwrap();
    let mut command = workspace.command(&RUN);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut host = command.spawn().unwrap();
    until("the last step begins", || {
        let found = std::fs::read_to_string(flags.path().join("grown"));
        assert!(host_is_at_work(&mut host), "{}", said(&workspace));
        found.is_ok_and(|text| text.ends_with('\n'))
    });
    let is_done = |id: &str| workspace.statuses().get(id).is_some_and(|status| status == "done");
    let before = ["metrics-src..login.py", "day", "later.1", "login.simple", "login.docs"];
    until("everything else is done", || before.iter().all(|id| is_done(id)));
    host.kill().unwrap();
    host.wait().unwrap();
    std::fs::write(flags.path().join("go"), "").unwrap();
    let ended = broker.until_ended("site.login.grown");
    assert_eq!(ended["status"], "done", "the worker goes on without the host: {ended}");

    // Nobody saw how the attempt ended; another one takes the result that is there.
    let done = workspace.host(&RUN, 0);
    let run = workspace.reader().runs().unwrap().first().unwrap().id.clone();
    assert!(workspace.statuses().values().all(|status| status == "done"), "{}\n{}", out(&done), err(&done));

    // By what it is worth for its size, not by the file.
    let order = started(&workspace);
    let place = |id: &str| order.iter().position(|found| found == id).unwrap();
    assert!(place("login") < place("later") && place("login.simple") < place("login.grown"), "{order:?}");

    // Each command of a worker once, by both of them.
    let once = ["site.login.docs", "site.login.grown", "site.login.simple"].map(|id| (id.to_owned(), 1));
    assert_eq!(broker.ends(), BTreeMap::from(once));
    let left = broker.ask("GET", "/tasks", "").json();
    let left = left["tasks"].as_array().unwrap();
    assert!(
        left.len() == 3 && left.iter().all(|task| task["keep_seconds"] == 604_800),
        "for a week: {left:?}"
    );
    let kept = workspace.reader().artifacts(&run).unwrap();
    assert!(kept.iter().any(|artifact| artifact.name == "stdout"), "{kept:?}");
    assert!(workspace.read("src/login.py").lines().count() == 25);

    // The report follows each task back to its epic.
    let report = out(&workspace.host(&["report"], 0));
    let (_, tree) = report.split_once("\nasked for\n").unwrap_or_else(|| panic!("{report}"));
    let expected = "  later  done\n  └── later.1  done\n  login  done\n  ├── login.simple  done\n  ├── login.docs  done\n  \
                    └── login.grown  done\n";
    assert!(tree.starts_with(expected) && report.contains("by demo/executor-intent for login\n"), "{report}");

    // The auditor saw it, and the second note is more urgent than the first.
    let tasks = workspace.read("tasks.yml");
    let line = |id: &str| {
        tasks.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{tasks}")).to_owned()
    };
    assert!(line("id: metrics-src..login.py,").contains("priority: 1"), "{tasks}");
    let again = line("id: metrics-src..login.py-");
    assert!(again.contains("`login` got worse, from 16 to 25") && again.contains("priority: 3"), "{again}");

    // Metrics show both, and the day.
    assert_eq!(values(&workspace, "code.complexity"), [16.0, 25.0]);
    let (served, failed) = (values(&workspace, "simulation.served"), values(&workspace, "simulation.failed"));
    assert_eq!(served[0] + failed[0], 86_400.0);
    let (_, shown) = report.split_once("\nmetrics\n").unwrap_or_else(|| panic!("{report}"));
    for name in ["code.complexity", "simulation.served", "simulation.latency.p99"] {
        assert!(shown.lines().any(|line| line.trim_start().starts_with(&format!("{name} "))), "{shown}");
    }
    for worker in &mut workers {
        assert_eq!(worker.end(), 0);
    }
}

fn host_is_at_work(host: &mut std::process::Child) -> bool {
    host.try_wait().unwrap().is_none()
}

fn said(workspace: &Workspace) -> String {
    std::fs::read_to_string(workspace.outside().join("said")).unwrap()
}
