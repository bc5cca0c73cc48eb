//! Egress: the one door for what plugins send.
//!
//! In -> out: a request that a rule has -> the address that its name leads to, checked -> a connection, pooled for its plugin
//! -> the answer, as it comes.
//! Limits: `[egress]` of `policy.toml`; 10 s to connect, 64 KiB for an answer's head, 100 headers.
//! Invariant: a name is looked up once for a connection, and the connection goes to an address that was checked; no variable
//! of the environment, no redirect and nothing that a server says sends anything elsewhere; nothing is decoded.
//! Not here: rules (`orch-trust`'s `permission/http.rs`), what is recorded (`capability/http.rs`).

mod address;
mod body;
mod fault;
mod resolve;
mod stream;
mod timed;

use std::collections::HashMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::header::{HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use orch_trust::permission::{HttpHost, HttpTarget};
use orch_trust::policy::EgressPolicy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::CertificateResult;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::capability::effect::Boxed;
use crate::capability::http::backend::{Egress, EgressLimits, Failed, Outgoing};
use body::{Paced, Roomed};
use resolve::{AnyAddress, Checked};
pub use resolve::{Resolve, SystemNames};
pub use stream::Unreached;
use timed::{LEFT, Timed};

const CONNECT: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;
const IDLE: Duration = Duration::from_secs(30);
const IDLE_MAX: usize = 4;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

type Direct = Client<Timed<HttpsConnector<HttpConnector<Checked>>>, WasiBody>;
type Proxied = Client<Timed<HttpsConnector<Tunnel<HttpConnector<AnyAddress>>>>, WasiBody>;

/// The connections of one plugin.
#[derive(Clone)]
struct Connections {
    direct: Direct,
    proxied: Option<Proxied>,
    room: Arc<Semaphore>,
    roots_unread: Option<Arc<str>>,
}

/// Whom this host believes.
struct Tls {
    config: ClientConfig,
    /// Why some roots of the platform are not among them.
    roots_unread: Option<Arc<str>>,
}

/// The way out of this host.
pub struct Door {
    limits: EgressLimits,
    connections: usize,
    /// For a name, a connection, a proxy and TLS together.
    connect: Duration,
    proxy: Option<Uri>,
    ca_file: Option<PathBuf>,
    /// Read when the first request goes out: most hosts send none.
    tls: OnceLock<Result<Tls, DoorError>>,
    names: Arc<dyn Resolve>,
    plugins: Mutex<HashMap<Arc<str>, Connections>>,
}

/// What keeps the door shut.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error("`[egress]` has the proxy `{0}`, expected `http://host:port`")]
    Proxy(String),
    #[error("cannot read `{path}`, the `ca_file` of `[egress]`: {why}")]
    CaFile { path: String, why: String },
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Door {
    /// `home`: the operator's folder.
    pub fn new(policy: &EgressPolicy, home: &Path, names: Arc<dyn Resolve>) -> Result<Self, DoorError> {
        let mib = |number: std::num::NonZeroU32| u64::from(number.get()) << 20;
        let ca_file = policy.ca_file.as_ref().map(|file| home.join(file));
        if let Some(file) = &ca_file {
            roots_of(file, &mut RootCertStore::empty())?;
        }
        Ok(Self {
            limits: EgressLimits {
                requests: policy.requests.get(),
                sent_bytes: mib(policy.sent_mib),
                received_bytes: mib(policy.received_mib),
            },
            connections: policy.connections.get() as usize,
            connect: CONNECT,
            proxy: proxy_of(policy)?,
            ca_file,
            tls: OnceLock::new(),
            names,
            plugins: Mutex::default(),
        })
    }

    fn of(&self, plugin: &Arc<str>) -> Result<Connections, Failed> {
        let ca_file = self.ca_file.as_deref();
        let tls = self.tls.get_or_init(|| tls(rustls_native_certs::load_native_certs(), ca_file)).as_ref();
        let tls = tls.map_err(|error| Failed::new(Error::ConfigurationError, error.to_string()))?;
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(plugins.entry(plugin.clone()).or_insert_with(|| self.connections(tls)).clone())
    }

    #[cfg(test)]
    fn room_left(&self, plugin: &str) -> Option<usize> {
        let plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        Some(plugins.get(plugin)?.room.available_permits())
    }

    fn connections(&self, Tls { config, roots_unread }: &Tls) -> Connections {
        let tls = || hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config.clone());
        let direct = connector(Checked(self.names.clone()));
        let direct = tls().https_or_http().enable_http1().wrap_connector(direct);
        let direct = Timed { connector: direct, most: self.connect };
        let proxied = self.proxy.clone().map(|proxy| {
            let tunnel = Tunnel::new(proxy, connector(AnyAddress(self.names.clone())));
            let connector = tls().https_or_http().enable_http1().wrap_connector(tunnel);
            client().build(Timed { connector, most: self.connect })
        });
        Connections {
            direct: client().build(direct),
            proxied,
            room: Arc::new(Semaphore::new(self.connections)),
            roots_unread: roots_unread.clone(),
        }
    }
}

fn connector<R>(resolver: R) -> HttpConnector<R> {
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector
}

fn client() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_MAX)
        .set_host(false)
        .http1_max_buf_size(HEAD_BYTES_MAX)
        .http1_max_headers(HEADERS_MAX);
    builder
}

