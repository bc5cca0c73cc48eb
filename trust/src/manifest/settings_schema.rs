//! The schemas that a manifest has for the plugin's settings and for keys of tasks: a part of JSON Schema (2020-12) that costs little to ask.
//!
//! In -> out: `settingsSchema`, `taskSchema` -> nothing, or where it says what and what was expected there.
//! Limits: [`SETTINGS_SCHEMA_BYTES_MAX`], [`SETTINGS_SCHEMAS_MAX`]; levels and numbers are those of strict JSON.
//! Invariant: no references, so it is as large as it looks; no patterns and formats, so no text is searched. A keyword
//! that is not listed is refused and not passed over, because it would hold nothing.
//! Not here: asking it (`orch-host`'s `plugin_settings.rs`).

use serde_json::{Map, Value};

/// As JSON without spaces.
pub const SETTINGS_SCHEMA_BYTES_MAX: usize = 16 * 1024;

/// A schema and all within it: each may be asked about each value of the settings.
pub const SETTINGS_SCHEMAS_MAX: usize = 128;

const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
const KEYWORDS: &str = "`type`, `enum`, `const`, `default`, `title`, `description`, `properties`, `required`, \
     `additionalProperties`, `items`, `anyOf`, `oneOf`, `uniqueItems`, and minima and maxima";

/// What is wrong with a schema.
pub(super) struct Fault {
    pub(super) found: String,
    pub(super) expected: &'static str,
}

/// Succeeds if this is a schema of settings, or empty.
pub(super) fn check(schema: &Map<String, Value>) -> Result<(), Fault> {
    if schema.is_empty() {
        return Ok(());
    }
    let bytes = serde_json::to_string(schema).map_or(usize::MAX, |text| text.len());
    if bytes > SETTINGS_SCHEMA_BYTES_MAX {
        return Err(Fault { found: format!("{bytes} bytes"), expected: "at most 16 KiB" });
    }
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        let found = schema.get("type").map_or_else(|| "nothing".to_owned(), Value::to_string);
        return Err(Fault { found: format!("{found} at `/type`"), expected: "`object`, as settings are" });
    }
    let mut left = SETTINGS_SCHEMAS_MAX;
    check_object("", schema, &mut left)
}

/// `left`: how many schemas there may be, this one included.
fn check_object(pointer: &str, schema: &Map<String, Value>, left: &mut usize) -> Result<(), Fault> {
    let Some(others) = left.checked_sub(1) else {
        return Err(Fault { found: format!("more at `{pointer}`"), expected: "at most 128 schemas in all" });
    };
    *left = others;
    schema.iter().try_for_each(|(keyword, value)| {
        check_keyword(&format!("{pointer}/{}", keyword.escape_default()), keyword, value, left)
    })
}

fn check_keyword(pointer: &str, keyword: &str, value: &Value, left: &mut usize) -> Result<(), Fault> {
    let (fits, expected) = match keyword {
        "default" | "const" => (true, ""),
        "title" | "description" => (value.is_string(), "a text"),
        "type" => (is_type(value), "the name of a type, or a list of such names"),
        "enum" | "examples" => (!list(value).is_empty(), "a list of values"),
        "required" => (value.is_array() && list(value).iter().all(Value::is_string), "a list of keys"),
        "uniqueItems" => (value.is_boolean(), "true or false"),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => (value.is_i64(), "a number"),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
            (value.as_u64().is_some_and(|count| u32::try_from(count).is_ok()), "a count")
        }
        "properties" => {
            let Some(parts) = value.as_object() else {
                return wrong(pointer, value, "a schema for each key");
            };
            return parts.iter().try_for_each(|(key, part)| {
                check_schema(&format!("{pointer}/{}", key.escape_default()), part, left)
            });
        }
        "additionalProperties" if value.is_boolean() => (true, ""),
        "additionalProperties" | "items" => return check_schema(pointer, value, left),
        "anyOf" | "oneOf" if !list(value).is_empty() => {
            return (0..)
                .zip(list(value))
                .try_for_each(|(at, part)| check_schema(&format!("{pointer}/{at}"), part, left));
        }
        "anyOf" | "oneOf" => (false, "a list of schemas"),
        _ => return Err(Fault { found: format!("the keyword `{pointer}`"), expected: KEYWORDS }),
    };
    if fits { Ok(()) } else { wrong(pointer, value, expected) }
}

fn check_schema(pointer: &str, value: &Value, left: &mut usize) -> Result<(), Fault> {
    value
        .as_object()
        .map_or_else(|| wrong(pointer, value, "a schema"), |schema| check_object(pointer, schema, left))
}

