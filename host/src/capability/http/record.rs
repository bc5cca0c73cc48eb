//! Real answers for an author's cases: each request goes out through a door, and what is answered is kept.
//!
//! In -> out: a request that a rule has -> the door -> its answer, masked -> [`ScriptedAnswer`], for the guest and for the case.
//! Limits: 1 MiB of a request's body or an answer's; so many requests as a call may have.
//! Invariant: the guest is answered what is kept, so that the case has the same answers; no header of a request is kept, and of
//! an answer none that lets somebody in and no word.
//! Not here: who may be asked, and masking (`http.rs`), the file that it is written to (`orch-plugin`'s `case/recording.rs`).

use std::sync::{Arc, Mutex};

use http::header::{self, HeaderName};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::{Error, WasiBody};

use super::backend::{Egress, EgressLimits, Failed, Outgoing};
use super::fake::{ScriptedAnswer, ScriptedFault, SentRequest};
use crate::capability::effect::Boxed;
use crate::capability::mood::lock;
use crate::capability::secrets::placeholders::hide_words;

const BODY_BYTES_MAX: u64 = 1 << 20;

/// What lets somebody in, and what is about a connection only.
const LEFT_OUT: [HeaderName; 8] = [
    header::SET_COOKIE,
    header::COOKIE,
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("authentication-info"),
    HeaderName::from_static("proxy-authentication-info"),
    header::TRANSFER_ENCODING,
    header::CONNECTION,
];

/// Why an exchange is in no case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request {number}, `{request}`: {why}")]
pub struct Unkept {
    /// From 1 on.
    pub number: usize,
    pub request: String,
    pub why: String,
}

type Kept = Result<(SentRequest, Option<ScriptedAnswer>), Unkept>;

/// A door that keeps what passes.
pub struct Recorder {
    door: Arc<dyn Egress>,
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// Which of what is kept an answer is for.
#[derive(Clone, Copy)]
struct Place(usize);

impl Recorder {
    pub fn new(door: Arc<dyn Egress>) -> Arc<Self> {
        Arc::new(Self { door, kept: Arc::default() })
    }

    /// Each request with its answer, in the order in which they were made.
    ///
    /// # Errors
    /// The first that cannot be kept.
    pub fn exchanges(&self) -> Result<Vec<(SentRequest, ScriptedAnswer)>, Unkept> {
        let kept = lock(&self.kept).clone();
        let whole = |(index, kept): (usize, Kept)| match kept? {
            (sent, Some(answer)) => Ok((sent, answer)),
            (sent, None) => Err(unkept(index, &sent, "the plugin had no answer of it")),
        };
        kept.into_iter().enumerate().map(whole).collect()
    }
}

fn unkept(index: usize, sent: &SentRequest, why: impl Into<String>) -> Unkept {
    Unkept { number: index + 1, request: sent.target.to_string(), why: why.into() }
}

/// Puts an answer, or why there is none that could be kept, where its request is.
fn keep(kept: &Mutex<Vec<Kept>>, place: Place, answer: Result<ScriptedAnswer, String>) {
    let mut kept = lock(kept);
    let Some(slot) = kept.get_mut(place.0) else { return };
    let Ok((sent, waits)) = slot else { return };
    match answer {
        Ok(answer) => *waits = Some(answer),
        Err(why) => *slot = Err(unkept(place.0, sent, why)),
    }
}

/// The fault that stands for that error.
fn faulty(error: &Error, why: &str) -> Result<ScriptedAnswer, String> {
    let fault = ScriptedFault::of(error).map(ScriptedAnswer::Fault);
    fault.ok_or_else(|| format!("a case has no fault for this: {why}"))
}

impl Egress for Recorder {
    fn limits(&self) -> EgressLimits {
        EgressLimits { sent_bytes: BODY_BYTES_MAX, received_bytes: BODY_BYTES_MAX, ..self.door.limits() }
    }

