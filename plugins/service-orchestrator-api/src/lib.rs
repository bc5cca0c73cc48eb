//! Starts and stops runs over HTTP, and says how they stand.
//!
//! In -> out: `POST /start`, `POST /stop`, `GET /status`, `GET /openapi.json` -> JSON; whatever is refused is a [`Problem`].
//! Limits: those of `orch:control`.
//! Invariant: what is answered with 202 is done; every other answer asked for nothing.
//! Not here: where the host mounts it, tokens, its limits for body, time and concurrency (the host's).

pub mod problem;
pub mod route;
pub mod wanted;

use orch_sdk::control::{self, Counts, Run, Standing, State};
use orch_sdk::http::{Request, Response};
use orch_sdk::{Error, Failure, Service};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::route::Route;

const OPENAPI: &str = include_str!("openapi.json");

pub struct OrchestratorApi;

impl Service for OrchestratorApi {
    fn handle(request: Request) -> Result<Response, Failure> {
        let answered = match Route::of(&request.method, &request.path) {
            Ok(Route::Status) => status(),
            Ok(Route::Start) => start(&request),
            Ok(Route::Stop) => stop(&request),
            Ok(Route::OpenApi) => openapi(&request),
            Err(problem) => Err(problem),
        };
        Ok(answered.unwrap_or_else(Problem::into_response))
    }
}

orch_sdk::export!(service: OrchestratorApi);

fn status() -> Result<Response, Problem> {
    let standing = control::status().map_err(refused)?;
    Ok(answer(200, &shown(standing)))
}

fn start(request: &Request) -> Result<Response, Problem> {
    let choice = wanted::choice(request)?;
    match control::start(&choice) {
        Ok(()) => Ok(answer(202, &json!({ "state": "starting" }))),
        // The host says of both that it cannot now.
        Err(Error::Unavailable) => Err(match control::status().map(|standing| standing.state) {
            Ok(State::Idle) | Err(_) => Problem::unavailable(),
            Ok(_) => Problem::new(409, "at-work", "a run is at work, or about to begin"),
        }),
        Err(error) => Err(refused(error)),
    }
}

fn stop(request: &Request) -> Result<Response, Problem> {
    wanted::nothing(request)?;
    match control::stop() {
        Ok(()) => Ok(answer(202, &json!({ "state": "stopping" }))),
        Err(Error::NotFound) => Err(Problem::new(409, "not-at-work", "no run is at work")),
        Err(error) => Err(refused(error)),
    }
}

/// With the path that the host mounted this at, which the description's paths are below.
fn openapi(request: &Request) -> Result<Response, Problem> {
    let prefix = request.header("x-forwarded-prefix").unwrap_or_default().into_owned();
    let mut described: Value = serde_json::from_str(OPENAPI).map_err(|_| Problem::unavailable())?;
    if let (Value::Object(described), false) = (&mut described, prefix.is_empty()) {
        described.insert("servers".to_owned(), json!([{ "url": prefix }]));
    }
    Ok(answer(200, &described))
}

/// What the host did not do.
fn refused(error: Error) -> Problem {
    match error {
        Error::Denied(what) => Problem::new(403, "denied", format!("the operator does not allow {what}")),
        Error::Invalid(why) => Problem::new(409, "choice", why),
        _ => Problem::unavailable(),
    }
}

fn answer(status: u16, body: &Value) -> Response {
    Response::json(status, body.to_string()).with_header("cache-control", "no-store")
}

/// How runs stand, as JSON.
fn shown(standing: Standing) -> Value {
    let Standing { state, run, tasks, current, runs } = standing;
    let (word, is_running) = match state {
        State::Idle => ("idle", false),
        State::Starting => ("starting", false),
        State::AtWork => ("at-work", true),
        State::Stopping => ("stopping", true),
    };
    let Counts { pending, in_progress, waiting_approval, done, failed, blocked, in_doubt, cancelled } = tasks;
    let one = |Run { id, status, created_at, completed_at }| json!({ "id": id, "status": status, "createdAt": created_at, "completedAt": completed_at });
    json!({
        "running": run.as_ref().filter(|_| is_running).map_or(Value::Bool(false), |run| json!(run)),
        "state": word,
        "run": run,
        "tasks": {
            "pending": pending, "in_progress": in_progress, "waiting_approval": waiting_approval, "done": done,
            "failed": failed, "blocked": blocked, "in_doubt": in_doubt, "cancelled": cancelled,
        },
        "current": current,
        "runs": runs.into_iter().map(one).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(state: State) -> Standing {
        let tasks = Counts {
            pending: 1,
            in_progress: 2,
            waiting_approval: 3,
            done: 4,
            failed: 5,
            blocked: 6,
            in_doubt: 7,
            cancelled: 8,
        };
        Standing { state, run: Some("r".to_owned()), tasks, current: vec!["t".to_owned()], runs: Vec::new() }
    }

    #[test]
    fn running_is_the_run_at_work_or_false() {
        for (state, running) in [
            (State::Idle, json!(false)),
            (State::Starting, json!(false)),
            (State::AtWork, json!("r")),
            (State::Stopping, json!("r")),
        ] {
            let shown = shown(standing(state));
            assert_eq!((&shown["running"], &shown["run"]), (&running, &json!("r")), "{shown}");
            assert_eq!((&shown["tasks"]["cancelled"], &shown["current"]), (&json!(8), &json!(["t"])));
        }
    }

    #[test]
    fn the_description_has_every_route_below_the_mount() {
        let request = Request {
            method: "GET".to_owned(),
            path: "/openapi.json".to_owned(),
            query: None,
            headers: vec![("x-forwarded-prefix".to_owned(), b"/orchestrator".to_vec())],
            body: Vec::new(),
        };
        let described: Value = serde_json::from_slice(&openapi(&request).ok().unwrap().body).unwrap();
        assert_eq!(described["servers"][0]["url"], "/orchestrator");
        let paths: Vec<_> = described["paths"].as_object().unwrap().keys().collect();
        assert_eq!(paths, ["/openapi.json", "/start", "/status", "/stop"]);
    }

    #[test]
    fn what_the_host_did_not_do_has_its_status() {
        for (error, status) in [
            (Error::Denied("`control.start`".to_owned()), 403),
            (Error::Invalid("there is no task `x`".to_owned()), 409),
            (Error::Unavailable, 503),
        ] {
            assert_eq!(refused(error).into_response().status, status);
        }
    }
}
