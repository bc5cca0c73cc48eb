//! Values of `orch:kv` as the run sees them: the store, and over it what this run kept.
//!
//! In -> out: kept [`Writes`] -> answers of [`KvReader`].
//! Invariant: a value is seen from the moment that its call's result was accepted, also before it is committed.
//! Not here: what a call wrote itself and nobody accepted yet (`capability/kv.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_journal::event::Writes;
use orch_journal::{Journal, Reader, SharedReader};

use super::kv_reads::KvReads;

use crate::capability::kv::{KvReader, KvUnavailable};

const KEYS_MAX: usize = 1000;

/// Values by plugin, label and key.
pub type KvValues = BTreeMap<(String, String, String), Vec<u8>>;

/// One plugin's label and key.
type Place = (String, String, String);

/// A value that was accepted, and where its event is.
struct Kept {
    /// `None`: removed.
    value: Option<Vec<u8>>,
    journal: Arc<Journal>,
    event: u64,
}

/// So many values may be kept over the store before those that it has by now are let go: whoever asks how many bytes there are has
/// the store asked for each.
const KEPT_MAX: usize = 64;

/// The store's values with the accepted ones over them.
pub struct KvOverlay {
    store: SharedReader,
    kept: Mutex<BTreeMap<Place, Kept>>,
}

impl KvOverlay {
    /// Over the store that is read there.
    pub fn over(store: SharedReader) -> Self {
        Self { store, kept: Mutex::default() }
    }

    /// Takes in values that lie over the store until something is written over them.
    pub fn seed(&self, values: KvValues, journal: &Arc<Journal>) {
        let kept = |value| Kept { value: Some(value), journal: journal.clone(), event: u64::MAX };
        self.kept().extend(values.into_iter().map(|(place, value)| (place, kept(value))));
    }

    /// Records the event of an accepted call and takes in what it wrote, as one step for whoever reads or commits beside.
    pub fn commit<E>(
        &self,
        writes: &Writes,
        journal: &Arc<Journal>,
        record: impl FnOnce() -> Result<u64, E>,
    ) -> Result<u64, E> {
        if writes.of_each().all(|one| one.kv.is_empty()) {
            return record();
        }
        let mut kept = self.kept();
        let event = record()?;
        take_in(&mut kept, writes, journal, event);
        Ok(event)
    }

    /// The same for a call that is accepted only if it would read now what it read; `None` if it would not.
    pub fn commit_if<E>(
        &self,
        reads: &KvReads,
        writes: &Writes,
        journal: &Arc<Journal>,
        record: impl FnOnce() -> Result<u64, E>,
    ) -> Result<Option<u64>, E> {
        let mut kept = self.kept();
        if !reads.hold(&Unlocked { overlay: self, kept: &kept }) {
            return Ok(None);
        }
        let event = record()?;
        take_in(&mut kept, writes, journal, event);
        Ok(Some(event))
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Place, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store<T>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, orch_journal::StoreError>,
    ) -> Result<T, KvUnavailable> {
        ask(&self.store.read()).map_err(|error| {
            tracing::warn!(%error, "the store of `orch:kv` could not be read");
            KvUnavailable
        })
    }
}

fn take_in(kept: &mut BTreeMap<Place, Kept>, writes: &Writes, journal: &Arc<Journal>, event: u64) {
    for Writes { plugin, kv, .. } in writes.of_each() {
        for (label, values) in kv {
            for (key, value) in values {
                let place = (plugin.clone(), label.clone(), key.clone());
                let value = value.as_ref().map(|bytes| bytes.0.clone());
                kept.insert(place, Kept { value, journal: journal.clone(), event });
            }
        }
    }
    if kept.len() > KEPT_MAX {
        kept.retain(|_, kept| kept.journal.committed() <= kept.event);
    }
}

/// The overlay for whoever has what is kept.
struct Unlocked<'a> {
    overlay: &'a KvOverlay,
    kept: &'a BTreeMap<Place, Kept>,
}

impl KvReader for KvOverlay {
    fn read(&self, plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        Unlocked { overlay: self, kept: &self.kept() }.read(plugin, label, key)
    }

    fn keys(
        &self,
        plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        Unlocked { overlay: self, kept: &self.kept() }.keys(plugin, label, prefix, after)
    }

    fn bytes(&self, plugin: &str) -> Result<u64, KvUnavailable> {
        Unlocked { overlay: self, kept: &self.kept() }.bytes(plugin)
    }
}

