//! Our own form of a key file: `{"kind":"orch-secret-key","version":1,"purpose":"publisher","seed":"<base64>"}`.
//!
//! In -> out: bytes <-> seed and purpose.
//! Invariant: strict JSON; a file without a purpose, of before there were purposes, is good for any.

use orch_trust::key::{base64_decode, base64_encode};
use orch_trust::strict_json;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{Fault, Purpose, Seed};

const KIND: &str = "orch-secret-key";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    kind: String,
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purpose: Option<Purpose>,
    seed: String,
}

impl Drop for KeyText {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

pub(super) fn render(seed: &Seed, purpose: Purpose) -> Zeroizing<Vec<u8>> {
    let text = KeyText {
        kind: KIND.to_owned(),
        version: VERSION,
        purpose: Some(purpose),
        seed: base64_encode(&**seed),
    };
    let mut bytes = Zeroizing::new(serde_json::to_vec(&text).unwrap_or_default());
    bytes.push(b'\n');
    bytes
}

pub(super) fn parse(bytes: &[u8]) -> Result<(Seed, Option<Purpose>), Fault> {
    let malformed =
        || Fault::Malformed("an `orch-secret-key` of version 1, nor a key of PKCS#8, OpenSSH or minisign");
    let text: KeyText = strict_json::parse(bytes).map_err(|_| malformed())?;
    if text.kind != KIND || text.version != VERSION {
        return Err(malformed());
    }
    let seed = Zeroizing::new(base64_decode(&text.seed).map_err(|_| malformed())?);
    let seed: [u8; 32] = seed.as_slice().try_into().map_err(|_| malformed())?;
    Ok((Seed::new(seed), text.purpose))
}
