//! Signatures and public keys that other tools wrote.

use orch_signer::foreign::{self, Form};
use orch_signer::public_key::{self, ForeignKey};
use orch_trust::key::{KeyId, PublicKey, Signer};

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../../signer/tests/data/", $name))
    };
}

/// Everything that those keys ever signed for us.
const SIGNED: [(&str, &str); 4] = [
    ("valid-minisign", data!("message.legacy.minisig")),
    ("valid-minisign-prehashed", data!("message.prehashed.minisig")),
    ("valid-ssh", data!("message.sshsig")),
    ("valid-ssh-sha256", data!("message.sha256.sshsig")),
];
const MESSAGE: &[u8] = data!("message").as_bytes();

/// What verifies is what the keys signed and nothing else: no second spelling, no other message, no other key.
pub(crate) fn signature(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let keys = [data!("minisign.pub"), data!("openssh.pub")].map(|text| public_key::parse(text).unwrap());
    let mut taken = false;
    for (place, key) in keys.iter().enumerate() {
        let Ok(vouched) = foreign::verify(text, MESSAGE, key) else { continue };
        assert!(SIGNED.iter().any(|(_, signed)| essence(signed) == essence(text)), "a second spelling");
        assert_eq!((vouched.key(), vouched.form() == Form::Ssh), (key.key, place == 1));
        assert!(foreign::verify(text, b"another message", key).is_err());
        assert!(foreign::verify(text, MESSAGE, &keys[1 - place]).is_err());
        match vouched.signer() {
            Some(signer) => {
                let signature = signer.sign(MESSAGE).expect("its one message");
                key.key.verify(MESSAGE, &signature).expect("it is over the message itself");
                assert!(signer.sign(b"another message").is_err());
            }
            None => assert_ne!(vouched.form(), Form::Minisign),
        }
        taken = true;
    }
    taken
}

/// What of a signature file says something: not the comment that says of itself that nobody vouches for it, and not
/// how long the lines of ssh are.
fn essence(text: &str) -> String {
    match text.strip_prefix("untrusted comment: ").and_then(|rest| rest.split_once('\n')) {
        Some((_, rest)) => rest.strip_suffix('\n').unwrap_or(rest).to_owned(),
        None => text.split('\n').collect(),
    }
}

/// A key that is taken has one id, whichever tool wrote it; in base64 it has one text.
pub(crate) fn public_key(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(ForeignKey { key, number }) = public_key::parse(text) else { return false };
    let again = public_key::parse(&key.to_base64()).expect("our own text is read");
    assert_eq!(again, ForeignKey { key, number: None });
    assert_eq!(KeyId::parse(&key.id().to_string()), Some(key.id()));
    assert!(key.verify(b"message", &[0; 64]).is_err());
    let line = text.strip_suffix('\n').unwrap_or(text);
    if number.is_none() && !text.starts_with("ssh-") {
        assert!(line == key.to_base64() || line.ends_with(&format!("\n{}", key.to_base64())));
        assert_eq!(PublicKey::from_base64(line).is_ok(), !line.contains('\n'));
    }
    true
}

pub(crate) fn valid_signature() -> Vec<(&'static str, Vec<u8>)> {
    SIGNED.map(|(name, text)| (name, text.as_bytes().to_vec())).into()
}

pub(crate) fn valid_public_key() -> Vec<(&'static str, Vec<u8>)> {
    let texts = [
        ("valid-base64", data!("pkcs8.pub")),
        ("valid-minisign", data!("minisign.pub")),
        ("valid-ssh", data!("openssh.pub")),
    ];
    texts.map(|(name, text)| (name, text.as_bytes().to_vec())).into()
}