    fn send(
        &self,
        plugin: Arc<str>,
        outgoing: Outgoing,
    ) -> Boxed<'static, Result<Response<WasiBody>, Failed>> {
        let (door, kept) = (self.door.clone(), self.kept.clone());
        Box::pin(async move {
            let (parts, body) = outgoing.request.into_parts();
            let mut sent = SentRequest {
                target: outgoing.target.clone(),
                query: parts.uri.query().map(str::to_owned),
                headers: Vec::new(),
                body: Vec::new(),
            };
            let place = {
                let mut kept = lock(&kept);
                kept.push(Ok((sent.clone(), None)));
                Place(kept.len() - 1)
            };
            // Counted on its way here.
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).map_err(|error| {
                let why = error.to_string();
                keep(&kept, place, Err(format!("its body was not sent: {why}")));
                Failed::new(error, why)
            })?;
            sent.body = body.to_vec();
            if let Some(slot) = lock(&kept).get_mut(place.0) {
                *slot = Ok((sent, None));
            }
            let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
            let outgoing = Outgoing { request: http::Request::from_parts(parts, body), ..outgoing };
            match door.send(plugin, outgoing).await {
                Ok(mut answer) => {
                    answer.extensions_mut().insert(place);
                    Ok(answer)
                }
                Err(failed) => {
                    let fault = faulty(&failed.error, &failed.why);
                    keep(&kept, place, fault.clone());
                    fault.map_or(Err(failed), ScriptedAnswer::response)
                }
            }
        })
    }

    fn answered(&self, answer: Response<WasiBody>) -> Boxed<'static, Result<Response<WasiBody>, Error>> {
        let kept = self.kept.clone();
        Box::pin(async move {
            let (parts, body) = answer.into_parts();
            let place = parts.extensions.get::<Place>().copied();
            let place = place.ok_or_else(|| Error::InternalError(Some("an answer of nobody".to_owned())))?;
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => {
                    let why = match &error {
                        Error::HttpResponseBodySize(_) => {
                            format!("more than {BODY_BYTES_MAX} bytes came back")
                        }
                        other => other.to_string(),
                    };
                    let fault = faulty(&error, &why);
                    keep(&kept, place, fault.clone());
                    let told = |fault: ScriptedAnswer| fault.response().map_err(|failed| failed.error);
                    return fault.map_or(Err(error), told);
                }
            };
            let answer = headers(&parts.headers).map(|mut headers| {
                let hidden = hide_words(&body);
                headers.retain(|(name, _)| name != header::CONTENT_LENGTH.as_str() || hidden == body);
                ScriptedAnswer::Answer { status: parts.status.as_u16(), headers, body: hidden }
            });
            keep(&kept, place, answer.clone());
            let unkept = |why: String| Error::InternalError(Some(why));
            answer.map_err(unkept)?.response().map_err(|failed| failed.error)
        })
    }
}

/// Each name once, as a case has them.
fn headers(found: &HeaderMap) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::new();
    for name in found.keys().filter(|name| !LEFT_OUT.contains(name)) {
        let texts: Result<Vec<_>, _> = found.get_all(name).iter().map(|value| value.to_str()).collect();
        let text = texts.map_err(|_| format!("its header `{name}` is no text"))?.join(", ");
        headers.push((name.to_string(), String::from_utf8_lossy(&hide_words(text.as_bytes())).into_owned()));
    }
    headers.sort();
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_lets_somebody_in_is_left_out_words_are_hidden_and_names_are_there_once() {
        let mut found = HeaderMap::new();
        for name in LEFT_OUT {
            found.insert(name, HeaderValue::from_static("Bearer abc"));
        }
        let word = format!("x orch-secret-{} y orch-secret-{}", "0a".repeat(16), "0a".repeat(15));
        found.append("x-two", HeaderValue::from_static("b"));
        found.append("x-two", HeaderValue::from_static("a"));
        found.append("x-one", HeaderValue::from_str(&word).unwrap());
        let expected = [
            ("x-one".to_owned(), format!("x *** y orch-secret-{}", "0a".repeat(15))),
            ("x-two".to_owned(), "b, a".to_owned()),
        ];
        assert_eq!(headers(&found).unwrap(), expected);
        found.append("x-raw", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(headers(&found).unwrap_err(), "its header `x-raw` is no text");
    }
}
