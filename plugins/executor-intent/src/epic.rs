//! What `tasks.yml` says of an epic.
//!
//! In -> out: the task's keys as JSON -> [`Epic`], whose steps have names and wait for each other.
//! Limits: 1..=100 steps, names of 1..=32 of `[A-Za-z0-9_-]`.
//! Invariant: names are unique, what a step waits for is a step of the same epic, and nothing waits for itself.
//! Not here: the tasks that become of it (`breakdown.rs`).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

pub const STEPS_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 32;

/// An epic that can be broken down.
#[derive(Clone, Debug, PartialEq)]
pub struct Epic {
    pub steps: Vec<Step>,
    pub default_priority: Option<i32>,
    /// Weighted shortest job first; none if the epic says nothing of it.
    pub wsjf: Option<f64>,
}

/// One step, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub name: String,
    pub description: String,
    pub kind: String,
    pub command: Option<Command>,
    /// Names of steps.
    pub after: Vec<String>,
    pub priority: Option<i32>,
    pub cost: u32,
    pub settings: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Command {
    Line(String),
    Words(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEpic {
    #[serde(default)]
    steps: Vec<Value>,
    default_priority: Option<i32>,
    user_business_value: Option<f64>,
    time_criticality: Option<f64>,
    risk_reduction: Option<f64>,
    job_size: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    name: Option<String>,
    description: String,
    kind: Option<String>,
    command: Option<Command>,
    after: Option<Vec<String>>,
    priority: Option<i32>,
    #[serde(default = "one")]
    cost: u32,
    #[serde(default)]
    settings: Map<String, Value>,
}

fn one() -> u32 {
    1
}

impl Epic {
    /// Reads an epic.
    ///
    /// # Errors
    /// What is wrong with which key or step, for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        let written: WrittenEpic =
            serde_json::from_str(json).map_err(|error| format!("the epic's keys: {error}"))?;
        if written.steps.is_empty() || written.steps.len() > STEPS_MAX {
            return Err(format!("`steps` has {} entries, expected 1..={STEPS_MAX}", written.steps.len()));
        }
        let wsjf = written.wsjf()?;
        let mut steps: Vec<Step> = Vec::new();
        for (place, value) in written.steps.into_iter().enumerate() {
            let before = steps.last().map(|step| step.name.clone());
            steps.push(Step::read(place + 1, before, value)?);
        }
        check_order(&steps)?;
        Ok(Self { steps, default_priority: written.default_priority, wsjf })
    }
}

impl WrittenEpic {
    fn wsjf(&self) -> Result<Option<f64>, String> {
        let values = [
            ("user_business_value", self.user_business_value),
            ("time_criticality", self.time_criticality),
            ("risk_reduction", self.risk_reduction),
        ];
        for (key, value) in values {
            if let Some(value) = value.filter(|value| *value < 0.0) {
                return Err(format!("`{key}` is {value}, expected 0 or more"));
            }
        }
        if let Some(size) = self.job_size.filter(|size| *size <= 0.0) {
            return Err(format!(
                "`job_size` is {size}, expected more than 0: the epic's value is divided by it"
            ));
        }
        let is_ranked = self.job_size.is_some() || values.iter().any(|(_, value)| value.is_some());
        let value: f64 = values.iter().filter_map(|(_, value)| *value).sum();
        Ok(is_ranked.then(|| value / self.job_size.unwrap_or(1.0)))
    }
}

impl Step {
    /// `before`: the step before it, which it waits for if it does not say.
    fn read(place: usize, before: Option<String>, value: Value) -> Result<Self, String> {
        let written = match value {
            Value::String(description) => WrittenStep {
                name: None,
                description,
                kind: None,
                command: None,
                after: None,
                priority: None,
                cost: 1,
                settings: Map::new(),
            },
            other => serde_json::from_value(other).map_err(|error| format!("step {place}: {error}"))?,
        };
        let name = written.name.unwrap_or_else(|| place.to_string());
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(format!("step {place}: the name is not 1 to {NAME_BYTES_MAX} of `[A-Za-z0-9_-]`"));
        }
        if written.description.trim().is_empty() {
            return Err(format!("step `{name}` says nothing: `description` is empty"));
        }
        let kind = written
            .kind
            .unwrap_or_else(|| if written.command.is_some() { "shell" } else { "note" }.to_owned());
        Ok(Self {
            name,
            description: written.description,
            kind,
            command: written.command,
            after: written.after.unwrap_or_else(|| before.into_iter().collect()),
            priority: written.priority,
            cost: written.cost,
            settings: written.settings,
        })
    }
}

