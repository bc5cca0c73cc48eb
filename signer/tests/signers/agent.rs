//! An agent that answers in this process, well and badly; and OpenSSH's own, whose answers were recorded.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use orch_signer::address::SignerAddress;
use orch_signer::key_file::Purpose;
use orch_signer::passphrase::Passphrases;
use orch_signer::signer::{self, SignerError};
use orch_trust::key::{SecretKey, Signer};

/// What the agent answers to a request.
type Answers = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

struct Agent {
    _folder: tempfile::TempDir,
    socket: PathBuf,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Agent {
    fn new(answers: Answers) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut request).unwrap();
                let answer = answers(&request);
                seen.lock().unwrap().push(request);
                let _ = stream.write_all(&answer);
            }
        });
        Self { _folder: folder, socket, requests }
    }

    fn open(&self, key: &str) -> Result<Box<dyn Signer>, SignerError> {
        let address: SignerAddress = format!("agent:{key}?socket={}", self.socket.display()).parse().unwrap();
        signer::open(&address, Purpose::Publisher, &Passphrases::Terminal)
    }

    #[track_caller]
    fn refuses(&self, code: &str, says: &str) {
        let error = self.open(&key().public().id().to_string()).err().unwrap();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    string(&[&[kind][..], body].concat())
}

fn blob(key: &SecretKey) -> Vec<u8> {
    let point = orch_trust::key::base64_decode(&key.public().to_base64()).unwrap();
    [string(b"ssh-ed25519"), string(&point)].concat()
}

fn identities(blobs: &[Vec<u8>]) -> Vec<u8> {
    let keys = blobs.iter().flat_map(|blob| [string(blob), string(b"a comment")].concat());
    let body: Vec<u8> = (blobs.len() as u32).to_be_bytes().into_iter().chain(keys).collect();
    message(12, &body)
}

fn signed(algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    message(14, &string(&[string(algorithm), string(signature)].concat()))
}

/// Takes a string off the front.
fn take(bytes: &mut &[u8]) -> Vec<u8> {
    let (length, rest) = bytes.split_at(4);
    let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
    let (taken, rest) = rest.split_at(length);
    *bytes = rest;
    taken.to_vec()
}

/// An agent as it should be, with that key among others.
fn honest() -> Agent {
    let strange = [string(b"ssh-rsa"), string(b"\x01\x00\x01"), string(&[9; 256])].concat();
    Agent::new(Arc::new(move |request: &[u8]| match request.split_first() {
        Some((11, [])) => identities(&[strange.clone(), blob(&SecretKey::from_seed(&[8; 32])), blob(&key())]),
        Some((13, mut rest)) => {
            let (wanted, data) = (take(&mut rest), take(&mut rest));
            assert_eq!((wanted, rest), (blob(&key()), &[0, 0, 0, 0][..]));
            signed(b"ssh-ed25519", &key().sign(&data))
        }
        _ => message(5, &[]),
    }))
}

#[test]
fn an_agent_signs_with_the_key_that_was_named() {
    let agent = honest();
    let signer = agent.open(&key().public().id().to_string()).unwrap();
    assert_eq!(signer.public(), key().public());
    let signature = signer.sign(b"DSSEv1 message").unwrap();
    assert_eq!(signer.public().verify(b"DSSEv1 message", &signature), Ok(()));
    // The message itself goes to the agent, in one frame.
    let seen = agent.requests.lock().unwrap();
    assert!(seen[1].windows(14).any(|window| window == b"DSSEv1 message"));
}

#[test]
fn a_key_is_found_by_openssh_fingerprint_too() {
    let data = orch_trust::key::base64_encode(orch_trust::digest::Sha256Digest::of(&blob(&key())).as_bytes());
    let fingerprint = format!("SHA256:{}", data.trim_end_matches('='));
    assert_eq!(honest().open(&fingerprint).unwrap().public(), key().public());
}

