//! `orch:secrets`: words that stand for secrets.
//!
//! In -> out: WIT calls -> words of [`Placeholders`], which what sends the call's requests fills in.
//! Limits: 64 words a call; a user of 256 bytes; a message of 1 MiB.
//! Invariant: no function gives a guest a value, its length, or why its source gave none.
//! Not here: what becomes of words (`secrets/placeholders.rs`), where values come from (`host/src/secrets.rs`).

pub mod backend;
pub(crate) mod fake;
mod forms;
pub mod leaks;
pub mod mask;
pub mod placeholders;
pub mod value;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use orch_trust::interfaces::Import;
use orch_trust::permission::SecretsPermission;
use sha2::Sha256;
use wasmtime::component::Linker;
use zeroize::Zeroizing;

use super::environment::HostEnvironment;
use super::notes::Notes;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::secrets::secrets::{Encoding, Host, add_to_linker};
use crate::bindings::types::types::Error;
use placeholders::{NoWord, Placeholders};
use value::SecretValue;

pub use mask::TextMask;
pub use placeholders::{Destination, Mask};

const USER_BYTES_MAX: usize = 256;
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Code of what the operator hears of a secret that could not be had.
const SECRET_UNAVAILABLE: &str = "secret-unavailable";

/// State of this capability in one store.
pub struct Secrets {
    granted: Arc<SecretsPermission>,
    placeholders: Arc<Placeholders>,
}

impl Capability for Secrets {
    type Permission = SecretsPermission;
    type Granted = Arc<SecretsPermission>;

    fn grant(permission: SecretsPermission, _host: &HostEnvironment) -> Arc<SecretsPermission> {
        Arc::new(permission)
    }

    fn open(granted: &Arc<SecretsPermission>, opening: Opening<'_>) -> Self {
        Self { granted: granted.clone(), placeholders: opening.placeholders.clone() }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, _kept: &mut Kept) {}

    fn beyond(granted: Option<&SecretsPermission>, watched: &Watched<'_>) -> Vec<String> {
        let has =
            |name: &String| granted.is_some_and(|granted| granted.uses.iter().any(|one| one.name == *name));
        let beyond = watched.fakes.secrets.asked().into_iter().filter(|name| !has(name));
        beyond.map(|name| format!("secret `{name}` was read")).collect()
    }
}

impl View<'_, Secrets> {
    /// The value of a secret that is granted, if there is room for one more word.
    async fn value(&mut self, name: &str) -> Result<Arc<SecretValue>, Error> {
        self.ledger.forget_reason();
        if !self.state.granted.uses.iter().any(|one| one.name == name) {
            let shown: String = name.chars().take(64).collect();
            return Err(self.ledger.deny("secrets", format!("secret `{shown}`")));
        }
        self.state.placeholders.check_room().map_err(|error| self.no_word(error))?;
        let (reader, asked) = (self.state.placeholders.reader().clone(), name.to_owned());
        let read = tokio::task::spawn_blocking(move || reader.read(&asked)).await;
        match read {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(unread)) => Err(self.unavailable(unread.to_string())),
            Err(stopped) => Err(self.unavailable(format!("secret `{name}` could not be read: {stopped}"))),
        }
    }

    /// The operator hears why; the guest does not.
    fn unavailable(&mut self, why: String) -> Error {
        self.ledger.notes.take(Notes { warned: vec![(SECRET_UNAVAILABLE, why.clone())], ..Notes::default() });
        self.ledger.refuse(Error::Unavailable, why)
    }

    fn no_word(&mut self, error: NoWord) -> Error {
        match error {
            NoWord::Limit => Error::Limit("secrets.words".to_owned()),
            NoWord::NoRandom => self.unavailable("the machine gives no random numbers".to_owned()),
        }
    }

    /// The value of a secret that can stand in a header.
    async fn text(&mut self, name: &str) -> Result<Arc<SecretValue>, Error> {
        let value = self.value(name).await?;
        match value.fits_a_header() {
            true => Ok(value),
            false => Err(self
                .unavailable(format!("secret `{name}` is no text: it can be a key of `hmac-sha256` only"))),
        }
    }

    fn draw(
        &mut self,
        name: &str,
        value: Arc<SecretValue>,
        stands_for: Vec<u8>,
        masked: Vec<u8>,
    ) -> Result<String, Error> {
        let (stands_for, masked) = (Zeroizing::new(stands_for), Zeroizing::new(masked));
        let drawn = self.state.placeholders.draw(name, value, stands_for, masked);
        drawn.map_err(|error| self.no_word(error))
    }

    async fn placeholder(&mut self, name: &str) -> Result<String, Error> {
        let value = self.text(name).await?;
        let stands_for = value.bytes().to_vec();
        self.draw(name, value, stands_for, Vec::new())
    }

    async fn basic(&mut self, user: &str, name: &str) -> Result<String, Error> {
        if user.len() > USER_BYTES_MAX || user.contains(':') || user.chars().any(char::is_control) {
            let expected = format!("at most {USER_BYTES_MAX} bytes without `:` and control characters");
            return Err(Error::Invalid(format!("the user, expected {expected}")));
        }
        let value = self.text(name).await?;
        let both = Zeroizing::new([user.as_bytes(), b":", value.bytes()].concat());
        self.draw(name, value, STANDARD.encode(&*both).into_bytes(), Vec::new())
    }

    async fn hmac_sha256(&mut self, name: &str, message: &[u8], encoding: Encoding) -> Result<String, Error> {
        if message.len() > MESSAGE_BYTES_MAX {
            let found = message.len();
            return Err(Error::Invalid(format!("message of {found} bytes, limit is {MESSAGE_BYTES_MAX}")));
        }
        let value = self.value(name).await?;
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(value.bytes()) else {
            unreachable!("HMAC takes keys of every length")
        };
        mac.update(message);
        let mac = mac.finalize().into_bytes();
        let stands_for = match encoding {
            Encoding::Hex => hex::encode(mac),
            Encoding::Base64 => STANDARD.encode(mac),
        };
        self.draw(name, value, stands_for.into_bytes(), mac.to_vec())
    }
}

impl Host for View<'_, Secrets> {
    async fn placeholder(&mut self, name: String) -> wasmtime::Result<Result<String, Error>> {
        Ok(View::placeholder(self, &name).await)
    }

    async fn basic(&mut self, user: String, name: String) -> wasmtime::Result<Result<String, Error>> {
        Ok(View::basic(self, &user, &name).await)
    }

    async fn hmac_sha256(
        &mut self,
        name: String,
        message: Vec<u8>,
        encoding: Encoding,
    ) -> wasmtime::Result<Result<String, Error>> {
        Ok(View::hmac_sha256(self, &name, &message, encoding).await)
    }
}

#[cfg(test)]
mod tests;
