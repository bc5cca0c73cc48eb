//! The fake of what is outside: answers by its mood, or as scripted, and remembers what it was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use orch_trust::permission::HttpTarget;
use serde::{Deserialize, Serialize};
use wasmtime_wasi_http::{Error, WasiBody};

use super::backend::{Egress, EgressLimits, Failed, Outgoing};
use crate::capability::effect::Boxed;
use crate::capability::mood::{Mood, lock, remember};

const HUGE: usize = 1024 * 1024;

/// An answer that a test wrote down, or that it does not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptedAnswer {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Nobody answers, for that reason.
    Fault(ScriptedFault),
}

/// Why nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptedFault {
    /// The name leads nowhere.
    Dns,
    /// It leads to a private address.
    Prohibited,
    Refused,
    /// The certificate is another's.
    Certificate,
    Timeout,
    /// The connection ends before the answer does.
    BrokenOff,
}

impl ScriptedAnswer {
    /// As the guest gets it.
    pub(super) fn response(self) -> Result<Response<WasiBody>, Failed> {
        let (status, headers, body) = match self {
            Self::Answer { status, headers, body } => (status, headers, body),
            Self::Fault(fault) => {
                return Err(Failed::new(fault.error(), format!("the fake's fault: {fault:?}")));
            }
        };
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
        let wrong = |error: http::Error| Failed::new(Error::HttpProtocolError, error.to_string());
        response.body(body).map_err(wrong)
    }
}

impl ScriptedFault {
    /// The fault that a case writes for that error, if there is one.
    pub(super) fn of(error: &Error) -> Option<Self> {
        Some(match error {
            Error::DestinationNotFound | Error::DnsError { .. } => Self::Dns,
            Error::DestinationIpProhibited => Self::Prohibited,
            Error::ConnectionRefused => Self::Refused,
            Error::TlsCertificateError => Self::Certificate,
            Error::ConnectionTimeout | Error::ConnectionReadTimeout => Self::Timeout,
            Error::HttpResponseIncomplete | Error::ConnectionTerminated => Self::BrokenOff,
            _ => return None,
        })
    }

    fn error(self) -> Error {
        match self {
            Self::Dns => Error::DestinationNotFound,
            Self::Prohibited => Error::DestinationIpProhibited,
            Self::Refused => Error::ConnectionRefused,
            Self::Certificate => Error::TlsCertificateError,
            Self::Timeout => Error::ConnectionReadTimeout,
            Self::BrokenOff => Error::HttpResponseIncomplete,
        }
    }
}

/// A request that a fake was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRequest {
    pub target: HttpTarget,
    pub query: Option<String>,
    /// Names in small letters, in their order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Default)]
pub struct FakeHttp {
    mood: Mood,
    script: Arc<Mutex<Option<VecDeque<ScriptedAnswer>>>>,
    sent: Arc<Mutex<Vec<SentRequest>>>,
}

impl FakeHttp {
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood, ..Self::default() }
    }

    /// With these answers, in that order; whoever asks more often gets none.
    pub(crate) fn scripted(answers: impl IntoIterator<Item = ScriptedAnswer>) -> Self {
        Self { script: Arc::new(Mutex::new(Some(answers.into_iter().collect()))), ..Self::default() }
    }

    pub(crate) fn sent(&self) -> Vec<HttpTarget> {
        lock(&self.sent).iter().map(|sent| sent.target.clone()).collect()
    }

    /// Every request, whole.
    pub fn requests(&self) -> Vec<SentRequest> {
        lock(&self.sent).clone()
    }

    fn answer(mood: Mood) -> ScriptedAnswer {
        let answer = |status: u16, body: &[u8]| ScriptedAnswer::Answer {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_vec(),
        };
        match mood {
            Mood::Good => answer(200, b"{}"),
            Mood::Empty => answer(204, b""),
            Mood::Failing => answer(500, b"{\"error\":\"the fake fails\"}"),
            Mood::Missing => answer(404, b""),
            Mood::Full => answer(429, b""),
            Mood::Garbage => answer(200, b"\xff\xfe{\"\x00"),
            Mood::Huge => answer(200, &vec![b' '; HUGE]),
            Mood::Killed | Mood::TimedOut | Mood::Unavailable | Mood::Closed => {
                ScriptedAnswer::Fault(ScriptedFault::Refused)
            }
        }
    }
}

impl Egress for FakeHttp {
    fn limits(&self) -> EgressLimits {
        EgressLimits { requests: 1000, sent_bytes: 64 << 20, received_bytes: 64 << 20 }
    }

    fn send(
        &self,
        _plugin: Arc<str>,
        outgoing: Outgoing,
    ) -> Boxed<'static, Result<Response<WasiBody>, Failed>> {
        let (mood, script, sent) = (self.mood, self.script.clone(), self.sent.clone());
        Box::pin(async move {
            let (parts, body) = outgoing.request.into_parts();
            let body = body.collect().await.map_err(|error| {
                let why = error.to_string();
                Failed::new(error, why)
            })?;
            let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
            let request = SentRequest {
                target: outgoing.target,
                query: parts.uri.query().map(str::to_owned),
                headers: headers.filter(|(name, _)| name != "host").collect(),
                body: body.to_bytes().to_vec(),
            };
            remember(&sent, request);
            let answer = match &mut *lock(&script) {
                Some(script) => script.pop_front().unwrap_or(ScriptedAnswer::Fault(ScriptedFault::Refused)),
                None => Self::answer(mood),
            };
            answer.response()
        })
    }
}
