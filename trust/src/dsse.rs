//! DSSE envelopes, in one form only.
//!
//! In -> out: payload and keys -> canonical bytes; canonical bytes and known keys -> payload of the wanted type.
//! Limits: 1 MiB a file unless the payload says otherwise, 1 to 16 signatures, each key once.
//! Invariant: an envelope equals our own encoding of what it says, byte for byte; every signature verifies under a
//! known key whose id is its SHA-256; so no byte of an envelope can change without a refusal. What it says is read
//! only after that.
//! Specification: DSSE v1 (pre-authentication encoding), in-toto Statement v1.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::key::{KeyError, KeyId, PublicKey, SignError, Signer, base64_decode, base64_encode};
use crate::refusal::Refusal;
use crate::strict_json;

pub const ENVELOPE_BYTES_MAX: u64 = 1 << 20;
const SIGNATURES_MAX: usize = 16;
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What an envelope may hold. The type fixes what its bytes must say of themselves, so that nothing which was signed
/// for one purpose counts for another.
pub trait Payload: Serialize + DeserializeOwned {
    /// `payloadType` of the envelope, which is signed too.
    const PAYLOAD_TYPE: &'static str;
    /// `_type` inside.
    const KIND: &'static str;
    /// `predicateType` inside, of a statement.
    const PREDICATE_TYPE: Option<&'static str> = None;
    /// The largest envelope.
    const BYTES_MAX: u64 = ENVELOPE_BYTES_MAX;
}

impl<P: Predicate> Payload for Statement<P> {
    const PAYLOAD_TYPE: &'static str = "application/vnd.in-toto+json";
    const KIND: &'static str = STATEMENT_TYPE;
    const PREDICATE_TYPE: Option<&'static str> = Some(P::TYPE);
}

/// What a statement says of its subjects. The type fixes what the envelope may hold.
pub trait Predicate: Serialize + DeserializeOwned {
    const TYPE: &'static str;
}

/// Some files and what is said of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement<P> {
    #[serde(rename = "_type")]
    pub kind: String,
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    pub predicate: P,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    pub name: String,
    pub digest: SubjectDigest,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectDigest {
    pub sha256: Sha256Digest,
}

impl<P: Predicate> Statement<P> {
    pub fn new(subject: Vec<Subject>, predicate: P) -> Self {
        Self { kind: STATEMENT_TYPE.to_owned(), subject, predicate_type: P::TYPE.to_owned(), predicate }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EnvelopeText {
    payload_type: String,
    payload: String,
    signatures: Vec<SignatureText>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureText {
    keyid: String,
    sig: String,
}

/// What an envelope holds, all signatures of it being good. Made only by [`Envelope::verify`].
#[derive(Clone, Debug)]
pub struct Verified<T> {
    payload: T,
    signers: Vec<PublicKey>,
    sha256: Sha256Digest,
}

impl<T> Verified<T> {
    pub fn payload(&self) -> &T {
        &self.payload
    }

    pub fn into_payload(self) -> T {
        self.payload
    }

    /// Who signed, in the envelope's order; each key once.
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }

    /// Of the envelope's bytes.
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }
}

/// The bytes that a signature is over: DSSE v1's pre-authentication encoding.
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {} {} ", payload_type.len(), payload_type, payload.len());
    [head.as_bytes(), payload].concat()
}

/// The bytes that each signature of the statement's envelope is over, for signers that are elsewhere.
pub fn message<P: Predicate>(statement: &Statement<P>) -> Vec<u8> {
    pre_authentication(Statement::<P>::PAYLOAD_TYPE, &serde_json::to_vec(statement).unwrap_or_default())
}

/// The statement whose [`message`] these bytes are, if they are one's of this type.
pub fn statement_of<P: Predicate>(bytes: &[u8]) -> Option<Statement<P>> {
    let payload = bytes.splitn(5, |byte| *byte == b' ').nth(4)?;
    let statement: Statement<P> = strict_json::parse(payload).ok()?;
    let typed = statement.kind == STATEMENT_TYPE && statement.predicate_type == P::TYPE;
    (typed && message(&statement) == bytes).then_some(statement)
}

