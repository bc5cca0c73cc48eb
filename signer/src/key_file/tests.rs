//! Key files: every form that is written and read, made here and by the tools themselves.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A private file with that text.
    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let _ = fs::remove_file(&path);
        secret_file::write_new(WHAT, &path, text.as_bytes()).unwrap();
        path
    }

    fn passphrase(&self, text: &str) -> Passphrases {
        Passphrases::File(self.put("passphrase", text))
    }
}

/// None is ever asked for: a descriptor that is not there would fail.
const NONE: Passphrases = Passphrases::Descriptor(900_000);

fn read(path: &Path, purpose: Purpose) -> Result<SecretKey, KeyFileError> {
    open(path, purpose, &NONE)
}

fn code(path: &Path) -> Option<&'static str> {
    read(path, Purpose::Publisher).err().map(|error| error.code())
}

/// The key of a tool's file, and the public key that the same tool wrote beside it.
#[track_caller]
fn opens(secret: &str, public: &str, passphrase: &str) {
    let folder = Folder::new();
    let path = folder.put("key", secret);
    let passphrases = if passphrase.is_empty() { NONE } else { folder.passphrase(passphrase) };
    let key = open(&path, Purpose::Publisher, &passphrases).unwrap();
    assert_eq!(key.public(), crate::public_key::parse(public).unwrap().key);
    if !passphrase.is_empty() {
        let error = open(&path, Purpose::Publisher, &folder.passphrase("another one")).unwrap_err();
        assert_eq!(error.code(), "passphrase-wrong");
        assert_eq!(code(&path), Some("passphrase-descriptor"), "it was asked for");
    }
}

#[test]
fn two_keys_differ_and_a_key_is_read_back() {
    let folder = Folder::new();
    let (one, two) = (folder.path("a.key"), folder.path("b.key"));
    let made = write(&one, Purpose::Publisher, Form::Seed).unwrap();
    assert_eq!(read(&one, Purpose::Publisher).unwrap().public(), made.public());
    assert_eq!(write(&one, Purpose::Publisher, Form::Seed).unwrap_err().code(), "key-file-exists");
    assert_eq!(read(&one, Purpose::Publisher).unwrap().public(), made.public());
    assert_ne!(write(&two, Purpose::Publisher, Form::Seed).unwrap().public(), made.public());
}

