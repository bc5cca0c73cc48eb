//! Which answer a request gets.
//!
//! In -> out: method and path -> [`Route`].
//! Not here: the answers (`lib.rs`), what is in a body or a query (`wanted.rs`).

use crate::problem::Problem;
use crate::task::{Stream, is_id};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    Add,
    List,
    Next,
    Show(&'a str),
    Remove(&'a str),
    Heartbeat(&'a str),
    Release(&'a str),
    Result(&'a str),
    Append(&'a str, Stream),
    Output(&'a str, Stream),
    OpenApi,
}

impl<'a> Route<'a> {
    /// The path is looked at first: what does not exist has no methods. `next` is no task's id.
    ///
    /// # Errors
    /// 404 and 405.
    pub fn of(method: &str, path: &'a str) -> Result<Self, Problem> {
        let nothing = || Problem::new(404, "path-unknown", "nothing is there");
        let parts: Vec<&str> = path.strip_prefix('/').ok_or_else(nothing)?.split('/').collect();
        let (methods, allow): (&[(&str, Self)], _) = match *parts.as_slice() {
            ["openapi.json"] => (&[("GET", Self::OpenApi)], "GET"),
            ["tasks"] => (&[("GET", Self::List), ("POST", Self::Add)], "GET, POST"),
            ["tasks", "next"] => (&[("GET", Self::Next)], "GET"),
            ["tasks", id] => (&[("GET", Self::Show(id)), ("DELETE", Self::Remove(id))], "DELETE, GET"),
            ["tasks", id, "heartbeat"] => (&[("POST", Self::Heartbeat(id))], "POST"),
            ["tasks", id, "release"] => (&[("POST", Self::Release(id))], "POST"),
            ["tasks", id, "result"] => (&[("POST", Self::Result(id))], "POST"),
            ["tasks", id, "output", stream] => {
                let stream = Stream::named(stream).ok_or_else(nothing)?;
                (&[("GET", Self::Output(id, stream)), ("POST", Self::Append(id, stream))], "GET, POST")
            }
            _ => return Err(nothing()),
        };
        let (_, found) = *methods.iter().find(|(one, _)| *one == method).ok_or(Problem::method(allow))?;
        match parts.as_slice() {
            ["tasks", id, ..] if *id != "next" && !is_id(id) => Err(Problem::unknown(id)),
            ["tasks", "next", _, ..] => Err(Problem::unknown("next")),
            _ => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_methods() {
        for (method, path, status) in [
            ("POST", "/tasks", 200),
            ("GET", "/tasks", 200),
            ("GET", "/tasks/next", 200),
            ("GET", "/tasks/a-1", 200),
            ("DELETE", "/tasks/a-1", 200),
            ("POST", "/tasks/a/result", 200),
            ("POST", "/tasks/a/heartbeat", 200),
            ("POST", "/tasks/a/release", 200),
            ("GET", "/tasks/a/release", 405),
            ("POST", "/tasks/a/output/stdout", 200),
            ("GET", "/tasks/a/output/stderr", 200),
            ("GET", "/openapi.json", 200),
            ("PUT", "/tasks", 405),
            ("POST", "/tasks/next", 405),
            ("DELETE", "/tasks/next", 405),
            ("HEAD", "/tasks/a", 405),
            ("get", "/tasks", 405),
            ("GET", "/tasks/a/result", 405),
            ("POST", "/tasks/next/result", 404),
            ("GET", "/tasks/", 404),
            ("GET", "/tasks/a%20b", 404),
            ("GET", "/tasks/a/output/stdin", 404),
            ("GET", "/tasks/a/b", 404),
            ("GET", "/", 404),
            ("GET", "", 404),
        ] {
            let found = Route::of(method, path).map_err(|problem| problem.into_response().status);
            assert_eq!(found.err().unwrap_or(200), status, "{method} {path}");
        }
    }

    #[test]
    fn who_uses_another_method_is_told_which_there_are() {
        let response = Route::of("PATCH", "/tasks/a").unwrap_err().into_response();
        let allow = response.headers.iter().find(|(name, _)| name == "allow").map(|(_, value)| value.clone());
        assert_eq!(allow, Some(b"DELETE, GET".to_vec()));
    }
}
