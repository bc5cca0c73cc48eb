//! Starts epics by weighted shortest job first; a trained agent may reorder as many as it has authority for.
//!
//! In -> out: what changed in the run -> at most as many tasks as there are slots.
//! Units: settings as [`Settings`]. Without authority the agent is a shadow: what it would have done is a line of JSON in the log.
//! Invariant: with the same changes, tasks and values it gives the same answers; what it learned is read once, when a run begins.
//! Not here: scores (`wsjf.rs`), the agent (`agent.rs`), its training (`train.rs`), the order (`line.rs`); readiness and the budget are the host's.

pub mod agent;
pub mod line;
pub mod train;
pub mod wsjf;

use std::collections::BTreeMap;

use orch_sdk::{Change, Decision, Failure, Planner, ReadyTask, log, tasks};
use serde::Deserialize;
use serde_json::json;

use crate::agent::{Agent, Authority, CLASSES};
use crate::line::{Candidate, Difference, Line};
use crate::train::{Learned, Trainer, are_factors};
use crate::wsjf::Job;

/// The session of one run.
pub struct WsjfPlanner {
    authority: Authority,
    agent: Option<Agent>,
    /// Places of the kinds that have a value and a size.
    ranked: Vec<u16>,
    line: Line,
    /// Ids of tasks that the agent's lines name.
    ids: BTreeMap<u32, String>,
    /// What its last line said.
    told: Option<Difference>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub kinds: Vec<String>,
    pub authority: f64,
    pub agent: Vec<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { kinds: vec!["epic".to_owned()], authority: 0.0, agent: Vec::new() }
    }
}

impl Settings {
    /// Parses the settings.
    ///
    /// # Errors
    /// What is wrong with which key, for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        let settings: Self = serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        if !(0.0..=1.0).contains(&settings.authority) {
            return Err(format!("settings: `authority` is {}, expected 0.0..=1.0", settings.authority));
        }
        if !are_factors(&settings.agent) {
            return Err(format!("settings: `agent` is not at most {CLASSES} numbers of 0.001..=1000.0"));
        }
        Ok(settings)
    }

    /// The agent and how much it orders: the one of the settings, else what was learned, at most as far as the settings trust it.
    fn follow(
        &self,
        learned: impl FnOnce() -> Result<Option<Learned>, String>,
    ) -> Result<(Option<Agent>, Authority), String> {
        if !self.agent.is_empty() {
            return Ok((Some(Agent::new(self.agent.clone())), Authority::new(self.authority)));
        }
        Ok(match learned()?.filter(|learned| are_factors(&learned.factors)) {
            Some(Learned { factors, authority }) => {
                (Some(Agent::new(factors)), Authority::new(authority.min(self.authority)))
            }
            None => (None, Authority::default()),
        })
    }
}

impl Planner for WsjfPlanner {
    fn open(settings: String, kinds: Vec<String>) -> Result<Self, Failure> {
        let settings = Settings::parse(&settings).map_err(Failure::new)?;
        let (agent, authority) = settings.follow(Learned::read).map_err(Failure::new)?;
        let ranked = settings.kinds;
        let places = (0..).zip(&kinds).filter(|(_, kind)| ranked.contains(kind)).map(|(place, _)| place);
        Ok(Self {
            authority,
            agent,
            ranked: places.collect(),
            line: Line::default(),
            ids: BTreeMap::new(),
            told: None,
        })
    }

    fn observe(&mut self, changes: Vec<Change>) -> Result<(), Failure> {
        for change in changes {
            match change {
                Change::Ready(task) => self.rank(task)?,
                Change::Withdrawn(index) => self.forget(index, Line::withdraw),
                Change::Finished((index, _)) => self.forget(index, Line::finish),
                Change::Budget(left) => self.line.set_left(left),
            }
        }
        Ok(())
    }

    fn next(&mut self, slots: u32) -> Result<Decision, Failure> {
        self.tell_the_difference();
        let chosen = self.line.choose(slots, self.authority);
        Ok(match (chosen.is_empty(), self.line.is_running()) {
            (false, _) => Decision::Start(chosen),
            (true, true) => Decision::Wait,
            (true, false) if self.line.is_empty() => Decision::Finished("no task is ready".to_owned()),
            (true, false) => {
                Decision::Finished(format!("none of {} ready tasks fits the budget", self.line.len()))
            }
        })
    }
}

orch_sdk::export!(planner: WsjfPlanner, executor: Trainer);

