//! The value of a secret: bytes that nobody reads by mistake.
//!
//! In -> out: what a source gave -> [`SecretValue`].
//! Limits: 6 bytes to 64 KiB; fewer bytes would be masked wherever they happen to stand.
//! Invariant: it cannot be shown, compared or serialised, and is zeroed when it is dropped; no error says anything of it.
//! Not here: where it comes from (`secrets/source.rs`), who keeps it (`secrets.rs`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use serde::Deserialize;
use zeroize::Zeroizing;

pub const VALUE_BYTES_MIN: usize = 6;
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// What Standard Webhooks writes before the base64 of a key.
const WEBHOOK_PREFIX: &[u8] = b"whsec_";

/// How a source writes a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    /// As it is.
    #[default]
    Plain,
    /// Base64, as keys of webhooks are; `whsec_` may stand before it.
    Base64,
}

/// Why a text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error("is empty")]
    Empty,
    #[error("has fewer than {VALUE_BYTES_MIN} bytes, too few to be masked")]
    Short,
    #[error("has more than {VALUE_BYTES_MAX} bytes")]
    Long,
    #[error("has control characters besides one line end after it")]
    Control,
    #[error("is no UTF-8")]
    NotText,
    #[error("is no base64")]
    NotBase64,
}

/// A secret.
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// What a source gave: a final line end is none of it.
    ///
    /// # Errors
    /// All.
    pub fn parse(given: &[u8], encoding: SecretEncoding) -> Result<Self, ValueError> {
        let text = given.strip_suffix(b"\n").unwrap_or(given);
        let text = text.strip_suffix(b"\r").filter(|_| text.len() < given.len()).unwrap_or(text);
        if text.is_empty() {
            return Err(ValueError::Empty);
        }
        if text.len() > VALUE_BYTES_MAX {
            return Err(ValueError::Long);
        }
        let shown = std::str::from_utf8(text).map_err(|_| ValueError::NotText)?;
        if shown.chars().any(char::is_control) {
            return Err(ValueError::Control);
        }
        let value = match encoding {
            SecretEncoding::Plain => Zeroizing::new(text.to_vec()),
            SecretEncoding::Base64 => {
                let coded = text.strip_prefix(WEBHOOK_PREFIX).unwrap_or(text);
                // Room for all of it from the start: a buffer that grows leaves a copy behind.
                let mut value = Zeroizing::new(Vec::with_capacity(coded.len()));
                let decoded = STANDARD_PAD_INDIFFERENT.decode_vec(coded, &mut value);
                decoded.map_err(|_| ValueError::NotBase64)?;
                value
            }
        };
        match value.len() < VALUE_BYTES_MIN {
            true => Err(ValueError::Short),
            false => Ok(Self(value)),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// True if it can stand in a header: what was decoded may be any bytes.
    pub(crate) fn fits_a_header(&self) -> bool {
        !self.0.iter().any(u8::is_ascii_control)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &[u8], encoding: SecretEncoding, expected: Result<&[u8], ValueError>) {
        let found = SecretValue::parse(given, encoding);
        let found = found.as_ref().map(SecretValue::bytes).map_err(|error| *error);
        assert_eq!(found, expected, "{}", given.escape_ascii());
    }

    #[test]
    fn one_line_end_is_cut_and_no_other_control_character_is_taken() {
        let plain = |given: &[u8], expected| check(given, SecretEncoding::Plain, expected);
        plain(b"s3cret", Ok(b"s3cret"));
        plain(b"s3cret\n", Ok(b"s3cret"));
        plain(b"s3cret\r\n", Ok(b"s3cret"));
        plain(" s3cr\u{e9}t ".as_bytes(), Ok(" s3cr\u{e9}t ".as_bytes()));
        for bad in [
            &b"s3cret\n\n"[..],
            b"s3cret\r",
            b"\ns3cret",
            b"s3\ncret",
            b"s3\tcret",
            b"s3cret\0",
            b"s3cret\x7f",
            b"s3cret\r\n\r\n",
            "s3cr\u{85}et".as_bytes(),
        ] {
            plain(bad, Err(ValueError::Control));
        }
        plain(b"s3cr\xff\xff", Err(ValueError::NotText));
    }

    #[test]
    fn a_secret_has_a_size() {
        let plain = |given: &[u8], expected| check(given, SecretEncoding::Plain, expected);
        for empty in [&b""[..], b"\n", b"\r\n"] {
            plain(empty, Err(ValueError::Empty));
        }
        plain(b"12345", Err(ValueError::Short));
        plain(b"123456", Ok(b"123456"));
        let most = vec![b'x'; VALUE_BYTES_MAX];
        plain(&most, Ok(&most));
        plain(&[most.as_slice(), b"x"].concat(), Err(ValueError::Long));
    }

    #[test]
    fn keys_of_webhooks_are_decoded() {
        let coded = |given: &[u8], expected| check(given, SecretEncoding::Base64, expected);
        coded(b"AAECAwQFBgc=", Ok(&[0, 1, 2, 3, 4, 5, 6, 7]));
        coded(b"whsec_AAECAwQFBgc=\n", Ok(&[0, 1, 2, 3, 4, 5, 6, 7]));
        coded(b"AAECAwQFBgc", Ok(&[0, 1, 2, 3, 4, 5, 6, 7]));
        coded(b"AAECAwQ=", Err(ValueError::Short));
        for bad in [&b"whsec_whsec_AAECAwQFBgc="[..], b"AAEC AwQFBgc=", b"AAECAwQFBg_-", b"?"] {
            coded(bad, Err(ValueError::NotBase64));
        }
        let decoded = SecretValue::parse(b"AAECAwQFBgc=", SecretEncoding::Base64).ok().unwrap();
        assert!(!decoded.fits_a_header());
        assert!(SecretValue::parse(b"s3cret", SecretEncoding::Plain).ok().unwrap().fits_a_header());
    }
}
