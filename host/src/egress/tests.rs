//! The door, against servers that are wrong in one way each.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod chaos;
mod server;
mod tls;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use orch_trust::permission::HttpTarget;
use orch_trust::policy::EgressPolicy;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{Door, Resolve};
use crate::capability::effect::Boxed;
use crate::capability::http::backend::{Egress, Failed, Outgoing, Times};
use server::{Server, answer};

/// Leads each name to the same addresses, and counts.
#[derive(Default)]
struct Names {
    to: Vec<IpAddr>,
    looked_up: AtomicUsize,
}

impl Resolve for Names {
    fn look_up(&self, _name: String) -> Boxed<'static, io::Result<Vec<IpAddr>>> {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        let to = self.to.clone();
        Box::pin(async move { Ok(to) })
    }
}

fn door(policy: &str, names: Arc<Names>) -> Door {
    let policy: EgressPolicy = toml::from_str(policy).unwrap();
    Door::new(&policy, std::path::Path::new("/"), names).unwrap()
}

fn times(deadline: Duration) -> Times {
    Times { connect: None, first_byte: None, between_bytes: None, deadline: Instant::now() + deadline }
}

fn outgoing(method: &str, url: &str) -> Outgoing {
    let uri: http::Uri = url.parse().unwrap();
    let (scheme, authority) = (uri.scheme_str().unwrap(), uri.authority().unwrap().as_str());
    let target = HttpTarget::new(method, scheme, authority, uri.path()).unwrap();
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let request = Request::builder().method(method).uri(uri.clone()).body(body).unwrap();
    Outgoing { target, request, key: "run-1.a1.h1".to_owned(), times: times(Duration::from_secs(20)) }
}

async fn send(door: &Door, outgoing: Outgoing) -> Result<Response<WasiBody>, Failed> {
    door.send("acme/a".into(), outgoing).await
}

async fn get(door: &Door, url: &str) -> Result<Response<WasiBody>, Failed> {
    send(door, outgoing("GET", url)).await
}

async fn text(response: Response<WasiBody>) -> Result<String, Error> {
    let body = response.into_body().collect().await?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

#[track_caller]
fn check(failed: Result<Response<WasiBody>, Failed>, is_it: fn(&Error) -> bool, says: &str) {
    let failed = failed.unwrap_err();
    assert!(is_it(&failed.error), "{:?}: {}", failed.error, failed.why);
    assert!(failed.why.contains(says), "{}", failed.why);
}

#[tokio::test]
async fn a_name_never_leads_to_this_machine_and_is_looked_up_once() {
    let server = Server::start(|_| answer("here")).await;
    for to in ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1", "0.0.0.0"] {
        let names = Arc::new(Names { to: vec![to.parse().unwrap()], ..Names::default() });
        let door = door("", names.clone());
        let url = format!("http://rebound.example:{}/", server.port());
        let failed = get(&door, &url).await;
        check(failed, |error| matches!(error, Error::DestinationIpProhibited), to);
        assert_eq!(names.looked_up.load(Ordering::Relaxed), 1);
    }
    assert_eq!(server.connections(), 0);
    // Written out it is the operator's own word.
    let door = door("", Arc::default());
    assert_eq!(text(get(&door, &server.url("/")).await.unwrap()).await.unwrap(), "here");
    let nothing = get(&door, "http://nothing.example/").await;
    check(nothing, |error| matches!(error, Error::DestinationNotFound), "`nothing.example` has no address");
}

