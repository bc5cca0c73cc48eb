//! Values that a host could hand over, made from a seed.
//!
//! In -> out: bytes -> texts, lists, tasks.
//! Limits: texts, tasks and lists within the limits of `wit/`.
//! Invariant: equal bytes give equal values, on every machine and in every build.
//! Not here: the seed (`behaviour/seed.rs`), which calls are made of them (`conformance/ROLE.rs`).

use arbitrary::{Result, Unstructured};
use orch_host::capability::provided::Order;
use orch_task::{Command, Kind, Status, Task, TaskId};

const TEXT_BYTES_MAX: usize = 4096;
pub(super) const LIST_MAX: usize = 40;
const DEPTH_MAX: u32 = 5;

/// What a provider is told of the call that asks it.
pub(super) fn order(consumer: &str, key: &str, run: &str) -> Order {
    Order { consumer: consumer.to_owned(), key: key.to_owned(), run: run.into(), workspace: "site".into() }
}

/// Texts that break what reads them carelessly.
const HOSTILE: [&str; 16] = [
    "",
    "\u{0}",
    "\u{1b}[2J\u{1b}]0;x\u{7}",
    "\u{feff}\u{202e}\u{200b}",
    "\u{10ffff}\u{fffd}e\u{301}",
    "../../../../etc/passwd",
    "C:\\con\\nul",
    "-rf --help",
    "$(id) `id` ; id | id && id",
    "{\"a\":{\"a\":[1e400,-0,9007199254740993]}}",
    "]]>&lt;!--%n%s%x",
    "\r\n\r\nHTTP/1.1 200 OK\r\n",
    "18446744073709551616",
    "NaN",
    "a:b:c:99999999999:error:",
    "\"'\\",
];

const STATUSES: [Status; 4] = [Status::Done, Status::Failed, Status::Cancelled, Status::InDoubt];

pub(super) fn text(source: &mut Unstructured<'_>) -> Result<String> {
    let mut text = match source.int_in_range(0..=3)? {
        0 => (*source.choose(&HOSTILE)?).to_owned(),
        1 => source.choose(&HOSTILE)?.repeat(source.int_in_range(1..=500)?),
        2 => {
            let count = source.int_in_range(0..=24)?;
            (0..count).map(|_| source.arbitrary::<char>()).collect::<Result<String>>()?
        }
        _ => (*source.choose(&["a", "é", "\u{10ffff}", " "])?).repeat(source.int_in_range(0..=2048)?),
    };
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    Ok(text)
}

pub(super) fn list<T>(
    source: &mut Unstructured<'_>,
    most: usize,
    mut one: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = source.int_in_range(0..=most)?;
    (0..count).map(|_| one(source)).collect()
}

pub(super) fn id(source: &mut Unstructured<'_>) -> Result<String> {
    let letters: Vec<char> = ('a'..='z').chain('0'..='9').chain(['.', '_', '-', 'Z']).collect();
    let count = source.int_in_range(1..=128)?;
    (0..count).map(|_| source.choose(&letters).copied()).collect()
}

pub(super) fn task(source: &mut Unstructured<'_>, kind: &Kind) -> Result<Task> {
    let id = TaskId::parse(&id(source)?).map_err(|_| arbitrary::Error::IncorrectFormat)?;
    let mut task = Task::new(id, kind.clone());
    task.description = text(source)?;
    task.command = match source.int_in_range(0..=3)? {
        0 => None,
        1 => Some(Command::Shell(text(source)?)),
        _ => {
            let mut arguments = list(source, LIST_MAX, text)?;
            arguments.insert(0, source.choose(&["true", "sh", "../sh", "/bin/true", ""])?.to_string());
            Some(Command::Argv(arguments))
        }
    };
    (task.priority, task.cost, task.timeout_ms) =
        (source.arbitrary()?, source.arbitrary()?, source.arbitrary()?);
    for _ in 0..source.int_in_range(0..=6)? {
        let key = text(source)?;
        task.settings.insert(key, json(source, DEPTH_MAX)?);
    }
    Ok(task)
}

fn json(source: &mut Unstructured<'_>, depth: u32) -> Result<serde_json::Value> {
    use serde_json::Value;
    Ok(match source.int_in_range(0..=if depth == 0 { 3 } else { 5 })? {
        0 => Value::Null,
        1 => Value::from(source.arbitrary::<bool>()?),
        2 => Value::from(source.arbitrary::<i64>()?),
        3 => Value::from(text(source)?),
        4 => Value::Array(list(source, 4, |source| json(source, depth - 1))?),
        _ => {
            let fields = list(source, 4, |source| Ok((text(source)?, json(source, depth - 1)?)))?;
            Value::Object(fields.into_iter().collect())
        }
    })
}

/// How a task may have ended.
pub(super) fn status(source: &mut Unstructured<'_>) -> Result<Status> {
    source.choose(&STATUSES).copied()
}
