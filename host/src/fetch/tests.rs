//! Servers that are slow, lie, break off and send elsewhere, on this machine.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A server and what it was asked. Connections that stay open do so for as long as this is held.
struct Server {
    address: WebAddress,
    asked: Receiver<String>,
    _held: Sender<()>,
}

/// A server that gives each connection the next of these answers and then keeps it open or not.
fn server(answers: Vec<(String, bool)>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = WebAddress::parse(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
    let (heard, asked) = channel();
    let (held, ends) = channel::<()>();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for (answer, stays) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4096];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut part).unwrap() {
                    0 => break,
                    length => request.extend_from_slice(&part[..length]),
                }
            }
            let _ = heard.send(String::from_utf8_lossy(&request).into_owned());
            stream.write_all(answer.as_bytes()).unwrap();
            if stays {
                open.push(stream);
            }
        }
        let _ = ends.recv();
    });
    Server { address, asked, _held: held }
}

fn client(milliseconds: u64) -> Client {
    let short = Duration::from_millis(milliseconds);
    let waits = Waits { connect: short, head: short, part: short, whole: Duration::from_secs(20) };
    Client::new(&EgressPolicy::default(), Path::new("/"), waits).unwrap()
}

fn get(answers: Vec<(String, bool)>, milliseconds: u64) -> Result<Answer, FetchError> {
    let server = server(answers);
    client(milliseconds).get(&server.address, &HeaderMap::new(), 10)
}

fn one(answer: &str, stays: bool) -> Vec<(String, bool)> {
    vec![(format!("HTTP/1.1 {answer}"), stays)]
}

#[test]
fn a_whole_answer_comes_back_and_no_larger_one() {
    let answer = get(one("200 OK\r\nContent-Length: 10\r\n\r\n0123456789", false), 10_000).unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"0123456789"[..]));
    let code = |answer: &str| get(one(answer, false), 10_000).unwrap_err().code();
    assert_eq!(code("200 OK\r\nContent-Length: 11\r\n\r\n01234567890"), "source-too-large");
    assert_eq!(
        code("200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"),
        "source-too-large"
    );
    assert_eq!(code("200 OK\r\nContent-Length: 10\r\n\r\n0123"), "source-broken");
    assert_eq!(code("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n"), "source-broken");
    assert_eq!(code("nonsense\r\n\r\n"), "source-broken");
}

#[test]
fn nobody_waits_for_ever() {
    let code = |answer: &str| get(vec![(answer.to_owned(), true)], 200).unwrap_err().code();
    assert_eq!(code(""), "source-silent");
    assert_eq!(code("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123"), "source-silent");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = WebAddress::parse(&format!("http://{nobody}/")).unwrap();
    let refused = client(10_000).get(&address, &HeaderMap::new(), 10).unwrap_err();
    assert_eq!(refused.code(), "source-unreachable");
}

#[test]
fn a_secret_follows_no_redirect_to_another_host() {
    let end = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned();
    let mut said = HeaderMap::new();
    said.insert(AUTHORIZATION, HeaderValue::from_static("Bearer secret"));
    let has_secret = |asked: &Receiver<String>| asked.recv().unwrap().contains("Bearer secret");
    let redirect = |to: &str| {
        (
            format!(
                "HTTP/1.1 307 Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            ),
            false,
        )
    };
    // To the same host and port.
    let same = server(vec![redirect("/y"), (end.clone(), false)]);
    assert_eq!(client(10_000).get(&same.address, &said, 10).unwrap().body, "ok");
    assert!(has_secret(&same.asked) && has_secret(&same.asked));
    // To another port of this machine.
    let other = server(vec![(end, false)]);
    let first = server(vec![redirect(&other.address.to_string())]);
    assert_eq!(client(10_000).get(&first.address, &said, 10).unwrap().body, "ok");
    assert!(has_secret(&first.asked) && !has_secret(&other.asked));
}

#[test]
fn redirects_end_and_lead_to_no_plain_http_elsewhere() {
    let to = |place: &str| {
        let head = format!(
            "HTTP/1.1 302 Elsewhere\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        (head, false)
    };
    for place in ["http://example.org/", "ftp://127.0.0.1/"] {
        assert_eq!(get(vec![to(place)], 10_000).unwrap_err().code(), "source-redirect", "{place}");
    }
    assert_eq!(get(vec![to("/again"); 6], 10_000).unwrap_err().code(), "source-redirect");
}
