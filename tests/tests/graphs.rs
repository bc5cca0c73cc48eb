//! Workflows that nobody here wrote: completion in topological order, slots never idle, time near a list schedule's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use orch_journal::Event;
use orch_task::{Command, Task};
use orch_tests::{Workspace, root};

/// Each with the scale under which a list schedule of its sleeps on eight slots takes 5 to 9 s.
const GRAPHS: [(&str, &str); 5] = [
    ("1000genome-chameleon-2ch-100k-001", "0.0135"),
    ("blast-chameleon-medium-002", "0.0014"),
    ("cycles-chameleon-1l-1c-9p-001", "0.025"),
    ("helloworld-chain-5-chameleon", "0.0105"),
    ("montage-chameleon-2mass-025d-001", "0.05"),
];

fn imported(graph: &str, args: &[&str]) -> Workspace {
    let workspace = Workspace::new("");
    std::fs::remove_file(workspace.path().join("tasks.yml")).unwrap();
    let file = root().join(format!("tests/data/wfinstances/{graph}.json"));
    workspace.host(&[&["import", file.to_str().unwrap()], args].concat(), 0);
    workspace
}

/// What the journal says of a run over an imported graph.
struct Played {
    tasks: Vec<Task>,
    /// Places of the tasks that each depends on.
    dependencies: Vec<Vec<usize>>,
    /// When each began and ended, in milliseconds.
    spans_ms: Vec<(u64, u64)>,
    /// From the first event to the last.
    wall_ms: u64,
    /// The most attempts at once.
    most: usize,
}

/// Follows the journal and checks, at every event: a task starts only when all that it depends on are done, each
/// once; and whenever an attempt ends, no slot was left free beside a task that was ready.
fn follow(workspace: &Workspace, slots: usize) -> Played {
    let (mut tasks, mut dependencies): (Vec<Task>, Vec<Vec<usize>>) = Default::default();
    let (mut started, mut ended): (Vec<Option<u64>>, Vec<Option<u64>>) = Default::default();
    let (mut running, mut most, mut begun, mut over) = (0, 0, 0, 0);
    for event in workspace.events() {
        match event {
            Event::RunStarted(run) => begun = run.at,
            Event::TasksAdded { tasks: added, .. } => {
                assert!(tasks.is_empty(), "tasks come all at once");
                tasks = added.into_iter().map(|added| added.task).collect();
                let place: HashMap<&str, usize> =
                    tasks.iter().enumerate().map(|(place, task)| (task.id.as_str(), place)).collect();
                let places = |task: &Task| task.dependencies.iter().map(|id| place[id.as_str()]).collect();
                dependencies = tasks.iter().map(places).collect();
                (started, ended) = (vec![None; tasks.len()], vec![None; tasks.len()]);
            }
            Event::AttemptStarted { task, at, .. } => {
                let task = task as usize;
                let early = dependencies[task].iter().find(|before| ended[**before].is_none());
                assert_eq!(early, None, "task {task} started before what it depends on was done");
                assert_eq!(started[task].replace(at), None, "task {task} started twice");
                running += 1;
                most = most.max(running);
            }
            Event::AttemptFinished(finished) => {
                let is_ready = |task: &usize| {
                    started[*task].is_none()
                        && dependencies[*task].iter().all(|before| ended[*before].is_some())
                };
                let ready = (0..tasks.len()).filter(is_ready).count();
                assert_eq!(running, slots.min(running + ready), "{ready} more were ready for {slots} slots");
                ended[finished.task as usize] = Some(finished.at);
                running -= 1;
            }
            Event::RunFinished { at, .. } => over = at,
            _ => {}
        }
    }
    assert!(tasks.len() >= 5);
    let spans = started.into_iter().zip(ended).map(|(start, end)| (start.unwrap(), end.unwrap()));
    Played { spans_ms: spans.collect(), wall_ms: over - begun, tasks, dependencies, most }
}

/// A list schedule: whenever a slot is free, the first ready task in file order takes it. Gives its length and the
/// most at once.
fn list_schedule(lengths_ms: &[u64], dependencies: &[Vec<usize>], slots: usize) -> (u64, usize) {
    let mut open: Vec<usize> = dependencies.iter().map(Vec::len).collect();
    let mut ready: BTreeSet<usize> = (0..open.len()).filter(|task| open[*task] == 0).collect();
    // By end, then by task.
    let mut running: BTreeSet<(u64, usize)> = BTreeSet::new();
    let (mut now_ms, mut most) = (0, 0);
    loop {
        while running.len() < slots
            && let Some(task) = ready.pop_first()
        {
            running.insert((now_ms + lengths_ms[task], task));
        }
        most = most.max(running.len());
        let Some((end_ms, done)) = running.pop_first() else { return (now_ms, most) };
        now_ms = end_ms;
        for (task, before) in dependencies.iter().enumerate() {
            if before.contains(&done) {
                open[task] -= 1;
                if open[task] == 0 {
                    ready.insert(task);
                }
            }
        }
    }
}