fn encode(envelope: &EnvelopeText) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(envelope).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The envelope of a payload, signed by each of the signers.
///
/// # Errors
/// The signer's own; also when what it gave does not verify under its key.
pub fn sign<T: Payload>(payload: &T, signers: &[&dyn Signer]) -> Result<Vec<u8>, SignError> {
    let payload = serde_json::to_vec(payload).unwrap_or_default();
    let message = pre_authentication(T::PAYLOAD_TYPE, &payload);
    let signature = |signer: &&dyn Signer| {
        let (public, bytes) = (signer.public(), signer.sign(&message)?);
        let wrong = |source: KeyError| SignError { key: public.id(), source: source.into() };
        public.verify(&message, &bytes).map_err(wrong)?;
        Ok(SignatureText { keyid: public.id().to_string(), sig: base64_encode(&bytes) })
    };
    Ok(encode(&EnvelopeText {
        payload_type: T::PAYLOAD_TYPE.to_owned(),
        payload: base64_encode(&payload),
        signatures: signers.iter().map(signature).collect::<Result<_, _>>()?,
    }))
}

/// What is in an envelope, if every signature holds. `known` gives the key of an id; none refuses with what `unknown`
/// makes of the id.
///
/// # Errors
/// Those of [`Envelope::open`] and [`Envelope::verify`].
pub fn verify<T: Payload>(
    file: &str,
    bytes: &[u8],
    known: impl Fn(KeyId) -> Option<PublicKey>,
    unknown: impl Fn(KeyId) -> Refusal,
) -> Result<Verified<T>, Refusal> {
    Envelope::<T>::open(file, bytes)?.verify(known, unknown)
}

/// The statement in an envelope, whoever signed it. Nothing may be admitted by it.
///
/// # Errors
/// Those of [`Envelope::open`], `EnvelopeType`, `EnvelopePayload`, `EnvelopeMalformed`.
pub fn read_unverified<P: Predicate>(file: &str, bytes: &[u8]) -> Result<Statement<P>, Refusal> {
    Envelope::<Statement<P>>::open(file, bytes)?.read()
}

/// An envelope in canonical form and of the wanted payload type. Nobody looked at signatures or payload yet.
#[derive(Clone, Debug)]
pub struct Envelope<T> {
    file: String,
    payload: Vec<u8>,
    message: Vec<u8>,
    signatures: Vec<(KeyId, String)>,
    sha256: Sha256Digest,
    holds: PhantomData<fn() -> T>,
}

impl<T: Payload> Envelope<T> {
    /// The envelope in these bytes.
    ///
    /// # Errors
    /// `FileTooLarge`, `EnvelopeMalformed`, `EnvelopeSignatures`, `EnvelopeKeyId`, `EnvelopeType`.
    pub fn open(file: &str, bytes: &[u8]) -> Result<Self, Refusal> {
        let malformed = |why: String| Refusal::EnvelopeMalformed { file: file.to_owned(), why };
        let file = file.to_owned();
        let found_bytes = bytes.len() as u64;
        if found_bytes > T::BYTES_MAX {
            return Err(Refusal::FileTooLarge { file, found_bytes, limit_bytes: T::BYTES_MAX });
        }
        // 1. One form.
        let envelope: EnvelopeText =
            strict_json::parse(bytes).map_err(|error| malformed(error.to_string()))?;
        if encode(&envelope) != bytes {
            return Err(malformed("it is not in canonical form".to_owned()));
        }
        if envelope.payload_type != T::PAYLOAD_TYPE {
            let (found, expected) = (shown(&envelope.payload_type), T::PAYLOAD_TYPE);
            return Err(Refusal::EnvelopeType { file, found, expected });
        }
        let payload = base64_decode(&envelope.payload).map_err(|error| malformed(error.to_string()))?;
        // 2. A bounded number of signatures, each key once.
        let found = envelope.signatures.len();
        if !(1..=SIGNATURES_MAX).contains(&found) {
            return Err(Refusal::EnvelopeSignatures { file, found, expected: "1 to 16".to_owned() });
        }
        let mut signatures: Vec<(KeyId, String)> = Vec::new();
        for SignatureText { keyid, sig } in envelope.signatures {
            let Some(key) = KeyId::parse(&keyid) else {
                return Err(Refusal::EnvelopeKeyId { file, found: shown(&keyid) });
            };
            if signatures.iter().any(|(before, _)| *before == key) {
                return Err(malformed(format!("key `{key}` signed twice")));
            }
            signatures.push((key, sig));
        }
        let message = pre_authentication(T::PAYLOAD_TYPE, &payload);
        let (sha256, holds) = (Sha256Digest::of(bytes), PhantomData);
        Ok(Self { file, payload, message, signatures, sha256, holds })
    }

