//! Answers of plugins, and what of them the host cannot see by itself.
//!
//! In -> out: [`Answer`] -> what is wrong with it.
//! Not here: limits and grants, which the host's roles check before an answer comes here; the rules of one role
//! (`conformance/ROLE.rs`).

use std::collections::BTreeSet;

use orch_host::capability::tasks::AskedTask;

/// What came back, in whichever role.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The whole of it: equal for equal answers.
    pub(crate) text: String,
    /// What is wrong by the role's own rules, in words.
    pub(crate) wrong: Vec<String>,
    /// Tasks that it asks for.
    pub(crate) asked: Vec<AskedTask>,
}

impl Answer {
    /// What is wrong, in words. `asked`: tasks that the call asked for besides. `known`: ids of the run.
    pub(crate) fn faults(&self, asked: &[AskedTask], known: &[&str]) -> Vec<String> {
        let tasks: Vec<&AskedTask> = asked.iter().chain(&self.asked).collect();
        self.wrong.iter().cloned().chain(asked_faults(&tasks, known)).collect()
    }
}

/// Ids differ, and each task waits only for tasks that there are, never for itself in the end.
fn asked_faults(asked: &[&AskedTask], known: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut own = BTreeSet::new();
    for id in asked.iter().filter_map(|task| task.id.as_ref()) {
        if !own.insert(id.as_str()) {
            faults.push(format!("asks for the id `{}` twice", id.as_str()));
        }
    }
    for dependency in asked.iter().flat_map(|task| &task.dependencies) {
        if !own.contains(dependency.as_str()) && !known.contains(&dependency.as_str()) {
            faults.push(format!("asks to wait for `{}`, which is unknown", dependency.as_str()));
        }
    }
    // Takes away what waits for nothing that is left, until nothing more goes: the rest waits for itself.
    let mut left = own;
    loop {
        let waits = |id: &&str| {
            let of_id = asked.iter().filter(|task| task.id.as_ref().is_some_and(|own| own.as_str() == *id));
            of_id.flat_map(|task| &task.dependencies).any(|dependency| left.contains(dependency.as_str()))
        };
        let stuck: BTreeSet<&str> = left.iter().copied().filter(waits).collect();
        if stuck.len() == left.len() {
            break;
        }
        left = stuck;
    }
    faults.extend(left.first().map(|id| format!("task `{id}` waits for itself")));
    faults
}

#[cfg(test)]
pub(crate) mod tests {
    use orch_task::{Kind, TaskId};

    use super::*;

    pub(crate) fn task(id: &str, dependencies: &[&str]) -> AskedTask {
        AskedTask {
            id: Some(TaskId::parse(id).unwrap()),
            description: String::new(),
            kind: Kind::shell(),
            command: None,
            priority: 0,
            cost: 1,
            dependencies: dependencies.iter().map(|id| TaskId::parse(id).unwrap()).collect(),
            settings: serde_json::Map::new(),
        }
    }

    #[track_caller]
    fn check(tasks: &[AskedTask], expected: &[&str]) {
        assert_eq!(asked_faults(&tasks.iter().collect::<Vec<_>>(), &["first"]), expected);
    }

    #[test]
    fn ids_differ_and_dependencies_end() {
        check(&[task("a", &["first"]), task("b", &["a"])], &[]);
        check(&[task("first", &[])], &[]);
        check(&[task("a", &[]), task("a", &[])], &["asks for the id `a` twice"]);
        check(&[task("a", &["x"])], &["asks to wait for `x`, which is unknown"]);
        check(&[task("a", &["a"])], &["task `a` waits for itself"]);
        check(&[task("a", &["c"]), task("b", &["a"]), task("c", &["b"])], &["task `a` waits for itself"]);
    }
}
