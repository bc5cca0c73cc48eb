//! Asks for more than it may, and for what its answer then takes back. Ends as: an answer, with what the host said in it.

use orch_sdk::control::{self, Choice};
use orch_sdk::http::{Request, Response};
use orch_sdk::{Failure, Service};

pub struct StartsAndFails;

impl Service for StartsAndFails {
    fn handle(request: Request) -> Result<Response, Failure> {
        orch_sdk::log::info(format_args!("called {}", request.path));
        let start = || control::start(&Choice::all());
        Ok(match request.path.as_str() {
            "/start" => told(200, start()),
            "/stop" => told(200, control::stop()),
            "/twice" => {
                start()?;
                told(200, start())
            }
            // An answer of 5xx asks for nothing.
            "/fail" => told(500, start()),
            "/trap" => {
                start()?;
                std::process::abort()
            }
            _ => Response::text(404, ""),
        })
    }
}

fn told(status: u16, said: Result<(), orch_sdk::Error>) -> Response {
    Response::text(status, format!("{said:?}"))
}

orch_sdk::export!(service: StartsAndFails);
