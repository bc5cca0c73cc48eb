//! The side of a command: what a person says, to the host that holds the workspace.
//!
//! Limits: [`ANSWER_MAX`] for the answer, [`ANSWER_BYTES_MAX`].
//! Invariant: without a holder nothing is said, and the command takes the store itself.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::request::Builder;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::api::{Holder, RunOptions, Started};
use super::place::SocketPlace;
use super::problem::{Problem, Why};
use crate::drive::act::{Act, Failure, Refused};
use crate::exit::{Exit, Fault};
use crate::place;

/// The loop hears between two steps; a plugin that thinks about the whole run can take as long as its `wallMs`.
const ANSWER_MAX: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What became of a person's word.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// The host at work took it.
    Taken,
    /// No host holds the workspace, or one that was about to end.
    NobodyThere,
}

/// Says it to the holder, if there is one.
///
/// # Errors
/// The holder refused it, or did not answer.
pub fn tell(socket: &SocketPlace, run: &str, act: &Act) -> Result<Told, Fault> {
    let body = serde_json::to_vec(act).map_err(anyhow::Error::from)?;
    let answered = ask(socket, Request::post(format!("/v1/runs/{run}/acts")), body)?;
    Ok(answered.map_or(Told::NobodyThere, |_| Told::Taken))
}

/// Asks a host that serves for a run, if there is one.
///
/// # Errors
/// The holder refused it, or did not answer.
pub fn start(socket: &SocketPlace, options: &RunOptions) -> Result<Option<Started>, Fault> {
    let body = serde_json::to_vec(options).map_err(anyhow::Error::from)?;
    read(ask(socket, Request::post("/v1/runs"), body)?)
}

/// Who holds the workspace, and at which run it works, if somebody does.
///
/// # Errors
/// The holder did not answer.
pub fn look(socket: &SocketPlace) -> Result<Option<Holder>, Fault> {
    read(ask(socket, Request::get("/v1"), Vec::new())?)
}

fn read<T: serde::de::DeserializeOwned>(answer: Option<Bytes>) -> Result<Option<T>, Fault> {
    let unclear = |error: serde_json::Error| {
        fault(
            Exit::HostError,
            "holder-broken",
            format!("the host at work answers what is no answer: {error}"),
        )
    };
    answer.map(|answer| serde_json::from_slice(&answer)).transpose().map_err(unclear)
}

/// The body of a good answer; nothing if nobody answers.
fn ask(socket: &SocketPlace, request: Builder, body: Vec<u8>) -> Result<Option<Bytes>, Fault> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let told = runtime.block_on(async { tokio::time::timeout(ANSWER_MAX, say(socket, request, body)).await });
    told.unwrap_or_else(|_| {
        let what = "the host at work did not answer; whether it took what was said is not known".to_owned();
        Err(fault(Exit::HostError, "holder-silent", what))
    })
}

async fn say(socket: &SocketPlace, request: Builder, body: Vec<u8>) -> Result<Option<Bytes>, Fault> {
    let stream = match UnixStream::connect(socket.socket()).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(place::io(&socket.socket(), "connect to", error)),
    };
    let broken =
        |error: hyper::Error| fault(Exit::HostError, "holder-broken", format!("the host at work: {error}"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let connection = tokio::spawn(connection);
    let request = request
        .header(http::header::HOST, "orch")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(anyhow::Error::from)?;
    let response = match sender.send_request(request).await {
        Ok(response) => response,
        // It took no request any more: the host ends.
        Err(error) if error.is_canceled() || error.is_closed() => return Ok(None),
        Err(error) => return Err(broken(error)),
    };
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    connection.abort();
    let unclear = |_| fault(Exit::HostError, "holder-broken", format!("the host at work answers {status}"));
    let body = body.map_err(unclear)?.to_bytes();
    if status.is_success() {
        return Ok(Some(body));
    }
    let Ok(Problem { why, detail, .. }) = serde_json::from_slice(&body) else {
        return Err(fault(Exit::HostError, "holder-broken", format!("the host at work answers {status}")));
    };
    match why {
        // Its run is over while its socket is there: it ends, or has another run.
        Why::Refused(Refused::NotAtWork { .. } | Refused::Ends) => Ok(None),
        Why::Refused(refused) => Err(refused.into()),
        Why::Other { code } => Err(fault(
            Exit::HostError,
            "holder-refused",
            format!("the host at work refuses ({code}): {detail}"),
        )),
    }
}

fn fault(exit: Exit, code: &'static str, what: String) -> Fault {
    let hint = match code {
        "holder-broken" => {
            "`orch-host status` shows whether it was taken. Whatever holds the workspace is no host of this version: end it \
             (SIGTERM), and say it again"
        }
        "holder-silent" => {
            "`orch-host status` shows whether it was taken. A host that is stopped goes on by SIGCONT; one that hangs is ended by \
             SIGTERM, and the next one goes on where it was"
        }
        _ => "what it says is the reason; a host of another version is ended (SIGTERM) and begun anew",
    };
    Fault::new(exit, code, Some(hint.to_owned()), anyhow::Error::msg(what))
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        let hint = refused.hint().map(str::to_owned);
        // Of the host that serves, said once by a command that ends with it.
        let code = refused.code().to_owned().leak();
        let (exit, lines) = match &refused {
            Refused::Failed(failure) => (Exit::of(failure.exit), failure.lines.clone()),
            Refused::Unsure { .. } => (Exit::HostError, Vec::new()),
            _ => (Exit::Usage, Vec::new()),
        };
        Self { lines, ..Self::new(exit, code, hint, refused) }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        let text = format!("{:#}", fault.source);
        let Fault { exit, code, hint, lines, .. } = fault;
        Self::Failed(Box::new(Failure { code: code.to_owned(), text, hint, lines, exit: exit.code() }))
    }
}
