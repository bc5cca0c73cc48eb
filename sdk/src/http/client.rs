//! Asking others.
//!
//! In -> out: what a plugin wants to ask -> wasi's request -> [`Answer`].
//! Limits: 5 redirects, unless the caller says otherwise; the host's on top.
//! Invariant: every request, also one that a redirect leads to, goes through the rules of the permission `http`.
//! Not here: what a redirect changes (`redirect.rs`), reading (`answer.rs`).

use std::time::Duration;

use super::answer::Answer;
use super::error::{HttpError, HttpFault};
use super::redirect::Whole;
use super::url::{Scheme, Url};
use crate::bindings::capabilities::wasi::http::outgoing_handler;
use crate::bindings::capabilities::wasi::http::types::{
    Fields, FutureIncomingResponse, HeaderError, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme as WitScheme,
};
use crate::bindings::capabilities::wasi::io::streams::OutputStream;

const REDIRECTS_MAX: u32 = 5;
const REDIRECT_BYTES_MAX: usize = 64 * 1024;
/// What the host takes in one write.
const WRITE_BYTES_MAX: usize = 4096;

pub fn get(url: impl Into<String>) -> Outgoing {
    request("GET", url)
}

pub fn head(url: impl Into<String>) -> Outgoing {
    request("HEAD", url)
}

pub fn post(url: impl Into<String>) -> Outgoing {
    request("POST", url)
}

pub fn put(url: impl Into<String>) -> Outgoing {
    request("PUT", url)
}

pub fn patch(url: impl Into<String>) -> Outgoing {
    request("PATCH", url)
}

pub fn delete(url: impl Into<String>) -> Outgoing {
    request("DELETE", url)
}

/// `method`: in capitals. `url`: `https://host/path?query`, encoded as it is to go over the wire.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> Outgoing {
    Outgoing {
        method: method.into(),
        url: url.into(),
        headers: Vec::new(),
        body: Vec::new(),
        wrong: None,
        timeout: None,
        redirects: REDIRECTS_MAX,
    }
}

/// A request that was not sent yet: `http::post(url).header("accept", "text/plain").body(text).send()?`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Outgoing {
    method: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// What could not be put into it.
    wrong: Option<String>,
    timeout: Option<Duration>,
    redirects: u32,
}

impl Outgoing {
    /// One more header. The host sets `host`, and `idempotency-key` where a request of that method changes something and has
    /// none.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        let mut name = name.into();
        name.make_ascii_lowercase();
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// A body of JSON, with its `content-type`. Needs the feature `json`.
    #[cfg(feature = "json")]
    pub fn json(mut self, body: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body = bytes,
            Err(error) => self.wrong = Some(format!("the body is no JSON: {error}")),
        }
        self.header("content-type", "application/json")
    }

    /// How long to wait for the connection, for the first byte of the answer, and for each further piece; without it as long
    /// as the call may last.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many redirects to follow; 0: the redirect is the answer.
    pub fn redirects(mut self, most: u32) -> Self {
        self.redirects = most;
        self
    }

    /// Sends it, and the requests that redirects lead to; comes back as soon as status and headers have come.
    ///
    /// # Errors
    /// Why there is no answer; every status is one.
    pub fn send(self) -> Result<Answer, HttpError> {
        let (timeout, redirects) = (self.timeout, self.redirects);
        let (mut whole, mut followed) = (self.whole()?, 0);
        loop {
            let mut upload = Upload::begin(&whole, Some(whole.body.len()), timeout)?;
            // Who answers before it has everything has answered.
            let _ = upload.write(&whole.body);
            let answer = upload.finish()?;
            if redirects == 0 {
                return Ok(answer);
            }
            let next = whole.redirected(answer.status, answer.header("location").as_deref());
            let Some(next) = next.map_err(|fault| error(&whole, fault))? else { return Ok(answer) };
            if followed == redirects {
                let fault = HttpFault::Redirect(format!("{redirects} were followed already"));
                return Err(error(&whole, fault));
            }
            followed += 1;
            // What a redirect says to people; read so that its exchange has an end.
            let _ = answer.bytes(REDIRECT_BYTES_MAX);
            whole = next;
        }
    }

    /// Begins to send it, the body in pieces; a redirect is the answer, since what was sent is gone.
    ///
    /// # Errors
    /// Why nothing was sent.
    pub fn start(self) -> Result<Upload, HttpError> {
        let timeout = self.timeout;
        let mut whole = self.whole()?;
        let first = std::mem::take(&mut whole.body);
        let mut upload = Upload::begin(&whole, None, timeout)?;
        upload.write(&first)?;
        Ok(upload)
    }

    fn whole(self) -> Result<Whole, HttpError> {
        let Self { method, url, headers, body, wrong, .. } = self;
        let invalid = |why: String| {
            let url = url.split(['?', '#']).next().unwrap_or_default().to_owned();
            HttpError { method: method.clone(), url, fault: HttpFault::Invalid(why) }
        };
        if let Some(why) = wrong {
            return Err(invalid(why));
        }
        let url = Url::parse(&url).map_err(|why| invalid(format!("the URL {why}")))?;
        Ok(Whole { method, url, headers, body })
    }
}

