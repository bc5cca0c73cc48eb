//! Conformance of planners: starts only what is ready, within slots and budget, and comes to an end, in whatever order
//! it is told and asked.
//!
//! Limits: 1000 changes and 256 kinds a call.
//! Not here: driving a session and judging it (`session.rs`).

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use orch_host::role::planner::{PlannerChange, ReadyTask};
use orch_task::{Kind, Status};

use super::Questions;
use super::call::Call;
use super::case::Case;
use super::session::{Session, Step};
use super::value::{LIST_MAX, list, status, text};

const KINDS_MAX: usize = 256;
const CHANGES_MAX: u32 = 1000;

pub(super) const QUESTIONS: Questions = Questions { cases, seeded, functions: 1 };

fn cases(_kind: &Kind) -> Vec<Case> {
    let play_out = |slots| Step::ToTheEnd { slots, status: Status::Done };
    let next = |slots| Step::Next { slots };
    let five = || five_ready(100);
    let withdrawn = vec![PlannerChange::Withdrawn(0), PlannerChange::Withdrawn(1)];
    let later = vec![ready(5, 9, 1), ready(6, i32::MIN, 1)];
    let strict = [
        ("plain", vec![five(), play_out(2)]),
        ("one-slot", vec![five(), play_out(1)]),
        ("most-slots", vec![five(), play_out(u32::MAX)]),
        ("nothing-ready", vec![Step::Observe(vec![PlannerChange::Budget(100)]), next(2)]),
        ("withdrawn", vec![five(), Step::Observe(withdrawn), play_out(2)]),
        ("failed-tasks", vec![five(), Step::ToTheEnd { slots: 2, status: Status::Failed }]),
        ("short-budget", vec![five_ready(3), play_out(2)]),
        ("more-comes-later", vec![five(), next(2), Step::Observe(later), next(2), play_out(2)]),
        ("after-the-end", vec![five(), play_out(2), next(2), Step::Observe(Vec::new()), next(1)]),
    ];
    let lenient = [
        ("next-first", vec![next(1), five(), play_out(2)]),
        ("nothing-told", vec![Step::Observe(Vec::new()), next(1)]),
        ("odd-changes", vec![Step::Observe(odd_changes()), next(1), next(u32::MAX)]),
    ];
    let mut cases: Vec<Case> = Vec::new();
    cases.extend(strict.map(|(name, steps)| Case::answered(name, plan("{}", 2, steps, true))));
    cases.extend(lenient.map(|(name, steps)| Case::survived(name, plan("{}", 2, steps, false))));
    cases.push(Case::survived("settings-no-json", plan("\u{0}not json", 2, Vec::new(), false)));
    cases.push(Case::survived("settings-empty", plan("", 2, Vec::new(), false)));
    let huge = format!("{{\"text\":\"{}\"}}", "y".repeat(60_000));
    cases.push(Case::survived("settings-huge", plan(&huge, 2, Vec::new(), false)));
    cases.push(Case::survived("most-kinds", plan("{}", KINDS_MAX, vec![five(), play_out(2)], false)));
    cases.push(Case::survived("no-kinds", plan("{}", 0, vec![five(), play_out(2)], false)));
    cases
}

fn plan(settings: &str, kinds: usize, steps: Vec<Step>, strict: bool) -> Session {
    let kinds = (0..kinds).map(|number| format!("kind-{number}")).collect();
    Session { settings: settings.to_owned(), kinds, steps, strict }
}

fn ready(index: u32, priority: i32, cost: u32) -> PlannerChange {
    PlannerChange::Ready(ReadyTask { index, priority, cost, kind: 0 })
}

fn five_ready(budget: u64) -> Step {
    let tasks = (0..5).map(|index| ready(index, 5 - index as i32, 1 + index % 2));
    Step::Observe(std::iter::once(PlannerChange::Budget(budget)).chain(tasks).collect())
}

/// A thousand changes, most of them about tasks that nobody spoke of, and no money: nothing may start.
fn odd_changes() -> Vec<PlannerChange> {
    let odd =
        |index| PlannerChange::Ready(ReadyTask { index, priority: i32::MIN, cost: u32::MAX, kind: u16::MAX });
    let mut changes: Vec<PlannerChange> = (0..300).map(odd).collect();
    changes.extend((0..300).map(PlannerChange::Withdrawn));
    changes.extend((0..200).map(|index| PlannerChange::Withdrawn(u32::MAX - index)));
    changes.extend((0..190).map(|index| PlannerChange::Finished(1_000_000 + index, Status::InDoubt)));
    changes.extend((0..CHANGES_MAX - 992).map(odd));
    changes.extend([PlannerChange::Budget(u64::MAX), PlannerChange::Budget(0)]);
    changes
}

fn seeded(source: &mut Unstructured<'_>, _kind: &Kind) -> Result<Arc<dyn Call>> {
    let settings = match source.ratio(1, 4)? {
        true => text(source)?,
        false => "{}".to_owned(),
    };
    let kinds = list(source, LIST_MAX, text)?;
    let steps = list(source, 12, |source| {
        Ok(match source.int_in_range(0..=4)? {
            0 => Step::Next { slots: source.int_in_range(1..=4)? },
            1 => Step::Next { slots: source.int_in_range(1..=u32::MAX)? },
            _ => Step::Observe(list(source, LIST_MAX, change)?),
        })
    })?;
    Ok(Arc::new(Session { settings, kinds, steps, strict: false }))
}

fn change(source: &mut Unstructured<'_>) -> Result<PlannerChange> {
    // Few numbers, so that they meet.
    let index = match source.ratio(1, 8)? {
        true => source.arbitrary()?,
        false => source.int_in_range(0..=12)?,
    };
    Ok(match source.int_in_range(0..=5)? {
        0..=2 => {
            let (priority, kind) = (source.arbitrary()?, source.arbitrary()?);
            let cost = *source.choose(&[0, 1, 2, 7, u32::MAX])?;
            PlannerChange::Ready(ReadyTask { index, priority, cost, kind })
        }
        3 => PlannerChange::Withdrawn(index),
        4 => PlannerChange::Finished(index, status(source)?),
        _ => PlannerChange::Budget(*source.choose(&[0, 1, 5, 1000, u64::MAX])?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_changes_are_as_many_as_a_host_tells() {
        assert_eq!(odd_changes().len(), CHANGES_MAX as usize);
    }
}
