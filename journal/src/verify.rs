//! Whether a store's journals are whole, begun here, and as long as this host once vouched for.
//!
//! In -> out: [`Reader`], keys, the operator's folder of heads -> [`AuditReport`], one line a run.
//! Invariant: every event of every run is hashed again; nothing derived is believed, not even the list of runs.
//! Not here: derived tables (`rebuild.rs`). What nobody vouched for yet, after the last head, can be cut off unseen.

use std::path::Path;

use serde::Serialize;

use crate::error::StoreError;
use crate::event::PrunedRun;
use crate::events::{self, Events};
use crate::head::{self, Head, JournalKeys};
use crate::prune::{self, Ends};
use crate::reader::Reader;
use crate::store::check_kept;

/// What was found in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditedRun {
    pub run: String,
    /// Events that are whole.
    pub events: u64,
    /// Event of the head in the operator's folder that the journal agrees with; absent if none was kept.
    pub kept_head: Option<u64>,
    /// Heads in the store that the journal agrees with.
    pub heads: u64,
    pub faults: Vec<AuditFault>,
}

/// A kept head that cannot be read: of which store it was cannot be said.
pub const HEAD_UNREADABLE: &str = "head-unreadable";

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditFault {
    /// Stable name: `journal-broken`, `run-foreign`, `journal-truncated`, `journal-rewritten`, `head-forged`,
    /// `head-unreadable`, `position-repeated`, `journal-missing`.
    pub code: &'static str,
    pub text: String,
}

/// What was found in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    pub runs: Vec<AuditedRun>,
    /// Runs that were taken out by command, as the workspace's stream says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<String>,
    /// Faults of no single run.
    pub faults: Vec<AuditFault>,
}

impl AuditReport {
    /// True when nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.faults().next().is_none()
    }

    /// All that is wrong, run by run.
    pub fn faults(&self) -> impl Iterator<Item = &AuditFault> {
        self.runs.iter().flat_map(|run| &run.faults).chain(&self.faults)
    }
}

/// Reads all journals and compares them with what this host vouched for.
///
/// # Errors
/// Only what keeps the check from being made: `Sqlite`, `Io`. What it finds is in the report.
pub fn audit_verify(
    reader: &Reader,
    keys: &JournalKeys,
    heads_dir: Option<&Path>,
) -> Result<AuditReport, StoreError> {
    let connection = reader.connection();
    // One view of the store for all of it, though a host may go on writing.
    let _view = connection.unchecked_transaction()?;
    let mut runs = Vec::new();
    for run in events::runs(connection)? {
        runs.push(audit_run(reader, keys, heads_dir, run)?);
    }
    let mut faults = Vec::new();
    let known: Vec<&String> = runs.iter().map(|audited| &audited.run).collect();
    let headed: Vec<String> = connection
        .prepare("SELECT DISTINCT run FROM heads")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for run in headed.iter().filter(|run| !known.contains(run)) {
        let text = format!("run `{}` has a signed head and no event", run.escape_default());
        faults.push(AuditFault { code: "journal-truncated", text });
    }
    let sql = "SELECT count(*), count(DISTINCT position), ifnull(max(position), -1) + 1 FROM events";
    let (all, distinct, end): (i64, i64, i64) =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let Ends { good: pruned, forged } = prune::ends(connection, keys)?;
    for PrunedRun { run, seq, .. } in forged {
        faults.push(judged(StoreError::HeadForged { run, seq })?);
    }
    let gone: u64 = pruned.iter().map(|head| head.seq + 1).sum();
    if all != distinct || all.unsigned_abs() + gone != end.unsigned_abs() {
        let text =
            format!("{all} events and {gone} that were taken out have {distinct} positions up to {end}");
        faults.push(AuditFault { code: "position-repeated", text });
    }
    if let Some(folder) = heads_dir {
        // A run of which the store has at least a head was named above.
        let known = known.into_iter().chain(&headed).chain(pruned.iter().map(|head| &head.run));
        let known: Vec<&str> = known.map(String::as_str).collect();
        faults.extend(missing_runs(reader.folder(), keys, folder, &known)?);
    }
    let pruned = pruned.into_iter().map(|head| head.run).collect();
    Ok(AuditReport { runs, pruned, faults })
}

/// The same of the store in that folder, also when the store is gone or was never made.
///
/// # Errors
/// As [`audit_verify`], and what keeps a store from being opened.
pub fn audit_folder(folder: &Path, keys: &JournalKeys, heads_dir: &Path) -> Result<AuditReport, StoreError> {
    match Reader::open(folder) {
        Ok(reader) => audit_verify(&reader, keys, Some(heads_dir)),
        Err(StoreError::Missing { .. }) => {
            let faults = missing_runs(folder, keys, heads_dir, &[])?;
            Ok(AuditReport { runs: Vec::new(), pruned: Vec::new(), faults })
        }
        Err(error) => Err(error),
    }
}

/// Runs that this host vouched for as runs of that store and that are not among those it has, also when the store
/// itself is gone; and heads that cannot be read.
///
/// # Errors
/// `Io` if the folder of heads cannot be read.
pub fn missing_runs(
    store: &Path,
    keys: &JournalKeys,
    heads_dir: &Path,
    known: &[&str],
) -> Result<Vec<AuditFault>, StoreError> {
    let Missing { heads, unreadable: mut faults } = missing_heads(store, heads_dir, known)?;
    for (run, kept) in heads {
        let seq = kept.seq;
        faults.push(match kept.link(keys).is_some() && kept.run == run {
            true => AuditFault {
                code: "journal-missing",
                text: format!("run `{run}` is not in the store, its kept head names event {seq}"),
            },
            false => judged(StoreError::HeadForged { run, seq })?,
        });
    }
    Ok(faults)
}

