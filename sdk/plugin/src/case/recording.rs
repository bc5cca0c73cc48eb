//! Recordings: requests that a plugin made and what it was answered, in a file beside its cases.
//!
//! In -> out: what may be asked, and with which secrets -> a [`Recorder`] for a call -> the file, in the form of `host.http`.
//! Limits: 4 MiB a file, as a case.
//! Invariant: nothing is asked but what a rule of the manifest has at a host that was named for this; what is written is read
//! again as it was; nothing is written that has a secret of the manifest in any form that a host masks.
//! Not here: what goes out and what is kept (`orch_host::trial`), comparing (`exchange.rs`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_host::capability::secrets::backend::SecretReader;
use orch_host::capability::secrets::leaks::Leaks;
use orch_host::capability::trial::{Recorder, ScriptedAnswer, SentRequest, Unkept};
use orch_host::config::operator::{OperatorError, policy_of, secrets_of};
use orch_host::egress::{Door, DoorError, SystemNames};
use orch_host::secrets::{SecretSources, SecretStore};
use orch_host::whole_file;
use orch_trust::key::base64_encode;
use orch_trust::manifest::Manifest;
use orch_trust::permission::{PermissionExcess, PermissionForm, Permissions};
use orch_trust::policy::EgressPolicy;
use serde_json::{Map, Value, json};

use super::exchange::ScriptedExchange;
use super::{CASE_BYTES_MAX, CaseError};

/// Where hosts are named.
const NAMED_BY: &str = "--record";

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error(transparent)]
    Host(PermissionForm),
    #[error("no rule of `http` in `plugin.json` has a host of `--record`")]
    NoRule,
    #[error(transparent)]
    Excess(PermissionExcess),
    #[error("the secrets cannot be had")]
    Secrets(#[source] Box<OperatorError>),
    #[error("there is no `{0}`")]
    NoSecrets(PathBuf),
    #[error("there is no `{0}`")]
    NoPolicy(PathBuf),
    /// It could not be looked for in what is written.
    #[error("secret `{name}` {why}")]
    Unread { name: String, why: String },
    #[error("how requests go out cannot be had")]
    Policy(#[source] Box<OperatorError>),
    #[error("no request can be made")]
    Door(#[from] DoorError),
}

impl RecordingError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Host(_) => "record-host",
            Self::NoRule => "record-no-rule",
            Self::Excess(_) => "record-excess",
            Self::Secrets(_) => "record-secrets",
            Self::NoSecrets(_) => "record-no-secrets",
            Self::NoPolicy(_) => "record-no-policy",
            Self::Unread { .. } => "record-secret-unread",
            Self::Policy(_) => "record-policy",
            Self::Door(_) => "record-door",
        }
    }
}

/// Why what was answered is not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritten {
    #[error("nothing is recorded: {0}")]
    Unkept(#[from] Unkept),
    #[error("nothing is recorded: no request was made")]
    Nothing,
    #[error("nothing is recorded: request {number} or its answer has secret `{name}`")]
    Secret { number: usize, name: String },
    #[error("nothing is recorded: it would be {found_bytes} bytes, limit is {CASE_BYTES_MAX}")]
    TooLarge { found_bytes: usize },
    #[error("nothing is recorded: request {number} or its answer would not be read as it was")]
    Otherwise { number: usize },
}

/// Who may be asked, and with which secrets.
pub struct Recording {
    hosts: Vec<String>,
    sources: SecretSources,
    store: Arc<SecretStore>,
    door: Arc<Door>,
}

/// A file that is not yet written.
#[derive(Debug)]
pub struct Recorded {
    /// Relative to the cases.
    pub file: String,
    pub requests: usize,
    text: String,
}

