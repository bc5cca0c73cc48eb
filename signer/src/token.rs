//! PKCS#11 tokens: smart cards, hardware security modules, SoftHSM.
//!
//! In -> out: the token's library, token and key -> [`TokenSigner`].
//! Limits: the token's own. The library runs inside this process: it is as trusted as the program.
//! Invariant: exactly one token and one ed25519 key have the names that were said; the key never leaves the token.
//! Not here: which file the library may be (`code_file.rs`). Specification: PKCS#11 3.0, `CKM_EDDSA`.

use std::path::PathBuf;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use orch_trust::key::{PublicKey, SignError, Signer};

use crate::address::TokenAddress;
use crate::code_file::{self, CodeFileError};
use crate::passphrase::{PassphraseError, Passphrases};

/// Why a token does not sign.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("PKCS#11 library is not loaded")]
    Code(#[from] CodeFileError),
    #[error("`{path}` is no PKCS#11 library that works")]
    Library {
        path: PathBuf,
        #[source]
        source: Error,
    },
    #[error("{found} tokens are called `{token}`, expected 1")]
    Token { token: String, found: usize },
    #[error("there is no PIN for token `{token}`")]
    Pin {
        token: String,
        #[source]
        source: PassphraseError,
    },
    #[error("token `{token}` does not take the PIN")]
    PinWrong {
        token: String,
        #[source]
        source: Error,
    },
    #[error("{found} {what} ed25519 keys of token `{token}` are {wanted}, expected 1")]
    Key { token: String, what: &'static str, wanted: String, found: usize },
    #[error("public key of token `{token}` is no ed25519 key")]
    KeyMalformed { token: String },
    #[error("token `{token}` failed")]
    Failed {
        token: String,
        #[source]
        source: Error,
    },
    #[error("token `{token}` gave {found} bytes, expected a signature of 64")]
    Signature { token: String, found: usize },
}

impl TokenError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Code(error) => error.code(),
            Self::Library { .. } => "token-library",
            Self::Token { .. } => "token-not-found",
            Self::Pin { source, .. } => source.code(),
            Self::PinWrong { .. } => "token-pin-wrong",
            Self::Key { .. } => "token-key",
            Self::KeyMalformed { .. } => "token-key-malformed",
            Self::Failed { .. } => "token-failed",
            Self::Signature { .. } => "token-signature",
        }
    }

    /// What helps, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Pin { source, .. } => source.hint(),
            Self::PinWrong { .. } => Some("a token locks itself after a few wrong PINs".to_owned()),
            _ => None,
        }
    }
}

/// One key of a token, in a session that stays open.
pub struct TokenSigner {
    token: String,
    session: Session,
    private: ObjectHandle,
    public: PublicKey,
}

impl TokenSigner {
    /// The token's key of that name; logs in if the token wants it.
    ///
    /// # Errors
    /// All but `Signature`.
    pub fn open(address: &TokenAddress, passphrases: &Passphrases) -> Result<Self, TokenError> {
        let path = code_file::check(&address.module)?;
        let library = |source| TokenError::Library { path: path.clone(), source };
        let failed = |source| TokenError::Failed { token: address.token.clone(), source };
        let context = Pkcs11::new(&path).map_err(library)?;
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(library)?;
        let slot = find_slot(&context, address)?;
        let session = context.open_ro_session(slot).map_err(failed)?;
        log_in(&context, slot, &session, address, passphrases)?;
        let (private, public) = find_pair(&session, address)?;
        Ok(Self { token: address.token.clone(), session, private, public })
    }

    fn request(&self, message: &[u8]) -> Result<[u8; 64], TokenError> {
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
        let failed = |source| TokenError::Failed { token: self.token.clone(), source };
        let bytes = self.session.sign(&mechanism, self.private, message).map_err(failed)?;
        let found = bytes.len();
        bytes.try_into().map_err(|_| TokenError::Signature { token: self.token.clone(), found })
    }
}

impl Signer for TokenSigner {
    fn public(&self) -> PublicKey {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.request(message).map_err(|error| SignError { key: self.public.id(), source: error.into() })
    }
}

