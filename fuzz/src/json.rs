//! Strict JSON.

use std::fmt;

use orch_trust::strict_json;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// What is taken has no key twice, no fraction and at most 32 levels, and is taken again when written anew.
pub(crate) fn strict_json(bytes: &[u8]) -> bool {
    let Ok(value) = strict_json::parse::<Value>(bytes) else { return false };
    let lenient: Value = serde_json::from_slice(bytes).expect("what is strict JSON is JSON");
    assert_eq!(value, lenient);
    let Keys(found) = serde_json::from_slice(bytes).expect("what is strict JSON is JSON");
    let (kept, depth) = shape(&value);
    assert_eq!(found, kept, "a key was there twice");
    assert!(depth <= 32, "{depth} levels");
    let again = serde_json::to_vec(&value).unwrap();
    assert_eq!(strict_json::parse::<Value>(&again).expect("what was taken is taken again"), value);
    true
}

/// Keys of all objects that are left, and levels. No number is a fraction.
fn shape(value: &Value) -> (u64, u32) {
    let join = |(keys, deep): (u64, u32), (more, deeper): (u64, u32)| (keys + more, deep.max(deeper + 1));
    match value {
        Value::Array(entries) => entries.iter().map(shape).fold((0, 1), join),
        Value::Object(entries) => entries.values().map(shape).fold((entries.len() as u64, 1), join),
        Value::Number(number) => {
            assert!(!number.is_f64(), "{number}");
            (0, 0)
        }
        _ => (0, 0),
    }
}

/// How many keys the text has, before a map drops one.
struct Keys(u64);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Count).map(Self)
    }
}

struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = u64;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<u64, E> {
        Ok(0)
    }
    fn visit_i64<E>(self, _: i64) -> Result<u64, E> {
        Ok(0)
    }
    fn visit_u64<E>(self, _: u64) -> Result<u64, E> {
        Ok(0)
    }
    fn visit_f64<E>(self, _: f64) -> Result<u64, E> {
        Ok(0)
    }
    fn visit_str<E>(self, _: &str) -> Result<u64, E> {
        Ok(0)
    }
    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(0)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<u64, A::Error> {
        let mut sum = 0;
        while let Some(Keys(more)) = entries.next_element()? {
            sum += more;
        }
        Ok(sum)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<u64, A::Error> {
        let mut sum = 0;
        while entries.next_key::<String>()?.is_some() {
            let Keys(more) = entries.next_value()?;
            sum += more + 1;
        }
        Ok(sum)
    }
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let deep = [vec![b'['; 32], vec![b']'; 32]].concat();
    vec![
        (
            "valid-object",
            br#"{"a":[{"a":1},-2,true,null,"\u0061\ud83d\ude00"],"":18446744073709551615}"#.to_vec(),
        ),
        ("valid-deep", deep),
    ]
}