#[test]
fn a_key_that_the_agent_does_not_have_is_said_with_those_it_has() {
    let error = honest().open(&"ab".repeat(32)).err().unwrap();
    assert_eq!(error.code(), "agent-no-key");
    assert_eq!(error.to_string().matches("SHA256:").count(), 2, "{error}");
    assert!(error.hint().unwrap().contains("ssh-add"));
}

#[test]
fn agents_that_answer_badly_are_refused() {
    let answering = |answer: Vec<u8>| Agent::new(Arc::new(move |_: &[u8]| answer.clone()));
    answering(message(5, &[])).refuses("agent-refused", "refused");
    answering(message(99, &[])).refuses("agent-malformed", "its kind is Some(99), expected 12");
    answering(vec![0, 0, 0, 0]).refuses("agent-malformed", "it is 0 bytes");
    answering(vec![0xff; 4]).refuses("agent-malformed", "4294967295 bytes");
    answering(vec![0, 0, 0, 9, 12]).refuses("agent-io", "does not answer");
    answering(Vec::new()).refuses("agent-io", "does not answer");
    // Fewer keys than were said, and bytes after the last.
    answering(message(12, &[0, 0, 0, 2])).refuses("agent-malformed", "no answer");
    answering(message(12, &[0, 0, 0, 0, 1])).refuses("agent-malformed", "no answer");
    answering(message(12, &[0xff; 4])).refuses("agent-malformed", "no answer");
    // A key with something after it, and one of small order: they are not there.
    let longer = [blob(&key()), vec![0]].concat();
    answering(identities(&[longer])).refuses("agent-no-key", "it has none");
    let small = [string(b"ssh-ed25519"), string(&[0; 32])].concat();
    answering(identities(&[small])).refuses("agent-no-key", "it has none");
}

#[test]
fn signatures_of_another_form_are_refused() {
    let answers = [
        signed(b"rsa-sha2-256", &[0; 64]),
        signed(b"ssh-ed25519", &[0; 63]),
        signed(b"ssh-ed25519", &[0; 65]),
        message(14, &[string(&[string(b"ssh-ed25519"), string(&[0; 64])].concat()), vec![0]].concat()),
        message(14, &[]),
    ];
    for answer in answers {
        let agent = Agent::new(Arc::new(move |request: &[u8]| match request[0] {
            11 => identities(&[blob(&key())]),
            _ => answer.clone(),
        }));
        let signer = agent.open(&key().public().id().to_string()).unwrap();
        let error = signer.sign(b"message").unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("answers what is no answer"), "{cause}");
    }
}

#[test]
fn a_socket_that_is_not_there_is_said() {
    let id = "ab".repeat(32);
    let address: SignerAddress = format!("agent:{id}?socket=/nowhere/agent").parse().unwrap();
    let error = signer::open(&address, Purpose::Publisher, &Passphrases::Terminal).err().unwrap();
    assert_eq!(error.code(), "agent-io");
}

#[test]
fn what_opensshs_agent_answers_is_understood() {
    const IDENTITIES: &[u8] = include_bytes!("../data/agent-identities.bin");
    const SIGNATURE: &[u8] = include_bytes!("../data/agent-signature.bin");
    let message = include_bytes!("../data/message");
    let key = orch_signer::public_key::parse(include_str!("../data/openssh.pub")).unwrap().key;
    let agent = Agent::new(Arc::new(|request: &[u8]| match request[0] {
        11 => IDENTITIES.to_vec(),
        _ => SIGNATURE.to_vec(),
    }));
    let signer = agent.open(&key.id().to_string()).unwrap();
    assert_eq!(key.verify(message, &signer.sign(message).unwrap()), Ok(()));
    // It has another key too, of a kind that is not ours.
    let error = agent.open(&"ab".repeat(32)).err().unwrap();
    assert_eq!(error.to_string().matches("SHA256:").count(), 1, "{error}");
    // Cut anywhere, it is no answer.
    for length in 5..IDENTITIES.len() {
        let body = IDENTITIES[4..length].to_vec();
        let cut = Agent::new(Arc::new(move |_: &[u8]| string(&body)));
        assert_eq!(cut.open(&key.id().to_string()).err().unwrap().code(), "agent-malformed", "{length}");
    }
}