fn find_slot(context: &Pkcs11, address: &TokenAddress) -> Result<Slot, TokenError> {
    let failed = |source| TokenError::Failed { token: address.token.clone(), source };
    let mut found = Vec::new();
    for slot in context.get_slots_with_initialized_token().map_err(failed)? {
        if context.get_token_info(slot).map_err(failed)?.label() == address.token {
            found.push(slot);
        }
    }
    match found.as_slice() {
        [slot] => Ok(*slot),
        _ => Err(TokenError::Token { token: address.token.clone(), found: found.len() }),
    }
}

fn log_in(
    context: &Pkcs11,
    slot: Slot,
    session: &Session,
    address: &TokenAddress,
    passphrases: &Passphrases,
) -> Result<(), TokenError> {
    let token = || address.token.clone();
    let failed = |source| TokenError::Failed { token: token(), source };
    let info = context.get_token_info(slot).map_err(failed)?;
    if !info.login_required() {
        return Ok(());
    }
    // A token with keys of its own asks for the PIN itself.
    let pin = match info.protected_authentication_path() {
        true => None,
        false => {
            let passphrases = match &address.pin_file {
                Some(path) => &Passphrases::File(path.clone()),
                None => passphrases,
            };
            let pin = passphrases.ask(&format!("token `{}`", address.token));
            let pin = pin.map_err(|source| TokenError::Pin { token: token(), source })?;
            Some(AuthPin::from(pin.as_str()))
        }
    };
    match session.login(UserType::User, pin.as_ref()) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(source) => Err(TokenError::PinWrong { token: token(), source }),
    }
}

/// The private key of that name, and the public key of the same id.
fn find_pair(session: &Session, address: &TokenAddress) -> Result<(ObjectHandle, PublicKey), TokenError> {
    let token = || address.token.clone();
    let failed = |source| TokenError::Failed { token: token(), source };
    let label = address.object.as_ref().map(|label| Attribute::Label(label.clone().into_bytes()));
    let id = address.id.clone().map(Attribute::Id);
    let wanted: Vec<Attribute> = label.into_iter().chain(id).collect();
    let find = |what, class, wanted: Vec<Attribute>| {
        let kind = [Attribute::Class(class), Attribute::KeyType(KeyType::EC_EDWARDS)];
        let found = session.find_objects(&[kind.to_vec(), wanted].concat()).map_err(failed)?;
        let named = || {
            let object = address.object.as_ref().map(|label| format!("called `{label}`"));
            let id = address.id.as_ref().map(|id| format!("of id {id:02x?}"));
            object.into_iter().chain(id).collect::<Vec<_>>().join(" and ")
        };
        match found.as_slice() {
            [one] => Ok(*one),
            _ => Err(TokenError::Key { token: token(), what, wanted: named(), found: found.len() }),
        }
    };
    let private = find("private", ObjectClass::PRIVATE_KEY, wanted.clone())?;
    let own_id = session.get_attributes(private, &[AttributeType::Id]).map_err(failed)?;
    let same_id: Vec<Attribute> =
        own_id.into_iter().filter(|id| matches!(id, Attribute::Id(bytes) if !bytes.is_empty())).collect();
    let same = if same_id.is_empty() { wanted } else { same_id };
    let public = find("public", ObjectClass::PUBLIC_KEY, same)?;
    let point = session.get_attributes(public, &[AttributeType::EcPoint]).map_err(failed)?;
    let key = point.iter().find_map(|attribute| match attribute {
        Attribute::EcPoint(bytes) => public_key(bytes),
        _ => None,
    });
    Ok((private, key.ok_or_else(|| TokenError::KeyMalformed { token: token() })?))
}

/// In an octet string, as PKCS#11 2.40 has it, or bare.
fn public_key(point: &[u8]) -> Option<PublicKey> {
    let bare = match point {
        [0x04, 0x20, inside @ ..] if inside.len() == 32 => inside,
        bare => bare,
    };
    PublicKey::from_bytes(bare).ok()
}
