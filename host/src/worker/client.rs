//! The broker as a worker asks it.
//!
//! In -> out: a question -> the broker's answer, or whether it makes sense to ask again ([`Failed`]).
//! Limits: 30 s a question, 1 MiB an answer; those of `[egress]`.
//! Invariant: requests go through the host's one door (`egress.rs`), to what `[worker.allow] http` has and nothing else; the token is
//! in no log, error or argument; nothing that a broker says is a path or a program before it was checked.
//! Not here: what becomes of a task (`worker.rs`), its command (`bench.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use orch_trust::permission::{HttpPermission, HttpTarget};
use serde::{Deserialize, Serialize};

use crate::capability::http::backend::{Egress, Outgoing, Times};

/// Whose connections these are.
const PLUGIN: &str = "worker";
const QUESTION: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 1 << 20;
const ID_CHARACTERS_MAX: usize = 64;
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// A task that this worker may work on.
#[derive(Clone, Debug, Deserialize)]
pub struct Leased {
    pub id: String,
    pub fence: u64,
    pub command: Command,
    pub timeout_seconds: Option<u32>,
}

/// A line for `sh -c`, or a program with its arguments.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Command {
    Line(String),
    Words(Vec<String>),
}

/// How a task ended.
#[derive(Debug, Serialize)]
pub struct Said {
    pub fence: u64,
    /// None if the command did not exit by itself.
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    pub stdout: String,
    pub stderr: String,
}

/// Why there is no good answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    /// There may be one later.
    Later(String),
    /// The lease counts no more.
    Lost(String),
    /// There will be none.
    Refused(String),
}

/// Why a broker cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "`{0}` is no broker's address, expected `http://HOST:PORT/PATH` or `https://HOST/PATH` without a query"
    )]
    Address(String),
    /// `rule`: what would allow it.
    #[error("{target}: the policy's `[worker.allow]` has no rule for it")]
    NotAllowed { target: String, rule: String },
    #[error("the token has characters that no header may have")]
    Token,
}

/// What a broker says of a refusal.
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

/// One broker, asked by one worker.
pub struct Client {
    scheme: String,
    authority: String,
    /// Without a slash at its end.
    path: String,
    worker: String,
    lease_seconds: u32,
    token: Option<HeaderValue>,
    granted: HttpPermission,
    egress: Arc<dyn Egress>,
}

