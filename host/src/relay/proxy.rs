//! The proxy that programs in a sandbox know by `HTTP_PROXY` and its like.
//!
//! In -> out: `CONNECT host:port` -> a tunnel; `GET http://host/path` and its like -> the answer, as it comes.
//! Limits: 64 KiB and 100 headers of a head.
//! Invariant: a tunnel to a name begins with TLS that names it, or nothing goes through it; a plain request says in `host` whom
//! it goes to; who is refused reads why.
//! Not here: what is spoken within TLS, which nobody between can read.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use orch_trust::permission::{HttpHost, NetworkTarget, TargetError};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::hello::{self, Hello};
use super::tally::{Metered, Tally};
use super::{NotReached, Relay, pipe};

const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;
/// Of one connection and not of what is asked.
const OF_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// A record of TLS 1.2 with a fatal `access_denied`.
pub(super) const ACCESS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];

type Answer = http_body_util::combinators::UnsyncBoxBody<Bytes, hyper::Error>;

/// Of one command.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) relay: Arc<Relay>,
    pub(super) entries: Arc<[String]>,
    pub(super) tally: Arc<Tally>,
}

/// What a connection becomes behind its `CONNECT`.
struct Tunnel {
    upgrade: OnUpgrade,
    theirs: Metered,
    target: NetworkTarget,
}

