//! A client that asks the same again and again, on connections that it keeps.
//!
//! In -> out: an address, [`Load`] -> [`Answered`]: how long each answer took.
//! At a rate a request's time begins when it was to be sent, not when its connection was free for it: who waits behind a slow
//! answer waits too. A program that does this is no part of every system (`wrk` holds no rate), and `oha` takes longer to build than all
//! measurements take.
//! One thread: the rest of the machine is for who answers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::figures::{nanoseconds, percentile};

/// How fast.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as answers come, for so long.
    For(Duration),
    /// As fast as answers come, so many.
    So(u64),
    /// So many a second, for so long.
    Rate(u64, Duration),
}

pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
}

/// Nanoseconds of each answer.
#[derive(Default)]
pub(crate) struct Answered {
    took: Vec<u64>,
    not_good: u64,
    seconds: f64,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    pub(crate) fn add(&mut self, more: Self) {
        self.took.extend(more.took);
        self.not_good += more.not_good;
        self.seconds += more.seconds;
    }

    pub(crate) fn sort(&mut self) {
        self.took.sort_unstable();
    }

    /// Requests a second, p50, p99 and those not answered with 200; of sorted ones.
    pub(crate) fn row(&self) -> String {
        let ms = |part| percentile(&self.took, part) as f64 / 1e6;
        let rate = self.took.len() as f64 / self.seconds;
        format!("{rate:.0} | {:.2} | {:.2} | {}", ms(0.5), ms(0.99), self.not_good)
    }
}

impl Load {
    pub(crate) async fn on(&self, at: SocketAddr, path: &str) -> anyhow::Result<Answered> {
        let begun = Instant::now();
        let mut all = tokio::task::JoinSet::new();
        for number in 0..self.connections as u64 {
            all.spawn(connection(at, path.to_owned(), self.pace, number, self.connections as u64, begun));
        }
        let mut answered = Answered::default();
        while let Some(one) = all.join_next().await {
            answered.add(one??);
        }
        answered.seconds = begun.elapsed().as_secs_f64();
        Ok(answered)
    }
}

/// One connection's share.
async fn connection(
    at: SocketAddr,
    path: String,
    pace: Pace,
    number: u64,
    of: u64,
    begun: Instant,
) -> anyhow::Result<Answered> {
    let mut stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    let mut answered = Answered::default();
    for place in (number..).step_by(of as usize) {
        let sent = match pace {
            Pace::For(time) if begun.elapsed() >= time => break,
            Pace::So(count) if place >= count => break,
            Pace::For(_) | Pace::So(_) => Instant::now(),
            Pace::Rate(rate, time) => {
                let due = Duration::from_nanos(place.saturating_mul(1_000_000_000) / rate);
                if due >= time {
                    break;
                }
                sleep_until(begun + due).await;
                begun + due
            }
        };
        let answer = ask(&mut stream, &path).await?;
        answered.took.push(nanoseconds(sent.elapsed()));
        answered.not_good += u64::from(answer.status != 200);
    }
    Ok(answered)
}

/// One request on a connection of its own; it comes within half a minute or not at all.
pub(crate) async fn exchange(at: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    let asked = async { ask(&mut TcpStream::connect(at).await?, path).await };
    timeout(Duration::from_secs(30), asked).await.context("no answer in 30 s")?
}

async fn ask(stream: &mut TcpStream, path: &str) -> anyhow::Result<Answer> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
    let mut read = Vec::with_capacity(1024);
    let head = loop {
        ensure!(stream.read_buf(&mut read).await? > 0, "the answer ends in its head");
        if let Some(head) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break head;
        }
    };
    let text = String::from_utf8_lossy(read.get(..head).unwrap_or_default()).to_ascii_lowercase();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let length: usize = field("content-length").context("no `content-length`")?.parse()?;
    let status = text.split(' ').nth(1).context("no status")?.parse()?;
    let kind = field("content-type").unwrap_or_default().to_owned();
    let mut body = read.split_off(head + 4);
    while body.len() < length {
        ensure!(stream.read_buf(&mut body).await? > 0, "the answer ends in its body");
    }
    Ok(Answer { status, kind, body })
}

/// Connections that ask nothing, and how many could not be made within a second.
pub(crate) async fn hold(at: SocketAddr, count: usize) -> (Vec<TcpStream>, usize) {
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..count {
        all.spawn(timeout(Duration::from_secs(1), TcpStream::connect(at)));
    }
    let mut open = Vec::new();
    while let Some(one) = all.join_next().await {
        open.extend(one.ok().and_then(Result::ok).and_then(Result::ok));
    }
    let refused = count - open.len();
    (open, refused)
}
