//! Determinism: the same calls three times, in fresh instances and fresh folders.
//!
//! In -> out: a scene -> `determinism`.
//! Limits: the first eight cases of each role.
//! Invariant: answers, what is kept, what the fakes were asked and the fuel are compared; a difference is a
//! warning, at most one a role, and the required list has no room for any.
//! Not here: clocks and random numbers, which the engine of certification fixes.

use orch_host::role::AnyExported;
use orch_trust::certificate::CheckResult;
use orch_trust::evidence::Candidate;

use super::Scene;
use crate::check::{passed, warned};
use crate::conformance::case::Case;
use crate::conformance::stage::Stage;

const CASES: usize = 8;
const ROUNDS: u32 = 3;

pub(super) fn check(id: &str, scene: Scene<'_>) -> Result<CheckResult, String> {
    let (mut looked_at, mut notes) = (0, Vec::new());
    for (role, plugin) in scene.linked {
        let all = scene.stage.cases(*role);
        let cases = all.get(..CASES).unwrap_or(&all);
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            let folder = scene.folder.join(format!("{}-{round}", role.as_str()));
            let stage = scene.stage.moved(&folder).map_err(|error| format!("workspace: {error}"))?;
            rounds.push(play(&scene, &stage, plugin, cases));
            looked_at += cases.len() as u64;
        }
        notes.extend(difference(cases, &rounds).map(|what| format!("{what} of role `{}`", role.as_str())));
    }
    Ok(match notes.is_empty() {
        true => passed(id, looked_at, notes),
        false => warned(id, looked_at, notes),
    })
}

/// Text and fuel of each case.
fn play(
    scene: &Scene<'_>,
    stage: &Stage,
    plugin: &AnyExported<Candidate>,
    cases: &[Case],
) -> Vec<(String, Option<u64>)> {
    let one = |case: &Case| {
        let fakes = stage.fakes(case.mood);
        let seen = scene.runtime.block_on(stage.call(plugin, &fakes, case));
        (format!("{}\n{}", seen.text(), fakes.record()), seen.used.fuel)
    };
    cases.iter().map(one).collect()
}

/// The first case that is not the same in each round.
fn difference(cases: &[Case], rounds: &[Vec<(String, Option<u64>)>]) -> Option<String> {
    let (first, rest) = rounds.split_first()?;
    for (place, (case, (text, fuel))) in cases.iter().zip(first).enumerate() {
        for (other_text, other_fuel) in rest.iter().filter_map(|round| round.get(place)) {
            if other_text != text {
                return Some(format!("answer-differs: case `{}`", case.name));
            }
            if other_fuel != fuel {
                return Some(format!("fuel-differs: case `{}`", case.name));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use orch_host::role::auditor::Audit;

    use super::*;

    #[test]
    fn another_answer_or_fuel_in_any_round_is_named_with_its_case() {
        let cases = ["one", "two"].map(|name| Case::survived(name, Audit(Vec::new())));
        let same = || vec![("a".to_owned(), Some(1)), ("b".to_owned(), Some(2))];
        assert_eq!(difference(&cases, &[same(), same(), same()]), None);
        let other = vec![("a".to_owned(), Some(1)), ("c".to_owned(), Some(2))];
        assert_eq!(difference(&cases, &[same(), same(), other]).unwrap(), "answer-differs: case `two`");
        let fuel = vec![("a".to_owned(), Some(9)), ("b".to_owned(), Some(2))];
        assert_eq!(difference(&cases, &[same(), fuel, same()]).unwrap(), "fuel-differs: case `one`");
    }
}
