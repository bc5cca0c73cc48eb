//! Bytes as case files have them, both in what a host has and in what must come of a call.
//!
//! In -> out: `"text"` or `{"base64": ".."}` <-> bytes.
//! Invariant: bytes have one form: text where they are UTF-8, base64 where they are not.
//! Not here: bodies of HTTP, which have a form of their own (`exchange.rs`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orch_journal::event::Writes;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a file or a value has in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Content(pub Vec<u8>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text, or `{\"base64\": \"..\"}`")]
enum Written {
    Text(String),
    Base64(Encoded),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encoded {
    base64: String,
}

impl TryFrom<Written> for Content {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        Ok(Self(match written {
            Written::Text(text) => text.into_bytes(),
            Written::Base64(Encoded { base64 }) => {
                STANDARD.decode(&base64).map_err(|error| format!("`{base64}` is no base64: {error}"))?
            }
        }))
    }
}

/// These bytes as an expectation writes them.
pub(super) fn shown(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => json!({ "base64": STANDARD.encode(error.into_bytes()) }),
    }
}

/// What a call left, with its bytes in that form.
pub(super) fn show_writes(writes: &Writes) -> Value {
    let mut found = json!(writes);
    show_within(&mut found);
    found
}

fn show_within(writes: &mut Value) {
    let labels = writes.get_mut("kv").and_then(Value::as_object_mut).into_iter().flatten();
    let values = labels.filter_map(|(_, values)| values.as_object_mut()).flatten();
    values.for_each(|(_, value)| decode(value));
    let artifacts = writes.get_mut("artifacts").and_then(Value::as_array_mut).into_iter().flatten();
    artifacts.filter_map(|artifact| artifact.get_mut("content")).for_each(decode);
    writes.get_mut("provided").and_then(Value::as_array_mut).into_iter().flatten().for_each(show_within);
}

/// Null, which removes a value, stays.
fn decode(value: &mut Value) {
    if let Some(bytes) = value.as_str().and_then(|text| STANDARD.decode(text).ok()) {
        *value = shown(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_form_in_both_ways() {
        let read = |value: &Value| serde_json::from_value::<Content>(value.clone()).map(|content| content.0);
        for (bytes, form) in [
            (b"text".to_vec(), json!("text")),
            (Vec::new(), json!("")),
            ("\u{e4}\u{0}".as_bytes().to_vec(), json!("\u{e4}\u{0}")),
            (vec![0xff, 0x00], json!({ "base64": "/wA=" })),
        ] {
            assert_eq!(shown(bytes.clone()), form);
            assert_eq!(read(&form).unwrap(), bytes);
        }
        for wrong in [json!(1), json!({ "base64": "?" }), json!({}), json!({ "base64": "", "more": 1 })] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_call_left_is_shown_in_that_form_however_deep() {
        let left = json!({
            "kv": { "notes": { "a": "dGV4dA==", "b": "/wA=", "gone": null } },
            "artifacts": [{ "name": "n", "type": "t", "sha256": "00", "content": "b25l" }],
            "provided": [{ "kv": { "own": { "c": "dHdv" } } }],
        });
        let found = show_writes(&serde_json::from_value(left).unwrap());
        assert_eq!(found["kv"]["notes"], json!({ "a": "text", "b": { "base64": "/wA=" }, "gone": null }));
        assert_eq!(found["artifacts"][0]["content"], "one");
        assert_eq!(found["provided"][0]["kv"]["own"]["c"], "two");
    }
}