fn error(whole: &Whole, fault: HttpFault) -> HttpError {
    HttpError { method: whole.method.clone(), url: whole.url.to_string(), fault }
}

/// A request whose body is being sent.
#[derive(Debug)]
pub struct Upload {
    method: String,
    url: String,
    // In the order in which they are given back: the stream is the body's.
    stream: Option<OutputStream>,
    body: Option<OutgoingBody>,
    answer: FutureIncomingResponse,
}

impl Upload {
    /// `length`: of the body, where it is known.
    fn begin(whole: &Whole, length: Option<usize>, timeout: Option<Duration>) -> Result<Self, HttpError> {
        let invalid = |why: &str| error(whole, HttpFault::Invalid(why.to_owned()));
        let mut headers = whole.headers.clone();
        let has_none = length == Some(0) && !matches!(whole.method.as_str(), "POST" | "PUT" | "PATCH");
        if let Some(length) = length.filter(|_| !has_none) {
            headers.retain(|(name, _)| name != "content-length");
            headers.push(("content-length".to_owned(), length.to_string().into_bytes()));
        }
        let headers = Fields::from_list(&headers).map_err(|wrong| {
            invalid(match wrong {
                HeaderError::Forbidden => "a header is the host's own to set",
                _ => "a header has a name or value that cannot be sent",
            })
        })?;
        let request = OutgoingRequest::new(headers);
        let scheme = match whole.url.scheme {
            Scheme::Https => WitScheme::Https,
            Scheme::Http => WitScheme::Http,
        };
        let fits = request
            .set_method(&method(&whole.method))
            .and_then(|()| request.set_scheme(Some(&scheme)))
            .and_then(|()| request.set_authority(Some(&whole.url.authority)))
            .and_then(|()| request.set_path_with_query(Some(&whole.url.path_with_query)));
        fits.map_err(|()| invalid("the method or the URL is none"))?;
        let body = request.body().map_err(|()| invalid("the body was taken already"))?;
        let options = timeout.map(options);
        let sent = outgoing_handler::handle(request, options);
        let answer = sent.map_err(|code| error(whole, code.into()))?;
        let stream = body.write().ok();
        let (method, url) = (whole.method.clone(), whole.url.to_string());
        Ok(Self { method, url, stream, body: Some(body), answer })
    }

    /// Sends a piece of the body.
    ///
    /// # Errors
    /// `BrokenOff`: it is not taken any more; [`Self::finish`] says what was answered, or why not.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), HttpError> {
        for part in piece.chunks(WRITE_BYTES_MAX) {
            let taken = self.stream.as_ref().map(|stream| stream.blocking_write_and_flush(part));
            if !matches!(taken, Some(Ok(()))) {
                self.stream = None;
                return Err(self.error(HttpFault::BrokenOff));
            }
        }
        Ok(())
    }

    /// Ends the body and waits for the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub fn finish(mut self) -> Result<Answer, HttpError> {
        let is_whole = self.stream.take().is_some();
        // One that is not whole must not look so.
        let ended = self.body.take().filter(|_| is_whole).map(|body| OutgoingBody::finish(body, None));
        loop {
            match self.answer.get() {
                Some(Ok(Ok(response))) => return Ok(Answer::new(self.method, self.url, response)),
                Some(Ok(Err(code))) => return Err(self.error(code.into())),
                Some(Err(())) => return Err(self.error(HttpFault::BrokenOff)),
                None => match ended {
                    Some(Err(code)) => return Err(self.error(code.into())),
                    _ => self.answer.subscribe().block(),
                },
            }
        }
    }

    fn error(&self, fault: HttpFault) -> HttpError {
        HttpError { method: self.method.clone(), url: self.url.clone(), fault }
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn options(timeout: Duration) -> RequestOptions {
    let nanoseconds = Some(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX).max(1));
    let options = RequestOptions::new();
    // What a host does not know it does not keep to; the call's own time ends the request then.
    let _ = options.set_connect_timeout(nanoseconds);
    let _ = options.set_first_byte_timeout(nanoseconds);
    let _ = options.set_between_bytes_timeout(nanoseconds);
    options
}
