//! The holder's side: a socket on a thread of its own.
//!
//! In -> out: connections -> requests with their [`Caller`].
//! Limits: 64 connections, of them 8 of commands of plugins; 16 KiB a head, 10 s for a head to arrive; who does not read is let go ([`Paced`]).
//! Not here: where the socket lies (`place.rs`), what is answered (`api.rs`).

use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use orch_supervisor::Peer;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OnceCell, Semaphore, oneshot};

use super::api::{self, Api};
use super::caller::Caller;
use super::paced::Paced;
use super::place::{Holding, SocketPlace};
use crate::exit::Fault;

const CONNECTIONS_MAX: usize = 64;
/// They may look who answers; whatever they hold open, people are heard.
const OF_COMMANDS_MAX: usize = 8;
const HEAD_BYTES_MAX: usize = 16 << 10;
const ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// A holder that answers, until it is dropped.
pub struct Listening {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    place: SocketPlace,
    _holding: Holding,
}

impl Listening {
    /// Begins to answer.
    pub fn begin(place: SocketPlace, holding: Holding, api: Api) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)?;
        let listener = {
            let _runtime = runtime.enter();
            UnixListener::bind(place.socket())
                .map_err(|error| crate::place::io(&place.socket(), "bind", error))?
        };
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("orch-control".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = ended => {}
                        () = accept(listener, api) => {}
                    }
                });
                runtime.shutdown_background();
            })
            .map_err(anyhow::Error::from)?;
        Ok(Self { end: Some(end), thread: Some(thread), place, _holding: holding })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Whoever comes now finds no socket, and waits for the store.
        let _ = std::fs::remove_file(self.place.socket());
        let _ = self.end.take().map(|end| end.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn accept(listener: UnixListener, api: Api) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let few = Arc::new(Semaphore::new(OF_COMMANDS_MAX));
    // Made when somebody asks: most runs are over before.
    let router = OnceCell::new();
    loop {
        // More wait in the kernel's queue.
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, mostly: give others time to close theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let of_command = match Peer::of(&stream).and_then(|peer| peer.is_a_command()) {
            Ok(false) => None,
            // One of whom this cannot be told is as one.
            _ => match few.clone().try_acquire_owned() {
                Ok(slot) => Some(slot),
                Err(_) => continue,
            },
        };
        let router = match router.get_or_try_init(async || api::router(api.clone())).await {
            Ok(router) => router.clone(),
            Err(error) => {
                tracing::error!(%error, "the control API cannot be described");
                return;
            }
        };
        tokio::spawn(async move {
            let _slots = (slot, of_command);
            connection(stream, router).await;
        });
    }
}

async fn connection(stream: UnixStream, router: Router) {
    // For the looks at who connected, which outlive this function's borrow of the stream.
    let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
    let router = router.layer(Extension(Caller::Socket(Arc::new(socket))));
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(ARRIVAL_MAX).max_buf_size(HEAD_BYTES_MAX);
    let served = server.serve_connection(TokioIo::new(Paced::new(stream)), TowerToHyperService::new(router));
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection of the control socket ended early");
    }
}