impl Proxy {
    /// One connection, to its end.
    pub(super) async fn serve(&self, stream: TcpStream) {
        let tunnel = Arc::new(Mutex::new(None));
        let service = hyper::service::service_fn(|request| {
            let (proxy, tunnel) = (self.clone(), tunnel.clone());
            async move { Ok::<_, Infallible>(proxy.answer(request, &tunnel).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.relay.times.head)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        // What is no HTTP is told so by the server itself.
        let _ = connection.await;
        let tunnel = tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(tunnel) = tunnel {
            self.pass(tunnel).await;
        }
    }

    async fn answer(&self, request: Request<Incoming>, tunnel: &Mutex<Option<Tunnel>>) -> Response<Answer> {
        match *request.method() {
            Method::CONNECT => {
                let authority = request.uri().authority().map(|authority| authority.as_str());
                match self.reach(authority.unwrap_or_default(), None).await {
                    Ok((target, theirs)) => {
                        let upgrade = hyper::upgrade::on(request);
                        let made = Tunnel { upgrade, theirs, target };
                        *tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
                        Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync())
                    }
                    Err(answer) => answer,
                }
            }
            _ => self.forward(request).await,
        }
    }

    /// A connection there, or what is answered instead.
    async fn reach(
        &self,
        authority: &str,
        usual_port: Option<u16>,
    ) -> Result<(NetworkTarget, Metered), Response<Answer>> {
        let target = NetworkTarget::parse(authority, usual_port).map_err(|error: TargetError| {
            let shown: String = authority.chars().take(200).collect();
            said(StatusCode::BAD_REQUEST, format!("`{shown}` is no target: {error}"))
        })?;
        if !target.is_in(&self.entries) {
            let why = not_granted(&target);
            self.tally.refuse(&target, &why);
            return Err(said(StatusCode::FORBIDDEN, why));
        }
        match self.relay.reach(&target, &self.tally).await {
            Ok(theirs) => Ok((target, theirs)),
            Err(NotReached::Refused(why)) => Err(said(StatusCode::FORBIDDEN, why)),
            Err(NotReached::Failed(why)) => Err(said(StatusCode::BAD_GATEWAY, why)),
        }
    }

    /// Bytes both ways, behind the first that say whom they are for.
    async fn pass(&self, Tunnel { upgrade, mut theirs, target }: Tunnel) {
        let Ok(upgraded) = upgrade.await else { return };
        let mut ours = TokioIo::new(upgraded);
        if let HttpHost::Name(name) = &target.host {
            let heard = tokio::time::timeout(self.relay.times.hello, hello::hear(&mut ours)).await;
            let begun = match heard {
                Ok(Ok(Hello { bytes, name: Some(said) })) if said.eq_ignore_ascii_case(name) => Ok(bytes),
                Ok(Ok(Hello { name: Some(said), .. })) => Err(format!("its TLS names `{}`", escaped(&said))),
                Ok(Ok(Hello { name: None, .. })) => Err("its TLS names nobody".to_owned()),
                // Whoever thinks better of it was refused nothing.
                Ok(Err(hello::NoHello::Ended | hello::NoHello::Io(_))) => return,
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no TLS came in time".to_owned()),
            };
            match begun {
                Ok(bytes) => {
                    if theirs.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Err(why) => {
                    theirs.meter().refused();
                    self.tally.say(&format!(
                        "`{target}` is reached by TLS that names it, or by plain HTTP, and by nothing else: {why}"
                    ));
                    let _ = ours.write_all(&ACCESS_DENIED).await;
                    let _ = ours.shutdown().await;
                    return;
                }
            }
        }
        pipe::pass(ours, theirs, self.relay.times.idle).await;
    }

    /// A plain request, over a connection of its own.
    async fn forward(&self, request: Request<Incoming>) -> Response<Answer> {
        let (mut parts, body) = request.into_parts();
        let authority = parts.uri.authority().map(|authority| authority.as_str().to_owned());
        let (Some("http"), Some(authority)) = (parts.uri.scheme_str(), authority) else {
            let what = "this is a proxy: it takes `CONNECT host:port`, and requests for `http://host/path`";
            return said(StatusCode::BAD_REQUEST, what);
        };
        let (target, theirs) = match self.reach(&authority, Some(80)).await {
            Ok(reached) => reached,
            Err(answer) => return answer,
        };
        let host = if target.port == 80 { target.host.to_string() } else { target.to_string() };
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let (Ok(uri), Ok(host)) = (path.parse::<Uri>(), HeaderValue::from_str(&host)) else {
            return said(StatusCode::BAD_REQUEST, "this path cannot be asked for");
        };
        parts.uri = uri;
        without_connection(&mut parts.headers);
        parts.headers.insert(HOST, host);
        let meter = theirs.meter();
        let asked = async {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(theirs)).await?;
            let mut connection = Box::pin(connection);
            let answer = sender.send_request(Request::from_parts(parts, body));
            tokio::pin!(answer);
            let mut is_over = false;
            let answer = loop {
                tokio::select! {
                    biased;
                    answer = &mut answer => break answer?,
                    // What ended it the answer says.
                    _ = &mut connection, if !is_over => is_over = true,
                }
            };
            let connection = (!is_over).then_some(connection);
            Ok::<_, hyper::Error>(answer.map(|body| Driven { body, connection }.boxed_unsync()))
        };
        let answer = tokio::select! {
            answer = asked => answer,
            () = meter.is_idle(self.relay.times.idle) => {
                return said(StatusCode::GATEWAY_TIMEOUT, format!("`{target}` did not answer in time"));
            }
        };
        match answer {
            Ok(mut answer) => {
                without_connection(answer.headers_mut());
                answer
            }
            Err(error) => said(StatusCode::BAD_GATEWAY, format!("`{target}`: {error}")),
        }
    }
}

/// What keeps a target from being reached, and what the operator would have to say.
fn not_granted(target: &NetworkTarget) -> String {
    let this_machine = match &target.host {
        HttpHost::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        HttpHost::Address(address) => address.is_unspecified(),
    };
    let words = match this_machine {
        true => format!("network = [\"127.0.0.1:{}\"]", target.port),
        false => format!("network = [\"{target}\"]"),
    };
    let allows = if this_machine { "allows this machine's own address" } else { "allows it" };
    format!(
        "`{target}` is not granted: `{words}` in the plugin's `process` of the operator's `policy.toml` {allows}"
    )
}

/// Of a name that a stranger wrote.
fn escaped(name: &str) -> String {
    name.escape_default().take(200).collect()
}

fn said(status: StatusCode, why: impl Into<String>) -> Response<Answer> {
    let text = Full::new(Bytes::from(why.into() + "\n")).map_err(|never| match never {});
    let mut answer = Response::new(text.boxed_unsync());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// Takes out what is of one connection, and what that itself names.
fn without_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in OF_CONNECTION.iter().chain(&named) {
        headers.remove(name);
    }
}

type Connection = hyper::client::conn::http1::Connection<TokioIo<Metered>, Incoming>;

/// The body of an answer, whose connection goes on as long as it is read.
struct Driven {
    body: Incoming,
    /// None once it is over.
    connection: Option<Pin<Box<Connection>>>,
}

impl Body for Driven {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(context).is_ready()
        {
            self.connection = None;
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
