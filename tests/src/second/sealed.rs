//! Envelopes of a case: who signs them, and the bends that are put into each.
//!
//! In -> out: a payload, its place, [`Bend`]s -> the bytes of an envelope.
//! Not here: what is signed (`draft.rs`, `world.rs`).

use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Payload;
use orch_trust::key::{KeyId, SecretKey, base64_encode};
use orch_trust::time::UnixSeconds;

pub const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
pub const DAY: i64 = UnixSeconds::DAY;

pub const PUBLISHER: u8 = 1;
pub const CERTIFIER: u8 = 2;
pub const OTHER_CERTIFIER: u8 = 3;
pub const OTHER_PUBLISHER: u8 = 4;
pub const ROOTS: [u8; 3] = [10, 11, 12];
pub const REVOKER: u8 = 20;
pub const FRESHNESS: u8 = 21;
pub const ISSUER: u8 = 22;
pub const JOB: u8 = 30;
pub const STRANGER: u8 = 99;

/// The keys of one case: by seed, others in each family of cases.
#[derive(Clone, Copy, Debug)]
pub struct Keys(pub u8);

impl Keys {
    pub fn key(self, seed: u8) -> SecretKey {
        let mut bytes = [self.0; 32];
        bytes[0] = seed;
        SecretKey::from_seed(&bytes)
    }

    pub fn id(self, seed: u8) -> KeyId {
        self.key(seed).public().id()
    }

    pub fn digest(self, seed: u8) -> Sha256Digest {
        Sha256Digest::parse(&self.id(seed).to_string()).unwrap()
    }

    pub fn base64(self, seed: u8) -> String {
        self.key(seed).public().to_base64()
    }
}

/// Something that is signed, or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Manifest,
    Release,
    /// In the order of the draft.
    Certificate(usize),
    Delegation(usize),
    Root(usize),
    Freshness,
    Revocations,
}

/// An envelope before it is spelled.
pub struct Open {
    pub payload_type: String,
    /// Base64.
    pub payload: String,
    /// What signatures are over.
    pub message: Vec<u8>,
    /// Key id and base64.
    pub signatures: Vec<(String, String)>,
}

type OfText = Box<dyn FnOnce(String) -> String>;
type OfBytes = Box<dyn FnOnce(Vec<u8>) -> Vec<u8>>;

/// One change.
pub enum Bend {
    /// Of the manifest, or of a payload before it is signed.
    Said(OfText),
    /// The same as bytes.
    Raw(OfBytes),
    /// The payload type, which is signed too.
    Type(&'static str),
    /// Who signs.
    By(Vec<u8>),
    /// Of what is signed already.
    Open(Box<dyn FnOnce(&mut Open)>),
    /// Of the file.
    File(OfBytes),
}

/// Seals payloads, each with the bends of its place.
pub struct Sealer {
    pub keys: Keys,
    pub(super) bends: Vec<(Place, Bend)>,
}

impl Sealer {
    pub(super) fn take(&mut self, place: Place) -> Vec<Bend> {
        let (mine, rest) = std::mem::take(&mut self.bends).into_iter().partition(|(at, _)| *at == place);
        self.bends = rest;
        let mine: Vec<(Place, Bend)> = mine;
        mine.into_iter().map(|(_, bend)| bend).collect()
    }

    /// Key id and signature of that seed's key.
    pub fn signature(&self, seed: u8, message: &[u8]) -> (String, String) {
        let key = self.keys.key(seed);
        (key.public().id().to_string(), base64_encode(&key.sign(message)))
    }

    /// An envelope as it should be.
    pub fn plain<T: Payload>(&self, payload: &T, by: &[u8]) -> Vec<u8> {
        let payload = serde_json::to_vec(payload).unwrap();
        spelled(&self.open(T::PAYLOAD_TYPE, &payload, by))
    }

    fn open(&self, payload_type: &str, payload: &[u8], by: &[u8]) -> Open {
        let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
        let message = [head.as_bytes(), payload].concat();
        let signatures = by.iter().map(|seed| self.signature(*seed, &message)).collect();
        Open { payload_type: payload_type.to_owned(), payload: base64_encode(payload), message, signatures }
    }

    /// An envelope with the bends of its place.
    pub fn seal<T: Payload>(&mut self, place: Place, payload: &T, by: &[u8]) -> Vec<u8> {
        let mut payload = serde_json::to_vec(payload).unwrap();
        let (mut payload_type, mut by) = (T::PAYLOAD_TYPE, by.to_vec());
        let (mut opens, mut files) = (Vec::new(), Vec::new());
        for bend in self.take(place) {
            match bend {
                Bend::Said(change) => payload = change(String::from_utf8(payload).unwrap()).into_bytes(),
                Bend::Raw(change) => payload = change(payload),
                Bend::Type(other) => payload_type = other,
                Bend::By(seeds) => by = seeds,
                Bend::Open(change) => opens.push(change),
                Bend::File(change) => files.push(change),
            }
        }
        let mut open = self.open(payload_type, &payload, &by);
        opens.into_iter().for_each(|change| change(&mut open));
        files.into_iter().fold(spelled(&open), |bytes, change| change(bytes))
    }
}

fn spelled(open: &Open) -> Vec<u8> {
    let one = |(keyid, sig): &(String, String)| format!(r#"{{"keyid":"{keyid}","sig":"{sig}"}}"#);
    let signatures: Vec<String> = open.signatures.iter().map(one).collect();
    let Open { payload_type, payload, .. } = open;
    let signatures = signatures.join(",");
    format!(
        "{{\"payloadType\":\"{payload_type}\",\"payload\":\"{payload}\",\"signatures\":[{signatures}]}}\n"
    )
    .into_bytes()
}
