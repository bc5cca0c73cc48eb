//! The way out of commands: what they connect to on their own loopback is answered here, or by nobody.
//!
//! In -> out: sockets that listen in a command's network namespace, what it was granted -> connections by `egress` -> what it
//! reached ([`Used`]).
//! Shape: the first socket speaks HTTP as proxies do (`relay/proxy.rs`); each granted address of this machine's loopback has one
//! of its own, under the same address, for bytes as they are.
//! Limits: [`CONNECTIONS_MAX`] at once, `[sandbox] network_mib` of a command, [`Times`].
//! Invariant: nothing is connected to that the grant does not cover; a command reaches this relay by its own sockets and no other's;
//! with the command every connection ends.
//! Not here: addresses (`egress`), the sockets (`orch-supervisor`'s `sandbox/listen.rs`), the journal (`processes.rs`).

mod hello;
mod pipe;
mod proxy;
mod tally;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use orch_trust::permission::{HttpHost, NetworkTarget};
use orch_trust::policy::SandboxPolicy;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use crate::egress::Door;
use proxy::Proxy;
pub use tally::Used;
use tally::{Metered, Tally};

/// Of one command and all that it starts, fewer where this process may open few files; more wait to be accepted.
pub const CONNECTIONS_MAX: usize = 64;
/// Of the proxy, where no granted address takes it: above what the system gives to whoever asks for any port.
const PORT: u16 = 61_080;
/// For what a command sent last, when it is over.
const LINGER: Duration = Duration::from_millis(250);
/// After a fault of accepting: this process may be out of descriptors for a moment.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// How long a relay waits.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// For the head of a request, from the last one's end.
    pub head: Duration,
    /// For the first words of TLS.
    pub hello: Duration,
    /// While nothing moves either way, at least; up to twice as long.
    pub idle: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let [head, hello, idle] = [30, 30, 600].map(Duration::from_secs);
        Self { head, hello, idle }
    }
}

/// Of all commands of a host.
pub struct Relay {
    door: Arc<Door>,
    times: Times,
    connections: usize,
    bytes_max: Option<u64>,
}

/// What a command may reach, and where on its loopback it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways {
    entries: Arc<[String]>,
    proxy: SocketAddr,
    /// Of this machine, reached under the same address.
    direct: Vec<SocketAddr>,
}

impl Ways {
    /// `entries`: of a grant's `process.network`; none if there are none.
    pub fn of(entries: &[String]) -> Option<Self> {
        let loopback = entries.iter().filter_map(|entry| entry.parse().ok());
        let direct: BTreeSet<SocketAddr> =
            loopback.filter(|address: &SocketAddr| address.ip().is_loopback()).collect();
        let own = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let proxy = (PORT..=u16::MAX).map(own).find(|address| !direct.contains(address))?;
        let direct = direct.into_iter().collect();
        (!entries.is_empty()).then(|| Self { entries: entries.into(), proxy, direct })
    }

    /// Where the host listens in the command's network namespace, the proxy first.
    pub fn listen(&self) -> Vec<SocketAddr> {
        [self.proxy].into_iter().chain(self.direct.iter().copied()).collect()
    }

    /// By which programs know of the proxy. What talks to its own loopback does so without it.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, OsString)> + use<> {
        let url = format!("http://{}", self.proxy);
        let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
        let own = ["NO_PROXY", "no_proxy"].map(|name| (name, "localhost,127.0.0.1,::1".into()));
        // Without it what Node.js itself fetches asks for addresses, which nobody here has.
        let node = [("NODE_USE_ENV_PROXY", "1".into())];
        proxies.into_iter().map(move |name| (name, OsString::from(&url))).chain(own).chain(node)
    }
}

/// The relay of one command. Dropped, it ends; so does everything that goes through it.
pub struct Open {
    /// Until it is asked to end.
    stop: Option<oneshot::Sender<()>>,
    going_on: JoinHandle<()>,
    tally: Arc<Tally>,
}

impl Open {
    /// When the command is over: what it sent last goes out, then everything ends.
    pub async fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            drop(stop);
            // It does not panic, and only its drop aborts it.
            let _ = (&mut self.going_on).await;
        }
    }

    /// What it reached so far, and what goes on of that.
    pub fn used(&self) -> Used {
        self.tally.used()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.going_on.abort();
    }
}