#[test]
fn other_contents_are_no_keys() {
    let folder = Folder::new();
    let path = folder.path("a.key");
    write(&path, Purpose::Publisher, Form::Seed).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let twice = good.replacen("\"version\":1", "\"version\":1,\"version\":1", 1);
    for wrong in ["", "{}", &good.replace("orch-secret-key", "x"), &good.replace(":1", ":2"), &twice] {
        fs::write(&path, wrong).unwrap();
        assert_eq!(code(&path), Some("key-file-malformed"), "{wrong}");
    }
    // serde alone would take the fields in a row.
    let seed = good.rsplit('"').nth(1).unwrap();
    let row = format!(r#"["orch-secret-key",1,"publisher","{seed}"]"#);
    for wrong in [&b"\xff\xfe"[..], row.as_bytes()] {
        fs::write(&path, wrong).unwrap();
        assert_eq!(code(&path), Some("key-file-malformed"));
    }
}

#[test]
fn a_key_is_used_for_what_it_was_made_for() {
    let folder = Folder::new();
    let path = folder.path("a.key");
    write(&path, Purpose::Certifier, Form::Seed).unwrap();
    assert!(read(&path, Purpose::Certifier).is_ok());
    let error = read(&path, Purpose::Publisher).unwrap_err();
    assert_eq!(error.code(), "key-file-other-purpose");
    assert!(error.to_string().ends_with("is a certifier's, expected a publisher's"), "{error}");
    // Older files do not say it.
    let text = fs::read_to_string(&path).unwrap().replace("\"purpose\":\"certifier\",", "");
    assert!(!text.contains("purpose"));
    fs::write(&path, &text).unwrap();
    assert!(read(&path, Purpose::Certifier).is_ok() && read(&path, Purpose::Publisher).is_ok());
    fs::write(&path, text.replace("\"seed\"", "\"purpose\":\"any\",\"seed\"")).unwrap();
    assert_eq!(code(&path), Some("key-file-malformed"));
}

#[test]
fn an_encrypted_key_opens_with_its_passphrase_only_and_keeps_its_purpose() {
    let folder = Folder::new();
    let path = folder.path("a.pem");
    let made = write(&path, Purpose::Certifier, Form::Encrypted("open sesame")).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("Purpose: certifier\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{text}");
    let opened = |purpose, passphrase: &str| open(&path, purpose, &folder.passphrase(passphrase));
    assert_eq!(opened(Purpose::Certifier, "open sesame\n").unwrap().public(), made.public());
    assert_eq!(opened(Purpose::Certifier, "open sesam").unwrap_err().code(), "passphrase-wrong");
    assert_eq!(opened(Purpose::Publisher, "open sesame").unwrap_err().code(), "key-file-other-purpose");
    fs::write(&path, text.replace("certifier", "anybody")).unwrap();
    assert_eq!(opened(Purpose::Certifier, "open sesame").unwrap_err().code(), "key-file-malformed");
    // Two files of one passphrase have nothing in common.
    let other = folder.path("b.pem");
    write(&other, Purpose::Certifier, Form::Encrypted("open sesame")).unwrap();
    let lines = |text: &str| text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
    let other = fs::read_to_string(other).unwrap();
    assert!(lines(&text).iter().skip(1).all(|line| line.starts_with("---") || !other.contains(line)));
}

#[test]
fn keys_that_openssl_wrote_are_opened() {
    let public = include_str!("../../tests/data/pkcs8.pub");
    opens(include_str!("../../tests/data/pkcs8.pem"), public, "");
    opens(include_str!("../../tests/data/pkcs8-pbkdf2.pem"), public, "open sesame");
    opens(include_str!("../../tests/data/pkcs8-scrypt.pem"), public, "open sesame");
}

#[test]
fn keys_that_ssh_keygen_wrote_are_opened() {
    opens(include_str!("../../tests/data/openssh"), include_str!("../../tests/data/openssh.pub"), "");
    let encrypted = include_str!("../../tests/data/openssh-encrypted");
    opens(encrypted, include_str!("../../tests/data/openssh-encrypted.pub"), "open sesame");
}

#[test]
fn keys_that_minisign_wrote_are_opened() {
    opens(include_str!("../../tests/data/minisign.key"), include_str!("../../tests/data/minisign.pub"), "");
    let encrypted = include_str!("../../tests/data/minisign-encrypted.key");
    opens(encrypted, include_str!("../../tests/data/minisign-encrypted.pub"), "open sesame");
}

#[test]
fn keys_of_other_kinds_are_no_keys_here() {
    let folder = Folder::new();
    let found = |text: &str| read(&folder.put("key", text), Purpose::Publisher).unwrap_err();
    let ecdsa = found(include_str!("../../tests/data/openssh-ecdsa"));
    assert_eq!(ecdsa.code(), "key-file-malformed");
    assert!(ecdsa.to_string().ends_with("is not an ed25519 private key of OpenSSH"), "{ecdsa}");
    let p256 = found(include_str!("../../tests/data/pkcs8-p256.pem"));
    assert_eq!(p256.code(), "key-file-other-algorithm");
    assert!(p256.to_string().contains("1.2.840.10045.2.1"), "{p256}");
}

#[test]
fn a_changed_byte_in_a_tools_file_is_found() {
    let folder = Folder::new();
    let files = [
        include_str!("../../tests/data/minisign.key"),
        include_str!("../../tests/data/openssh"),
        include_str!("../../tests/data/pkcs8.pem"),
    ];
    for text in files {
        let good = read(&folder.put("key", text), Purpose::Publisher).unwrap().public();
        let start = text.find('\n').unwrap() + 1;
        for place in start..text.len() - 1 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'B' { b'C' } else { b'B' };
            let path = folder.put("key", std::str::from_utf8(&bytes).unwrap());
            // A changed seed of PKCS#8 is another key; with a public key beside it, it is none.
            let other = read(&path, Purpose::Publisher);
            let is_seed = text.contains("BEGIN PRIVATE KEY");
            assert!(other.is_err() || is_seed || other.unwrap().public() == good, "{place} of {text}");
        }
    }
}

#[test]
fn a_file_that_asks_for_too_much_work_is_refused_before_it_is_done() {
    let folder = Folder::new();
    let started = |text: &str| open(&folder.put("key", text), Purpose::Publisher, &NONE).unwrap_err().code();
    // The passphrase would be asked for next, and there is none.
    assert_eq!(started(include_str!("../../tests/data/pkcs8-scrypt.pem")), "passphrase-descriptor");
    assert_eq!(started(include_str!("../../tests/data/pkcs8-costly.pem")), "key-file-costly");
    assert_eq!(started(include_str!("../../tests/data/openssh-costly")), "key-file-costly");
    let minisign = include_str!("../../tests/data/minisign-encrypted.key");
    let (comment, line) = minisign.trim_end().split_once('\n').unwrap();
    let mut bytes = orch_trust::key::base64_decode(line).unwrap();
    bytes[38..54].fill(0x7f);
    let costly = format!("{comment}\n{}\n", orch_trust::key::base64_encode(&bytes));
    assert_eq!(started(&costly), "key-file-costly");
}

#[test]
fn a_tools_key_is_imported_and_gets_a_purpose() {
    let folder = Folder::new();
    let from = folder.put("minisign.key", include_str!("../../tests/data/minisign.key"));
    let public = crate::public_key::parse(include_str!("../../tests/data/minisign.pub")).unwrap().key;
    let to = folder.path("a.key");
    import(&from, &to, Purpose::Certifier, Form::Seed, &NONE).unwrap();
    assert_eq!(read(&to, Purpose::Certifier).unwrap().public(), public);
    assert_eq!(code(&to), Some("key-file-other-purpose"));
    let again = import(&to, &folder.path("b.key"), Purpose::Publisher, Form::Seed, &NONE).unwrap_err();
    assert_eq!(again.code(), "key-file-other-purpose");
}
