//! Which answer a request gets.
//!
//! In -> out: method and path -> [`Route`].
//! Not here: the answers (`lib.rs`).

/// What is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Status,
    Health,
    /// The path exists, the method is not `GET`.
    MethodNotAllowed,
    NotFound,
}

impl Route {
    /// The path is looked at first: what does not exist has no methods.
    #[must_use]
    pub fn of(method: &str, path: &str) -> Self {
        let route = match path {
            "/" | "/status" => Self::Status,
            "/health" => Self::Health,
            _ => return Self::NotFound,
        };
        if method == "GET" { route } else { Self::MethodNotAllowed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_paths_and_one_method() {
        for (method, path, route) in [
            ("GET", "/status", Route::Status),
            ("GET", "/health", Route::Health),
            ("POST", "/status", Route::MethodNotAllowed),
            ("HEAD", "/health", Route::MethodNotAllowed),
            ("get", "/health", Route::MethodNotAllowed),
            ("GET", "/", Route::Status),
            ("GET", "/status/", Route::NotFound),
            ("GET", "/Status", Route::NotFound),
            ("DELETE", "/tasks", Route::NotFound),
            ("GET", "", Route::NotFound),
        ] {
            assert_eq!(Route::of(method, path), route, "{method} {path}");
        }
    }
}
