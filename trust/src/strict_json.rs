//! JSON as everybody reads it the same way.
//!
//! In -> out: bytes -> a value of the wanted type; fields come from objects, never from arrays (`objects.rs`).
//! Limits: 32 levels; numbers are integers that fit 64 bits.
//! Invariant: no duplicate keys (also when escaped), no byte order mark, UTF-8, nothing after the end.
//! Not here: what the value means (its type), the schema (`manifest.rs`).

mod objects;

use std::collections::BTreeSet;
use std::fmt;

use objects::Objects;
use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_path_to_error::{Path, Segment, Track};

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
    /// JSON, and not of the wanted type; `pointer` (RFC 6901) says where.
    #[error("line {line}, column {column}: {message}")]
    OtherType { pointer: String, line: usize, column: usize, message: String },
    /// Of the wanted type, and the text there is not of its own grammar.
    #[error("at `{pointer}`: {message}")]
    Meaning { pointer: String, message: String },
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
        (Ok(()), None) => read(text).map_err(|(path, error)| {
            let (line, column, message) = placed(&error);
            JsonError::OtherType { pointer: pointer(&path), line, column, message }
        }),
    }
}

/// A value of a format of others, which may have fractions, unknown keys twice and more levels: of it only what the type
/// names is read, and that from objects where it has fields.
///
/// # Errors
/// Not JSON, not UTF-8, or not of that type.
pub fn parse_foreign<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    // What is passed over is text too.
    let text = std::str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(Objects(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// The value of a text that has been walked; else where it is of another type.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, (Path, serde_json::Error)> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut track = Track::new();
    let tracked = serde_path_to_error::Deserializer::new(Objects(&mut reader), &mut track);
    T::deserialize(tracked).map_err(|error| (track.path(), error))
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let escape = |key: &str| format!("/{}", key.replace('~', "~0").replace('/', "~1"));
    let parts = path.iter().map(|segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => escape(key),
        Segment::Enum { variant } => escape(variant),
        Segment::Unknown => String::new(),
    });
    parts.collect()
}

fn malformed(error: &serde_json::Error) -> JsonError {
    let (line, column, message) = placed(error);
    JsonError::Malformed { line, column, message }
}

fn placed(error: &serde_json::Error) -> (usize, usize, String) {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
    (error.line(), error.column(), message)
}

/// Walks a value without keeping it; the first fault is kept aside, because serde's errors are text.
struct Walk<'a> {
    depth: u32,
    fault: &'a mut Option<JsonError>,
}

