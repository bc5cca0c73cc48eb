//! Bytes in an event.
//!
//! In -> out: bytes <-> base64 with padding, as the journal has them.
//! Invariant: what is no base64 is no event; nobody decodes it a second time, and drops what cannot be.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that a plugin handed over.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(into, "\"{}\"", self.0.escape_ascii())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were_and_what_is_no_base64_is_refused() {
        for bytes in [&b""[..], b"1", b"12", b"123", &[0, 255, 128], &[7; 1000]] {
            let json = serde_json::to_string(&Bytes::from(bytes)).unwrap();
            assert_eq!(serde_json::from_str::<Bytes>(&json).unwrap().0, bytes);
        }
        assert_eq!(serde_json::to_string(&Bytes::from(&b"3"[..])).unwrap(), "\"Mw==\"");
        // One writing for the same bytes, so that an event that is read and written again is the same.
        for odd in ["!", "Mw", "Mw=", "Mx==", "Mw==\\n", "Mw==Mw=="] {
            assert!(serde_json::from_str::<Bytes>(&format!("\"{odd}\"")).is_err(), "{odd}");
        }
    }
}
