//! `orch:metrics`: measured values, recorded and read again.
//!
//! In -> out: WIT metrics -> the journal's, kept with the call's result; WIT queries -> [`MetricReader`].
//! Limits: 1000 a call; name 1..=128 of `[a-z0-9_.]`, unit 16 bytes, 16 attributes of 256 bytes; an answer has those of the WIT text.
//! Invariant: no name is read that is not granted; where a run is gone through again nothing is read but what was kept.
//! Not here: what is done with them (`orch-journal`'s tables), which of them are seen (`drive/measured.rs`).

pub mod backend;
pub(crate) mod fake;

use std::sync::Arc;

use orch_journal::event;
use orch_journal::metrics::PAGE_VALUES_MAX;
use orch_trust::interfaces::Import;
use orch_trust::permission::MetricsPermission;
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::tape::Came;
use super::trial::Watched;
use crate::bindings::metrics::metrics::{self as wit, Host, add_to_linker};
use crate::bindings::types::types::{Error, Metric};
pub use backend::{MetricPage, MetricQuery, MetricReader, MetricsUnavailable, Place, RecordedMetric};

const METRICS_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 128;
const UNIT_BYTES_MAX: usize = 16;
const ATTRIBUTES_MAX: usize = 16;
const ATTRIBUTE_BYTES_MAX: usize = 256;
const PLUGIN_BYTES_MAX: usize = 256;
const NAME_SHOWN_MAX: usize = 64;
/// What a run keeps of questions and answers.
const TAPED: &str = "metrics";

/// State of this capability in one store.
pub struct Metrics {
    granted: Arc<MetricsPermission>,
    reader: Arc<dyn MetricReader>,
    recorded: Vec<event::Metric>,
}

/// The journal's metric, or what is wrong with it.
pub(crate) fn check_metric(metric: Metric) -> Result<event::Metric, String> {
    check_name(&metric.name)?;
    if metric.unit.len() > UNIT_BYTES_MAX {
        return Err(format!("unit of {} bytes, limit is {UNIT_BYTES_MAX}", metric.unit.len()));
    }
    if !metric.value.is_finite() {
        return Err("value is not finite".to_owned());
    }
    check_attributes(&metric.attributes)?;
    let Metric { name, value, unit, attributes } = metric;
    Ok(event::Metric { name, value, unit, attributes })
}

fn check_name(name: &str) -> Result<(), String> {
    let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
    match (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(of_name) {
        true => Ok(()),
        false => Err(format!("name is not 1 to {NAME_BYTES_MAX} of `[a-z0-9_.]`")),
    }
}

fn check_attributes(attributes: &[(String, String)]) -> Result<(), String> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(format!("{} attributes, limit is {ATTRIBUTES_MAX}", attributes.len()));
    }
    match attributes.iter().any(|(key, value)| key.len() + value.len() > ATTRIBUTE_BYTES_MAX) {
        true => Err(format!("an attribute of more than {ATTRIBUTE_BYTES_MAX} bytes")),
        false => Ok(()),
    }
}

/// The journal's query, or what is wrong with it.
fn check_query(query: wit::Query) -> Result<MetricQuery, String> {
    let wit::Query { name, plugin, attributes, before, limit } = query;
    check_name(&name)?;
    check_attributes(&attributes)?;
    if plugin.as_ref().is_some_and(|plugin| !(1..=PLUGIN_BYTES_MAX).contains(&plugin.len())) {
        return Err(format!("plugin is not 1 to {PLUGIN_BYTES_MAX} bytes"));
    }
    if !(1..=PAGE_VALUES_MAX).contains(&limit) {
        return Err(format!("limit is {limit}, expected 1 to {PAGE_VALUES_MAX}"));
    }
    let before = before.map(|wit::Place { position, nth }| Place { position, nth });
    Ok(MetricQuery { name, plugin, attributes, before, limit })
}

fn page_to_wit(page: MetricPage) -> wit::Page {
    let value = |found: RecordedMetric| {
        let RecordedMetric { metric, plugin, run, task, recorded_at: at } = found;
        let event::Metric { name, value, unit, attributes } = metric;
        wit::Recorded { metric: Metric { name, value, unit, attributes }, plugin, run, task, at }
    };
    wit::Page {
        values: page.values.into_iter().map(value).collect(),
        next: page.next.map(|Place { position, nth }| wit::Place { position, nth }),
    }
}

impl Capability for Metrics {
    type Permission = MetricsPermission;
    type Granted = Arc<MetricsPermission>;

    fn grant(permission: MetricsPermission, _host: &HostEnvironment) -> Arc<MetricsPermission> {
        Arc::new(permission)
    }

