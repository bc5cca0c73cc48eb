//! `orch:kv`: labelled byte stores for one plugin.
//!
//! In -> out: WIT calls -> [`KvReader`] for what is committed, an overlay for what this call wrote.
//! Limits: keys 1..=256 bytes, values 64 KiB, the grant's bytes for keys and values of all labels together.
//! Invariant: a [`Bucket`] exists only for a granted label; nothing is written but into the overlay.
//! Not here: committing the overlay with the call's result (`drive`).

pub mod backend;
pub(crate) mod fake;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use orch_journal::event::{Bytes, Writes};
use orch_trust::interfaces::Import;
use orch_trust::manifest::Role;
use orch_trust::permission::KvPermission;
use wasmtime::component::{Linker, Resource};

use super::environment::HostEnvironment;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::kv::kv::{Host, HostBucket, add_to_linker};
use crate::bindings::types::types::Error;
pub use backend::{Bucket, KvReader, KvUnavailable};
use backend::{KEYS_MAX, VALUE_BYTES_MAX};

const KEY_BYTES_MAX: usize = 256;

/// What this call wrote under one label; `None` removes.
type Written = BTreeMap<String, Option<Vec<u8>>>;

/// State of this capability in one store.
pub struct Kv {
    granted: Arc<KvPermission>,
    plugin: Arc<str>,
    reader: Arc<dyn KvReader>,
    /// A planner's session has no result that a value could be kept with.
    is_read_only: bool,
    written: BTreeMap<String, Written>,
    /// Bytes of all labels that are committed; read when first needed.
    committed: Option<u64>,
    /// Bytes that this call adds to them; known when first needed.
    growth: Option<i64>,
}

impl Kv {
    pub fn new(granted: Arc<KvPermission>, plugin: Arc<str>, reader: Arc<dyn KvReader>) -> Self {
        Self {
            granted,
            plugin,
            reader,
            is_read_only: false,
            written: BTreeMap::new(),
            committed: None,
            growth: None,
        }
    }

    /// With what the plugin wrote before over what is committed; it counts as written by this call.
    fn over(mut self, earlier: &Writes) -> Self {
        let read = |bytes: &Bytes| bytes.0.clone();
        for (label, values) in &earlier.kv {
            let written = values.iter().map(|(key, value)| (key.clone(), value.as_ref().map(read)));
            self.written.insert(label.clone(), written.collect());
        }
        self
    }

    /// What was written so far adds to the committed bytes.
    fn growth(&self) -> Result<i64, KvUnavailable> {
        let mut growth = 0_i64;
        for (label, written) in &self.written {
            for (key, value) in written {
                let before = self.reader.read(&self.plugin, label, key)?;
                growth = growth
                    .saturating_add(signed(size(key, value)))
                    .saturating_sub(signed(size(key, &before)));
            }
        }
        Ok(growth)
    }

    /// True if the grant has room for so much more than is committed.
    fn has_room(&mut self, growth: i64) -> Result<bool, KvUnavailable> {
        let committed = match self.committed {
            Some(committed) => committed,
            None => *self.committed.insert(self.reader.bytes(&self.plugin)?),
        };
        let granted = self.granted.bytes;
        let fits = committed.saturating_add_signed(growth) <= granted;
        let rest = if fits { 0..=granted.saturating_add_signed(-growth) } else { committed..=committed };
        self.reader.rests_on(&self.plugin, rest);
        Ok(fits)
    }

    /// What the call wrote.
    pub fn into_writes(self) -> BTreeMap<String, BTreeMap<String, Option<Bytes>>> {
        let filled = self.written.into_iter().filter(|(_, written)| !written.is_empty());
        filled
            .map(|(label, written)| {
                (label, written.into_iter().map(|(key, value)| (key, value.map(Bytes))).collect())
            })
            .collect()
    }

    fn is_granted(&self, label: &str) -> bool {
        self.granted.labels.iter().any(|granted| match granted.strip_suffix('*') {
            Some(prefix) => label.starts_with(prefix),
            None => granted == label,
        })
    }

