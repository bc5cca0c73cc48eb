//! Values that a host could hand over, made from a seed.
//!
//! In -> out: digest of the component, role, number -> a [`Case`].
//! Limits: 4 KiB of seed a case; texts, tasks and lists within the limits of `wit/`.
//! Invariant: equal arguments give equal cases, on every machine and in every build.
//! Not here: what must come of them (`fuzz.rs`).

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use orch_host::role::auditor::FinishedTask;
use orch_host::role::planner::{PlannerChange, ReadyTask};
use orch_host::role::verifier::Subject;
use orch_task::{Command, Kind, Status, Task, TaskId};
use orch_trust::digest::Sha256Digest;
use orch_trust::manifest::Role;

use crate::conformance::case::{Call, Case};
use crate::conformance::service::request;
use crate::conformance::session::{Session, Step};
use crate::fake::Mood;

const SEED_BYTES: usize = 4096;
const TEXT_BYTES_MAX: usize = 4096;
const LIST_MAX: usize = 40;
const DEPTH_MAX: u32 = 5;

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

/// The case of that number for that role.
pub(super) fn case(component: Sha256Digest, role: Role, number: u32, kind: &Kind) -> Case {
    let seed = seed(component, role, number);
    let mut source = Unstructured::new(&seed);
    // A seed that is used up gives zeros, never an error.
    let mood = *source.choose(&Mood::ALL).unwrap_or(&Mood::Good);
    let made = match role {
        Role::Planner => session(&mut source).map(Call::Plan),
        Role::Executor => task(&mut source, kind)
            .and_then(|task| Ok(Call::Execute { task: Box::new(task), attempt: source.arbitrary()? })),
        Role::Reflector => {
            text(&mut source).and_then(|run| Ok(Call::Reflect { run, tasks: source.arbitrary()? }))
        }
        Role::Auditor => audit(&mut source),
        Role::Verifier => verify(&mut source, kind),
        Role::Service => handle(&mut source),
    };
    let call = made.unwrap_or_else(|_| smallest(role));
    Case { mood, ..Case::survived(&format!("{}-{number}", role.as_str()), call) }
}

/// Bytes that only the arguments decide.
fn seed(component: Sha256Digest, role: Role, number: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SEED_BYTES);
    let mut block: u32 = 0;
    while bytes.len() < SEED_BYTES {
        let text = format!("orch fuzz 1 {component} {} {number} {block}", role.as_str());
        bytes.extend_from_slice(Sha256Digest::of(text.as_bytes()).as_bytes());
        block += 1;
    }
    bytes
}

/// What is asked if a value could not be made.
fn smallest(role: Role) -> Call {
    match role {
        Role::Planner => Call::Plan(Session {
            settings: String::new(),
            kinds: Vec::new(),
            steps: vec![Step::Next { slots: 1 }],
            strict: false,
        }),
        Role::Auditor => Call::Audit(Vec::new()),
        Role::Reflector => Call::Reflect { run: String::new(), tasks: 0 },
        Role::Executor | Role::Verifier | Role::Service => Call::Verify(Subject::Run(String::new())),
    }
}