impl Recording {
    /// `hosts`: each `host:port`, as an operator names them. `secrets`, `policy`: files like an operator's `secrets.toml` and
    /// `policy.toml`; of the second `[egress]` counts, and nothing else.
    ///
    /// # Errors
    /// `Host`, `Secrets`, `NoSecrets`, `Policy`, `NoPolicy`, `Door`.
    pub fn new(
        hosts: Vec<String>,
        secrets: Option<&Path>,
        policy: Option<&Path>,
    ) -> Result<Self, RecordingError> {
        Permissions::default().at_hosts(&hosts, NAMED_BY).map_err(RecordingError::Host)?;
        let sources = match secrets {
            None => SecretSources::default(),
            Some(path) => {
                let found = secrets_of(path).map_err(|error| RecordingError::Secrets(Box::new(error)))?;
                found.ok_or_else(|| RecordingError::NoSecrets(path.to_owned()))?
            }
        };
        let egress = policy.map(egress_of).transpose()?.unwrap_or_default();
        let folder = policy.and_then(Path::parent).unwrap_or(Path::new("/"));
        let door = Door::new(&egress, folder, Arc::new(SystemNames))?;
        let store = Arc::new(SecretStore::new(sources.clone()));
        Ok(Self { hosts, sources, store, door: Arc::new(door) })
    }

    /// What the plugin may do while its requests are real.
    pub(super) fn permissions(&self, manifest: &Manifest) -> Result<Permissions, RecordingError> {
        let kept = manifest.permissions.at_hosts(&self.hosts, NAMED_BY).map_err(RecordingError::Host)?;
        match kept.http.as_ref().is_some_and(|http| !http.rules.is_empty()) {
            true => Ok(kept),
            false => Err(RecordingError::NoRule),
        }
    }

    pub(super) fn secrets(&self) -> Arc<SecretStore> {
        self.store.clone()
    }

    pub(super) fn recorder(&self) -> Arc<Recorder> {
        Recorder::new(self.door.clone())
    }

    /// The values that nothing which is written may have.
    ///
    /// # Errors
    /// `Unread`.
    pub(super) fn leaks(&self, manifest: &Manifest) -> Result<Leaks, RecordingError> {
        let uses = manifest.permissions.secrets.iter().flat_map(|secrets| &secrets.uses);
        let mut values = std::collections::BTreeMap::new();
        for name in uses.map(|one| &one.name).filter(|name| self.sources.contains_key(*name)) {
            let value = self.store.read(name);
            let unread = |error: orch_host::capability::secrets::backend::SecretUnread| {
                RecordingError::Unread { name: error.name, why: error.why }
            };
            values.insert(name.clone(), value.map_err(unread)?);
        }
        Ok(Leaks::of(values))
    }
}

/// `[egress]` of a policy.
fn egress_of(path: &Path) -> Result<EgressPolicy, RecordingError> {
    let found = policy_of(path).map_err(|error| RecordingError::Policy(Box::new(error)))?;
    found.map(|policy| policy.egress).ok_or_else(|| RecordingError::NoPolicy(path.to_owned()))
}

impl Recorded {
    /// What a call's recorder kept, as the text of that file.
    pub(super) fn of(file: &str, recorder: &Recorder, leaks: &Leaks) -> Result<Self, Unwritten> {
        let exchanges = recorder.exchanges()?;
        let mut written = Vec::new();
        for (number, (sent, answer)) in (1..).zip(&exchanges) {
            let one = render(sent, answer);
            let again: Option<ScriptedExchange> = serde_json::from_value(one.clone()).ok();
            if again.is_none_or(|again| again.answer() != *answer) {
                return Err(Unwritten::Otherwise { number });
            }
            // As it went over the wire, and as it is written: a form may stand in one of them only.
            let text = one.to_string();
            let query = sent.query.clone().unwrap_or_default();
            for bytes in [text.as_bytes(), sent.target.path.as_bytes(), query.as_bytes(), &sent.body] {
                let Ok(found) = leaks.find(bytes) else { unreachable!("memory is read to its end") };
                if let Some((name, _)) = found.first() {
                    return Err(Unwritten::Secret { number, name: (*name).to_owned() });
                }
            }
            written.push(one);
        }
        let text = format!("{:#}\n", Value::from(written));
        match (exchanges.len(), text.len()) {
            (0, _) => Err(Unwritten::Nothing),
            (_, found_bytes) if found_bytes as u64 > CASE_BYTES_MAX => {
                Err(Unwritten::TooLarge { found_bytes })
            }
            (requests, _) => Ok(Self { file: file.to_owned(), requests, text }),
        }
    }

