//! Signatures that minisign and ssh-keygen made, and each way in which they do not hold.

use orch_signer::foreign::{self, ForeignError, Form, Vouched};
use orch_signer::public_key::{self, ForeignKey};
use orch_trust::key::{SecretKey, Signer};

const MESSAGE: &[u8] = include_bytes!("../data/message");
const LEGACY: &str = include_str!("../data/message.legacy.minisig");
const PREHASHED: &str = include_str!("../data/message.prehashed.minisig");
const SSH: &str = include_str!("../data/message.sshsig");

fn minisign_key() -> ForeignKey {
    public_key::parse(include_str!("../data/minisign.pub")).unwrap()
}

fn ssh_key() -> ForeignKey {
    public_key::parse(include_str!("../data/openssh.pub")).unwrap()
}

fn key_of(text: &str) -> ForeignKey {
    if text == SSH { ssh_key() } else { minisign_key() }
}

#[track_caller]
fn refused(text: &str, message: &[u8], key: &ForeignKey, code: &str) -> ForeignError {
    let error = foreign::verify(text, message, key).unwrap_err();
    assert_eq!(error.code(), code, "{error}: {text}");
    error
}

#[test]
fn what_the_tools_signed_holds_for_its_message_and_key_only() {
    let stranger = ForeignKey { key: SecretKey::from_seed(&[1; 32]).public(), number: None };
    for (text, form) in [(LEGACY, Form::Minisign), (PREHASHED, Form::MinisignPrehashed), (SSH, Form::Ssh)] {
        let vouched: Vouched = foreign::verify(text, MESSAGE, &key_of(text)).unwrap();
        assert_eq!((vouched.form(), vouched.key()), (form, key_of(text).key));
        let other = [MESSAGE, b" "].concat();
        refused(text, &other, &key_of(text), "foreign-signature");
        refused(text, &MESSAGE[1..], &key_of(text), "foreign-signature");
        let code = if form == Form::Ssh { "foreign-other-key" } else { "foreign-signature" };
        refused(text, MESSAGE, &stranger, code);
    }
    assert!(foreign::verify(include_str!("../data/message.sha256.sshsig"), MESSAGE, &ssh_key()).is_ok());
}

#[test]
fn only_a_signature_over_the_message_itself_becomes_ours() {
    let vouched = foreign::verify(LEGACY, MESSAGE, &minisign_key()).unwrap();
    let signer = vouched.signer().unwrap();
    let signature = signer.sign(MESSAGE).unwrap();
    assert_eq!(signer.public().verify(MESSAGE, &signature), Ok(()));
    let other = signer.sign(b"other").unwrap_err();
    assert_eq!(
        std::error::Error::source(&other).unwrap().to_string(),
        "imported signature is over another message"
    );
    for text in [PREHASHED, SSH] {
        assert!(foreign::verify(text, MESSAGE, &key_of(text)).unwrap().signer().is_none());
    }
}

#[test]
fn minisigns_own_library_agrees_on_every_changed_byte() {
    use minisign_verify::{PublicKey, Signature};
    let theirs = PublicKey::decode(include_str!("../data/minisign.pub")).unwrap();
    let mut refused = 0;
    for text in [LEGACY, PREHASHED] {
        let start = text.find('\n').unwrap() + 1;
        for place in start..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).unwrap();
            let ours = foreign::verify(&changed, MESSAGE, &minisign_key());
            let accepted = Signature::decode(&changed)
                .is_ok_and(|signature| theirs.verify(MESSAGE, &signature, true).is_ok());
            assert!(ours.is_err(), "byte {place} of {text}");
            assert!(!accepted, "byte {place} of {text}: minisign accepts what we refuse");
            refused += 1;
        }
        let signature = Signature::decode(text).unwrap();
        assert!(theirs.verify(MESSAGE, &signature, true).is_ok());
    }
    assert!(refused > 400, "{refused}");
}

#[test]
fn a_changed_byte_of_an_ssh_signature_is_refused() {
    for place in 0..SSH.len() - 1 {
        for other in [b'x', b'A', b'='] {
            let mut bytes = SSH.as_bytes().to_vec();
            if bytes[place] != other {
                bytes[place] = other;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(foreign::verify(&changed, MESSAGE, &ssh_key()).is_err(), "byte {place} as {other}");
            }
        }
    }
}

#[test]
fn signatures_of_another_kind_say_what_is_wrong() {
    refused("", MESSAGE, &ssh_key(), "foreign-form");
    refused("-----BEGIN PGP SIGNATURE-----", MESSAGE, &ssh_key(), "foreign-form");
    let git = refused(include_str!("../data/message.git.sshsig"), MESSAGE, &ssh_key(), "foreign-namespace");
    assert_eq!(git.to_string(), "ssh signature is for namespace `git`, expected `orch-plugin`");
    assert!(git.hint().unwrap().contains("-n orch-plugin"));
    refused(include_str!("../data/message.ecdsa.sshsig"), MESSAGE, &ssh_key(), "foreign-malformed");
    refused(SSH, MESSAGE, &minisign_key(), "foreign-other-key");
    // Another key number, though the key would verify.
    let other_number = ForeignKey { number: Some([0; 8]), ..minisign_key() };
    refused(LEGACY, MESSAGE, &other_number, "foreign-other-key");
    let unnumbered = ForeignKey { number: None, ..minisign_key() };
    assert!(foreign::verify(LEGACY, MESSAGE, &unnumbered).is_ok());
    // The signature of one file, the trusted comment of another.
    let mixed: Vec<&str> = LEGACY.lines().take(2).chain(PREHASHED.lines().skip(2)).collect();
    refused(&mixed.join("\n"), MESSAGE, &minisign_key(), "foreign-signature");
    let three: Vec<&str> = LEGACY.lines().take(3).collect();
    refused(&three.join("\n"), MESSAGE, &minisign_key(), "foreign-malformed");
    refused(&LEGACY.replace("RWQ", "RXQ"), MESSAGE, &minisign_key(), "foreign-malformed");
    refused(&format!("{LEGACY}\n"), MESSAGE, &minisign_key(), "foreign-malformed");
}
