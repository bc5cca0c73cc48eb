//! Carries out tasks of kind `train`: what was done makes the agent, and says how far it is trusted.
//!
//! In -> out: a task's `jobs` and `seed`, what is kept -> [`Learned`], kept for the planner's next run.
//! Units: `took` is the size that a job turned out to have, in the operator's points.
//! Invariant: the agent is judged by jobs that it did not learn from: those of this task, before it learns them. The same tasks in the same
//! order keep the same agent.
//! Not here: learning and authority (`agent.rs`), who follows it (`lib.rs`).

use orch_sdk::kv::Bucket;
use orch_sdk::{Attempt, Completion, Error, Executor, Failure, Task, log};
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, Authority, CLASSES, Experience};
use crate::wsjf::Job;

pub const LABEL: &str = "wsjf";
const AGENT: &str = "agent";
const JOBS: &str = "jobs";
/// It learns from so many of the last jobs.
const JOBS_MAX: usize = 1000;

/// Carries out `train`.
pub struct Trainer;

/// What a planner reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    pub factors: Vec<f64>,
    pub authority: f64,
}

/// Value, size as it was said, size as it turned out: short, for a thousand of them are one value.
type Row = (f64, f64, f64);

#[derive(Deserialize)]
struct Written {
    jobs: Vec<Done>,
    #[serde(default = "first")]
    seed: u64,
}

fn first() -> u64 {
    1
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {
    value: f64,
    size: f64,
    took: f64,
}

impl Learned {
    /// What the last training kept; none if there was none.
    ///
    /// # Errors
    /// The store could not be read, or holds what no training wrote.
    pub fn read() -> Result<Option<Self>, String> {
        value(&open()?, AGENT)
    }

    /// After these jobs, which it did not see, and those before.
    fn after(self, earlier: &[Experience], new: &[Experience], seed: u64) -> (Self, f64) {
        let gain = Agent::new(self.factors).gain(new);
        let authority = Authority::new(self.authority).after(gain);
        let all: Vec<Experience> = earlier.iter().chain(new).copied().collect();
        let factors = Agent::train(&all, seed).factors().to_vec();
        (Self { factors, authority: authority.value() }, gain)
    }
}

impl Executor for Trainer {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let (new, seed) = parse(&task.settings).map_err(Failure::new)?;
        let bucket = open().map_err(Failure::new)?;
        let before: Learned = value(&bucket, AGENT).map_err(Failure::new)?.unwrap_or_default();
        let rows: Vec<Row> = value(&bucket, JOBS).map_err(Failure::new)?.unwrap_or_default();
        let earlier: Vec<Experience> = rows.into_iter().map(experience).collect();
        let had = before.authority;
        let (learned, gain) = before.after(&earlier, &new, seed);
        let all: Vec<Row> =
            earlier.iter().chain(&new).map(|one| (one.job.value, one.job.size, one.took)).collect();
        let last = all.len().saturating_sub(JOBS_MAX);
        keep(&bucket, JOBS, &all.get(last..)).map_err(Failure::new)?;
        keep(&bucket, AGENT, &learned).map_err(Failure::new)?;
        let summary = format!(
            "{} jobs: the agent won {:.1} %, authority {had:.2} -> {:.2}; it learned from {}",
            new.len(),
            gain * 100.0,
            learned.authority,
            all.len(),
        );
        log::info(&summary);
        Ok(Completion::new(summary))
    }
}

fn parse(settings: &str) -> Result<(Vec<Experience>, u64), String> {
    let Written { jobs, seed } = serde_json::from_str(settings).map_err(|error| format!("task: {error}"))?;
    if jobs.is_empty() || jobs.len() > JOBS_MAX {
        return Err(format!("`jobs` has {} entries, expected 1 to {JOBS_MAX}", jobs.len()));
    }
    for (place, Done { value, size, took }) in jobs.iter().enumerate() {
        let fits = |number: f64, least: f64| number.is_finite() && (least..=1e9).contains(&number);
        if !fits(*value, 0.0) || !fits(*size, 1e-6) || !fits(*took, 1e-6) {
            return Err(format!(
                "`jobs[{place}]` is value {value}, size {size}, took {took}; expected a value of at least 0, the others above 0"
            ));
        }
    }
    Ok((jobs.into_iter().map(|Done { value, size, took }| experience((value, size, took))).collect(), seed))
}

fn experience((value, size, took): Row) -> Experience {
    Experience { job: Job { value, size }, took }
}

fn open() -> Result<Bucket, String> {
    Bucket::open(LABEL).map_err(|error| format!("kv `{LABEL}`: {error}"))
}

fn value<T: serde::de::DeserializeOwned>(bucket: &Bucket, key: &str) -> Result<Option<T>, String> {
    let bytes = bucket.value(key).map_err(|error: Error| format!("kv `{LABEL}` `{key}`: {error}"))?;
    let parsed = bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose();
    parsed.map_err(|error| format!("kv `{LABEL}` `{key}` holds something else: {error}"))
}

fn keep<T: Serialize>(bucket: &Bucket, key: &str, value: &T) -> Result<(), String> {
    let bytes = serde_json::to_vec(value).map_err(|error| error.to_string())?;
    bucket.set(key, &bytes).map_err(|error| format!("kv `{LABEL}` `{key}`: {error}"))
}

/// Factors that a person wrote or a store held: at most one a class, none that turns an order into noise.
#[must_use]
pub fn are_factors(factors: &[f64]) -> bool {
    factors.len() <= CLASSES && factors.iter().all(|factor| (0.001..=1000.0).contains(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(count: u32, factor: f64) -> Vec<Experience> {
        let job = |place: u32| (f64::from(1 + place * 7 % 13), f64::from(1 + place % 9), 0.0);
        let took = |(value, size, _): Row| (value, size, if size < 4.0 { size * factor } else { size });
        (0..count).map(|place| experience(took(job(place)))).collect()
    }

    #[test]
    fn it_is_judged_by_jobs_that_it_has_not_seen() {
        let (learned, gain) = Learned::default().after(&[], &jobs(100, 4.0), 1);
        assert_eq!((gain, learned.authority), (0.0, 0.0), "who knows nothing orders as the scores do");
        let (trusted, gain) = learned.clone().after(&jobs(100, 4.0), &jobs(60, 4.0), 1);
        assert!(gain > 0.05 && trusted.authority > 0.05, "{gain}");
        let (fallen, gain) = trusted.after(&jobs(100, 4.0), &jobs(60, 0.25), 1);
        assert!(gain < 0.0 && fallen.authority == 0.0, "{gain}");
        assert_eq!(Learned::default().after(&[], &jobs(100, 4.0), 1).0, learned, "the same again");
    }

    #[test]
    fn wrong_jobs_are_named() {
        for (json, part) in [
            (r#"{"jobs": []}"#, "`jobs` has 0 entries"),
            (r#"{"jobs": [{"value": 1, "size": 0, "took": 1}]}"#, "`jobs[0]` is value 1, size 0"),
            (r#"{"jobs": [{"value": 1, "size": 1}]}"#, "missing field `took`"),
            ("{}", "missing field `jobs`"),
        ] {
            assert!(parse(json).unwrap_err().contains(part), "{json}");
        }
        assert_eq!(parse(r#"{"jobs": [{"value": 1, "size": 2, "took": 3}]}"#).unwrap().1, 1);
    }
}
