//! The relay, against servers of this machine: by their addresses, and by names that a proxy of the operator's leads to them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

mod server;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use orch_journal::event::NetworkUse;
use orch_trust::policy::{EgressPolicy, SandboxPolicy};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Open, Relay, Times, Ways};
use crate::capability::effect::Boxed;
use crate::egress::{Door, Resolve};
use server::{Server, Tls};

/// Leads each name there.
struct Names(Vec<IpAddr>);

impl Resolve for Names {
    fn look_up(&self, _name: String) -> Boxed<'static, io::Result<Vec<IpAddr>>> {
        let to = self.0.clone();
        Box::pin(async move { Ok(to) })
    }
}

/// What is around one command.
#[derive(Default)]
struct Around {
    egress: String,
    sandbox: String,
    names: Vec<IpAddr>,
    times: Times,
    /// Of a command; none: as many as there may ever be.
    connections: Option<usize>,
}

/// One command's relay, and where its proxy and its granted addresses listen.
struct Command {
    open: Open,
    proxy: SocketAddr,
    direct: Vec<SocketAddr>,
}

impl Around {
    /// By a proxy of the operator's, which leads every name to that port of this machine.
    fn led_to(port: u16) -> Self {
        Self { egress: format!("proxy = \"http://127.0.0.1:{port}\""), ..Self::default() }
    }

    async fn command(&self, entries: &[&str]) -> Command {
        let (egress, sandbox): (EgressPolicy, SandboxPolicy) =
            (toml::from_str(&self.egress).unwrap(), toml::from_str(&self.sandbox).unwrap());
        let door = Door::new(&egress, Path::new("/"), Arc::new(Names(self.names.clone()))).unwrap();
        let relay = Arc::new(Relay::new(
            Arc::new(door),
            &sandbox,
            self.times,
            self.connections.unwrap_or(usize::MAX),
        ));
        let entries: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
        let ways = Ways::of(&entries).unwrap();
        let bind = |_| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        };
        let listeners: Vec<_> = ways.listen().iter().map(bind).collect();
        let mut at = listeners.iter().map(|listener| listener.local_addr().unwrap());
        let (proxy, direct) = (at.next().unwrap(), at.collect());
        Command { open: relay.serve(&ways, listeners).unwrap(), proxy, direct }
    }
}

impl Command {
    /// A connection that asked for that, and the head of the answer.
    async fn ask(&self, request: &str) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(self.proxy).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        (stream, String::from_utf8(head).unwrap())
    }

    async fn connect(&self, target: &str) -> (TcpStream, String) {
        self.ask(&format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n")).await
    }

    async fn tunnel(&self, target: &str) -> TcpStream {
        let (stream, head) = self.connect(target).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        stream
    }

    /// Status and text of what is answered in the place of a tunnel.
    async fn refused(&self, target: &str) -> (u16, String) {
        let (mut stream, head) = self.connect(target).await;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut text = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut text).await.unwrap();
        (head[9..12].parse().unwrap(), String::from_utf8(text).unwrap().trim_end().to_owned())
    }
}

fn used(target: &str, connections: u32, refused: u32, bytes: (u64, u64)) -> NetworkUse {
    NetworkUse { target: target.to_owned(), connections, refused, sent: bytes.0, received: bytes.1, ms: 0 }
}

/// What was used, but for the time that it took.
async fn end(mut command: Command) -> (Vec<NetworkUse>, Vec<String>) {
    command.open.end().await;
    let used = command.open.used();
    assert_eq!(used.others, 0);
    (used.uses.into_iter().map(|one| NetworkUse { ms: 0, ..one }).collect(), used.lines)
}

/// To its end.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // One that is reset has said all that it will.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