    /// Of the envelope's bytes.
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }

    /// What it holds, if every signature does.
    ///
    /// # Errors
    /// `SignatureInvalid`, `EnvelopeType`, `EnvelopePayload`, `EnvelopeMalformed`, and whatever `unknown` gives.
    pub fn verify(
        self,
        known: impl Fn(KeyId) -> Option<PublicKey>,
        unknown: impl Fn(KeyId) -> Refusal,
    ) -> Result<Verified<T>, Refusal> {
        let signers = self.signers_among(known, |key| Err(unknown(key)))?;
        Ok(Verified { payload: self.read()?, signers, sha256: self.sha256 })
    }

    /// Who of those that are known signed it; `otherwise` says what an unknown one means.
    pub(crate) fn signers_among(
        &self,
        known: impl Fn(KeyId) -> Option<PublicKey>,
        otherwise: impl Fn(KeyId) -> Result<(), Refusal>,
    ) -> Result<Vec<PublicKey>, Refusal> {
        let mut signers = Vec::new();
        for (key_id, text) in &self.signatures {
            let Some(key) = known(*key_id).filter(|key| key.id() == *key_id) else {
                otherwise(*key_id)?;
                continue;
            };
            let invalid =
                |source| Refusal::SignatureInvalid { file: self.file.clone(), key: *key_id, source };
            let bytes = base64_decode(text).map_err(invalid)?;
            key.verify(&self.message, &bytes).map_err(invalid)?;
            signers.push(key);
        }
        Ok(signers)
    }

    /// What it holds. Only for bytes that somebody who counts has vouched for.
    pub(crate) fn read(&self) -> Result<T, Refusal> {
        #[derive(Deserialize)]
        struct Typed {
            #[serde(rename = "_type")]
            kind: String,
            #[serde(rename = "predicateType", default)]
            predicate_type: Option<String>,
        }
        let file = || self.file.clone();
        let payload_fault = |source| Refusal::EnvelopePayload { file: file(), source };
        let typed: Typed = strict_json::parse(&self.payload).map_err(payload_fault)?;
        if typed.kind != T::KIND || typed.predicate_type.as_deref() != T::PREDICATE_TYPE {
            let found = shown(&typed.predicate_type.unwrap_or(typed.kind));
            let expected = T::PREDICATE_TYPE.unwrap_or(T::KIND);
            return Err(Refusal::EnvelopeType { file: file(), found, expected });
        }
        let payload: T = strict_json::parse(&self.payload).map_err(payload_fault)?;
        if serde_json::to_vec(&payload).ok().as_deref() != Some(self.payload.as_slice()) {
            let why = "its payload is not in canonical form".to_owned();
            return Err(Refusal::EnvelopeMalformed { file: file(), why });
        }
        Ok(payload)
    }
}

