//! The operator's secrets: read when somebody first needs them, kept for a while.
//!
//! In -> out: where each secret comes from -> its value, for `orch:secrets`.
//! Limits: a value counts for [`KEPT`], that there is none for [`UNREAD_KEPT`].
//! Invariant: nothing is read before somebody asks; several who ask at once wait for one reading.
//! Not here: what `secrets.toml` says (`config/secrets.rs`), what becomes of a value (`capability/secrets.rs`).

mod program;
pub mod source;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::capability::secrets::backend::{SecretReader, SecretUnread};
use crate::capability::secrets::value::SecretValue;
use source::SecretSource;

/// A value that was changed at its source counts after so long.
const KEPT: Duration = Duration::from_secs(5 * 60);
/// So that no plugin makes the host start one program after the other.
const UNREAD_KEPT: Duration = Duration::from_secs(5);

/// What `secrets.toml` defines, by name.
pub type SecretSources = Arc<BTreeMap<String, SecretSource>>;

/// What was read last, and when.
type Kept = Option<(Instant, Result<Arc<SecretValue>, SecretUnread>)>;

#[derive(Default)]
struct Entry {
    /// Held by whoever reads.
    reading: Mutex<()>,
    kept: Mutex<Kept>,
}

/// All secrets of one host.
pub struct SecretStore {
    sources: SecretSources,
    entries: BTreeMap<String, Entry>,
}

impl SecretStore {
    pub fn new(sources: SecretSources) -> Self {
        let entries = sources.keys().map(|name| (name.clone(), Entry::default())).collect();
        Self { sources, entries }
    }
}

impl Entry {
    /// What was read, if that still counts.
    fn kept(&self, now: Instant) -> Option<Result<Arc<SecretValue>, SecretUnread>> {
        let kept = lock(&self.kept);
        let (at, read) = kept.as_ref()?;
        let most = if read.is_ok() { KEPT } else { UNREAD_KEPT };
        (now.saturating_duration_since(*at) < most).then(|| read.clone())
    }
}

impl SecretReader for SecretStore {
    fn read(&self, name: &str) -> Result<Arc<SecretValue>, SecretUnread> {
        let unread = |why: String| SecretUnread { name: name.to_owned(), why };
        let (Some(entry), Some(source)) = (self.entries.get(name), self.sources.get(name)) else {
            return Err(unread("is not in `secrets.toml`".to_owned()));
        };
        if let Some(kept) = entry.kept(Instant::now()) {
            return kept;
        }
        let _reading = lock(&entry.reading);
        // Somebody else has read it meanwhile.
        if let Some(kept) = entry.kept(Instant::now()) {
            return kept;
        }
        let read = source.read().map(Arc::new).map_err(|error| unread(error.to_string()));
        let mut kept = lock(&entry.kept);
        *kept = Some((Instant::now(), read.clone()));
        read
    }

    fn all(&self) -> Vec<Arc<SecretValue>> {
        self.sources.keys().filter_map(|name| self.read(name).ok()).collect()
    }

    fn known(&self, name: &str) -> Option<Arc<SecretValue>> {
        let kept = lock(&self.entries.get(name)?.kept);
        kept.as_ref().and_then(|(_, read)| read.clone().ok())
    }
}

/// What a thread that panicked left is whole: each is set by one assignment.
fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::capability::secrets::value::SecretEncoding;
    use crate::whole_file;
    use source::From;

    fn store(path: &Path) -> SecretStore {
        let source = SecretSource { from: From::File(path.to_owned()), encoding: SecretEncoding::Plain };
        SecretStore::new(Arc::new([("key".to_owned(), source)].into()))
    }

    #[test]
    fn a_value_is_read_at_first_use_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let write = |text: &[u8]| whole_file::write(&path, text, whole_file::PRIVATE).unwrap();
        write(b"first-value");
        let store = store(&path);
        assert!(store.known("key").is_none(), "nothing is read before somebody asks");
        let read = store.read("key").ok().unwrap();
        assert_eq!(read.bytes(), b"first-value");
        write(b"second-value");
        let again = store.read("key").ok().unwrap();
        assert!(Arc::ptr_eq(&read, &again) && Arc::ptr_eq(&read, &store.known("key").unwrap()));

        // As if it had been read long ago.
        let Some(long_ago) = Instant::now().checked_sub(KEPT) else {
            panic!("this machine has just started")
        };
        lock(&store.entries["key"].kept).as_mut().unwrap().0 = long_ago;
        assert!(Arc::ptr_eq(&read, &store.known("key").unwrap()), "what was known once is masked on");
        assert_eq!(store.read("key").ok().unwrap().bytes(), b"second-value");
    }

    #[test]
    fn that_there_is_none_is_kept_for_a_moment_and_says_nothing_of_a_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        whole_file::write(&path, b"five5", whole_file::PRIVATE).unwrap();
        let store = store(&path);
        let why = store.read("key").err().unwrap().to_string();
        assert!(why.contains("key") && !why.contains("five5"), "{why}");
        whole_file::write(&path, b"long-enough", whole_file::PRIVATE).unwrap();
        assert_eq!(store.read("key").err().unwrap().to_string(), why);
        let Some(before) = Instant::now().checked_sub(UNREAD_KEPT) else {
            panic!("this machine has just started")
        };
        lock(&store.entries["key"].kept).as_mut().unwrap().0 = before;
        assert_eq!(store.read("key").ok().unwrap().bytes(), b"long-enough");
        assert_eq!(store.read("other").err().unwrap().to_string(), "secret `other` is not in `secrets.toml`");
    }
}
