//! One request and its answer, counted, and all those of a call.
//!
//! In -> out: bodies as they pass -> what went over the wire, recorded once for each request.
//! Limits: bytes each way; what the mask holds waits [`QUIET`] for what follows.
//! Invariant: an exchange is recorded when its answer is read to the end, when it fails, or when its call ends.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use orch_journal::event::HttpExchange;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, mpsc};
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, WasiBody};

use super::backend::Failed;
use crate::capability::effect::{Boxed, EffectGate, EffectRecord, GateClosed};
use crate::capability::secrets::Mask;
use crate::capability::secrets::placeholders::Placeholders;

/// Longer than a network takes to send a lost piece again: else a value that was sent in one piece could come in two.
const QUIET: Duration = Duration::from_secs(1);
/// Denials that a call keeps.
const DENIED_MAX: usize = 100;

/// What all requests of one call share.
pub(super) struct Traffic {
    gate: Arc<dyn EffectGate>,
    intent: OnceCell<()>,
    /// Held by each exchange; closed when there is none.
    going_on: Mutex<Option<mpsc::Sender<Infallible>>>,
    ended: Mutex<mpsc::Receiver<Infallible>>,
    left: Mutex<Left>,
}

/// What a call's requests leave.
#[derive(Default)]
pub(super) struct Left {
    pub(super) denied: Vec<String>,
    /// Why the last one that failed did.
    pub(super) reason: Option<String>,
    pub(super) intended: bool,
    /// Of exchanges that nobody read to the end.
    unrecorded: Vec<EffectRecord>,
}

impl Traffic {
    pub(super) fn new(gate: Arc<dyn EffectGate>) -> Arc<Self> {
        let (going_on, ended) = mpsc::channel(1);
        Arc::new(Self {
            gate,
            intent: OnceCell::new(),
            going_on: Mutex::new(Some(going_on)),
            ended: Mutex::new(ended),
            left: Mutex::default(),
        })
    }

    fn left(&self) -> std::sync::MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn deny(&self, line: String) {
        let mut left = self.left();
        left.reason = Some(line.clone());
        if left.denied.len() < DENIED_MAX {
            left.denied.push(line);
        }
    }

    /// Records the call's intent before its first request; every other one waits until it is durable.
    pub(super) async fn intend(&self, intent: EffectRecord) -> Result<(), Error> {
        let recorded = self.intent.get_or_try_init(|| async {
            self.gate.record(intent).await?;
            self.left().intended = true;
            Ok::<(), GateClosed>(())
        });
        recorded.await.map_err(closed)?;
        Ok(())
    }

    pub(super) async fn record(&self, effect: EffectRecord) -> Result<(), Error> {
        self.gate.record(effect).await.map_err(closed)
    }

    /// Waits until nothing goes on; records what nobody has recorded.
    pub(super) async fn settle(&self) -> Left {
        drop(self.going_on.lock().unwrap_or_else(PoisonError::into_inner).take());
        std::future::poll_fn(|waker| {
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.poll_recv(waker).map(|_| ())
        })
        .await;
        let left = std::mem::take(&mut *self.left());
        for effect in &left.unrecorded {
            // A gate that is closed belongs to who is gone.
            if self.gate.record(effect.clone()).await.is_err() {
                break;
            }
        }
        left
    }
}

fn closed(_: GateClosed) -> Error {
    Error::InternalError(Some("the call was ended by the host".to_owned()))
}

/// One side of an exchange.
#[derive(Default)]
struct Side {
    bytes: u64,
    sha256: Sha256,
}

impl Side {
    fn pass(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.sha256.update(chunk);
    }

    fn digest(&self) -> String {
        hex::encode(self.sha256.clone().finalize())
    }
}

/// A request that goes on.
pub(super) struct Exchange {
    traffic: Arc<Traffic>,
    _going_on: Option<mpsc::Sender<Infallible>>,
    plugin: Arc<str>,
    request: u32,
    begun: Instant,
    status: Option<u16>,
    fault: Option<String>,
    sent: Arc<Mutex<Side>>,
    received: Side,
    is_recorded: bool,
}

impl Exchange {
    pub(super) fn begin(traffic: Arc<Traffic>, plugin: Arc<str>, request: u32) -> Self {
        let going_on = traffic.going_on.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self {
            traffic,
            _going_on: going_on,
            plugin,
            request,
            begun: Instant::now(),
            status: None,
            fault: Some("the call ended before it was over".to_owned()),
            sent: Arc::default(),
            received: Side::default(),
            is_recorded: false,
        }
    }

    pub(super) fn counting_sent(&self, request: Request<WasiBody>, bytes_max: u64) -> Request<WasiBody> {
        let sent = self.sent.clone();
        request.map(|body| Sent { body, sent, bytes_max }.boxed_unsync())
    }

    pub(super) fn counting_received(
        mut self,
        response: Response<WasiBody>,
        bytes_max: u64,
        placeholders: &Arc<Placeholders>,
    ) -> Response<WasiBody> {
        self.status = Some(response.status().as_u16());
        let (mut parts, body) = response.into_parts();
        hide(&mut parts.headers, placeholders);
        // Whose mask may shorten it has no length yet; what is empty stays so.
        if placeholders.may_hide() && body.size_hint().exact() != Some(0) {
            parts.headers.remove(header::CONTENT_LENGTH);
        }
        let (mask, placeholders) = (Some(placeholders.mask()), placeholders.clone());
        let body = Received {
            body,
            exchange: self,
            bytes_max,
            mask,
            placeholders,
            quiet: None,
            trailers: None,
            recording: None,
        };
        Response::from_parts(parts, body.boxed_unsync())
    }

