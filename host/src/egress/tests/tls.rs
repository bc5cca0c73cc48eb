//! Certificates that are wrong in one way each, and one that is right.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wasmtime_wasi_http::Error;

use super::server::{Server, answer};
use super::{Names, check, door, get, outgoing, send, text};

fn issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Serves one sentence with that certificate; gives the port.
async fn serve(params: CertificateParams, issuer: Option<&CertifiedIssuer<'static, KeyPair>>) -> u16 {
    let key = KeyPair::generate().unwrap();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = [0; 4096];
                if stream.read(&mut head).await.is_ok() {
                    let _ = stream.write_all(&answer("safe")).await;
                }
            });
        }
    });
    port
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    // Not the issuer's.
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

#[tokio::test]
async fn only_a_certificate_that_is_right_in_every_way_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = issuer();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, issuer.as_ref().pem()).unwrap();
    let trusting = door(&format!("ca_file = {:?}", roots.display().to_string()), Arc::new(Names::default()));
    let port = serve(named("127.0.0.1"), Some(&issuer)).await;
    let url = |port: u16| format!("https://127.0.0.1:{port}/");
    assert_eq!(text(get(&trusting, &url(port)).await.unwrap()).await.unwrap(), "safe");
    let certificate = |error: &Error| matches!(error, Error::TlsCertificateError);
    // Who does not know its issuer.
    check(get(&door("", Arc::default()), &url(port)).await, certificate, "UnknownIssuer");
    let mut expired = named("127.0.0.1");
    (expired.not_before, expired.not_after) =
        (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
    let mut early = named("127.0.0.1");
    (early.not_before, early.not_after) =
        (rcgen::date_time_ymd(2090, 1, 1), rcgen::date_time_ymd(2091, 1, 1));
    for (params, issuer, says) in [
        (expired, Some(&issuer), "xpired"),
        (early, Some(&issuer), "alid"),
        (named("other.example"), Some(&issuer), "127.0.0.1"),
        (named("127.0.0.1"), None, "UnknownIssuer"),
    ] {
        let failed = get(&trusting, &url(serve(params, issuer).await)).await;
        check(failed, certificate, says);
    }
    // Who speaks no TLS, and who says nothing at all.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    check(get(&trusting, &url(port)).await, |error| matches!(error, Error::TlsProtocolError), "client error");
    let silent = Server::start(|_| Vec::new()).await;
    let mut hasty = door("", Arc::default());
    hasty.connect = Duration::from_millis(200);
    let late = |error: &Error| matches!(error, Error::ConnectionTimeout);
    check(get(&hasty, &url(silent.port())).await, late, "client error");
    // And who waits for less than the host does.
    let mut impatient = outgoing("GET", &url(silent.port()));
    impatient.times.connect = Some(Duration::from_millis(200));
    let begun = Instant::now();
    check(send(&door("", Arc::default()), impatient).await, late, "client error");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn where_roots_cannot_be_read_it_is_said_why_an_issuer_is_unknown() {
    let issuer = issuer();
    let url = format!("https://127.0.0.1:{}/", serve(named("127.0.0.1"), Some(&issuer)).await);
    let missing = std::path::Path::new("/nowhere/roots.pem");
    let unread = rustls_native_certs::load_certs_from_paths(Some(missing), None);
    let certificate = |error: &Error| matches!(error, Error::TlsCertificateError);
    for (platform, says) in [
        (unread, "/nowhere/roots.pem"),
        (rustls_native_certs::CertificateResult::default(), "the platform has no roots"),
    ] {
        let door = door("", Arc::default());
        assert!(door.tls.set(super::super::tls(platform, None)).is_ok());
        let failed = get(&door, &url).await.unwrap_err();
        assert!(failed.why.contains("UnknownIssuer") && failed.why.contains(says), "{}", failed.why);
        check(Err(failed), certificate, "UnknownIssuer");
    }
    // Not where another thing is wrong.
    let expired = {
        let mut params = named("127.0.0.1");
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
        serve(params, Some(&issuer)).await
    };
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, issuer.as_ref().pem()).unwrap();
    let door = door("", Arc::default());
    let platform = rustls_native_certs::CertificateResult::default();
    assert!(door.tls.set(super::super::tls(platform, Some(&roots))).is_ok());
    let failed = get(&door, &format!("https://127.0.0.1:{expired}/")).await.unwrap_err();
    assert!(failed.why.contains("xpired") && !failed.why.contains("no roots"), "{}", failed.why);
}

/// A company's proxy that hands everything on to that port; gives its own port, and what it saw first behind each `CONNECT`.
async fn proxy(to: u16) -> (u16, Arc<Mutex<Vec<(String, u8)>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let sees = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sees = sees.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let asked = String::from_utf8(head).unwrap().lines().next().unwrap().to_owned();
                let first = stream.read_u8().await.unwrap();
                sees.lock().unwrap().push((asked, first));
                let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                server.write_all(&[first]).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    (port, seen)
}

#[tokio::test]
async fn a_company_s_proxy_sees_names_and_no_words() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = issuer();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, issuer.as_ref().pem()).unwrap();
    let port = serve(named("api.acme.example"), Some(&issuer)).await;
    let (proxy, seen) = proxy(port).await;
    let policy = format!("proxy = \"http://127.0.0.1:{proxy}\"\nca_file = {:?}", roots.display().to_string());
    let door = door(&policy, Arc::new(Names::default()));
    assert_eq!(text(get(&door, "https://api.acme.example/").await.unwrap()).await.unwrap(), "safe");
    // Whoever answers behind the proxy must be who was asked.
    let other = get(&door, "https://other.acme.example/").await;
    check(other, |error| matches!(error, Error::TlsCertificateError), "other.acme.example");
    let asked = |name: &str| format!("CONNECT {name}:443 HTTP/1.1");
    const HANDSHAKE: u8 = 22;
    let expected = ["api.acme.example", "other.acme.example"].map(|name| (asked(name), HANDSHAKE));
    assert_eq!(*seen.lock().unwrap(), expected);
}