    /// Writes it into the folder of the cases.
    ///
    /// # Errors
    /// `Io`.
    pub fn write(&self, cases: &Path) -> Result<(), CaseError> {
        let path = cases.join(&self.file);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = written.and_then(|()| whole_file::write(&path, self.text.as_bytes(), 0o644));
        written.map_err(|source| CaseError::Write { path, source })
    }
}

/// As `host.http` has it.
fn render(sent: &SentRequest, answer: &ScriptedAnswer) -> Value {
    let SentRequest { target, query, headers: _, body } = sent;
    let query = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let url = format!("{}://{}{}{query}", target.scheme.as_str(), target.host_and_port(), target.path);
    // What is no text is compared with nothing.
    let text = std::str::from_utf8(body).ok().filter(|text| !text.is_empty());
    let body = text.map(|text| ("body", composed(text).unwrap_or_else(|| text.into())));
    let request = object([("method", target.method.as_str().into()), ("url", url.into())], body);
    match answer {
        ScriptedAnswer::Fault(fault) => json!({ "request": request, "fault": fault }),
        ScriptedAnswer::Answer { status, headers, body } => {
            let headers: Map<_, _> =
                headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            let body = match std::str::from_utf8(body) {
                Ok("") => None,
                // As JSON only if these are the bytes that would be answered.
                Ok(text) => {
                    let is_same = |value: &Value| serde_json::to_string(value).is_ok_and(|json| json == text);
                    Some(("body", composed(text).filter(is_same).unwrap_or_else(|| text.into())))
                }
                Err(_) => Some(("base64", base64_encode(body).into())),
            };
            let answer = object([("status", (*status).into()), ("headers", headers.into())], body);
            json!({ "request": request, "answer": answer })
        }
    }
}

fn object(fields: [(&str, Value); 2], last: Option<(&str, Value)>) -> Value {
    fields.into_iter().chain(last).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A JSON list or object.
fn composed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

#[cfg(test)]
mod tests {
    use orch_trust::permission::HttpTarget;

    use super::*;

    fn answer(body: &[u8]) -> ScriptedAnswer {
        let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
        ScriptedAnswer::Answer { status: 200, headers, body: body.to_vec() }
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let target = HttpTarget::new("POST", "https", "api.example.com:8443", "/v1/x").unwrap();
        let sent = |body: &[u8]| SentRequest {
            target: target.clone(),
            query: Some("q=1".to_owned()),
            headers: vec![("authorization".to_owned(), "Bearer fake".to_owned())],
            body: body.to_vec(),
        };
        for body in
            [&b""[..], b"{\"a\":[1,2.50]}", b"{\"a\":[1]}", b"{ \"a\": 1 }", b"\"text\"", b"\xff\xfe", b"3"]
        {
            let (sent, answer) = (sent(body), answer(body));
            let written = render(&sent, &answer);
            assert!(!written.to_string().contains("Bearer"), "{written}");
            let read: ScriptedExchange = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(read.answer(), answer, "{written}");
            let found = super::super::exchange::differences(&[read], &[sent]);
            assert_eq!(found, [""; 0], "{written}");
        }
        assert_eq!(render(&sent(b""), &answer(b"{\"a\":[1]}"))["answer"]["body"], json!({ "a": [1] }));
        assert_eq!(render(&sent(b""), &answer(b"\xff"))["answer"]["base64"], "/w==");
    }
}
