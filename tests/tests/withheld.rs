//! What neither a consumer nor its provider gets by the other: what was narrowed, taken from one of them, or withdrawn.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::fs;

use orch_journal::Event;
use orch_journal::event::Actor;
use orch_tests::random::Random;
use orch_tests::served::serve;
use orch_tests::{Workspace, out, until};

use crate::provided::{asked, sending, summary};

/// What a plugin may reach of `a` and `b`, as lines of `narrow`: of each sort one of them or both. A plugin that may do nothing
/// of a sort is not linked.
fn narrowed(random: &mut Random) -> (String, String) {
    let sorts = [random.below(3) + 1, random.below(3) + 1];
    let drawn = sorts.map(|sort| [sort & 1 != 0, sort & 2 != 0]).concat();
    let of = |sort: usize, written: [&str; 2]| {
        let kept = written.into_iter().zip(drawn.iter().skip(sort * 2)).filter(|(_, has)| **has);
        kept.map(|(thing, _)| thing.to_owned()).collect::<Vec<_>>().join(", ")
    };
    let rule =
        |path: &str| format!("{{scheme: http, hosts: ['127.0.0.1:9'], methods: [POST], paths: [/{path}/]}}");
    let lines = format!(
        "{{kv: {{labels: [{}], bytes: 1000}}, http: [{}]}}",
        of(0, ["a", "b"]),
        of(1, [&rule("a"), &rule("b")])
    );
    (lines, drawn.iter().map(|has| if *has { 'y' } else { 'n' }).collect())
}

#[test]
fn whatever_each_is_granted_neither_reaches_more_by_the_other() {
    let workspace = Workspace::new("- {id: a, kind: reach}\n");
    let rule = |path: &str| {
        format!(
            "{{ scheme = \"http\", hosts = [\"127.0.0.1:9\"], methods = [\"POST\"], paths = [\"/{path}/\"] }}"
        )
    };
    let allowed = format!(
        "log = {{}}\nkv = {{ labels = [\"a\", \"b\"], bytes = 1000 }}\n\
         notify = {{ channels = [\"ops\"] }}\nhttp = [{}, {}]\nwasi = {{ clocks = true }}\n",
        rule("a"),
        rule("b")
    );
    let root = workspace.admit_guest("reaches-and-asks", &allowed);
    workspace.admit_guest("reaches-when-asked", &allowed);
    let config =
        workspace.read("config.yaml").replace("executors: {", "executors: {reach: demo/reaches-and-asks, ")
            + "providers: {notify: demo/reaches-when-asked}\n";
    let mut random = Random(7);
    for round in 0..12 {
        let ((consumer, may), (provider, others)) = (narrowed(&mut random), narrowed(&mut random));
        let narrow =
            format!("narrow:\n  demo/reaches-and-asks: {consumer}\n  demo/reaches-when-asked: {provider}\n");
        workspace.write("config.yaml", &format!("{config}{narrow}"));
        workspace.run(&["--force", "--plugins", root.to_str().unwrap()], 0);
        assert_eq!(summary(&workspace.events(), 0), format!("{may} {others} {may}"), "{round}: {narrow}");
    }
}

/// Whether the provider wrote the notice down; a run in which nobody says anything has no log.
fn is_told(workspace: &Workspace) -> bool {
    let logs = fs::read_dir(workspace.path().join("logs")).into_iter().flatten().flatten();
    logs.filter_map(|entry| fs::read_to_string(entry.path()).ok()).any(|log| log.contains("] hello ("))
}

#[test]
fn a_channel_that_was_taken_from_a_consumer_or_its_provider_reaches_nobody() {
    let (workspace, root) =
        sending("- {id: tells, kind: send, description: ops hello}\n", Some("provider-log-notify"));
    let config = workspace.read("config.yaml");
    workspace.write(
        "config.yaml",
        &format!("{config}narrow: {{demo/sends-notices: {{notify: {{channels: []}}}}}}\n"),
    );
    workspace.run(&["--plugins", &root], 0);
    let events = workspace.events();
    assert!(summary(&events, 0).contains("Denied"), "of the workspace's narrowing: {}", summary(&events, 0));
    assert!(asked(&events).is_empty() && !is_told(&workspace), "the provider was not called");

    workspace.write("config.yaml", &config);
    let policy = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    let (before, after) = text.split_once("[plugins.\"demo/provider-log-notify\".provide]").unwrap();
    let other = after.replacen("[\"ops\"]", "[\"dev\"]", 1);
    fs::write(&policy, format!("{before}[plugins.\"demo/provider-log-notify\".provide]{other}")).unwrap();
    workspace.run(&["--force", "--plugins", &root], 0);
    let events = workspace.events();
    assert_eq!(summary(&events, 0), "[Err(NotFound)]", "of the operator's word about the provider");
    assert!(asked(&events).is_empty() && !is_told(&workspace), "the provider was not called");
}