#[test]
fn the_proxy_listens_where_no_granted_address_does() {
    let ways = |entries: &[&str]| {
        let entries: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
        let listen = Ways::of(&entries).map(|ways| ways.listen());
        listen.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(ways(&[]), None);
    assert_eq!(ways(&["a.example:443", "10.0.0.1:80", "*:443"]).unwrap(), ["127.0.0.1:61080"]);
    let granted = ["127.0.0.1:61080", "127.0.0.1:61081", "[::1]:80", "127.0.0.1:61080"];
    let listened = ["127.0.0.1:61082", "127.0.0.1:61080", "127.0.0.1:61081", "[::1]:80"];
    assert_eq!(ways(&granted).unwrap(), listened);
    let ways = Ways::of(&["127.0.0.1:61080".to_owned()]).unwrap();
    let variables: Vec<_> = ways.variables().collect();
    assert_eq!(variables.iter().filter(|(_, value)| value == "http://127.0.0.1:61081").count(), 6);
    assert!(variables.contains(&("no_proxy", "localhost,127.0.0.1,::1".into())));
}

#[tokio::test]
async fn an_address_that_is_written_out_is_reached_with_bytes_as_they_are() {
    let server = Server::echo().await;
    let target = format!("127.0.0.1:{}", server.port);
    let command = Around::default().command(&[&target]).await;
    let mut stream = command.tunnel(&target).await;
    stream.write_all(b"no TLS").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(stream).await, b"no TLS");
    // The same under its own address, without a proxy.
    let mut stream = TcpStream::connect(command.direct[0]).await.unwrap();
    stream.write_all(b"direct").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(stream).await, b"direct");
    assert_eq!(end(command).await, (vec![used(&target, 2, 0, (12, 12))], Vec::new()));
}

