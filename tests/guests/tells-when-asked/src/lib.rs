//! Sends a notice with the query as its title. Ends as: an answer with what came of it, 500 for `/fail`.

use orch_sdk::http::{Request, Response};
use orch_sdk::{Failure, Message, Service, notify};

pub struct TellsWhenAsked;

impl Service for TellsWhenAsked {
    fn handle(request: Request) -> Result<Response, Failure> {
        let answer = notify::send(&Message::new("ops", request.query.clone().unwrap_or_default()));
        let status = if request.path == "/fail" { 500 } else { 200 };
        Ok(Response::text(status, format!("{answer:?}")))
    }
}

orch_sdk::export!(service: TellsWhenAsked);
