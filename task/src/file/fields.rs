//! One mapping of the file -> one task.
//!
//! In -> out: [`Placed`] mapping -> [`FileTask`], or the first wrong field with its place.
//! Limits: those of `model.rs`; times to the millisecond.
//! Invariant: a word is the text as written, whatever YAML takes it for.
//! Not here: whether ids are unique and dependencies known (`graph.rs`, called by `parse.rs`).

use std::collections::HashSet;
use std::path::{Component, Path};

use serde_json::{Map, Value};

use crate::env::Env;
use crate::file::error::{Place, TaskFileError};
use crate::file::node::{Node, Placed};
use crate::file::words::{env_of, keyed_to_json, scalar, word};
use crate::file::{FileTask, Spots, StatusSpot};
use crate::keys::instead_of;
use crate::model::{
    Command, DEPENDENCIES_MAX, DESCRIPTION_BYTES_MAX, Kind, Look, OnDoubt, PATH_BYTES_MAX,
    SETTINGS_BYTES_MAX, Status, Task, TaskId, Tree, When,
};

/// Longest time that `timeout` may name: 365 days.
const TIMEOUT_SECONDS_MAX: f64 = 365.0 * 86_400.0;
/// Entries of other lists.
const ENTRIES_MAX: usize = 10_000;
/// What a program and its arguments may be: more is not started. A text has room left for its shell's own words.
const WORDS_MAX: usize = 1025;
const WORDS_BYTES_MAX: usize = 128 * 1024 - 64;
/// Entries of `verify`, and of each the checks: they are compared with each other.
const LOOKS_MAX: usize = 256;

/// A task and the places of its dependencies, for what the graph check finds.
pub(crate) struct Read {
    pub(crate) task: FileTask,
    pub(crate) dependency_places: Vec<Place>,
}

/// Reads one task out of its mapping. `text` is the whole file.
pub(crate) fn read_task(text: &str, placed: Placed) -> Result<Read, TaskFileError> {
    let (found, entry) = (placed.found(), placed.at.clone());
    let place = entry.place;
    let Node::Map(entries) = placed.node else { return Err(TaskFileError::NotATask { found, place }) };

    let is_id = |(key, _): &&(Placed, Placed)| matches!(&key.node, Node::Text(name) if name == "id");
    let Some((id_key, id)) = entries.iter().find(is_id) else { return Err(TaskFileError::NoId { place }) };
    let mut task = Task::new(Field { text, name: "id", value: id }.id()?, Kind::shell());
    let mut spots = Spots::of(text, &entry, id_key, id);
    let mut status = None;
    let mut added_by = None;
    let mut env = (Env::default(), place);
    let (mut tree_place, mut command_place) = (place, place);
    let mut dependency_places = Vec::new();
    // What the host writes counts at the task itself: what is merged in belongs to another one.
    let is_own = |key: &Placed| entry.is_own && key.at.is_own;
    let is_added_by = |(key, value): &(Placed, Placed)| {
        matches!(&key.node, Node::Text(name) if name == "added_by") && is_own(key) && value.node != Node::Null
    };
    // The settings of such a task were a plugin's, which knows its executor and no other tool's words.
    let is_of_a_person = !entries.iter().any(is_added_by);
    for (key, value) in entries {
        let Node::Text(name) = &key.node else { unreachable!("keys are read as text") };
        let field = Field { text, name, value: &value };
        match name.as_str() {
            "id" => {}
            "description" => task.description = field.description()?,
            "kind" => task.kind = field.kind()?,
            "command" => {
                task.command = Some(field.command()?);
                command_place = field.value.at.place;
            }
            "env" => env = (field.env()?, key.at.place),
            "priority" => {
                task.priority = field.integer("a whole number from -2147483648 to 2147483647")?.unwrap_or(0)
            }
            "cost" => task.cost = field.integer("a whole number from 0 to 4294967295")?.unwrap_or(1),
            "retries" => task.retries = field.integer("a whole number from 0 to 4294967295")?.unwrap_or(0),
            "timeout" => task.timeout_ms = field.timeout_ms()?.unwrap_or(task.timeout_ms),
            "dependencies" => (task.dependencies, dependency_places) = field.dependencies()?,
            "verify" => task.verify = field.looks()?,
            "on_doubt" => task.on_doubt = field.on_doubt()?,
            "idempotent" => task.idempotent = field.boolean()?,
            "tags" => task.tags = field.tags()?,
            "allow_failure" => task.allow_failure = field.boolean()?,
            "always" => task.always = field.boolean()?,
            "when" => task.when = field.when()?,
            "inputs" => task.inputs = field.paths()?,
            "outputs" => task.outputs = field.paths()?,
            "tree" => (task.tree, tree_place) = (field.tree()?, key.at.place),
            "status" if is_own(&key) => {
                status = field.status()?;
                spots.status = StatusSpot::of(&value.at);
            }
            "added_by" if is_own(&key) => added_by = field.text_or_nothing()?,
            "status" | "added_by" => {}
            _ => {
                if let Some(instead) = instead_of(name).filter(|_| is_of_a_person) {
                    let (key, place) = (name.escape_debug().to_string(), key.at.place);
                    return Err(TaskFileError::NotAKey { key, instead, place });
                }
                task.settings.insert(name.clone(), keyed_to_json(text, name, value)?);
            }
        }
    }
    check_settings(&task.settings, place)?;
    let asks_for_a_path =
        task.when.as_ref().is_some_and(|when| when.exists.is_some() || when.missing.is_some());
    if task.tree == Tree::Mine && (task.names_files() || asks_for_a_path) {
        return Err(TaskFileError::FilesOfMine { place: tree_place });
    }
    if task.kind == Kind::shell() && task.command.as_ref().is_some_and(says_nothing) {
        return Err(TaskFileError::WrongType {
            key: "command".to_owned(),
            found: "a comment alone".to_owned(),
            expected: "a line that runs something; a task that only joins others has no `command`",
            place: command_place,
        });
    }
    let (env, at) = env;
    if added_by.is_some() && !env.is_empty() {
        return Err(TaskFileError::PluginEnv { place: at });
    }
    let task = FileTask { task, status, added_by, env, line: place.line, column: place.column, spots };
    Ok(Read { task, dependency_places })
}

