//! `orch:metrics`: measured values.
//!
//! In -> out: WIT metrics -> the journal's, kept with the call's result.
//! Limits: 1000 a call; name 1..=128 of `[a-z0-9_.]`, unit 16 bytes, 16 attributes of 256 bytes.
//! Not here: what is done with them (`orch-journal`'s tables).

use orch_journal::event;
use orch_trust::interfaces::Import;
use orch_trust::permission::MetricsPermission;
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::metrics::metrics::{Host, add_to_linker};
use crate::bindings::types::types::{Error, Metric};

const METRICS_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 128;
const UNIT_BYTES_MAX: usize = 16;
const ATTRIBUTES_MAX: usize = 16;
const ATTRIBUTE_BYTES_MAX: usize = 256;

/// State of this capability in one store.
#[derive(Default)]
pub struct Metrics {
    recorded: Vec<event::Metric>,
}

/// The journal's metric, or what is wrong with it.
pub(crate) fn check_metric(metric: Metric) -> Result<event::Metric, String> {
    let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
    if !(1..=NAME_BYTES_MAX).contains(&metric.name.len()) || !metric.name.bytes().all(of_name) {
        return Err(format!("name is not 1 to {NAME_BYTES_MAX} of `[a-z0-9_.]`"));
    }
    if metric.unit.len() > UNIT_BYTES_MAX {
        return Err(format!("unit of {} bytes, limit is {UNIT_BYTES_MAX}", metric.unit.len()));
    }
    if !metric.value.is_finite() {
        return Err("value is not finite".to_owned());
    }
    if metric.attributes.len() > ATTRIBUTES_MAX {
        return Err(format!("{} attributes, limit is {ATTRIBUTES_MAX}", metric.attributes.len()));
    }
    let long = |(key, value): &(String, String)| key.len() + value.len() > ATTRIBUTE_BYTES_MAX;
    if metric.attributes.iter().any(long) {
        return Err(format!("an attribute of more than {ATTRIBUTE_BYTES_MAX} bytes"));
    }
    let Metric { name, value, unit, attributes } = metric;
    Ok(event::Metric { name, value, unit, attributes })
}

impl Capability for Metrics {
    type Permission = MetricsPermission;
    type Granted = ();

    fn grant(_permission: MetricsPermission, _host: &HostEnvironment) {}

    /// Of a provider all that it recorded for the same call counts.
    fn open(_granted: &(), opening: Opening<'_>) -> Self {
        Self { recorded: opening.earlier.map_or_else(Vec::new, |earlier| earlier.metrics.clone()) }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, kept: &mut Kept) {
        kept.writes.metrics = self.recorded;
    }

    fn beyond(granted: Option<&MetricsPermission>, watched: &Watched<'_>) -> Vec<String> {
        match granted.is_none() && !watched.writes.metrics.is_empty() {
            true => vec!["values were recorded".to_owned()],
            false => Vec::new(),
        }
    }
}

impl Metrics {
    /// All of them or none.
    fn add(&mut self, metrics: Vec<Metric>) -> Result<(), Error> {
        if metrics.len() > METRICS_MAX.saturating_sub(self.recorded.len()) {
            return Err(Error::Limit("metrics".to_owned()));
        }
        let is_alone = metrics.len() == 1;
        let which = |number: usize, fault: String| match is_alone {
            true => Error::Invalid(fault),
            false => Error::Invalid(format!("metric {number}: {fault}")),
        };
        let numbered = metrics.into_iter().enumerate();
        let checked: Result<Vec<_>, _> = numbered
            .map(|(number, metric)| check_metric(metric).map_err(|fault| which(number, fault)))
            .collect();
        self.recorded.extend(checked?);
        Ok(())
    }
}

impl Host for View<'_, Metrics> {
    async fn record(&mut self, metric: Metric) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.state.add(vec![metric]))
    }

    async fn record_all(&mut self, metrics: Vec<Metric>) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.state.add(metrics))
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::bench::Bench;

    fn metric(name: &str) -> Metric {
        Metric { name: name.to_owned(), value: 1.0, unit: "1".to_owned(), attributes: Vec::new() }
    }

    #[track_caller]
    fn check(metric: Metric, fits: bool) {
        let shown = format!("{metric:?}");
        assert_eq!(check_metric(metric).is_ok(), fits, "{shown}");
    }

    #[test]
    fn each_field_has_its_limit() {
        check(metric("lines.total_1"), true);
        check(metric(&"a".repeat(128)), true);
        check(metric(&"a".repeat(129)), false);
        check(metric(""), false);
        check(metric("Lines"), false);
        check(Metric { value: f64::NAN, ..metric("a") }, false);
        check(Metric { value: f64::INFINITY, ..metric("a") }, false);
        check(Metric { unit: "x".repeat(16), ..metric("a") }, true);
        check(Metric { unit: "x".repeat(17), ..metric("a") }, false);
        let pair = |bytes: usize| ("k".to_owned(), "v".repeat(bytes - 1));
        check(Metric { attributes: vec![pair(256); 16], ..metric("a") }, true);
        check(Metric { attributes: vec![pair(257)], ..metric("a") }, false);
        check(Metric { attributes: vec![pair(2); 17], ..metric("a") }, false);
    }

    #[tokio::test]
    async fn the_thousand_and_first_is_refused() {
        let mut metrics = Metrics::default();
        let (mut table, mut ledger) = (ResourceTable::new(), Bench::new().ledger());
        let mut view = View::of(&mut metrics, &mut table, &mut ledger);
        for _ in 0..METRICS_MAX {
            assert!(view.record(metric("a")).await.unwrap().is_ok());
        }
        assert!(matches!(view.record(metric("a")).await.unwrap(), Err(Error::Limit(_))));
        assert_eq!(metrics.recorded.len(), METRICS_MAX);
    }

    #[tokio::test]
    async fn several_are_recorded_all_or_none() {
        let mut metrics = Metrics::default();
        let (mut table, mut ledger) = (ResourceTable::new(), Bench::new().ledger());
        let mut view = View::of(&mut metrics, &mut table, &mut ledger);
        assert!(view.record_all(vec![metric("a"); METRICS_MAX - 1]).await.unwrap().is_ok());
        assert!(matches!(view.record_all(vec![metric("a"); 2]).await.unwrap(), Err(Error::Limit(_))));
        let wrong = view.record_all(vec![metric("No")]).await.unwrap();
        assert!(matches!(wrong, Err(Error::Invalid(_))));
        assert!(view.record_all(Vec::new()).await.unwrap().is_ok());
        assert_eq!(metrics.recorded.len(), METRICS_MAX - 1);
        let mut metrics = Metrics::default();
        let mut view = View::of(&mut metrics, &mut table, &mut ledger);
        let wrong = view.record_all(vec![metric("a"), metric("No")]).await.unwrap();
        assert!(matches!(wrong, Err(Error::Invalid(said)) if said.starts_with("metric 1: ")));
        assert_eq!(metrics.recorded.len(), 0);
    }
}
