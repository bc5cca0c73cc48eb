//! The settings of plugins, and keys of tasks: what `config.yaml` and the task file say, held against the schema of each manifest, with its defaults.
//!
//! In -> out: (`settingsSchema` or `taskSchema`, what is written) -> what the plugin reads, or [`Wrong`]: where and what.
//! Limits: with defaults at most `SETTINGS_BYTES_MAX` as JSON. The schema is small and has no references and no patterns
//! (`orch-trust`'s `manifest/settings_schema.rs`), so an answer takes a moment, whatever is written.
//! Invariant: a plugin without a schema gets what is written; nothing is compiled where nothing is written.
//! Not here: which settings nobody reads (`plugins.rs`), the file (`config/workspace.rs`).

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use orch_task::keys::nearest;
use orch_task::model::SETTINGS_BYTES_MAX;
use serde_json::{Map, Value};

const SHOWN_CHARS: usize = 60;
const MESSAGE_CHARS: usize = 200;
const KEYS_SHOWN: usize = 16;

/// What a schema has against settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Keys and places of lists, from the outermost.
    pub path: Vec<String>,
    pub what: String,
}

impl Wrong {
    fn at_the_root(what: String) -> Self {
        Self { path: Vec::new(), what }
    }

    /// `checks[0].name`; empty for the settings as a whole.
    pub fn key(&self) -> String {
        self.path.iter().fold(String::new(), |mut key, part| {
            let part = part.escape_default();
            let is_place = !key.is_empty() && part.clone().all(|letter| letter.is_ascii_digit());
            key += &match (is_place, key.is_empty()) {
                (true, _) => format!("[{part}]"),
                (false, true) => part.to_string(),
                (false, false) => format!(".{part}"),
            };
            key
        })
    }
}

/// The settings with the schema's defaults.
///
/// # Errors
/// The first thing that the schema has against them; a key that it does not know comes before everything else.
pub fn filled(
    schema: &Map<String, Value>,
    written: &Map<String, Value>,
) -> Result<Map<String, Value>, Wrong> {
    let mut settings = Value::Object(written.clone());
    let mut room = SETTINGS_BYTES_MAX.saturating_sub(settings.to_string().len());
    if !fill(schema, &mut settings, &mut room) {
        let what =
            format!("with the defaults of its schema it is more than {SETTINGS_BYTES_MAX} bytes as JSON");
        return Err(Wrong::at_the_root(what));
    }
    if !schema.is_empty() && !written.is_empty() {
        check(&Value::Object(schema.clone()), &settings)?;
    }
    let Value::Object(settings) = settings else { unreachable!("an object is filled in place") };
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    match required.filter_map(Value::as_str).find(|key| !settings.contains_key(*key)) {
        Some(missing) => Err(Wrong::at_the_root(format!("`{}` is missing", missing.escape_default()))),
        None => Ok(settings),
    }
}

/// Succeeds if the schema has nothing against what is written.
pub fn check_written(schema: &Map<String, Value>, written: &Map<String, Value>) -> Result<(), Wrong> {
    filled(schema, written).map(drop)
}

/// Succeeds if every default of a schema is one that its own part of it takes, so that nobody is told of settings that he
/// did not write. Gives the place of the default.
pub fn check_defaults(schema: &Value) -> Result<(), Wrong> {
    let Value::Object(parts) = schema else { return Ok(()) };
    let below = |name: &str, wrong: Wrong| {
        let path = std::iter::once(name.to_owned()).chain(wrong.path).collect();
        Wrong { path, what: wrong.what }
    };
    if let Some(default) = parts.get("default") {
        check(schema, default).map_err(|wrong| below("default", Wrong::at_the_root(wrong.what)))?;
    }
    for (name, part) in parts {
        let each: Vec<(String, &Value)> = match (name.as_str(), part) {
            ("properties", Value::Object(parts)) => {
                parts.iter().map(|(key, part)| (key.clone(), part)).collect()
            }
            ("anyOf" | "oneOf", Value::Array(parts)) => {
                (0..).zip(parts).map(|(at, part): (usize, _)| (at.to_string(), part)).collect()
            }
            ("items" | "additionalProperties", part) => {
                check_defaults(part).map_err(|wrong| below(name, wrong))?;
                continue;
            }
            _ => continue,
        };
        for (key, part) in each {
            check_defaults(part).map_err(|wrong| below(name, below(&key, wrong)))?;
        }
    }
    Ok(())
}

