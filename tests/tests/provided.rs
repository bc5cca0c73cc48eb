//! Plugins that answer for others: asked within grants, kept with who asked, failing without harm.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;

use orch_journal::Event;
use orch_journal::event::{Actor, AskedProvider, Ending, Writes};
use orch_tests::{Workspace, err, out};

/// A workspace whose tasks of kind `send` send notices, and the folder of its packages.
pub(crate) fn sending(tasks: &str, provider: Option<&str>) -> (Workspace, String) {
    let workspace = Workspace::new(tasks);
    let root = workspace.admit_hostile("sends-notices");
    let mut config =
        workspace.read("config.yaml").replace("executors: {", "executors: {send: demo/sends-notices, ");
    if let Some(provider) = provider {
        if provider != "provider-log-notify" {
            workspace.admit_hostile(provider);
        }
        config += &format!("providers: {{notify: demo/{provider}}}\n");
    }
    workspace.write("config.yaml", &config);
    (workspace, root.to_str().unwrap().to_owned())
}

pub(crate) fn asked(events: &[Event]) -> Vec<(Actor, AskedProvider)> {
    let asked = |event: &Event| match event {
        Event::IntentRecorded { by, effect, provided: Some(asked), .. } => {
            assert_eq!(effect, "notify");
            Some((*by, asked.clone()))
        }
        _ => None,
    };
    events.iter().filter_map(asked).collect()
}

fn ended(events: &[Event], task: u32) -> (Ending, Writes) {
    let ended = events.iter().find_map(|event| match event {
        Event::AttemptFinished(finished) if finished.task == task => {
            Some((finished.ending.clone(), finished.writes.clone()))
        }
        _ => None,
    });
    ended.unwrap()
}

#[track_caller]
pub(crate) fn summary(events: &[Event], task: u32) -> String {
    match ended(events, task).0 {
        Ending::Done { summary } => summary,
        other => panic!("{other:?}"),
    }
}

fn warned(events: &[Event], wanted: &str) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Warned { code, text } if code == wanted => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

fn log(workspace: &Workspace) -> String {
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    workspace.read(&format!("logs/run-{run}.log"))
}

#[test]
fn a_notice_goes_to_the_provider_and_its_intent_names_both() {
    let tasks = "- {id: tells, kind: send, description: ops all is well}\n";
    let (workspace, root) = sending(tasks, Some("provider-log-notify"));
    workspace.run(&["--plugins", &root], 0);
    let events = workspace.events();
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    let expected = AskedProvider {
        consumer: "demo/sends-notices".to_owned(),
        provider: "demo/provider-log-notify".to_owned(),
        subject: "ops".to_owned(),
        key: format!("{run}-t0.1.1"),
        reserved: None,
    };
    assert_eq!(asked(&events), [(Actor::Attempt { task: 0, attempt: 1 }, expected.clone())]);
    assert!(summary(&events, 0).contains(&expected.key), "the receipt comes back");
    let line = format!("[ops] all is well (demo/sends-notices, {})", expected.key);
    let log = log(&workspace);
    assert!(
        log.lines().any(|found| found.contains("demo/provider-log-notify") && found.contains(&line)),
        "{log}"
    );
}

#[test]
fn what_a_provider_wrote_is_kept_with_who_asked_and_vanishes_with_a_failure() {
    let tasks = "- {id: twice, kind: send, description: ops a, priority: 3}\n\
                 - {id: fails, kind: send, description: ops b, priority: 2, dependencies: [twice]}\n\
                 - {id: once, kind: send, description: ops c, priority: 1, dependencies: [twice]}\n";
    let (workspace, root) = sending(tasks, Some("provides-badly"));
    workspace.run(&["--plugins", &root, "--jobs", "1"], 1);
    let events = workspace.events();
    assert_eq!(asked(&events).len(), 4, "each notice has its intent");
    // The second call of one attempt sees what the first one wrote; the failed attempt's count is gone.
    let summary = summary(&events, 0);
    assert!(summary.contains("\"1\"") && summary.contains("\"2\""), "{summary}");
    let (_, writes) = ended(&events, 0);
    let [provided] = writes.provided.as_slice() else { panic!("{writes:?}") };
    assert_eq!((&*writes.plugin, &*provided.plugin), ("demo/sends-notices", "demo/provides-badly"));
    assert_eq!(provided.kv["notes"].len(), 3, "the count and two keys: {provided:?}");
    assert_eq!(provided.metrics.len(), 2);
    assert!(ended(&events, 1).1.is_empty(), "what is refused keeps nothing of the provider's either");

    let reader = workspace.reader();
    let run = reader.runs().unwrap()[0].id.clone();
    let value = |plugin: &str, key: &str| reader.kv_read(plugin, "notes", key).unwrap();
    assert_eq!(value("demo/provides-badly", "count"), Some(vec![3]), "1, 2, and 3 after the failure");
    assert_eq!(value("demo/sends-notices", "consumer"), Some(b"once".to_vec()));
    assert_eq!(value("demo/sends-notices", "count"), None, "neither sees the other's");
    assert_eq!(value("demo/provides-badly", "consumer"), None);
    let metrics = reader.metrics(&run).unwrap();
    assert_eq!(metrics.len(), 3);
    assert!(metrics.iter().all(|metric| metric.plugin == "demo/provides-badly"), "{metrics:?}");
    workspace.host(&["db", "check"], 0);
}

