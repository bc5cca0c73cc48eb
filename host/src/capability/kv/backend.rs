//! What stands behind `orch:kv`, and the resource that its guests hold.

use std::ops::RangeInclusive;

pub(crate) const VALUE_BYTES_MAX: usize = 64 * 1024;
pub(crate) const KEYS_MAX: usize = 1000;

/// Committed values of `orch:kv`; what a call wrote itself lies over them.
pub trait KvReader: Send + Sync {
    /// `Err`: the store could not be read.
    fn read(&self, plugin: &str, label: &str, key: &str) -> Result<Option<Vec<u8>>, KvUnavailable>;
    /// Sorted, with that prefix, after `after`, at most 1000.
    fn keys(
        &self,
        plugin: &str,
        label: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, KvUnavailable>;
    /// Keys and values of all labels of the plugin.
    fn bytes(&self, plugin: &str) -> Result<u64, KvUnavailable>;
    /// What the call does rests on these bytes being in that range, and on nothing else of them.
    fn rests_on(&self, _plugin: &str, _bytes: RangeInclusive<u64>) {}
}

#[derive(Debug, thiserror::Error)]
#[error("the store of `orch:kv` could not be read")]
pub struct KvUnavailable;

/// A granted label, opened.
pub struct Bucket {
    pub(super) label: String,
}