/// Puts defaults where nothing is written, at every level; false if there is no room for them.
fn fill(schema: &Map<String, Value>, value: &mut Value, room: &mut usize) -> bool {
    let part = |name: &str| schema.get(name).and_then(Value::as_object);
    match value {
        Value::Object(fields) => {
            for (key, part) in part("properties").into_iter().flatten() {
                if let (Some(default), false) = (part.get("default"), fields.contains_key(key)) {
                    // With its quotes, colon and comma.
                    let bytes = key.len() + default.to_string().len() + 4;
                    let Some(left) = room.checked_sub(bytes) else { return false };
                    *room = left;
                    fields.insert(key.clone(), default.clone());
                }
            }
            let known = part("properties");
            let others = part("additionalProperties");
            fields.iter_mut().all(|(key, inner)| {
                let of_it = known.and_then(|known| known.get(key)).and_then(Value::as_object).or(others);
                of_it.is_none_or(|schema| fill(schema, inner, room))
            })
        }
        Value::Array(entries) => {
            part("items").is_none_or(|schema| entries.iter_mut().all(|entry| fill(schema, entry, room)))
        }
        _ => true,
    }
}

fn check(schema: &Value, settings: &Value) -> Result<(), Wrong> {
    let validator: Validator = jsonschema::draft202012::new(schema).map_err(|error| {
        Wrong::at_the_root(format!("its schema cannot be asked: {}", cut(&error.to_string())))
    })?;
    let errors: Vec<ValidationError<'_>> = validator.iter_errors(settings).take(100).collect();
    let is_unknown_key = |error: &&ValidationError<'_>| {
        matches!(error.kind(), ValidationErrorKind::AdditionalProperties { .. })
    };
    // A misspelt key is also one that is missing.
    let first = errors.iter().find(is_unknown_key).or(errors.first());
    first.map_or(Ok(()), |error| Err(told(schema, error)))
}

fn told(schema: &Value, error: &ValidationError<'_>) -> Wrong {
    let mut path: Vec<String> = error
        .instance_path()
        .as_str()
        .split('/')
        .skip(1)
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect();
    let what = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let unknown = unexpected.first().cloned().unwrap_or_default();
            let keyword = error.schema_path().as_str();
            let parent = keyword.rsplit_once('/').map_or("", |(parent, _)| parent);
            let known =
                schema.pointer(parent).and_then(|part| part.get("properties")).and_then(Value::as_object);
            let known: Vec<&str> = known.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
            let instead = match (nearest(&unknown, &known), known.len()) {
                (Some(near), _) => format!("; the nearest is `{near}`"),
                (None, 1..=KEYS_SHOWN) => format!(", only `{}`", known.join("`, `")),
                (None, _) => String::new(),
            };
            path.push(unknown);
            format!("there is no such key{instead}")
        }
        ValidationErrorKind::Required { property: Value::String(key) } => {
            format!("`{}` is missing", key.escape_default())
        }
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            let keyword = error.schema_path().as_str();
            let part = keyword.rsplit_once('/').and_then(|(parent, _)| schema.pointer(parent));
            let meant = part.and_then(|part| part.get("description")).and_then(Value::as_str);
            let shown: String = error.instance().to_string().chars().take(SHOWN_CHARS).collect();
            cut(&match meant {
                Some(meant) => format!("`{shown}` is not what it may be: {meant}"),
                None => error.masked_with(format!("`{shown}`")).to_string(),
            })
        }
        _ => {
            let shown: String = error.instance().to_string().chars().take(SHOWN_CHARS).collect();
            cut(&error.masked_with(format!("`{shown}`")).to_string())
        }
    };
    Wrong { path, what }
}