/// True of a line that a shell would be done with at once, having run nothing.
fn says_nothing(command: &Command) -> bool {
    let Command::Shell(lines) = command else { return false };
    lines.lines().map(str::trim_start).all(|line| line.is_empty() || line.starts_with('#'))
}

struct Field<'a> {
    text: &'a str,
    name: &'a str,
    value: &'a Placed,
}

impl Field<'_> {
    fn wrong(&self, expected: &'static str) -> TaskFileError {
        self.wrong_at(self.value, expected)
    }

    fn wrong_at(&self, value: &Placed, expected: &'static str) -> TaskFileError {
        let found = match &value.node {
            Node::Null | Node::List(_) | Node::Map(_) => None,
            _ => self.scalar(value).filter(|text| text.len() <= 64),
        };
        let said = |text: String| match self.is_quoted(value) {
            // `3` in quotes is no number, and looks like one.
            true => format!("the text `{}` in quotes", text.escape_debug()),
            false => format!("`{}`", text.escape_debug()),
        };
        let found = found.map_or(value.found().to_owned(), said);
        TaskFileError::WrongType {
            key: self.name.escape_debug().to_string(),
            found,
            expected,
            place: value.at.place,
        }
    }

    /// True of a text in quotes that would be something else without.
    fn is_quoted(&self, value: &Placed) -> bool {
        let Node::Text(text) = &value.node else { return false };
        let is_other = text.parse::<f64>().is_ok() || ["true", "false"].contains(&text.as_str());
        is_other && self.text.get(value.at.written.clone()).is_some_and(|text| text.starts_with(['\'', '"']))
    }

    fn over(&self, found: usize, limit: usize) -> TaskFileError {
        let key = self.name.escape_debug().to_string();
        TaskFileError::OverLimit { key, found: found as u64, limit: limit as u64, place: self.value.at.place }
    }

    fn scalar(&self, value: &Placed) -> Option<String> {
        scalar(self.text, value)
    }

    fn word(&self, value: &Placed) -> Option<String> {
        word(self.text, value)
    }

    fn text_or_nothing(&self) -> Result<Option<String>, TaskFileError> {
        match &self.value.node {
            Node::Null => Ok(None),
            _ => self.scalar(self.value).map(Some).ok_or_else(|| self.wrong("a text")),
        }
    }

    fn task_id(&self, value: &Placed) -> Result<TaskId, TaskFileError> {
        const EXPECTED: &str = "a text or a whole number";
        let text = self.scalar(value).ok_or_else(|| self.wrong_at(value, EXPECTED))?;
        let is_float = match &value.node {
            Node::Number(number) => number.is_f64(),
            other => *other == Node::NotFinite,
        };
        // A whole number over 64 bits is held as a float, and is as good a name as any.
        if is_float && !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.wrong_at(value, EXPECTED));
        }
        TaskId::parse(&text).map_err(|why| TaskFileError::Name { why, place: value.at.place })
    }

    fn id(&self) -> Result<TaskId, TaskFileError> {
        match &self.value.node {
            Node::Null => Err(TaskFileError::NoId { place: self.value.at.place }),
            _ => self.task_id(self.value),
        }
    }

    fn description(&self) -> Result<String, TaskFileError> {
        let text = self.text_or_nothing()?.unwrap_or_default();
        match text.len() > DESCRIPTION_BYTES_MAX {
            true => Err(self.over(text.len(), DESCRIPTION_BYTES_MAX)),
            false => Ok(text),
        }
    }

    fn kind(&self) -> Result<Kind, TaskFileError> {
        let Some(text) = self.text_or_nothing()? else { return Ok(Kind::shell()) };
        Kind::parse(&text).map_err(|why| TaskFileError::Name { why, place: self.value.at.place })
    }

    fn command(&self) -> Result<Command, TaskFileError> {
        const EXPECTED: &str = "a line of text, or a list of a program and its arguments";
        if let Node::List(_) = &self.value.node {
            let words = self.texts(EXPECTED)?.unwrap_or_default();
            if words.first().is_none_or(String::is_empty) {
                let is_empty = words.is_empty();
                let expected =
                    if is_empty { EXPECTED } else { "one whose first word is a program, not an empty word" };
                return Err(self.wrong(expected));
            }
            if words.len() > WORDS_MAX {
                return Err(self.over(words.len(), WORDS_MAX));
            }
            self.check_words(&words)?;
            return Ok(Command::Argv(words));
        }
        match self.text_or_nothing().map_err(|_| self.wrong(EXPECTED))? {
            Some(line) if !line.trim().is_empty() => {
                self.check_words(std::slice::from_ref(&line))?;
                Ok(Command::Shell(line))
            }
            // A task that joins others has no such key.
            _ => Err(self.wrong(EXPECTED)),
        }
    }

    /// Fails for words that no program can be started with.
    fn check_words(&self, words: &[String]) -> Result<(), TaskFileError> {
        let found = words.iter().map(String::len).sum();
        if found > WORDS_BYTES_MAX {
            return Err(self.over(found, WORDS_BYTES_MAX));
        }
        match words.iter().any(|word| word.contains('\0')) {
            true => Err(TaskFileError::Nul { key: self.name.to_owned(), place: self.value.at.place }),
            false => Ok(()),
        }
    }

    fn env(&self) -> Result<Env, TaskFileError> {
        match &self.value.node {
            Node::Null => Ok(Env::default()),
            Node::Map(entries) => env_of(self.text, entries, self.value.at.place),
            _ => Err(TaskFileError::WrongType {
                key: "env".to_owned(),
                // What it says may be a value.
                found: self.value.found().to_owned(),
                expected: "a mapping of names to values",
                place: self.value.at.place,
            }),
        }
    }

    fn integer<T: TryFrom<i64>>(&self, expected: &'static str) -> Result<Option<T>, TaskFileError> {
        match &self.value.node {
            Node::Null => Ok(None),
            Node::Number(number) => {
                let value = number.as_i64().and_then(|value| T::try_from(value).ok());
                value.map(Some).ok_or_else(|| self.wrong(expected))
            }
            _ => Err(self.wrong(expected)),
        }
    }

    fn timeout_ms(&self) -> Result<Option<u64>, TaskFileError> {
        const EXPECTED: &str = "seconds, from 0.001 to 31536000";
        let seconds = match &self.value.node {
            Node::Null => return Ok(None),
            Node::Number(number) => number.as_f64().ok_or_else(|| self.wrong(EXPECTED))?,
            _ => return Err(self.wrong(EXPECTED)),
        };
        let ms = (seconds * 1000.0).round();
        match ms >= 1.0 && seconds <= TIMEOUT_SECONDS_MAX {
            true => Ok(Some(ms as u64)),
            false => Err(self.wrong(EXPECTED)),
        }
    }

    fn list(&self, expected: &'static str, limit: usize) -> Result<Option<&[Placed]>, TaskFileError> {
        match &self.value.node {
            Node::Null => Ok(None),
            Node::List(items) if items.len() > limit => Err(self.over(items.len(), limit)),
            Node::List(items) => Ok(Some(items)),
            _ => Err(self.wrong(expected)),
        }
    }

    fn texts(&self, expected: &'static str) -> Result<Option<Vec<String>>, TaskFileError> {
        let Some(items) = self.list(expected, ENTRIES_MAX)? else { return Ok(None) };
        let text = |item: &Placed| self.word(item).ok_or_else(|| self.wrong_at(item, "a text"));
        items.iter().map(text).collect::<Result<Vec<String>, _>>().map(Some)
    }

    /// Plugin ids, or mappings from one to names of its checks.
    fn looks(&self) -> Result<Vec<Look>, TaskFileError> {
        const ENTRY: &str = "a plugin id, or `ID: [CHECK, ..]`";
        let mut looks = Vec::new();
        for item in self.list("a list of plugin ids", LOOKS_MAX)?.unwrap_or_default() {
            let Node::Map(entries) = &item.node else {
                let verifier = self.word(item).ok_or_else(|| self.wrong_at(item, ENTRY))?;
                Look::whole(verifier).join(&mut looks);
                continue;
            };
            for (verifier, names) in entries {
                let verifier = self.word(verifier).ok_or_else(|| self.wrong_at(verifier, ENTRY))?;
                let checks = match &names.node {
                    Node::List(names) if (1..=LOOKS_MAX).contains(&names.len()) => {
                        names.iter().map(|name| self.word(name).ok_or_else(|| self.wrong_at(name, "a text")))
                    }
                    _ => return Err(self.wrong_at(names, "a list of names of checks")),
                };
                Look { verifier, checks: checks.collect::<Result<_, _>>()? }.join(&mut looks);
            }
        }
        Ok(looks)
    }

    /// Each dependency once, in the order of the file.
    fn dependencies(&self) -> Result<(Vec<TaskId>, Vec<Place>), TaskFileError> {
        let items = self.list("a list of task ids", DEPENDENCIES_MAX)?.unwrap_or_default();
        let (mut ids, mut places) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
        let mut seen = HashSet::with_capacity(items.len());
        for item in items {
            let word = self.word(item).ok_or_else(|| self.wrong_at(item, "a text or a whole number"))?;
            let id = TaskId::parse(&word).map_err(|why| TaskFileError::Name { why, place: item.at.place })?;
            if seen.insert(id.clone()) {
                ids.push(id);
                places.push(item.at.place);
            }
        }
        Ok((ids, places))
    }

    fn boolean(&self) -> Result<bool, TaskFileError> {
        match &self.value.node {
            Node::Null => Ok(false),
            Node::Bool(value) => Ok(*value),
            _ => Err(self.wrong("`true` or `false`")),
        }
    }

    fn tags(&self) -> Result<Vec<String>, TaskFileError> {
        const EXPECTED: &str = "a list of words of at most 64 bytes, without spaces";
        let tags = self.texts(EXPECTED)?.unwrap_or_default();
        let is_word = |tag: &String| {
            (1..=64).contains(&tag.len())
                && !tag.contains(|letter: char| letter.is_whitespace() || letter.is_control())
        };
        if tags.iter().all(is_word) { Ok(tags) } else { Err(self.wrong(EXPECTED)) }
    }

    /// Paths and patterns, as they are written.
    fn paths(&self) -> Result<Vec<String>, TaskFileError> {
        let items = self.list("a list of paths and patterns", ENTRIES_MAX)?.unwrap_or_default();
        items.iter().map(|item| self.path(item)).collect()
    }

    /// A path that stays below the workspace.
    fn path(&self, value: &Placed) -> Result<String, TaskFileError> {
        const EXPECTED: &str = "a path below the workspace, without `..`";
        let path = self.word(value).ok_or_else(|| self.wrong_at(value, EXPECTED))?;
        let is_below = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        let fits = !path.is_empty()
            && path.len() <= PATH_BYTES_MAX
            && !path.contains(char::is_control)
            && Path::new(&path).components().all(is_below);
        if fits { Ok(path) } else { Err(self.wrong_at(value, EXPECTED)) }
    }

    fn when(&self) -> Result<Option<When>, TaskFileError> {
        const EXPECTED: &str =
            "a mapping with `exists` or `missing` and a path, or `variable`, a name, and `is`";
        let entries = match &self.value.node {
            Node::Null => return Ok(None),
            Node::Map(entries) if !entries.is_empty() => entries,
            _ => return Err(self.wrong(EXPECTED)),
        };
        let mut when = When::default();
        for (key, value) in entries {
            let Node::Text(name) = &key.node else { unreachable!("keys are read as text") };
            let text = || self.scalar(value).ok_or_else(|| self.wrong_at(value, "a text"));
            match name.as_str() {
                "exists" => when.exists = Some(self.path(value)?),
                "missing" => when.missing = Some(self.path(value)?),
                "variable" => when.variable = Some(text()?).filter(|name| is_variable(name)),
                "is" => when.is = Some(text()?),
                _ => return Err(self.wrong_at(key, EXPECTED)),
            }
        }
        let has_variable = entries.iter().any(|(key, _)| key.node == Node::Text("variable".to_owned()));
        match when.variable.is_some() == has_variable && (has_variable || when.is.is_none()) {
            true => Ok(Some(when)),
            false => Err(self.wrong(EXPECTED)),
        }
    }

    fn on_doubt(&self) -> Result<OnDoubt, TaskFileError> {
        match &self.value.node {
            Node::Null => Ok(OnDoubt::Ask),
            Node::Text(word) if word == "ask" => Ok(OnDoubt::Ask),
            Node::Text(word) if word == "retry" => Ok(OnDoubt::Retry),
            Node::Text(word) if word == "fail" => Ok(OnDoubt::Fail),
            Node::Text(word) if word == "done" => Ok(OnDoubt::Done),
            _ => Err(self.wrong("`ask`, `retry`, `fail` or `done`")),
        }
    }

    fn tree(&self) -> Result<Tree, TaskFileError> {
        match &self.value.node {
            Node::Null => Ok(Tree::Own),
            Node::Text(word) if word == "mine" => Ok(Tree::Mine),
            _ => Err(self.wrong("`mine`, or no `tree`")),
        }
    }

    fn status(&self) -> Result<Option<Status>, TaskFileError> {
        let place = self.value.at.place;
        let word = match &self.value.node {
            Node::Null => return Ok(None),
            Node::List(_) | Node::Map(_) => return Err(self.wrong("a status")),
            _ => self.scalar(self.value).unwrap_or_default(),
        };
        let shown: String = word.chars().take(64).flat_map(char::escape_debug).collect();
        Status::from_word(&word).map(Some).ok_or(TaskFileError::UnknownStatus { found: shown, place })
    }
}

fn is_variable(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(word) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn check_settings(settings: &Map<String, Value>, place: Place) -> Result<(), TaskFileError> {
    if settings.is_empty() {
        return Ok(());
    }
    let found = serde_json::to_string(settings).map_or(usize::MAX, |text| text.len());
    match found > SETTINGS_BYTES_MAX {
        true => Err(TaskFileError::OverLimit {
            key: "settings".to_owned(),
            found: found as u64,
            limit: SETTINGS_BYTES_MAX as u64,
            place,
        }),
        false => Ok(()),
    }
}