/// Text of an envelope, as far as an error shows it.
fn shown(text: &str) -> String {
    text.escape_default().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct One {
        say: String,
    }
    impl Predicate for One {
        const TYPE: &'static str = "urn:test:one";
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Other {
        say: String,
    }
    impl Predicate for Other {
        const TYPE: &'static str = "urn:test:other";
    }

    fn statement() -> Statement<One> {
        let subject = Subject { name: "a".into(), digest: SubjectDigest { sha256: Sha256Digest::of(b"a") } };
        Statement::new(vec![subject], One { say: "yes".into() })
    }

    fn code<P: Predicate>(bytes: &[u8], key: &SecretKey) -> Option<&'static str> {
        let public = key.public();
        let known = |id| (id == public.id()).then_some(public);
        verify::<Statement<P>>("f", bytes, known, |key| Refusal::ReleaseUnknownKey { key })
            .err()
            .map(|refusal| refusal.code())
    }

    #[test]
    fn an_envelope_is_for_its_key_and_its_type() {
        let (key, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let bytes = sign(&statement(), &[&key]).unwrap();
        assert_eq!(code::<One>(&bytes, &key), None);
        assert_eq!(code::<One>(&bytes, &other), Some("release-unknown-key"));
        assert_eq!(code::<Other>(&bytes, &key), Some("envelope-type"));
        assert_eq!(code::<One>(&sign(&statement(), &[]).unwrap(), &key), Some("envelope-signatures"));
        assert_eq!(
            code::<One>(&sign(&statement(), &[&key, &other]).unwrap(), &key),
            Some("release-unknown-key")
        );
        assert_eq!(
            code::<One>(&sign(&statement(), &[&key, &key]).unwrap(), &key),
            Some("envelope-malformed")
        );
    }

    /// As long as it may be, and not a byte more.
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Short {
        #[serde(rename = "_type")]
        kind: String,
        say: String,
    }
    impl Payload for Short {
        const PAYLOAD_TYPE: &'static str = "application/short";
        const KIND: &'static str = "short";
        const BYTES_MAX: u64 = 402;
    }

    #[test]
    fn an_envelope_has_at_most_its_bytes() {
        let key = SecretKey::from_seed(&[1; 32]);
        let open = |length: usize| {
            let bytes = sign(&Short { kind: "short".into(), say: "x".repeat(length) }, &[&key]).unwrap();
            (bytes.len() as u64, Envelope::<Short>::open("f", &bytes).err().map(|refusal| refusal.code()))
        };
        let lengths: Vec<_> = (0..200).map(open).collect();
        assert!(lengths.contains(&(Short::BYTES_MAX, None)), "{lengths:?}");
        for (bytes, code) in lengths {
            assert_eq!(code, (bytes > Short::BYTES_MAX).then_some("file-too-large"), "{bytes}");
        }
    }

    #[test]
    fn an_error_shows_what_the_envelope_says_and_never_all_of_it() {
        assert_eq!(shown("urn:test:other"), "urn:test:other");
        assert_eq!(shown("a\nb\u{1b}"), "a\\nb\\u{1b}");
        assert_eq!(shown(&"x".repeat(500)).len(), 100);
    }

    #[test]
    fn the_signed_bytes_are_those_of_one_statement() {
        let bytes = message(&statement());
        assert_eq!(statement_of::<One>(&bytes), Some(statement()));
        assert!(statement_of::<Other>(&bytes).is_none());
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            // Another letter of a text is another statement; nothing is this one's.
            assert_ne!(statement_of::<One>(&changed), Some(statement()), "byte {place}");
        }
        assert!(statement_of::<One>(&[&bytes[..], b" "].concat()).is_none());
        assert!(statement_of::<One>(&bytes[1..]).is_none() && statement_of::<One>(b"").is_none());
    }

    #[test]
    fn no_byte_can_change() {
        let key = SecretKey::from_seed(&[1; 32]);
        let good = sign(&statement(), &[&key]).unwrap();
        for place in 0..good.len() {
            for flip in [1, 0x20, 0x80] {
                let mut bytes = good.clone();
                bytes[place] ^= flip;
                assert!(code::<One>(&bytes, &key).is_some(), "byte {place} flipped by {flip}");
            }
        }
        let text = String::from_utf8(good.clone()).unwrap();
        for spaced in
            [format!(" {text}"), text.replace(',', ", "), format!("{text}\n"), text.trim().to_owned()]
        {
            assert_eq!(code::<One>(spaced.as_bytes(), &key), Some("envelope-malformed"));
        }
    }
}
