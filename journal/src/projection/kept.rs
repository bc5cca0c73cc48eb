//! Rows of what a call left in the host's own store.

use rusqlite::params;
use serde_json::json;

use super::RunNames;
use crate::artifacts;
use crate::event::Writes;
use crate::journal::CommitError;
use crate::metrics::{self, MetricOf, Place};
use crate::statements::ProjectionSql;

/// The call that something is kept with, by the ids of its rows.
pub(super) struct KeptBy<'a> {
    pub(super) execution: Option<String>,
    pub(super) phase: Option<String>,
    /// Of a call that is no attempt.
    pub(super) caller: Option<&'a String>,
    /// Name of the one that was shown to a service.
    pub(super) token: Option<&'a str>,
    pub(super) at: u64,
}

/// What a call left, by the place of its event in its run and among those of all runs.
pub(super) fn write_kept(
    sql: &mut ProjectionSql<'_>,
    run: &RunNames,
    (seq, position): (u64, i64),
    writes: &Writes,
    by: KeptBy<'_>,
) -> Result<(), CommitError> {
    let KeptBy { execution, phase, caller, token, at } = by;
    let Writes { plugin: owner, findings, artifacts, act, vectors: _, kv: _, metrics: _, provided: _ } =
        writes;
    let plugin = caller.or((!owner.is_empty()).then_some(owner));
    if let Some(act) = act {
        let (plugin, act) = (plugin.map_or("", String::as_str), json!(act).to_string());
        sql.act_asked.execute(params![run.id, seq as i64, plugin, token, act])?;
    }
    for (nth, finding) in findings.iter().enumerate() {
        sql.finding.execute(params![
            run.row(seq, nth),
            execution,
            run.id,
            finding.severity.as_str(),
            finding.category.as_str(),
            finding.message,
            finding.location,
            plugin,
            phase,
        ])?;
    }
    let of = |one: &'_ Writes| if one.plugin == *owner { plugin.cloned() } else { Some(one.plugin.clone()) };
    let metrics = writes.of_each().flat_map(|one| one.metrics.iter().map(move |metric| (of(one), metric)));
    for (nth, (plugin, metric)) in metrics.enumerate() {
        let of = MetricOf {
            run: &run.id,
            phase: phase.as_deref(),
            plugin: plugin.as_deref().unwrap_or_default(),
            place: Place { position, nth: nth as u32 },
            at,
        };
        metrics::insert(&mut sql.metric, &run.row(seq, nth), of, metric)?;
    }
    for (nth, artifact) in artifacts.iter().enumerate() {
        let belongs_to = (run.id.as_str(), phase.as_deref());
        artifacts::insert(&mut sql.artifact, &run.row(seq, nth), belongs_to, artifact, Some(at))?;
    }
    for Writes { plugin: owner, kv, .. } in writes.of_each() {
        for (label, values) in kv {
            for (key, value) in values {
                match value {
                    Some(bytes) => sql.kv_set.execute(params![owner, label, key, bytes.0])?,
                    None => sql.kv_removed.execute(params![owner, label, key])?,
                };
            }
        }
    }
    Ok(())
}