impl Walk<'_> {
    fn stop<E: Error>(self, fault: JsonError) -> E {
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
    fn visit_f64<E: Error>(self, found: f64) -> Result<(), E> {
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
    use std::collections::BTreeMap;

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

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        number: i64,
        inner: Inner,
        list: Vec<Inner>,
        keyed: BTreeMap<String, Inner>,
        perhaps: Option<Inner>,
        wrapped: Wrapped,
        pair: (Inner, u64),
        choice: Choice,
        choices: Vec<Choice>,
        any: serde_json::Value,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    struct Inner {
        word: String,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    struct Wrapped(Inner);

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        #[default]
        Word,
        Named {
            word: String,
        },
        Holding(Inner),
        Pair(u64, Inner),
    }

    /// Both readers take it and say that, as every reader of JSON would.
    #[track_caller]
    fn takes(text: &str, expected: &Sample) {
        assert_eq!(&parse::<Sample>(text.as_bytes()).unwrap(), expected, "{text}");
        assert_eq!(&parse_foreign::<Sample>(text.as_bytes()).unwrap(), expected, "{text}");
        assert_eq!(&serde_json::from_str::<Sample>(text).unwrap(), expected, "{text}");
    }

    /// Both refuse what serde by itself takes.
    #[track_caller]
    fn refuses(text: &str) {
        serde_json::from_str::<Sample>(text).unwrap();
        let found = parse::<Sample>(text.as_bytes());
        assert!(matches!(found, Err(JsonError::OtherType { line: 1, .. })), "{text}: {found:?}");
        parse_foreign::<Sample>(text.as_bytes()).unwrap_err();
    }

    #[test]
    fn fields_are_read_from_objects() {
        let word = |word: &str| Inner { word: word.to_owned() };
        let empty = Sample::default;
        takes("{}", &empty());
        takes(r#"{"number":-9223372036854775808}"#, &Sample { number: i64::MIN, ..empty() });
        takes(r#"{"inner":{"word":"\u0061"}}"#, &Sample { inner: word("a"), ..empty() });
        takes(
            r#"{"list":[{"word":"a"},{"word":"b"}]}"#,
            &Sample { list: vec![word("a"), word("b")], ..empty() },
        );
        let keyed = BTreeMap::from([("k".to_owned(), word("a"))]);
        takes(r#"{"keyed":{"k":{"word":"a"}}}"#, &Sample { keyed, ..empty() });
        takes(r#"{"perhaps":{"word":"a"}}"#, &Sample { perhaps: Some(word("a")), ..empty() });
        takes(r#"{"perhaps":null}"#, &empty());
        takes(r#"{"wrapped":{"word":"a"}}"#, &Sample { wrapped: Wrapped(word("a")), ..empty() });
        takes(
            r#"{"pair":[{"word":"a"},18446744073709551615]}"#,
            &Sample { pair: (word("a"), u64::MAX), ..empty() },
        );
        takes(
            r#"{"choice":{"named":{"word":"a"}}}"#,
            &Sample { choice: Choice::Named { word: "a".to_owned() }, ..empty() },
        );
        let choices = vec![Choice::Word, Choice::Holding(word("a")), Choice::Pair(7, word("b"))];
        takes(
            r#"{"choices":["word",{"holding":{"word":"a"}},{"pair":[7,{"word":"b"}]}]}"#,
            &Sample { choices, ..empty() },
        );
        let any = serde_json::json!({ "a": [1, { "b": [null, true] }] });
        takes(r#"{"any":{"a":[1,{"b":[null,true]}]}}"#, &Sample { any, ..empty() });
    }

    #[test]
    fn an_array_of_fields_is_no_object_at_any_level() {
        refuses("[]");
        refuses(r#"[1,{"word":"a"}]"#);
        refuses(r#"{"inner":["a"]}"#);
        refuses(r#"{"list":[{"word":"a"},["b"]]}"#);
        refuses(r#"{"keyed":{"k":["a"]}}"#);
        refuses(r#"{"perhaps":["a"]}"#);
        refuses(r#"{"wrapped":["a"]}"#);
        refuses(r#"{"pair":[["a"],1]}"#);
        refuses(r#"{"choice":{"named":["a"]}}"#);
        refuses(r#"{"choice":{"holding":["a"]}}"#);
        refuses(r#"{"choices":[{"pair":[7,["b"]]}]}"#);
    }

    #[test]
    fn a_word_alone_is_no_key_of_null() {
        refuses(r#"{"choice":{"word":null}}"#);
        refuses(r#"{"choices":["word",{"word":null}]}"#);
        for wrong in [
            r#"{"choice":"named"}"#,
            r#"{"choice":{}}"#,
            r#"{"choice":{"word":null,"named":{"word":""}}}"#,
            r#"{"choice":"other"}"#,
            r#"{"choice":1}"#,
            r#"{"choice":["word"]}"#,
        ] {
            assert!(matches!(parse::<Sample>(wrong.as_bytes()), Err(JsonError::OtherType { .. })), "{wrong}");
        }
    }

    #[test]
    fn a_fault_of_the_type_says_its_place() {
        let error = parse::<Sample>(b"{\n  \"list\": [[\"a\"]]}").unwrap_err();
        assert_eq!(error.to_string(), "line 2, column 11: invalid type: sequence, expected struct Inner");
        let place = |text: &str| match parse::<Sample>(text.as_bytes()) {
            Err(JsonError::OtherType { pointer, .. }) => pointer,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(place(r#"{"list":[{"word":"a"},{"word":1}]}"#), "/list/1/word");
        assert_eq!(place(r#"{"inner":{}}"#), "/inner");
        assert_eq!(place(r#"{"keyed":{"a/b~c":["a"]}}"#), "/keyed/a~1b~0c");
        assert_eq!(place(r#"{"other":1}"#), "/other");
        assert_eq!(place(r#"{"choice":{"holding":{"word":1}}}"#), "/choice/holding/word");
        assert_eq!(place("[]"), "");
    }

    #[test]
    fn formats_of_others_may_have_what_ours_may_not() {
        let deep = format!(r#"{{"word":"a","other":{}1.5{},"other":1e3}}"#, "[".repeat(100), "]".repeat(100));
        assert_eq!(parse_foreign::<Inner>(deep.as_bytes()).unwrap(), Inner { word: "a".to_owned() });
        let wrong: [&[u8]; 5] = [
            br#"{"word":"a","word":"a"}"#,
            br#"{"word":"a"} {}"#,
            br#"["a"]"#,
            b"{\"word\":\"a\",\"other\":\"\xff\"}",
            b"\xef\xbb\xbf{\"word\":\"a\"}",
        ];
        for bytes in wrong {
            assert!(parse_foreign::<Inner>(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
