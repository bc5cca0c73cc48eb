//! Events as people read of them, and as they are stored.

use orch_journal::event::{Actor, Event};

#[test]
fn every_event_is_in_the_list_of_all() {
    let source = include_str!("../../src/event.rs");
    let (_, names) = source.split_once("pub fn name(&self)").unwrap();
    let (names, _) = names.split_once("\n    }\n").unwrap();
    let names: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    assert!(names.contains(&"run_started") && names.len() > 20, "{names:?}");
    let listed = include_str!("../../../docs/events.md");
    for name in names {
        assert!(listed.contains(&format!("| `{name}` |")), "`{name}` is not in docs/events.md");
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
        let event = Event::IntentRecorded { by, effect: "process".to_owned(), at: 7 };
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert_eq!(serde_json::from_str::<Event>(text).unwrap(), event);
    }
}
