//! What a command reached: counted while it goes over the wire.
//!
//! In -> out: connections by target, refusals -> [`Used`].
//! Units: bytes as they go over the wire to and from whoever was reached, milliseconds.
//! Limits: [`TARGETS_MAX`] targets, [`LINES_MAX`] lines; the rest is a number.
//! Invariant: beyond the command's bytes nothing moves any more; a connection is counted when it is let through, its bytes as they
//! move.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use orch_journal::event::NetworkUse;
use orch_trust::permission::NetworkTarget;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

const TARGETS_MAX: usize = 100;
const LINES_MAX: usize = 8;

/// What a command reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub uses: Vec<NetworkUse>,
    /// Connections to others than those.
    pub others: u32,
    /// For its log: what was refused and which words of policy would allow it.
    pub lines: Vec<String>,
}

impl Used {
    pub fn is_nothing(&self) -> bool {
        self.uses.is_empty() && self.others == 0
    }
}

/// Of one command, so far.
pub(super) struct Tally {
    /// That may still move; none: as many as it likes.
    left: Option<AtomicU64>,
    so_far: Mutex<SoFar>,
}

#[derive(Default)]
struct SoFar {
    /// Without the bytes and times of connections that go on.
    uses: BTreeMap<NetworkTarget, NetworkUse>,
    going_on: Vec<Arc<Going>>,
    others: u32,
    lines: Vec<String>,
}

/// A connection that goes on.
struct Going {
    target: NetworkTarget,
    begun: Instant,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Going {
    fn add_to(&self, uses: &mut BTreeMap<NetworkTarget, NetworkUse>) {
        // One more beside those that are listed is counted already.
        if let Some(one) = uses.get_mut(&self.target) {
            let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            one.sent = one.sent.saturating_add(self.sent.load(Ordering::Relaxed));
            one.received = one.received.saturating_add(self.received.load(Ordering::Relaxed));
            one.ms = one.ms.saturating_add(ms);
        }
    }
}

impl SoFar {
    /// That of this target, if there is room for it.
    fn of(&mut self, target: &NetworkTarget) -> Option<&mut NetworkUse> {
        if !self.uses.contains_key(target) {
            if self.uses.len() >= TARGETS_MAX {
                self.others = self.others.saturating_add(1);
                return None;
            }
            let new = NetworkUse { target: target.to_string(), ..NetworkUse::default() };
            self.uses.insert(target.clone(), new);
        }
        self.uses.get_mut(target)
    }
}

impl Tally {
    pub(super) fn new(bytes_max: Option<u64>) -> Self {
        Self { left: bytes_max.map(AtomicU64::new), so_far: Mutex::default() }
    }

    /// Counts a connection that is let through.
    pub(super) fn meter(self: &Arc<Self>, target: &NetworkTarget) -> Arc<Meter> {
        let (sent, received) = Default::default();
        let going = Arc::new(Going { target: target.clone(), begun: Instant::now(), sent, received });
        let mut so_far = self.so_far();
        if let Some(one) = so_far.of(target) {
            one.connections = one.connections.saturating_add(1);
        }
        so_far.going_on.push(going.clone());
        Arc::new(Meter { tally: self.clone(), going })
    }

    /// Counts a connection that is not.
    pub(super) fn refuse(&self, target: &NetworkTarget, why: &str) {
        if let Some(one) = self.so_far().of(target) {
            one.refused = one.refused.saturating_add(1);
        }
        self.say(why);
    }

    /// For the command's log, each once.
    pub(super) fn say(&self, line: &str) {
        let so_far = &mut *self.so_far();
        if so_far.lines.len() < LINES_MAX && !so_far.lines.iter().any(|known| known == line) {
            so_far.lines.push(line.to_owned());
        }
    }

    pub(super) fn used(&self) -> Used {
        let so_far = self.so_far();
        let mut uses = so_far.uses.clone();
        so_far.going_on.iter().for_each(|one| one.add_to(&mut uses));
        let uses = uses.into_values().collect();
        Used { uses, others: so_far.others, lines: so_far.lines.clone() }
    }

    /// Takes so many bytes off what may still move.
    fn take(&self, bytes: u64) {
        if let Some(left) = &self.left {
            // Never fails: there is always a value.
            let _ = left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(bytes)));
        }
    }

    fn check_room(&self) -> io::Result<()> {
        match &self.left {
            Some(left) if left.load(Ordering::Relaxed) == 0 => {
                self.say(
                    "the network was closed: it sent and received as much as `[sandbox] network_mib` in the operator's \
                     `policy.toml` allows",
                );
                Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the command's bytes are used up"))
            }
            _ => Ok(()),
        }
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of one connection.
pub(super) struct Meter {
    tally: Arc<Tally>,
    going: Arc<Going>,
}

impl Meter {
    /// It was let through and is refused after all.
    pub(super) fn refused(&self) {
        if let Some(one) = self.tally.so_far().uses.get_mut(&self.going.target) {
            one.connections = one.connections.saturating_sub(1);
            one.refused = one.refused.saturating_add(1);
        }
    }

    /// Returns when nothing moved for so long, looked at from time to time.
    pub(super) async fn is_idle(&self, idle: Duration) {
        let moved = || self.going.sent.load(Ordering::Relaxed) + self.going.received.load(Ordering::Relaxed);
        loop {
            let before = moved();
            tokio::time::sleep(idle).await;
            if moved() == before {
                return;
            }
        }
    }

    fn count(&self, which: &AtomicU64, bytes: usize) {
        which.fetch_add(bytes as u64, Ordering::Relaxed);
        self.tally.take(bytes as u64);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let mut so_far = self.tally.so_far();
        so_far.going_on.retain(|one| !Arc::ptr_eq(one, &self.going));
        self.going.add_to(&mut so_far.uses);
    }
}

/// The connection to whoever was reached.
pub(super) struct Metered {
    stream: TcpStream,
    meter: Arc<Meter>,
}

impl Metered {
    pub(super) fn new(stream: TcpStream, meter: Arc<Meter>) -> Self {
        Self { stream, meter }
    }

    pub(super) fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.meter.tally.check_room()?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.meter.count(&self.meter.going.received, buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.meter.tally.check_room()?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.meter.count(&self.meter.going.sent, written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