    fn get(&self, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable> {
        match self.written.get(label).and_then(|written| written.get(key)) {
            Some(value) => Ok(value.clone()),
            None => self.reader.read(&self.plugin, label, key),
        }
    }

    fn put(&mut self, label: &str, key: String, value: Option<Vec<u8>>) -> Result<(), Error> {
        let unavailable = |_: KvUnavailable| Error::Unavailable;
        let before = self.get(label, &key).map_err(unavailable)?;
        let growth = match self.growth {
            Some(growth) => growth,
            None => self.growth().map_err(unavailable)?,
        };
        let (before, now) = (signed(size(&key, &before)), signed(size(&key, &value)));
        let after = growth.saturating_sub(before).saturating_add(now);
        if now > before && !self.has_room(after).map_err(unavailable)? {
            return Err(Error::Limit("kv.bytes".to_owned()));
        }
        self.growth = Some(after);
        let absent =
            value.is_none() && self.reader.read(&self.plugin, label, &key).map_err(unavailable)?.is_none();
        let written = self.written.entry(label.to_owned()).or_default();
        match absent {
            true => written.remove(&key),
            false => written.insert(key, value),
        };
        Ok(())
    }

    /// Committed keys page by page with the overlay over them.
    fn keys(&self, label: &str, prefix: &str, after: Option<&str>) -> Result<Vec<String>, KvUnavailable> {
        let empty = Written::new();
        let written = self.written.get(label).unwrap_or(&empty);
        let mut found: Vec<String> = Vec::new();
        let mut after = after.map(str::to_owned);
        while found.len() < KEYS_MAX {
            let page = self.reader.keys(&self.plugin, label, prefix, after.as_deref())?;
            let last = (page.len() >= KEYS_MAX).then(|| page.last().cloned()).flatten();
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let until = last.clone().map_or(Bound::Unbounded, Bound::Included);
            let mut merged: BTreeMap<String, bool> = page.into_iter().map(|key| (key, true)).collect();
            let ours = written.range::<String, _>((from, until)).filter(|(key, _)| key.starts_with(prefix));
            merged.extend(ours.map(|(key, value)| (key.clone(), value.is_some())));
            found.extend(merged.into_iter().filter(|(_, there)| *there).map(|(key, _)| key));
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        found.truncate(KEYS_MAX);
        Ok(found)
    }
}

/// Bytes of a key with its value; none where there is none.
fn size(key: &str, value: &Option<Vec<u8>>) -> u64 {
    value.as_ref().map_or(0, |value| (key.len() + value.len()) as u64)
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn check_key(key: &str) -> Result<(), Error> {
    match key.len() {
        1..=KEY_BYTES_MAX => Ok(()),
        found => Err(Error::Invalid(format!("key of {found} bytes, expected 1 to {KEY_BYTES_MAX}"))),
    }
}

impl Capability for Kv {
    type Permission = KvPermission;
    type Granted = Arc<KvPermission>;

    fn grant(permission: KvPermission, _host: &HostEnvironment) -> Arc<KvPermission> {
        Arc::new(permission)
    }

    fn open(granted: &Arc<KvPermission>, opening: Opening<'_>) -> Self {
        let mut kv = Self::new(granted.clone(), opening.plugin.clone(), opening.lent.kv.clone());
        kv.is_read_only = opening.role == Role::Planner;
        match opening.earlier {
            Some(earlier) => kv.over(earlier),
            None => kv,
        }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, kept: &mut Kept) {
        kept.writes.kv = self.into_writes();
    }

    fn beyond(granted: Option<&KvPermission>, watched: &Watched<'_>) -> Vec<String> {
        let labels = granted.map(|granted| granted.labels.as_slice()).unwrap_or_default();
        let mut found = Vec::new();
        for (owner, label) in watched.fakes.kv.asked() {
            if owner != watched.plugin {
                found.push("values of another plugin were asked for".to_owned());
            }
            // All labels together are counted under none.
            if granted.is_none() || (!label.is_empty() && !labels.contains(&label)) {
                found.push(format!("the label `{label}` was asked for"));
            }
        }
        for label in watched.writes.kv.keys().filter(|label| !labels.contains(label)) {
            found.push(format!("values of the label `{label}` were written"));
        }
        found
    }
}

impl View<'_, Kv> {
    fn put(
        &mut self,
        bucket: &Resource<Bucket>,
        key: String,
        value: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let label = &self.table.get(bucket)?.label;
        if self.state.is_read_only {
            return Ok(Err(self
                .ledger
                .deny("kv", "a planner reads, an executor of its plugin writes".to_owned())));
        }
        if let Err(error) = check_key(&key) {
            return Ok(Err(error));
        }
        Ok(self.state.put(label, key, value))
    }
}

impl Host for View<'_, Kv> {}

impl HostBucket for View<'_, Kv> {
    async fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<Bucket>, Error>> {
        if !self.state.is_granted(&label) {
            let shown: String = label.chars().take(64).collect();
            return Ok(Err(self.ledger.deny("kv", format!("label `{shown}`"))));
        }
        Ok(Ok(self.table.push(Bucket { label })?))
    }

    async fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        if let Err(error) = check_key(&key) {
            return Ok(Err(error));
        }
        let label = &self.table.get(&bucket)?.label;
        Ok(self.state.get(label, &key).map_err(|_| Error::Unavailable))
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        if value.len() > VALUE_BYTES_MAX {
            let found = value.len();
            return Ok(Err(Error::Invalid(format!("value of {found} bytes, limit is {VALUE_BYTES_MAX}"))));
        }
        self.put(&bucket, key, Some(value))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<(), Error>> {
        self.put(&bucket, key, None)
    }

    async fn keys(
        &mut self,
        bucket: Resource<Bucket>,
        prefix: String,
        after: Option<String>,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let label = &self.table.get(&bucket)?.label;
        Ok(self.state.keys(label, &prefix, after.as_deref()).map_err(|_| Error::Unavailable))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::Ledger;
    use crate::capability::bench::Bench;
    use crate::capability::mood::Mood;

    fn granted(bytes: u64) -> Arc<KvPermission> {
        Arc::new(KvPermission { labels: vec!["a".to_owned(), "run-*".to_owned()], bytes })
    }

    struct Open {
        kv: Kv,
        table: ResourceTable,
        ledger: Ledger,
    }

    impl Open {
        fn new(bench: &Bench, bytes: u64) -> Self {
            let kv = Kv::new(granted(bytes), "demo/x".into(), bench.0.kv.clone());
            Self { kv, table: ResourceTable::new(), ledger: bench.ledger() }
        }

        fn view(&mut self) -> View<'_, Kv> {
            View::of(&mut self.kv, &mut self.table, &mut self.ledger)
        }

        async fn bucket(&mut self, label: &str) -> Result<u32, Error> {
            Ok(self.view().open(label.to_owned()).await.unwrap()?.rep())
        }

        async fn set(&mut self, bucket: u32, key: &str, value: &[u8]) -> Result<(), Error> {
            self.view().set(Resource::new_borrow(bucket), key.to_owned(), value.to_vec()).await.unwrap()
        }

        async fn get(&mut self, bucket: u32, key: &str) -> Result<Option<Vec<u8>>, Error> {
            self.view().get(Resource::new_borrow(bucket), key.to_owned()).await.unwrap()
        }

        async fn delete(&mut self, bucket: u32, key: &str) -> Result<(), Error> {
            self.view().delete(Resource::new_borrow(bucket), key.to_owned()).await.unwrap()
        }

        async fn keys(
            &mut self,
            bucket: u32,
            prefix: &str,
            after: Option<&str>,
        ) -> Result<Vec<String>, Error> {
            let after = after.map(str::to_owned);
            self.view().keys(Resource::new_borrow(bucket), prefix.to_owned(), after).await.unwrap()
        }
    }

    #[tokio::test]
    async fn only_granted_labels_open() {
        let bench = Bench::new();
        let mut open = Open::new(&bench, 100);
        assert!(open.bucket("a").await.is_ok());
        assert!(open.bucket("run-7").await.is_ok());
        for label in ["b", "aa", "run", ""] {
            assert!(matches!(open.bucket(label).await, Err(Error::Denied(_))), "{label}");
        }
        assert_eq!(open.ledger.into_parts().0[0], "kv: label `b`");
    }

    #[tokio::test]
    async fn a_call_sees_its_own_writes_over_the_committed_ones() {
        let bench = Bench::new();
        bench.0.kv.commit("a", "old", b"1");
        bench.0.kv.commit("a", "gone", b"2");
        let mut open = Open::new(&bench, 100);
        let bucket = open.bucket("a").await.unwrap();
        open.set(bucket, "new", b"3").await.unwrap();
        open.delete(bucket, "gone").await.unwrap();
        open.delete(bucket, "never").await.unwrap();
        assert_eq!(open.get(bucket, "old").await.unwrap(), Some(b"1".to_vec()));
        assert_eq!(open.get(bucket, "new").await.unwrap(), Some(b"3".to_vec()));
        assert_eq!(open.get(bucket, "gone").await.unwrap(), None);
        assert_eq!(open.keys(bucket, "", None).await.unwrap(), ["new", "old"]);
        assert_eq!(open.keys(bucket, "o", None).await.unwrap(), ["old"]);
        assert_eq!(open.keys(bucket, "", Some("new")).await.unwrap(), ["old"]);
        let writes = open.kv.into_writes();
        assert_eq!(writes["a"]["new"], Some(b"3"[..].into()));
        assert_eq!(writes["a"]["gone"], None);
        assert!(!writes["a"].contains_key("never"));
    }

    #[tokio::test]
    async fn keys_come_in_pages_with_the_overlay_in_its_place() {
        let bench = Bench::new();
        for number in 0..2500 {
            bench.0.kv.commit("a", &format!("k{number:04}"), b"");
        }
        let mut open = Open::new(&bench, 1 << 20);
        let bucket = open.bucket("a").await.unwrap();
        open.delete(bucket, "k0000").await.unwrap();
        open.set(bucket, "k0001x", b"").await.unwrap();
        open.set(bucket, "k9999", b"").await.unwrap();
        let mut found = Vec::new();
        loop {
            let page = open.keys(bucket, "k", found.last().map(String::as_str)).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= KEYS_MAX);
            found.extend(page);
        }
        assert_eq!(found.len(), 2501);
        assert_eq!(found[..3], ["k0001", "k0001x", "k0002"]);
        assert_eq!(found[2500], "k9999");
    }