    /// What the guest is told.
    pub(super) fn failed(mut self, failed: Failed) -> Error {
        self.fault(failed.why);
        failed.error
    }

    /// For the operator.
    fn fault(&mut self, why: String) {
        self.traffic.left().reason = Some(why.clone());
        self.fault = Some(why);
    }

    fn ended(&mut self) -> EffectRecord {
        self.is_recorded = true;
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        EffectRecord::HttpEnded {
            plugin: self.plugin.to_string(),
            request: self.request,
            exchange: HttpExchange {
                status: self.status,
                fault: self.fault.take(),
                sent: sent.bytes,
                received: self.received.bytes,
                sent_sha256: sent.digest(),
                received_sha256: self.received.digest(),
                ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            },
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_recorded {
            let ended = self.ended();
            self.traffic.left().unrecorded.push(ended);
        }
    }
}

/// The body of a request.
struct Sent {
    body: WasiBody,
    sent: Arc<Mutex<Side>>,
    bytes_max: u64,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(waker));
        if let Some(chunk) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            if sent.bytes + chunk.len() as u64 > self.bytes_max {
                return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.bytes_max)))));
            }
            sent.pass(chunk);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Hides what these headers have of secrets.
fn hide(headers: &mut HeaderMap, placeholders: &Arc<Placeholders>) {
    let tells =
        |name: &&HeaderName| placeholders.masked(name.as_str().as_bytes()) != name.as_str().as_bytes();
    let telling: Vec<_> = headers.keys().filter(tells).cloned().collect();
    for name in telling {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        let masked = placeholders.masked(value.as_bytes());
        if masked != value.as_bytes() {
            *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static("***"));
        }
    }
}

/// The body of an answer, masked; at its end what passed is recorded.
struct Received {
    body: WasiBody,
    exchange: Exchange,
    bytes_max: u64,
    /// None once the body is at its end.
    mask: Option<Mask>,
    placeholders: Arc<Placeholders>,
    /// Runs while the mask holds something and nothing comes.
    quiet: Option<Pin<Box<Sleep>>>,
    /// They wait for what the mask held.
    trailers: Option<HeaderMap>,
    recording: Option<Boxed<'static, Result<(), GateClosed>>>,
}

impl Received {
    fn pass(&mut self, chunk: Bytes) -> Result<Frame<Bytes>, Error> {
        self.exchange.received.pass(&chunk);
        if self.exchange.received.bytes > self.bytes_max {
            let most = self.bytes_max;
            self.exchange.fault(format!("more than {most} bytes came back (`received_mib` of `[egress]`)"));
            self.body = ended();
            return Err(Error::HttpResponseBodySize(Some(most)));
        }
        Ok(Frame::data(chunk))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        while this.recording.is_none() && !this.exchange.is_recorded {
            let frame = match this.trailers.take() {
                Some(trailers) => Some(Ok(Frame::trailers(trailers))),
                None => match Pin::new(&mut this.body).poll_frame(waker) {
                    Poll::Ready(frame) => {
                        this.quiet = None;
                        frame
                    }
                    Poll::Pending => {
                        let Some(mask) = this.mask.as_mut().filter(|mask| mask.holds()) else {
                            return Poll::Pending;
                        };
                        let quiet = this.quiet.get_or_insert_with(|| Box::pin(tokio::time::sleep(QUIET)));
                        ready!(quiet.as_mut().poll(waker));
                        let held = mask.flush();
                        return Poll::Ready(Some(this.pass(held)));
                    }
                },
            };
            let chunk = match frame {
                Some(Err(error)) => {
                    this.exchange.fault(error.to_string());
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(chunk) => match &mut this.mask {
                        Some(mask) => mask.push(chunk),
                        None => chunk,
                    },
                    Err(last) => {
                        let mut trailers = last.into_trailers().unwrap_or_default();
                        let Some(mask) = this.mask.take() else {
                            hide(&mut trailers, &this.placeholders);
                            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                        };
                        this.trailers = Some(trailers);
                        mask.end()
                    }
                },
                None => match this.mask.take() {
                    Some(mask) => mask.end(),
                    None => {
                        this.exchange.fault = None;
                        let (effect, gate) = (this.exchange.ended(), this.exchange.traffic.gate.clone());
                        this.recording = Some(Box::pin(async move { gate.record(effect).await }));
                        continue;
                    }
                },
            };
            // Nothing yet: it waits for what follows.
            if !chunk.is_empty() {
                return Poll::Ready(Some(this.pass(chunk)));
            }
        }
        if let Some(recording) = &mut this.recording {
            let recorded = ready!(recording.as_mut().poll(waker));
            this.recording = None;
            if let Err(error) = recorded {
                return Poll::Ready(Some(Err(closed(error))));
            }
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self.placeholders.may_hide() {
            true => http_body::SizeHint::default(),
            false => self.body.size_hint(),
        }
    }
}

fn ended() -> WasiBody {
    http_body_util::Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync()
}
