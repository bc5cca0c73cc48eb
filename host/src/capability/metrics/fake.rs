//! The fake of `orch:metrics`: values that were recorded before, the oldest first.

use std::sync::Mutex;

use orch_journal::event::Metric;
use orch_journal::metrics::{PAGE_BYTES_MAX, PAGE_VALUES_MAX};

use super::backend::{MetricPage, MetricQuery, MetricReader, MetricsUnavailable, Place, RecordedMetric};
use crate::capability::effect::Boxed;
use crate::capability::mood::{Mood, lock, remember};

#[derive(Default)]
pub struct FakeMetrics {
    mood: Mood,
    recorded: Mutex<Vec<RecordedMetric>>,
    asked: Mutex<Vec<String>>,
}

impl FakeMetrics {
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood, ..Self::default() }
    }

    /// One more value, newer than those before.
    pub fn commit(&self, value: RecordedMetric) {
        lock(&self.recorded).push(value);
    }

    /// The name of each question.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }

    fn page(&self, query: &MetricQuery) -> Result<MetricPage, MetricsUnavailable> {
        remember(&self.asked, query.name.clone());
        let limit = query.limit.min(PAGE_VALUES_MAX) as usize;
        match self.mood {
            Mood::Unavailable => Err(MetricsUnavailable),
            Mood::Empty => Ok(MetricPage::default()),
            Mood::Huge => {
                let value = odd(&query.name, f64::MAX, &"v".repeat(255));
                let next = query.before.map_or(i64::MAX, |before| before.position.saturating_sub(1));
                let values = vec![value; limit.min(PAGE_BYTES_MAX / 4500)];
                Ok(MetricPage { values, next: Some(Place { position: next, nth: 0 }) })
            }
            Mood::Garbage => {
                let values = vec![odd(&query.name, -0.0, "\u{0}\u{1b}[31m\u{202e}\u{fffd}")];
                Ok(MetricPage { values, next: None })
            }
            _ => Ok(self.found(query, limit)),
        }
    }

    fn found(&self, query: &MetricQuery, limit: usize) -> MetricPage {
        let recorded = lock(&self.recorded);
        let is_wanted = |found: &RecordedMetric| {
            found.metric.name == query.name
                && query.plugin.as_ref().is_none_or(|plugin| *plugin == found.plugin)
                && query.attributes.iter().all(|one| found.metric.attributes.contains(one))
        };
        let numbered = recorded.iter().enumerate().rev().map(|(nth, found)| (nth as i64, found));
        let older = numbered.filter(|(position, _)| query.before.is_none_or(|it| *position < it.position));
        let mut wanted = older.filter(|(_, found)| is_wanted(found));
        let page: Vec<_> = wanted.by_ref().take(limit).collect();
        let next = page.last().map(|(position, _)| Place { position: *position, nth: 0 });
        let next = next.filter(|_| wanted.next().is_some());
        MetricPage { values: page.into_iter().map(|(_, found)| found.clone()).collect(), next }
    }
}

/// A value with as many attributes as there may be.
fn odd(name: &str, value: f64, attribute: &str) -> RecordedMetric {
    let attributes = vec![("k".to_owned(), attribute.to_owned()); 16];
    RecordedMetric {
        metric: Metric {
            name: name.to_owned(),
            value,
            unit: attribute.chars().take(4).collect(),
            attributes,
        },
        plugin: "demo/other".to_owned(),
        run: Some("run".to_owned()),
        task: Some(attribute.chars().take(128).collect()),
        recorded_at: "2020-01-01T00:00:00.000Z".to_owned(),
    }
}

impl MetricReader for FakeMetrics {
    fn read(&self, query: MetricQuery) -> Boxed<'_, Result<MetricPage, MetricsUnavailable>> {
        let page = self.page(&query);
        Box::pin(async move { page })
    }
}