impl WsjfPlanner {
    fn rank(&mut self, task: ReadyTask) -> Result<(), Failure> {
        let mut job = Job { value: 0.0, size: 1.0 };
        if self.ranked.contains(&task.kind) {
            match tasks::describe(task.index) {
                Ok(described) => {
                    job = Job::read(&described.settings);
                    self.ids.insert(task.index, described.id);
                }
                // Of a task that nobody can describe nothing is known but that it is ready.
                Err(orch_sdk::Error::NotFound) => {}
                Err(error) => return Err(Failure::new(format!("cannot read task {}: {error}", task.index))),
            }
        }
        let suggested = self.agent.as_ref().map_or(job.score(), |agent| agent.score(&job));
        let ReadyTask { index, priority, cost, .. } = task;
        self.line.add(Candidate { index, priority, cost, baseline: job.score(), suggested });
        Ok(())
    }

    fn forget(&mut self, index: u32, how: fn(&mut Line, u32)) {
        how(&mut self.line, index);
        self.ids.remove(&index);
    }

    /// One line of JSON with both orders, where the agent would have another one than it said last.
    fn tell_the_difference(&mut self) {
        let found = self.line.difference();
        if let Some(found) = found.as_ref().filter(|found| self.told.as_ref() != Some(found)) {
            let ids = |places: &[u32]| -> Vec<&str> {
                places.iter().filter_map(|place| Some(self.ids.get(place)?.as_str())).collect()
            };
            log::info(json!({ "baseline": ids(&found.baseline), "suggestion": ids(&found.suggestion) }));
        }
        self.told = found;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_other_kinds_go_by_priority_and_nothing_is_asked_about_them() {
        let mut planner = WsjfPlanner {
            authority: Authority::default(),
            agent: None,
            ranked: vec![0],
            line: Line::default(),
            ids: BTreeMap::new(),
            told: None,
        };
        let ready = |index, priority| Change::Ready(ReadyTask { index, priority, cost: 1, kind: 1 });
        planner.observe(vec![Change::Budget(9), ready(0, 1), ready(1, 5)]).unwrap();
        assert!(matches!(planner.next(1).unwrap(), Decision::Start(chosen) if chosen == [1]));
        assert!(matches!(planner.next(1).unwrap(), Decision::Start(chosen) if chosen == [0]));
        assert!(matches!(planner.next(1).unwrap(), Decision::Wait));
        planner.observe(vec![Change::Finished((0, orch_sdk::Outcome::Done)), Change::Withdrawn(1)]).unwrap();
        planner.observe(vec![Change::Finished((1, orch_sdk::Outcome::Done))]).unwrap();
        assert!(matches!(planner.next(1).unwrap(), Decision::Finished(why) if why == "no task is ready"));
    }

    #[test]
    fn what_was_learned_is_followed_as_far_as_the_settings_trust_it() {
        let follow = |json: &str| {
            let learned = Learned { factors: vec![2.0], authority: 0.6 };
            let (agent, authority) = Settings::parse(json).unwrap().follow(|| Ok(Some(learned))).unwrap();
            (agent.unwrap().factors().to_vec(), authority.value())
        };
        assert_eq!(follow("{}"), (vec![2.0], 0.0));
        assert_eq!(follow(r#"{"authority": 0.5}"#), (vec![2.0], 0.5));
        assert_eq!(follow(r#"{"authority": 1.0}"#), (vec![2.0], 0.6));
        assert_eq!(follow(r#"{"authority": 0.9, "agent": [4]}"#), (vec![4.0], 0.9));
        let nothing = Settings::parse(r#"{"authority": 1}"#).unwrap().follow(|| Ok(None)).unwrap();
        assert_eq!((nothing.0, nothing.1.value()), (None, 0.0));
        assert!(Settings::default().follow(|| Err("kv".to_owned())).is_err());
    }

    #[test]
    fn wrong_settings_are_named() {
        for (json, part) in [
            (r#"{"autority": 1}"#, "autority"),
            (r#"{"authority": 1.5, "agent": [2]}"#, "`authority` is 1.5"),
            (r#"{"agent": [0]}"#, "`agent` is not"),
            ("", "settings:"),
        ] {
            assert!(Settings::parse(json).unwrap_err().contains(part), "{json}");
        }
    }

    #[test]
    fn the_manifests_schema_knows_these_keys_and_these_defaults() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
        let keys = manifest["settingsSchema"]["properties"].as_object().unwrap();
        let defaults: serde_json::Map<_, _> =
            keys.iter().map(|(key, part)| (key.clone(), part["default"].clone())).collect();
        let json = serde_json::Value::Object(defaults).to_string();
        assert_eq!(Settings::parse(&json).unwrap(), Settings::default());
        let debug = format!("{:?}", Settings::default());
        assert!(keys.keys().all(|key| debug.contains(&format!("{key}: "))));
        assert_eq!(debug.matches(": ").count(), keys.len(), "{debug}");
    }
}