fn tls(platform: CertificateResult, ca_file: Option<&Path>) -> Result<Tls, DoorError> {
    let mut roots = RootCertStore::empty();
    // What the platform has and rustls cannot read is no root.
    let (read, _) = roots.add_parsable_certificates(platform.certs);
    let roots_unread = match platform.errors.first() {
        Some(error) => {
            let why = error.source().map(|why| format!(": {why}")).unwrap_or_default();
            Some(format!("of the platform's roots {read} could be read, others could not ({error}{why})"))
        }
        None if read == 0 => Some("the platform has no roots where OpenSSL's are looked for".to_owned()),
        None => None,
    };
    if let Some(path) = ca_file {
        roots_of(path, &mut roots)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Tls { config, roots_unread: roots_unread.map(Arc::from) })
}

/// Whom this host believes, for what it asks for by itself.
///
/// # Errors
/// `CaFile`, `Tls`.
pub(crate) fn client_tls(ca_file: Option<&Path>) -> Result<ClientConfig, DoorError> {
    Ok(tls(rustls_native_certs::load_native_certs(), ca_file)?.config)
}

/// The address of a proxy, as `[egress]` has it.
///
/// # Errors
/// `Proxy`.
pub(crate) fn proxy_of(policy: &EgressPolicy) -> Result<Option<Uri>, DoorError> {
    policy.proxy.as_deref().map(proxy).transpose()
}

/// An error of a connection in words, each cause once.
pub(crate) fn words_of(error: &(dyn std::error::Error + 'static)) -> String {
    fault::words(error)
}

/// Adds the certificates of a file.
fn roots_of(path: &Path, roots: &mut RootCertStore) -> Result<(), DoorError> {
    let failed = |why: String| DoorError::CaFile { path: path.display().to_string(), why };
    let mut count = 0;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
        count += 1;
    }
    match count {
        0 => Err(failed("it has no certificate".to_owned())),
        _ => Ok(()),
    }
}

fn proxy(text: &str) -> Result<Uri, DoorError> {
    let wrong = || DoorError::Proxy(text.chars().take(100).collect());
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "/" | "") && uri.query().is_none();
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    match plain && uri.port_u16().is_some() && !authority.contains('@') {
        true => Ok(uri),
        false => Err(wrong()),
    }
}

/// The request for that target, whatever its URI said.
fn aimed(
    target: &HttpTarget,
    mut request: Request<WasiBody>,
    key: &str,
) -> Result<Request<WasiBody>, http::Error> {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let authority = target.host_and_port();
    *request.uri_mut() = Uri::builder()
        .scheme(target.scheme.as_str())
        .authority(authority.as_str())
        .path_and_query(format!("{}{query}", target.path))
        .build()?;
    // As browsers write it: without the port that the scheme has anyway.
    let is_usual = matches!((target.scheme.as_str(), target.port), ("https", 443) | ("http", 80));
    let host = if is_usual { target.host.to_string() } else { authority };
    let headers = request.headers().clone();
    request.headers_mut().insert(HOST, HeaderValue::from_str(&host)?);
    if !headers.contains_key(USER_AGENT) {
        let agent = concat!("orch-host/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(agent));
    }
    let is_repeatable = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    );
    if !is_repeatable && !headers.contains_key(&IDEMPOTENCY_KEY) {
        request.headers_mut().insert(IDEMPOTENCY_KEY, HeaderValue::from_str(key)?);
    }
    Ok(request)
}

impl Egress for Door {
    fn limits(&self) -> EgressLimits {
        self.limits
    }

    fn send(
        &self,
        plugin: Arc<str>,
        outgoing: Outgoing,
    ) -> Boxed<'static, Result<Response<WasiBody>, Failed>> {
        let Outgoing { target, request, key, times } = outgoing;
        let connections = self.of(&plugin);
        Box::pin(async move {
            let Connections { direct, proxied, room, roots_unread } = connections?;
            let connect = times.connect.map_or(CONNECT, |connect| connect.min(CONNECT));
            let begun = std::time::Instant::now();
            let room = tokio::time::timeout(connect, room.acquire_owned()).await;
            let room = room.ok().and_then(Result::ok).ok_or_else(|| {
                let why = "all `connections` of `[egress]` that this plugin may have are in use".to_owned();
                Failed::new(Error::ConnectionLimitReached, why)
            })?;
            let request = aimed(&target, request, &key)
                .map_err(|error| Failed::new(Error::HttpRequestUriInvalid, error.to_string()))?;
            let is_named = matches!(target.host, HttpHost::Name(_));
            let answer = async {
                match proxied.filter(|_| is_named) {
                    Some(client) => client.request(request).await,
                    None => direct.request(request).await,
                }
            };
            // What waiting for room has left.
            let answer = LEFT.scope(connect.saturating_sub(begun.elapsed()), answer);
            let first_byte = times.first_byte.unwrap_or(Duration::MAX);
            let until = times.deadline.saturating_duration_since(std::time::Instant::now());
            let late =
                || Failed::new(Error::ConnectionReadTimeout, format!("`{target}` did not answer in time"));
            let answer = tokio::time::timeout(first_byte.min(until), answer).await.map_err(|_| late())?;
            let answer =
                answer.map_err(|error| fault::of_client(&target, &error, roots_unread.as_deref()))?;
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                let why = format!("`{target}` wants another protocol");
                return Err(Failed::new(Error::HttpUpgradeFailed, why));
            }
            Ok(answer.map(|body| {
                let body = body.map_err(|error| fault::of_body(&error)).boxed_unsync();
                let body = match times.between_bytes {
                    Some(between) => Paced::new(body, between).boxed_unsync(),
                    None => body,
                };
                Roomed { body, _room: room }.boxed_unsync()
            }))
        })
    }
}

#[cfg(test)]
mod tests;