fn text(source: &mut Unstructured<'_>) -> Result<String> {
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

fn list<T>(
    source: &mut Unstructured<'_>,
    most: usize,
    mut one: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = source.int_in_range(0..=most)?;
    (0..count).map(|_| one(source)).collect()
}

fn id(source: &mut Unstructured<'_>) -> Result<String> {
    let letters: Vec<char> = ('a'..='z').chain('0'..='9').chain(['.', '_', '-', 'Z']).collect();
    let count = source.int_in_range(1..=128)?;
    (0..count).map(|_| source.choose(&letters).copied()).collect()
}

fn task(source: &mut Unstructured<'_>, kind: &Kind) -> Result<Task> {
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

fn audit(source: &mut Unstructured<'_>) -> Result<Call> {
    if source.ratio(1, 2)? {
        return Ok(Call::Analyze(list(source, LIST_MAX, text)?));
    }
    let finished = |source: &mut Unstructured<'_>| {
        let (index, id, status) = (source.arbitrary()?, id(source)?, *source.choose(&STATUSES)?);
        Ok(FinishedTask { index, id, status })
    };
    Ok(Call::Audit(list(source, LIST_MAX, finished)?))
}

fn verify(source: &mut Unstructured<'_>, kind: &Kind) -> Result<Call> {
    Ok(Call::Verify(match source.ratio(1, 3)? {
        true => Subject::Run(text(source)?),
        false => Subject::Task(Box::new(task(source, kind)?)),
    }))
}

fn handle(source: &mut Unstructured<'_>) -> Result<Call> {
    let method = *source.choose(&["GET", "POST", "HEAD", "BREW", "OPTIONS", "DELETE", "PATCH"])?;
    let parts: Vec<char> = "/status/..%2e%00?&=#a;:@~".chars().collect();
    let count = source.int_in_range(0..=200)?;
    let path: String = (0..count).map(|_| source.choose(&parts).copied()).collect::<Result<_>>()?;
    let body = Bytes::from(text(source)?.into_bytes());
    let headers = source.int_in_range(0..=40)?;
    // Some of these are no address: the host would not have taken them either.
    let asked = request(method, &format!("/{path}"), headers, body.clone());
    let asked = asked.or_else(|| request(method, "/", headers, body));
    asked.map(Call::Handle).ok_or(arbitrary::Error::IncorrectFormat)
}

fn change(source: &mut Unstructured<'_>) -> Result<PlannerChange> {
    // Few numbers, so that they meet.
    let index = match source.ratio(1, 8)? {
        true => source.arbitrary()?,
        false => source.int_in_range(0..=12)?,
    };
    Ok(match source.int_in_range(0..=5)? {
        0..=2 => {
            let (priority, kind) = (source.arbitrary()?, source.arbitrary()?);
            let cost = *source.choose(&[0, 1, 2, 7, u32::MAX])?;
            PlannerChange::Ready(ReadyTask { index, priority, cost, kind })
        }
        3 => PlannerChange::Withdrawn(index),
        4 => PlannerChange::Finished(index, *source.choose(&STATUSES)?),
        _ => PlannerChange::Budget(*source.choose(&[0, 1, 5, 1000, u64::MAX])?),
    })
}

fn session(source: &mut Unstructured<'_>) -> Result<Session> {
    let settings = match source.ratio(1, 4)? {
        true => text(source)?,
        false => "{}".to_owned(),
    };
    let kinds = list(source, LIST_MAX, text)?;
    let steps = list(source, 12, |source| {
        Ok(match source.int_in_range(0..=4)? {
            0 => Step::Next { slots: source.int_in_range(1..=4)? },
            1 => Step::Next { slots: source.int_in_range(1..=u32::MAX)? },
            _ => Step::Observe(list(source, LIST_MAX, change)?),
        })
    })?;
    Ok(Session { settings, kinds, steps, strict: false })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn equal_seeds_give_equal_cases_and_others_differ() {
        for role in Role::ALL {
            let shown = |component: &[u8], number| {
                let case = case(Sha256Digest::of(component), role, number, &Kind::shell());
                format!("{case:?}")
            };
            assert_eq!(shown(b"a", 3), shown(b"a", 3));
            let all: BTreeSet<String> =
                (0..40).flat_map(|number| [shown(b"a", number), shown(b"b", number)]).collect();
            assert!(all.len() > 75, "{role:?}: {} of 80 differ", all.len());
        }
    }

    #[test]
    fn every_call_of_a_role_is_made() {
        for role in Role::ALL {
            let cases: Vec<String> = (0..64)
                .map(|number| {
                    format!("{:?}", case(Sha256Digest::of(b"x"), role, number, &Kind::shell()).call)
                })
                .collect();
            let names: &[&str] = match role {
                Role::Planner => &["Plan"],
                Role::Executor => &["Execute"],
                Role::Reflector => &["Reflect"],
                Role::Auditor => &["Analyze", "Audit"],
                Role::Verifier => &["Verify(Run", "Verify(Task"],
                Role::Service => &["Handle"],
            };
            for name in names {
                assert!(cases.iter().any(|case| case.starts_with(name)), "{role:?} {name}");
            }
            assert!(cases.iter().all(|case| names.iter().any(|name| case.starts_with(name))), "{role:?}");
        }
    }
}
