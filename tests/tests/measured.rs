//! What one plugin measured is read by another: in a later task, in a later run, and where a run is gone through again.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use orch_journal::Event;
use orch_journal::event::Ending;
use orch_tests::isolated::Bench;
use orch_tests::{Workspace, err, out};

const MAY: &str = "log = {}\nmetrics = { read = [\"shared.*\"] }\n";
const MAY_RECORD: &str = "log = {}\nmetrics = {}\n";

/// Lets one plugin record and another one read, as these lines of the policy say, and binds both.
fn bind(workspace: &Workspace, recalls: &str) -> String {
    workspace.admit_guest("measures", MAY_RECORD);
    let root = workspace.admit_guest("recalls-values", recalls);
    let executors = "executors: {measure: demo/measures, recall: demo/recalls-values, ";
    workspace.write("config.yaml", &workspace.read("config.yaml").replace("executors: {", executors));
    root.to_str().unwrap().to_owned()
}

/// What the attempt of that task in the newest run ended with.
fn told(workspace: &Workspace, task: &str) -> String {
    let reader = workspace.reader();
    let run = reader.runs().unwrap().first().unwrap().id.clone();
    let place = reader.task(&run, task).unwrap().unwrap().place;
    let summary = |event| match event {
        Event::AttemptFinished(finished) if finished.task == place => match finished.ending {
            Ending::Done { summary } => Some(summary),
            _ => None,
        },
        _ => None,
    };
    workspace.events().into_iter().filter_map(summary).next_back().unwrap()
}

fn add(workspace: &Workspace, tasks: &str) {
    workspace.write("tasks.yml", &(workspace.read("tasks.yml") + tasks));
}

#[test]
fn what_one_plugin_recorded_another_reads_in_a_later_task_and_in_a_later_run() {
    let workspace = Workspace::new(
        "- {id: one, kind: measure, description: 'shared.size=3 shared.size=4 other.size=9'}\n\
         - {id: fails-two, kind: measure, description: 'shared.size=100', retries: 0}\n\
         - {id: asks, kind: recall, dependencies: [one], description: 'shared.size shared.none other.size shared.recalls'}\n",
    );
    let root = bind(&workspace, MAY);
    workspace.run(&["--plugins", &root, "--jobs", "1"], 1);
    // Nothing of an attempt that failed, nothing of its own, and no name that is not granted.
    let expected = "shared.size: 4 demo/measures one, 3 demo/measures one; shared.none: ; other.size: denied; shared.recalls: ";
    assert_eq!(told(&workspace, "asks"), expected);
    let denied = "metrics: reading `other.size`";
    let denials = workspace.events().into_iter().filter_map(|event| match event {
        Event::Denied { what, .. } => Some(what),
        _ => None,
    });
    assert_eq!(denials.collect::<Vec<_>>(), [denied]);

    workspace.write(
        "tasks.yml",
        "- {id: later, kind: measure, description: 'shared.size=0.1'}\n\
         - {id: asks-again, kind: recall, dependencies: [later], description: 'shared.size shared.size@demo/other shared.recalls'}\n",
    );
    workspace.run(&["--plugins", &root], 0);
    let expected = "shared.size: 0.1 demo/measures later, 4 demo/measures one, 3 demo/measures one; \
                    shared.size@demo/other: ; shared.recalls: 1 demo/recalls-values asks";
    assert_eq!(told(&workspace, "asks-again"), expected);
    // A person sees the same, with whose task it is.
    let json = out(&workspace.host(&["metrics", "--format", "json", "--name", "shared.size"], 0));
    let metrics: serde_json::Value = serde_json::from_str(&json).unwrap();
    let metric = &metrics["metrics"][0];
    assert_eq!((metric["task"].as_str(), metric["value"].as_f64()), (Some("later"), Some(0.1)), "{json}");
    assert!(metric["recorded_at"].as_str().unwrap().ends_with('Z'), "{json}");
    workspace.host(&["db", "check"], 0);
}

