//! Where a store belongs: each run says it as it begins, and a person when the workspace was moved.
//!
//! In -> out: state folder, `run_started` of each run, `moved.json` -> yes, or [`StoreError::Elsewhere`].
//! Limits: 64 KiB for `moved.json`.
//! Invariant: what counts for whoever writes is signed by this host: the place in `run_started`, the places before it in
//! `moved.json`, which is for one place alone.
//! Not here: kept heads (`head.rs`), links in the path (the host's `place.rs`).

use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::connection::{self, STORE_FILE};
use crate::error::StoreError;
use crate::event::Event;
use crate::events;
use crate::head::{self, Head, JournalKeys};
use crate::lock::Lock;

const MOVED_FILE: &str = "moved.json";
const MOVED_BYTES_MAX: u64 = 64 * 1024;

/// Places where the store was before, and that this host took it over from there.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    from: Vec<String>,
    mac: String,
}

/// The path of a state folder, as runs say it.
pub fn name_of(folder: &Path) -> String {
    let path = folder.canonicalize().or_else(|_| std::path::absolute(folder));
    path.unwrap_or_else(|_| folder.to_owned()).to_string_lossy().into_owned()
}

/// Where a store is, beside what its runs say.
pub(crate) struct Here<'a> {
    folder: &'a Path,
    name: String,
    /// With them, only what this host signed counts.
    keys: Option<&'a JournalKeys>,
    /// Read when a run says another place.
    former: Option<Vec<String>>,
}

impl<'a> Here<'a> {
    pub(crate) fn new(folder: &'a Path, keys: Option<&'a JournalKeys>) -> Self {
        Self { folder, name: name_of(folder), keys, former: None }
    }

    /// Refuses a run that began in another place.
    pub(crate) fn check(&mut self, first: &Event) -> Result<(), StoreError> {
        let Some(store) = first.store().filter(|store| *store != self.name) else { return Ok(()) };
        let read = || read_former(self.folder, &self.name, self.keys);
        match self.former.get_or_insert_with(read).iter().any(|former| former == store) {
            true => Ok(()),
            false => {
                Err(StoreError::Elsewhere { store: PathBuf::from(store), here: PathBuf::from(&self.name) })
            }
        }
    }
}

/// Takes over a store whose workspace was moved here; gives how many places it had before.
///
/// # Errors
/// `Held`, `Foreign`; `Copied` if the store is still where it was.
pub fn take_over(folder: &Path, keys: &JournalKeys, heads: &Path) -> Result<usize, StoreError> {
    let io = |what, path: PathBuf| move |source| StoreError::Io { what, path, source };
    let connection = connection::open_reader(folder)?;
    let _lock = Lock::take(folder)?;
    let here = name_of(folder);
    let mut from = read_former(folder, &here, Some(keys));
    let mut runs = Vec::new();
    events::each_first(&connection, |run, first| {
        runs.push(run.to_owned());
        let Some(first) = first else { return Ok(()) };
        if first.begins() != Some(run) || !head::is_sealed(keys, &first) {
            return Err(StoreError::Foreign { run: run.escape_default().to_string() });
        }
        from.extend(first.store().filter(|store| *store != here).map(str::to_owned));
        Ok(())
    })?;
    from.sort();
    from.dedup();
    if from.is_empty() {
        return Ok(0);
    }
    for store in from.iter().map(PathBuf::from) {
        // Another store may have been made there since.
        if store.join(STORE_FILE).exists()
            && events::runs(&connection::open_reader(&store)?)?.iter().any(|run| runs.contains(run))
        {
            return Err(StoreError::Copied { store });
        }
    }
    let moved = Moved { mac: hex::encode(head::moved_mac(keys, &from, &here)), from };
    let path = folder.join(MOVED_FILE);
    write(&path, &moved).map_err(io("write", path.clone()))?;
    // What was kept of its runs is looked for where the store is.
    for run in runs.iter().filter(|run| head::is_run_id(run)) {
        let kept = Head::read(heads, run).map_err(io("read", heads.join(format!("{run}.json"))))?;
        let Some((kept, link)) = kept.and_then(|kept| kept.link(keys).map(|link| (kept, link))) else {
            continue;
        };
        let place = head::place_digest(folder);
        let again = Head::sign(keys, run, kept.seq, &link, Some(&place));
        again.keep(heads).map_err(io("write", heads.to_owned()))?;
    }
    Ok(moved.from.len())
}

/// The places that the file names, if it is for this place; who has no keys takes its word.
fn read_former(folder: &Path, here: &str, keys: Option<&JournalKeys>) -> Vec<String> {
    let path = folder.join(MOVED_FILE);
    let is_small =
        std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= MOVED_BYTES_MAX);
    let read = || serde_json::from_slice::<Moved>(&std::fs::read(&path).ok()?).ok();
    let is_signed = |moved: &Moved| {
        let expected = |keys| hex::encode(head::moved_mac(keys, &moved.from, here));
        keys.is_none_or(|keys| expected(keys) == moved.mac)
    };
    match is_small {
        true => read().filter(is_signed).map(|moved| moved.from).unwrap_or_default(),
        false => Vec::new(),
    }
}

fn write(path: &Path, moved: &Moved) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(serde_json::to_string(moved)?.as_bytes())?;
    file.sync_all()
}
