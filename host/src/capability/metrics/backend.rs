//! What stands behind the reading side of `orch:metrics`.

pub use orch_journal::metrics::{MetricPage, MetricQuery, Place, RecordedMetric};

use crate::capability::effect::Boxed;

/// Values that were recorded in the workspace.
pub trait MetricReader: Send + Sync {
    /// A page of those that are wanted, with all that was accepted when it is asked.
    ///
    /// `Err`: the store could not be read.
    fn read(&self, query: MetricQuery) -> Boxed<'_, Result<MetricPage, MetricsUnavailable>>;
}

#[derive(Debug, thiserror::Error)]
#[error("the store of `orch:metrics` could not be read")]
pub struct MetricsUnavailable;
