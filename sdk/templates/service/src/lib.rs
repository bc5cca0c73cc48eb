//! Service: greets whoever asks.

use orch_sdk::http::{Request, Response};
use orch_sdk::{Failure, Service};

struct Plugin;

impl Service for Plugin {
    fn handle(request: Request) -> Result<Response, Failure> {
        Ok(answer(&request.method, &request.path))
    }
}

orch_sdk::export!(service: Plugin);

fn answer(method: &str, path: &str) -> Response {
    match (method, path) {
        ("GET", "/") => Response::text(200, "hello\n"),
        (_, "/") => Response::text(405, "only GET\n").with_header("allow", "GET"),
        _ => Response::text(404, "nothing is here\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets_at_the_root_only() {
        assert_eq!(answer("GET", "/").status, 200);
        assert_eq!(answer("POST", "/").status, 405);
        assert_eq!(answer("GET", "/other").status, 404);
    }
}
