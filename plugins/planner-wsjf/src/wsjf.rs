//! Weighted shortest job first.
//!
//! In -> out: a task's keys as JSON -> [`Job`] -> its score, higher goes first.
//! Units: values and sizes are the operator's points. What is missing is 0; a size that is missing or not above 0 is 1.
//! Not here: who refuses an epic of size 0 (`executor-intent`, when it runs), the order (`line.rs`).

use serde::Deserialize;

/// What a task is worth and how large it was said to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Job {
    pub value: f64,
    pub size: f64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    user_business_value: Option<f64>,
    time_criticality: Option<f64>,
    risk_reduction: Option<f64>,
    job_size: Option<f64>,
}

impl Job {
    /// Of a task that has none of the keys: worth nothing, of size 1. Keys of another form count as missing.
    #[must_use]
    pub fn read(settings: &str) -> Self {
        let written: Written = serde_json::from_str(settings).unwrap_or_default();
        let part = |value: Option<f64>| value.filter(|value| *value > 0.0).unwrap_or(0.0);
        Self {
            value: part(written.user_business_value)
                + part(written.time_criticality)
                + part(written.risk_reduction),
            size: written.job_size.filter(|size| *size > 0.0).unwrap_or(1.0),
        }
    }

    #[must_use]
    pub fn score(&self) -> f64 {
        self.value / self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_three_over_the_size() {
        let score = |json| Job::read(json).score();
        assert_eq!(
            score(r#"{"user_business_value": 8, "time_criticality": 3, "risk_reduction": 1, "job_size": 4}"#),
            3.0
        );
        assert_eq!(score(r#"{"time_criticality": 3, "steps": ["a"]}"#), 3.0);
        assert_eq!(score(r#"{"user_business_value": 8, "job_size": 0}"#), 8.0);
        assert_eq!(score(r#"{"user_business_value": -8}"#), 0.0);
        assert_eq!([score("{}"), score("not json"), score(r#"{"job_size": "big"}"#)], [0.0; 3]);
    }
}
