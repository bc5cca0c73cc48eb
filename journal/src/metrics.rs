//! What plugins measured: the table of metrics, of one run, and of one name over all runs.
//!
//! In -> out: a [`Metric`] that was accepted -> a row -> [`MetricRow`]s of a run; a [`MetricQuery`] -> a [`MetricPage`], the newest
//! first.
//! Limits: [`PAGE_VALUES_MAX`] values and [`PAGE_BYTES_MAX`] bytes a page, for which [`LOOKED_AT_MAX`] rows are looked at.
//! Units: times as ISO 8601 text in UTC.
//! Not here: who may read them (`orch-host`'s `capability`).

use std::cmp::Ordering;

use rusqlite::{Connection, Row, Statement, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::event::{Metric, is_workspace_stream};
use crate::iso_time::iso_time;
use crate::rows::of_json;

pub const PAGE_VALUES_MAX: u32 = 1000;
/// Of names, units, attributes, and of who recorded them; one value is in any page.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Whoever asks for values that are seldom goes on from page to page, and nobody waits for one of them.
pub const LOOKED_AT_MAX: u32 = 10_000;
/// Of the schema, that has all columns of the table.
const VERSION: u32 = 6;

/// A metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricRow {
    pub plugin: String,
    pub name: String,
    pub value: f64,
    pub unit: String,
    /// In the order in which the plugin gave them.
    pub attributes: Vec<(String, String)>,
    /// Id of the task whose attempt recorded it, or that was looked at. None also in stores of hosts that did not keep it.
    pub task: Option<String>,
    /// When the call was accepted; none in stores of hosts that did not keep it.
    pub recorded_at: Option<String>,
}

/// Where a value stands among all that the store has: later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub position: i64,
    pub nth: u32,
}

/// Which values are wanted: all that is said holds of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricQuery {
    /// Exactly this one.
    pub name: String,
    /// Who recorded it; none: whoever.
    pub plugin: Option<String>,
    /// Among its attributes.
    pub attributes: Vec<(String, String)>,
    /// Recorded earlier than that one.
    pub before: Option<Place>,
    /// At most [`PAGE_VALUES_MAX`].
    pub limit: u32,
}

/// A value with where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedMetric {
    pub metric: Metric,
    pub plugin: String,
    /// None: a service recorded it.
    pub run: Option<String>,
    /// As of [`MetricRow`].
    pub task: Option<String>,
    pub recorded_at: String,
}

/// Some of the values that are wanted, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricPage {
    pub values: Vec<RecordedMetric>,
    /// There is more to look at, from there on.
    pub next: Option<Place>,
}

/// Whose value it is, and where it stands.
pub(crate) struct MetricOf<'a> {
    pub(crate) run: &'a str,
    pub(crate) phase: Option<&'a str>,
    pub(crate) plugin: &'a str,
    pub(crate) place: Place,
    /// In milliseconds.
    pub(crate) at: u64,
}

pub(crate) const INSERT: &str = "INSERT INTO @.metrics VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// Writes the row of that id.
pub(crate) fn insert(
    statement: &mut Statement<'_>,
    id: &str,
    of: MetricOf<'_>,
    metric: &Metric,
) -> Result<(), rusqlite::Error> {
    let MetricOf { run, phase, plugin, place, at } = of;
    let Metric { name, value, unit, attributes } = metric;
    let (attributes, at) = (json!(attributes).to_string(), iso_time(at));
    let Place { position, nth } = place;
    statement.execute(params![id, run, phase, plugin, name, value, unit, attributes, at, position, nth])?;
    Ok(())
}

/// Metrics whose ids lie between those two, in the order in which they were made.
pub(crate) fn of_run(
    connection: &Connection,
    from: &str,
    to: &str,
) -> Result<Vec<MetricRow>, rusqlite::Error> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let sql = match version.cmp(&VERSION) {
        Ordering::Less => {
            "SELECT *, NULL AS task, NULL AS recorded_at FROM metrics WHERE id >= ?1 AND id < ?2"
        }
        _ => {
            "SELECT m.*, p.name AS task FROM metrics m LEFT JOIN phases p ON p.id = m.phase_id \
             WHERE m.id >= ?1 AND m.id < ?2"
        }
    };
    let sql = format!("SELECT * FROM ({sql}) ORDER BY length(id), id");
    connection.prepare(&sql)?.query_map([from, to], metric_row)?.collect()
}

/// A page of the values that are wanted, of all runs and services.
pub(crate) fn page(connection: &Connection, query: &MetricQuery) -> Result<MetricPage, rusqlite::Error> {
    let sql = "SELECT m.*, p.name AS task FROM metrics m LEFT JOIN phases p ON p.id = m.phase_id \
               WHERE m.name = ?1 AND (m.position, m.nth) < (?2, ?3) ORDER BY m.position DESC, m.nth DESC";
    let before = query.before.unwrap_or(Place { position: i64::MAX, nth: u32::MAX });
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(params![query.name, before.position, before.nth])?;
    let (mut page, mut bytes, mut looked_at, mut last) = (MetricPage::default(), 0, 0, before);
    let limit = query.limit.min(PAGE_VALUES_MAX) as usize;
    while let Some(row) = rows.next()? {
        let place = Place { position: row.get("position")?, nth: row.get("nth")? };
        let found = recorded(row)?;
        let is_wanted = query.plugin.as_ref().is_none_or(|plugin| *plugin == found.plugin)
            && query.attributes.iter().all(|one| found.metric.attributes.contains(one));
        let size = if is_wanted { bytes_of(&found) } else { 0 };
        let is_full = page.values.len() >= limit
            || looked_at >= LOOKED_AT_MAX
            || (bytes + size > PAGE_BYTES_MAX && !page.values.is_empty());
        if is_full {
            page.next = Some(last);
            break;
        }
        (looked_at, last, bytes) = (looked_at + 1, place, bytes + size);
        if is_wanted {
            page.values.push(found);
        }
    }
    Ok(page)
}

fn bytes_of(found: &RecordedMetric) -> usize {
    let RecordedMetric { metric, plugin, run, task, recorded_at } = found;
    let attributes: usize = metric.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    metric.name.len() + metric.unit.len() + attributes + plugin.len() + of(run) + of(task) + recorded_at.len()
}

fn metric_row(row: &Row<'_>) -> Result<MetricRow, rusqlite::Error> {
    Ok(MetricRow {
        plugin: row.get("plugin")?,
        name: row.get("name")?,
        value: row.get("value")?,
        unit: row.get("unit")?,
        attributes: of_json(row, "attributes")?,
        task: row.get("task")?,
        recorded_at: row.get("recorded_at")?,
    })
}

fn recorded(row: &Row<'_>) -> Result<RecordedMetric, rusqlite::Error> {
    let run: String = row.get("run_id")?;
    Ok(RecordedMetric {
        metric: Metric {
            name: row.get("name")?,
            value: row.get("value")?,
            unit: row.get("unit")?,
            attributes: of_json(row, "attributes")?,
        },
        plugin: row.get("plugin")?,
        run: (!is_workspace_stream(&run)).then_some(run),
        task: row.get("task")?,
        recorded_at: row.get("recorded_at")?,
    })
}
