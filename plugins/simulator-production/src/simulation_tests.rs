//! What becomes of requests in small models whose numbers can be worked out by hand.

use super::*;

fn run(model: &str, trace: &str) -> State {
    let model = Model::parse(model.as_bytes()).unwrap();
    let trace = Trace::parse(trace.as_bytes(), &model).unwrap();
    let mut state = State::new(&model, 1);
    state.run(&model, &trace, None);
    state
}

fn node<'a>(state: &'a State, name: &str) -> &'a NodeState {
    state.nodes.iter().find(|node| node.name == name).unwrap()
}

#[test]
fn one_waits_for_the_other_and_a_third_is_refused() {
    let state = run(
        r#"{"services": {"web": {"slots": 1, "queue": 1, "time_us": 10}}}"#,
        r#"[{"at_us": 0, "to": "web", "count": 3}]"#,
    );
    let web = node(&state, "web");
    assert_eq!((web.tally.served, web.tally.refused, web.longest_queue), (2, 1, 1));
    assert_eq!((state.total.served, state.total.failed, state.now_us, web.busy_us), (2, 1, 20, 20));
    assert_eq!((state.total.percentile(50), state.total.percentile(100)), (10, 20));
}

#[test]
fn a_service_holds_its_slot_while_it_calls() {
    let state = run(
        r#"{"services": {"web": {"slots": 1, "queue": 9, "time_us": 10, "calls": ["db", "db"]}},
            "databases": {"db": {"connections": 1, "time_us": 5}}}"#,
        r#"[{"at_us": 0, "to": "web", "count": 2}]"#,
    );
    assert_eq!((state.total.served, state.now_us), (2, 40));
    assert_eq!(
        (node(&state, "db").tally.served, node(&state, "db").busy_us, node(&state, "web").busy_us),
        (4, 20, 40)
    );
}

#[test]
fn what_is_refused_deep_inside_fails_all_around_it_and_frees_their_slots() {
    let state = run(
        r#"{"balancers": {"front": {"policy": "round-robin", "to": ["web"]}},
            "services": {"web": {"slots": 2, "time_us": 10, "calls": ["db"]}},
            "databases": {"db": {"connections": 1, "time_us": 100}}}"#,
        r#"[{"at_us": 0, "to": "front", "count": 2}, {"at_us": 20, "to": "front"}]"#,
    );
    assert_eq!((state.total.served, state.total.failed), (1, 2));
    let db = node(&state, "db");
    assert_eq!((db.tally.served, db.tally.refused), (1, 2));
    assert_eq!((node(&state, "web").tally.failed, node(&state, "front").tally.failed), (2, 2));
    assert!(state.nodes.iter().all(|node| node.busy == 0));
}

const TWO: &str = r#""services": {"a": {"slots": 9, "queue": 99, "time_us": 100}, "b": {"slots": 9, "queue": 99, "time_us": 1}}"#;

