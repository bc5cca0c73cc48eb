//! A workspace's configuration that changes while a host serves it: what is taken, when, and what is not.
//!
//! In -> out: `config.yaml`, written anew beside a run that is held -> events of the run and of the workspace.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use orch_journal::event::Event;
use orch_tests::served::{Served, serve};
use orch_tests::{Workspace, err};

const PATIENCE: Duration = Duration::from_secs(120);

/// Tasks that each end when somebody lets them.
fn held(ids: &[&str]) -> String {
    let task = |id: &&str| {
        format!(
            "- {{id: {id}, command: [sh, -c, 'echo ran >> ran-{id}; while ! test -e go-{id}; do sleep 0.02; done']}}\n"
        )
    };
    ids.iter().map(task).collect()
}

struct Bench {
    workspace: Workspace,
    config: String,
    _served: Served,
}

impl Bench {
    /// A host that serves, with two tasks at once.
    fn new(tasks: &str, args: &[&str]) -> Self {
        let workspace = Workspace::new(tasks);
        let config = workspace.read("config.yaml") + "jobs: 2\n";
        workspace.write("config.yaml", &config);
        workspace.make_known();
        let _served = serve(&workspace, args);
        Self { workspace, config, _served }
    }

    fn say(&self, more: &str) {
        self.workspace.write("config.yaml", &format!("{}{more}", self.config));
    }

    fn events(&self) -> Vec<Event> {
        if self.workspace.has_run() { self.workspace.events() } else { Vec::new() }
    }

    #[track_caller]
    fn until(&self, what: &str, wanted: impl Fn(&[Event]) -> bool) {
        let begun = Instant::now();
        while !wanted(&self.events()) {
            assert!(begun.elapsed() < PATIENCE, "it never came: {what}\n{:#?}", self.events());
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    #[track_caller]
    fn until_warned(&self, code: &str, said: &str) {
        let fits = |event: &Event| matches!(event, Event::Warned { code: found, text } if found == code && text.contains(said));
        self.until(said, |events| events.iter().any(fits));
    }

    fn let_end(&self, id: &str) {
        self.workspace.write(&format!("go-{id}"), "");
    }
}

fn reloads(events: &[Event]) -> Vec<Vec<String>> {
    let keys = |event: &Event| match event {
        Event::ConfigReloaded(taken) => {
            assert!(taken.before != taken.after && taken.after.len() == 64);
            Some(taken.keys.clone())
        }
        _ => None,
    };
    events.iter().filter_map(keys).collect()
}

fn is_over(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::RunFinished { .. }))
}

#[test]
fn what_is_taken_counts_for_what_begins_and_what_is_under_way_ends() {
    let bench = Bench::new(&held(&["a", "b", "c", "d"]), &["--run"]);
    for id in ["a", "b"] {
        bench.until(id, |_| bench.workspace.has_line(&format!("ran-{id}")));
    }
    bench
        .workspace
        .write("config.yaml", &bench.config.replace("jobs: 2", "jobs: 1\nfindings: {max_major: 3}"));
    bench.until("another configuration", |events| !reloads(events).is_empty());
    for id in ["a", "b", "c", "d"] {
        bench.let_end(id);
    }
    bench.until("the end", is_over);
    let events = bench.events();
    assert_eq!(reloads(&events), [["findings.max_major", "jobs"]]);
    let taken = events.iter().position(|event| matches!(event, Event::ConfigReloaded(_))).unwrap();
    let mut running = BTreeSet::new();
    for (place, event) in events.iter().enumerate() {
        match event {
            Event::AttemptStarted { task, .. } => {
                assert!(running.is_empty() || place < taken, "beside another one: {events:#?}");
                running.insert(*task);
            }
            Event::AttemptFinished(finished) => drop(running.remove(&finished.task)),
            _ => {}
        }
    }
    assert!(bench.workspace.statuses().values().all(|status| status == "done"));
    for id in ["a", "b", "c", "d"] {
        assert_eq!(bench.workspace.read(&format!("ran-{id}")), "ran\n", "{id} once");
    }
}

#[test]
fn what_is_wrong_half_written_gone_or_needs_another_start_is_said_and_nothing_of_it_is_taken() {
    let bench = Bench::new(&held(&["a", "b"]), &["--run"]);
    bench.until("a", |_| bench.workspace.has_line("ran-a"));
    let file = bench.workspace.path().join("config.yaml");
    // A valid beginning of a file may be a whole one; this one is none.
    bench.say("retry: {base_ms: 5, max_");
    bench.until_warned("workspace-config", "config.yaml");
    bench.say("kill_after: 900\n");
    bench.until_warned("workspace-config", "`kill_after` to 900");
    bench.say("policy: {}\n");
    bench.until_warned("workspace-widens", "`policy`");
    bench.say("narrow: {demo/executor-shell: {process: {programs: [sh]}}}\nkill_after: 9\n");
    bench.until_warned("config-changed", "`narrow.demo/executor-shell`");
    bench.say("notify: {failed: [ops]}\n");
    bench.until_warned("notify-channel", "`ops`");
    bench.workspace.write("config.yaml", &bench.config.replace("jobs: 2", "jobs: 64"));
    bench.until_warned("config-changed", "`jobs` is 64, and the host that serves began with 2");
    std::fs::remove_file(&file).unwrap();
    bench.until_warned("config-changed", "`roles.planner`");
    assert_eq!(reloads(&bench.events()), Vec::<Vec<String>>::new());
    // What follows is right, and so are words for people alone.
    bench.say("# by hand\nretry: {base_ms: 5}\n");
    bench.until("what is right", |events| !reloads(events).is_empty());
    bench.let_end("a");
    bench.let_end("b");
    bench.until("the end", is_over);
    assert_eq!(reloads(&bench.events()), [["retry.base_ms"]]);
    assert!(bench.workspace.statuses().values().all(|status| status == "done"));
}

#[test]
fn with_no_run_at_work_the_next_one_begins_with_what_lies_there_or_not() {
    let bench = Bench::new("- {id: a, command: [sh, -c, 'echo ran >> ran']}\n", &[]);
    let of_workspace = || {
        let reader = bench.workspace.reader();
        let stream = reader.stream().unwrap().unwrap();
        reader.events(&stream).map(|event| event.unwrap().1).collect::<Vec<_>>()
    };
    bench.say("budget: {limit: 7}\n");
    let begun = Instant::now();
    while reloads(&of_workspace()).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{:#?}", of_workspace());
        std::thread::sleep(Duration::from_millis(25));
    }
    assert_eq!(reloads(&of_workspace()), [["budget.limit"]]);
    bench.workspace.run(&[], 0);
    let started = bench.events().into_iter().find_map(|event| match event {
        Event::RunStarted(started) => Some(started.budget),
        _ => None,
    });
    assert_eq!(started, Some(7));
    // At once, and not only after a look.
    bench.say("budget: {limit: 8}\nlog_mib: 1\n");
    let refused = err(&bench.workspace.run(&["--force"], 2));
    assert!(refused.contains("code: config-changed") && refused.contains("`log_mib`"), "{refused}");
    bench.say("budget: {limit: 8}\n");
    bench.workspace.run(&["--force"], 0);
    assert_eq!(bench.workspace.read("ran"), "ran\nran\n");
}
