//! Measured values, kept with the run.
//!
//! Permission: `metrics`. At most 1000 a call, kept only with its accepted result.

use crate::host::metrics;
use crate::{Error, Metric};

/// # Errors
/// `Invalid`: name, unit or attributes are malformed, or the value is not finite. `Limit`: this call recorded 1000
/// already.
pub fn record(metric: &Metric) -> Result<(), Error> {
    Ok(metrics::record(metric)?)
}

/// Records all of these values or none, in one call of the host.
///
/// # Errors
/// Those of [`record`]; `Invalid` says which one, from 0.
pub fn record_all(metrics: &[Metric]) -> Result<(), Error> {
    Ok(metrics::record_all(metrics)?)
}

impl Metric {
    /// A value without attributes. `name`: 1..=128 of `[a-z0-9_.]`; `unit`: as in OpenTelemetry, `1`, `ms`, `By`.
    pub fn new(name: impl Into<String>, value: f64, unit: impl Into<String>) -> Self {
        Self { name: name.into(), value, unit: unit.into(), attributes: Vec::new() }
    }

    /// The same with one more attribute; at most 16, each at most 256 bytes.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }
}
