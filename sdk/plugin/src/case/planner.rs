//! Cases of planners: a whole session; the answer is the list of its decisions.

use orch_host::engine::CallError;
use orch_host::role::planner::{Planner, PlannerChange, ReadyTask};
use orch_journal::event::Decision;
use orch_task::Status;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expectation::{Ending, Found};
use super::question::{Called, Given, ended, found};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    #[serde(default)]
    pub kinds: Vec<String>,
    pub steps: Vec<Step>,
}

/// What a planner is told or asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Step {
    Observe(Vec<Change>),
    /// So many slots.
    Next(u32),
}

/// Something that a planner hears.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Change {
    Ready { index: u32, priority: i32, cost: u32, kind: u16 },
    Withdrawn(u32),
    Finished { index: u32, status: Status },
    Budget(u64),
}

impl Called for Session {
    async fn call(&self, given: Given<'_>) -> Found {
        found(self.play(given).await.map_or_else(ended, |decisions| Ending::Answer(decisions.into())))
    }
}

impl Session {
    async fn play(&self, given: Given<'_>) -> Result<Vec<Value>, CallError> {
        let planner = Planner::link(given.engine, given.compiled)?;
        let mut session = planner.open(given.context, &given.script.settings(), &self.kinds).await?;
        let mut decisions = Vec::new();
        for step in &self.steps {
            match step {
                Step::Observe(changes) => {
                    session.observe(&changes.iter().map(of_host).collect::<Vec<_>>()).await?;
                }
                Step::Next(slots) => decisions.push(show(session.next(*slots).await?)),
            }
        }
        Ok(decisions)
    }
}

fn show(decision: Decision) -> Value {
    match decision {
        Decision::Start(picked) => json!({ "start": picked }),
        Decision::Wait => json!("wait"),
        Decision::Finished(why) => json!({ "finished": why }),
    }
}

fn of_host(change: &Change) -> PlannerChange {
    match *change {
        Change::Ready { index, priority, cost, kind } => {
            PlannerChange::Ready(ReadyTask { index, priority, cost, kind })
        }
        Change::Withdrawn(index) => PlannerChange::Withdrawn(index),
        Change::Finished { index, status } => PlannerChange::Finished(index, status),
        Change::Budget(left) => PlannerChange::Budget(left),
    }
}
