//! Answers of plugins, and what of them the host cannot see by itself.
//!
//! In -> out: [`Answer`] -> what is wrong with it.
//! Not here: limits and grants, which the host's roles check before an answer comes here.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Response, header};
use orch_host::capability::tasks::AskedTask;
use orch_host::role::planner::PlannerDecision;
use orch_journal::event::{Finding, Metric};

/// What came back.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// And what was wrong with them.
    Decisions(Vec<PlannerDecision>, Vec<String>),
    Done(String),
    Asked(Vec<AskedTask>),
    Metrics(Vec<Metric>),
    Findings(Vec<Finding>),
    Response {
        response: Response<Bytes>,
        to_head: bool,
    },
}

impl Answer {
    /// The whole of it as text: equal for equal answers.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Decisions(decisions, faults) => format!("{decisions:?} {faults:?}"),
            Self::Done(summary) => summary.clone(),
            Self::Asked(tasks) => format!("{tasks:?}"),
            Self::Metrics(metrics) => format!("{metrics:?}"),
            Self::Findings(findings) => format!("{findings:?}"),
            Self::Response { response, .. } => {
                format!("{} {:?} {:?}", response.status(), response.headers(), response.body())
            }
        }
    }

    /// What is wrong, in words. `asked`: tasks that the call asked for besides. `known`: ids of the run.
    pub(crate) fn faults(&self, asked: &[AskedTask], known: &[&str]) -> Vec<String> {
        match self {
            Self::Decisions(_, faults) => faults.clone(),
            Self::Asked(more) => asked_faults(&asked.iter().chain(more).collect::<Vec<_>>(), known),
            Self::Response { response, to_head } => response_faults(response, *to_head),
            Self::Done(_) | Self::Metrics(_) | Self::Findings(_) => {
                asked_faults(&asked.iter().collect::<Vec<_>>(), known)
            }
        }
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

fn response_faults(response: &Response<Bytes>, to_head: bool) -> Vec<String> {
    let mut faults = Vec::new();
    if response.status().is_informational() {
        faults.push(format!("ends with the status {}", response.status().as_u16()));
    }
    let stated = response.headers().get(header::CONTENT_LENGTH);
    let stated = stated.map(|value| value.to_str().ok().and_then(|text| text.parse::<u64>().ok()));
    let bytes = response.body().len() as u64;
    if stated.is_some_and(|stated| stated != Some(bytes)) && !to_head {
        faults.push("states another length than its body has".to_owned());
    }
    faults
}

#[cfg(test)]
mod tests {
    use orch_task::{Kind, TaskId};

    use super::*;

    fn task(id: &str, dependencies: &[&str]) -> AskedTask {
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

    #[test]
    fn a_response_is_final_and_as_long_as_it_says() {
        let response = |status: u16, length: &str| {
            let response = Response::builder().status(status).header(header::CONTENT_LENGTH, length);
            response.body(Bytes::from_static(b"ok")).unwrap()
        };
        assert_eq!(response_faults(&response(200, "2"), false), [""; 0]);
        assert_eq!(response_faults(&response(103, "2"), false).len(), 1);
        assert_eq!(response_faults(&response(200, "3"), false).len(), 1);
        assert_eq!(response_faults(&response(200, "3"), true), [""; 0]);
    }
}