#[test]
fn a_provider_that_ends_badly_is_unavailable_and_never_its_consumers_end() {
    let words = ["traps", "loops", "floods", "long", "later"];
    let tasks: String =
        words.iter().map(|word| format!("- {{id: {word}, kind: send, description: ops {word}}}\n")).collect();
    // A name of its own, not one that the consumer knows.
    let tasks = tasks.replace("id: traps", "id: provider-traps");
    let (workspace, root) = sending(&tasks, Some("provides-badly"));
    workspace.run(&["--plugins", &root], 0);
    let events = workspace.events();
    for (task, word) in words.iter().enumerate() {
        assert_eq!(summary(&events, task as u32), "[Err(Unavailable)]", "{word}");
        assert!(ended(&events, task as u32).1.provided.iter().all(Writes::is_empty), "{word}");
    }
    let warned = warned(&events, "provider-failed").join("\n");
    for code in ["plugin-trap", "limit-busy", "limit-output", "plugin-answer", "a secret of the provider"] {
        assert!(warned.contains(code), "{code}: {warned}");
    }
}

#[test]
fn a_provider_that_refuses_is_invalid_and_its_words_are_the_operators() {
    let (workspace, root) =
        sending("- {id: refused, kind: send, description: ops fails}\n", Some("provides-badly"));
    workspace.run(&["--plugins", &root], 0);
    let events = workspace.events();
    let summary = summary(&events, 0);
    assert!(summary.starts_with("[Err(Invalid(") && !summary.contains("secret"), "{summary}");
    assert!(warned(&events, "provider-failed")[0].contains("a secret of the provider"));
}

#[test]
fn neither_has_what_only_the_other_was_granted() {
    let tasks = "- {id: other-channel, kind: send, description: dev hello}\n\
                 - {id: other-label, kind: send, description: ops denied}\n";
    let (workspace, root) = sending(tasks, Some("provides-badly"));
    let policy = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    let (before, after) = text.split_once("[plugins.\"demo/provides-badly\".provide]").unwrap();
    let wide = after.replace("[\"ops\"]", "[\"*\"]");
    fs::write(&policy, format!("{before}[plugins.\"demo/provides-badly\".provide]{wide}")).unwrap();
    workspace.run(&["--plugins", &root], 0);
    let events = workspace.events();
    assert!(summary(&events, 0).contains("Denied"), "the consumer was granted one channel");
    assert_eq!(asked(&events).len(), 1, "nobody was asked for the other");
    assert!(summary(&events, 1).contains("\"denied\""), "the provider has no label but its own");
    let denied: Vec<(String, String)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Denied { plugin, what } => Some((plugin.clone(), what.clone())),
            _ => None,
        })
        .collect();
    for (plugin, what) in
        [("demo/sends-notices", "notify: channel `dev`"), ("demo/provides-badly", "kv: label `other`")]
    {
        assert!(denied.contains(&(plugin.to_owned(), what.to_owned())), "{denied:?}");
    }
}

#[test]
fn without_a_provider_a_notice_is_unavailable_and_the_run_said_so_at_its_start() {
    let (workspace, root) = sending("- {id: tells, kind: send, description: ops hello}\n", None);
    workspace.run(&["--plugins", &root], 0);
    let events = workspace.events();
    assert_eq!(summary(&events, 0), "[Err(Unavailable)]");
    assert!(asked(&events).is_empty(), "nothing was to be done");
    assert!(warned(&events, "provider-missing")[0].contains("`demo/sends-notices` may ask for `notify`"));
}

