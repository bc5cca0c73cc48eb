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

use crate::call::{KvReader, KvUnavailable};

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
        Ok(Self { store: Mutex::new(Reader::open(state_folder)?), kept: Mutex::default() })
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
        let mut keys: BTreeSet<String> =
            self.store(|store| store.kv_keys(plugin, label, prefix, after))?.into_iter().collect();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for ((owner, place, key), value) in kept.iter() {
            let meant = owner == plugin
                && place == label
                && key.starts_with(prefix)
                && after.is_none_or(|after| key.as_str() > after);
            match (meant, value) {
                (true, Some(_)) => {
                    keys.insert(key.clone());
                }
                (true, None) => {
                    keys.remove(key);
                }
                (false, _) => {}
            }
        }
        Ok(keys.into_iter().take(KEYS_MAX).collect())
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
