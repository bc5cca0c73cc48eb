//! Files of secret keys.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use orch_signer::key_file::{self, Purpose};
use orch_signer::passphrase::Passphrases;
use orch_trust::key::{SecretKey, base64_decode, base64_encode};

/// A key that is taken is the one that its file names, for a purpose that its file allows.
pub(crate) fn key_file(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    file.write_all(bytes).unwrap();
    drop(file);
    // There is no such file: what is encrypted stays so.
    let passphrases = Passphrases::File(folder.path().join("none"));
    let open = |purpose| key_file::open(&path, purpose, &passphrases);
    let (publisher, certifier) = (open(Purpose::Publisher), open(Purpose::Certifier));
    let Some(key) = publisher.as_ref().ok().or(certifier.as_ref().ok()) else { return false };
    // PKCS#8, OpenSSH's and minisign's files are taken too.
    let Ok(text) = serde_json::from_slice::<serde_json::Value>(bytes) else { return true };
    let seed: [u8; 32] = base64_decode(text["seed"].as_str().unwrap()).unwrap().try_into().unwrap();
    assert_eq!(SecretKey::from_seed(&seed).public(), key.public());
    let purpose = text.get("purpose").and_then(|purpose| purpose.as_str());
    assert_eq!(publisher.is_ok(), purpose.is_none_or(|purpose| purpose == "publisher"));
    assert_eq!(certifier.is_ok(), purpose.is_none_or(|purpose| purpose == "certifier"));
    true
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let text = |purpose: &str| {
        let seed = base64_encode(&[7; 32]);
        format!("{{\"kind\":\"orch-secret-key\",\"version\":1,{purpose}\"seed\":\"{seed}\"}}\n").into_bytes()
    };
    vec![("valid-publisher", text(r#""purpose":"publisher","#)), ("valid-old", text(""))]
}
