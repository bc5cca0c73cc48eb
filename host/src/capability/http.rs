//! `wasi:http/outgoing-handler`: requests that plugins make of others.
//!
//! In -> out: a guest's request -> its target, in one spelling -> a rule has it -> [`Egress`] -> the answer, as it comes.
//! Limits: requests a call, bytes each way (`policy.toml`'s `[egress]`); time: the call's.
//! Invariant: nothing is sent that no rule has, nor before its intent is durable; words of secrets are filled in for the host
//! that they are bound to and nowhere else, and answers masked; with its call every request ends, and what became of it is
//! recorded.
//! Not here: addresses, TLS, connections (`egress.rs`), what rules mean (`orch-trust`'s `permission/http.rs`).

pub mod backend;
mod exchange;
pub(crate) mod fake;
pub mod record;

use std::sync::Arc;
use std::time::Instant;

use ::http::{HeaderMap, HeaderValue, header};
use orch_trust::interfaces::Import;
use orch_trust::permission::{DomainName, HttpHost, HttpPermission, HttpScheme, HttpTarget, TargetError};
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler;
use wasmtime_wasi_http::{
    Error, RequestOptions, Result, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
};

use super::effect::{EffectRecord, HttpRequest};
use super::environment::HostEnvironment;
use super::ledger::Ledger;
use super::secrets::Destination;
use super::secrets::placeholders::Placeholders;
use super::shape::{Capability, Holds, Kept, Opening, View};
use super::trial::Watched;
use backend::{Egress, Failed, Outgoing, Times};
use exchange::{Exchange, Traffic};

/// Under which an intent is recorded.
const EFFECT: &str = "http";

/// State of this capability in one store.
pub struct Http {
    sender: Sender,
    ctx: WasiHttpCtx,
}

impl Capability for Http {
    type Permission = HttpPermission;
    type Granted = Arc<HttpPermission>;

    fn grant(permission: HttpPermission, _host: &HostEnvironment) -> Arc<HttpPermission> {
        Arc::new(permission)
    }

    fn open(granted: &Arc<HttpPermission>, opening: Opening<'_>) -> Self {
        let Opening { plugin, lent, placeholders, .. } = opening;
        let sender = Sender {
            granted: granted.clone(),
            plugin: plugin.clone(),
            key: lent.asking.key.clone(),
            egress: lent.egress.clone(),
            placeholders: placeholders.clone(),
            traffic: Traffic::new(lent.effects.clone()),
            requests: 0,
            spends: lent.spending,
            closed: false,
            deadline: Instant::now(),
        };
        Self { sender, ctx: WasiHttpCtx::new() }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        outgoing_handler::add_to_linker::<_, WasiHttp>(linker, |state: &mut S| Self::outgoing(state.view()))
    }

    fn keep(self, _kept: &mut Kept) {}

    fn beyond(granted: Option<&HttpPermission>, watched: &Watched<'_>) -> Vec<String> {
        let allows = |target: &HttpTarget| granted.is_some_and(|granted| granted.allows(target));
        let sent = watched.fakes.http().sent();
        sent.iter().filter(|target| !allows(target)).map(|target| format!("{target} was sent")).collect()
    }
}

