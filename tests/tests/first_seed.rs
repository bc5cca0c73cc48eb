//! The parts of the self-improving loop beside the loop itself: metrics with a history, epics, WSJF, simulated production.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use orch_journal::Event;
use orch_tests::isolated::Bench;
use orch_tests::{Workspace, out};

/// A workspace whose roles have one more line, and with these settings.
fn workspace(tasks: &str, role: &str, settings: &str) -> Workspace {
    let workspace = Workspace::new(tasks);
    let config = workspace.read("config.yaml");
    workspace.write("config.yaml", &format!("{config}{role}{settings}"));
    workspace
}

/// The same with executors for epics and simulations.
fn with_executors(tasks: &str) -> Workspace {
    let workspace = Workspace::new(tasks);
    let more = "note: demo/executor-note, epic: demo/executor-intent, simulate: demo/simulator-production";
    workspace.write("config.yaml", &workspace.read("config.yaml").replace("note: demo/executor-note", more));
    workspace
}

/// A function of that complexity.
fn complex(complexity: usize) -> String {
    "def f(a):\n".to_owned() + &"    if a: a = 1\n".repeat(complexity - 1)
}

/// Tasks in the order in which they started.
pub(crate) fn started(workspace: &Workspace) -> Vec<String> {
    let ids: Vec<String> = {
        let reader = workspace.reader();
        let run = reader.runs().unwrap().first().unwrap().id.clone();
        reader.tasks(&run).unwrap().into_iter().map(|task| task.id).collect()
    };
    let of = |event: &Event| match event {
        Event::AttemptStarted { task, .. } => ids.get(*task as usize).cloned(),
        _ => None,
    };
    workspace.events().iter().filter_map(of).collect()
}

/// Values of that metric in the newest run.
pub(crate) fn values(workspace: &Workspace, name: &str) -> Vec<f64> {
    let reader = workspace.reader();
    let run = reader.runs().unwrap().first().unwrap().id.clone();
    let of_name = |metric: orch_journal::metrics::MetricRow| (metric.name == name).then_some(metric.value);
    reader.metrics(&run).unwrap().into_iter().filter_map(of_name).collect()
}

/// What plugins logged in all runs.
fn logged(workspace: &Workspace) -> String {
    let logs = std::fs::read_dir(workspace.path().join("logs")).unwrap().map(|entry| entry.unwrap().path());
    let run = logs.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("run-"));
    run.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Adds a note, so that something finishes, and runs.
fn run_with_a_note(workspace: &Workspace, id: &str) -> String {
    workspace.write("tasks.yml", &format!("{}- {{id: {id}, kind: note}}\n", workspace.read("tasks.yml")));
    workspace.run(&[], 0);
    workspace.read("tasks.yml")
}