impl Client {
    /// `worker`: its name, 1 to 64 letters, digits, `.`, `_`, `-`.
    ///
    /// # Errors
    /// `Address`, `NotAllowed`, `Token`.
    pub fn new(
        broker: &str,
        (worker, lease_seconds): (&str, u32),
        token: Option<&[u8]>,
        granted: &HttpPermission,
        egress: Arc<dyn Egress>,
    ) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address(broker.chars().take(200).collect());
        let uri: Uri = broker.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority), None) = (uri.scheme_str(), uri.authority(), uri.query()) else {
            return Err(wrong());
        };
        let token = token.map(|token| HeaderValue::from_bytes(&[b"Bearer ", token].concat()));
        let mut token = token.transpose().map_err(|_| ClientError::Token)?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        let client = Self {
            scheme: scheme.to_owned(),
            authority: authority.as_str().to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
            worker: worker.to_owned(),
            lease_seconds,
            token,
            granted: granted.clone(),
            egress,
        };
        for (method, path) in [("GET", "/tasks/next"), ("POST", "/tasks/x/result")] {
            let target = client.target(method, path).ok_or_else(wrong)?;
            if !client.granted.allows(&target) {
                return Err(ClientError::NotAllowed { target: target.to_string(), rule: target.rule() });
            }
        }
        Ok(client)
    }

    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds.into())
    }

    /// The task that is first, leased; none if none waits.
    ///
    /// # Errors
    /// `Later`, `Refused`.
    pub async fn next(&self) -> Result<Option<Leased>, Failed> {
        let query = format!("worker={}&lease_seconds={}", self.worker, self.lease_seconds);
        let (status, body) = self.ask(Method::GET, "/tasks/next", &query, "", Bytes::new()).await?;
        if status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let read = serde_json::from_slice::<Leased>(&body);
        let leased =
            read.map_err(|error| Failed::Refused(format!("the broker's task cannot be read: {error}")))?;
        match is_id(&leased.id) {
            true => Ok(Some(leased)),
            false => Err(Failed::Refused("the broker's task has an id that is none".to_owned())),
        }
    }

    /// # Errors
    /// All.
    pub async fn heartbeat(&self, leased: &Leased) -> Result<(), Failed> {
        let body = serde_json::json!({ "fence": leased.fence }).to_string();
        let path = format!("/tasks/{}/heartbeat", leased.id);
        self.ask(Method::POST, &path, "", JSON, body.into()).await.map(drop)
    }

    /// Gives the task back to whoever asks next.
    ///
    /// # Errors
    /// All.
    pub async fn release(&self, leased: &Leased) -> Result<(), Failed> {
        let body = serde_json::json!({ "fence": leased.fence }).to_string();
        let path = format!("/tasks/{}/release", leased.id);
        self.ask(Method::POST, &path, "", JSON, body.into()).await.map(drop)
    }

    /// More of what the command printed.
    ///
    /// # Errors
    /// All.
    pub async fn append(
        &self,
        leased: &Leased,
        stream: &str,
        offset: usize,
        piece: &[u8],
    ) -> Result<(), Failed> {
        let path = format!("/tasks/{}/output/{stream}", leased.id);
        let query = format!("fence={}&offset={offset}", leased.fence);
        self.ask(Method::POST, &path, &query, BYTES, Bytes::copy_from_slice(piece)).await.map(drop)
    }

    /// How it ended. One that is there already, of this very lease, is as good.
    ///
    /// # Errors
    /// All.
    pub async fn result(&self, leased: &Leased, said: &Said) -> Result<(), Failed> {
        let unwritten = |error: serde_json::Error| Failed::Refused(error.to_string());
        let body = serde_json::to_vec(said).map_err(unwritten)?;
        let path = format!("/tasks/{}/result", leased.id);
        self.ask(Method::POST, &path, "", JSON, body.into()).await.map(drop)
    }

    fn target(&self, method: &str, path: &str) -> Option<HttpTarget> {
        HttpTarget::new(method, &self.scheme, &self.authority, &format!("{}{path}", self.path)).ok()
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &str,
        kind: &'static str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Failed> {
        let target = self.target(method.as_str(), path);
        let target = target.filter(|target| self.granted.allows(target));
        let target = target.ok_or_else(|| Failed::Refused(format!("`{path}` is not allowed")))?;
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let uri = format!("{}://{}{}{path}{query}", self.scheme, self.authority, self.path);
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if !kind.is_empty() {
            request = request.header(CONTENT_TYPE, kind);
        }
        let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
        let request = request.body(body).map_err(|error| Failed::Refused(error.to_string()))?;
        let times = Times {
            connect: None,
            first_byte: None,
            between_bytes: None,
            deadline: Instant::now() + QUESTION,
        };
        // Two requests with one key would be one to whoever goes by it.
        let key = getrandom::u64().map_err(|error| Failed::Later(format!("no random numbers: {error}")))?;
        let key = format!("{key:016x}");
        let outgoing = Outgoing { target, request, key, times };
        let answer = self.egress.send(PLUGIN.into(), outgoing).await;
        let (head, body) = answer.map_err(|failed| Failed::Later(failed.why))?.into_parts();
        let body = tokio::time::timeout(QUESTION, Limited::new(body, ANSWER_BYTES_MAX).collect()).await;
        let body = body.map_err(|_| Failed::Later("its answer did not end in time".to_owned()))?;
        let body = body.map_err(|error| Failed::Later(error.to_string()))?.to_bytes();
        judged(head.status, body)
    }
}