#[test]
fn who_may_not_read_is_refused_and_who_may_read_less_is_told_so() {
    let tasks = "- {id: one, kind: measure, description: 'shared.size=3'}\n\
                 - {id: asks, kind: recall, dependencies: [one], description: 'shared.size shared.time'}\n";
    // The operator allows recording alone: the plugin asks for more.
    let workspace = Workspace::new(tasks);
    workspace.admit_guest("measures", MAY_RECORD);
    let policy = workspace.operator().join("policy.toml");
    let root = workspace.admit_guest("recalls-values", MAY);
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text.replace(MAY, MAY_RECORD)).unwrap();
    let executors = "executors: {measure: demo/measures, recall: demo/recalls-values, ";
    workspace.write("config.yaml", &workspace.read("config.yaml").replace("executors: {", executors));
    let root = root.to_str().unwrap();
    let refused = err(&workspace.run(&["--plugins", root], 3));
    assert!(refused.contains("`metrics.read = shared.*` goes beyond `[]`"), "{refused}");
    // The workspace narrows what it is granted: to another name, and to none.
    std::fs::write(&policy, text).unwrap();
    let config = workspace.read("config.yaml");
    for (number, (narrow, size, time)) in
        [("read: [shared.time]", "denied", ""), ("read: []", "denied", "denied")].into_iter().enumerate()
    {
        workspace.write(
            "config.yaml",
            &format!("{config}narrow: {{demo/recalls-values: {{metrics: {{{narrow}}}}}}}\n"),
        );
        let asks = format!("asks-{number}");
        let task =
            "{id: ASKS, kind: recall, description: 'shared.size shared.time'}\n".replace("ASKS", &asks);
        add(&workspace, &format!("- {task}"));
        workspace.run(&["--plugins", root], 0);
        assert_eq!(told(&workspace, &asks), format!("shared.size: {size}; shared.time: {time}"), "{narrow}");
    }
}

#[test]
fn a_run_that_is_gone_through_again_reads_what_it_read() {
    let bench = Bench::new("- {id: one, kind: measure, description: 'shared.size=3'}\n");
    let root = bind(&bench.0, MAY);
    let plugins = ["--plugins", root.as_str()];
    bench.0.write("config.yaml", &(bench.0.read("config.yaml") + "record: full\n"));
    bench.git(&["commit", "--quiet", "--all", "--message=bound"]);
    bench.0.run(&plugins, 0);
    add(&bench.0, "- {id: asks, kind: recall, description: 'shared.size'}\n");
    bench.git(&["commit", "--quiet", "--all", "--message=asks"]);
    bench.0.run(&plugins, 0);
    let (run, expected) = (bench.run_id(), "shared.size: 3 demo/measures one");
    assert_eq!(told(&bench.0, "asks"), expected);
    let kept = bench.0.events().into_iter().filter_map(|event| match event {
        Event::AnswerKept(kept) if kept.of == "metrics" => kept.answer.bytes(),
        _ => None,
    });
    let kept: Vec<String> = kept.map(|bytes| String::from_utf8(bytes).unwrap()).collect();
    assert!(kept.len() == 1 && kept.iter().all(|text| text.contains("\"value\":3.0")), "{kept:?}");
    // What was recorded since is another answer to the same question, and not the one that was given.
    add(&bench.0, "- {id: since, kind: measure, description: 'shared.size=8'}\n");
    bench.git(&["commit", "--quiet", "--all", "--message=since"]);
    bench.0.run(&plugins, 0);
    let runs = bench.0.reader().runs().unwrap().len();
    let said = out(&bench.0.run(&[&["--replay", &run], &plugins[..]].concat(), 0));
    assert!(said.contains("same"), "{said}");
    assert_eq!(bench.0.reader().runs().unwrap().len(), runs);
}
