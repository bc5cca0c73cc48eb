//! minisign's signature files.
//!
//! In -> out: text, message, key -> the 64 bytes over the message itself, or nothing where a digest of it is signed.
//! Four lines: comment, base64 of algorithm (2), key number (8) and signature (64); trusted comment, base64 of the
//! signature over signature and trusted comment. `Ed` signs the message, `ED` its BLAKE2b-512.
//! Invariant: both signatures hold, also that over the trusted comment.

use blake2::{Blake2b512, Digest};
use orch_trust::key::base64_decode;

use super::ForeignError;
use crate::public_key::ForeignKey;

pub(super) const BEGIN: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";

pub(super) fn verify(text: &str, message: &[u8], key: &ForeignKey) -> Result<Option<[u8; 64]>, ForeignError> {
    let malformed = |why| ForeignError::Malformed { form: "minisign", why };
    let invalid = |what| move |source| ForeignError::Signature { what, source };
    let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    let [_, line, trusted, global] = lines.as_slice() else { return Err(malformed("it has not 4 lines")) };
    let trusted = trusted.strip_prefix(TRUSTED).ok_or_else(|| malformed("it has no trusted comment"))?;
    let bytes = base64_decode(line).map_err(|_| malformed("its signature is not strict base64"))?;
    let global = base64_decode(global).map_err(|_| malformed("its last line is not strict base64"))?;
    let bytes: [u8; 74] = bytes.try_into().map_err(|_| malformed("its signature is not 74 bytes"))?;
    let (head, signature) = bytes.split_at(10);
    let (algorithm, number) = head.split_at(2);
    if key.number.is_some_and(|expected| expected != number) {
        return Err(ForeignError::OtherKey);
    }
    let signature: [u8; 64] = signature.try_into().unwrap_or([0; 64]);
    let over_message = match algorithm {
        b"Ed" => {
            key.key.verify(message, &signature).map_err(invalid("signature over the message"))?;
            Some(signature)
        }
        b"ED" => {
            let digest = Blake2b512::digest(message);
            key.key.verify(&digest, &signature).map_err(invalid("signature over the message's digest"))?;
            None
        }
        _ => return Err(malformed("its algorithm is not `Ed` nor `ED`")),
    };
    let signed = [&signature[..], trusted.as_bytes()].concat();
    key.key.verify(&signed, &global).map_err(invalid("signature over the trusted comment"))?;
    Ok(over_message)
}
