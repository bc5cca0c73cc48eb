//! Files of secret keys.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use orch_signer::key_file::{self, Purpose};
use orch_signer::passphrase::Passphrases;
use orch_trust::key::{SecretKey, base64_decode, base64_encode};

/// A key that is taken is the one that its file names, for one purpose or, where its file says none, for all. Files
/// that are encrypted are taken as far as their passphrase, which comes after the bounds on what they cost.
pub(crate) fn key_file(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    file.write_all(bytes).unwrap();
    drop(file);
    // There is no such file: what is encrypted stays so.
    let passphrases = Passphrases::File(folder.path().join("none"));
    let opened = Purpose::ALL.map(|purpose| key_file::open(&path, purpose, &passphrases));
    let codes: Vec<&str> = opened.iter().filter_map(|one| one.as_ref().err()).map(|e| e.code()).collect();
    let keys: Vec<&SecretKey> = opened.iter().filter_map(|one| one.as_ref().ok()).collect();
    let Some(key) = keys.first() else {
        assert!(codes.iter().all(|code| *code == codes[0]), "no key, so no purpose either: {codes:?}");
        return codes[0] == "passphrase-file";
    };
    assert!(keys.iter().all(|other| other.public() == key.public()));
    assert!([1, Purpose::ALL.len()].contains(&keys.len()), "{codes:?}");
    assert!(codes.iter().all(|code| *code == "key-file-other-purpose"), "{codes:?}");
    // PKCS#8, OpenSSH's and minisign's files are taken too.
    let Ok(text) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        let says = bytes.starts_with(b"Purpose: ");
        assert_eq!(keys.len() == 1, says);
        return true;
    };
    let seed: [u8; 32] = base64_decode(text["seed"].as_str().unwrap()).unwrap().try_into().unwrap();
    assert_eq!(SecretKey::from_seed(&seed).public(), key.public());
    let purpose: Option<Purpose> =
        text.get("purpose").and_then(|purpose| serde_json::from_value(purpose.clone()).unwrap());
    for (expected, opened) in Purpose::ALL.into_iter().zip(&opened) {
        assert_eq!(opened.is_ok(), purpose.is_none_or(|purpose| purpose == expected));
    }
    true
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let text = |purpose: &str| {
        let seed = base64_encode(&[7; 32]);
        format!("{{\"kind\":\"orch-secret-key\",\"version\":1,{purpose}\"seed\":\"{seed}\"}}\n").into_bytes()
    };
    let mut valid = vec![("valid-publisher", text(r#""purpose":"publisher","#)), ("valid-old", text(""))];
    let of_tools = [
        ("valid-pkcs8", include_str!("../../signer/tests/data/pkcs8.pem")),
        ("valid-pkcs8-pbkdf2", include_str!("../../signer/tests/data/pkcs8-pbkdf2.pem")),
        ("valid-pkcs8-scrypt", include_str!("../../signer/tests/data/pkcs8-scrypt.pem")),
        ("valid-openssh", include_str!("../../signer/tests/data/openssh")),
        ("valid-openssh-encrypted", include_str!("../../signer/tests/data/openssh-encrypted")),
        ("valid-minisign", include_str!("../../signer/tests/data/minisign.key")),
        ("valid-minisign-encrypted", include_str!("../../signer/tests/data/minisign-encrypted.key")),
    ];
    valid.extend(of_tools.map(|(name, text)| (name, text.as_bytes().to_vec())));
    let with_purpose = format!("Purpose: CI issuer\n{}", include_str!("../../signer/tests/data/pkcs8.pem"));
    valid.push(("valid-pkcs8-purpose", with_purpose.into_bytes()));
    valid
}
