//! A signature that held: by which key, and when.

use crate::key::KeyId;
use crate::time::UnixSeconds;

/// A key, and when it signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    pub key: KeyId,
    pub at: UnixSeconds,
}
