//! Public keys as other tools write them.
//!
//! In -> out: text of a base64 key, of OpenSSH's `id_ed25519.pub`, or of minisign's `minisign.pub` -> the same
//! [`PublicKey`], so that one key has one id whoever wrote it down.
//! Invariant: nothing but an ed25519 key of the prime-order group comes out.
//! Not here: whom an operator trusts (`orch-trust`'s `authority.rs`).

use orch_trust::key::{PublicKey, base64_decode};
use ssh_key::public::KeyData;

/// A public key, and minisign's number for it if it was minisign's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    pub key: PublicKey,
    pub number: Option<[u8; 8]>,
}

/// A text that is no public key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("text is no ed25519 public key in base64, of OpenSSH or of minisign")]
pub struct PublicKeyError;

/// The key in the text, in whichever of the forms it is.
///
/// # Errors
/// It is in none.
pub fn parse(text: &str) -> Result<ForeignKey, PublicKeyError> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let key = if text.starts_with("ssh-") {
        parse_openssh(text)
    } else {
        let line = match text.split_once('\n') {
            Some((comment, line)) if comment.starts_with("untrusted comment: ") => line,
            Some(_) => return Err(PublicKeyError),
            None => text,
        };
        parse_bytes(&base64_decode(line).map_err(|_| PublicKeyError)?)
    };
    key.ok_or(PublicKeyError)
}

fn parse_openssh(text: &str) -> Option<ForeignKey> {
    let key = ssh_key::PublicKey::from_openssh(text).ok()?;
    let KeyData::Ed25519(point) = key.key_data() else { return None };
    Some(ForeignKey { key: PublicKey::from_bytes(&point.0).ok()?, number: None })
}

/// 32 bytes, or minisign's 42: `Ed`, number, key.
fn parse_bytes(bytes: &[u8]) -> Option<ForeignKey> {
    let (number, key) = match bytes {
        [b'E', b'd', rest @ ..] if rest.len() == 40 => {
            let (number, key) = rest.split_at(8);
            (Some(number.try_into().ok()?), key)
        }
        bare => (None, bare),
    };
    Some(ForeignKey { key: PublicKey::from_bytes(key).ok()?, number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_id_whoever_wrote_it_down() {
        let openssh = include_str!("../tests/data/openssh.pub");
        let key = parse(openssh).unwrap();
        assert_eq!(parse(&key.key.to_base64()).unwrap(), key);
        assert_eq!(parse(&format!("{}\n", key.key.to_base64())).unwrap(), key);
        let minisign = parse(include_str!("../tests/data/minisign.pub")).unwrap();
        assert!(minisign.number.is_some());
        let line = include_str!("../tests/data/minisign.pub").lines().nth(1).unwrap();
        assert_eq!(parse(line).unwrap(), minisign);
    }

    #[test]
    fn other_texts_are_no_keys() {
        let rsa = include_str!("../tests/data/openssh-ecdsa.pub");
        let key = parse(include_str!("../tests/data/openssh.pub")).unwrap().key.to_base64();
        let spaced = format!(" {key}");
        for wrong in ["", "x", rsa, &spaced, &key[1..], &format!("comment\n{key}"), "AAAA", &"A".repeat(43)] {
            assert_eq!(parse(wrong), Err(PublicKeyError), "{wrong}");
        }
        // The identity, which verifies anything.
        assert_eq!(parse(&format!("AQ{}=", "A".repeat(41))), Err(PublicKeyError));
    }
}
