//! Spoils a signature or its key id in an envelope that is right in everything else.
//!
//! In -> out: canonical envelope, how it shall be wrong -> the same text with another signature or key id.
//! Invariant: only that changes; the envelope stays in canonical form.

use orch_trust::key::{KeyId, base64_decode, base64_encode};

use super::{OtherKeyId, Signed, Spoil};

/// The order of the group, least byte first.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The envelope as `how` wants it. `certifier`: the id of a key that did not sign.
pub(super) fn envelope(envelope: Vec<u8>, how: &Signed, certifier: KeyId) -> Vec<u8> {
    let mut text = String::from_utf8(envelope).unwrap();
    if let Some(spoil) = how.signature {
        let good = field(&text, "sig").to_owned();
        text = text.replacen(&good, &spoiled(&good, spoil), 1);
    }
    if let Some(other) = how.key_id {
        let good = field(&text, "keyid").to_owned();
        let with = match other {
            OtherKeyId::UpperCase => good.to_uppercase(),
            OtherKeyId::Prefix => good[..16].to_owned(),
            OtherKeyId::OfTheCertifier => certifier.to_string(),
        };
        assert_ne!(good, with);
        text = text.replacen(&good, &with, 1);
    }
    text.into_bytes()
}

/// The text of the first field of that name.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\"{name}\":\"")).unwrap();
    rest.split('"').next().unwrap()
}

fn spoiled(good: &str, spoil: Spoil) -> String {
    let mut bytes = base64_decode(good).unwrap();
    match spoil {
        Spoil::UnreducedS => {
            let mut carry = 0;
            for (byte, more) in bytes[32..].iter_mut().zip(ORDER) {
                let sum = u16::from(*byte) + u16::from(more) + carry;
                (*byte, carry) = (sum as u8, sum >> 8);
            }
            assert_eq!(carry, 0);
        }
        Spoil::SmallOrderR => {
            bytes[..32].fill(0);
            bytes[0] = 1;
        }
        Spoil::UnreducedR => {
            bytes[..32].fill(0xff);
            (bytes[0], bytes[31]) = (0xee, 0x7f);
        }
        Spoil::Short => drop(bytes.pop()),
        Spoil::Long => bytes.push(0),
        Spoil::UrlBase64 => return good.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned(),
        Spoil::Space => return format!(" {good}"),
        // 64 bytes leave four bits of the last digit; `Q`, `g` and `w` are those with nothing in them.
        Spoil::StrayBits => {
            let (digits, padding) = good.split_at(good.len() - 2);
            let (rest, last) = digits.split_at(digits.len() - 1);
            let next = char::from(last.as_bytes()[0] + 1);
            return format!("{rest}{next}{padding}");
        }
    }
    base64_encode(&bytes)
}