impl Relay {
    /// `connections`: of one command at once.
    pub fn new(door: Arc<Door>, policy: &SandboxPolicy, times: Times, connections: usize) -> Self {
        let bytes_max = policy.network_mib.map(|mib| u64::from(mib.get()) << 20);
        Self { door, times, connections: connections.min(CONNECTIONS_MAX), bytes_max }
    }

    /// `listeners`: as [`Ways::listen`] has their addresses, and not blocking.
    ///
    /// # Errors
    /// The system's own, with a socket.
    pub fn serve(self: &Arc<Self>, ways: &Ways, listeners: Vec<std::net::TcpListener>) -> io::Result<Open> {
        let listeners: io::Result<Vec<TcpListener>> =
            listeners.into_iter().map(TcpListener::from_std).collect();
        let tally = Arc::new(Tally::new(self.bytes_max));
        let proxy = Proxy { relay: self.clone(), entries: ways.entries.clone(), tally: tally.clone() };
        let first: Behind = Behind::Proxy(proxy);
        let direct = ways.direct.iter().map(|address| {
            let host = HttpHost::Address(address.ip());
            Behind::Direct(NetworkTarget { host, port: address.port() })
        });
        let served = listeners?.into_iter().zip([first].into_iter().chain(direct)).collect();
        let (stop, stopped) = oneshot::channel();
        let going_on = tokio::spawn(drive(self.clone(), served, tally.clone(), stopped));
        Ok(Open { stop: Some(stop), going_on, tally })
    }

    /// A connection to a target that the grant covers, counted.
    async fn reach(&self, target: &NetworkTarget, tally: &Arc<Tally>) -> Result<Metered, NotReached> {
        let meter = tally.meter(target);
        match self.door.connect(target).await {
            Ok(stream) => {
                // Small writes are the program's business, not held back here.
                let _ = stream.set_nodelay(true);
                Ok(Metered::new(stream, meter))
            }
            Err(error) if error.prohibited => {
                meter.refused();
                tally.say(&error.why);
                Err(NotReached::Refused(error.why))
            }
            Err(error) => Err(NotReached::Failed(error.why)),
        }
    }
}

/// Why there is no connection, in words.
enum NotReached {
    Refused(String),
    Failed(String),
}

/// What stands behind a socket.
#[derive(Clone)]
enum Behind {
    Proxy(Proxy),
    Direct(NetworkTarget),
}

type Accepted = (TcpStream, Behind, OwnedSemaphorePermit);

/// Until it is stopped.
async fn drive(
    relay: Arc<Relay>,
    served: Vec<(TcpListener, Behind)>,
    tally: Arc<Tally>,
    mut stopped: oneshot::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(relay.connections));
    let (accepted, mut coming) = mpsc::channel(1);
    let mut accepting = JoinSet::new();
    for (listener, behind) in served {
        accepting.spawn(accept(listener, behind, room.clone(), accepted.clone()));
    }
    drop(accepted);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(_) = open.join_next(), if !open.is_empty() => {}
            Some((stream, behind, room)) = coming.recv() => {
                open.spawn(answer(relay.clone(), stream, behind, tally.clone(), room));
            }
        }
    }
    accepting.shutdown().await;
    let all = async { while open.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LINGER, all).await;
    open.shutdown().await;
}

async fn accept(
    listener: TcpListener,
    behind: Behind,
    room: Arc<Semaphore>,
    accepted: mpsc::Sender<Accepted>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let Ok(room) = room.clone().acquire_owned().await else { return };
        if accepted.send((stream, behind.clone(), room)).await.is_err() {
            return;
        }
    }
}

async fn answer(
    relay: Arc<Relay>,
    stream: TcpStream,
    behind: Behind,
    tally: Arc<Tally>,
    _room: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    match behind {
        Behind::Proxy(proxy) => proxy.serve(stream).await,
        // Who is not there is said by the end of the connection, as the machine itself would.
        Behind::Direct(target) => {
            if let Ok(theirs) = relay.reach(&target, &tally).await {
                pipe::pass(stream, theirs, relay.times.idle).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