#[tokio::test]
async fn what_goes_out_is_what_the_rule_saw() {
    let server = Server::start(answer).await;
    let door = door("", Arc::default());
    let mut request = outgoing("POST", &server.url("/v1/x?q=1"));
    request.request.headers_mut().insert("x-own", "1".parse().unwrap());
    // What a guest wrote there counts for nothing.
    request.request.headers_mut().insert("host", "elsewhere.example".parse().unwrap());
    request.request.headers_mut().append("host", "elsewhere.example".parse().unwrap());
    *request.request.uri_mut() = "http://elsewhere.example/v2?q=1".parse().unwrap();
    request.request = request
        .request
        .map(|_| Full::new(Bytes::from_static(b"body")).map_err(|never| match never {}).boxed_unsync());
    let head = text(send(&door, request).await.unwrap()).await.unwrap();
    assert!(head.starts_with("POST /v1/x?q=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: 127.0.0.1:{}\r\n", server.port())), "{head}");
    assert_eq!(head.to_lowercase().matches("\r\nhost: ").count(), 1, "{head}");
    assert!(head.contains("idempotency-key: run-1.a1.h1\r\n"), "{head}");
    assert!(head.contains("user-agent: orch-host/") && head.contains("x-own: 1\r\n"), "{head}");
    assert!(!head.contains("elsewhere") && !head.contains("accept-encoding"), "{head}");
    // What may be repeated has no key.
    assert!(!text(get(&door, &server.url("/")).await.unwrap()).await.unwrap().contains("idempotency-key"));
}

#[tokio::test]
async fn a_redirect_and_a_packed_body_are_the_guest_s_to_read() {
    let server = Server::start(|head| match head.starts_with("GET /moved") {
        true => b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec(),
        false => {
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00".to_vec()
        }
    })
    .await;
    let door = door("", Arc::default());
    let moved = get(&door, &server.url("/moved")).await.unwrap();
    assert_eq!(
        (moved.status().as_u16(), &moved.headers()["location"]),
        (302, &"http://127.0.0.1:1/".parse().unwrap())
    );
    let packed = get(&door, &server.url("/packed")).await.unwrap();
    assert_eq!(packed.into_body().collect().await.unwrap().to_bytes().as_ref(), b"\x1f\x8b\x08\x00");
}

