//! A thousand requests to a server that drops, lies and dawdles.
//!
//! Invariant: what is counted is counted in a process that does nothing else.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wasmtime_wasi_http::Error;

use super::server::{Server, answer};
use super::{check, door, outgoing, send, text};

/// What a thousand may leave in memory, the first 200 apart: what allocators keep, not what requests do.
const GROWTH_BYTES_MAX: u64 = 8 << 20;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The resident set of this process.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Runs that test again, alone.
fn in_a_process_of_its_own(test: &str) {
    let module = module_path!().split_once("::").unwrap().1;
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let output = alone.args(["--exact", &format!("{module}::{test}"), "--nocapture"]).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn a_thousand_requests_to_a_server_of_chaos_leave_nothing_behind() {
    if !std::env::args().any(|argument| argument == "--exact") {
        return in_a_process_of_its_own("a_thousand_requests_to_a_server_of_chaos_leave_nothing_behind");
    }
    let count = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) % 8 {
        0 => Vec::new(),
        1 => b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec(),
        2 => b"\xff\xfe\x00".repeat(100),
        3 => format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100_000)).into_bytes(),
        4 => b"HTTP/1.1 429 Slow down\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n".to_vec(),
        5 => answer(&"z".repeat(200_000)),
        _ => answer("fine"),
    })
    .await;
    let door = Arc::new(door("connections = 8", Arc::default()));
    let open_before = open_files();
    let mut requests = tokio::task::JoinSet::new();
    let mut resident = 0;
    for number in 0..1000 {
        if number == 200 {
            while requests.join_next().await.is_some() {}
            resident = resident_bytes();
        }
        let (door, url) = (door.clone(), server.url("/"));
        requests.spawn(async move {
            let mut request = outgoing("GET", &url);
            request.times.first_byte = Some(Duration::from_millis(150));
            request.times.between_bytes = Some(Duration::from_millis(50));
            match send(&door, request).await {
                Ok(response) => (u32::from(response.status() == 200), text(response).await.is_ok()),
                Err(_) => (0, false),
            }
        });
        // Eight at once, as the door lets out.
        while requests.len() >= 8 {
            requests.join_next().await;
        }
    }
    let rest = requests.join_all().await;
    assert!(rest.len() < 8);
    let more = resident_bytes().saturating_sub(resident);
    assert!(more < GROWTH_BYTES_MAX, "{more} bytes more than after 200 requests");
    // All room is there again, and a server that behaves is served.
    let calm = Server::start(|_| answer("calm")).await;
    for _ in 0..8 {
        let response = send(&door, outgoing("GET", &calm.url("/"))).await.unwrap();
        assert_eq!(text(response).await.unwrap(), "calm");
    }
    assert_eq!(door.room_left("acme/a"), Some(8));
    drop((door, server, calm));
    let is_back = || open_files() <= open_before + 4;
    for _ in 0..100 {
        if is_back() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} files are open, {open_before} were", open_files());
}

#[tokio::test]
async fn hints_without_end_are_heard_no_longer_than_the_call_has_and_nothing_of_them_stays() {
    if !std::env::args().any(|argument| argument == "--exact") {
        return in_a_process_of_its_own(
            "hints_without_end_are_heard_no_longer_than_the_call_has_and_nothing_of_them_stays",
        );
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = counted.clone();
            tokio::spawn(async move {
                // A server that speaks before it was asked is another fault.
                let mut head = [0; 4096];
                if stream.read(&mut head).await.is_err() {
                    return;
                }
                let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(100);
                while stream.write_all(&hints).await.is_ok() {
                    counted.fetch_add(hints.len(), Ordering::Relaxed);
                }
            });
        }
    });
    let door = door("", Arc::default());
    let mut resident = 0;
    for round in 0..4 {
        let mut request = outgoing("GET", &url);
        request.times.deadline = Instant::now() + Duration::from_secs(1);
        let begun = Instant::now();
        let late = send(&door, request).await;
        check(late, |error| matches!(error, Error::ConnectionReadTimeout), "did not answer in time");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        if round == 0 {
            resident = resident_bytes();
        }
    }
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent > 1 << 20, "{sent} bytes are no flood");
    let more = resident_bytes().saturating_sub(resident);
    assert!(more < GROWTH_BYTES_MAX, "{more} bytes more, of {sent} that came");
    assert_eq!(door.room_left("acme/a"), Some(16), "its connections are there again");
}
