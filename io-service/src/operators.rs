//! For who operates the service: `/health` and `/metrics` by HTTP.
//!
//! Units: as in the names; times in seconds, sizes in bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus::core::Collector;
use prometheus::{
    Encoder, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};
use serde::Serialize;
use tonic::Code;

const SECONDS: [f64; 8] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1.0, 10.0];

/// What is counted.
pub(crate) struct Metrics {
    begun: Instant,
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    read: IntCounter,
    written: IntCounter,
    uptime: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> prometheus::Result<Self> {
        let requests = Opts::new("io_requests_total", "Requests answered, by method and status of gRPC.");
        let requests = IntCounterVec::new(requests, &["method", "code"])?;
        let seconds = HistogramOpts::new("io_request_seconds", "From a request to its answer, by method.");
        let seconds = HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &["method"])?;
        let read = IntCounter::new("io_read_bytes_total", "Bytes of files that were read.")?;
        let written = IntCounter::new("io_written_bytes_total", "Bytes of files that were written.")?;
        let uptime = Gauge::new("io_uptime_seconds", "Since the service began.")?;
        let registry = Registry::new();
        let all: [Box<dyn Collector>; 5] = [
            Box::new(requests.clone()),
            Box::new(seconds.clone()),
            Box::new(read.clone()),
            Box::new(written.clone()),
            Box::new(uptime.clone()),
        ];
        for one in all {
            registry.register(one)?;
        }
        Ok(Self { begun: Instant::now(), registry, requests, seconds, read, written, uptime })
    }

    pub(crate) fn count(&self, method: &str, code: Code, took: Duration) {
        self.requests.with_label_values(&[method, &format!("{code:?}")]).inc();
        self.seconds.with_label_values(&[method]).observe(took.as_secs_f64());
    }

    pub(crate) fn add_read(&self, bytes: usize) {
        self.read.inc_by(bytes as u64);
    }

    pub(crate) fn add_written(&self, bytes: usize) {
        self.written.inc_by(bytes as u64);
    }

    fn text(&self) -> prometheus::Result<Vec<u8>> {
        self.uptime.set(self.begun.elapsed().as_secs_f64());
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    /// Seconds since the service began.
    uptime: f64,
}

pub(crate) fn router(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/health", get(health)).route("/metrics", get(text)).with_state(metrics)
}

async fn health(State(metrics): State<Arc<Metrics>>) -> Json<Health> {
    Json(Health { status: "ok", uptime: metrics.begun.elapsed().as_secs_f64() })
}

async fn text(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
