//! The tools: what a model may ask for, and what its words mean.
//!
//! In -> out: a name and arguments as a model wrote them -> [`Call`], or what is wrong with them, for the model.
//! Limits: arguments of 2 MiB.
//! Invariant: what is not a call of an offered tool, with its arguments and no others, does nothing.
//! Not here: doing it (`hands.rs`).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{Offer, ToolCall};

const ARGUMENTS_BYTES_MAX: usize = 2 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    List,
    Read,
    Search,
    Edit,
    Write,
    Delete,
    Run,
    Note,
    Finish,
}

/// One call that means something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    List(List),
    Read(Read),
    Search(Search),
    Edit(Edit),
    Write(Write),
    Delete(Delete),
    Run(Run),
    Note(Note),
    Finish(Finish),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    #[serde(default = "everything")]
    pub glob: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    pub path: String,
    #[serde(default = "one")]
    pub from_line: usize,
    #[serde(default = "many_lines")]
    pub lines: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    pub text: String,
    #[serde(default = "everything")]
    pub glob: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    pub path: String,
    pub old: String,
    pub new: String,
    #[serde(default)]
    pub all: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    pub path: String,
    pub content: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    pub path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub program: String,
    #[serde(default)]
    pub args: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteKind {
    Log,
    Finding,
    Artifact,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    pub kind: NoteKind,
    pub text: String,
    /// Of an artifact.
    #[serde(default)]
    pub name: String,
    /// Of a finding.
    #[serde(default = "medium")]
    pub severity: String,
    /// Of a finding.
    #[serde(default = "custom")]
    pub category: String,
    /// Of a finding.
    pub location: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    #[serde(default = "yes")]
    pub done: bool,
    pub summary: String,
}

fn everything() -> String {
    "**".to_owned()
}

fn one() -> usize {
    1
}

fn many_lines() -> usize {
    400
}

fn medium() -> String {
    "medium".to_owned()
}

fn custom() -> String {
    "custom".to_owned()
}

fn yes() -> bool {
    true
}

impl Tool {
    const ALL: [Self; 9] = [
        Self::List,
        Self::Read,
        Self::Search,
        Self::Edit,
        Self::Write,
        Self::Delete,
        Self::Run,
        Self::Note,
        Self::Finish,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Search => "search",
            Self::Edit => "edit",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Run => "run",
            Self::Note => "note",
            Self::Finish => "finish",
        }
    }

    /// What the model is told of it.
    #[must_use]
    pub fn offer(self, programs: &[String]) -> Offer {
        let text = |about: &str| json!({"type": "string", "description": about});
        let (description, properties, required): (&str, Value, &[&str]) = match self {
            Self::List => (
                "Paths and sizes of files.",
                json!({"glob": text("`*` and `?` inside one part of a path, `**` across parts; default `**`")}),
                &[],
            ),
            Self::Read => (
                "Lines of a file, numbered.",
                json!({"path": text("below the checkout"),
                    "from_line": {"type": "integer", "minimum": 1, "description": "default 1"},
                    "lines": {"type": "integer", "minimum": 1, "description": "default 400"}}),
                &["path"],
            ),
            Self::Search => (
                "Lines that contain a text, exactly as written.",
                json!({"text": text("one line"), "glob": text("default `**`")}),
                &["text"],
            ),
            Self::Edit => (
                "Replaces a text in a file. `old` must be there exactly once, white space included, unless `all` is true.",
                json!({"path": text("below the checkout"), "old": text("without line numbers"), "new": text("what comes in its place"),
                    "all": {"type": "boolean", "description": "every place; default false"}}),
                &["path", "old", "new"],
            ),
            Self::Write => (
                "Writes a whole file; folders are made. For new files; use `edit` for others.",
                json!({"path": text("below the checkout"), "content": text("all of it")}),
                &["path", "content"],
            ),
            Self::Delete => ("Removes a file.", json!({"path": text("below the checkout")}), &["path"]),
            Self::Run => (
                "Runs a program, without a shell, and says how it ended and what it printed.",
                json!({"program": {"type": "string", "enum": programs},
                    "args": {"type": "array", "items": {"type": "string"}}}),
                &["program"],
            ),
            Self::Note => (
                "Keeps a note for people: a line of the log, a finding at a place, or an artifact.",
                json!({"kind": {"type": "string", "enum": ["log", "finding", "artifact"]}, "text": text("what it says"),
                    "name": text("of an artifact, without `/`"),
                    "severity": {"type": "string", "enum": ["major", "medium", "minor"]},
                    "category": {"type": "string", "enum": ["build", "test", "lint", "security", "custom"]},
                    "location": text("of a finding: `path:line`")}),
                &["kind", "text"],
            ),
            Self::Finish => (
                "Ends the work on the task.",
                json!({"done": {"type": "boolean", "description": "false if it cannot be done; default true"},
                    "summary": text("what was done, or why not, in a sentence or two")}),
                &["summary"],
            ),
        };
        let schema = json!({"type": "object", "additionalProperties": false, "properties": properties, "required": required});
        Offer {
            name: self.name().to_owned(),
            description: description.to_owned(),
            parameters: schema.to_string(),
        }
    }
}

