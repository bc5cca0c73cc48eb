//! Replays workload traces against a model of services, databases and load balancers in simulated time.
//!
//! In -> out: a task of kind `simulate` that names a model and a trace -> metrics, a summary, and a snapshot if it asks for one.
//! Limits: 32 MiB of JSON a file; a snapshot fits the grant's `kv.bytes`.
//! Invariant: nothing of the real world is touched, no clock and no chance are asked: the same files and seed give the same numbers.
//! Not here: how a model behaves (`simulation.rs`), its form (`model.rs`, `trace.rs`).

pub mod model;
pub mod settings;
pub mod simulation;
pub mod tally;
pub mod trace;

use orch_sdk::kv::Bucket;
use orch_sdk::{Attempt, Completion, Error, Executor, Failure, Metric, Task, files, log, metrics};

use crate::model::Model;
use crate::settings::Settings;
use crate::simulation::State;
use crate::tally::Tally;
use crate::trace::Trace;

const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;
const LABEL: &str = "snapshots";
/// Of one value of `orch:kv`.
const PART_BYTES: usize = 60 * 1024;

pub struct ProductionSimulator;

impl Executor for ProductionSimulator {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let settings = Settings::parse(&task.settings).map_err(Failure::new)?;
        let model = Model::parse(&read(&settings.model)?).map_err(Failure::new)?;
        let trace = match &settings.trace {
            Some(path) => Trace::parse(&read(path)?, &model).map_err(Failure::new)?,
            None => Trace::default(),
        };
        let mut state = match &settings.restore {
            Some(name) => restore(name, &model)?,
            None => State::new(&model, settings.seed),
        };
        state.run(&model, &trace, settings.until_us);
        metrics::record_all(&measured(&state)).map_err(|error| in_words("cannot record metrics", &error))?;
        if let Some(name) = &settings.snapshot {
            keep(name, &state)?;
        }
        let summary = summary(&state);
        log::info(&summary);
        Ok(Completion::new(summary))
    }
}

orch_sdk::export!(executor: ProductionSimulator);

fn read(path: &str) -> Result<Vec<u8>, Failure> {
    files::read_all(path, FILE_BYTES_MAX).map_err(|error| in_words(&format!("cannot read `{path}`"), &error))
}

/// Keeps the state in parts, in the place of what had that name.
fn keep(name: &str, state: &State) -> Result<(), Failure> {
    let bytes = serde_json::to_vec(state).map_err(|error| Failure::new(format!("the state: {error}")))?;
    let failed = |error: Error| {
        in_words(&format!("cannot keep the snapshot `{name}` of {} bytes", bytes.len()), &error)
    };
    let bucket = Bucket::open(LABEL).map_err(failed)?;
    for old in bucket.keys(&format!("{name}/")).map_err(failed)? {
        bucket.delete(&old).map_err(failed)?;
    }
    for (number, part) in bytes.chunks(PART_BYTES).enumerate() {
        bucket.set(&format!("{name}/{number:06}"), part).map_err(failed)?;
    }
    Ok(())
}

fn restore(name: &str, model: &Model) -> Result<State, Failure> {
    let failed = |error: Error| in_words(&format!("cannot read the snapshot `{name}`"), &error);
    let bucket = Bucket::open(LABEL).map_err(failed)?;
    let mut bytes = Vec::new();
    for key in bucket.keys(&format!("{name}/")).map_err(failed)? {
        bytes.extend(bucket.value(&key).map_err(failed)?.unwrap_or_default());
    }
    if bytes.is_empty() {
        return Err(Failure::new(format!(
            "there is no snapshot `{name}`: a task with `snapshot: {name}` makes one"
        )));
    }
    let state: State = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new(format!("the snapshot `{name}` is of another version: {error}")))?;
    match state.fits(model) {
        true => Ok(state),
        false => Err(Failure::new(format!("the snapshot `{name}` is of a model with other nodes"))),
    }
}

/// Of all requests, and of each node.
fn measured(state: &State) -> Vec<Metric> {
    let mut found = vec![Metric::new("simulation.time", state.now_us as f64, "us")];
    let tally = |prefix: &str, tally: &Tally| {
        let of =
            |what: &str, value: u64, unit: &str| Metric::new(format!("{prefix}.{what}"), value as f64, unit);
        vec![
            of("served", tally.served, "1"),
            of("failed", tally.failed, "1"),
            of("latency.p50", tally.percentile(50), "us"),
            of("latency.p95", tally.percentile(95), "us"),
            of("latency.p99", tally.percentile(99), "us"),
        ]
    };
    found.extend(tally("simulation", &state.total));
    for node in &state.nodes {
        let mut of_node = tally("simulation.node", &node.tally);
        of_node.push(Metric::new("simulation.node.refused", node.tally.refused as f64, "1"));
        of_node.push(Metric::new("simulation.node.queue_max", node.longest_queue as f64, "1"));
        of_node.push(Metric::new("simulation.node.busy", node.busy_us as f64, "us"));
        found.extend(of_node.into_iter().map(|metric| metric.with("node", node.name.clone())));
    }
    found
}

fn summary(state: &State) -> String {
    let Tally { served, failed, .. } = state.total;
    format!(
        "{} requests in {:.3} s of simulated time: {served} served, {failed} failed, 99 % within {} us",
        served + failed,
        state.now_us as f64 / 1e6,
        state.total.percentile(99),
    )
}

fn in_words(what: &str, error: &Error) -> Failure {
    Failure { message: format!("{what}: {error}"), retriable: *error == Error::Unavailable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_model_has_no_more_metrics_than_a_call_may_record() {
        let services: Vec<String> =
            (0..100).map(|number| format!(r#""s{number}": {{"slots": 1, "time_us": 1}}"#)).collect();
        let model =
            Model::parse(format!(r#"{{"services": {{{}}}}}"#, services.join(",")).as_bytes()).unwrap();
        let found = measured(&State::new(&model, 1));
        assert_eq!(found.len(), 6 + 100 * 8);
        assert!(found.len() <= 1000);
    }

    #[test]
    fn the_summary_says_how_many_and_how_fast() {
        let model = Model::parse(br#"{"services": {"web": {"slots": 1, "time_us": 10}}}"#).unwrap();
        let trace =
            Trace::parse(br#"[{"at_us": 0, "to": "web"}, {"at_us": 5, "to": "web"}]"#, &model).unwrap();
        let mut state = State::new(&model, 1);
        state.run(&model, &trace, None);
        assert_eq!(
            summary(&state),
            "2 requests in 0.000 s of simulated time: 1 served, 1 failed, 99 % within 10 us"
        );
    }
}
