//! Events as people read of them, and as they are stored.

use orch_journal::event::{Actor, DeniedSubject, Event, OperatorDecision, Who};

/// What `name` of that source can say.
fn names(source: &str) -> Vec<&str> {
    let (_, names) = source.split_once("pub fn name(&self)").unwrap();
    let (names, _) = names.split_once("\n    }\n").unwrap();
    names.split('"').skip(1).step_by(2).collect()
}

#[test]
fn every_event_and_every_decision_is_in_its_list_of_all() {
    let (events, decisions) =
        (names(include_str!("../../src/event/name.rs")), names(include_str!("../../src/event/operator.rs")));
    assert!(events.contains(&"run_started") && events.len() > 20, "{events:?}");
    assert!(decisions.contains(&"plugin_approved") && decisions.len() >= 8, "{decisions:?}");
    let listed = include_str!("../../../docs/events.md");
    let (of_events, of_decisions) = listed.split_once("| decision |").unwrap();
    for (list, names) in [(of_events, events), (of_decisions, decisions)] {
        for name in &names {
            assert!(list.contains(&format!("| `{name}` |")), "`{name}` is not in docs/events.md");
        }
        let rows = list.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, names.len(), "docs/events.md lists what is not there");
    }
}

#[test]
fn a_decision_is_stored_by_the_name_that_is_listed() {
    for decision in [
        OperatorDecision::Denied { subject: DeniedSubject::Key("ab".to_owned()), reason: String::new() },
        OperatorDecision::DenialTakenBack { subject: DeniedSubject::Plugin("a/b".to_owned()) },
        OperatorDecision::WorkspaceKnown { path: "/w".to_owned() },
        OperatorDecision::TokenAdded { name: "ci".to_owned(), scopes: vec!["read".to_owned()] },
    ] {
        let name = decision.name();
        let who = Who { uid: 1, pid: 2, program: "/p".to_owned(), token: None, plugin: None };
        let event = Event::OperatorDecided { what: decision, who, at: 7 };
        let text = serde_json::to_string(&event).unwrap();
        let head = format!(r#"{{"type":"operator_decided","what":{{"decision":"{name}","#);
        assert!(text.starts_with(&head), "{text}");
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}

#[test]
fn an_effect_names_an_attempt_or_a_call_and_an_attempt_has_the_bytes_of_before() {
    for (by, text) in [
        (
            Actor::Attempt { task: 3, attempt: 2 },
            r#"{"type":"intent_recorded","task":3,"attempt":2,"effect":"process","at":7}"#,
        ),
        (Actor::Call { number: 9 }, r#"{"type":"intent_recorded","number":9,"effect":"process","at":7}"#),
    ] {
        let event =
            Event::IntentRecorded { by, effect: "process".to_owned(), provided: None, spends: false, at: 7 };
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert_eq!(serde_json::from_str::<Event>(text).unwrap(), event);
    }
}
