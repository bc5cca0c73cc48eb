//! Labelled byte stores of this plugin, kept between calls and runs.
//!
//! Permission: `kv`. Keys 1..=256 bytes, values at most 64 KiB.
//! Invariant: writes are seen at once by the same call and kept only with its accepted result.

use crate::Error;
use crate::host::kv;

/// Keys that the host hands over at once.
const KEYS_MAX: usize = 1000;

/// One granted label.
pub struct Bucket(kv::Bucket);

impl Bucket {
    /// # Errors
    /// `Denied`: the label is not granted.
    pub fn open(label: &str) -> Result<Self, Error> {
        Ok(Self(kv::Bucket::open(label)?))
    }

    /// The value, or none.
    ///
    /// # Errors
    /// `Invalid`: the key is empty or over its limit. `Unavailable`: the store could not be read.
    pub fn value(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.get(key)?)
    }

    /// # Errors
    /// `Invalid`: key or value are over their limits. `Limit`: the grant's bytes are used up.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        Ok(self.0.set(key, value)?)
    }

    /// Removes a key; absent is no error.
    ///
    /// # Errors
    /// `Invalid`: the key is empty or over its limit.
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        Ok(self.0.delete(key)?)
    }

    /// At most 1000 keys with that prefix, sorted, after `after`; fewer mean that there are no more.
    ///
    /// # Errors
    /// `Unavailable`: the store could not be read.
    pub fn page(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, Error> {
        Ok(self.0.keys(prefix, after)?)
    }

    /// All keys with that prefix, sorted.
    ///
    /// # Errors
    /// `Unavailable`: the store could not be read.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let page = self.page(prefix, keys.last().map(String::as_str))?;
            let whole = page.len() < KEYS_MAX;
            keys.extend(page);
            if whole {
                return Ok(keys);
            }
        }
    }
}
