//! Tokens that were shown and refused, as events of the workspace's stream.
//!
//! In -> out: refusals -> [`Event::TokenRefused`], the first of its kind at once, what follows it counted.
//! Limits: one event for each token and scope in [`PAUSE`]: who tries many does not fill the journal.
//! Invariant: no token is recorded, nor a part of one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use orch_journal::Journal;
use orch_journal::event::Event;

use crate::clock::now_ms;
use crate::config::tokens::Scope;

const PAUSE: Duration = Duration::from_secs(60);

/// The name of the token, if it is one, and what it was shown for.
type Kind = (Option<String>, Scope);

/// Since the last event of a kind.
struct Since {
    recorded: Instant,
    client: IpAddr,
    times: u64,
}

pub struct RefusedTokens {
    stream: Arc<Journal>,
    kinds: Mutex<BTreeMap<Kind, Since>>,
    pause: Duration,
}

impl RefusedTokens {
    pub fn of(stream: Arc<Journal>) -> Self {
        Self { stream, kinds: Mutex::default(), pause: PAUSE }
    }

    /// Takes note of one; `token`: its name, if it is one.
    pub(super) fn note(&self, token: Option<String>, scope: Scope, client: IpAddr) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = (token, scope);
        let times = match kinds.get_mut(&kind) {
            Some(since) if since.recorded.elapsed() < self.pause => {
                since.times += 1;
                since.client = client;
                return;
            }
            since => since.map_or(0, |since| since.times) + 1,
        };
        self.record(&kind, client, times);
        kinds.insert(kind, Since { recorded: Instant::now(), client, times: 0 });
    }

    /// Records what was counted and not said: of all at the end, else of those whose pause is over.
    pub fn flush(&self, is_end: bool) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.retain(|kind, since| {
            let is_due = is_end || since.recorded.elapsed() >= self.pause;
            if is_due && since.times > 0 {
                self.record(kind, since.client, since.times);
                (since.recorded, since.times) = (Instant::now(), 0);
                return true;
            }
            !is_due
        });
    }

    fn record(&self, (token, scope): &Kind, client: IpAddr, times: u64) {
        let code = if token.is_some() { "token-scope" } else { "token-unknown" };
        let recorded = self.stream.append(Event::TokenRefused {
            code: code.to_owned(),
            token: token.clone(),
            scope: scope.as_str().to_owned(),
            client: client.to_string(),
            times,
            at: now_ms(),
        });
        if let Err(error) = recorded {
            tracing::warn!(%error, code, "a refused token could not be recorded");
        }
    }
}