/// What an answer means for who works on a task.
fn judged(status: StatusCode, body: Bytes) -> Result<(StatusCode, Bytes), Failed> {
    if status.is_success() {
        return Ok((status, body));
    }
    let problem = serde_json::from_slice::<Problem>(&body).ok();
    let code = problem.as_ref().map(|problem| problem.code.clone()).unwrap_or_default();
    let why = match problem {
        Some(Problem { code, detail }) => format!("{status}: {detail} ({code})"),
        None => status.to_string(),
    };
    match (status, code.as_str()) {
        (StatusCode::CONFLICT, "result-accepted") => Ok((status, body)),
        (StatusCode::CONFLICT, _) | (StatusCode::NOT_FOUND, "task-unknown") => Err(Failed::Lost(why)),
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT, _) => Err(Failed::Later(why)),
        _ if status.is_server_error() => Err(Failed::Later(why)),
        _ => Err(Failed::Refused(why)),
    }
}

/// True of what may name a folder.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.len() <= ID_CHARACTERS_MAX
        && text.bytes().all(fits)
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::nothing::Nothing;

    fn permission(rules: &str) -> HttpPermission {
        serde_json::from_str(rules).unwrap()
    }

    fn client(broker: &str, rules: &str) -> Result<Client, ClientError> {
        Client::new(broker, ("w", 60), Some(b"a-token"), &permission(rules), Arc::new(Nothing))
    }

    const RULES: &str =
        r#"[{"hosts":["broker.example.com:443"],"methods":["GET","POST"],"paths":["/broker"]}]"#;

    #[test]
    fn only_what_the_policy_names_is_a_broker() {
        assert!(client("https://broker.example.com/broker", RULES).is_ok());
        assert!(client("https://broker.example.com/broker/", RULES).is_ok());
        for other in [
            "https://broker.example.com",
            "http://broker.example.com/broker",
            "https://other.example.com/broker",
        ] {
            assert!(matches!(client(other, RULES), Err(ClientError::NotAllowed { .. })), "{other}");
        }
        let only_get = RULES.replace(r#","POST""#, "");
        assert!(matches!(
            client("https://broker.example.com/broker", &only_get),
            Err(ClientError::NotAllowed { .. })
        ));
        for wrong in ["", "broker", "https://broker.example.com/broker?x", "ftp://broker.example.com/"] {
            assert!(matches!(client(wrong, RULES), Err(ClientError::Address(_))), "{wrong}");
        }
    }

    #[test]
    fn answers_say_whether_to_ask_again() {
        let judged = |status: u16, code: &str| {
            let body = format!(r#"{{"status":{status},"code":"{code}","detail":"d"}}"#);
            judged(StatusCode::from_u16(status).unwrap(), body.into())
        };
        assert!(judged(200, "").is_ok() && judged(204, "").is_ok());
        assert!(judged(409, "result-accepted").is_ok());
        for (status, code) in
            [(409, "lease-lost"), (409, "task-ended"), (409, "offset"), (404, "task-unknown")]
        {
            assert!(matches!(judged(status, code), Err(Failed::Lost(_))), "{status} {code}");
        }
        for status in [408, 429, 500, 502, 503, 507] {
            assert!(matches!(judged(status, "busy"), Err(Failed::Later(_))), "{status}");
        }
        for (status, code) in
            [(401, "token"), (403, "scope"), (404, "path-unknown"), (400, "query-malformed"), (301, "")]
        {
            assert!(matches!(judged(status, code), Err(Failed::Refused(_))), "{status} {code}");
        }
        let plain = super::judged(StatusCode::BAD_GATEWAY, Bytes::from_static(b"<html>"));
        assert_eq!(plain.unwrap_err(), Failed::Later("502 Bad Gateway".to_owned()));
    }

    #[test]
    fn no_id_leads_out_of_a_folder() {
        for (id, fits) in [
            ("a", true),
            ("1.2", true),
            ("..", false),
            (".a", false),
            ("a/b", false),
            ("", false),
            ("a\0", false),
        ] {
            assert_eq!(is_id(id), fits, "{id:?}");
        }
    }
}
