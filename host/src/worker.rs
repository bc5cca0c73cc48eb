//! A worker: leases tasks of a broker, runs their commands here, and says how they ended.
//!
//! In -> out: a broker ([`Client`]), walls and programs ([`Bench`]) -> one line for each task, until somebody asks for the end.
//! Limits: so many tasks at once; a lease as long as it was asked for.
//! Invariant: a command runs only while its lease counts: heartbeats renew it, and when it is lost, or was not renewed in time, the
//! command and all its descendants are ended, and nothing more is said about the task. The
//! command of a worker that ends before it is ended too, and its task is given back at once.
//! Invariant: a result is said until the broker answers; one that was accepted before counts as accepted now.
//! Not here: which programs and brokers are allowed (`[worker.allow]` of the operator's policy), the broker itself (a service).

pub mod backoff;
pub mod bench;
pub mod client;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use self::backoff::Backoff;
use self::bench::{Bench, Done};
use self::client::{Client, Failed, Leased, Said};
use crate::console::{Console, escape};
use crate::drive::desk::Control;

/// Between two questions for a task where none waits.
const IDLE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Between two tries to reach a broker.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// Once nothing more is to be begun, for an answer under way.
const ANSWER: Duration = Duration::from_secs(2);
/// Parts of a lease between two heartbeats.
const BEATS: u32 = 3;
/// Output of a stream that goes with the result; more goes before it.
const INLINE_BYTES_MAX: usize = 64 << 10;
/// Bytes of output in one request.
const PIECE_BYTES: usize = 48 << 10;

/// What one worker works with.
pub struct Worker {
    pub client: Client,
    pub bench: Bench,
    pub jobs: u32,
    /// After the first request to end, for what runs.
    pub grace: Duration,
    pub console: Console,
}

/// How a worker ended.
#[derive(Debug)]
pub enum End {
    /// Nothing was cut.
    Done,
    /// So many commands were ended before their time.
    Cut(usize),
    /// The broker does not answer this worker, now or later.
    Refused(String),
}

/// How the lease of a task ended.
enum Ended {
    /// The broker has the result.
    Accepted(String),
    /// Nobody heard of it; why.
    Lost(String),
    /// The worker ended before the command did.
    Cut,
}

impl Worker {
    /// Works until somebody asks for the end, or the broker refuses.
    pub async fn work(self, mut control: watch::Receiver<Control>) -> End {
        let worker = Arc::new(self);
        let slots = Arc::new(Semaphore::new(worker.jobs as usize));
        let (cut, _) = watch::channel(false);
        let mut running = JoinSet::new();
        let (mut idle, mut again) = (Backoff::new(IDLE), Backoff::new(AGAIN));
        let refused = loop {
            while running.try_join_next().is_some() {}
            let slot = tokio::select! {
                slot = slots.clone().acquire_owned() => slot,
                () = stopped(&mut control) => break None,
            };
            let Ok(slot) = slot else { break None };
            // Not dropped at once: what the answer leases would wait for its lease to lapse.
            let asked = tokio::select! {
                asked = worker.client.next() => asked,
                () = late(&mut control) => break None,
            };
            let wait = match asked {
                Ok(Some(leased)) => {
                    (idle, again) = (Backoff::new(IDLE), Backoff::new(AGAIN));
                    let (worker, cut) = (worker.clone(), cut.subscribe());
                    running.spawn(async move {
                        worker.work_on(leased, cut).await;
                        drop(slot);
                    });
                    continue;
                }
                Ok(None) => {
                    again = Backoff::new(AGAIN);
                    idle.wait()
                }
                Err(Failed::Later(why)) => {
                    if again.is_fresh() {
                        worker.console.warn(&format!(
                            "the broker does not answer, and is asked again: {}",
                            escape(&why)
                        ));
                    }
                    again.wait()
                }
                Err(Failed::Lost(why) | Failed::Refused(why)) => break Some(why),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stopped(&mut control) => break None,
            }
        };
        let all = async { while running.join_next().await.is_some() {} };
        let is_whole = tokio::select! {
            () = all => true,
            () = tokio::time::sleep(worker.grace) => false,
            () = aborted(&mut control) => false,
        };
        let left = running.len();
        if !is_whole {
            cut.send_replace(true);
            while running.join_next().await.is_some() {}
        }
        match (refused, left) {
            (Some(why), _) => End::Refused(why),
            (None, 0) => End::Done,
            (None, left) => End::Cut(left),
        }
    }

    /// One task, from its lease to its result.
    async fn work_on(&self, leased: Leased, mut cut: watch::Receiver<bool>) {
        let (over, is_over) = watch::channel(false);
        let (renewing, doing) = (self.renew(&leased), self.run_and_say(&leased, is_over));
        tokio::pin!(renewing, doing);
        let lost = tokio::select! {
            ended = &mut doing => Err(ended),
            why = &mut renewing => Ok(Ended::Lost(why)),
            () = is_set(&mut cut) => Ok(Ended::Cut),
        };
        let ended = match lost {
            Err(ended) => ended,
            Ok(ended) => {
                over.send_replace(true);
                // Until nothing of the command is left.
                doing.await;
                ended
            }
        };
        let (id, fence) = (&leased.id, leased.fence);
        match ended {
            Ended::Accepted(how) => self.console.line(&format!("{id} (fence {fence}): {}", escape(&how))),
            Ended::Lost(why) => self.console.line(&format!("{id} (fence {fence}): lost: {}", escape(&why))),
            Ended::Cut => {
                let back = self.give_back(&leased).await;
                self.console.line(&format!("{id} (fence {fence}): cut: {}", escape(&back)));
            }
        }
    }

