//! What a serving host counts of itself, with what plugins counted (Prometheus text).
//!
//! Limits: [`RECORDED_MAX`] values of plugins.
//! Units: as in the names; sizes in bytes, times in seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use orch_journal::metrics::MetricRow;
use orch_task::Status;
use prometheus::core::Collector;
use prometheus::{
    Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};
use serde_json::json;

use crate::drive::task_reader::RunView;

const RECORDED_MAX: usize = 1000;
/// From a quick answer to a plugin's `wallMs`.
const SECONDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

/// The host's own.
pub(super) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    pub(super) connections: IntGauge,
    pub(super) calls_again: IntCounter,
}

impl Metrics {
    pub(super) fn new(connections_max: usize) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = Opts::new("orch_requests_total", "Requests answered, by mount and status.");
        let requests = IntCounterVec::new(requests, &["mount", "status"])?;
        let seconds = HistogramOpts::new("orch_request_seconds", "From a request's head to its answer.");
        let seconds = HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &["mount"])?;
        let connections = IntGauge::new("orch_connections", "Open connections.")?;
        let most = IntGauge::new("orch_connections_max", "Connections that may be open.")?;
        most.set(connections_max as i64);
        let calls_again = IntCounter::new(
            "orch_calls_again_total",
            "Calls of services made again, since what they read was changed by others.",
        )?;
        let version = Opts::new("orch_build_info", "1 for the version of this host.")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        let version = Gauge::with_opts(version)?;
        version.set(1.0);
        let all: [Box<dyn Collector>; 6] = [
            Box::new(requests.clone()),
            Box::new(seconds.clone()),
            Box::new(connections.clone()),
            Box::new(most),
            Box::new(calls_again.clone()),
            Box::new(version),
        ];
        for one in all {
            registry.register(one)?;
        }
        Ok(Self { registry, requests, seconds, connections, calls_again })
    }

    pub(super) fn answered(&self, mount: &str, status: u16, took: Duration) {
        let status = status.to_string();
        self.requests.with_label_values(&[mount, status.as_str()]).inc();
        self.seconds.with_label_values(&[mount]).observe(took.as_secs_f64());
    }

    /// All of it as text: the host's own, the run that is shown, what its plugins recorded last.
    pub(super) fn text(&self, view: Option<&RunView>, recorded: &[MetricRow]) -> prometheus::Result<Vec<u8>> {
        let registry = Registry::new();
        if let Some(view) = view {
            let tasks = GaugeVec::new(Opts::new("orch_tasks", "Tasks of the run, by status."), &["status"])?;
            let state = view.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            for status in Status::ALL {
                tasks.with_label_values(&[status.as_str()]).set(0.0);
            }
            state.tasks.iter().for_each(|task| tasks.with_label_values(&[task.status.as_str()]).inc());
            drop(state);
            let events = Gauge::new("orch_run_events", "Events of the run.")?;
            events.set(view.journal.events() as f64);
            registry.register(Box::new(tasks))?;
            registry.register(Box::new(events))?;
        }
        registry.register(Box::new(newest(recorded, RECORDED_MAX)?))?;
        let mut text = Vec::new();
        let families: Vec<_> = self.registry.gather().into_iter().chain(registry.gather()).collect();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(text)
    }
}

/// What plugins recorded last, by name with its attributes.
fn newest(recorded: &[MetricRow], values_max: usize) -> prometheus::Result<GaugeVec> {
    let labels = ["plugin", "name", "unit", "attributes"];
    let values = GaugeVec::new(Opts::new("orch_recorded", "What plugins recorded last."), &labels)?;
    let mut newest = BTreeMap::new();
    for MetricRow { plugin, name, value, unit, attributes, .. } in recorded {
        newest.insert((plugin, name, unit, json!(attributes).to_string()), *value);
    }
    for ((plugin, name, unit, attributes), value) in newest.into_iter().take(values_max) {
        values.with_label_values(&[plugin, name, unit, &attributes]).set(value);
    }
    Ok(values)
}

/// The same as text, without anything of a host.
pub fn recorded_text(recorded: &[MetricRow]) -> prometheus::Result<Vec<u8>> {
    let mut text = Vec::new();
    TextEncoder::new().encode(&newest(recorded, usize::MAX)?.collect(), &mut text)?;
    Ok(text)
}
