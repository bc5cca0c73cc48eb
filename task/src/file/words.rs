//! Scalars as they are written: what a word is in every file that people write.
//!
//! In -> out: [`Placed`] values -> texts, JSON, [`Env`]; the text of another file with settings -> [`Written`].
//! Invariant: in a list under `command`, at any depth, and in `env` a scalar is the word as it is written, whatever YAML
//! takes it for; a value of `env` is in no error.
//! Not here: keys of tasks (`fields.rs`).

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::env::Env;
use crate::file::error::{Place, TaskFileError};
use crate::file::node::{Node, Placed};
use crate::file::yaml_error::from_yaml;
use crate::file::yaml_options::options;

/// A mapping that people wrote, with the variables under its key `env` apart from the rest.
#[derive(Debug, Default)]
pub struct Written {
    pub rest: Map<String, Value>,
    pub env: Env,
}

/// Reads a text that is one mapping; nothing at all is an empty one.
///
/// # Errors
/// Those of a task file that are about YAML, and about `env`.
pub fn read_written(text: &str) -> Result<Written, TaskFileError> {
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |deserializer| {
        Placed::deserialize(deserializer)
    });
    let placed = read.map_err(|error| from_yaml(&error))?;
    let (found, place) = (placed.found().to_owned(), placed.at.place);
    let entries = match placed.node {
        Node::Map(entries) => entries,
        Node::Null => return Ok(Written::default()),
        _ => {
            let key = "file".to_owned();
            return Err(TaskFileError::WrongType { key, found, expected: "a mapping", place });
        }
    };
    let mut written = Written::default();
    for (key, value) in entries {
        let Node::Text(name) = key.node else { unreachable!("keys are read as text") };
        match (name.as_str(), &value.node) {
            ("env", Node::Map(variables)) => written.env = env_of(text, variables, value.at.place)?,
            ("env", Node::Null) => {}
            ("env", _) => {
                let (found, place) = (value.found().to_owned(), value.at.place);
                return Err(TaskFileError::WrongType {
                    key: name,
                    found,
                    expected: "a mapping of names to values",
                    place,
                });
            }
            _ => {
                let value = keyed_to_json(text, &name, value)?;
                written.rest.insert(name, value);
            }
        }
    }
    Ok(written)
}

/// The variables of a mapping.
pub(crate) fn env_of(text: &str, entries: &[(Placed, Placed)], place: Place) -> Result<Env, TaskFileError> {
    let mut variables = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let Node::Text(name) = &key.node else { unreachable!("keys are read as text") };
        let Some(value) = word(text, value) else {
            return Err(TaskFileError::WrongType {
                key: format!("env.{}", name.chars().take(64).collect::<String>().escape_debug()),
                found: value.found().to_owned(),
                expected: "one word",
                place: value.at.place,
            });
        };
        variables.push((name.clone(), value));
    }
    Env::of(variables).map_err(|why| TaskFileError::Env { why, place })
}

/// The text of a scalar: of numbers and booleans as they are written, so that `07` is not `7`.
pub(crate) fn scalar(text: &str, value: &Placed) -> Option<String> {
    match &value.node {
        Node::Text(text) => Some(text.clone()),
        Node::Number(_) | Node::NotFinite | Node::Bool(_) => Some(written(text, value).to_owned()),
        Node::Null | Node::List(_) | Node::Map(_) => None,
    }
}

/// As `scalar`, where words stand: there `null` is a word, and only nothing at all is none.
pub(crate) fn word(text: &str, value: &Placed) -> Option<String> {
    match &value.node {
        Node::Null => Some(written(text, value)).filter(|word| !word.is_empty()).map(str::to_owned),
        _ => scalar(text, value),
    }
}

/// The text of a scalar as it is written, without quotes.
fn written<'a>(text: &'a str, value: &Placed) -> &'a str {
    let written = text.get(value.at.written.clone()).unwrap_or_default();
    let inside = |quote: char| written.strip_prefix(quote)?.strip_suffix(quote);
    // `!!int "5"` is a number in quotes.
    inside('"').or_else(|| inside('\'')).unwrap_or(written)
}

