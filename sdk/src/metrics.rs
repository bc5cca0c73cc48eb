//! Measured values, kept with the run, and read again.
//!
//! Permission: `metrics`; `metrics.read` names what may be read. At most 1000 a call are recorded, kept only with its accepted result.

pub use crate::bindings::capabilities::orch::metrics::metrics::{Page, Place, Query, Recorded};
use crate::host::metrics;
use crate::{Error, Metric};

/// Values at once.
const PAGE_MAX: u32 = 1000;

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

/// A page of values that calls of any plugin recorded, in this run and in those before it, the newest first; `next` says where the
/// next one begins, also where nothing of this one fitted.
///
/// # Errors
/// `Denied`: `metrics.read` has no entry for that name. `Invalid`: name, plugin, attributes or limit are malformed. `Unavailable`: the
/// store could not be read.
pub fn read(query: &Query) -> Result<Page, Error> {
    Ok(metrics::read(query)?)
}

/// All of those values, fetched as they are asked for.
///
/// ```no_run
/// use orch_sdk::metrics::{self, Query};
///
/// let newest = metrics::all(Query::of("code.complexity").with("path", "src/a.py")).next();
/// ```
pub fn all(query: Query) -> impl Iterator<Item = Result<Recorded, Error>> {
    let mut next = Some(query);
    let mut page = Vec::new().into_iter();
    std::iter::from_fn(move || {
        loop {
            if let Some(found) = page.next() {
                return Some(Ok(found));
            }
            let query = next.take()?;
            match read(&query) {
                Ok(fetched) => {
                    page = fetched.values.into_iter();
                    next = fetched.next.map(|before| Query { before: Some(before), ..query });
                }
                Err(error) => return Some(Err(error)),
            }
        }
    })
}

impl Query {
    /// All values of that name, 1000 a page.
    pub fn of(name: impl Into<String>) -> Self {
        Self { name: name.into(), plugin: None, attributes: Vec::new(), before: None, limit: PAGE_MAX }
    }

    /// The same, only those that this plugin recorded.
    #[must_use]
    pub fn by(self, plugin: impl Into<String>) -> Self {
        Self { plugin: Some(plugin.into()), ..self }
    }

    /// The same, only those with that attribute.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((key.into(), value.into()));
        self
    }

    /// The same, so many a page: 1..=1000.
    #[must_use]
    pub fn at_most(self, limit: u32) -> Self {
        Self { limit, ..self }
    }
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