impl Call {
    /// What a call means; `offered`: the tools that the model was told of.
    ///
    /// # Errors
    /// What is wrong with it, for the model.
    pub fn parse(call: &ToolCall, offered: &[Tool]) -> Result<Self, String> {
        let tool = Tool::ALL.into_iter().find(|tool| tool.name() == call.name && offered.contains(tool));
        let Some(tool) = tool else {
            let names: Vec<&str> = offered.iter().map(|tool| tool.name()).collect();
            return Err(format!("there is no tool `{}`; there are {}", shown(&call.name), names.join(", ")));
        };
        if call.arguments.len() > ARGUMENTS_BYTES_MAX {
            return Err(format!(
                "arguments are {} bytes, limit is {ARGUMENTS_BYTES_MAX}",
                call.arguments.len()
            ));
        }
        let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
        let read = |value: Value| {
            Ok(match tool {
                Tool::List => Self::List(serde_json::from_value(value)?),
                Tool::Read => Self::Read(serde_json::from_value(value)?),
                Tool::Search => Self::Search(serde_json::from_value(value)?),
                Tool::Edit => Self::Edit(serde_json::from_value(value)?),
                Tool::Write => Self::Write(serde_json::from_value(value)?),
                Tool::Delete => Self::Delete(serde_json::from_value(value)?),
                Tool::Run => Self::Run(serde_json::from_value(value)?),
                Tool::Note => Self::Note(serde_json::from_value(value)?),
                Tool::Finish => Self::Finish(serde_json::from_value(value)?),
            })
        };
        serde_json::from_str(text).and_then(read).map_err(|error: serde_json::Error| {
            format!(
                "arguments of `{}` are not what it takes: {error}; they began with `{}`",
                tool.name(),
                shown(text)
            )
        })
    }
}

/// The beginning of what a model wrote.
fn shown(text: &str) -> String {
    const CHARACTERS_MAX: usize = 120;
    text.chars().take(CHARACTERS_MAX).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, arguments: &str) -> Result<Call, String> {
        let call = ToolCall { id: "1".to_owned(), name: name.to_owned(), arguments: arguments.to_owned() };
        Call::parse(&call, &[Tool::List, Tool::Read, Tool::Edit, Tool::Finish])
    }

    #[test]
    fn a_call_is_read_with_what_it_leaves_out() {
        assert_eq!(parse("list", ""), Ok(Call::List(List { glob: "**".to_owned() })));
        let read = Read { path: "a.py".to_owned(), from_line: 1, lines: 400 };
        assert_eq!(parse("read", r#"{"path": "a.py"}"#), Ok(Call::Read(read)));
        let finish = Finish { done: true, summary: "did it".to_owned() };
        assert_eq!(parse("finish", r#"{"summary": "did it"}"#), Ok(Call::Finish(finish)));
    }

    #[test]
    fn what_is_no_call_is_told_to_the_model_and_does_nothing() {
        for (name, arguments, part) in [
            ("read", "{\"path\": ", "arguments of `read` are not what it takes"),
            ("read", "[1]", "arguments of `read`"),
            ("read", "null", "arguments of `read`"),
            ("read", r#"{"file": "a"}"#, "unknown field `file`"),
            ("read", r#"{"path": 7}"#, "invalid type"),
            ("edit", r#"{"path": "a", "old": "b"}"#, "missing field `new`"),
            (
                "write",
                r#"{"path": "a", "content": ""}"#,
                "there is no tool `write`; there are list, read, edit, finish",
            ),
            ("rm -rf /", "{}", "there is no tool `rm -rf /`"),
            ("", "", "there is no tool ``"),
        ] {
            let error = parse(name, arguments).unwrap_err();
            assert!(error.contains(part), "{name} {arguments}: {error}");
        }
        let long = format!(r#"{{"path": "{}"}}"#, "x".repeat(ARGUMENTS_BYTES_MAX));
        assert!(parse("read", &long).unwrap_err().contains("limit is"));
        assert!(parse("read", &"\u{1b}[2J".repeat(1000)).unwrap_err().len() < 2048);
    }

    #[test]
    fn what_is_offered_is_what_is_read() {
        for tool in Tool::ALL {
            let offer = tool.offer(&["python3".to_owned()]);
            let schema: Value = serde_json::from_str(&offer.parameters).unwrap();
            let properties = schema["properties"].as_object().unwrap();
            let given: serde_json::Map<_, _> = properties
                .iter()
                .map(|(name, part)| {
                    let value = match (part["enum"].get(0), part["type"].as_str().unwrap()) {
                        (Some(first), _) => first.clone(),
                        (None, "integer") => json!(1),
                        (None, "boolean") => json!(true),
                        (None, "array") => json!([]),
                        _ => json!("x"),
                    };
                    (name.clone(), value)
                })
                .collect();
            let call = |arguments: &Value| ToolCall {
                id: String::new(),
                name: tool.name().to_owned(),
                arguments: arguments.to_string(),
            };
            assert!(Call::parse(&call(&Value::Object(given.clone())), &Tool::ALL).is_ok(), "{offer:?}");
            let required = schema["required"].as_array().unwrap();
            let least: serde_json::Map<_, _> =
                given.into_iter().filter(|(name, _)| required.contains(&json!(name))).collect();
            assert!(Call::parse(&call(&Value::Object(least)), &Tool::ALL).is_ok(), "{offer:?}");
            assert!(offer.description.len() < 4096);
        }
    }
}
