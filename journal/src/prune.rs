//! Runs taken out of a store, so that it shrinks and can still be verified.
//!
//! In -> out: an open [`Store`], runs that are over -> a store without them, and `runs_pruned` in the workspace's stream.
//! Invariant: the event, and everything that goes, are one transaction; a run goes only if its journal is whole and as long as
//! this host vouched for, and what it left to other runs (values, what is known of tasks) stays.
//! Not here: which runs go (`orch-host`'s `prune`).

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use crate::connection;
use crate::error::StoreError;
use crate::event::{
    Bytes, CarriedTask, CarriedValue, Event, PrunedRun, RunsPruned, StreamStarted, Who, is_workspace_stream,
};
use crate::events::{self, Events};
use crate::head::{self, Head, JournalKeys};
use crate::journal::JournalError;
use crate::store::{Store, check_kept};

/// In the place of a store in the heads of runs that were taken out: no other head is signed so, so that none that lies in a
/// store can be shown as one.
const PRUNED: &str = "pruned";

/// Why runs were not taken out.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What is to be taken out, and for whom.
pub struct Prune<'a> {
    /// Name of the workspace's stream; begun if it has no event.
    pub stream: &'a str,
    /// Path of the store's folder, for a stream that begins.
    pub place: Option<String>,
    /// Each is over.
    pub runs: &'a [String],
    pub who: Who,
    pub at: u64,
}

impl Store {
    /// Takes those runs out, gives their room back to the disk, and closes the store.
    ///
    /// # Errors
    /// `Broken`, `Truncated`, `Rewritten`, `HeadForged` for a run that is not what it was: then nothing is taken out;
    /// `TooLarge` if what plugins keep does not go into one event.
    pub fn prune(mut self, prune: Prune<'_>) -> Result<(), PruneError> {
        let heads_dir = self.heads_dir().map(Path::to_owned);
        let reader = self.reader()?;
        let sign = |run: &String| whole(reader.connection(), self.keys(), heads_dir.as_deref(), run);
        let runs = prune.runs.iter().map(sign).collect::<Result<Vec<_>, _>>()?;
        let (kv, known) = shared(reader.connection())?;
        drop(reader);
        if !runs.is_empty() {
            self.record(&prune, RunsPruned { runs, kv, known, who: prune.who.clone(), at: prune.at })?;
        }
        self.end_writer()?;
        // From here on the event says that they are gone: a head that stays by a fault is no sign of a loss.
        let heads =
            |folder: &PathBuf| prune.runs.iter().map(|run| folder.join(format!("{run}.json"))).collect();
        let heads: Vec<PathBuf> = heads_dir.as_ref().map(heads).unwrap_or_default();
        for path in heads {
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::Io { what: "remove", path, source }.into());
                }
                _ => {}
            }
        }
        Ok(connection::shrink(self.folder())?)
    }

    /// Returns once the event, and that they are gone, is durable and vouched for.
    fn record(&self, prune: &Prune<'_>, pruned: RunsPruned) -> Result<(), PruneError> {
        let stream = self.journal(prune.stream)?;
        if stream.events() == 0 {
            let (name, store) = (prune.stream.to_owned(), prune.place.clone());
            let started = StreamStarted { stream: name, store, at: prune.at, mac: String::new() };
            stream.append(Event::StreamStarted(started))?;
        }
        stream.append(Event::RunsPruned(Box::new(pruned)))?;
        Ok(stream.wait_checkpoint()?)
    }
}

/// The signed end of a run whose journal is whole.
fn whole(
    connection: &Connection,
    keys: &JournalKeys,
    heads_dir: Option<&Path>,
    run: &str,
) -> Result<PrunedRun, StoreError> {
    for event in Events::new(connection, run) {
        let (_, event) = event?;
        if event.begins().is_some() && !head::is_sealed(keys, &event) {
            return Err(StoreError::Foreign { run: run.escape_default().to_string() });
        }
    }
    if let Some(folder) = heads_dir {
        check_kept(connection, keys, folder, run)?;
    }
    let (count, link) = events::end_of(connection, run)?;
    let seq = count.checked_sub(1).ok_or_else(|| StoreError::Truncated {
        run: run.to_owned(),
        found: 0,
        kept: 0,
    })?;
    let Head { run, seq, hash, mac, store: _ } = Head::sign(keys, run, seq, &link, Some(PRUNED));
    Ok(PrunedRun { run, seq, hash, mac })
}

/// All that the tables have that runs share.
fn shared(connection: &Connection) -> Result<(Vec<CarriedValue>, Vec<CarriedTask>), StoreError> {
    let kv = connection
        .prepare("SELECT plugin, label, key, value FROM kv ORDER BY plugin, label, key")?
        .query_map([], |row| {
            let value = Bytes(row.get(3)?);
            Ok(CarriedValue { plugin: row.get(0)?, label: row.get(1)?, key: row.get(2)?, value })
        })?
        .collect::<Result<_, _>>()?;
    let known = connection
        .prepare("SELECT file, task, done, said_at, begun, put_back, mark FROM known ORDER BY file, task")?
        .query_map(params![], |row| {
            Ok(CarriedTask {
                file: row.get(0)?,
                task: row.get(1)?,
                done: row.get(2)?,
                said_at: row.get(3)?,
                begun: row.get(4)?,
                put_back: row.get(5)?,
                mark: row.get(6)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok((kv, known))
}

/// The ends of runs that were taken out of that store.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) good: Vec<PrunedRun>,
    /// Not by this host's key.
    pub(crate) forged: Vec<PrunedRun>,
}

pub(crate) fn ends(connection: &Connection, keys: &JournalKeys) -> Result<Ends, StoreError> {
    let mut ends = Ends::default();
    for stream in events::runs(connection)?.iter().filter(|run| is_workspace_stream(run)) {
        for event in Events::new(connection, stream) {
            // What is broken is said of the stream itself.
            let Ok((_, event)) = event else { break };
            let Event::RunsPruned(pruned) = event else { continue };
            for end in pruned.runs {
                if is_signed(keys, &end) { ends.good.push(end) } else { ends.forged.push(end) }
            }
        }
    }
    Ok(ends)
}

fn is_signed(keys: &JournalKeys, end: &PrunedRun) -> bool {
    let PrunedRun { run, seq, hash, mac } = end.clone();
    Head { run, seq, hash, mac, store: Some(PRUNED.to_owned()) }.link(keys).is_some()
}