#[test]
fn turns_are_equal_and_fewest_connections_are_not() {
    let trace = r#"[{"at_us": 0, "to": "front", "count": 100, "every_us": 5}]"#;
    let served = |policy: &str| {
        let model =
            format!(r#"{{{TWO}, "balancers": {{"front": {{"policy": "{policy}", "to": ["a", "b"]}}}}}}"#);
        let state = run(&model, trace);
        (node(&state, "a").tally.served, node(&state, "b").tally.served)
    };
    assert_eq!(served("round-robin"), (50, 50));
    let (slow, fast) = served("least-connections");
    assert!(slow + fast == 100 && fast > 90, "{slow} and {fast}");
}

#[test]
fn a_balancers_limit_refuses_what_is_above_it() {
    let model = format!(
        r#"{{{TWO}, "balancers": {{"front": {{"policy": "round-robin", "to": ["a"], "limit": 3}}}}}}"#
    );
    let state = run(&model, r#"[{"at_us": 0, "to": "front", "count": 5}, {"at_us": 100, "to": "front"}]"#);
    assert_eq!((node(&state, "front").tally.served, node(&state, "front").tally.refused), (4, 2));
}

#[test]
fn actions_change_what_comes_after_them() {
    let served = |actions: &str| {
        let model = format!(
            r#"{{"services": {{"web": {{"slots": 1, "queue": 99, "time_us": 10}}}}, "actions": [{actions}]}}"#
        );
        let state = run(&model, r#"[{"at_us": 0, "to": "web", "count": 10}, {"at_us": 15, "to": "web"}]"#);
        (state.total.served, state.total.failed, state.now_us)
    };
    assert_eq!(served(""), (11, 0, 110));
    assert_eq!(served(r#"{"at_us": 10, "node": "web", "scale": 10}"#), (11, 0, 25));
    assert_eq!(served(r#"{"at_us": 10, "node": "web", "stop": true}"#), (10, 1, 100));
    let again = r#"{"at_us": 10, "node": "web", "stop": true}, {"at_us": 15, "node": "web", "start": true}"#;
    assert_eq!(served(again), (11, 0, 110));
}

const BUSY: &str = r#"{
    "balancers": {"front": {"policy": "least-connections", "to": ["a", "b"], "limit": 30}},
    "services": {"a": {"slots": 4, "queue": 5, "time_us": 90, "jitter_percent": 80, "calls": ["db"]},
                 "b": {"slots": 4, "queue": 5, "time_us": 70, "jitter_percent": 50, "calls": ["db", "db"]}},
    "databases": {"db": {"connections": 5, "queue": 3, "time_us": 30, "jitter_percent": 100}},
    "actions": [{"at_us": 20000, "node": "db", "scale": 2}, {"at_us": 40000, "node": "front", "route": "round-robin"}]}"#;
const TRAFFIC: &str = r#"[{"at_us": 0, "to": "front", "count": 4000, "every_us": 17}, {"at_us": 500, "to": "a", "count": 400, "every_us": 90}]"#;

#[test]
fn a_state_that_was_kept_goes_on_as_if_it_had_not_stopped() {
    let model = Model::parse(BUSY.as_bytes()).unwrap();
    let trace = Trace::parse(TRAFFIC.as_bytes(), &model).unwrap();
    let mut whole = State::new(&model, 7);
    whole.run(&model, &trace, None);
    assert!(whole.total.failed > 100 && whole.total.served > 100);
    for until in [0, 1, 17, 20_000, 39_999, 68_000, 1_000_000] {
        let mut first = State::new(&model, 7);
        first.run(&model, &trace, Some(until));
        let kept = serde_json::to_string(&first).unwrap();
        let mut rest: State = serde_json::from_str(&kept).unwrap();
        assert!(rest.fits(&model));
        rest.run(&model, &trace, None);
        rest.now_us = whole.now_us;
        for (one, other) in rest.nodes.iter().zip(&whole.nodes) {
            assert_eq!(
                (&one.tally, one.busy_us, one.longest_queue),
                (&other.tally, other.busy_us, other.longest_queue)
            );
        }
        assert_eq!(rest.total, whole.total, "{until}");
    }
}

#[test]
fn every_request_is_answered_or_refused_and_the_seed_decides() {
    let by = |seed| {
        let model = Model::parse(BUSY.as_bytes()).unwrap();
        let trace = Trace::parse(TRAFFIC.as_bytes(), &model).unwrap();
        let mut state = State::new(&model, seed);
        state.run(&model, &trace, None);
        assert_eq!(state.total.served + state.total.failed, 4400);
        assert!(state.nodes.iter().all(|node| node.busy == 0 && node.waiting.is_empty()));
        state.total
    };
    assert_eq!(by(3), by(3));
    assert_ne!(by(3), by(4));
}

#[test]
fn a_state_of_another_model_does_not_fit() {
    let model = |name: &str| {
        Model::parse(format!(r#"{{"services": {{"{name}": {{"slots": 1, "time_us": 10}}}}}}"#).as_bytes())
            .unwrap()
    };
    assert!(!State::new(&model("a"), 1).fits(&model("b")));
    let mut damaged = State::new(&model("a"), 1);
    damaged.ends.push(Reverse((1, 1, 99)));
    assert!(!damaged.fits(&model("a")));
}
