//! Which answer a request gets.
//!
//! In -> out: method and path -> [`Route`].
//! Not here: the answers (`lib.rs`).

use crate::problem::Problem;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Start,
    Stop,
    Status,
    OpenApi,
}

impl Route {
    /// The path is looked at first: what does not exist has no methods.
    ///
    /// # Errors
    /// 404 and 405.
    pub fn of(method: &str, path: &str) -> Result<Self, Problem> {
        let (route, allow) = match path {
            "/start" => (Self::Start, "POST"),
            "/stop" => (Self::Stop, "POST"),
            "/status" => (Self::Status, "GET"),
            "/openapi.json" => (Self::OpenApi, "GET"),
            _ => return Err(Problem::new(404, "path-unknown", "nothing is there")),
        };
        match method == allow {
            true => Ok(route),
            false => Err(Problem::method(allow)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_one_method() {
        for (method, path, status) in [
            ("POST", "/start", 200),
            ("POST", "/stop", 200),
            ("GET", "/status", 200),
            ("GET", "/openapi.json", 200),
            ("GET", "/start", 405),
            ("POST", "/status", 405),
            ("HEAD", "/status", 405),
            ("post", "/stop", 405),
            ("GET", "/", 404),
            ("POST", "/start/", 404),
            ("POST", "", 404),
        ] {
            let found = Route::of(method, path).map_err(|problem| problem.into_response().status);
            assert_eq!(found.err().unwrap_or(200), status, "{method} {path}");
        }
    }
}
