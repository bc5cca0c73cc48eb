//! A broker, asked by HTTP.
//!
//! In -> out: an order, an id -> what the broker says ([`Shown`]), or why it does not ([`Refused`]).
//! Limits: 30 s a request; answers of 1 MiB.
//! Invariant: the token goes to that address and no other: no redirect is followed.
//! Not here: what the answers mean for the task (`lib.rs`).

use std::time::Duration;

use orch_sdk::http::{self, HttpError, HttpFault, Outgoing};
use orch_sdk::secrets::{self, Secret};
use orch_sdk::{Failure, settings};
use serde::Deserialize;

use crate::answer::{Refused, Shown, refused};
use crate::order::Order;

/// As the policy and `secrets.toml` of the operator call it.
const SECRET: &str = "broker";
const REQUEST: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    broker: String,
    prefix: String,
    token: bool,
}

/// One broker.
pub struct Broker {
    url: String,
    /// What this workspace's tasks begin with there.
    pub prefix: String,
    token: Option<Secret>,
}

impl Broker {
    /// That of the settings.
    ///
    /// # Errors
    /// The settings are wrong, or there is no secret where they want one.
    pub fn of_settings() -> Result<Self, Failure> {
        let Settings { broker, prefix, token } = settings::parse()?;
        let token = token.then(|| secrets::placeholder(SECRET)).transpose();
        let token = token.map_err(|error| Failure::new(format!("no secret `{SECRET}`: {error}")))?;
        Ok(Self { url: broker.trim_end_matches('/').to_owned(), prefix, token })
    }

    /// # Errors
    /// [`Refused`]; `Taken`: it is there.
    pub fn add(&self, order: &Order) -> Result<(), Refused> {
        self.ask(http::post(format!("{}/tasks", self.url)).json(order)).map(drop)
    }

    /// # Errors
    /// [`Refused`]; `Unknown`: nobody added it, or somebody removed it.
    pub fn look(&self, id: &str) -> Result<Shown, Refused> {
        let body = self.ask(http::get(self.task(id)))?;
        let read = serde_json::from_slice(&body);
        read.map_err(|error| Refused::Never(format!("what answers at `{}` is no broker: {error}", self.url)))
    }

    /// Some bytes of what its command printed, from there on; none at the end. `stream`: `stdout` or `stderr`.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn output(&self, id: &str, stream: &str, offset: usize) -> Result<Vec<u8>, Refused> {
        self.ask(http::get(format!("{}/output/{stream}?offset={offset}", self.task(id))))
    }

    /// # Errors
    /// [`Refused`]; `InProgress`: a worker has it; `Unknown`: it is gone.
    pub fn remove(&self, id: &str) -> Result<(), Refused> {
        self.ask(http::delete(self.task(id))).map(drop)
    }

    fn task(&self, id: &str) -> String {
        format!("{}/tasks/{id}", self.url)
    }

    fn ask(&self, request: Outgoing) -> Result<Vec<u8>, Refused> {
        let request = match &self.token {
            Some(token) => request.header("authorization", token.bearer()),
            None => request,
        };
        let answer = request.timeout(REQUEST).redirects(0).send().map_err(|error| unanswered(&error))?;
        let (status, is_success) = (answer.status, answer.is_success());
        let body = answer.bytes(ANSWER_BYTES_MAX).map_err(|error| unanswered(&error))?;
        if is_success { Ok(body) } else { Err(refused(status, &body)) }
    }
}

/// Everything here may be asked twice: an order has an id, and what was removed is gone.
fn unanswered(error: &HttpError) -> Refused {
    let why = error.to_string();
    match error.fault {
        HttpFault::Dns(_) | HttpFault::Connect(_) | HttpFault::Timeout | HttpFault::BrokenOff => {
            Refused::Later(why)
        }
        _ => Refused::Never(why),
    }
}
