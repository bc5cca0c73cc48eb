//! Stored events of a run: the store is untrusted.

use orch_journal::{Event, RunState};

/// Each event is written and read as the same, and the fold of any events is a state or a refusal.
pub(crate) fn events(bytes: &[u8]) -> bool {
    let mut state = RunState::default();
    let mut all = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(event) = serde_json::from_slice::<Event>(line) else { return false };
        let text = serde_json::to_string(&event).expect("an event is JSON");
        assert!(text.starts_with(&format!(r#"{{"type":"{}""#, event.name())), "{text}");
        let again: Event = serde_json::from_str(&text).expect("our own text is read");
        assert_eq!(again, event);
        if state.apply(&event).is_err() {
            return false;
        }
        assert!(state.tasks.len() == state.by_id.len() && state.status().as_str() != "");
        all.push(event);
    }
    assert_eq!(RunState::replay(&all).expect("what was applied is replayed"), state);
    !all.is_empty()
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let text = r#"{"type":"run_started","run":"r1","goal":"g","plugins":[{"id":"demo/p","version":"1.0.0","roles":["planner"],"component":"00","trust":"certified (local)"}],"jobs":2,"durability":"mixed","budget":10,"at":1,"mac":"00"}
{"type":"host_attached","pid":7,"start_ticks":8,"boot_id":"b","at":2}
{"type":"tasks_added","first":0,"tasks":[{"task":{"id":"a","kind":"shell","command":["true"],"cost":4294967295,"verify":["demo/v"]},"status":"pending"},{"task":{"id":"b","kind":"note","dependencies":["a"]},"status":"waiting_approval","added_by":"demo/x"}],"at":3}
{"type":"session_opened","planner":"demo/p","at":4}
{"type":"observed","changes":[{"ready":0},{"withdrawn":1},{"finished":[0,"done"]},{"budget":5}]}
{"type":"attempt_started","task":0,"attempt":1,"at":5}
{"type":"intent_recorded","task":0,"attempt":1,"effect":"process","at":6}
{"type":"task_moved","task":1,"to":"cancelled","why":"w","at":7}
{"type":"findings_judged","major":1,"medium":0,"minor":0,"abort":true}
{"type":"run_finished","status":"completed","why":"w","at":9}"#;
    vec![("valid", text.as_bytes().to_vec())]
}
