//! Signatures of `ssh-keygen -Y sign`.
//!
//! In -> out: text, message, key -> nothing, or why it does not hold.
//! Invariant: version 1, namespace `orch-plugin`, nothing reserved, the key that was said in it, raw ed25519 over the
//! frame; the text is the one that `ssh-keygen` writes for it.
//! Specification: OpenSSH's PROTOCOL.sshsig.

use orch_trust::key::{PublicKey, base64_encode};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, LineEnding, SshSig};

use super::ForeignError;

pub(super) const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
/// What `ssh-keygen -n` must say, so that a signature for mail or git is none for a plugin.
pub const NAMESPACE: &str = "orch-plugin";

pub(super) fn verify(text: &str, message: &[u8], key: PublicKey) -> Result<(), ForeignError> {
    let malformed = |why| ForeignError::Malformed { form: "ssh", why };
    let signature = SshSig::from_pem(text).map_err(|_| malformed("it is not in the form of `ssh-keygen`"))?;
    if signature.version() != SshSig::VERSION || !signature.reserved().is_empty() {
        return Err(malformed("its version is not 1, or something is reserved"));
    }
    // No second spelling: what was parsed says the same bytes again, but for the length of lines.
    let again = signature.to_pem(LineEnding::LF).map_err(|_| malformed("it cannot be written again"))?;
    let joined = |text: &str| text.split('\n').collect::<String>();
    if joined(&again) != joined(text) {
        return Err(malformed("it is not in its one form"));
    }
    if signature.namespace() != NAMESPACE {
        return Err(ForeignError::Namespace { found: signature.namespace().to_owned() });
    }
    let KeyData::Ed25519(point) = signature.public_key() else {
        return Err(malformed("its key is not ed25519"));
    };
    if base64_encode(&point.0) != key.to_base64() {
        return Err(ForeignError::OtherKey);
    }
    if signature.algorithm() != Algorithm::Ed25519 {
        return Err(malformed("its signature is not ed25519"));
    }
    let signed = SshSig::signed_data(NAMESPACE, signature.hash_alg(), message)
        .map_err(|_| malformed("its frame cannot be made"))?;
    key.verify(&signed, signature.signature_bytes())
        .map_err(|source| ForeignError::Signature { what: "signature over the message's digest", source })
}