#[tokio::test]
async fn a_connection_is_used_again_and_never_by_another_plugin() {
    let server = Server::start(|_| answer("x")).await;
    let door = door("", Arc::default());
    for _ in 0..5 {
        text(get(&door, &server.url("/")).await.unwrap()).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
    let other = door.send("acme/b".into(), outgoing("GET", &server.url("/"))).await.unwrap();
    text(other).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn connections_of_a_plugin_are_counted_until_their_answers_are_read_or_dropped() {
    let server = Server::start(|_| answer("x")).await;
    let door = door("connections = 1", Arc::default());
    let first = get(&door, &server.url("/")).await.unwrap();
    let mut second = outgoing("GET", &server.url("/"));
    second.times.connect = Some(Duration::from_millis(100));
    let full = |error: &Error| matches!(error, Error::ConnectionLimitReached);
    check(send(&door, second).await, full, "all `connections`");
    drop(first);
    text(get(&door, &server.url("/")).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn each_wrong_answer_is_an_error_of_its_name() {
    type IsIt = fn(&Error) -> bool;
    let many = (0..300).map(|at| format!("h{at}: x\r\n")).collect::<String>();
    let table: [(&str, Vec<u8>, IsIt); 8] = [
        ("closes", Vec::new(), |error| matches!(error, Error::HttpResponseIncomplete)),
        ("no http", b"SSH-2.0-x\r\n\r\n".to_vec(), |error| matches!(error, Error::HttpProtocolError)),
        ("half a head", b"HTTP/1.1 200 OK\r\nx: ".to_vec(), |error| {
            matches!(error, Error::HttpResponseIncomplete)
        }),
        ("many headers", format!("HTTP/1.1 200 OK\r\n{many}\r\n").into_bytes(), |error| {
            matches!(error, Error::HttpResponseHeaderSectionSize(_) | Error::HttpProtocolError)
        }),
        (
            "a large head",
            format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1 << 20)).into_bytes(),
            |error| matches!(error, Error::HttpResponseHeaderSectionSize(_)),
        ),
        (
            "two lengths",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx".to_vec(),
            |error| matches!(error, Error::HttpProtocolError),
        ),
        (
            "another protocol",
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec(),
            |error| matches!(error, Error::HttpUpgradeFailed | Error::HttpProtocolError),
        ),
        ("a status", b"HTTP/1.1 99 No\r\n\r\n".to_vec(), |error| matches!(error, Error::HttpProtocolError)),
    ];
    for (what, bytes, is_it) in table {
        let server = Server::start(move |_| bytes.clone()).await.closing();
        let failed = get(&door("", Arc::default()), &server.url("/")).await.unwrap_err();
        assert!(is_it(&failed.error), "{what}: {:?}: {}", failed.error, failed.why);
        assert!(failed.why.contains(&server.url("/")), "{what}: {}", failed.why);
    }
    let nobody = get(&door("", Arc::default()), "http://127.0.0.1:1/").await;
    check(nobody, |error| matches!(error, Error::ConnectionRefused), "127.0.0.1:1");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let incomplete: fn(&Error) -> bool = |error| matches!(error, Error::HttpResponseIncomplete);
    let malformed: fn(&Error) -> bool = |error| matches!(error, Error::HttpProtocolError);
    for (bytes, is_it) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"[..], incomplete),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", incomplete),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhalf\r\n", malformed),
    ] {
        let server = Server::start(move |_| bytes.to_vec()).await.closing();
        let response = get(&door("", Arc::default()), &server.url("/")).await.unwrap();
        let error = text(response).await.unwrap_err();
        assert!(is_it(&error), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_wait_for_ever_is_waited_for_as_long_as_the_call_has() {
    let server = Server::start(|_| b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(1000)).await;
    let mut request = outgoing("GET", &server.url("/"));
    request.times.deadline = Instant::now() + Duration::from_millis(300);
    let begun = Instant::now();
    let late = send(&door("", Arc::default()), request).await;
    check(late, |error| matches!(error, Error::ConnectionReadTimeout), "did not answer in time");
    assert!(begun.elapsed() < Duration::from_secs(5));
    // And a body that pauses.
    let server = Server::start(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()).await;
    let mut request = outgoing("GET", &server.url("/"));
    request.times.between_bytes = Some(Duration::from_millis(200));
    let response = send(&door("", Arc::default()), request).await.unwrap();
    assert!(matches!(text(response).await.unwrap_err(), Error::ConnectionReadTimeout));
}

#[tokio::test]
async fn names_go_to_the_operator_s_proxy_and_addresses_do_not() {
    let server = Server::start(|head| match head.strip_prefix("CONNECT ") {
        Some(asked) if asked.starts_with("api.acme.example:80 ") => b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        Some(_) => b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n".to_vec(),
        None => answer(head),
    })
    .await;
    let policy = format!("proxy = \"http://127.0.0.1:{}\"", server.port());
    // Nobody here looks its name up.
    let names = Arc::new(Names::default());
    let door = door(&policy, names.clone());
    let head = text(get(&door, "http://api.acme.example/x").await.unwrap()).await.unwrap();
    assert!(head.starts_with("GET /x HTTP/1.1\r\n") && head.contains("host: api.acme.example\r\n"), "{head}");
    assert_eq!(names.looked_up.load(Ordering::Relaxed), 0);
    let refused = get(&door, "http://other.acme.example/x").await;
    check(refused, |error| matches!(error, Error::DestinationUnavailable), "other.acme.example");
    let direct = Server::start(|_| answer("direct")).await;
    assert_eq!(text(get(&door, &direct.url("/")).await.unwrap()).await.unwrap(), "direct");
}

#[test]
fn a_proxy_and_a_file_of_roots_are_what_they_must_be() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.pem"), "nothing").unwrap();
    let refused = |policy: &str| {
        let policy: EgressPolicy = toml::from_str(policy).unwrap();
        Door::new(&policy, folder.path(), Arc::new(Names::default())).err().map(|error| error.to_string())
    };
    for wrong in [
        "proxy.example:3128",
        "https://p:1",
        "http://u:p@p.example:1",
        "http://p.example",
        "http://p:1/x",
        "socks5://p:1",
    ] {
        let said = refused(&format!("proxy = \"{wrong}\"")).unwrap();
        assert!(said.contains(wrong) && said.contains("expected `http://host:port`"), "{said}");
    }
    assert_eq!(refused("proxy = \"http://p.example:3128\""), None);
    assert!(refused("ca_file = \"missing.pem\"").unwrap().contains("missing.pem"));
    assert!(refused("ca_file = \"empty.pem\"").unwrap().contains("no certificate"));
}