impl KvReader for Unlocked<'_> {
    fn read(&self, plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        let place = (plugin.to_owned(), label.to_owned(), key.to_owned());
        if let Some(kept) = self.kept.get(&place) {
            return Ok(kept.value.clone());
        }
        self.overlay.store(|store| store.kv_read(plugin, label, key))
    }

    fn keys(
        &self,
        plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        let mut found: Vec<String> = Vec::new();
        let mut after = after.map(str::to_owned);
        // Page by page: what was removed makes a page of the store shorter, and a short answer would mean the end.
        while found.len() < KEYS_MAX {
            let page = self.overlay.store(|store| store.kv_keys(plugin, label, prefix, after.as_deref()))?;
            let last = (page.len() >= KEYS_MAX).then(|| page.last().cloned()).flatten();
            let mut keys: BTreeSet<String> = page.into_iter().collect();
            for ((owner, place, key), Kept { value, .. }) in self.kept {
                let meant = owner == plugin
                    && place == label
                    && key.starts_with(prefix)
                    && after.as_ref().is_none_or(|after| key > after)
                    && last.as_ref().is_none_or(|last| key <= last);
                match (meant, value) {
                    (true, Some(_)) => drop(keys.insert(key.clone())),
                    (true, None) => drop(keys.remove(key)),
                    (false, _) => {}
                }
            }
            found.extend(keys);
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        found.truncate(KEYS_MAX);
        Ok(found)
    }

    fn bytes(&self, plugin: &str) -> Result<u64, KvUnavailable> {
        let mut bytes = self.overlay.store(|store| store.kv_bytes(plugin))?;
        for ((owner, label, key), kept) in self.kept.iter().filter(|((owner, ..), _)| owner == plugin) {
            let before = self.overlay.store(|store| store.kv_read(owner, label, key))?;
            let size =
                |value: &Option<Vec<u8>>| value.as_ref().map_or(0, |value| (key.len() + value.len()) as u64);
            bytes = (bytes + size(&kept.value)).saturating_sub(size(&before));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use orch_journal::event::{Called, Event, RunStarted};
    use orch_journal::{JournalKeys, Store, StoreOptions};

    use super::*;

    fn writes(plugin: &str, values: impl IntoIterator<Item = (String, Option<&'static str>)>) -> Writes {
        let values = values.into_iter().map(|(key, value)| (key, value.map(|text| text.as_bytes().into())));
        let kv = [("notes".to_owned(), values.collect())].into();
        Writes { kv, plugin: plugin.to_owned(), ..Writes::default() }
    }

    /// A store with some writes committed, and accepted ones over them.
    struct Kept {
        kv: KvOverlay,
        journal: Arc<Journal>,
        store: Store,
    }

    impl Kept {
        /// Takes in what will never be committed.
        fn keep(&self, writes: &Writes) {
            self.kv.commit::<()>(writes, &self.journal, || Ok(u64::MAX)).unwrap();
        }

        /// The same for a call that read so; true if it was accepted.
        fn keep_if(&self, reads: &KvReads, writes: &Writes) -> bool {
            self.kv.commit_if::<()>(reads, writes, &self.journal, || Ok(u64::MAX)).unwrap().is_some()
        }
    }

    impl std::ops::Deref for Kept {
        type Target = KvOverlay;

        fn deref(&self) -> &KvOverlay {
            &self.kv
        }
    }

    fn called(writes: Writes) -> Event {
        Event::Called(Box::new(Called {
            call: "reflect".to_owned(),
            plugin: writes.plugin.clone(),
            task: None,
            rerun: false,
            fault: None,
            writes,
            asked: Vec::new(),
            token: None,
            at: 2,
        }))
    }

    /// A store with these writes committed.
    fn overlay(folder: &std::path::Path, committed: impl IntoIterator<Item = Writes>) -> Kept {
        let keys = JournalKeys { run_start: [1; 32], heads: [2; 32] };
        let store = Store::open(folder, StoreOptions::new(keys)).unwrap();
        let journal = store.journal("run").unwrap();
        let started = RunStarted {
            run: "run".to_owned(),
            goal: String::new(),
            goal_said: false,
            plugins: Vec::new(),
            jobs: 1,
            durability: "mixed".to_owned(),
            budget: 0,
            unsigned: false,
            texts: false,
            store: None,
            tasks: None,
            at: 1,
            mac: String::new(),
        };
        journal.append(Event::RunStarted(started)).unwrap();
        for writes in committed {
            journal.append(called(writes)).unwrap();
        }
        journal.wait_checkpoint().unwrap();
        Kept { kv: KvOverlay::over(store.shared()), journal: Arc::new(journal), store }
    }

    /// Reads of a call that read this key and listed all.
    fn reads(kept: &Kept, key: &str) -> KvReads {
        let through = KvOverlay::over(kept.store.shared());
        let reads = KvReads::new(Arc::new(through));
        reads.read("demo/a", "notes", key).unwrap();
        reads.keys("demo/a", "notes", "", None).unwrap();
        reads
    }

    #[test]
    fn a_call_is_accepted_only_if_it_would_read_the_same_again() {
        let folder = tempfile::tempdir().unwrap();
        let value = |key: &str, value| writes("demo/a", [(key.to_owned(), value)]);
        let kv = overlay(folder.path(), [value("k", Some("1")), value("l", Some("1"))]);
        let before = reads(&kv, "k");
        assert!(kv.keep_if(&before, &value("l", Some("2"))));
        assert!(kv.keep_if(&before, &value("k", Some("2"))), "it read another key, and names");
        assert!(!kv.keep_if(&before, &value("k", Some("3"))), "the key that it read is another's now");
        assert_eq!(kv.read("demo/a", "notes", "k").unwrap(), Some(b"2".to_vec()));
        kv.keep(&value("k", Some("1")));
        assert!(kv.keep_if(&before, &value("l", Some("3"))), "it is as it was");
        kv.keep(&value("new", Some("1")));
        assert!(!kv.keep_if(&before, &value("l", Some("4"))), "there is one more");
        kv.keep(&writes("demo/b", [("k".to_owned(), Some("2"))]));
        kv.keep(&value("new", None));
        assert!(kv.keep_if(&before, &value("l", Some("4"))), "what others have is not its own");
    }

    #[test]
    fn of_all_bytes_only_the_room_counts() {
        let folder = tempfile::tempdir().unwrap();
        let value = |key: &str, value| writes("demo/a", [(key.to_owned(), value)]);
        let kv = overlay(folder.path(), [value("k", Some("1"))]);
        let resting = |range| {
            let reads = KvReads::new(Arc::new(KvOverlay::over(kv.store.shared())));
            reads.rests_on("demo/a", range);
            reads
        };
        let (room, full) = (resting(0..=4), resting(2..=2));
        room.rests_on("demo/a", 0..=100);
        kv.keep(&value("l", Some("1")));
        assert!(kv.keep_if(&room, &value("k", Some("2"))), "4 bytes");
        assert!(!kv.keep_if(&full, &value("k", Some("3"))), "who was told that it is full would not be now");
        kv.keep(&value("m", Some("1")));
        assert!(!kv.keep_if(&room, &value("k", Some("3"))), "6 bytes");
    }

    #[test]
    fn what_the_store_has_by_now_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let kv = overlay(folder.path(), []);
        for number in 0..3 * KEPT_MAX {
            let writes = writes("demo/a", [(format!("k{number:05}"), Some("v"))]);
            kv.commit(&writes, &kv.journal, || kv.journal.append(called(writes.clone()))).unwrap();
            if number % KEPT_MAX == KEPT_MAX / 2 {
                kv.journal.wait_checkpoint().unwrap();
            }
        }
        assert!(kv.kept().len() <= 2 * KEPT_MAX, "{}", kv.kept().len());
        let last = format!("k{:05}", 3 * KEPT_MAX - 1);
        for key in ["k00000", &last] {
            assert_eq!(kv.read("demo/a", "notes", key).unwrap(), Some(b"v".to_vec()), "{key}");
        }
    }

    #[test]
    fn a_plugin_reads_its_own_values_only_committed_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let one = |key: &str, value| [(key.to_owned(), Some(value))];
        let kv = overlay(
            folder.path(),
            [writes("demo/a", one("k", "of a")), writes("demo/b", one("other", "of b"))],
        );
        kv.keep(&writes("demo/a", one("new", "of a too")));
        let keys = |plugin| kv.keys(plugin, "notes", "", None).unwrap();
        assert_eq!(kv.read("demo/a", "notes", "k").unwrap(), Some(b"of a".to_vec()));
        for key in ["k", "new"] {
            assert_eq!(kv.read("demo/b", "notes", key).unwrap(), None);
        }
        assert_eq!(
            (keys("demo/a"), keys("demo/b")),
            (vec!["k".to_owned(), "new".to_owned()], vec!["other".to_owned()])
        );
        assert_eq!(keys("demo/"), [""; 0]);
        assert_eq!(kv.bytes("demo/b").unwrap(), ("other".len() + "of b".len()) as u64);
        // The same key of another plugin is another value.
        kv.keep(&writes("demo/b", one("k", "of b")));
        kv.keep(&writes("demo/b", [("k".to_owned(), None)]));
        assert_eq!(kv.read("demo/a", "notes", "k").unwrap(), Some(b"of a".to_vec()));
    }

    #[test]
    fn a_page_stays_whole_when_keys_of_it_were_removed() {
        let folder = tempfile::tempdir().unwrap();
        let key = |number: usize| format!("k{number:04}");
        let kv = overlay(folder.path(), [writes("demo/a", (0..1500).map(|number| (key(number), Some("v"))))]);
        kv.keep(&writes("demo/a", [(key(3), None), ("k2".to_owned(), Some("behind all of the store's"))]));
        let page = kv.keys("demo/a", "notes", "k", None).unwrap();
        assert_eq!((page.len(), page.last().cloned()), (KEYS_MAX, Some(key(1000))));
        let rest = kv.keys("demo/a", "notes", "k", Some(&key(1000))).unwrap();
        assert_eq!((rest.len(), rest.last().map(String::as_str)), (500, Some("k2")));
    }
}
