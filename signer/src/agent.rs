//! ssh-agent: a process of the user that holds keys and signs with them.
//!
//! In -> out: an agent's socket, which key -> [`AgentSigner`].
//! Limits: 256 KiB a message, 120 s for each answer (a person may be asked first).
//! Invariant: the agent signs the message itself, raw ed25519; what it signs begins with `DSSEv1 `, so it is no login
//! and no SSHSIG signature. Only keys of plain ed25519 are seen.
//! Specification: draft-ietf-sshm-ssh-agent. Two of its requests are all that is needed here.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use orch_trust::key::{PublicKey, SignError, Signer};
use ssh_encoding::{Decode, Encode, Reader};
use ssh_key::HashAlg;
use ssh_key::public::KeyData;

use crate::address::{AgentAddress, AgentKey};

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

const MESSAGE_BYTES_MAX: u32 = 256 * 1024;
const ANSWER_SECONDS_MAX: u64 = 120;
const KEYS_MAX: u32 = 1000;
const ALGORITHM: &str = "ssh-ed25519";

/// Why an agent does not sign.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("`SSH_AUTH_SOCK` names no socket of an agent")]
    NoSocket,
    #[error("agent at `{socket}` does not answer")]
    Io {
        socket: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("agent at `{socket}` has no ed25519 key `{wanted}`, it has {found}")]
    NoKey { socket: PathBuf, wanted: String, found: String },
    #[error("agent at `{socket}` refused")]
    Refused { socket: PathBuf },
    #[error("agent at `{socket}` answers what is no answer: {message}")]
    Malformed { socket: PathBuf, message: String },
    #[error("message is {found} bytes, an agent takes {MESSAGE_BYTES_MAX}")]
    TooLong { found: usize },
}

impl AgentError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSocket => "agent-no-socket",
            Self::Io { .. } => "agent-io",
            Self::NoKey { .. } => "agent-no-key",
            Self::Refused { .. } => "agent-refused",
            Self::Malformed { .. } => "agent-malformed",
            Self::TooLong { .. } => "agent-too-long",
        }
    }

    /// What helps, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSocket => Some("start one (`eval $(ssh-agent)`), or say `?socket=/PATH`".to_owned()),
            Self::NoKey { .. } => Some("`ssh-add FILE` gives it the key, `ssh-add -l` lists them".to_owned()),
            _ => None,
        }
    }
}

/// One key of an agent.
pub struct AgentSigner {
    socket: PathBuf,
    key: PublicKey,
    /// The key as the agent names it.
    blob: Vec<u8>,
}

impl AgentSigner {
    /// The agent's key of that name.
    ///
    /// # Errors
    /// `NoSocket`, `Io`, `NoKey`, `Refused`, `Malformed`.
    pub fn open(address: &AgentAddress) -> Result<Self, AgentError> {
        let variable = || std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from);
        let socket = address.socket.clone().or_else(variable).filter(|path| path.is_absolute());
        let socket = socket.ok_or(AgentError::NoSocket)?;
        let malformed = |message: String| AgentError::Malformed { socket: socket.clone(), message };
        let answer = ask(&socket, IDENTITIES_ANSWER, &[REQUEST_IDENTITIES])?;
        let keys = identities(&answer).map_err(|error| malformed(error.to_string()))?;
        let mut found = Vec::new();
        for (blob, data) in keys {
            let KeyData::Ed25519(point) = &data else { continue };
            let Ok(key) = PublicKey::from_bytes(&point.0) else { continue };
            let fingerprint = data.fingerprint(HashAlg::Sha256);
            let same = match &address.key {
                AgentKey::Id(id) => key.id() == *id,
                AgentKey::Fingerprint(wanted) => fingerprint == *wanted,
            };
            if same {
                return Ok(Self { socket, key, blob });
            }
            found.push(format!("`{fingerprint}`"));
        }
        let wanted = match &address.key {
            AgentKey::Id(id) => id.to_string(),
            AgentKey::Fingerprint(fingerprint) => fingerprint.to_string(),
        };
        let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        Err(AgentError::NoKey { socket, wanted, found })
    }

    fn request(&self, message: &[u8]) -> Result<[u8; 64], AgentError> {
        let malformed = |message: String| AgentError::Malformed { socket: self.socket.clone(), message };
        let too_long = |_| AgentError::TooLong { found: message.len() };
        let mut request = vec![SIGN_REQUEST];
        self.blob.encode(&mut request).map_err(too_long)?;
        message.encode(&mut request).map_err(too_long)?;
        0u32.encode(&mut request).map_err(too_long)?;
        if request.len() as u64 > u64::from(MESSAGE_BYTES_MAX) {
            return Err(AgentError::TooLong { found: message.len() });
        }
        let answer = ask(&self.socket, SIGN_RESPONSE, &request)?;
        signature(&answer)
            .map_err(|error| malformed(error.to_string()))?
            .ok_or_else(|| malformed(format!("its signature is not 64 bytes of `{ALGORITHM}`")))
    }
}