#[test]
fn a_file_that_got_worse_is_asked_for_again_and_is_more_urgent() {
    let workspace = workspace(
        "- {id: zero, kind: note}\n",
        "  auditors: [demo/auditor-code-metrics]\n",
        "settings: {demo/auditor-code-metrics: {use_wily: true}}\n",
    );
    workspace.write("src/a.py", &complex(21));
    workspace.write("src/simple.py", &complex(15));
    workspace.write(".gitignore", "/made/\n");
    workspace.write("made/b.py", &complex(50));
    workspace.write("my-env/pyvenv.cfg", "home = /usr/bin\n");
    workspace.write("my-env/lib/c.py", &complex(50));
    let tasks = run_with_a_note(&workspace, "one");
    assert_eq!(tasks.matches("added_by: demo/auditor-code-metrics").count(), 1, "{tasks}");
    assert!(tasks.contains("id: metrics-src..a.py,") && tasks.contains("priority: 2"), "{tasks}");
    // Of both files, once; and of both together each time that it looked.
    assert_eq!(values(&workspace, "code.complexity"), [21.0, 15.0]);
    let above = values(&workspace, "code.blocks_above");
    assert!(above.len() > 1 && above.iter().all(|value| *value == 1.0), "{above:?}");

    let tasks = run_with_a_note(&workspace, "two");
    assert_eq!(tasks.matches("added_by").count(), 1, "{tasks}");
    assert_eq!(values(&workspace, "code.complexity").len(), 0);

    workspace.write("src/a.py", &complex(25));
    let tasks = run_with_a_note(&workspace, "three");
    assert_eq!(tasks.matches("added_by").count(), 2, "{tasks}");
    let (_, again) = tasks.split_once("id: metrics-src..a.py-").unwrap();
    assert!(again.contains("`f` got worse, from 21 to 25") && again.contains("priority: 3"), "{tasks}");
    assert_eq!(values(&workspace, "code.complexity"), [25.0]);

    // Over all runs, as bars and as a picture.
    let shown = |more: &[&str]| {
        out(&workspace.host(&[&["metrics", "trend", "--name", "code.complexity"], more].concat(), 0))
    };
    let text = shown(&[]);
    assert!(text.contains("code.complexity src/a.py       ▁█  21 -> 25  (2)\n"), "{text}");
    let svg = shown(&["--format", "svg"]);
    assert!(
        svg.starts_with("<svg ") && svg.contains("code.complexity src/a.py: 21 to 25</text><polyline"),
        "{svg}"
    );
}

#[test]
fn a_checkouts_earlier_revisions_are_measured_once_and_say_where_a_file_goes() {
    let bench = Bench::new("- {id: zero, kind: note}\n");
    let workspace = &bench.0;
    let config = workspace.read("config.yaml").replace("isolation: worktree\n", "")
        + "settings: {demo/auditor-code-metrics: {use_wily: true}}\n";
    let config = config.replace("roles:\n", "roles:\n  auditors: [demo/auditor-code-metrics]\n");
    workspace.write("config.yaml", &config);
    let commit = |worse: usize, better: usize| {
        workspace.write("src/worse.py", &complex(worse));
        workspace.write("src/better.py", &complex(better));
        bench.git(&["add", "--all"]);
        bench.git(&["commit", "--quiet", "--message=next"]);
    };
    // None of it was seen by a run.
    commit(21, 29);
    commit(23, 27);
    commit(25, 25);
    let tasks = run_with_a_note(workspace, "one");
    let of = |path: &str| {
        let (_, entry) = tasks.split_once(&format!("id: metrics-src..{path},")).unwrap();
        entry.lines().next().unwrap().to_owned()
    };
    // Both are equal now.
    assert!(of("worse.py").contains("priority: 3"), "{tasks}");
    assert!(of("better.py").contains("priority: 1"), "{tasks}");
    let seen = values(workspace, "code.revision.complexity");
    assert_eq!(seen, [29.0, 27.0, 25.0, 21.0, 23.0, 25.0], "of each file the oldest first");
    let text = out(&workspace.host(&["metrics", "trend", "--name", "code.revision.complexity"], 0));
    assert!(text.contains("src/worse.py") && text.contains("21 -> 25  (3)"), "{text}");
    assert!(text.contains("29 -> 25  (3)"), "{text}");

    // Only what a new commit made is read, and what was asked for is not asked for again.
    commit(25, 26);
    let tasks = run_with_a_note(workspace, "two");
    assert_eq!(values(workspace, "code.revision.complexity"), [26.0]);
    assert_eq!(tasks.matches("id: metrics-src..worse.py").count(), 1, "{tasks}");
    assert_eq!(tasks.matches("id: metrics-src..better.py").count(), 2, "it got worse since a run: {tasks}");
    run_with_a_note(workspace, "three");
    assert!(values(workspace, "code.revision.complexity").is_empty());
}

