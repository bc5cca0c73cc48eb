//! Signed heads: how far a run's journal was, said by this host's key, kept where the run cannot reach.
//!
//! In -> out: (run, seq, hash) -> [`Head`] with its MAC; a folder of the operator's <-> `<run>.json`.
//! Limits: 4 KiB a kept head.
//! Invariant: a head is signed only for events that are durable at `power`, so no power cut makes a journal too short.
//! Not here: when heads are signed (`writer.rs`), what follows from a wrong one (`verify.rs`).

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chain::Link;
use crate::event::{Event, RunStarted, StreamStarted};

pub const RUN_ID_BYTES_MAX: usize = 64;
const HEAD_FILE_BYTES_MAX: u64 = 4096;

/// This host's keys for the journal, derived from its secret with separate labels.
#[derive(Clone)]
pub struct JournalKeys {
    /// For the MAC in a stream's first event.
    pub run_start: [u8; 32],
    /// For heads.
    pub heads: [u8; 32],
}

impl std::fmt::Debug for JournalKeys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("JournalKeys")
    }
}

/// The newest event of a run that a host vouched for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub run: String,
    pub seq: u64,
    /// 64 hex digits.
    pub hash: String,
    /// [`place_digest`] of the store that the run is in; absent in the store itself, and in heads of older hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// 64 hex digits.
    pub mac: String,
}

/// SHA-256 of a state folder's path: where a store is, in words that say nothing of it. 64 hex digits.
pub(crate) fn place_digest(folder: &Path) -> String {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    // Without `.` and doubled slashes.
    let plain: PathBuf = absolute.components().collect();
    hex::encode(Sha256::digest(plain.as_os_str().as_bytes()))
}

impl Head {
    /// The head at that link.
    pub(crate) fn sign(keys: &JournalKeys, run: &str, seq: u64, link: &Link, store: Option<&str>) -> Self {
        let mac = head_mac(keys, run, seq, link, store).finalize().into_bytes();
        let store = store.map(str::to_owned);
        Self { run: run.to_owned(), seq, hash: hex::encode(link), store, mac: hex::encode(mac) }
    }

    /// The link that this host's key vouches for, if it does.
    pub(crate) fn link(&self, keys: &JournalKeys) -> Option<Link> {
        let link: Link = hex::decode(&self.hash).ok()?.try_into().ok()?;
        let mac = hex::decode(&self.mac).ok()?;
        head_mac(keys, &self.run, self.seq, &link, self.store.as_deref()).verify_slice(&mac).ok()?;
        Some(link)
    }

    /// The kept head of a run; nothing if none was kept, or an error if there is one that cannot be read.
    pub(crate) fn read(folder: &Path, run: &str) -> std::io::Result<Option<Self>> {
        let path = folder.join(format!("{run}.json"));
        let found = match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        if !found.is_file() || found.len() > HEAD_FILE_BYTES_MAX {
            return Err(std::io::Error::new(ErrorKind::InvalidData, "not a small regular file"));
        }
        Ok(Some(serde_json::from_slice(&std::fs::read(&path)?)?))
    }

    /// The runs of which heads were kept in that folder, sorted.
    pub(crate) fn kept_runs(folder: &Path) -> std::io::Result<Vec<String>> {
        let mut runs = Vec::new();
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(runs),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let run = name.to_str().and_then(|name| name.strip_suffix(".json"));
            runs.extend(run.filter(|run| is_run_id(run)).map(str::to_owned));
        }
        runs.sort();
        Ok(runs)
    }

    /// Puts the head in the place of the kept one, whole or not at all.
    pub(crate) fn keep(&self, folder: &Path) -> std::io::Result<()> {
        let path = folder.join(format!("{}.json", self.run));
        let fresh = folder.join(format!(".{}.json.new", self.run));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        // Whatever the umask takes.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(serde_json::to_string(self)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        File::open(folder)?.sync_all()
    }
}

/// A first event with this host's MAC; any other as it is.
pub(crate) fn seal(keys: &JournalKeys, event: Event) -> Result<Event, serde_json::Error> {
    let Some((mac, _)) = start_mac(keys, &event)? else { return Ok(event) };
    let mac = hex::encode(mac.finalize().into_bytes());
    Ok(match event {
        Event::RunStarted(started) => Event::RunStarted(RunStarted { mac, ..started }),
        Event::StreamStarted(started) => Event::StreamStarted(StreamStarted { mac, ..started }),
        other => other,
    })
}

/// True for a first event whose MAC this host's key made.
pub(crate) fn is_sealed(keys: &JournalKeys, event: &Event) -> bool {
    let Ok(Some((expected, found))) = start_mac(keys, event) else { return false };
    hex::decode(found).is_ok_and(|found| expected.verify_slice(&found).is_ok())
}

/// True for a name that can be a run's: 1 to 64 of `[A-Za-z0-9._-]`, not starting with a dot.
pub(crate) fn is_run_id(text: &str) -> bool {
    (1..=RUN_ID_BYTES_MAX).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The MAC that a first event should have and the one that it has; of other events none.
fn start_mac<'a>(
    keys: &JournalKeys,
    event: &'a Event,
) -> Result<Option<(Hmac<Sha256>, &'a str)>, serde_json::Error> {
    let (bare, found) = match event {
        Event::RunStarted(started) => {
            (Event::RunStarted(RunStarted { mac: String::new(), ..started.clone() }), &started.mac)
        }
        Event::StreamStarted(started) => {
            (Event::StreamStarted(StreamStarted { mac: String::new(), ..started.clone() }), &started.mac)
        }
        _ => return Ok(None),
    };
    let mut mac = keyed(&keys.run_start);
    mac.update(&serde_json::to_vec(&bare)?);
    Ok(Some((mac, found)))
}

fn head_mac(keys: &JournalKeys, run: &str, seq: u64, link: &Link, store: Option<&str>) -> Hmac<Sha256> {
    let mut mac = keyed(&keys.heads);
    mac.update(run.as_bytes());
    mac.update(&[0]);
    mac.update(&seq.to_be_bytes());
    mac.update(link);
    // What comes before has a known end, so that this needs no mark.
    mac.update(store.unwrap_or_default().as_bytes());
    mac
}

/// Of the places where a store was, for the place where it is.
pub(crate) fn moved_mac(keys: &JournalKeys, from: &[String], here: &str) -> [u8; 32] {
    let mut mac = keyed(&keys.heads);
    // No run's head begins so; no path has this character.
    mac.update(&[0]);
    for path in from.iter().map(String::as_str).chain([here]) {
        mac.update(path.as_bytes());
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let Ok(mac) = Hmac::new_from_slice(key) else { unreachable!("HMAC takes keys of every length") };
    mac
}
