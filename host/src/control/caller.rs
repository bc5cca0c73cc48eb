//! Who asks: a program of this user at the other end of the socket, or whoever shows a token.
//!
//! In -> out: a connection, a request's head -> [`Caller`] -> [`Who`], or a [`Problem`].
//! Invariant: a command of a plugin never passes for a person; a token counts for its scopes and not further.
//! Not here: where tokens are kept (`config/tokens.rs`), events of those that were refused (`refused_tokens.rs`).

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{StatusCode, header};
use orch_journal::event::Who;
use orch_supervisor::Peer;

use super::problem::Problem;
use super::refused_tokens::RefusedTokens;
use crate::config::tokens::{Scope, Tokens};

/// What a request came over.
#[derive(Clone)]
pub(crate) enum Caller {
    /// The socket.
    Socket(Arc<OwnedFd>),
    /// TCP.
    Tcp { known: Arc<KnownTokens>, client: IpAddr, shown: Option<String> },
}

/// The tokens that count here, and where those that do not are noted.
pub(crate) struct KnownTokens {
    pub(crate) tokens: Tokens,
    pub(crate) refused: RefusedTokens,
}

/// Why a token is none for that: its name, if it is one.
struct NotThis {
    problem: Problem,
    token: Option<Option<String>>,
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
        let found = self.check(Scope::Run).or_else(|_| self.check(Scope::Approve));
        self.noted(Scope::Run, found).map(drop)
    }

    /// Who asks, if it may do what needs that scope. The socket is looked at again at each call.
    pub(crate) fn may(&self, scope: Scope) -> Result<Who, Problem> {
        self.noted(scope, self.check(scope))
    }

    /// Whether who showed a token still may do what needs that scope; a connection over the socket is as it was.
    pub(crate) fn still_may(&self, scope: Scope) -> bool {
        matches!(self, Self::Socket(_)) || self.check(scope).is_ok()
    }

    fn noted(&self, scope: Scope, found: Result<Who, Box<NotThis>>) -> Result<Who, Problem> {
        found.map_err(|refused| {
            let NotThis { problem, token } = *refused;
            if let (Self::Tcp { known, client, .. }, Some(token)) = (self, token) {
                known.refused.note(token, scope, *client);
            }
            problem
        })
    }

    fn check(&self, scope: Scope) -> Result<Who, Box<NotThis>> {
        let (known, shown) = match self {
            Self::Socket(socket) => {
                return person(socket).map_err(|problem| Box::new(NotThis { problem, token: None }));
            }
            Self::Tcp { known, shown, .. } => (known, shown),
        };
        let refuse = |status, code, what: &str, token| {
            Err(Box::new(NotThis { problem: Problem::new(status, code, what), token }))
        };
        let Some(shown) = shown else {
            let what = "`Authorization: Bearer TOKEN`";
            return refuse(StatusCode::UNAUTHORIZED, "token-missing", what, None);
        };
        let token = match known.tokens.find(shown) {
            Ok(Some(token)) => token,
            Ok(None) => {
                let what = "no such token, or it was revoked";
                return refuse(StatusCode::UNAUTHORIZED, "token-unknown", what, Some(None));
            }
            Err(error) => {
                let what = error.to_string();
                return refuse(StatusCode::INTERNAL_SERVER_ERROR, "tokens-unreadable", &what, None);
            }
        };
        if !token.scopes.contains(&scope) {
            let what = format!("token `{}` has no scope `{}`", token.name, scope.as_str());
            return refuse(StatusCode::FORBIDDEN, "token-scope", &what, Some(Some(token.name)));
        }
        Ok(Who {
            uid: rustix::process::geteuid().as_raw(),
            pid: std::process::id(),
            program: String::new(),
            token: Some(token.name),
            plugin: None,
        })
    }
}

/// Of a request's head; of two there is none: who stands between may have looked at the other one.
pub(crate) fn bearer(headers: &http::HeaderMap) -> Option<String> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (shown.next(), shown.next()) else { return None };
    let text = one.to_str().ok()?;
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
    Ok(Who { uid: peer.uid, pid: peer.process.pid, program: peer.program(), token: None, plugin: None })
}
