//! How much of what a plugin reports is kept.
//!
//! In -> out: what was kept of each plugin, what a call wrote -> the same without metrics for which there is no room.
//! Limits: [`REPORTED_BYTES_MAX`] of findings, and the same of metrics, and [`KV_BYTES_MAX`] of keys and values that are written, also
//! over others, of one plugin in a run, as the journal has them.
//! Invariant: no finding is left out of an answer that counts, for gates are judged by them, and no value; how many metrics were is said.
//! Not here: how many a call may report (`capability/`), what is counted (`orch-journal`'s state).

use std::collections::BTreeMap;

use orch_journal::event::{Reported, Writes};

use crate::engine::CallError;

/// Some 100,000 findings of tools; a hostile call's thousand take most of it.
const REPORTED_BYTES_MAX: u64 = 32 << 20;

/// A plugin that keeps 1 MiB anew in each of 200 calls stays within it.
const KV_BYTES_MAX: u64 = 256 << 20;

/// Code of the warning that metrics were left out.
pub const METRICS_CUT: &str = "metrics-cut";

/// Metrics that were left out, by plugin.
pub type LeftOut = BTreeMap<String, u64>;

/// Leaves out what there is no room for.
///
/// # Errors
/// `Limit` if that is a finding.
pub fn fit(
    kept: &BTreeMap<String, Reported>,
    writes: &mut Writes,
    left_out: &mut LeftOut,
) -> Result<(), CallError> {
    let Writes { provided, .. } = writes;
    let mut provided = std::mem::take(provided);
    for one in std::iter::once(&mut *writes).chain(&mut provided) {
        let (before, now) = (kept.get(&one.plugin).copied().unwrap_or_default(), one.reported());
        if now.findings > 0 && before.findings + now.findings > REPORTED_BYTES_MAX {
            return Err(used_up(one, "findings", REPORTED_BYTES_MAX));
        }
        if now.metrics > 0 && before.metrics + now.metrics > REPORTED_BYTES_MAX {
            *left_out.entry(one.plugin.clone()).or_default() += one.metrics.len() as u64;
            one.metrics.clear();
        }
    }
    writes.provided = provided;
    Ok(())
}

/// The same for values, of a run's calls: a service writes its own for whoever asks it, as long as its host lives.
///
/// # Errors
/// `Limit` if there is no room for what one of them wrote.
pub fn fit_values(kept: &BTreeMap<String, Reported>, writes: &Writes) -> Result<(), CallError> {
    let has_room = |one: &&Writes| {
        let before = kept.get(&one.plugin).map_or(0, |kept| kept.kv);
        one.kv.is_empty() || before + one.reported().kv <= KV_BYTES_MAX
    };
    match writes.of_each().find(|one| !has_room(one)) {
        Some(one) => Err(used_up(one, "kv", KV_BYTES_MAX)),
        None => Ok(()),
    }
}

fn used_up(one: &Writes, limit: &'static str, bytes_max: u64) -> CallError {
    let allowed = format!("{} MiB in a run", bytes_max >> 20);
    CallError::Limit { plugin: one.plugin.as_str().into(), limit, allowed }
}

/// What was left out of one plugin's, for people.
pub fn said(plugin: &str, count: u64) -> String {
    let kept = REPORTED_BYTES_MAX >> 20;
    format!("{count} metrics of `{plugin}` are not kept: a run keeps {kept} MiB of one plugin's")
}

#[cfg(test)]
mod tests {
    use orch_journal::event::{Bytes, Category, Finding, Metric, Severity};

    use super::*;

    fn writes(findings: usize, metrics: usize) -> Writes {
        let (severity, category) = (Severity::Major, Category::Test);
        let finding = Finding { severity, category, message: "\u{1b}".repeat(4000), location: None };
        let (name, unit) = ("a".to_owned(), "1".to_owned());
        let metric =
            Metric { name, value: 1.0, unit, attributes: vec![("k".to_owned(), "\u{1b}".repeat(4000))] };
        let (findings, metrics) = (vec![finding; findings], vec![metric; metrics]);
        Writes { plugin: "demo/a".to_owned(), findings, metrics, ..Writes::default() }
    }

    fn kept(findings: u64, metrics: u64) -> BTreeMap<String, Reported> {
        BTreeMap::from([("demo/a".to_owned(), Reported { findings, metrics, kv: 0 })])
    }

    #[test]
    fn what_is_escaped_counts_as_it_is_stored_and_each_plugin_has_its_own_room() {
        let one = writes(1, 0).reported().findings;
        assert!(one > 24_000, "{one}");
        for (before, fits) in
            [(0, true), (REPORTED_BYTES_MAX - one, true), (REPORTED_BYTES_MAX - one + 1, false)]
        {
            // What it measured takes none of the room of what it found.
            let (mut now, mut left_out) = (writes(1, 0), LeftOut::new());
            let found = fit(&kept(before, u64::MAX >> 1), &mut now, &mut left_out);
            assert_eq!((found.is_ok(), now.findings.len(), left_out.len()), (fits, 1, 0), "{before}");
            assert!(found.is_ok() || found.is_err_and(|error| error.code() == "limit-findings"));
            let mut other = Writes { plugin: "demo/b".to_owned(), ..writes(1, 0) };
            assert!(fit(&kept(before, 0), &mut other, &mut left_out).is_ok());
        }
    }

    #[test]
    fn metrics_without_room_are_left_out_and_counted_also_those_of_providers() {
        let mut now = Writes { plugin: "demo/b".to_owned(), provided: vec![writes(0, 3)], ..writes(1, 2) };
        let mut left_out = LeftOut::new();
        fit(&kept(0, REPORTED_BYTES_MAX), &mut now, &mut left_out).unwrap();
        assert_eq!((now.findings.len(), now.metrics.len()), (1, 2));
        assert!(now.provided[0].metrics.is_empty());
        assert_eq!(left_out, LeftOut::from([("demo/a".to_owned(), 3)]));
    }
    #[test]
    fn values_written_over_others_count_each_time_and_those_of_providers_for_these() {
        let value = |bytes: usize| BTreeMap::from([("k".to_owned(), Some(Bytes(vec![0; bytes / 4 * 3])))]);
        let kv = |plugin: &str, bytes| Writes {
            plugin: plugin.to_owned(),
            kv: BTreeMap::from([("notes".to_owned(), value(bytes))]),
            ..Writes::default()
        };
        let one = kv("demo/a", 1000).reported().kv;
        assert!((1000..1100).contains(&one), "{one}");
        let kept = |kv| BTreeMap::from([("demo/a".to_owned(), Reported { kv, ..Reported::default() })]);
        let asked =
            Writes { plugin: "demo/b".to_owned(), provided: vec![kv("demo/a", 1000)], ..Writes::default() };
        for (before, fits) in [(0, true), (KV_BYTES_MAX - one, true), (KV_BYTES_MAX - one + 1, false)] {
            for writes in [&kv("demo/a", 1000), &asked] {
                let found = fit_values(&kept(before), writes);
                assert_eq!(found.is_ok(), fits, "{before}");
                assert!(
                    found.is_ok()
                        || found.is_err_and(|error| error.code() == "limit-kv" && error.plugin() == "demo/a")
                );
            }
            assert!(fit_values(&kept(before), &kv("demo/b", 1000)).is_ok());
        }
        assert!(fit_values(&kept(u64::MAX), &writes(1, 1)).is_ok());
    }
}
