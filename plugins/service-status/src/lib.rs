//! Answers HTTP requests for the run's state.
//!
//! In -> out: `GET /` or `/status` -> counts of tasks by status and the run's state; `GET /health` -> that it answers.
//! Invariant: nothing is changed, and no text of a task goes out.
//! Not here: where the host mounts it, its limits for body, time and concurrency (the host's).

pub mod route;
pub mod state;

use orch_sdk::http::{Request, Response};
use orch_sdk::{Failure, Service, tasks};

use crate::route::Route;
use crate::state::{Counts, State};

pub struct StatusService;

impl Service for StatusService {
    fn handle(request: Request) -> Result<Response, Failure> {
        match Route::of(&request.method, &request.path) {
            Route::Status => answer(&Counts::from(tasks::count()?).state()),
            route => Ok(fixed_answer(route)),
        }
    }
}

orch_sdk::export!(service: StatusService);

fn answer(state: &State) -> Result<Response, Failure> {
    Ok(Response::json(200, serde_json::to_string(state)?).with_header("cache-control", "no-store"))
}

/// The answers that need nothing from the host.
fn fixed_answer(route: Route) -> Response {
    match route {
        Route::Status | Route::Health => Response::json(200, r#"{"status":"ok"}"#),
        Route::MethodNotAllowed => {
            Response::json(405, r#"{"error":"method not allowed"}"#).with_header("allow", "GET")
        }
        Route::NotFound => Response::json(404, r#"{"error":"not found"}"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_json() {
        let counts = Counts { done: 1, in_progress: 1, ..Counts::default() };
        let response = answer(&counts.state()).unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(
            String::from_utf8(response.body).unwrap(),
            r#"{"running":true,"run":"executing","total":2,"tasks":{"pending":0,"in_progress":1,"waiting_approval":0,"done":1,"failed":0,"blocked":0,"in_doubt":0,"cancelled":0}}"#
        );
    }

    #[test]
    fn a_wrong_method_is_told_the_right_one() {
        let response = fixed_answer(Route::MethodNotAllowed);
        assert_eq!(response.status, 405);
        assert!(response.headers.contains(&("allow".to_owned(), b"GET".to_vec())));
        assert_eq!(fixed_answer(Route::NotFound).status, 404);
        assert_eq!(fixed_answer(Route::Health).status, 200);
    }
}