impl Signer for AgentSigner {
    fn public(&self) -> PublicKey {
        self.key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.request(message).map_err(|error| SignError { key: self.key.id(), source: error.into() })
    }
}

/// What follows the wanted kind of answer.
fn ask(socket: &PathBuf, wanted: u8, request: &[u8]) -> Result<Vec<u8>, AgentError> {
    let io = |source| AgentError::Io { socket: socket.clone(), source };
    let malformed = |message: String| AgentError::Malformed { socket: socket.clone(), message };
    let mut stream = UnixStream::connect(socket).map_err(io)?;
    let limit = Some(Duration::from_secs(ANSWER_SECONDS_MAX));
    stream.set_read_timeout(limit).and_then(|()| stream.set_write_timeout(limit)).map_err(io)?;
    let length = u32::try_from(request.len()).map_err(|_| AgentError::TooLong { found: request.len() })?;
    stream.write_all(&length.to_be_bytes()).and_then(|()| stream.write_all(request)).map_err(io)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).map_err(io)?;
    let length = u32::from_be_bytes(length);
    if !(1..=MESSAGE_BYTES_MAX).contains(&length) {
        return Err(malformed(format!("it is {length} bytes, expected 1 to {MESSAGE_BYTES_MAX}")));
    }
    let mut answer = vec![0; usize::try_from(length).unwrap_or_default()];
    stream.read_exact(&mut answer).map_err(io)?;
    match answer.split_first() {
        Some((kind, rest)) if *kind == wanted => Ok(rest.to_vec()),
        // The failures of the specification, and of OpenSSH's and other agents before it.
        Some((5 | 28 | 30 | 102, _)) => Err(AgentError::Refused { socket: socket.clone() }),
        kind => Err(malformed(format!("its kind is {:?}, expected {wanted}", kind.map(|(kind, _)| kind)))),
    }
}

/// Each key, as it is named and as it is, of kinds that are known.
fn identities(answer: &[u8]) -> Result<Vec<(Vec<u8>, KeyData)>, ssh_encoding::Error> {
    let mut reader = answer;
    let count = u32::decode(&mut reader)?;
    let mut keys = Vec::new();
    for _ in 0..count.min(KEYS_MAX) {
        let blob = Vec::decode(&mut reader)?;
        let _comment = Vec::<u8>::decode(&mut reader)?;
        let mut inside = blob.as_slice();
        if let Ok(data) = KeyData::decode(&mut inside)
            && inside.is_finished()
        {
            keys.push((blob, data));
        }
    }
    reader.finish(keys)
}

/// The bytes of a signature, if it is of the wanted kind and length.
fn signature(answer: &[u8]) -> Result<Option<[u8; 64]>, ssh_encoding::Error> {
    let mut reader = answer;
    let blob = Vec::<u8>::decode(&mut reader)?;
    let blob = reader.finish(blob)?;
    let mut inside = blob.as_slice();
    let algorithm = Vec::<u8>::decode(&mut inside)?;
    let bytes = Vec::<u8>::decode(&mut inside)?;
    let bytes = inside.finish(bytes)?;
    Ok((algorithm == ALGORITHM.as_bytes()).then(|| bytes.try_into().ok()).flatten())
}