fn is_type(value: &Value) -> bool {
    let is_word = |value: &Value| value.as_str().is_some_and(|word| TYPES.contains(&word));
    is_word(value) || (!list(value).is_empty() && list(value).iter().all(is_word) && is_set(list(value)))
}

fn is_set(list: &[Value]) -> bool {
    list.iter().enumerate().all(|(at, value)| !list.iter().take(at).any(|before| before == value))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn wrong(pointer: &str, value: &Value, expected: &'static str) -> Result<(), Fault> {
    const SHOWN_CHARS: usize = 60;
    let shown: String = value.to_string().chars().take(SHOWN_CHARS).collect();
    Err(Fault { found: format!("{shown} at `{pointer}`"), expected })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(schema: &Value, part: &str) {
        let fault = check(schema.as_object().unwrap())
            .err()
            .map(|fault| format!("{}; {}", fault.found, fault.expected));
        assert!(fault.as_ref().is_some_and(|said| said.contains(part)), "{schema}: {fault:?}");
    }

    #[test]
    fn each_keyword_is_taken_in_its_form_and_in_no_other() {
        let forms = [
            ("title", json!("x"), json!(1)),
            ("description", json!("x"), json!([])),
            ("type", json!(["string", "null"]), json!("text")),
            ("type", json!("integer"), json!(["string", "string"])),
            ("enum", json!([1, "a"]), json!([])),
            ("examples", json!([1]), json!({})),
            ("required", json!(["a"]), json!([1])),
            ("uniqueItems", json!(true), json!("true")),
            ("minimum", json!(-1), json!("1")),
            ("exclusiveMaximum", json!(1), json!(null)),
            ("minLength", json!(1), json!(-1)),
            ("maxItems", json!(1), json!(u64::MAX)),
            ("properties", json!({ "a": {} }), json!({ "a": true })),
            ("additionalProperties", json!(false), json!("no")),
            ("additionalProperties", json!({ "type": "string" }), json!([])),
            ("items", json!({}), json!([{}])),
            ("anyOf", json!([{}, {}]), json!([])),
            ("oneOf", json!([{}]), json!([true])),
        ];
        for (keyword, good, bad) in forms {
            // At the root and deep below it.
            for wrap in [
                |part: Value| part,
                |part| json!({ "items": { "anyOf": [{ "properties": { "x": part } }] } }),
            ] {
                let with = |value: &Value| {
                    let mut schema = wrap(json!({ keyword: value }));
                    if schema.get("type").is_none() {
                        schema["type"] = "object".into();
                    }
                    schema
                };
                if keyword != "type" || with(&good)["type"] == "object" {
                    assert!(check(with(&good).as_object().unwrap()).is_ok(), "{keyword}: {good}");
                }
                refused(&with(&bad), keyword);
            }
        }
    }

    #[test]
    fn what_could_cost_much_or_leads_elsewhere_is_refused() {
        for keyword in [
            "$ref",
            "$dynamicRef",
            "$defs",
            "$id",
            "$schema",
            "pattern",
            "patternProperties",
            "format",
            "allOf",
            "not",
            "if",
            "contains",
            "propertyNames",
            "dependentSchemas",
            "unevaluatedProperties",
            "typo",
        ] {
            refused(&json!({ "type": "object", keyword: "#" }), keyword);
            refused(
                &json!({ "type": "object", "properties": { "a": { "items": { keyword: {} } } } }),
                keyword,
            );
        }
        refused(&json!({ "properties": {} }), "nothing at `/type`");
        refused(&json!({ "type": "array" }), "`object`");
        let sized = |bytes: usize| {
            let mut schema = json!({ "type": "object", "title": "" });
            schema["title"] = "x".repeat(bytes - schema.to_string().len()).into();
            schema
        };
        assert!(check(sized(SETTINGS_SCHEMA_BYTES_MAX).as_object().unwrap()).is_ok());
        refused(&sized(SETTINGS_SCHEMA_BYTES_MAX + 1), "16385 bytes");
        assert!(check(&Map::new()).is_ok());
        // The root and the list's own are two.
        let many = |count: usize| json!({ "type": "object", "items": { "anyOf": vec![json!({}); count] } });
        assert!(check(many(SETTINGS_SCHEMAS_MAX - 2).as_object().unwrap()).is_ok());
        refused(&many(SETTINGS_SCHEMAS_MAX - 1), "at most 128 schemas");
    }
}