#[test]
fn a_service_sends_notices_and_its_intent_names_both_also_where_its_answer_is_taken_back() {
    for (provider, path, status) in [
        (Some("provider-log-notify"), "/tell", 200),
        (Some("provider-log-notify"), "/fail", 500),
        (None, "/tell", 200),
    ] {
        let workspace = Workspace::new("- {id: a, kind: note}\n");
        let root = workspace.admit_hostile("tells-when-asked");
        let bound = provider.map_or_else(String::new, |id| format!("providers: {{notify: demo/{id}}}\n"));
        let services = "  services: {/t: demo/tells-when-asked}\n";
        workspace.write("config.yaml", &(workspace.read("config.yaml") + services + &bound));
        workspace.make_known();
        let token = out(&workspace.host(&["token", "add", "all", "--scope", "run"], 0));
        let served = serve(&workspace, &["--plugins", root.to_str().unwrap()]);
        let answer = served.ask("POST", &format!("/t{path}?well"), Some(token.trim()), "");
        let reader = workspace.reader();
        let stream = reader.stream().unwrap();
        let events: Vec<Event> = stream
            .map(|stream| reader.events(&stream).map(|event| event.unwrap().1).collect())
            .unwrap_or_default();
        drop(served);
        assert_eq!(answer.status, status, "{answer:?}");
        let found = asked(&events);
        let log = fs::read_to_string(workspace.path().join("logs/run-serve.log")).unwrap_or_default();
        match provider {
            None => assert!(answer.body.contains("Unavailable") && found.is_empty(), "{answer:?} {found:?}"),
            Some(_) => {
                let [(Actor::Call { .. }, one)] = found.as_slice() else { panic!("{events:?}") };
                assert_eq!(
                    (&*one.consumer, &*one.provider, &*one.subject),
                    ("demo/tells-when-asked", "demo/provider-log-notify", "ops")
                );
                let line = format!("[ops] well (demo/tells-when-asked, {})", one.key);
                assert!(log.contains(&line), "{log}");
            }
        }
    }
}

#[test]
fn a_provider_that_is_withdrawn_as_a_host_works_is_unavailable_to_services_and_runs_that_go_on() {
    let (workspace, root) = sending(
        "- {id: tells, kind: send, description: ops hello}\n- {id: next, kind: note, dependencies: [tells]}\n",
        Some("provider-log-notify"),
    );
    workspace.admit_hostile("tells-when-asked");
    let services = "roles:\n  services: {/t: demo/tells-when-asked}\n";
    workspace.write("config.yaml", &workspace.read("config.yaml").replacen("roles:\n", services, 1));
    workspace.make_known();
    let token = out(&workspace.host(&["token", "add", "all", "--scope", "run"], 0));
    let served = serve(&workspace, &["--plugins", &root]);
    let tells = || served.ask("POST", "/t/tell?hello", Some(token.trim()), "");
    assert!(tells().body.starts_with("Ok("));
    assert!(is_told(&workspace));
    let revoke = ["plugin", "revoke", "demo/provider-log-notify", "--reason", "loses notices"];
    workspace.host(&revoke, 0);
    until(|| tells().body.contains("Unavailable"));
    assert_eq!(tells().status, 200, "the service lives");
    let run = served.ask("POST", "/v1/runs", Some(token.trim()), "");
    assert_eq!(run.status, 202, "{run:?}");
    until(|| workspace.has_run() && workspace.statuses()["next"] == "done");
    drop(served);
    let events = workspace.events();
    assert_eq!(summary(&events, 0), "[Err(Unavailable)]");
    assert!(asked(&events).is_empty(), "it was not called");
}
