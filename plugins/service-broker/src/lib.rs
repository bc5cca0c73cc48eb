//! A queue of tasks over HTTP: workers lease them and say how they ended.
//!
//! In -> out: requests below `/tasks`, `GET /openapi.json` -> JSON, or bytes of output; whatever is refused is a [`Problem`].
//! Limits: those of `wanted.rs` and `queue.rs`.
//! Invariant: a task has at most one lease that counts, and at most one result; a lease that nobody renewed gives its task back
//! to who asks next.
//! Invariant: what an answer says is kept with it; an answer of 5xx kept nothing.
//! Not here: where the host mounts it, tokens, its limits for body, time and concurrency (the host's).

pub mod problem;
pub mod queue;
pub mod route;
pub mod task;
pub mod wanted;

use orch_sdk::http::{Request, Response};
use orch_sdk::{Failure, Service, clocks};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::queue::Queue;
use crate::route::Route;
use crate::task::{Stream, Task};
use crate::wanted::{Added, Asked, Listed, Said};

const OPENAPI: &str = include_str!("openapi.json");

pub struct Broker;

impl Service for Broker {
    fn handle(request: Request) -> Result<Response, Failure> {
        let answered = Route::of(&request.method, &request.path).and_then(|route| answer(route, &request));
        let response = answered.unwrap_or_else(Problem::into_response);
        Ok(response.with_header("cache-control", "no-store"))
    }
}

orch_sdk::export!(service: Broker);

fn answer(route: Route<'_>, request: &Request) -> Result<Response, Problem> {
    match route {
        Route::OpenApi => openapi(request),
        Route::Add => add(request),
        Route::List => list(request),
        Route::Next => next(request),
        Route::Show(id) => {
            wanted::nothing(request)?;
            Ok(shown(200, &Queue::open()?.task(id)?.shown()))
        }
        Route::Remove(id) => {
            wanted::nothing(request)?;
            let queue = Queue::open()?;
            queue.remove(queue.task(id)?)?;
            Ok(nothing())
        }
        Route::Heartbeat(id) => heartbeat(id, request),
        Route::Release(id) => release(id, request),
        Route::Result(id) => result(id, request),
        Route::Append(id, stream) => append(id, stream, request),
        Route::Output(id, stream) => {
            let offset = wanted::offset(request)?;
            let queue = Queue::open()?;
            let bytes = queue.output(&mut queue.task(id)?, stream, offset)?;
            Ok(Response::new(200, "application/octet-stream", bytes))
        }
    }
}

fn add(request: &Request) -> Result<Response, Problem> {
    let Added { id, title, command, priority, timeout_seconds, max_attempts, keep_seconds } =
        wanted::added(request)?;
    let queue = Queue::open()?;
    let sequence = queue.count("sequence")?;
    let id = match id {
        Some(id) if queue.find(&id)?.is_some() => {
            return Err(Problem::new(409, "id-taken", format!("there is a task `{id}`")));
        }
        Some(id) => id,
        None => free_id(&queue, sequence)?,
    };
    let task = Task {
        id,
        title,
        command,
        priority,
        timeout_seconds,
        max_attempts,
        keep_seconds,
        attempts: 0,
        sequence,
        created: now(),
        lease: None,
        ended: None,
        stdout_bytes: 0,
        stderr_bytes: 0,
    };
    queue.wait(&task)?;
    let prefix = request.header("x-forwarded-prefix").unwrap_or_default().into_owned();
    Ok(shown(201, &task.shown()).with_header("location", format!("{prefix}/tasks/{}", task.id)))
}

/// Its number; where people called a task so, with another behind it.
fn free_id(queue: &Queue, sequence: u64) -> Result<String, Problem> {
    let plain = sequence.to_string();
    if queue.find(&plain)?.is_none() {
        return Ok(plain);
    }
    for more in 1..100 {
        let id = format!("{sequence}.{more}");
        if queue.find(&id)?.is_none() {
            return Ok(id);
        }
    }
    Err(Problem::new(409, "id-taken", "give the task an `id`"))
}

fn list(request: &Request) -> Result<Response, Problem> {
    let Listed { status, after, limit } = wanted::listed(request)?;
    let fits = |task: &Task| status.is_none_or(|status| task.status() == status);
    let (found, next) = Queue::open()?.list(after.as_deref(), limit as usize, fits)?;
    let tasks: Vec<Value> = found.iter().map(Task::shown).collect();
    Ok(shown(200, &json!({ "tasks": tasks, "next": next })))
}

fn next(request: &Request) -> Result<Response, Problem> {
    let Asked { worker, seconds } = wanted::asked(request)?;
    let (queue, now) = (Queue::open()?, now());
    queue.settle(now)?;
    let Some(mut task) = queue.take()? else { return Ok(nothing()) };
    task.lease(worker, queue.count("fence")?, seconds, now);
    queue.list_lease(&task)?;
    Ok(shown(200, &task.handed_out()))
}

fn heartbeat(id: &str, request: &Request) -> Result<Response, Problem> {
    let beat = wanted::beat(request)?;
    let queue = Queue::open()?;
    let mut task = queue.task(id)?;
    task.renew(beat.fence, now())?;
    queue.keep(&task)?;
    Ok(shown(200, &task.shown()))
}

fn release(id: &str, request: &Request) -> Result<Response, Problem> {
    let beat = wanted::beat(request)?;
    let queue = Queue::open()?;
    let mut task = queue.task(id)?;
    let lease = task.release(beat.fence)?;
    queue.unlist_lease(lease.listed, id)?;
    queue.drop_output(&mut task)?;
    queue.wait(&task)?;
    Ok(shown(200, &task.shown()))
}

fn append(id: &str, stream: Stream, request: &Request) -> Result<Response, Problem> {
    let (fence, offset, bytes) = wanted::chunk(request)?;
    let queue = Queue::open()?;
    let mut task = queue.task(id)?;
    task.leased(fence)?;
    queue.append(&mut task, stream, offset, bytes)?;
    queue.keep(&task)?;
    Ok(shown(200, &task.shown()))
}

fn result(id: &str, request: &Request) -> Result<Response, Problem> {
    let Said { fence, exit_code, reason, stdout, stderr } = wanted::said(request)?;
    let queue = Queue::open()?;
    let mut task = queue.task(id)?;
    task.leased(fence)?;
    for (stream, text) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
        let there = *task.bytes(stream);
        queue.append(&mut task, stream, there, text.as_bytes())?;
    }
    let lease = task.end(fence, exit_code, reason, now())?;
    queue.unlist_lease(lease.listed, id)?;
    queue.end(&task)?;
    Ok(shown(200, &task.shown()))
}

/// With the path that the host mounted this at, which the description's paths are below.
fn openapi(request: &Request) -> Result<Response, Problem> {
    let prefix = request.header("x-forwarded-prefix").unwrap_or_default().into_owned();
    let described: Result<Value, _> = serde_json::from_str(OPENAPI);
    let mut described = described.map_err(|_| Problem::new(500, "description", "it cannot be read"))?;
    if let (Value::Object(described), false) = (&mut described, prefix.is_empty()) {
        described.insert("servers".to_owned(), json!([{ "url": prefix }]));
    }
    Ok(shown(200, &described))
}

fn shown(status: u16, body: &Value) -> Response {
    Response::json(status, body.to_string())
}

fn nothing() -> Response {
    Response { status: 204, headers: Vec::new(), body: Vec::new() }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    u64::try_from(clocks::since_epoch().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
