//! Events of a run as they become durable (server-sent events).
//!
//! Limits: [`BATCH`] events are read at once, and no more before who asks has taken them.
//! Invariant: a stream that begins at an event misses none after it; one that nobody reads costs a connection and nothing else.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, KeepAliveStream, Sse};
use http::StatusCode;
use orch_journal::event::WORKSPACE_STREAM;
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::IntoParams;

use super::super::caller::Caller;
use super::super::problem::{Problem, Refusals};
use super::runs::find;
use super::{Api, Path, Query};
use crate::config::tokens::Scope;

const BATCH: u32 = 256;
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// The first event to send; after that of `Last-Event-ID`, if both are said
    from: Option<u64>,
}

/// Events of a run from one on, and then as they come; `workspace` in the place of a run is what services did
#[utoipa::path(get, path = "/v1/runs/{run}/events", params(("run" = String, Path), From), responses((status = 200, content_type = "text/event-stream", body = String), Refusals))]
pub(super) async fn stream(
    State(api): State<Api>,
    caller: Caller,
    Path(run): Path<String>,
    Query(From { from }): Query<From>,
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
    let (send, events) = mpsc::channel(1);
    tokio::spawn(async move { tell(&api, &run, next, &send).await });
    Ok(Sse::new(Events(events)).keep_alive(KeepAlive::default()))
}

/// Sends until nobody listens.
async fn tell(api: &Api, run: &str, mut next: u64, send: &mpsc::Sender<Sent>) {
    loop {
        // Of the run that is shown it is known without a look whether there is more.
        let shown = api.state.view().filter(|view| view.id == run);
        let batch = match shown.is_some_and(|view| view.journal.committed() <= next) {
            true => Vec::new(),
            false => {
                let name = run.to_owned();
                let read = api.read(move |reader| Ok(reader.raw_events(&name, next, BATCH)?)).await;
                let Ok(batch) = read else { return };
                batch
            }
        };
        for (seq, bytes) in &batch {
            let text = String::from_utf8_lossy(bytes);
            if send.send(Sent::default().id(seq.to_string()).data(text)).await.is_err() {
                return;
            }
            next = seq + 1;
        }
        if batch.is_empty() {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = send.closed() => return,
                () = api.state.ended() => return,
            }
        }
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
