//! Values of `orch:kv` as the run sees them: the store, and over it what this run kept.
//!
//! In -> out: kept [`Writes`] -> answers of [`KvReader`].
//! Invariant: a value is seen from the moment that its call's result was accepted, also before it is committed.
//! Not here: what a call wrote itself and nobody accepted yet (`capability/kv.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orch_journal::Reader;
use orch_journal::event::Writes;

use crate::capability::kv::{KvReader, KvUnavailable};

const KEYS_MAX: usize = 1000;

/// One plugin's label and key.
type Place = (String, String, String);

/// The store's values with this run's over them.
pub struct KvOverlay {
    store: Mutex<Reader>,
    kept: Mutex<BTreeMap<Place, Option<Vec<u8>>>>,
}

impl KvOverlay {
    /// Over the store in that state folder.
    pub fn open(state_folder: &Path) -> Result<Self, orch_journal::StoreError> {
        Ok(Self::over(Reader::open(state_folder)?))
    }

    /// Over the store that is read there.
    pub fn over(reader: Reader) -> Self {
        Self { store: Mutex::new(reader), kept: Mutex::default() }
    }

    /// Takes in what an accepted call wrote.
    pub fn keep(&self, writes: &Writes) {
        if writes.kv.is_empty() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for (label, values) in &writes.kv {
            for (key, value) in values {
                let place = (writes.plugin.clone(), label.clone(), key.clone());
                kept.insert(place, value.as_ref().and_then(|text| STANDARD.decode(text).ok()));
            }
        }
    }

    fn store<T>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, orch_journal::StoreError>,
    ) -> Result<T, KvUnavailable> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&store).map_err(|error| {
            tracing::warn!(%error, "the store of `orch:kv` could not be read");
            KvUnavailable
        })
    }
}

impl KvReader for KvOverlay {
    fn read(&self, plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        let place = (plugin.to_owned(), label.to_owned(), key.to_owned());
        if let Some(value) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Ok(value.clone());
        }
        self.store(|store| store.kv_read(plugin, label, key))
    }

    fn keys(
        &self,
        plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<String> = Vec::new();
        let mut after = after.map(str::to_owned);
        // Page by page: what was removed makes a page of the store shorter, and a short answer would mean the end.
        while found.len() < KEYS_MAX {
            let page = self.store(|store| store.kv_keys(plugin, label, prefix, after.as_deref()))?;
            let last = (page.len() >= KEYS_MAX).then(|| page.last().cloned()).flatten();
            let mut keys: BTreeSet<String> = page.into_iter().collect();
            for ((owner, place, key), value) in kept.iter() {
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
        let mut bytes = self.store(|store| store.kv_bytes(plugin))?;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for ((owner, label, key), value) in kept.iter().filter(|((owner, ..), _)| owner == plugin) {
            let before = self.store(|store| store.kv_read(owner, label, key))?;
            let size =
                |value: &Option<Vec<u8>>| value.as_ref().map_or(0, |value| (key.len() + value.len()) as u64);
            bytes = (bytes + size(value)).saturating_sub(size(&before));
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
        let values = values.into_iter().map(|(key, value)| (key, value.map(|text| STANDARD.encode(text))));
        let kv = [("notes".to_owned(), values.collect())].into();
        Writes { kv, plugin: plugin.to_owned(), ..Writes::default() }
    }

    /// A store with these writes committed.
    fn overlay(folder: &Path, committed: impl IntoIterator<Item = Writes>) -> KvOverlay {
        let keys = JournalKeys { run_start: [1; 32], heads: [2; 32] };
        let store = Store::open(folder, StoreOptions::new(keys)).unwrap();
        let journal = store.journal("run").unwrap();
        let started = RunStarted {
            run: "run".to_owned(),
            goal: String::new(),
            plugins: Vec::new(),
            jobs: 1,
            durability: "mixed".to_owned(),
            budget: 0,
            unsigned: false,
            store: None,
            at: 1,
            mac: String::new(),
        };
        journal.append(Event::RunStarted(started)).unwrap();
        for writes in committed {
            let called = Called {
                call: "reflect".to_owned(),
                plugin: writes.plugin.clone(),
                task: None,
                rerun: false,
                fault: None,
                writes,
                at: 2,
            };
            journal.append(Event::Called(Box::new(called))).unwrap();
        }
        journal.wait_checkpoint().unwrap();
        store.close().unwrap();
        KvOverlay::open(folder).unwrap()
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
