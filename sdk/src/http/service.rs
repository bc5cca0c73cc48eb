//! Requests that a service answers, whole and small.
//!
//! In -> out: [`Request`] -> [`Response`].
//! Limits: a body of at most 1 MiB in; the host bounds what goes out.
//! Not here: the streams below (`role/service.rs`).

use std::borrow::Cow;

/// Largest body that a service reads; a larger one is answered with 413 before the service is asked.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// In capitals: `GET`.
    pub method: String,
    /// Without the query, beginning with `/`.
    pub path: String,
    /// What follows the first `?`, as it came.
    pub query: Option<String>,
    /// Names in small letters.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that name, which is in small letters; bytes that are not UTF-8 are replaced.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        Some(String::from_utf8_lossy(value))
    }
}

/// What the client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Response {
    /// A body of that content type: `Response::new(200, "text/plain; charset=utf-8", "fine")`.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), content_type.into())], body: body.into() }
    }

    /// A body of plain text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.into())
    }

    /// A body of JSON, given as text.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "application/json", body.into())
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}
