//! What models write for a run of another host, heard over its socket while that run is followed.
//!
//! In -> out: the stream of events of a holder (`api/events.rs`) -> [`Pieces`] of this process.
//! Limits: [`LINE_BYTES_MAX`] of a line, a longer one is passed over; a stream that ended is asked for again after [`PAUSE`].
//! Invariant: what cannot be heard is left out: nobody waits for it, and it is no error.
//! Not here: what happens in the run, which comes from the store (`commands/followed.rs`).

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::place::SocketPlace;
use crate::watch::Pieces;
use crate::watch::pieces::Heard;

const PAUSE: Duration = Duration::from_secs(1);
/// A piece has at most 64 KiB, each byte of which JSON may write as six.
const LINE_BYTES_MAX: usize = 512 << 10;

/// Listens as long as `meanwhile` takes. `from`: an event, those before which are not sent.
pub fn hear<T>(
    socket: &SocketPlace,
    run: &str,
    from: u64,
    pieces: &Pieces,
    meanwhile: impl FnOnce() -> T,
) -> T {
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::scope(|scope| {
        // Gone with this call, however it ends.
        let _stop = stop;
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = listen(socket, run, from, pieces) => {}
                }
            });
        });
        meanwhile()
    })
}

async fn listen(socket: &SocketPlace, run: &str, from: u64, pieces: &Pieces) {
    while pieces.is_heard() {
        let _ = stream(socket, run, from, pieces).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// One stream to its end; nothing if there is none.
async fn stream(socket: &SocketPlace, run: &str, from: u64, pieces: &Pieces) -> Option<()> {
    let stream = UnixStream::connect(socket.socket()).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let mut driven = JoinSet::new();
    driven.spawn(connection);
    let request = Request::get(format!("/v1/runs/{run}/events?deltas=true&from={from}"))
        .header(http::header::HOST, "orch")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let response = sender.send_request(request).await.ok()?;
    let mut body = Some(response).filter(|response| response.status().is_success())?.into_body();
    let mut lines = Lines::default();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            lines.take(&data, |heard| pieces.say(heard));
        }
    }
    Some(())
}

/// Lines of a stream of events, however they are cut.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    /// The line is too long; its rest is passed over.
    is_long: bool,
    /// The event that is read is a piece.
    is_delta: bool,
}

impl Lines {
    fn take(&mut self, mut bytes: &[u8], mut say: impl FnMut(Heard)) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (now, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.is_long |= self.line.len() + now.len() > LINE_BYTES_MAX;
            if !self.is_long {
                self.line.extend_from_slice(now);
            }
            bytes = rest.get(1..).unwrap_or_default();
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                if !std::mem::take(&mut self.is_long) {
                    self.whole(&line).into_iter().for_each(&mut say);
                }
            }
        }
    }

    fn whole(&mut self, line: &[u8]) -> Option<Heard> {
        match (line, line.strip_prefix(b"data: ")) {
            (b"", _) => self.is_delta = false,
            (b"event: delta", _) => self.is_delta = true,
            (_, Some(data)) if self.is_delta => return serde_json::from_slice(data).ok(),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pieces_are_read_out_of_a_stream_of_events_however_it_is_cut() {
        let piece =
            json!({ "run": "r", "task": "t", "role": "executor", "provider": "demo/p", "delta": "a\nb" });
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let text = format!(
            ": \n\nid: 3\ndata: {{\"run\":\"r\",\"seq\":3,\"event\":{{}}}}\n\nevent: delta\ndata: {piece}\n\n\
             event: delta\ndata: {long}\n\nevent: delta\ndata: {{\"leftOut\":7}}\n\ndata: {{\"leftOut\":8}}\n\n"
        );
        for cut in [1, 7, 1000, text.len()] {
            let (mut lines, mut heard) = (Lines::default(), Vec::new());
            text.as_bytes().chunks(cut).for_each(|chunk| lines.take(chunk, |one| heard.push(json!(one))));
            assert_eq!(heard, [piece.clone(), json!({ "leftOut": 7 })], "cut {cut}");
        }
    }
}