/// Removes the kept heads of those runs, as far as this host vouched for them; gives their runs. Whoever asks for it takes
/// it on himself that they are gone.
///
/// # Errors
/// `Io` if the folder of heads cannot be read, or a head not be removed.
pub fn forget_missing_runs(
    store: &Path,
    keys: &JournalKeys,
    heads_dir: &Path,
    known: &[&str],
) -> Result<Vec<String>, StoreError> {
    let mut forgotten = Vec::new();
    for (run, kept) in missing_heads(store, heads_dir, known)?.heads {
        if kept.link(keys).is_some() && kept.run == run {
            let path = heads_dir.join(format!("{run}.json"));
            std::fs::remove_file(&path).map_err(|source| StoreError::Io { what: "remove", path, source })?;
            forgotten.push(run);
        }
    }
    Ok(forgotten)
}

/// Kept heads of runs that are not known.
#[derive(Default)]
struct Missing {
    /// Of that store.
    heads: Vec<(String, Head)>,
    /// Of which nobody can say.
    unreadable: Vec<AuditFault>,
}

fn missing_heads(store: &Path, heads_dir: &Path, known: &[&str]) -> Result<Missing, StoreError> {
    let place = head::place_digest(store);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { what: "read", path, source }
    };
    let mut missing = Missing::default();
    for run in Head::kept_runs(heads_dir).map_err(io(heads_dir))? {
        if known.contains(&run.as_str()) {
            continue;
        }
        let kept = match Head::read(heads_dir, &run) {
            Ok(Some(kept)) => kept,
            // Of which store it was cannot be said.
            Ok(None) => continue,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => continue,
            Err(error) => {
                missing.unreadable.push(unreadable(&heads_dir.join(format!("{run}.json")), &error));
                continue;
            }
        };
        if kept.store.as_ref() == Some(&place) {
            missing.heads.push((run, kept));
        }
    }
    Ok(missing)
}

fn unreadable(path: &Path, error: &std::io::Error) -> AuditFault {
    AuditFault { code: HEAD_UNREADABLE, text: format!("`{}` cannot be read: {error}", path.display()) }
}

fn audit_run(
    reader: &Reader,
    keys: &JournalKeys,
    heads_dir: Option<&Path>,
    run: String,
) -> Result<AuditedRun, StoreError> {
    let connection = reader.connection();
    let mut audited = AuditedRun { run, events: 0, kept_head: None, heads: 0, faults: Vec::new() };
    let run = audited.run.clone();
    let mut chain = Events::new(connection, &run);
    for found in chain.by_ref() {
        match found {
            Ok((_, event)) => {
                if event.begins().is_some() && !head::is_sealed(keys, &event) {
                    let text = format!("run `{run}` was not begun by this host");
                    audited.faults.push(AuditFault { code: "run-foreign", text });
                }
                audited.events += 1;
            }
            Err(fault) => audited.faults.push(judged(fault)?),
        }
    }
    for stored in stored_heads(reader, &run)? {
        let fault = match (stored.link(keys), events::link_at(connection, &run, stored.seq)?) {
            (None, _) => StoreError::HeadForged { run: run.clone(), seq: stored.seq },
            (Some(signed), Some(link)) if signed == link => {
                audited.heads += 1;
                continue;
            }
            (Some(_), Some(_)) => StoreError::Rewritten { run: run.clone(), seq: stored.seq },
            (Some(_), None) => {
                StoreError::Truncated { run: run.clone(), found: audited.events, kept: stored.seq }
            }
        };
        audited.faults.push(judged(fault)?);
    }
    if let Some(folder) = heads_dir.filter(|_| head::is_run_id(&run)) {
        match check_kept(connection, keys, folder, &run) {
            Ok(kept) => audited.kept_head = kept,
            Err(fault) => audited.faults.push(judged(fault)?),
        }
    }
    Ok(audited)
}

/// What is wrong with the store goes into the report; what kept us from looking goes up.
fn judged(fault: StoreError) -> Result<AuditFault, StoreError> {
    match fault {
        StoreError::Sqlite(_) => Err(fault),
        StoreError::Io { ref source, ref path, .. } if source.kind() != std::io::ErrorKind::InvalidData => {
            Ok(unreadable(path, source))
        }
        StoreError::Io { .. } => Ok(AuditFault { code: "head-forged", text: fault.to_string() }),
        _ => Ok(AuditFault { code: fault.code(), text: fault.to_string() }),
    }
}

fn stored_heads(reader: &Reader, run: &str) -> Result<Vec<Head>, StoreError> {
    let sql = "SELECT seq, hash, mac FROM heads WHERE run = ?1 ORDER BY seq";
    let mut statement = reader.connection().prepare(sql)?;
    let heads = statement.query_map([run], |row| {
        Ok(Head {
            run: run.to_owned(),
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            hash: hex::encode(row.get::<_, Vec<u8>>(1)?),
            store: None,
            mac: hex::encode(row.get::<_, Vec<u8>>(2)?),
        })
    })?;
    Ok(heads.collect::<Result<_, _>>()?)
}