/// The value of that key, as a plugin gets it.
pub(crate) fn keyed_to_json(text: &str, key: &str, value: Placed) -> Result<Value, TaskFileError> {
    match value.node {
        Node::List(items) if key == "command" => {
            let as_word = |item: Placed| match word(text, &item) {
                Some(word) => Ok(Value::String(word)),
                None => to_json(text, item),
            };
            Ok(Value::Array(items.into_iter().map(as_word).collect::<Result<_, _>>()?))
        }
        _ => to_json(text, value),
    }
}

/// A setting, as its plugin gets it.
fn to_json(text: &str, value: Placed) -> Result<Value, TaskFileError> {
    Ok(match value.node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(value),
        Node::Number(value) => Value::Number(value),
        Node::NotFinite => {
            let what = format!("number `{}` is not finite", written(text, &value).escape_debug());
            return Err(TaskFileError::Syntax { what, place: value.at.place });
        }
        Node::Text(value) => Value::String(value),
        Node::List(items) => {
            Value::Array(items.into_iter().map(|item| to_json(text, item)).collect::<Result<_, _>>()?)
        }
        Node::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let Node::Text(key) = key.node else { unreachable!("keys are read as text") };
                let value = keyed_to_json(text, &key, value)?;
                map.insert(key, value);
            }
            Value::Object(map)
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::file::TaskFile;
    use crate::model::Command;

    /// Plain scalars that YAML takes for something, and some that it takes for texts.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "true",
                "false",
                "True",
                "yes",
                "no",
                "on",
                "off",
                "y",
                "n",
                "null",
                "Null",
                "~",
                "010",
                "0x1F",
                "0o17",
                "1.50",
                "1e3",
                "-0",
                "+7",
                ".5",
                "5.",
                "1_000",
                ".inf",
                "-.INF",
                ".nan",
                "2001-01-01",
                "2001-01-01T00:00:00Z",
                "12:30:45",
                "=",
                "<<",
                "0b11",
                "1.",
                "00",
                "-j",
                "--level=3",
                "a#b",
                "1 2",
            ])
            .prop_map(str::to_owned),
            "[a-zA-Z_./][a-zA-Z0-9_./@+=-]{0,11}",
            "[+-]?[0-9]{1,24}",
            "[+-]?[0-9]{1,6}\\.[0-9]{0,6}([eE][+-]?[0-9]{1,4})?",
            "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        ]
    }

    proptest! {
        #[test]
        fn a_word_is_the_text_as_it_is_written_in_either_file(words in prop::collection::vec(word(), 1..12)) {
            let line = words.join(", ");
            let file = TaskFile::parse(format!("- id: a\n  command: [env, {line}]\n  env: {{A: {}}}\n  checks: [{{command: [{line}]}}]\n", words[0]))
                .unwrap();
            let expected: Vec<String> = std::iter::once("env".to_owned()).chain(words.clone()).collect();
            prop_assert_eq!(&file.tasks()[0].task.command, &Some(Command::Argv(expected)));
            prop_assert_eq!(file.tasks()[0].env.iter().next(), Some(("A", words[0].as_str())));
            prop_assert_eq!(&file.tasks()[0].task.settings["checks"][0]["command"], &serde_json::json!(words));

            let config = format!("env: {{A: {}}}\nsettings: {{demo/x: {{checks: [{{command: [{line}]}}]}}}}\n", words[0]);
            let read = read_written(&config).unwrap();
            prop_assert_eq!(read.env.iter().next(), Some(("A", words[0].as_str())));
            prop_assert_eq!(&read.rest["settings"]["demo/x"]["checks"][0]["command"], &serde_json::json!(words));
        }
    }

    #[track_caller]
    fn refused(env: &str, code: &str) {
        let (task, config) = (format!("- id: a\n  env: {env}\n"), format!("env: {env}\n"));
        for error in [TaskFile::parse(task).unwrap_err(), read_written(&config).unwrap_err()] {
            assert_eq!(error.code(), code, "{env}: {error}");
            assert!(
                !error.to_string().contains("hunter2") && !format!("{error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn what_is_no_environment_is_refused_and_no_value_said() {
        for wrong in
            ["[A, B]", "hunter2", "4", "A=hunter2", "{A: [hunter2]}", "{A: {B: hunter2}}", "{A: }", "{A}"]
        {
            refused(wrong, "task-wrong-type");
        }
        for wrong in [
            "{'A=B': hunter2}",
            "{'': hunter2}",
            "{\"A\\nB\": hunter2}",
            "{\"A\\0\": hunter2}",
            "{1: hunter2}",
            "{A-B: hunter2}",
            "{A: \"hunter2\\0\"}",
        ] {
            refused(wrong, "task-env");
        }
        refused("{A: hunter2, A: hunter2}", "task-file-duplicate-key");
        refused(&format!("{{A: hunter2{}}}", "x".repeat(65 * 1024)), "task-env");
    }

    #[test]
    fn a_merge_key_brings_variables_and_a_plugins_task_has_none() {
        let text = "- &base {id: a, env: {A: 1, B: 2}}\n- {<<: *base, id: b}\n- {<<: *base, id: c, env: {B: 3}}\n- {id: d, env: {<<: {A: 4}, B: 5}}\n- {id: e, env: }\n";
        let file = TaskFile::parse(text).unwrap();
        let env = |nth: usize| {
            file.tasks()[nth].env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!((env(0), env(1)), (vec!["A=1".to_owned(), "B=2".to_owned()], env(0)));
        assert_eq!((env(2), env(3)), (vec!["B=3".to_owned()], vec!["A=4".to_owned(), "B=5".to_owned()]));
        assert_eq!(env(4), Vec::<String>::new());
        for text in [
            "- {id: a, added_by: demo/x, env: {A: 1}}\n",
            "- &base {id: a, env: {A: 1}}\n- {<<: *base, id: b, added_by: demo/x}\n",
        ] {
            assert_eq!(TaskFile::parse(text).unwrap_err().code(), "task-env-of-plugin", "{text}");
        }
    }

    #[test]
    fn a_status_written_beside_it_leaves_the_environment_as_it_was() {
        let file = TaskFile::parse("- id: a\n  env: {PORT: 0080, T: \"x\"}\n").unwrap();
        let done = [(file.tasks()[0].task.id.clone(), crate::Status::Done)];
        let patched = file.patched_file(&done, &[]).unwrap();
        assert_eq!(patched.bytes(), b"- id: a\n  status: done\n  env: {PORT: 0080, T: \"x\"}\n");
        assert_eq!(patched.tasks()[0].env, file.tasks()[0].env);
    }

    #[test]
    fn words_that_no_program_can_be_started_with_are_refused_before_it_is_tried() {
        let code = |text: String| TaskFile::parse(text).err().map(|error| error.code());
        let list = |word: &str| format!("- {{id: a, command: [x, \"{word}\"]}}\n");
        assert_eq!(code(list(&"y".repeat(131_007))), None);
        assert_eq!(code(list(&"y".repeat(131_008))), Some("task-over-limit"));
        assert_eq!(code(list("a\\0b")), Some("task-nul"));
        assert_eq!(code("- {id: a, command: \"a\\0b\"}\n".to_owned()), Some("task-nul"));
        assert_eq!(
            code(format!("- {{id: a, command: \"{}\"}}\n", "y".repeat(131_009))),
            Some("task-over-limit")
        );
        let many = |count: usize| format!("- {{id: a, command: [{}]}}\n", vec!["w"; count].join(", "));
        assert_eq!(code(many(1025)), None);
        assert_eq!(code(many(1026)), Some("task-over-limit"));
    }
}
