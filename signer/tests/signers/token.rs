//! PKCS#11: a token of software in `tests/token/`, with good keys and odd ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use orch_signer::address::SignerAddress;
use orch_signer::key_file::Purpose;
use orch_signer::passphrase::Passphrases;
use orch_signer::signer::{self, SignerError};
use orch_trust::key::{SecretKey, Signer};

/// The library has one state for the whole process, as they may.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct Token {
    folder: tempfile::TempDir,
    module: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Token {
    fn new() -> Self {
        // Where the example lies: beside the folder of this test's program.
        let program = std::env::current_exe().unwrap();
        let built = program.parent().unwrap().parent().unwrap().join("examples/libtoken.so");
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("libtoken.so");
        fs::copy(&built, &module).unwrap();
        fs::set_permissions(&module, fs::Permissions::from_mode(0o755)).unwrap();
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Self { folder, module, _turn: turn }
    }

    fn pin(&self, pin: &str) -> Passphrases {
        let path = self.folder.path().join("pin");
        fs::write(&path, pin).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Passphrases::File(path)
    }

    fn open(&self, path: &str, passphrases: &Passphrases) -> Result<Box<dyn Signer>, SignerError> {
        let address: SignerAddress =
            format!("pkcs11:{path}?module-path={}", self.module.display()).parse().unwrap();
        signer::open(&address, Purpose::Publisher, passphrases)
    }

    #[track_caller]
    fn refuses(&self, path: &str, code: &str, says: &str) {
        let error = self.open(path, &self.pin("5678")).err().unwrap();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

fn cause(signer: &dyn Signer) -> String {
    std::error::Error::source(&signer.sign(b"message").unwrap_err()).unwrap().to_string()
}

#[test]
fn a_token_signs_with_the_key_of_that_label_or_id() {
    let token = Token::new();
    for path in
        ["token=orch;object=release", "token=orch;id=%01", "token=orch;object=release;id=%01;type=private"]
    {
        let signer = token.open(path, &token.pin("5678")).unwrap();
        assert_eq!(signer.public(), SecretKey::from_seed(&[7; 32]).public(), "{path}");
        let signature = signer.sign(b"message").unwrap();
        assert_eq!(signer.public().verify(b"message", &signature), Ok(()));
    }
    for (label, seed) in [("unnumbered", 5), ("bare", 9)] {
        let signer = token.open(&format!("token=orch;object={label}"), &token.pin("5678")).unwrap();
        assert_eq!(signer.public(), SecretKey::from_seed(&[seed; 32]).public(), "{label}");
    }
}

#[test]
fn exactly_one_token_and_one_key_have_the_name() {
    let token = Token::new();
    token.refuses("token=nobody;object=release", "token-not-found", "0 tokens are called `nobody`");
    token.refuses("token=twin;object=release", "token-not-found", "2 tokens are called `twin`");
    token.refuses("token=orch;object=nothing", "token-key", "0 private ed25519 keys");
    token.refuses("token=orch;object=double", "token-key", "2 private ed25519 keys");
    assert!(token.open("token=orch;object=double;id=%02", &token.pin("5678")).is_ok());
    token.refuses("token=orch;object=release;id=%02", "token-key", "0 private ed25519 keys");
    token.refuses("token=orch;object=lonely", "token-key", "0 public ed25519 keys");
    token.refuses("token=orch;object=small", "token-key-malformed", "no ed25519 key");
}

#[test]
fn a_pin_comes_like_a_passphrase_and_must_be_right() {
    let token = Token::new();
    let key = "token=orch;object=release";
    let code = |passphrases: &Passphrases| token.open(key, passphrases).err().map(|error| error.code());
    assert_eq!(code(&token.pin("5678\n")), None);
    assert_eq!(code(&token.pin("0000")), Some("token-pin-wrong"));
    let nobody = Passphrases::Descriptor(900_000);
    assert_eq!(code(&nobody), Some("passphrase-descriptor"));
    // One that wants no PIN asks for none.
    assert!(token.open("token=open;object=release", &nobody).is_ok());
    let Passphrases::File(path) = token.pin("5678") else { unreachable!() };
    let text =
        format!("pkcs11:{key}?module-path={}&pin-source=file:{}", token.module.display(), path.display());
    let address: SignerAddress = text.parse().unwrap();
    assert!(signer::open(&address, Purpose::Publisher, &nobody).is_ok());
}

#[test]
fn a_token_that_signs_wrongly_gets_nothing_used() {
    use orch_trust::dsse::{self, Predicate, Statement};
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Said(String);
    impl Predicate for Said {
        const TYPE: &'static str = "urn:test:said";
    }
    let token = Token::new();
    let short = token.open("token=orch;object=short", &token.pin("5678")).unwrap();
    assert!(cause(&*short).contains("gave 63 bytes, expected a signature of 64"), "{}", cause(&*short));
    let liar = token.open("token=orch;object=liar", &token.pin("5678")).unwrap();
    let error = dsse::sign(&Statement::new(Vec::new(), Said("yes".to_owned())), &[&*liar]).unwrap_err();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "signature does not match");
}

#[test]
fn only_a_library_that_nobody_else_can_change_is_loaded() {
    let token = Token::new();
    fs::set_permissions(&token.module, fs::Permissions::from_mode(0o777)).unwrap();
    token.refuses("token=orch;object=release", "signer-code-changeable", "is not loaded");
    fs::set_permissions(&token.module, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&token.module, "no library").unwrap();
    token.refuses("token=orch;object=release", "token-library", "is no PKCS#11 library that works");
    // A library, but of something else.
    let other: PathBuf = "/lib/x86_64-linux-gnu/libc.so.6".into();
    if other.exists() {
        let other = Token { module: other, ..token };
        other.refuses("token=orch;object=release", "token-library", "is no PKCS#11 library that works");
    }
}