#[test]
fn an_attempt_that_ends_without_an_answer_after_a_notice_is_in_doubt() {
    let (workspace, root) =
        sending("- {id: traps, kind: send, description: ops hello}\n", Some("provider-log-notify"));
    workspace.run(&["--plugins", &root], 6);
    assert!(matches!(ended(&workspace.events(), 0).0, Ending::InDoubt { .. }));
}

#[track_caller]
fn refused(config: impl Fn(&str) -> String, guest: &str, code: &str) {
    let (workspace, root) = sending("- {id: tells, kind: send, description: ops hello}\n", Some(guest));
    let text = config(&workspace.read("config.yaml"));
    workspace.write("config.yaml", &text);
    for args in [
        &["run", "--trust-workspace", "--plugins", &root][..],
        &["run", "--dry-run", "--trust-workspace", "--plugins", &root],
    ] {
        let output = workspace.command(args).output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{args:?}");
        assert!(err(&output).contains(code), "{args:?} {}", err(&output));
    }
    assert!(!workspace.has_run(), "nothing began");
}

#[test]
fn a_binding_that_cannot_be_is_refused_by_name_before_anything_starts() {
    refused(
        str::to_owned,
        "provides-itself",
        "of which each asks the next, in a circle: `notify` by `demo/provides-itself`",
    );
    refused(
        |config| config.replace("demo/provides-badly", "demo/executor-note"),
        "provides-badly",
        "binds `demo/executor-note` as provider, its manifest has no such role",
    );
    refused(
        |config| config.replace("providers: {notify:", "providers: {kv:"),
        "provides-badly",
        "sets `providers` to `kv`",
    );
    refused(
        |config| config.to_owned() + "notify: {done: [dev]}\n",
        "provides-badly",
        "`notify.done` with channel `dev`, which `demo/provides-badly` may not be asked for",
    );
    refused(
        |config| config.replace("providers: {notify: demo/provides-badly}", "notify: {failed: [ops]}"),
        "provides-badly",
        "and binds no provider of notices",
    );
}

#[test]
fn a_provider_that_the_policy_does_not_let_be_one_is_refused_with_the_lines_that_would() {
    let (workspace, root) =
        sending("- {id: tells, kind: send, description: ops hello}\n", Some("provides-badly"));
    let policy = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(
        &policy,
        text.replace("[plugins.\"demo/provides-badly\".provide]\nnotify = { channels = [\"ops\"] }\n", ""),
    )
    .unwrap();
    let said = err(&workspace.run(&["--plugins", &root], 3));
    assert!(
        said.contains("as provider of `notify`, which `plugins.\"demo/provides-badly\".provide`"),
        "{said}"
    );
    assert!(said.contains("notify = { channels = [\"CHANNEL\"] }"), "{said}");
}

#[test]
fn more_consumers_than_slots_all_get_their_answers() {
    let tasks: String = (0..60)
        .map(|number| format!("- {{id: tells-{number}, kind: send, description: ops hello}}\n"))
        .collect();
    let (workspace, root) = sending(&tasks, Some("provider-log-notify"));
    workspace.run(&["--plugins", &root, "--jobs", "24"], 0);
    let events = workspace.events();
    assert_eq!(asked(&events).len(), 60);
    for task in 0..60 {
        assert!(summary(&events, task).starts_with("[Ok("), "{task}: {}", summary(&events, task));
    }
}

#[test]
fn a_verifiers_notice_has_the_key_of_its_call() {
    let (workspace, root) = sending("- {id: note, kind: note}\n", Some("provider-log-notify"));
    workspace.admit_hostile("verifies-and-notifies");
    let config = workspace
        .read("config.yaml")
        .replace("roles:\n", "roles:\n  verifiers: [demo/verifies-and-notifies]\n");
    workspace.write("config.yaml", &config);
    workspace.run(&["--plugins", &root], 0);
    let events = workspace.events();
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    let number = events.iter().find_map(|event| match event {
        Event::CallStarted { plugin, number, .. } if plugin == "demo/verifies-and-notifies" => Some(*number),
        _ => None,
    });
    let number = number.unwrap();
    let found = asked(&events);
    assert_eq!(found[0].0, Actor::Call { number });
    assert_eq!(found[0].1.key, format!("{run}-c{number}.1"));
}

