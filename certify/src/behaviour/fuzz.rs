//! Fuzzing: calls with values from a seed, while the fakes answer in every mood.
//!
//! In -> out: a scene -> `fuzz`.
//! Limits: 24 cases for each function of a role; 2,000,000,000 fuel each; after one that hangs the role's rest is not
//! run. The seed is the component's digest.
//! Invariant: a trap or a limit on space is legal and counted; an answer outside the rules, a call that does not end,
//! and anything of the call that the host still holds after it is not.
//! Not here: the cases (`seed.rs`).

use orch_host::capability::trial::Mood;
use orch_host::engine::CallError;
use orch_host::role::AnyExported;
use orch_trust::certificate::CheckResult;
use orch_trust::evidence::Candidate;
use orch_trust::evidence::Compilable;

use super::Scene;
use super::seed::case;
use crate::check::{failed, passed, warned};
use crate::conformance::call::Seen;
use crate::conformance::case::Case;
use crate::conformance::stage::Stage;
use crate::conformance::{faults, questions};

const CASES: u32 = 24;
const FUEL_MAX: u64 = 2_000_000_000;
/// More than one trap in so many cases is a warning.
const TRAPS_ONE_IN: u32 = 10;

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Legal,
    Trap,
    Hang,
    Wrong(Vec<String>),
}

pub(super) fn check(id: &str, scene: Scene<'_>) -> Result<CheckResult, String> {
    let stage = scene.stage.with_fuel(FUEL_MAX);
    let (mut looked_at, mut wrong, mut notes) = (0, Vec::new(), Vec::new());
    for role in &scene.stage.manifest().roles {
        // Linked again: what was linked before has another ceiling of fuel.
        let plugin = stage.link(*role).map_err(|error| error.to_string())?;
        // The first call of a component opens what its native code keeps open.
        if let Some(plain) = stage.cases(*role).first() {
            scene.runtime.block_on(stage.call(&plugin, &stage.fakes(plain.mood), plain));
        }
        let files_before = open_files()?;
        let mut traps = 0;
        let exports = &stage.compiled.evidence().facts().exports;
        let functions: u32 = questions(*role, exports).iter().map(|asked| asked.functions).sum();
        for number in 0..CASES * functions {
            let case = case(scene.package.component_digest(), (*role, exports), number, &stage.kind())
                .map_err(|error| format!("case {number} of role `{}`: {error}", role.as_str()))?;
            looked_at += 1;
            match one(&scene, &stage, &plugin, &case) {
                End::Legal => {}
                End::Trap => traps += 1,
                End::Wrong(what) => wrong.extend(what),
                End::Hang => {
                    wrong.push(format!("fuzz-hang: {}: does not come to an end", case.name));
                    break;
                }
            }
        }
        if traps * TRAPS_ONE_IN > CASES {
            notes.push(format!("fuzz-traps: {}: more than one in {TRAPS_ONE_IN} calls", role.as_str()));
        }
        if open_files()? > files_before {
            wrong.push(format!("fuzz-leak: {}: files stay open after the calls", role.as_str()));
        }
    }
    Ok(match (wrong.is_empty(), notes.is_empty()) {
        (false, _) => failed(id, looked_at, wrong),
        (true, false) => warned(id, looked_at, notes),
        (true, true) => passed(id, looked_at, Vec::new()),
    })
}

fn one(scene: &Scene<'_>, stage: &Stage, plugin: &AnyExported<Candidate>, case: &Case) -> End {
    let fakes = stage.fakes(case.mood);
    let seen = scene.runtime.block_on(stage.call(plugin, &fakes, case));
    match fakes.are_given_back() {
        true => judge(case, &seen),
        false => End::Wrong(vec![format!("fuzz-leak: {}: the host still holds what it was lent", case.name)]),
    }
}

fn judge(case: &Case, seen: &Seen) -> End {
    match &seen.answer {
        Err(CallError::Trap { .. }) => End::Trap,
        Err(CallError::Limit { limit: "busy" | "wall" | "fuel", .. }) => End::Hang,
        Err(CallError::Limit { .. }) => End::Trap,
        Err(CallError::Closed { .. }) if case.mood == Mood::Closed => End::Legal,
        Ok(_) | Err(_) => match faults(case, seen) {
            faults if faults.is_empty() => End::Legal,
            faults => End::Wrong(faults),
        },
    }
}

/// How many files this process has open.
fn open_files() -> Result<usize, String> {
    Ok(std::fs::read_dir("/proc/self/fd").map_err(|error| format!("open files: {error}"))?.count())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_host::call::Used;
    use orch_host::role::auditor::Audit;

    use super::*;
    use crate::conformance::answer::Answer;

    #[track_caller]
    fn check(mood: Mood, answer: Result<Answer, CallError>, expected: impl Fn(&End) -> bool) {
        let case = Case { mood, ..Case::survived("auditor-0", Audit(Vec::new())) };
        let seen = Seen::of(answer, Used::default());
        let end = judge(&case, &seen);
        assert!(expected(&end), "{end:?}");
    }

    #[test]
    fn traps_are_counted_and_hangs_and_wrong_answers_are_not_forgiven() {
        let plugin: Arc<str> = "demo/x".into();
        let limit = |limit| Err(CallError::Limit { plugin: plugin.clone(), limit, allowed: "1".to_owned() });
        let failure = |message: &str| {
            Err(CallError::Failure { plugin: plugin.clone(), message: message.to_owned(), retriable: false })
        };
        let wrong = |end: &End| matches!(end, End::Wrong(_));
        let message = || "x".to_owned();
        check(Mood::Good, Ok(Answer::default()), |end| *end == End::Legal);
        check(Mood::Good, Ok(Answer { wrong: vec![message()], ..Answer::default() }), wrong);
        check(Mood::Good, failure("no"), |end| *end == End::Legal);
        check(Mood::Good, failure(" "), wrong);
        check(Mood::Good, limit("memory"), |end| *end == End::Trap);
        check(Mood::Good, limit("fuel"), |end| *end == End::Hang);
        check(Mood::Good, limit("wall"), |end| *end == End::Hang);
        let trap = || Err(CallError::Trap { plugin: plugin.clone(), message: message() });
        check(Mood::Good, trap(), |end| *end == End::Trap);
        check(Mood::Good, Err(CallError::Answer { plugin: plugin.clone(), message: message() }), wrong);
        check(Mood::Closed, Err(CallError::Closed { plugin: plugin.clone(), why: None }), |end| {
            *end == End::Legal
        });
        check(Mood::Good, Err(CallError::Closed { plugin: plugin.clone(), why: None }), wrong);
        let source = Box::new(std::io::Error::other("x"));
        check(Mood::Good, Err(CallError::Host { plugin: plugin.clone(), source }), wrong);
    }
}