    /// Of a provider all that it recorded for the same call counts.
    fn open(granted: &Arc<MetricsPermission>, opening: Opening<'_>) -> Self {
        Self {
            granted: granted.clone(),
            reader: opening.lent.metrics.clone(),
            recorded: opening.earlier.map_or_else(Vec::new, |earlier| earlier.metrics.clone()),
        }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, kept: &mut Kept) {
        kept.writes.metrics = self.recorded;
    }

    fn beyond(granted: Option<&MetricsPermission>, watched: &Watched<'_>) -> Vec<String> {
        let reads = |name: &str| granted.is_some_and(|granted| granted.reads(name));
        let mut found = Vec::new();
        if granted.is_none() && !watched.writes.metrics.is_empty() {
            found.push("values were recorded".to_owned());
        }
        for name in watched.fakes.metrics.asked().iter().filter(|name| !reads(name)) {
            found.push(format!("values of `{name}` were read"));
        }
        found
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

    async fn read(&mut self, query: wit::Query) -> wasmtime::Result<Result<wit::Page, Error>> {
        if !self.state.granted.reads(&query.name) {
            let shown: String = query.name.chars().take(NAME_SHOWN_MAX).collect();
            return Ok(Err(self.ledger.deny("metrics", format!("reading `{shown}`"))));
        }
        let query = match check_query(query) {
            Ok(query) => query,
            Err(why) => return Ok(Err(Error::Invalid(why))),
        };
        let question = self.ledger.tape.is_on().then(|| serde_json::to_vec(&query)).transpose()?;
        if let Some(question) = &question
            && let Some(kept) = self.ledger.tape.told(TAPED, question)?
        {
            let page = Came::read(&kept, |page| serde_json::from_value(page).ok());
            let lost = || self.ledger.tape.differs(TAPED, "the answer that was kept is none".to_owned());
            return Ok(page.ok_or_else(lost)?.map(page_to_wit));
        }
        let page = self.state.reader.read(query).await.map_err(|_| Error::Unavailable);
        if let Some(question) = question {
            let answer = Came::of(&page, |page| serde_json::json!(page));
            self.ledger.keep(TAPED, &question, &answer);
        }
        Ok(page.map(page_to_wit))
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::Ledger;
    use crate::capability::bench::Bench;
    use crate::capability::mood::Mood;

    fn of(bench: &Bench, read: &[&str]) -> Metrics {
        let read = read.iter().map(|&one| one.to_owned()).collect();
        let granted = Arc::new(MetricsPermission { read });
        Metrics { granted, reader: bench.0.metrics.clone(), recorded: Vec::new() }
    }

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
        let bench = Bench::new();
        let mut metrics = of(&bench, &[]);
        let (mut table, mut ledger) = (ResourceTable::new(), bench.ledger());
        let mut view = View::of(&mut metrics, &mut table, &mut ledger);
        for _ in 0..METRICS_MAX {
            assert!(view.record(metric("a")).await.unwrap().is_ok());
        }
        assert!(matches!(view.record(metric("a")).await.unwrap(), Err(Error::Limit(_))));
        assert_eq!(metrics.recorded.len(), METRICS_MAX);
    }

    #[tokio::test]
    async fn several_are_recorded_all_or_none() {
        let bench = Bench::new();
        let mut metrics = of(&bench, &[]);
        let (mut table, mut ledger) = (ResourceTable::new(), bench.ledger());
        let mut view = View::of(&mut metrics, &mut table, &mut ledger);
        assert!(view.record_all(vec![metric("a"); METRICS_MAX - 1]).await.unwrap().is_ok());
        assert!(matches!(view.record_all(vec![metric("a"); 2]).await.unwrap(), Err(Error::Limit(_))));
        let wrong = view.record_all(vec![metric("No")]).await.unwrap();
        assert!(matches!(wrong, Err(Error::Invalid(_))));
        assert!(view.record_all(Vec::new()).await.unwrap().is_ok());
        assert_eq!(metrics.recorded.len(), METRICS_MAX - 1);
        let mut metrics = of(&bench, &[]);
        let mut view = View::of(&mut metrics, &mut table, &mut ledger);
        let wrong = view.record_all(vec![metric("a"), metric("No")]).await.unwrap();
        assert!(matches!(wrong, Err(Error::Invalid(said)) if said.starts_with("metric 1: ")));
        assert_eq!(metrics.recorded.len(), 0);
    }

    fn query(name: &str) -> wit::Query {
        wit::Query {
            name: name.to_owned(),
            plugin: None,
            attributes: Vec::new(),
            before: None,
            limit: PAGE_VALUES_MAX,
        }
    }

    fn commit(bench: &Bench, name: &str, value: f64, plugin: &str) {
        bench.0.metrics.commit(RecordedMetric {
            metric: event::Metric {
                name: name.to_owned(),
                value,
                unit: String::new(),
                attributes: Vec::new(),
            },
            plugin: plugin.to_owned(),
            run: Some("run-1".to_owned()),
            task: None,
            recorded_at: "2020-01-01T00:00:00.000Z".to_owned(),
        });
    }

    async fn read(
        metrics: &mut Metrics,
        ledger: &mut Ledger,
        query: wit::Query,
    ) -> Result<(Vec<f64>, Option<wit::Place>), Error> {
        let mut table = ResourceTable::new();
        let page = View::of(metrics, &mut table, ledger).read(query).await.unwrap()?;
        Ok((page.values.iter().map(|found| found.metric.value).collect(), page.next))
    }

    #[tokio::test]
    async fn only_names_that_are_granted_are_read() {
        let bench = Bench::new();
        commit(&bench, "code.size", 1.0, "demo/a");
        commit(&bench, "time", 2.0, "demo/a");
        let (mut metrics, mut ledger) = (of(&bench, &["code.*"]), bench.ledger());
        assert_eq!(read(&mut metrics, &mut ledger, query("code.size")).await.unwrap().0, [1.0]);
        assert_eq!(read(&mut metrics, &mut ledger, query("code.none")).await.unwrap().0, [0.0; 0]);
        for name in ["time", "code", "", "codes.size"] {
            let refused = read(&mut metrics, &mut ledger, query(name)).await;
            assert!(matches!(refused, Err(Error::Denied(_))), "{name}");
        }
        assert_eq!(bench.0.metrics.asked(), ["code.size", "code.none"], "what is denied is not looked for");
        assert_eq!(ledger.into_parts().0[0], "metrics: reading `time`");
        let (mut metrics, mut ledger) = (of(&bench, &[]), bench.ledger());
        assert!(matches!(read(&mut metrics, &mut ledger, query("time")).await, Err(Error::Denied(_))));
    }

    #[tokio::test]
    async fn pages_go_on_where_they_ended_and_a_call_does_not_see_its_own() {
        let bench = Bench::new();
        for (value, plugin) in [(1.0, "demo/a"), (2.0, "demo/b"), (3.0, "demo/a")] {
            commit(&bench, "time", value, plugin);
        }
        let (mut metrics, mut ledger) = (of(&bench, &["*"]), bench.ledger());
        assert!(metrics.add(vec![metric("time")]).is_ok());
        let two = wit::Query { limit: 2, ..query("time") };
        let (values, next) = read(&mut metrics, &mut ledger, two.clone()).await.unwrap();
        assert_eq!(values, [3.0, 2.0]);
        let rest = wit::Query { before: Some(next.unwrap()), ..two };
        let (values, next) = read(&mut metrics, &mut ledger, rest).await.unwrap();
        assert!(values == [1.0] && next.is_none());
        let of_a = wit::Query { plugin: Some("demo/a".to_owned()), ..query("time") };
        assert_eq!(read(&mut metrics, &mut ledger, of_a).await.unwrap().0, [3.0, 1.0]);
    }

    #[tokio::test]
    async fn a_query_over_a_limit_is_invalid_and_a_store_that_cannot_be_read_unavailable() {
        let bench = Bench::new();
        let (mut metrics, mut ledger) = (of(&bench, &["*"]), bench.ledger());
        let pair = ("k".to_owned(), "v".repeat(256));
        for wrong in [
            query("No"),
            query(""),
            wit::Query { limit: 0, ..query("a") },
            wit::Query { limit: PAGE_VALUES_MAX + 1, ..query("a") },
            wit::Query { plugin: Some(String::new()), ..query("a") },
            wit::Query { plugin: Some("p".repeat(257)), ..query("a") },
            wit::Query { attributes: vec![pair], ..query("a") },
            wit::Query { attributes: vec![(String::new(), String::new()); 17], ..query("a") },
        ] {
            let shown = format!("{wrong:?}");
            let refused = read(&mut metrics, &mut ledger, wrong).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{shown}");
        }
        let bench = Bench::in_mood(Mood::Unavailable);
        let (mut metrics, mut ledger) = (of(&bench, &["*"]), bench.ledger());
        assert!(matches!(read(&mut metrics, &mut ledger, query("a")).await, Err(Error::Unavailable)));
    }
}
