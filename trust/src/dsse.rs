//! DSSE envelopes, in one form only.
//!
//! In -> out: payload and keys -> canonical bytes; canonical bytes and known keys -> payload of the wanted type.
//! Limits: 1 MiB a file, 1 to 16 signatures.
//! Invariant: an envelope equals our own encoding of what it says, byte for byte; every signature verifies under a
//! known key whose id is its SHA-256; so no byte of an envelope can change without a refusal.
//! Specification: DSSE v1 (pre-authentication encoding), in-toto Statement v1.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::key::{KeyError, KeyId, PublicKey, SignError, Signer, base64_decode, base64_encode};
use crate::refusal::Refusal;
use crate::strict_json;

pub const ENVELOPE_BYTES_MAX: u64 = 1 << 20;
const SIGNATURES_MAX: usize = 16;
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

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

/// A statement whose signatures all hold.
#[derive(Clone, Debug)]
pub struct Verified<P> {
    pub statement: Statement<P>,
    /// Who signed, in the envelope's order.
    pub signers: Vec<KeyId>,
}

/// The bytes that a signature is over: DSSE v1's pre-authentication encoding.
fn pre_authentication(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {} {} ", PAYLOAD_TYPE.len(), PAYLOAD_TYPE, payload.len());
    [head.as_bytes(), payload].concat()
}

fn encode(envelope: &EnvelopeText) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(envelope).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The envelope of a statement, signed by each of the signers.
///
/// # Errors
/// The signer's own; also when what it gave does not verify under its key.
pub fn sign<P: Predicate>(statement: &Statement<P>, signers: &[&dyn Signer]) -> Result<Vec<u8>, SignError> {
    let payload = serde_json::to_vec(statement).unwrap_or_default();
    let message = pre_authentication(&payload);
    let signature = |signer: &&dyn Signer| {
        let (public, bytes) = (signer.public(), signer.sign(&message)?);
        let wrong = |source: KeyError| SignError { key: public.id(), source: source.into() };
        public.verify(&message, &bytes).map_err(wrong)?;
        Ok(SignatureText { keyid: public.id().to_string(), sig: base64_encode(&bytes) })
    };
    Ok(encode(&EnvelopeText {
        payload_type: PAYLOAD_TYPE.to_owned(),
        payload: base64_encode(&payload),
        signatures: signers.iter().map(signature).collect::<Result<_, _>>()?,
    }))
}

/// The statement in an envelope, if every signature holds. `known` gives the key of an id; none refuses with
/// what `unknown` makes of the id.
///
/// # Errors
/// `FileTooLarge`, `EnvelopeMalformed`, `EnvelopeSignatures`, `EnvelopeKeyId`, `EnvelopeType`, `EnvelopePayload`,
/// `SignatureInvalid`, and whatever `unknown` gives.
pub fn verify<P: Predicate>(
    file: &str,
    bytes: &[u8],
    known: impl Fn(KeyId) -> Option<PublicKey>,
    unknown: impl Fn(KeyId) -> Refusal,
) -> Result<Verified<P>, Refusal> {
    let malformed = |why: String| Refusal::EnvelopeMalformed { file: file.to_owned(), why };
    if bytes.len() as u64 > ENVELOPE_BYTES_MAX {
        return Err(Refusal::FileTooLarge {
            file: file.to_owned(),
            found_bytes: bytes.len() as u64,
            limit_bytes: ENVELOPE_BYTES_MAX,
        });
    }
    // 1. One form.
    let envelope: EnvelopeText = strict_json::parse(bytes).map_err(|error| malformed(error.to_string()))?;
    if encode(&envelope) != bytes {
        return Err(malformed("it is not in canonical form".to_owned()));
    }
    if envelope.payload_type != PAYLOAD_TYPE {
        let (file, found) = (file.to_owned(), envelope.payload_type);
        return Err(Refusal::EnvelopeType { file, found, expected: PAYLOAD_TYPE });
    }
    let payload = base64_decode(&envelope.payload).map_err(|error| malformed(error.to_string()))?;
    if !(1..=SIGNATURES_MAX).contains(&envelope.signatures.len()) {
        return Err(Refusal::EnvelopeSignatures {
            file: file.to_owned(),
            found: envelope.signatures.len(),
            expected: "1 to 16",
        });
    }
    // 2. Every signature holds, under a known key, each key once.
    let message = pre_authentication(&payload);
    let mut signers: Vec<KeyId> = Vec::new();
    for signature in &envelope.signatures {
        let key_id = KeyId::parse(&signature.keyid).ok_or_else(|| Refusal::EnvelopeKeyId {
            file: file.to_owned(),
            found: signature.keyid.clone(),
        })?;
        if signers.contains(&key_id) {
            return Err(malformed(format!("key `{key_id}` signed twice")));
        }
        let key = known(key_id).filter(|key| key.id() == key_id).ok_or_else(|| unknown(key_id))?;
        let invalid = |source| Refusal::SignatureInvalid { file: file.to_owned(), key: key_id, source };
        let bytes = base64_decode(&signature.sig).map_err(invalid)?;
        key.verify(&message, &bytes).map_err(invalid)?;
        signers.push(key_id);
    }
    // 3. The payload is of the wanted type, and in one form too.
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "_type")]
        kind: String,
        #[serde(rename = "predicateType")]
        predicate_type: String,
    }
    let payload_fault = |source| Refusal::EnvelopePayload { file: file.to_owned(), source };
    let typed: Typed = strict_json::parse(&payload).map_err(payload_fault)?;
    if typed.kind != STATEMENT_TYPE || typed.predicate_type != P::TYPE {
        let (file, found) = (file.to_owned(), typed.predicate_type);
        return Err(Refusal::EnvelopeType { file, found, expected: P::TYPE });
    }
    let statement: Statement<P> = strict_json::parse(&payload).map_err(payload_fault)?;
    if serde_json::to_vec(&statement).ok().as_deref() != Some(payload.as_slice()) {
        return Err(malformed("its payload is not in canonical form".to_owned()));
    }
    Ok(Verified { statement, signers })
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
        verify::<P>("f", bytes, known, |key| Refusal::ReleaseUnknownKey { key })
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