fn notices(events: &[Event]) -> (Vec<AskedProvider>, Vec<(String, Option<String>)>) {
    let (mut owed, mut sent) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::RunFinished { notices, .. } => owed.extend(notices.iter().cloned()),
            Event::NoticeSent(one) => sent.push((one.key.clone(), one.fault.clone())),
            _ => {}
        }
    }
    (owed, sent)
}

#[test]
fn people_hear_of_a_runs_end_once_by_how_it_ended() {
    let tell = "notify: {failed: [ops], waiting: [ops], done: [ops]}\n";
    for (tasks, exit, word) in [
        ("- {id: a, kind: note}\n", 0, "is done"),
        ("- {id: a, command: ['false']}\n", 1, "failed"),
        ("- {id: traps, kind: send, description: ops hello}\n", 6, "waits"),
    ] {
        let (workspace, root) = sending(tasks, Some("provider-log-notify"));
        workspace.write("config.yaml", &(workspace.read("config.yaml") + tell));
        let dry = out(&workspace.run(&["--dry-run", "--plugins", &root], 0));
        assert!(dry.contains("if it is failed: a notice to ops by demo/provider-log-notify"), "{dry}");
        workspace.run(&["--plugins", &root], exit);
        let (owed, sent) = notices(&workspace.events());
        let [notice] = owed.as_slice() else { panic!("{owed:?}") };
        assert_eq!((&*notice.consumer, &*notice.subject), ("", "ops"));
        assert_eq!(sent, [(notice.key.clone(), None)]);
        let log = log(&workspace);
        let told = log.lines().filter(|line| line.contains(word) && line.contains(&notice.key)).count();
        assert_eq!(told, 1, "{log}");
    }
}

#[test]
fn a_notice_that_fails_is_said_and_changes_no_end() {
    let (workspace, root) = sending("- {id: a, kind: note}\n", Some("provides-badly"));
    // Its title begins with the folder's name.
    let folder = workspace.path().parent().unwrap().join("traps x");
    fs::rename(workspace.path(), &folder).unwrap();
    std::os::unix::fs::symlink(&folder, workspace.path()).unwrap();
    let text = fs::read_to_string(folder.join("config.yaml")).unwrap() + "notify: {done: [ops]}\n";
    fs::write(folder.join("config.yaml"), text).unwrap();
    workspace.run(&["--plugins", &root], 0);
    let events = workspace.events();
    let (_, sent) = notices(&events);
    assert!(sent[0].1.as_ref().unwrap().contains("plugin-trap"), "{sent:?}");
    assert_eq!(warned(&events, "notice-failed").len(), 1);
    assert_eq!(workspace.reader().runs().unwrap()[0].status, "completed");
}

#[test]
fn a_notice_that_a_killed_host_did_not_see_end_is_sent_with_the_same_key_and_one_that_it_did_is_not() {
    for (point, lines) in [("before-notice", 1), ("after-notice", 2)] {
        for (tasks, exit) in
            [("- {id: a, kind: note}\n", 0), ("- {id: traps, kind: send, description: ops hello}\n", 6)]
        {
            let (workspace, root) = sending(tasks, Some("provider-log-notify"));
            let tell = "notify: {waiting: [ops], done: [ops]}\n";
            workspace.write("config.yaml", &(workspace.read("config.yaml") + tell));
            let args = ["run", "--trust-workspace", "--plugins", &root];
            let killed =
                workspace.command(&args).env("ORCH_FAILPOINT", format!("{point}:1")).output().unwrap();
            assert_eq!(killed.status.code(), None, "{}", err(&killed));
            let run = workspace.reader().runs().unwrap()[0].id.clone();
            workspace.run(&["--plugins", &root], exit);
            workspace.run(&["--plugins", &root], exit);
            let reader = workspace.reader();
            let events: Vec<Event> = reader.events(&run).map(|event| event.unwrap().1).collect();
            let (owed, sent) = notices(&events);
            let key = &owed[0].key;
            assert_eq!(sent.iter().filter(|(found, _)| found == key).count(), 1, "{point} {sent:?}");
            let log = workspace.read(&format!("logs/run-{run}.log"));
            assert_eq!(log.matches(key.as_str()).count(), lines, "{point}: {log}");
        }
    }
}