/// Names are unique, known and in no circle.
fn check_order(steps: &[Step]) -> Result<(), String> {
    let mut waits: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for step in steps {
        if waits.insert(&step.name, step.after.iter().map(String::as_str).collect()).is_some() {
            return Err(format!("two steps are called `{}`", step.name));
        }
    }
    for step in steps {
        if let Some(unknown) = step.after.iter().find(|name| !waits.contains_key(name.as_str())) {
            return Err(format!("step `{}` waits for `{unknown}`, which is no step of the epic", step.name));
        }
    }
    loop {
        let free: Vec<&str> =
            waits.iter().filter(|(_, after)| after.is_empty()).map(|(name, _)| *name).collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            waits.remove(name);
            waits.values_mut().for_each(|after| {
                after.remove(name);
            });
        }
    }
    match circle(&waits) {
        None => Ok(()),
        Some(circle) => Err(format!("steps wait for each other in a circle: {}", circle.join(" -> "))),
    }
}

/// A way that comes back to where it began, when each of them waits for one of them.
fn circle<'a>(waits: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let mut way = vec![*waits.keys().next()?];
    loop {
        let next = *waits.get(way.last()?)?.first()?;
        if let Some(at) = way.iter().position(|name| *name == next) {
            let mut circle = way.split_off(at);
            circle.push(next);
            return Some(circle);
        }
        way.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(json: &str) -> Vec<(String, Vec<String>)> {
        Epic::parse(json).unwrap().steps.into_iter().map(|step| (step.name, step.after)).collect()
    }

    #[test]
    fn steps_are_a_sequence_unless_they_say_otherwise() {
        let seen = after(
            r#"{"steps": ["one", "two", {"name": "free", "description": "x", "after": []},
                {"description": "y", "after": ["1", "free"]}, "z"]}"#,
        );
        let seen: Vec<(&str, String)> =
            seen.iter().map(|(name, after)| (name.as_str(), after.join(" "))).collect();
        let expected = [("1", ""), ("2", "1"), ("free", ""), ("4", "1 free"), ("5", "4")];
        assert_eq!(seen, expected.map(|(name, after)| (name, after.to_owned())));
    }

    #[test]
    fn kinds_follow_from_commands() {
        let epic = Epic::parse(
            r#"{"steps": ["a", {"description": "b", "command": ["make", "-s"]}, {"description": "c", "command": "ls", "kind": "x"}]}"#,
        )
        .unwrap();
        let kinds: Vec<_> = epic.steps.iter().map(|step| step.kind.as_str()).collect();
        assert_eq!(kinds, ["note", "shell", "x"]);
        assert_eq!(epic.steps[1].command, Some(Command::Words(vec!["make".to_owned(), "-s".to_owned()])));
        assert_eq!(epic.steps[2].command, Some(Command::Line("ls".to_owned())));
    }

    #[test]
    fn value_over_size() {
        let wsjf = |json| Epic::parse(json).unwrap().wsjf;
        assert_eq!(wsjf(r#"{"steps": ["a"]}"#), None);
        assert_eq!(
            wsjf(
                r#"{"steps": ["a"], "user_business_value": 8, "time_criticality": 3, "risk_reduction": 1, "job_size": 4}"#
            ),
            Some(3.0)
        );
        assert_eq!(wsjf(r#"{"steps": ["a"], "time_criticality": 3}"#), Some(3.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, part) in [
            (r#"{"steps": ["a"], "job_size": 0}"#, "`job_size` is 0, expected more than 0"),
            (r#"{"steps": ["a"], "job_size": -1}"#, "`job_size` is -1"),
            (r#"{"steps": ["a"], "risk_reduction": -2}"#, "`risk_reduction` is -2, expected 0 or more"),
            (r#"{"steps": []}"#, "`steps` has 0 entries, expected 1..=100"),
            ("{}", "`steps` has 0 entries"),
            (r#"{"steps": ["a"], "size": 3}"#, "unknown field `size`"),
            (r#"{"steps": [{"description": "a", "prio": 3}]}"#, "step 1: unknown field `prio`"),
            (r#"{"steps": [{"name": "a"}]}"#, "step 1: missing field `description`"),
            (r#"{"steps": [" "]}"#, "step `1` says nothing"),
            (r#"{"steps": [{"name": "a b", "description": "x"}]}"#, "the name is not 1 to 32"),
            (r#"{"steps": ["a", {"name": "1", "description": "b"}]}"#, "two steps are called `1`"),
            (r#"{"steps": [{"description": "a", "after": ["z"]}]}"#, "waits for `z`, which is no step"),
            (r#"{"steps": [{"description": "a", "after": ["1"]}]}"#, "in a circle: 1 -> 1"),
            (
                r#"{"steps": ["a", {"name": "b", "description": "b", "after": ["c"]}, {"name": "c", "description": "c", "after": ["1", "b"]}]}"#,
                "in a circle: b -> c -> b",
            ),
        ] {
            let error = Epic::parse(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
        assert!(Epic::parse(&format!("{{\"steps\": [{}]}}", vec!["\"a\""; 101].join(","))).is_err());
    }
}
