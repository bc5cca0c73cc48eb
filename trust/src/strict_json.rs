//! JSON as everybody reads it the same way.
//!
//! In -> out: bytes -> a value of the wanted type.
//! Limits: 32 levels; numbers are integers that fit 64 bits.
//! Invariant: no duplicate keys (also when escaped), no byte order mark, UTF-8, nothing after the end.
//! Not here: what the value means (its type), the schema (`manifest.rs`).

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor,
};

const DEPTH_MAX: u32 = 32;

/// Why bytes are not strict JSON of that type.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("it starts with a byte order mark")]
    ByteOrderMark,
    #[error("key `{key}` is there twice")]
    DuplicateKey { key: String },
    #[error("it is nested more than {DEPTH_MAX} levels deep")]
    TooDeep,
    #[error("number `{found}` is not an integer of 64 bits")]
    Number { found: String },
    #[error("line {line}, column {column}: {message}")]
    Malformed { line: usize, column: usize, message: String },
}

/// The value, or why the bytes are not one.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    if text.starts_with('\u{feff}') {
        return Err(JsonError::ByteOrderMark);
    }
    let mut fault = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let walked = Walk { depth: 0, fault: &mut fault }.deserialize(&mut reader).and_then(|()| reader.end());
    match (walked, fault) {
        (_, Some(fault)) => Err(fault),
        (Err(error), None) => Err(malformed(&error)),
        (Ok(()), None) => serde_json::from_str(text).map_err(|error| malformed(&error)),
    }
}

/// A value that is written as an object. Without it, serde also takes an array of its fields in their order, which
/// other readers do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(Object)
    }
}

fn malformed(error: &serde_json::Error) -> JsonError {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
    JsonError::Malformed { line: error.line(), column: error.column(), message }
}

/// Walks a value without keeping it; the first fault is kept aside, because serde's errors are text.
struct Walk<'a> {
    depth: u32,
    fault: &'a mut Option<JsonError>,
}

impl Walk<'_> {
    fn stop<E: serde::de::Error>(self, fault: JsonError) -> E {
        let error = E::custom(&fault);
        self.fault.get_or_insert(fault);
        error
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E: serde::de::Error>(self, found: f64) -> Result<(), E> {
        Err(self.stop(JsonError::Number { found: found.to_string() }))
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if self.depth >= DEPTH_MAX {
            return Err(self.stop(JsonError::TooDeep));
        }
        while entries.next_element_seed(Walk { depth: self.depth + 1, fault: self.fault })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if self.depth >= DEPTH_MAX {
            return Err(self.stop(JsonError::TooDeep));
        }
        let mut keys = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(self.stop(JsonError::DuplicateKey { key }));
            }
            keys.insert(key);
            entries.next_value_seed(Walk { depth: self.depth + 1, fault: self.fault })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &[u8]) -> Option<JsonError> {
        parse::<serde_json::Value>(text).err()
    }

    #[test]
    fn refuses_what_readers_read_differently() {
        assert!(matches!(fault(br#"{"a":1,"a":2}"#), Some(JsonError::DuplicateKey { key }) if key == "a"));
        assert!(
            matches!(fault(br#"{"id":1,"\u0069d":2}"#), Some(JsonError::DuplicateKey { key }) if key == "id")
        );
        assert!(matches!(fault(b"\xef\xbb\xbf{}"), Some(JsonError::ByteOrderMark)));
        assert!(matches!(fault(b"\"\xff\""), Some(JsonError::NotUtf8)));
        assert!(matches!(fault(b"1e400"), Some(JsonError::Malformed { .. })));
        assert!(matches!(fault(b"[1.5]"), Some(JsonError::Number { .. })));
        assert!(matches!(fault(b"{} {}"), Some(JsonError::Malformed { .. })));
        assert!(matches!(fault(br#""\ud800""#), Some(JsonError::Malformed { .. })));
        let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(matches!(fault(&deep(33)), Some(JsonError::TooDeep)));
        assert!(fault(&deep(32)).is_none());
        assert!(fault(br#"{"a":[{"a":1},-2,true,null,"x"]}"#).is_none());
    }
}
