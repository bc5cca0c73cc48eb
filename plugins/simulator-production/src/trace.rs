//! The requests of a workload, in simulated time.
//!
//! In -> out: JSON, a list of `{"at_us", "to"}` with `count` and `every_us` for many -> requests in order of time.
//! Limits: 32 MiB of JSON, 100,000,000 requests.
//! Invariant: time never goes back, and every request goes to a node that exists.
//! Not here: what becomes of a request (`simulation.rs`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::Deserialize;

use crate::model::Model;

const REQUESTS_MAX: u64 = 100_000_000;

/// A workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    entries: Vec<Entry>,
}

/// Requests to one node at equal distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    at_us: u64,
    node: usize,
    count: u64,
    every_us: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    at_us: u64,
    #[serde(borrow)]
    to: std::borrow::Cow<'a, str>,
    #[serde(default = "one")]
    count: u64,
    #[serde(default)]
    every_us: u64,
}

fn one() -> u64 {
    1
}

impl Trace {
    /// Reads a trace.
    ///
    /// # Errors
    /// What is wrong with which entry, for people.
    pub fn parse(json: &[u8], model: &Model) -> Result<Self, String> {
        let written: Vec<Written<'_>> =
            serde_json::from_slice(json).map_err(|error| format!("the trace: {error}"))?;
        let mut entries = Vec::with_capacity(written.len());
        let (mut last, mut total) = (0, 0_u64);
        for (place, Written { at_us, to, count, every_us }) in written.into_iter().enumerate() {
            let node = model
                .find(&to)
                .ok_or_else(|| format!("entry {place} of the trace goes to `{to}`, which is no node"))?;
            if at_us < last {
                return Err(format!(
                    "entry {place} of the trace is at {at_us} us, after one at {last} us: time goes back"
                ));
            }
            last = at_us;
            total = total.saturating_add(count);
            if count > 0 && every_us.checked_mul(count).and_then(|span| span.checked_add(at_us)).is_none() {
                return Err(format!("entry {place} of the trace has no end"));
            }
            entries.push(Entry { at_us, node, count, every_us });
        }
        if total > REQUESTS_MAX {
            return Err(format!("the trace has {total} requests, limit is {REQUESTS_MAX}"));
        }
        Ok(Self { entries })
    }

    /// The requests from `from_us` on: when, and to which node; those of one moment in the order of the file.
    pub fn requests(&self, from_us: u64) -> Requests<'_> {
        Requests { rest: &self.entries, place: 0, open: BinaryHeap::new(), from_us }
    }
}

/// When the next request of an entry comes, the entry's place in the file, its node, how many are left at which distance.
type Open = (u64, u32, usize, u64, u64);

/// Requests in order of time.
pub struct Requests<'a> {
    rest: &'a [Entry],
    place: u32,
    /// Entries that began and have more.
    open: BinaryHeap<Reverse<Open>>,
    from_us: u64,
}

impl Iterator for Requests<'_> {
    type Item = (u64, usize);

    fn next(&mut self) -> Option<(u64, usize)> {
        loop {
            while let Some((entry, rest)) = self.rest.split_first() {
                if self.open.peek().is_some_and(|Reverse((at, ..))| *at < entry.at_us) {
                    break;
                }
                self.rest = rest;
                self.place += 1;
                if entry.count > 0 {
                    self.open.push(Reverse((
                        entry.at_us,
                        self.place,
                        entry.node,
                        entry.count,
                        entry.every_us,
                    )));
                }
            }
            let Reverse((at, place, node, count, every_us)) = self.open.pop()?;
            if count > 1 {
                self.open.push(Reverse((at + every_us, place, node, count - 1, every_us)));
            }
            if at >= self.from_us {
                return Some((at, node));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model::parse(br#"{"services": {"a": {"slots": 1, "time_us": 5}, "b": {"slots": 1, "time_us": 5}}}"#)
            .unwrap()
    }

    fn requests(json: &str, from_us: u64) -> Vec<(u64, usize)> {
        Trace::parse(json.as_bytes(), &model()).unwrap().requests(from_us).collect()
    }

    #[test]
    fn many_at_equal_distances_go_between_others() {
        let json = r#"[{"at_us": 0, "to": "a", "count": 3, "every_us": 10}, {"at_us": 10, "to": "b"}, {"at_us": 15, "to": "b", "count": 0}]"#;
        assert_eq!(requests(json, 0), [(0, 0), (10, 0), (10, 1), (20, 0)]);
        assert_eq!(requests(json, 11), [(20, 0)]);
        assert_eq!(requests("[]", 0), []);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, part) in [
            ("{}", "the trace:"),
            (r#"[{"at_us": 0, "to": "c"}]"#, "entry 0 of the trace goes to `c`, which is no node"),
            (
                r#"[{"at_us": 5, "to": "a"}, {"at_us": 4, "to": "a"}]"#,
                "entry 1 of the trace is at 4 us, after one at 5 us: time goes back",
            ),
            (r#"[{"at_us": -1, "to": "a"}]"#, "the trace:"),
            (r#"[{"at_us": 0, "to": "a", "n": 4}]"#, "unknown field `n`"),
            (r#"[{"at_us": 0, "to": "a", "count": 100000001}]"#, "limit is 100000000"),
            (r#"[{"at_us": 9, "to": "a", "count": 3, "every_us": 9223372036854775807}]"#, "has no end"),
        ] {
            let error = Trace::parse(json.as_bytes(), &model()).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