fn cut(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use orch_trust::manifest::SETTINGS_SCHEMAS_MAX;
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object", "additionalProperties": false, "required": ["checks"],
            "properties": {
                "limit": { "type": "integer", "minimum": 1, "maximum": 100, "default": 20 },
                "paths": { "type": "array", "items": { "type": "string" }, "default": ["**"] },
                "checks": { "type": "array", "minItems": 1, "items": {
                    "type": "object", "additionalProperties": false, "required": ["name", "command"],
                    "properties": {
                        "name": { "type": "string" },
                        "command": { "type": "array", "items": { "type": "string" } },
                        "format": { "enum": ["plain", "junit"], "default": "plain" }
                    } } },
                "by_name": { "type": "object", "additionalProperties": {
                    "type": "object", "properties": { "depth": { "type": "integer", "default": 1 } } } }
            }
        })
    }

    fn object(value: &Value) -> &Map<String, Value> {
        value.as_object().unwrap()
    }

    fn asked(settings: &Value) -> Result<Value, (String, String)> {
        let found = filled(object(&schema()), object(settings));
        found.map(Value::Object).map_err(|wrong| (wrong.key(), wrong.what))
    }

    #[test]
    fn defaults_are_filled_in_at_every_level_and_nothing_that_is_written_changes() {
        let written = json!({ "limit": 3, "checks": [{ "name": "a", "command": [] }], "by_name": { "x": {}, "y": { "depth": 2 } } });
        let expected = json!({
            "limit": 3, "paths": ["**"], "checks": [{ "name": "a", "command": [], "format": "plain" }],
            "by_name": { "x": { "depth": 1 }, "y": { "depth": 2 } }
        });
        assert_eq!(asked(&written), Ok(expected));
    }

    #[test]
    fn what_is_wrong_names_the_key_and_what_was_meant() {
        let check = |check: Value| json!({ "checks": [{ "name": "a", "command": [] }, check] });
        for (settings, key, what) in [
            (json!({}), "", "`checks` is missing"),
            (json!({ "limit": 3 }), "", "`checks` is missing"),
            (json!({ "cheks": [] }), "cheks", "the nearest is `checks`"),
            (check(json!({ "name": "b", "comand": [] })), "checks[1].comand", "the nearest is `command`"),
            (check(json!({ "name": "b" })), "checks[1]", "`command` is missing"),
            (
                check(json!({ "name": "b", "command": [1] })),
                "checks[1].command[0]",
                "`1` is not of type \"string\"",
            ),
            (
                check(json!({ "name": "b", "command": [], "format": "tap" })),
                "checks[1].format",
                "`\"tap\"` is not one of",
            ),
            (
                check(json!({ "name": "b", "command": [], "zzzzzz": 1 })),
                "checks[1].zzzzzz",
                "only `command`, `format`, `name`",
            ),
            (json!({ "checks": [], "limit": 3 }), "checks", "`[]` has less than 1 item"),
            (
                json!({ "checks": [{ "name": "a", "command": [] }], "limit": 101 }),
                "limit",
                "`101` is greater than the maximum of 100",
            ),
            (
                json!({ "checks": [{ "name": "a", "command": [] }], "limit": "x" }),
                "limit",
                "is not of type \"integer\"",
            ),
            (json!({ "checks": null }), "checks", "`null` is not of type \"array\""),
            (
                json!({ "checks": [{ "name": "a", "command": [] }], "by_name": { "a/b": 3 } }),
                "by_name.a/b",
                "is not of type",
            ),
        ] {
            let (found_key, found) = asked(&settings).unwrap_err();
            assert!(found_key == key && found.contains(what), "{settings}: {found_key}: {found}");
        }
    }

    #[test]
    fn without_a_schema_what_is_written_is_handed_on() {
        let written = json!({ "whatever": [1, { "a": null }] });
        assert_eq!(filled(&Map::new(), object(&written)), Ok(object(&written).clone()));
    }

    #[test]
    fn defaults_have_a_limit_and_long_values_are_cut() {
        let schema = json!({ "type": "object", "properties": { "all": { "items": {
            "type": "object", "properties": { "x": { "default": "y".repeat(1000) } } } } } });
        let written = |count| json!({ "all": vec![json!({}); count] });
        assert!(filled(object(&schema), object(&written(60))).is_ok());
        let wrong = filled(object(&schema), object(&written(70))).unwrap_err();
        assert!(wrong.what.contains("65536 bytes"), "{wrong:?}");
        let long = json!({ "limit": "x".repeat(50_000), "checks": [] });
        assert!(asked(&long).unwrap_err().1.len() <= 2 * MESSAGE_CHARS);
    }

    #[test]
    fn the_worst_schema_and_the_worst_settings_are_answered() {
        let schema = json!({ "type": "object", "properties": { "a": { "items": { "anyOf": vec![json!({ "const": "x" }); SETTINGS_SCHEMAS_MAX - 3] } } } });
        let settings = json!({ "a": vec![1; 30_000] });
        assert!(filled(object(&schema), object(&settings)).is_err());
    }

    #[test]
    fn a_default_that_its_own_schema_refuses_is_found_wherever_it_stands() {
        assert_eq!(check_defaults(&schema()), Ok(()));
        for place in [
            "/properties/limit",
            "/properties/checks/items/properties/format",
            "/properties/by_name/additionalProperties/properties/depth",
        ] {
            let mut wrong = schema();
            wrong.pointer_mut(place).unwrap()["default"] = json!({ "no": 1 });
            let found = check_defaults(&wrong).unwrap_err();
            assert_eq!(format!("/{}", found.path.join("/")), format!("{place}/default"));
        }
    }
}