impl Http {
    fn outgoing(view: View<'_, Self>) -> WasiHttpCtxView<'_> {
        let wall_left = view.wall_left();
        let View { state: Self { sender, ctx }, table, ledger, .. } = view;
        sender.closed = ledger.is_closed();
        sender.deadline = Instant::now() + wall_left;
        WasiHttpCtxView { hooks: sender, table, ctx }
    }

    /// Waits until nothing of it goes on, records what became of each request, and tells the ledger. The guest's resources
    /// are gone.
    pub(crate) async fn settle(&mut self, ledger: &mut Ledger) {
        let left = self.sender.traffic.settle().await;
        ledger.take_in(left.denied, left.reason, left.intended.then_some(EFFECT));
    }
}

/// Lets requests out.
struct Sender {
    granted: Arc<HttpPermission>,
    plugin: Arc<str>,
    /// Names the call.
    key: Arc<str>,
    egress: Arc<dyn Egress>,
    placeholders: Arc<Placeholders>,
    traffic: Arc<Traffic>,
    requests: u32,
    /// They are spent for who asks.
    spends: bool,
    /// The call used up a limit.
    closed: bool,
    deadline: Instant,
}

type Transfer = Box<dyn Future<Output = Result<()>> + Send>;

impl WasiHttpHooks for Sender {
    fn send_request(
        &mut self,
        request: ::http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _body: Transfer,
    ) -> Box<dyn Future<Output = Result<(::http::Response<WasiBody>, Transfer)>> + Send> {
        let outgoing = self.admit(request, options);
        let (egress, plugin, traffic) = (self.egress.clone(), self.plugin.clone(), self.traffic.clone());
        let (placeholders, spends) = (self.placeholders.clone(), self.spends);
        Box::new(async move {
            let (number, outgoing) = outgoing?;
            traffic.intend(EffectRecord::Intent { domain: DomainName::Http, effect: EFFECT, spends }).await?;
            let asked =
                HttpRequest { plugin: plugin.to_string(), request: number, target: outgoing.target.clone() };
            traffic.record(EffectRecord::HttpRequested(asked)).await?;
            let exchange = Exchange::begin(traffic, plugin.clone(), number);
            let limits = egress.limits();
            let request = exchange.counting_sent(outgoing.request, limits.sent_bytes);
            let to = destination(&outgoing.target);
            let request = filled(request, &to, &placeholders)?;
            let outgoing = Outgoing { request, ..outgoing };
            match egress.send(plugin, outgoing).await {
                Ok(response) => {
                    if placeholders.guards(&to) && !is_plain(response.headers()) {
                        // Without the coding's name: the peer may have put anything there.
                        let why =
                            "the answer is compressed or coded, so that no secret in it could be masked";
                        return Err(exchange.failed(Failed::new(Error::HttpResponseContentCoding(None), why)));
                    }
                    let nothing: Transfer = Box::new(async { Ok(()) });
                    let answer = exchange.counting_received(response, limits.received_bytes, &placeholders);
                    Ok((egress.answered(answer).await?, nothing))
                }
                Err(failed) => Err(exchange.failed(failed)),
            }
        })
    }
}

/// The request with what its words stand for, as far as they are for that target.
fn filled(
    mut request: ::http::Request<WasiBody>,
    to: &Destination,
    placeholders: &Placeholders,
) -> Result<::http::Request<WasiBody>> {
    for value in request.headers_mut().values_mut() {
        let filled = placeholders.fill(value.as_bytes(), to);
        if filled != value.as_bytes() {
            let filled = HeaderValue::from_bytes(&filled);
            *value =
                filled.map_err(|_| Error::HttpRequestHeaderSize { field_name: None, field_size: None })?;
            // So that nothing that shows headers shows this one.
            value.set_sensitive(true);
        }
    }
    if placeholders.guards(to) {
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    Ok(request)
}

fn destination(target: &HttpTarget) -> Destination {
    let loopback_by_rule = matches!(target.host, HttpHost::Address(address) if address.is_loopback());
    let tls = target.scheme == HttpScheme::Https;
    Destination { tls, host: target.host.to_string(), port: target.port, loopback_by_rule }
}

/// True of an answer whose bytes are what they say.
fn is_plain(headers: &HeaderMap) -> bool {
    let named = [header::CONTENT_ENCODING, header::TRANSFER_ENCODING];
    let plain = |one: &[u8]| matches!(one.trim_ascii(), b"" | b"identity" | b"chunked");
    let mut values = named.iter().flat_map(|name| headers.get_all(name));
    values.all(|value| value.as_bytes().to_ascii_lowercase().split(|byte| *byte == b',').all(plain))
}

impl Sender {
    /// The request as it goes out, if a rule has it.
    fn admit(
        &mut self,
        request: ::http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<(u32, Outgoing)> {
        if self.closed {
            return Err(Error::HttpRequestDenied);
        }
        let (scheme, authority) = (request.uri().scheme_str(), request.uri().authority());
        let (method, path) = (request.method().as_str(), request.uri().path());
        let authority = authority.map(|authority| authority.as_str()).unwrap_or_default();
        let target = match HttpTarget::new(method, scheme.unwrap_or_default(), authority, path) {
            Ok(target) => target,
            Err(error) => {
                let url = format!("{method} {}://{authority}{path}", scheme.unwrap_or_default());
                let url: String = url.chars().take(200).collect();
                self.traffic.deny(format!("http: {url}: {error}"));
                return Err(match error {
                    TargetError::Method => Error::HttpRequestMethodInvalid,
                    _ => Error::HttpRequestUriInvalid,
                });
            }
        };
        if !self.granted.allows(&target) {
            let rule = target.rule();
            self.traffic.deny(format!("http: {target}: manifest and policy would need the rule {rule}"));
            return Err(Error::HttpRequestDenied);
        }
        if request.headers().contains_key(header::RANGE) && self.placeholders.guards(&destination(&target)) {
            self.traffic
                .deny(format!("http: {target}: no part (`range`) of what a host with a secret answers"));
            return Err(Error::HttpRequestDenied);
        }
        if self.requests >= self.egress.limits().requests {
            let most = self.egress.limits().requests;
            self.traffic
                .deny(format!("http: more than {most} requests in a call (`requests` of `[egress]`)"));
            return Err(Error::ConnectionLimitReached);
        }
        self.requests += 1;
        let key = format!("{}.h{}", self.key, self.requests);
        let options = options.unwrap_or_default();
        let times = Times {
            connect: options.connect_timeout,
            first_byte: options.first_byte_timeout,
            between_bytes: options.between_bytes_timeout,
            deadline: self.deadline,
        };
        Ok((self.requests, Outgoing { target, request, key, times }))
    }
}

#[cfg(test)]
mod tests;