    #[tokio::test]
    async fn keys_and_values_over_their_limits_are_invalid() {
        let bench = Bench::new();
        let mut open = Open::new(&bench, 1 << 20);
        let bucket = open.bucket("a").await.unwrap();
        assert!(open.set(bucket, &"k".repeat(256), &[0; VALUE_BYTES_MAX]).await.is_ok());
        assert!(matches!(open.set(bucket, "k", &[0; VALUE_BYTES_MAX + 1]).await, Err(Error::Invalid(_))));
        for key in [String::new(), "k".repeat(257)] {
            assert!(matches!(open.set(bucket, &key, b"").await, Err(Error::Invalid(_))));
            assert!(matches!(open.get(bucket, &key).await, Err(Error::Invalid(_))));
            assert!(matches!(open.delete(bucket, &key).await, Err(Error::Invalid(_))));
        }
    }

    #[tokio::test]
    async fn the_grants_bytes_bound_all_labels_together() {
        let bench = Bench::new();
        bench.0.kv.commit("run-1", "k", b"123456789");
        let mut open = Open::new(&bench, 20);
        let bucket = open.bucket("a").await.unwrap();
        assert!(matches!(open.set(bucket, "k", &[0; 10]).await, Err(Error::Limit(_))), "10 + 11 bytes");
        assert!(open.set(bucket, "k", &[0; 9]).await.is_ok(), "10 + 10 bytes");
        assert!(open.set(bucket, "k", &[0; 9]).await.is_ok(), "the same again");
        assert!(matches!(open.set(bucket, "l", b"").await, Err(Error::Limit(_))));
        assert!(open.delete(bucket, "k").await.is_ok());
        assert!(open.set(bucket, "l", b"").await.is_ok());
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_read_is_unavailable() {
        let bench = Bench::in_mood(Mood::Unavailable);
        let mut open = Open::new(&bench, 20);
        let bucket = open.bucket("a").await.unwrap();
        assert!(matches!(open.get(bucket, "k").await, Err(Error::Unavailable)));
        assert!(matches!(open.keys(bucket, "", None).await, Err(Error::Unavailable)));
        assert!(matches!(open.set(bucket, "k", b"").await, Err(Error::Unavailable)));
    }

    #[tokio::test]
    async fn a_planner_reads_and_does_not_write() {
        let bench = Bench::new();
        bench.0.kv.commit("a", "k", b"1");
        let mut open = Open::new(&bench, 100);
        open.kv.is_read_only = true;
        let bucket = open.bucket("a").await.unwrap();
        assert_eq!(open.get(bucket, "k").await.unwrap(), Some(b"1".to_vec()));
        assert!(matches!(open.set(bucket, "k", b"2").await, Err(Error::Denied(_))));
        assert!(matches!(open.delete(bucket, "k").await, Err(Error::Denied(_))));
        assert_eq!(open.keys(bucket, "", None).await.unwrap(), ["k"]);
        assert!(open.kv.into_writes().is_empty());
    }
}