#[test]
fn what_cannot_be_measured_is_passed_over_by_name_and_the_rest_is_measured() {
    let workspace = workspace("- {id: zero, kind: note}\n", "  auditors: [demo/auditor-code-metrics]\n", "");
    // Nothing to measure yet.
    workspace.run(&[], 0);
    assert_eq!(values(&workspace, "code.files").last(), Some(&0.0));

    workspace.write("src/good.py", &complex(21));
    workspace.write("src/malformed.py", "def f(:\n");
    workspace.write("src/malformed.rs", "fn f( {\n");
    std::fs::write(workspace.path().join("src/binary.py"), [0xff, 0x00, 0xfe, 0x7f]).unwrap();
    let large = std::fs::File::create(workspace.path().join("src/large.py")).unwrap();
    large.set_len(50 << 20).unwrap();
    std::os::unix::fs::symlink("..", workspace.path().join("src/up")).unwrap();
    std::os::unix::fs::symlink("self.py", workspace.path().join("src/self.py")).unwrap();
    let tasks = run_with_a_note(&workspace, "one");
    assert_eq!(tasks.matches("added_by: demo/auditor-code-metrics").count(), 1, "{tasks}");
    assert!(tasks.contains("id: metrics-src..good.py,"), "{tasks}");
    let log = logged(&workspace);
    for name in ["malformed.py is passed over", "malformed.rs is passed over", "binary.py is passed over"] {
        assert!(log.contains(&format!("src/{name}")), "{name}: {log}");
    }
    assert!(log.contains("src/large.py is 52428800 bytes, limit is 524288"), "{log}");
    assert!(!log.contains("src/up/"), "no link is followed: {log}");
}

#[test]
fn an_epic_becomes_tasks_that_go_one_after_the_other() {
    let workspace = with_executors(
        "- {id: first, kind: note}\n\
         - id: login\n  kind: epic\n  priority: 4\n  job_size: 2\n  user_business_value: 3\n  steps:\n\
         \x20   - Write down what a login must do\n\
         \x20   - {name: docs, description: Document it, after: []}\n\
         \x20   - {name: build, description: Build it, after: ['1', docs]}\n",
    );
    let output = workspace.run(&["--jobs", "1"], 0);
    assert!(out(&output).contains("epic `login` is 3 tasks, WSJF 1.50"), "{}", out(&output));
    assert_eq!(started(&workspace), ["login", "login.1", "login.docs", "login.build", "first"]);
    let tasks = workspace.read("tasks.yml");
    assert_eq!(tasks.matches("added_by: demo/executor-intent").count(), 3, "{tasks}");
    workspace.run(&["--jobs", "1"], 0);
    assert_eq!(workspace.statuses().len(), 5);
}

#[test]
fn an_epic_that_cannot_be_broken_down_fails_in_words_and_adds_nothing() {
    for (keys, why) in [
        ("steps: [a], job_size: 0", "`job_size` is 0, expected more than 0"),
        (
            "steps: [{name: a, description: A, after: [b]}, {name: b, description: B, after: [a]}]",
            "steps wait for each other in a circle: a -> b -> a",
        ),
    ] {
        let workspace = with_executors(&format!("- {{id: login, kind: epic, {keys}}}\n"));
        let output = workspace.run(&[], 1);
        assert!(out(&output).contains(why), "{}", out(&output));
        assert_eq!(workspace.statuses().len(), 1);
    }
}

