//! What this host asks for by itself: packages, from where somebody said that they are.
//!
//! In -> out: a request -> the whole answer, or why there is none.
//! Limits: 10 s to connect, 30 s for an answer's head and between two parts of its body, 15 min for all of it; 64 KiB of head,
//! 100 headers, 5 redirects; a body's limit is the caller's.
//! Invariant: TLS or this machine (`fetch/address.rs`); whoever says a secret says it to one host: it follows no redirect to
//! another. No variable of the environment sends anything elsewhere; proxy and roots are those of `[egress]`.
//! Not here: what plugins send (`egress.rs`), what the bytes must be (`sources/`).

pub mod address;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use orch_trust::policy::EgressPolicy;
use rustls::ClientConfig;
use tokio::runtime::Runtime;
use tokio::time::timeout;

pub use address::{WebAddress, WebAddressText};

use crate::egress::{self, DoorError};

const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;
const REDIRECTS_MAX: usize = 5;

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    pub connect: Duration,
    /// For the head of an answer, what comes before it included.
    pub head: Duration,
    /// Between two parts of a body.
    pub part: Duration,
    pub whole: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(10), head: seconds(30), part: seconds(30), whole: seconds(900) }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Address(#[from] WebAddressText),
    #[error("`{from}` sends elsewhere: {why}")]
    Redirect { from: String, why: String },
    #[error("`{host}` cannot be reached: {why}")]
    Unreachable { host: String, why: String },
    #[error("`{host}` was silent for {seconds} s")]
    Silent { host: String, seconds: u64 },
    #[error("the answer of `{host}` breaks off: {why}")]
    Broken { host: String, why: String },
    #[error("`{host}` sends more than the {limit_bytes} bytes that this may have")]
    TooLarge { host: String, limit_bytes: u64 },
    #[error("`{host}` cannot be asked: {why}")]
    Unaskable { host: String, why: String },
    #[error(transparent)]
    Door(#[from] DoorError),
    #[error("this machine cannot wait for a network")]
    Runtime(#[source] std::io::Error),
}

impl FetchError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "source-address",
            Self::Redirect { .. } => "source-redirect",
            Self::Unreachable { .. } => "source-unreachable",
            Self::Silent { .. } => "source-silent",
            Self::Broken { .. } => "source-broken",
            Self::TooLarge { .. } => "source-too-large",
            Self::Unaskable { .. } => "source-unaskable",
            Self::Door(_) => "egress",
            Self::Runtime(_) => "source-runtime",
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Broken { .. } => {
                "nothing was changed; say it again when the network and the other side are there, or take a `.orchpkg` file. A proxy and \
                 roots of your own stand under `[egress]` in `policy.toml`"
            }
            Self::Redirect { .. } | Self::TooLarge { .. } => {
                "nothing was changed; ask whoever keeps that place"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who gave it, behind redirects.
    pub from: WebAddress,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header's text; empty without it.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

type Direct = Pool<HttpsConnector<HttpConnector>, Full<Bytes>>;
type Proxied = Pool<HttpsConnector<Tunnel<HttpConnector>>, Full<Bytes>>;

/// Asks for what somebody named.
pub struct Client {
    runtime: Runtime,
    direct: Direct,
    proxied: Option<Proxied>,
    agent: HeaderValue,
    waits: Waits,
}

impl Client {
    /// `home`: the folder that a relative `ca_file` is in.
    ///
    /// # Errors
    /// `Door`, `Runtime`.
    pub fn new(policy: &EgressPolicy, home: &Path, waits: Waits) -> Result<Self, FetchError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ca_file = policy.ca_file.as_ref().map(|file| home.join(file));
        let config = egress::client_tls(ca_file.as_deref())?;
        let tcp = || {
            let mut tcp = HttpConnector::new();
            tcp.enforce_http(false);
            tcp.set_nodelay(true);
            tcp.set_connect_timeout(Some(waits.connect));
            tcp
        };
        let proxied = egress::proxy_of(policy)?.map(|proxy| pool(&config, Tunnel::new(proxy, tcp())));
        Ok(Self {
            runtime: runtime.map_err(FetchError::Runtime)?,
            direct: pool(&config, tcp()),
            proxied,
            agent: HeaderValue::from_static(concat!("orch/", env!("CARGO_PKG_VERSION"))),
            waits,
        })
    }

    /// What comes back to a GET, behind redirects; `bytes_max` of its body.
    ///
    /// # Errors
    /// All but `Address`.
    pub fn get(
        &self,
        address: &WebAddress,
        headers: &HeaderMap,
        bytes_max: u64,
    ) -> Result<Answer, FetchError> {
        let (mut at, mut headers) = (address.clone(), headers.clone());
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.send(Method::GET, &at, &headers, Bytes::new(), bytes_max)?;
            if !answer.status.is_redirection() || answer.status == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            let next = at.join(answer.header(LOCATION.as_str())).map_err(|wrong| {
                let (from, why) = (at.to_string(), wrong.to_string());
                FetchError::Redirect { from, why }
            })?;
            if next.origin() != at.origin() {
                headers.remove(AUTHORIZATION);
            }
            at = next;
        }
        let why = format!("more than {REDIRECTS_MAX} times");
        Err(FetchError::Redirect { from: address.to_string(), why })
    }

    /// What comes back to one request, wherever it leads.
    ///
    /// # Errors
    /// All but `Address` and `Redirect`.
    pub fn send(
        &self,
        method: Method,
        address: &WebAddress,
        headers: &HeaderMap,
        body: Bytes,
        bytes_max: u64,
    ) -> Result<Answer, FetchError> {
        let host = address.authority().to_owned();
        let mut request = Request::builder()
            .method(method)
            .uri(address.uri())
            .body(Full::new(body))
            .map_err(|error| FetchError::Unaskable { host: host.clone(), why: error.to_string() })?;
        *request.headers_mut() = headers.clone();
        request.headers_mut().insert(USER_AGENT, self.agent.clone());
        let proxied = self.proxied.as_ref().filter(|_| !address.is_loopback());
        self.runtime.block_on(async {
            let whole = async {
                let answer = match proxied {
                    Some(pool) => self.head(&host, pool.request(request)).await?,
                    None => self.head(&host, self.direct.request(request)).await?,
                };
                self.body(address, answer, bytes_max).await
            };
            match timeout(self.waits.whole, whole).await {
                Ok(answered) => answered,
                Err(_) => Err(FetchError::Silent { host: host.clone(), seconds: self.waits.whole.as_secs() }),
            }
        })
    }

    async fn head(
        &self,
        host: &str,
        answer: impl Future<Output = Result<Response<Incoming>, hyper_util::client::legacy::Error>>,
    ) -> Result<Response<Incoming>, FetchError> {
        let host = host.to_owned();
        match timeout(self.waits.head, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_connect() => {
                Err(FetchError::Unreachable { host, why: egress::words_of(&error) })
            }
            Ok(Err(error)) => Err(FetchError::Broken { host, why: egress::words_of(&error) }),
            Err(_) => Err(FetchError::Silent { host, seconds: self.waits.head.as_secs() }),
        }
    }

    async fn body(
        &self,
        from: &WebAddress,
        answer: Response<Incoming>,
        bytes_max: u64,
    ) -> Result<Answer, FetchError> {
        let host = from.authority();
        let too_large = || FetchError::TooLarge { host: host.to_owned(), limit_bytes: bytes_max };
        let (head, mut body) = answer.into_parts();
        let said = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if said.is_some_and(|length: u64| length > bytes_max) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        loop {
            let frame = match timeout(self.waits.part, body.frame()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    return Err(FetchError::Broken { host: host.to_owned(), why: egress::words_of(&error) });
                }
                Err(_) => {
                    let seconds = self.waits.part.as_secs();
                    return Err(FetchError::Silent { host: host.to_owned(), seconds });
                }
            };
            if let Ok(part) = frame.into_data() {
                if bytes.len() as u64 + part.len() as u64 > bytes_max {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&part);
            }
        }
        Ok(Answer { from: from.clone(), status: head.status, headers: head.headers, body: bytes.into() })
    }
}

fn pool<C>(config: &ClientConfig, connector: C) -> Pool<HttpsConnector<C>, Full<Bytes>>
where
    HttpsConnector<C>: hyper_util::client::legacy::connect::Connect + Clone,
{
    let tls = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config.clone());
    let connector = tls.https_or_http().enable_http1().wrap_connector(connector);
    let mut builder = Pool::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http1_max_buf_size(HEAD_BYTES_MAX)
        .http1_max_headers(HEADERS_MAX);
    builder.build(connector)
}

#[cfg(test)]
mod tests;
