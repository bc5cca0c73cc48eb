//! Signers on the command line: which one signs, and what is said when none does.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use orch_signer::key_file::{self, Purpose};
use orch_signer::passphrase::Passphrases;
use orch_trust::authority::{Certifier, Publisher};
use orch_trust::key::{SecretKey, base64_encode};
use orch_trust::manifest::Role;

use crate::guest::guest;
use crate::package::{Package, orch_certify};

fn private(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// What the program said, and how it ended.
fn says(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = orch_certify(folder, args);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&said).into_owned())
}

#[track_caller]
fn succeeds(folder: &Path, args: &[&str]) -> String {
    let (exit, said) = says(folder, args);
    assert_eq!(exit, 0, "{args:?}: {said}");
    said
}

#[track_caller]
fn fails(folder: &Path, args: &[&str], code: &str) {
    let (exit, said) = says(folder, args);
    assert_eq!(exit, 2, "{args:?}: {said}");
    assert!(said.contains(&format!("code: {code}")), "{args:?}: {said}");
}

#[test]
fn an_encrypted_key_and_a_program_sign_certificates() {
    let package = Package::new(Role::Executor, &guest(Role::Executor, "", &[]), |_| {});
    let home = package.home.path();
    private(home, "pass", "open sesame\n");
    private(home, "wrong", "open sesam\n");
    let made = ["keygen", "--out", "cert.pem", "--certifier", "local", "--encrypt"];
    succeeds(home, &[&made[..], &["--passphrase-file", "pass"]].concat());
    let public = Certifier::parse(&std::fs::read_to_string(home.join("cert.toml")).unwrap()).unwrap().key;
    let run = ["run", "package", "--out", "statement.json", "--signer", "file:cert.pem", "--passphrase-file"];
    fails(home, &[&run[..], &["wrong"]].concat(), "passphrase-wrong");
    assert!(!package.folder().join("certificates").exists());
    let said = succeeds(home, &[&run[..], &["pass"]].concat());
    assert!(said.contains("certified (local) until"), "{said}");
    let named = |key: &orch_trust::key::PublicKey| {
        package.folder().join(format!("certificates/{}.dsse.json", key.id().short()))
    };
    assert!(named(&public).exists());

    // A program with a key of its own: it only knows the public one here.
    let sign = ["sign", "statement.json", "package"];
    fails(home, &sign, "signer-missing");
    fails(home, &[&sign[..], &["--signer", "https://kms"]].concat(), "signer-scheme");
    fails(home, &[&sign[..], &["--signer", "agent:me"]].concat(), "signer-address");
    let key = SecretKey::from_seed(&[7; 32]).public();
    let program = home.join("program");
    std::fs::write(&program, "#!/bin/sh\nprintf 'no key today\\n' >&2; exit 1\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let signer = format!("exec:{}?key={}", program.display(), key.to_base64());
    let (exit, said) = says(home, &[&sign[..], &["--signer", &signer]].concat());
    assert!(exit == 5 && said.contains("no key today") && said.contains("not-signed"), "{exit}: {said}");
    assert!(!named(&key).exists());
    let said = succeeds(home, &["keygen", "--out", "kms.key", "--publisher", "acme", "--signer", &signer]);
    assert!(!said.contains("secret") && !home.join("kms.key").exists(), "{said}");
    let text = std::fs::read_to_string(home.join("kms.toml")).unwrap();
    assert_eq!(Publisher::parse(&text).unwrap().key, key);
}

#[test]
fn keygen_imports_a_key_and_gives_it_a_purpose() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let seed = base64_encode(&[7; 32]);
    private(home, "old.json", &format!(r#"{{"kind":"orch-secret-key","version":1,"seed":"{seed}"}}"#));
    succeeds(home, &["keygen", "--out", "new.key", "--certifier", "local", "--import", "old.json"]);
    let read = |purpose| key_file::open(&home.join("new.key"), purpose, &Passphrases::Descriptor(900_000));
    assert_eq!(read(Purpose::Certifier).unwrap().public(), SecretKey::from_seed(&[7; 32]).public());
    assert_eq!(read(Purpose::Publisher).unwrap_err().code(), "key-file-other-purpose");
    let encrypted =
        ["keygen", "--out", "short.pem", "--certifier", "local", "--encrypt", "--passphrase-file"];
    private(home, "pass", "short\n");
    fails(home, &[&encrypted[..], &["pass"]].concat(), "passphrase-short");
    let public = ["keygen", "--out", "none.key", "--certifier", "local", "--encrypt"];
    let (exit, _) = says(home, &[&public[..], &["--key", "old.json"]].concat());
    assert_eq!(exit, 2, "a key that is there is not encrypted");
    let left: Vec<_> = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "old.json, new.key, new.toml, pass: {left:?}");
}