#[tokio::test]
async fn what_is_not_granted_is_refused_with_the_words_that_would_allow_it() {
    let server = Server::echo().await;
    let (granted, other) = (format!("127.0.0.1:{}", server.port), format!("127.0.0.2:{}", server.port));
    let command = Around::default().command(&[&granted, "a.example:443"]).await;
    let words = |target: &str| {
        format!(
            "`{target}` is not granted: `network = [\"{target}\"]` in the plugin's `process` of the operator's `policy.toml` allows it"
        )
    };
    let refused = ["a.example:80", "b.example:443", other.as_str(), "[::1]:443", "[::ffff:127.0.0.1]:443"];
    for target in refused {
        assert_eq!(command.refused(target).await, (403, words(target)), "{target}");
    }
    for target in ["a.example", "2130706433:443", "u@a.example:443", "a.example:0", "*:443"] {
        assert_eq!(command.refused(target).await.0, 400, "{target}");
    }
    let (uses, lines) = end(command).await;
    assert_eq!(uses.iter().map(|one| (one.connections, one.refused)).collect::<Vec<_>>(), [(0, 1); 5]);
    assert_eq!(lines, refused.map(words));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_never_leads_to_this_machine_or_a_private_network() {
    let server = Server::echo().await;
    let target = format!("rebound.example:{}", server.port);
    for to in ["127.0.0.1", "169.254.169.254", "10.0.0.7", "::ffff:127.0.0.1", "::1", "fd00:ec2::254"] {
        let around = Around { names: vec![to.parse().unwrap()], ..Around::default() };
        let command = around.command(&[&target, &format!("*:{}", server.port)]).await;
        let (status, why) = command.refused(&target).await;
        assert!(status == 403 && why.contains(to) && why.contains("only a rule that writes out"), "{why}");
        let (_, head) = command.ask(&format!("GET http://{target}/ HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
        assert_eq!(end(command).await, (vec![used(&target, 0, 2, (0, 0))], vec![why]));
    }
    assert_eq!(server.connections(), 0);
    // Nobody is no refusal.
    let command = Around::default().command(&[&target]).await;
    assert_eq!(command.refused(&target).await.0, 502);
    assert_eq!(end(command).await, (vec![used(&target, 1, 0, (0, 0))], Vec::new()));
}

#[tokio::test]
async fn a_tunnel_to_a_name_begins_with_tls_that_names_it() {
    let tls = Tls::named("a.example");
    let server = Server::tls(&tls).await;
    let around = Around::led_to(server.behind_a_proxy().await);
    let command = around.command(&["a.example:443"]).await;
    let speak = |stream: TcpStream, name: &'static str, says_it: bool| {
        let connector = TlsConnector::from(tls.client(says_it));
        async move { connector.connect(ServerName::try_from(name).unwrap(), stream).await }
    };
    let mut stream = speak(command.tunnel("A.example:443").await, "a.example", true).await.unwrap();
    stream.write_all(b"within").await.unwrap();
    let mut said = [0; 6];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"within");
    drop(stream);
    let reached = server.connections();
    for (name, says_it, why) in
        [("b.example", true, "its TLS names `b.example`"), ("a.example", false, "its TLS names nobody")]
    {
        let error = speak(command.tunnel("a.example:443").await, name, says_it).await.unwrap_err();
        assert!(error.to_string().contains("AccessDenied"), "{error}");
        let lines = command.open.tally.used().lines;
        assert!(lines.last().unwrap().ends_with(why), "{lines:?}");
    }
    for (garbage, why) in [
        (b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n".as_slice(), "it is no TLS"),
        (b"SSH-2.0-x\r\n", "it is no TLS"),
        (&[22, 3, 1, 255, 255], "it is no TLS"),
        (&[22, 3, 1, 0, 4, 1, 0, 0, 0], "it is no TLS"),
        // Of a handshake that says it is longer than any.
        (&[22, 3, 1, 0, 4, 1, 255, 255, 255], "it is no TLS"),
    ] {
        let mut stream = command.tunnel("a.example:443").await;
        stream.write_all(garbage).await.unwrap();
        assert_eq!(rest(stream).await, super::proxy::ACCESS_DENIED, "{garbage:?}");
        let lines = command.open.tally.used().lines;
        assert!(lines.iter().any(|line| line.contains(why)), "{lines:?}");
    }
    let (uses, _) = end(command).await;
    assert_eq!((uses[0].connections, uses[0].refused), (1, 7));
    // They were connected to, and told nothing.
    assert_eq!(server.heard_of_connections_after(reached), 0);
}

#[tokio::test]
async fn a_hello_is_heard_however_it_is_cut() {
    let tls = Tls::named("a.example");
    let server = Server::echo().await;
    let around = Around::led_to(server.behind_a_proxy().await);
    let command = around.command(&["a.example:443"]).await;
    let mut client =
        rustls::ClientConnection::new(tls.client(true), ServerName::try_from("a.example").unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    // One record of it, or several that each have a part.
    let (head, body) = hello.split_at(5);
    let records = |size: usize| -> Vec<u8> {
        let record = |part: &[u8]| [&head[..3], &(part.len() as u16).to_be_bytes(), part].concat();
        body.chunks(size).flat_map(record).collect()
    };
    for (bytes, write) in [
        (hello.clone(), hello.len()),
        (hello.clone(), 1),
        (records(body.len() / 2 + 1), 1000),
        (records(1), 100),
        ([hello.clone(), b"early".to_vec()].concat(), 10_000),
    ] {
        let mut stream = command.tunnel("a.example:443").await;
        for part in bytes.chunks(write) {
            stream.write_all(part).await.unwrap();
        }
        let mut echoed = vec![0; bytes.len()];
        stream.read_exact(&mut echoed).await.unwrap();
        assert_eq!(echoed, bytes);
    }
    // One that never ends is not waited for.
    let mut stream = command.tunnel("a.example:443").await;
    let endless = [&[22, 3, 1, 0, 100, 1, 0, 255, 0][..], &[0; 96]].concat();
    for _ in 0..1000 {
        if stream.write_all(&endless).await.is_err() {
            break;
        }
    }
    drop(rest(stream).await);
    let (uses, lines) = end(command).await;
    assert_eq!((uses[0].connections, uses[0].refused, lines.len()), (5, 1, 1));
}

#[tokio::test]
async fn who_is_slow_to_begin_is_not_waited_for() {
    let server = Server::echo().await;
    let [head, hello, idle] = [200, 200, 300].map(Duration::from_millis);
    let around =
        Around { times: Times { head, hello, idle }, ..Around::led_to(server.behind_a_proxy().await) };
    let target = format!("127.0.0.1:{}", server.port);
    let command = around.command(&["a.example:443", &target]).await;
    // A head that does not end, a hello that does not, and a tunnel that is silent.
    let mut slow = TcpStream::connect(command.proxy).await.unwrap();
    slow.write_all(b"CONNECT a.example:443 HTTP/1.1\r\nx").await.unwrap();
    rest(slow).await;
    let mut slow = command.tunnel("a.example:443").await;
    slow.write_all(&[22, 3, 1, 1]).await.unwrap();
    assert_eq!(rest(slow).await, super::proxy::ACCESS_DENIED);
    let mut slow = command.tunnel(&target).await;
    slow.write_all(b"x").await.unwrap();
    assert_eq!(rest(slow).await, b"x");
    let (_, lines) = end(command).await;
    assert!(lines.len() == 1 && lines[0].ends_with("no TLS came in time"), "{lines:?}");
}

#[tokio::test]
async fn a_plain_request_goes_to_its_target_without_what_is_of_its_connection() {
    let server = Server::http().await;
    let target = format!("127.0.0.1:{}", server.port);
    let command = Around::led_to(server.behind_a_proxy().await).command(&[&target, "a.example:80"]).await;
    let headers = "host: elsewhere.example\r\nproxy-connection: keep-alive\r\nproxy-authorization: secret\r\n\
                   connection: x-hop\r\nx-hop: 1\r\nx-own: 2\r\ncontent-length: 4\r\n";
    for (authority, host) in [(target.as_str(), target.as_str()), ("a.example", "a.example")] {
        let request = format!("POST http://{authority}/v1?q=1 HTTP/1.1\r\n{headers}\r\nbody");
        let (mut stream, head) = command.ask(&request).await;
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("x-answer: 1"), "{head}");
        assert!(!head.contains("x-hop"), "{head}");
        let mut echoed = String::new();
        // The server says all that it got, and the answer's length is said.
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let limit = length.parse().unwrap();
        (&mut stream).take(limit).read_to_string(&mut echoed).await.unwrap();
        assert!(
            echoed.starts_with("POST /v1?q=1 HTTP/1.1\r\n") && echoed.ends_with("\r\n\r\nbody"),
            "{echoed}"
        );
        assert!(echoed.contains(&format!("host: {host}\r\n")) && echoed.contains("x-own: 2\r\n"), "{echoed}");
        for gone in ["elsewhere", "proxy-", "secret", "x-hop", "connection"] {
            assert!(!echoed.contains(gone), "{gone}: {echoed}");
        }
    }
    for (line, status) in [
        ("GET / HTTP/1.1", "400"),
        ("GET https://a.example/ HTTP/1.1", "400"),
        ("GET ftp://a.example/ HTTP/1.1", "400"),
        ("GET http://b.example/ HTTP/1.1", "403"),
        ("GET http://a.example:81/ HTTP/1.1", "403"),
    ] {
        let (_, head) = command.ask(&format!("{line}\r\nhost: a.example\r\n\r\n")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {head}");
    }
    let (_, head) = command.ask("nonsense\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert_eq!(server.connections(), 2);
    end(command).await;
}

#[tokio::test]
async fn as_many_bytes_move_as_the_policy_allows() {
    let server = Server::echo().await;
    let target = format!("127.0.0.1:{}", server.port);
    let around = Around { sandbox: "network_mib = 1".to_owned(), ..Around::default() };
    let command = around.command(&[&target]).await;
    let (mut reading, mut writing) = command.tunnel(&target).await.into_split();
    let written = tokio::spawn(async move {
        let part = [7; 64 << 10];
        // As long as anybody takes it.
        for _ in 0..200 {
            if writing.write_all(&part).await.is_err() {
                break;
            }
        }
    });
    let mut echoed = Vec::new();
    let _ = reading.read_to_end(&mut echoed).await;
    written.await.unwrap();
    assert!(echoed.len() < 1 << 20, "{}", echoed.len());
    // Nothing goes through any more, by whatever way.
    let mut stream = TcpStream::connect(command.direct[0]).await.unwrap();
    let _ = stream.write_all(b"x").await;
    assert_eq!(rest(stream).await, b"");
    let (uses, lines) = end(command).await;
    let moved = uses[0].sent + uses[0].received;
    assert!((1 << 20..(1 << 20) + (64 << 10)).contains(&moved), "{uses:?}");
    assert!(lines.len() == 1 && lines[0].contains("`[sandbox] network_mib`"), "{lines:?}");
}

#[tokio::test]
async fn with_the_command_everything_ends_and_what_it_sent_last_goes_out() {
    let server = Server::echo().await;
    let target = format!("127.0.0.1:{}", server.port);
    let command = Around::default().command(&[&target]).await;
    let mut open = command.tunnel(&target).await;
    let mut last = TcpStream::connect(command.direct[0]).await.unwrap();
    last.write_all(&[1; 100_000]).await.unwrap();
    drop(last);
    open.write_all(b"open").await.unwrap();
    let mut echoed = [0; 4];
    open.read_exact(&mut echoed).await.unwrap();
    let (proxy, direct) = (command.proxy, command.direct[0]);
    let (uses, _) = end(command).await;
    assert_eq!((uses[0].connections, uses[0].sent), (2, 100_004));
    assert_eq!(rest(open).await, b"");
    for gone in [proxy, direct] {
        assert!(TcpStream::connect(gone).await.is_err());
    }
    // Whoever is dropped ends, too.
    let command = Around::default().command(&[&target]).await;
    let open = command.tunnel(&target).await;
    drop(command);
    assert_eq!(rest(open).await, b"");
}

#[tokio::test]
async fn more_connections_than_there_may_be_wait_for_their_turn() {
    let server = Server::echo().await;
    let target = format!("127.0.0.1:{}", server.port);
    // Where this process may open few files, there are fewer.
    for (connections, most) in [(None, super::CONNECTIONS_MAX), (Some(3), 3)] {
        let command = Around { connections, ..Around::default() }.command(&[&target]).await;
        let mut open = Vec::new();
        for _ in 0..most {
            open.push(command.tunnel(&target).await);
        }
        let mut late = TcpStream::connect(command.proxy).await.unwrap();
        late.write_all(format!("CONNECT {target} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
        let mut byte = [0];
        let answered = tokio::time::timeout(Duration::from_millis(300), late.read_exact(&mut byte)).await;
        assert!(answered.is_err(), "{answered:?}");
        open.pop();
        late.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"H");
        let (uses, _) = end(command).await;
        assert_eq!(uses[0].connections as usize, most + 1);
    }
}

#[tokio::test]
async fn who_is_refused_this_machine_by_name_reads_the_words_that_would_reach_it() {
    let command = Around::default().command(&["a.example:443"]).await;
    for (asked, words) in [
        ("localhost:5432", "127.0.0.1:5432"),
        ("db.localhost:5432", "127.0.0.1:5432"),
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("[::]:80", "127.0.0.1:80"),
        ("192.168.0.1:80", "192.168.0.1:80"),
        ("localhost.example:80", "localhost.example:80"),
    ] {
        let (status, said) = command.refused(asked).await;
        assert!(status == 403 && said.contains(&format!("`network = [\"{words}\"]`")), "{asked}: {said}");
    }
}

#[tokio::test]
async fn of_very_many_targets_some_are_listed_and_all_are_counted() {
    let mut command = Around::default().command(&["a.example:443"]).await;
    for port in 1000..1130 {
        assert_eq!(command.refused(&format!("a.example:{port}")).await.0, 403);
    }
    command.open.end().await;
    let used = command.open.used();
    assert_eq!((used.uses.len(), used.others, used.lines.len()), (100, 30, 8));
    assert!(!used.is_nothing());
}