#[test]
fn what_is_worth_most_for_its_size_starts_first_and_a_shadow_is_only_heard() {
    let tasks = "- {id: large, kind: epic, steps: [a], user_business_value: 9, job_size: 9}\n\
                 - {id: small, kind: epic, steps: [a], user_business_value: 3, job_size: 1}\n\
                 - {id: middle, kind: epic, steps: [a], user_business_value: 6, time_criticality: 2, job_size: 4}\n";
    let order = |settings: &str| {
        let workspace = with_executors(tasks);
        let config = workspace.read("config.yaml").replace("planner-priority", "planner-wsjf");
        workspace.write("config.yaml", &format!("{config}{settings}"));
        workspace.run(&["--jobs", "1"], 0);
        let order: Vec<String> = started(&workspace).into_iter().filter(|id| !id.contains('.')).collect();
        (order, logged(&workspace))
    };
    let (plain, log) = order("");
    assert_eq!(plain, ["small", "middle", "large"]);
    assert!(!log.contains("suggestion"), "{log}");
    // The agent learned that what is said to be small takes ten times as long.
    let (shadow, log) = order("settings: {demo/planner-wsjf: {agent: [10]}}\n");
    assert_eq!(shadow, plain);
    assert!(
        log.contains(r#"{"baseline":["small","middle","large"],"suggestion":["middle","large","small"]}"#),
        "{log}"
    );
    let (led, _) = order("settings: {demo/planner-wsjf: {agent: [10], authority: 1.0}}\n");
    assert_eq!(led, ["middle", "large", "small"]);
}

/// Tasks of kind `train` with jobs whose small ones take ten times as long as was said.
fn training(ids: &[&str], factor: u32) -> String {
    let job = |place: u32| {
        let (value, size) = (1 + place * 7 % 13, 1 + place % 9);
        let took = if size < 2 { size * factor } else { size };
        format!("{{value: {value}, size: {size}, took: {took}}}")
    };
    let jobs = (0..60).map(job).collect::<Vec<_>>().join(", ");
    ids.iter().map(|id| format!("- {{id: {id}, kind: train, jobs: [{jobs}]}}\n")).collect()
}

#[test]
fn what_train_keeps_orders_the_next_run_as_far_as_it_is_trusted() {
    let workspace = with_executors(&training(&["first", "second"], 10));
    let config = workspace.read("config.yaml").replace("planner-priority", "planner-wsjf");
    let config = config.replace("epic:", "train: demo/planner-wsjf, epic:");
    workspace.write("config.yaml", &config);
    let output = workspace.run(&["--jobs", "1"], 0);
    assert!(
        out(&output).contains("60 jobs: the agent won 0.0 %, authority 0.00 -> 0.00"),
        "{}",
        out(&output)
    );
    assert!(out(&output).contains("it learned from 120"), "{}", out(&output));

    let epics = "- {id: large, kind: epic, steps: [a], user_business_value: 9, job_size: 9}\n\
                 - {id: small, kind: epic, steps: [a], user_business_value: 3, job_size: 1}\n\
                 - {id: middle, kind: epic, steps: [a], user_business_value: 6, time_criticality: 2, job_size: 4}\n";
    let order = |settings: &str| {
        workspace.write("config.yaml", &format!("{config}{settings}"));
        workspace.write("tasks.yml", epics);
        workspace.run(&["--jobs", "1"], 0);
        started(&workspace).into_iter().filter(|id| !id.contains('.')).collect::<Vec<_>>()
    };
    assert_eq!(order(""), ["small", "middle", "large"], "a shadow");
    let reads = workspace
        .events()
        .iter()
        .filter(|event| matches!(event, Event::PlannerRead { call, .. } if call == "kv get wsjf"))
        .count();
    assert_eq!(reads, 1, "what the planner reads is journaled");
    assert_eq!(order("settings: {demo/planner-wsjf: {authority: 1.0}}\n"), ["middle", "large", "small"]);
}

#[test]
fn a_simulation_that_was_kept_goes_on_as_if_it_had_not_stopped() {
    let workspace = with_executors(
        "- {id: whole, kind: simulate, model: model.json, trace: day.json}\n\
         - {id: half, kind: simulate, model: model.json, trace: day.json, until_us: 40000, snapshot: noon}\n\
         - {id: rest, kind: simulate, model: model.json, trace: day.json, restore: noon, dependencies: [half]}\n\
         - {id: lost, kind: simulate, model: model.json, trace: wrong.json, allow_failure: true}\n",
    );
    workspace.write(
        "model.json",
        r#"{"balancers": {"front": {"policy": "least-connections", "to": ["a", "b"]}},
            "services": {"a": {"slots": 2, "queue": 5, "time_us": 90, "jitter_percent": 80, "calls": ["db"]},
                         "b": {"slots": 2, "queue": 5, "time_us": 70, "jitter_percent": 50, "calls": ["db", "db"]}},
            "databases": {"db": {"connections": 3, "queue": 3, "time_us": 30, "jitter_percent": 100}},
            "actions": [{"at_us": 60000, "node": "b", "stop": true}]}"#,
    );
    workspace.write("day.json", r#"[{"at_us": 0, "to": "front", "count": 2000, "every_us": 40}]"#);
    workspace.write("wrong.json", r#"[{"at_us": 5, "to": "front"}, {"at_us": 4, "to": "front"}]"#);
    let output = workspace.run(&["--jobs", "1"], 0);
    assert!(
        out(&output).contains("entry 1 of the trace is at 4 us, after one at 5 us: time goes back"),
        "{}",
        out(&output)
    );
    let (served, failed) = (values(&workspace, "simulation.served"), values(&workspace, "simulation.failed"));
    assert_eq!((served.len(), failed.len()), (3, 3));
    assert!(served[0] + failed[0] == 2000.0 && failed[0] > 0.0 && served[1] < served[0]);
    assert_eq!((served[2], failed[2]), (served[0], failed[0]));

    let shown = |more: &[&str]| {
        out(&workspace.host(&[&["metrics", "--name", "simulation.served"], more].concat(), 0))
    };
    let table = shown(&[]);
    let line = table.lines().find(|line| line.starts_with("simulation.served")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((words[1], words[2].parse::<f64>().unwrap()), ("3", served[1]), "{table}");
    assert!(
        words[4].parse::<f64>().unwrap() == served[0] && words.last() == Some(&"demo/simulator-production")
    );
    let json: serde_json::Value = serde_json::from_str(&shown(&["--format", "json"])).unwrap();
    let of_json: Vec<f64> =
        json["metrics"].as_array().unwrap().iter().map(|row| row["value"].as_f64().unwrap()).collect();
    assert_eq!(of_json, served);
    let text = shown(&["--format", "prometheus"]);
    assert!(
        text.starts_with("# HELP orch_recorded") && text.contains("name=\"simulation.served\""),
        "{text}"
    );
}

/// How many requests are replayed; `cargo xtask campaign requests` asks for more.
fn requests() -> u64 {
    std::env::var("ORCH_REQUESTS").map_or(10_000, |text| text.parse().unwrap())
}

#[test]
fn every_request_of_a_long_trace_is_answered_or_refused() {
    let workspace = with_executors("- {id: day, kind: simulate, model: model.json, trace: day.json}\n");
    workspace.write(
        "model.json",
        r#"{"balancers": {"front": {"policy": "least-connections", "to": ["a", "b"]}},
            "services": {"a": {"slots": 20, "queue": 50, "time_us": 900, "jitter_percent": 40, "calls": ["db"]},
                         "b": {"slots": 20, "queue": 50, "time_us": 900, "jitter_percent": 40, "calls": ["db"]}},
            "databases": {"db": {"connections": 12, "queue": 20, "time_us": 300, "jitter_percent": 90}}}"#,
    );
    let entries: Vec<String> =
        (0..requests()).map(|nth| format!(r#"{{"at_us":{},"to":"front"}}"#, nth * 27)).collect();
    workspace.write("day.json", &format!("[{}]", entries.join(",")));
    let began = std::time::Instant::now();
    workspace.run(&[], 0);
    println!("{} requests: the whole run took {:.2} s", requests(), began.elapsed().as_secs_f64());
    let total = values(&workspace, "simulation.served")[0] + values(&workspace, "simulation.failed")[0];
    assert_eq!(total, requests() as f64);
}