/// How long a task was asked to sleep.
fn asked_ms(task: &Task) -> u64 {
    match &task.command {
        Some(Command::Argv(words)) if words[0] == "sleep" => {
            (words[1].parse::<f64>().unwrap() * 1000.0).round() as u64
        }
        other => panic!("{other:?} is no sleep"),
    }
}

/// One run after the other: what is measured is a run that has the machine to itself.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn the_list_schedule_of_a_graph_drawn_by_hand() {
    // `c` after `b`, `d` after `a` and `c`. On two slots: `a` and `b`, then `c`, then `d`.
    let dependencies = [vec![], vec![], vec![1], vec![0, 2]];
    assert_eq!(list_schedule(&[3, 1, 1, 4], &dependencies, 2), (7, 2));
    assert_eq!(list_schedule(&[3, 1, 1, 4], &dependencies, 1), (9, 1));
    assert_eq!(list_schedule(&[3, 1, 1, 4], &[vec![], vec![], vec![], vec![]], 8), (4, 4));
}

#[test]
fn every_order_of_completion_is_topological_with_one_job_and_with_eight() {
    let _alone = alone();
    for (graph, _) in GRAPHS {
        for jobs in [1, 8] {
            let workspace = imported(graph, &[]);
            workspace.run(&["--jobs", &jobs.to_string()], 0);
            let most = follow(&workspace, jobs).most;
            assert!(most <= jobs, "{graph} with {jobs} jobs had {most} at once");
        }
    }
}

/// Runs a graph with sleeps. Wall time is that of the journal, from `run_started` to `run_finished`: planning,
/// starting and ending commands, commits and the task file are in it, the start of the program is not.
///
/// It is held against two list schedules on as many slots. One takes each attempt as long as the journal says that it
/// was, so that a busy machine lengthens both: what remains is the time in which the loop left a slot empty. The other
/// takes the sleeps that were asked for, so that nothing of the host's own time is excused; gives true if it holds.
fn is_nearly_as_fast_as_planned(graph: &str, scale: &str) -> bool {
    const SLOTS: usize = 8;
    let workspace = imported(graph, &["--as", "sleep", "--scale", scale]);
    workspace.run(&["--jobs", &SLOTS.to_string()], 0);
    let played = follow(&workspace, SLOTS);
    let asked: Vec<u64> = played.tasks.iter().map(asked_ms).collect();
    let took: Vec<u64> = played.spans_ms.iter().map(|(start, end)| end - start).collect();
    assert!(took.iter().zip(&asked).all(|(took, asked)| took >= asked), "{graph}: a sleep was cut short");
    let (took_ms, widest) = list_schedule(&took, &played.dependencies, SLOTS);
    let (asked_ms, widest_asked) = list_schedule(&asked, &played.dependencies, SLOTS);
    let wall_ms = played.wall_ms;
    println!(
        "{graph}: {} tasks, {} at once, {wall_ms} ms; planned {asked_ms} ms, with the time that attempts took {took_ms} ms",
        asked.len(),
        played.most
    );
    assert!(
        (5_000..20_000).contains(&asked_ms),
        "{graph}: {asked_ms} ms is too short or too long to say much"
    );
    assert_eq!((played.most, widest), (widest_asked, widest_asked), "{graph}");
    assert!(wall_ms * 10 <= took_ms * 12, "{graph}: {wall_ms} ms, a list schedule takes {took_ms} ms");
    wall_ms * 10 <= asked_ms * 12
}

#[test]
fn with_sleeps_a_run_is_as_wide_and_nearly_as_fast_as_a_list_schedule() {
    let _alone = alone();
    for (graph, scale) in GRAPHS {
        // A machine that is busy with something else spoils a look, hardly three.
        let holds = (0..3).any(|_| is_nearly_as_fast_as_planned(graph, scale));
        assert!(holds, "{graph}: over 1.2 times the list schedule of the sleeps asked for, three times");
    }
}
