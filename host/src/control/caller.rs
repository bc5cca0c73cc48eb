//! Who asks: a program of this user at the other end of the socket, or whoever shows a token.
//!
//! In -> out: a connection, a request's head -> [`Caller`] -> [`Who`], or a [`Problem`].
//! Invariant: a command of a plugin never passes for a person; a token counts for its scopes and not further.
//! Not here: where tokens are kept (`config/tokens.rs`).

use std::os::fd::OwnedFd;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{StatusCode, header};
use orch_journal::event::Who;
use orch_supervisor::Peer;

use super::problem::Problem;
use crate::config::tokens::{Scope, Tokens};

/// What a request came over.
#[derive(Clone)]
pub(crate) enum Caller {
    /// The socket.
    Socket(Arc<OwnedFd>),
    /// TCP, with the tokens that count here.
    Tcp { tokens: Arc<Tokens>, shown: Option<String> },
}

impl Caller {
    /// Fails for who shows a token that is none; a command of a plugin may look who answers.
    pub(crate) fn may_look(&self) -> Result<(), Problem> {
        match self {
            Self::Socket(_) => Ok(()),
            Self::Tcp { .. } => self.may(Scope::Read).map(drop),
        }
    }

    /// Fails for who may say nothing at all, whatever it is.
    pub(crate) fn may_say(&self) -> Result<(), Problem> {
        self.may(Scope::Run).or_else(|_| self.may(Scope::Approve)).map(drop)
    }

    /// Who asks, if it may do what needs that scope. The socket is looked at again at each call.
    pub(crate) fn may(&self, scope: Scope) -> Result<Who, Problem> {
        match self {
            Self::Socket(socket) => person(socket),
            Self::Tcp { tokens, shown } => {
                let refuse = |status, code, what: &str| Err(Problem::new(status, code, what));
                let Some(shown) = shown else {
                    return refuse(
                        StatusCode::UNAUTHORIZED,
                        "token-missing",
                        "`Authorization: Bearer TOKEN`",
                    );
                };
                let found = tokens.find(shown).map_err(|error| {
                    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "tokens-unreadable", error.to_string())
                })?;
                let Some(token) = found else {
                    tracing::warn!("a token that this host does not know was shown");
                    return refuse(
                        StatusCode::UNAUTHORIZED,
                        "token-unknown",
                        "no such token, or it was revoked",
                    );
                };
                if !token.scopes.contains(&scope) {
                    let what = format!("token `{}` has no scope `{}`", token.name, scope.as_str());
                    return refuse(StatusCode::FORBIDDEN, "token-scope", &what);
                }
                Ok(Who {
                    uid: rustix::process::geteuid().as_raw(),
                    pid: std::process::id(),
                    program: String::new(),
                    token: Some(token.name),
                })
            }
        }
    }
}

/// Of a request's head.
pub(crate) fn bearer(headers: &http::HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "caller", "nobody asks"))
    }
}

/// Who is at the other end of the socket, if that may be a person.
fn person(socket: &OwnedFd) -> Result<Who, Problem> {
    let refuse = |code, what: &str| Err(Problem::new(StatusCode::FORBIDDEN, code, what));
    let unknown = |error: std::io::Error| {
        Problem::new(StatusCode::FORBIDDEN, "peer-unknown", format!("cannot tell who asks: {error}"))
    };
    let peer = Peer::of(socket).map_err(unknown)?;
    if peer.uid != rustix::process::geteuid().as_raw() {
        return refuse("peer-is-another-user", "another user asks");
    }
    if peer.is_a_command().map_err(unknown)? {
        return refuse("peer-is-a-command", "a command of a plugin asks; people decide, commands do not");
    }
    Ok(Who { uid: peer.uid, pid: peer.process.pid, program: peer.program(), token: None })
}
