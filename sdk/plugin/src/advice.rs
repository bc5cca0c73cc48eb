//! What to write in the place of what a schema does not take.
//!
//! In -> out: the authored object, its schema, the place that is wrong -> one sentence.
//! Invariant: a sentence names what is taken there, from the schema itself.
//! Not here: keys that nothing reads (`authored.rs`).

use serde_json::Value;

/// The sentence; nothing where the schema's own words are all that there is.
pub(crate) fn advice(authored: &Value, schema: &Value, pointer: &str) -> Option<String> {
    let value = authored.pointer(pointer)?;
    let rule = rule_at(schema, pointer)?;
    if let Some(key) = missing(value, rule) {
        let about = rule.pointer(&format!("/properties/{key}")).and_then(|rule| about(rule, schema));
        let about = about.map(|about| format!(" ({about})")).unwrap_or_default();
        return Some(format!("write `{key}` there{about}"));
    }
    if let Some(words) = rule.get("enum").and_then(Value::as_array) {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return Some(format!("write one of {}", words.join(", ")));
    }
    let kind = rule.get("type").and_then(Value::as_str).unwrap_or_default();
    match (kind, value) {
        ("integer" | "number", Value::String(text)) if text.parse::<f64>().is_ok() => {
            return Some(format!("write the number without quotation marks: {text}"));
        }
        ("array", Value::String(text)) => {
            return Some(format!("write a list: [\"{}\"]", text.escape_default()));
        }
        ("string", Value::String(text)) if pointer == "/id" && !text.contains('/') => {
            return Some(format!("write it with a namespace: `local/{}`", text.escape_default()));
        }
        _ => {}
    }
    let bound = |key: &str| rule.get(key).and_then(Value::as_f64);
    match (value.as_f64(), bound("minimum"), bound("maximum")) {
        (Some(found), Some(least), _) if found < least => Some(format!("write {least} or more")),
        (Some(found), _, Some(most)) if found > most => Some(format!("write {most} or less")),
        _ => about(rule, schema).map(|about| format!("what belongs there: {about}")),
    }
}

/// What a schema refers to, or the one of its ways that is an object.
pub(crate) fn resolved<'a>(schema: &'a Value, whole: &'a Value) -> &'a Value {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let target = name.strip_prefix('#').and_then(|pointer| whole.pointer(pointer));
        return target.unwrap_or(schema);
    }
    let ways = schema.get("anyOf").and_then(Value::as_array);
    let way = ways.and_then(|ways| {
        ways.iter().find(|way| way.get("$ref").is_some() || way.get("properties").is_some())
    });
    way.map_or(schema, |way| resolved(way, whole))
}

/// What of the schema is about that place.
fn rule_at<'a>(schema: &'a Value, pointer: &str) -> Option<&'a Value> {
    pointer
        .split('/')
        .skip(1)
        .try_fold(schema, |rule, key| {
            let rule = resolved(rule, schema);
            let inner = rule.pointer(&format!("/properties/{key}")).or_else(|| rule.get("items"));
            inner.or_else(|| rule.get("additionalProperties").filter(|rule| rule.is_object()))
        })
        .map(|rule| resolved(rule, schema))
}

/// The first key that must be there and is not.
fn missing<'a>(value: &Value, rule: &'a Value) -> Option<&'a str> {
    let object = value.as_object()?;
    let required = rule.get("required")?.as_array()?;
    required.iter().filter_map(Value::as_str).find(|key| !object.contains_key(*key))
}

/// The first sentence of what the schema says about it.
fn about(rule: &Value, schema: &Value) -> Option<String> {
    let own = rule.get("description").or_else(|| resolved(rule, schema).get("description"))?.as_str()?;
    let first = own.lines().next().unwrap_or_default().trim_end_matches('.');
    (!first.is_empty()).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use orch_trust::manifest::schema;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn says(authored: Value, pointer: &str, part: &str) {
        let said = advice(&authored, &schema(), pointer).unwrap_or_default();
        assert!(said.contains(part), "{pointer}: {said}");
    }

    #[test]
    fn a_sentence_names_what_is_taken_there() {
        says(json!({ "id": "note" }), "/id", "`local/note`");
        says(json!({ "roles": ["runner"] }), "/roles/0", "`executor`, `reflector`");
        says(json!({ "roles": "executor" }), "/roles", "[\"executor\"]");
        says(json!({ "limits": { "busyMs": "100" } }), "/limits/busyMs", "without quotation marks: 100");
        says(json!({ "limits": { "memoryMiB": 100_000 } }), "/limits/memoryMiB", "256 or less");
        says(json!({ "limits": { "memoryMiB": 0 } }), "/limits/memoryMiB", "1 or more");
        says(
            json!({ "permissions": { "http": [{ "hosts": [], "methods": [] }] } }),
            "/permissions/http/0",
            "`paths`",
        );
        says(json!({ "limits": {} }), "/limits", "write `");
        assert_eq!(advice(&json!({}), &schema(), "/nowhere"), None);
    }
}
