//! Choices drawn at random, held against what the manual says of them, task by task and without a graph.

use orch_task::Kind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;

const TASKS_MAX: usize = 7;
const TAGS: [&str; 2] = ["fast", "slow"];

/// Tasks in file order: on which earlier ones each depends, which tags it has, where it stands.
#[derive(Clone, Debug)]
struct Drawn {
    on: Vec<usize>,
    tags: Vec<&'static str>,
    always: bool,
    status: Status,
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let statuses = vec![Status::Pending, Status::Done, Status::Failed, Status::Cancelled];
    let one = (
        vec(0..TASKS_MAX, 0..3),
        subsequence(TAGS.to_vec(), 0..=2),
        0..8usize,
        prop::sample::select(statuses),
    );
    vec(one, 1..=TASKS_MAX).prop_map(|all| {
        let of = |(nth, (on, tags, always, status)): (usize, (Vec<usize>, _, usize, _))| {
            let mut on: Vec<usize> = on.into_iter().filter(|on| *on < nth).collect();
            on.sort_unstable();
            on.dedup();
            Drawn { always: always == 0 && !on.is_empty(), on, tags, status }
        };
        all.into_iter().enumerate().map(of).collect()
    })
}

/// Mostly one or two words of each sort.
fn wanted() -> impl Strategy<Value = Wanted> {
    let ids = || vec((0..TASKS_MAX).prop_map(|nth| format!("t{nth}")), 0..3);
    let tags = || subsequence(TAGS.map(str::to_owned).to_vec(), 0..=1);
    (ids(), ids(), tags(), ids(), tags(), any::<[bool; 3]>()).prop_map(
        |(tasks, from, tags, mut exclude, more, [only, retry_failed, force])| {
            exclude.extend(more);
            Wanted { tasks, from, tags, exclude, only, retry_failed, force, ..Wanted::default() }
        },
    )
}

fn state(tasks: &[Drawn]) -> RunState {
    let made: Vec<Task> = tasks
        .iter()
        .enumerate()
        .map(|(nth, drawn)| {
            let id = |nth: usize| TaskId::parse(&format!("t{nth}")).unwrap();
            let mut task = Task::new(id(nth), Kind::shell());
            task.dependencies = drawn.on.iter().map(|on| id(*on)).collect();
            (task.tags, task.always) =
                (drawn.tags.iter().map(|tag| (*tag).to_owned()).collect(), drawn.always);
            task
        })
        .collect();
    RunState::of_tasks(made.iter().zip(tasks.iter().map(|drawn| drawn.status)))
}

/// True if the first can be reached from the second by what that depends on.
fn is_before(tasks: &[Drawn], first: usize, second: usize) -> bool {
    tasks[second].on.iter().any(|on| *on == first || is_before(tasks, first, *on))
}

/// True if it cannot start while that one is not done: a clean-up starts all the same, and what is behind it too.
fn is_stuck(tasks: &[Drawn], task: usize, on: usize) -> bool {
    !tasks[task].always && tasks[task].on.iter().any(|next| *next == on || is_stuck(tasks, *next, on))
}

/// What the manual says: the places of those that may start, or the code of why there is no such choice.
fn model(tasks: &[Drawn], wanted: &Wanted) -> Result<BTreeSet<TaskIndex>, &'static str> {
    let all = 0..tasks.len();
    let is_id = |task: usize, ids: &[String]| ids.contains(&format!("t{task}"));
    let is_tagged =
        |task: usize, words: &[String]| words.iter().any(|word| tasks[task].tags.contains(&word.as_str()));
    let is_there = |word: &String| all.clone().any(|task| is_id(task, std::slice::from_ref(word)));
    let is_tag = |word: &String| all.clone().any(|task| is_tagged(task, std::slice::from_ref(word)));
    let known = wanted.tasks.iter().chain(&wanted.from).all(is_there)
        && wanted.tags.iter().all(is_tag)
        && wanted.exclude.iter().all(|word| is_there(word) || is_tag(word));
    if !known {
        return Err("choice-unknown");
    }
    let names = !(wanted.tasks.is_empty() && wanted.from.is_empty() && wanted.tags.is_empty());
    if wanted.only && !names {
        return Err("choice-only");
    }
    let is_named = |task: usize| {
        is_id(task, &wanted.tasks) || is_tagged(task, &wanted.tags) || is_id(task, &wanted.from)
    };
    let is_out = |task: usize| is_id(task, &wanted.exclude) || is_tagged(task, &wanted.exclude);
    let cannot = |task: usize| {
        all.clone().any(|on| is_out(on) && tasks[on].status != Status::Done && is_stuck(tasks, task, on))
    };
    if all.clone().any(|task| is_named(task) && is_out(task)) {
        return Err("choice-both");
    }
    if !wanted.only && all.clone().any(|task| is_named(task) && cannot(task)) {
        return Err("choice-needed");
    }
    let is_from = |task: usize| {
        is_id(task, &wanted.from)
            || all.clone().any(|first| is_id(first, &wanted.from) && is_before(tasks, first, task))
    };
    let is_core = |task: usize| !names || is_named(task) || is_from(task);
    let is_meant = |task: usize| {
        is_core(task)
            || (!wanted.only && all.clone().any(|last| is_core(last) && is_before(tasks, task, last)))
    };
    let may = |task: &usize| is_meant(*task) && !is_out(*task) && (wanted.only || !cannot(*task));
    let chosen: BTreeSet<TaskIndex> = all.clone().filter(may).map(|task| task as TaskIndex).collect();
    let is_empty = chosen.is_empty() && !wanted.choice().is_all();
    if is_empty { Err("choice-empty") } else { Ok(chosen) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_chosen_is_what_the_manual_says(tasks in drawn(), wanted in wanted()) {
        let state = state(&tasks);
        let found = meant(&state, &wanted);
        match (model(&tasks, &wanted), found) {
            (Err(code), Err(error)) => prop_assert_eq!(error.code(), code),
            (Ok(expected), Ok(meant)) => {
                let chosen = meant.chosen.clone().unwrap_or_else(|| (0..tasks.len() as TaskIndex).collect());
                prop_assert_eq!(&chosen, &expected);
                check_again(&tasks, &wanted, &meant, &chosen)?;
            }
            (expected, found) => prop_assert!(false, "{expected:?} and {:?}", found.map(|meant| meant.chosen)),
        }
    }
}

/// What starts again is chosen, over, and asked for.
fn check_again(
    tasks: &[Drawn],
    wanted: &Wanted,
    meant: &Meant,
    chosen: &BTreeSet<TaskIndex>,
) -> Result<(), TestCaseError> {
    let names = wanted.choice().names_tasks();
    for (place, drawn) in (0..).zip(tasks) {
        let (is_again, is_after) = (meant.again.contains(&place), meant.after.contains(&place));
        prop_assert!(!(is_again && is_after));
        if !chosen.contains(&place) || drawn.status == Status::Pending {
            prop_assert!(!is_again && !is_after, "t{place} is left out or waits anyhow");
        }
        if drawn.status == Status::Failed && chosen.contains(&place) {
            prop_assert_eq!(is_again, wanted.retry_failed || wanted.force || names, "t{}", place);
        }
        if drawn.status == Status::Done && !wanted.force && wanted.from.is_empty() {
            prop_assert!(!is_again, "t{place} is done, and nobody asked for it again");
            prop_assert!(!is_after || drawn.always);
        }
    }
    Ok(())
}
