//! What came back.
//!
//! In -> out: wasi's response -> [`Answer`]: status, headers, and its body whole, in pieces or in lines.
//! Limits: [`ANSWER_BYTES_MAX`] for what is read whole, unless the caller says less or more; the host's own on top.
//! Invariant: a body that was not read to its end is no whole one: it is an error.

use std::borrow::Cow;

use super::error::{HttpError, HttpFault};
use super::lines::{LINE_BYTES_MAX, Splitter};
use crate::bindings::capabilities::wasi::http::types::{IncomingBody, IncomingResponse, http_error_code};
use crate::bindings::capabilities::wasi::io::streams::{InputStream, StreamError};

/// Largest body that [`Answer::text`] and [`Answer::json`] read.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
const READ_BYTES: u64 = 64 * 1024;

/// An answer, whatever its status. Dropping it ends what was not read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Where it came from in the end, without the query.
    pub url: String,
    method: String,
    // In the order in which they are given back: each holds the next.
    stream: Option<InputStream>,
    _body: Option<IncomingBody>,
    _response: IncomingResponse,
}

impl Answer {
    pub(super) fn new(method: String, url: String, response: IncomingResponse) -> Self {
        let mut headers = response.headers().entries();
        headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        let body = response.consume().ok();
        let stream = body.as_ref().and_then(|body| body.stream().ok());
        let status = response.status();
        Self { status, headers, url, method, stream, _body: body, _response: response }
    }

    /// A status of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer if its status is one of success.
    ///
    /// # Errors
    /// `Status`.
    pub fn expect_success(self) -> Result<Self, HttpError> {
        match self.is_success() {
            true => Ok(self),
            false => Err(self.error(HttpFault::Status(self.status))),
        }
    }

    /// The first header of that name, which is in small letters; bytes that are not UTF-8 are replaced.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        Some(String::from_utf8_lossy(value))
    }

    /// The next piece of the body, as soon as there is one; `None`: it is whole.
    ///
    /// # Errors
    /// `BrokenOff`, `Timeout`, `TooLarge` (more than the host lets through), `Protocol`.
    pub fn read(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        while let Some(stream) = &self.stream {
            match stream.blocking_read(READ_BYTES) {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => return Ok(Some(piece)),
                Err(StreamError::Closed) => self.stream = None,
                Err(StreamError::LastOperationFailed(error)) => {
                    let fault = http_error_code(&error).map_or(HttpFault::BrokenOff, HttpFault::from);
                    drop(error);
                    self.stream = None;
                    return Err(self.error(fault));
                }
            }
        }
        Ok(None)
    }

    /// The whole body.
    ///
    /// # Errors
    /// `TooLarge` above `bytes_max`, and what [`Self::read`] has.
    pub fn bytes(mut self, bytes_max: usize) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.read()? {
            if bytes.len() + piece.len() > bytes_max {
                return Err(self.error(too_large(bytes_max)));
            }
            bytes.extend(piece);
        }
        Ok(bytes)
    }

    /// The whole body as text; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// What [`Self::bytes`] has.
    pub fn text(self) -> Result<String, HttpError> {
        let bytes = self.bytes(ANSWER_BYTES_MAX)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned()))
    }

    /// The whole body as JSON. Needs the feature `json`.
    ///
    /// # Errors
    /// `Protocol`: it is not JSON of that type; what [`Self::bytes`] has.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, HttpError> {
        let (method, url) = (self.method.clone(), self.url.clone());
        let bytes = self.bytes(ANSWER_BYTES_MAX)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let fault = HttpFault::Protocol(format!("its JSON: {error}"));
            HttpError { method, url, fault }
        })
    }

    /// The body line by line, each as soon as it has come; of server-sent events those that begin with `data:` are what
    /// was sent.
    pub fn lines(self) -> Lines {
        Lines { answer: self, splitter: Splitter::default(), ended: false }
    }

    fn error(&self, fault: HttpFault) -> HttpError {
        HttpError { method: self.method.clone(), url: self.url.clone(), fault }
    }
}

fn too_large(bytes_max: usize) -> HttpFault {
    HttpFault::TooLarge(u64::try_from(bytes_max).ok())
}

/// Lines of an answer, without their ends, of at most 1 MiB.
#[derive(Debug)]
pub struct Lines {
    answer: Answer,
    splitter: Splitter,
    ended: bool,
}

impl Iterator for Lines {
    type Item = Result<String, HttpError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(line) = self.splitter.line() {
                return Some(Ok(line));
            }
            if self.ended {
                return None;
            }
            match self.answer.read() {
                Ok(Some(piece)) => self.splitter.push(&piece),
                Ok(None) => {
                    self.ended = true;
                    return self.splitter.rest().map(Ok);
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
            if self.splitter.is_too_long() {
                self.ended = true;
                self.splitter = Splitter::default();
                return Some(Err(self.answer.error(too_large(LINE_BYTES_MAX))));
            }
        }
    }
}
