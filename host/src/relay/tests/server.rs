//! Servers of this machine that count, and a proxy that leads to them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate for a name, and whoever believes its issuer.
pub(super) struct Tls {
    server: Arc<ServerConfig>,
    roots: RootCertStore,
}

impl Tls {
    pub(super) fn named(name: &str) -> Self {
        let mut issuer = CertificateParams::new(Vec::<String>::new()).unwrap();
        issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer);
        let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.unwrap().der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            );
        let mut roots = RootCertStore::empty();
        roots.add(issuer.as_ref().der().clone()).unwrap();
        Self { server: Arc::new(server.unwrap()), roots }
    }

    pub(super) fn client(&self, says_the_name: bool) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.enable_sni = says_the_name;
        Arc::new(config)
    }
}

/// Ends with the runtime of its test.
pub(super) struct Server {
    pub(super) port: u16,
    /// Of each connection the bytes that came.
    heard: Arc<Mutex<Vec<Arc<AtomicUsize>>>>,
}

impl Server {
    /// Says what it hears.
    pub(super) async fn echo() -> Self {
        Self::start(|stream, heard| async move { echo(stream, &heard).await }).await
    }

    /// The same within TLS.
    pub(super) async fn tls(tls: &Tls) -> Self {
        let acceptor = TlsAcceptor::from(tls.server.clone());
        Self::start(move |stream, heard| {
            let acceptor = acceptor.clone();
            async move {
                let mut byte = [0];
                if matches!(stream.peek(&mut byte).await, Ok(1)) {
                    heard.fetch_add(1, Ordering::Relaxed);
                }
                if let Ok(stream) = acceptor.accept(stream).await {
                    echo(stream, &heard).await;
                }
            }
        })
        .await
    }

    /// Answers each request with what it got.
    pub(super) async fn http() -> Self {
        Self::start(|mut stream, heard| async move {
            let (mut got, mut part) = (Vec::new(), [0; 4096]);
            while let Ok(count @ 1..) = stream.read(&mut part).await {
                heard.fetch_add(count, Ordering::Relaxed);
                got.extend_from_slice(&part[..count]);
                if got.ends_with(b"\r\n\r\nbody") {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nconnection: x-hop\r\nx-hop: 1\r\nx-answer: 1\r\ncontent-length: {}\r\n\r\n",
                        got.len()
                    );
                    let answer = [head.as_bytes(), &got].concat();
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                    got.clear();
                }
            }
        })
        .await
    }

    async fn start<F>(serve: impl Fn(TcpStream, Arc<AtomicUsize>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let counted = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let bytes = Arc::new(AtomicUsize::new(0));
                counted.lock().unwrap().push(bytes.clone());
                tokio::spawn(serve(stream, bytes));
            }
        });
        Self { port, heard }
    }

    pub(super) fn connections(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// Bytes that came by connections beyond so many.
    pub(super) fn heard_of_connections_after(&self, count: usize) -> usize {
        self.heard.lock().unwrap().iter().skip(count).map(|heard| heard.load(Ordering::Relaxed)).sum()
    }

    /// The port of a proxy that leads whatever is asked for to this server.
    pub(super) async fn behind_a_proxy(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, to) = (listener.local_addr().unwrap().port(), self.port);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    assert!(head.starts_with(b"CONNECT a.example:"), "{}", String::from_utf8_lossy(&head));
                    let mut theirs = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut theirs).await;
                });
            }
        });
        port
    }
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin, heard: &AtomicUsize) {
    let mut part = [0; 64 << 10];
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        heard.fetch_add(count, Ordering::Relaxed);
        if stream.write_all(&part[..count]).await.is_err() {
            return;
        }
    }
}