    /// Nothing of the command is left, so that another worker may begin at once.
    async fn give_back(&self, leased: &Leased) -> String {
        let why = match tokio::time::timeout(ANSWER, self.client.release(leased)).await {
            Ok(Ok(())) => return "given back".to_owned(),
            Ok(Err(Failed::Later(why) | Failed::Lost(why) | Failed::Refused(why))) => why,
            Err(_) => "the broker did not answer".to_owned(),
        };
        format!("not given back, the lease lapses by itself: {why}")
    }

    /// Says again and again that the task is worked on; returns why it is no more.
    async fn renew(&self, leased: &Leased) -> String {
        let lease = self.client.lease();
        let mut renewed = Instant::now();
        let mut again = Backoff::new(AGAIN);
        let mut wait = lease / BEATS;
        loop {
            // Not beyond the lease.
            tokio::time::sleep(wait.min(lease.saturating_sub(renewed.elapsed()))).await;
            if renewed.elapsed() >= lease {
                return "the broker did not answer a heartbeat for the time of the lease".to_owned();
            }
            let asked = Instant::now();
            match tokio::time::timeout(lease.saturating_sub(renewed.elapsed()), self.client.heartbeat(leased))
                .await
            {
                Ok(Ok(())) => {
                    (renewed, again, wait) = (asked, Backoff::new(AGAIN), lease / BEATS);
                }
                Ok(Err(Failed::Lost(why) | Failed::Refused(why))) => return why,
                Ok(Err(Failed::Later(_))) | Err(_) => wait = again.wait(),
            }
        }
    }

    /// Runs the command, and says how it ended until the broker heard it. `over`: nobody wants to know any more.
    async fn run_and_say(&self, leased: &Leased, mut over: watch::Receiver<bool>) -> Ended {
        let done = self.bench.run(leased, over.clone()).await;
        tokio::select! {
            // What is over is over, also if both are ready.
            biased;
            () = is_set(&mut over) => Ended::Lost(String::new()),
            ended = self.say(leased, done) => ended,
        }
    }

    async fn say(&self, leased: &Leased, done: Done) -> Ended {
        let how = done.shown();
        match self.say_all(leased, done).await {
            Ok(()) => Ended::Accepted(how),
            Err(why) => Ended::Lost(why),
        }
    }

    /// Output that is long or no text goes first, piece by piece.
    async fn say_all(&self, leased: &Leased, done: Done) -> Result<(), String> {
        let Done { exit_code, reason, stdout, stderr } = done;
        let mut inline = [String::new(), String::new()];
        for ((name, bytes), inline) in [("stdout", stdout), ("stderr", stderr)].into_iter().zip(&mut inline) {
            match String::from_utf8(bytes) {
                Ok(text) if text.len() <= INLINE_BYTES_MAX => *inline = text,
                other => {
                    let bytes = other.map_or_else(|error| error.into_bytes(), String::into_bytes);
                    let mut offset = 0;
                    for piece in bytes.chunks(PIECE_BYTES) {
                        self.until_heard(|| self.client.append(leased, name, offset, piece)).await?;
                        offset += piece.len();
                    }
                }
            }
        }
        let [stdout, stderr] = inline;
        let said = Said { fence: leased.fence, exit_code, reason, stdout, stderr };
        self.until_heard(|| self.client.result(leased, &said)).await
    }

    /// Asks until there is an answer.
    async fn until_heard<F: Future<Output = Result<(), Failed>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<(), String> {
        let mut again = Backoff::new(AGAIN);
        loop {
            match ask().await {
                Ok(()) => return Ok(()),
                Err(Failed::Later(_)) => tokio::time::sleep(again.wait()).await,
                Err(Failed::Lost(why) | Failed::Refused(why)) => return Err(why),
            }
        }
    }
}

/// Returns when that was said, or can be said by nobody any more.
pub(crate) async fn is_set(said: &mut watch::Receiver<bool>) {
    drop(said.wait_for(|said| *said).await);
}

/// Returns when nothing more is to be begun.
async fn stopped(control: &mut watch::Receiver<Control>) {
    heard(control, Control::Stop).await;
}

/// Returns when nobody waits for an answer any more.
async fn late(control: &mut watch::Receiver<Control>) {
    stopped(control).await;
    tokio::time::sleep(ANSWER).await;
}

/// Returns when what runs is to be ended.
async fn aborted(control: &mut watch::Receiver<Control>) {
    heard(control, Control::Abort).await;
}

async fn heard(control: &mut watch::Receiver<Control>, what: Control) {
    if control.wait_for(|control| *control >= what).await.is_err() {
        // Nobody is left who could ask.
        std::future::pending::<()>().await;
    }
}
