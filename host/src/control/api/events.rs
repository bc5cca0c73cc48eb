//! Events of a run as they become durable (server-sent events).
//!
//! With `deltas=true` also what models write for it, which is no event: `event: delta`, without an id.
//!
//! Limits: [`BATCH`] events are read at once, and no more before who asks has taken them; of what models write as much waits as
//! `watch/pieces.rs` says, and who is slower is told how much was lost.
//! [`TOKEN_PAUSE`] after its token was revoked, a stream ends. Streams at once have their number (`api.rs`).
//! Invariant: a stream that begins at an event misses none after it; one that nobody reads costs a connection and nothing else.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, KeepAliveStream, Sse};
use http::StatusCode;
use orch_journal::Reader;
use orch_journal::event::{Event, TaskIndex, WORKSPACE_STREAM};
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::IntoParams;

use super::super::caller::Caller;
use super::super::problem::{Problem, Refusals};
use super::runs::find;
use super::{Api, Path, Query};
use crate::config::tokens::Scope;
use crate::watch::named;
use crate::watch::pieces::{Heard, Listener};

const BATCH: u32 = 256;
const PAUSE: Duration = Duration::from_millis(100);
/// So long a token that was revoked goes on counting for what is sent already.
const TOKEN_PAUSE: Duration = Duration::from_millis(500);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// The first event to send; after that of `Last-Event-ID`, if both are said
    from: Option<u64>,
    /// Also what models write, as it comes: `{run, task, role, provider, delta}`, no `delta` when an answer is over; `{leftOut}` pieces were lost
    #[serde(default)]
    deltas: bool,
}

/// Events of a run from one on, and then as they come, each as `{run, seq, event}` with the ids of its tasks; `workspace` in the place of a run is what services did
#[utoipa::path(get, path = "/v1/runs/{run}/events", params(("run" = String, Path), From), responses((status = 200, content_type = "text/event-stream", body = String), Refusals))]
pub(super) async fn stream(
    State(api): State<Api>,
    caller: Caller,
    Path(run): Path<String>,
    Query(From { from, deltas }): Query<From>,
    headers: http::HeaderMap,
) -> Result<Sse<KeepAliveStream<Events>>, Problem> {
    caller.may(Scope::Read)?;
    let last = headers.get("last-event-id").map(|id| id.to_str().ok().and_then(|id| id.parse::<u64>().ok()));
    let next = match last {
        Some(None) => {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "last-event-id", "expected a number"));
        }
        Some(Some(last)) => last.saturating_add(1),
        None => from.unwrap_or(0),
    };
    let run = api
        .read(move |reader| match run == WORKSPACE_STREAM {
            true => reader.stream()?.ok_or_else(|| {
                Problem::new(StatusCode::NOT_FOUND, "run-unknown", "nothing was written into the stream yet")
            }),
            false => find(reader, &run).map(|row| row.id),
        })
        .await?;
    let Ok(open) = api.streams.clone().try_acquire_owned() else {
        let what = "as many streams of events are open as there may be";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", what));
    };
    // From before the first event is read.
    let pieces = deltas.then(|| api.state.pieces().listen());
    let (send, events) = mpsc::channel(1);
    let mut asker = Asker { caller, looked: Instant::now() };
    tokio::spawn(async move {
        let _open = open;
        tell(&api, &run, next, pieces, &send, &mut asker).await;
    });
    Ok(Sse::new(Events(events)).keep_alive(KeepAlive::default()))
}

/// Events from one on, each with its place, as `--format json` shows them.
fn batch(reader: &Reader, run: &str, from: u64) -> Result<Vec<(u64, String)>, Problem> {
    let damaged = |error: serde_json::Error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "store", format!("an event is damaged: {error}"))
    };
    let mut found = Vec::new();
    for (seq, bytes) in reader.raw_events(run, from, BATCH)? {
        let event: Event = serde_json::from_slice(&bytes).map_err(damaged)?;
        let told = serde_json::from_slice(&bytes).map_err(damaged)?;
        let unread = Cell::new(None);
        // Of tasks that no row is of, there is no id.
        let id = |task: TaskIndex| {
            reader.task_id(run, task).unwrap_or_else(|error| {
                unread.set(Some(error));
                None
            })
        };
        let told = named::json(run, seq, &event, told, id).to_string();
        if let Some(error) = unread.take() {
            return Err(error.into());
        }
        found.push((seq, told));
    }
    Ok(found)
}

/// Who asks, and when it was last looked at whether it still may.
struct Asker {
    caller: Caller,
    looked: Instant,
}

impl Asker {
    /// Looks again after [`TOKEN_PAUSE`].
    fn still_may(&mut self) -> bool {
        if self.looked.elapsed() < TOKEN_PAUSE {
            return true;
        }
        self.looked = Instant::now();
        self.caller.still_may(Scope::Read)
    }
}

/// Sends until nobody listens, or whoever does may no more.
async fn tell(
    api: &Api,
    run: &str,
    mut next: u64,
    mut pieces: Option<Listener>,
    send: &mpsc::Sender<Sent>,
    asker: &mut Asker,
) {
    loop {
        // Of the run that is shown it is known without a look whether there is more.
        let shown = api.state.view().filter(|view| view.id == run);
        let batch = match shown.is_some_and(|view| view.journal.committed() <= next) {
            true => Vec::new(),
            false => {
                let name = run.to_owned();
                match api.read(move |reader| batch(reader, &name, next)).await {
                    Ok(batch) => batch,
                    // The stream ends; who asks again is told.
                    Err(problem) => {
                        tracing::warn!(run, detail = problem.detail, "events could not be read");
                        return;
                    }
                }
            }
        };
        if batch.is_empty() && !asker.still_may() {
            return;
        }
        for (seq, text) in &batch {
            // Whoever takes them slowly takes none that it may not have.
            let Ok(place) = send.reserve().await else { return };
            if !asker.still_may() {
                return;
            }
            place.send(Sent::default().id(seq.to_string()).data(text));
            next = seq + 1;
        }
        if batch.is_empty() {
            let heard = tokio::select! {
                () = tokio::time::sleep(PAUSE) => None,
                heard = next_piece(&mut pieces, run) => Some(heard),
                () = send.closed() => return,
                () = api.state.ended() => return,
            };
            if let Some(heard) = heard {
                let Ok(place) = send.reserve().await else { return };
                if !asker.still_may() {
                    return;
                }
                place.send(Sent::default().event("delta").data(heard.json()));
            }
        }
    }
}

/// Never, where nobody asked for them.
async fn next_piece(pieces: &mut Option<Listener>, run: &str) -> Heard {
    let heard = match pieces {
        Some(pieces) => pieces.next(run).await,
        None => None,
    };
    match heard {
        Some(heard) => heard,
        None => std::future::pending().await,
    }
}

/// What is sent.
pub(super) struct Events(mpsc::Receiver<Sent>);

impl futures_core::Stream for Events {
    type Item = Result<Sent, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|sent| sent.map(Ok))
    }
}
