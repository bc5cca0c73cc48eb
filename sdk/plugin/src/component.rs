//! From a core module to a component.
//!
//! In -> out: the module that cargo made, the list of what it is made of -> bytes of `component.wasm`.
//! Invariant: imports only what the plugin's code calls, and nothing of WASI that it did not ask for; validated.
//! Not here: making the module (`build.rs`), whether the imports are granted (`orch-trust`).

use wit_component::ComponentEncoder;

use crate::dependencies::Dependencies;
use crate::embedded;

/// Why a module does not become a component.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    #[error("the dependency list cannot be written")]
    List(#[from] serde_json::Error),
    #[error("the module is no plugin of one of the roles: {message}")]
    Encode {
        /// The encoder's own words, causes included.
        message: String,
    },
}

impl ComponentError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::List(_) => "component-list",
            Self::Encode { .. } => "component-encode",
        }
    }
}

/// The component of a core module.
///
/// # Errors
/// `Encode`: the module exports no role, or imports something that no interface describes.
pub fn encode(module: &[u8], dependencies: &Dependencies) -> Result<Vec<u8>, ComponentError> {
    let module = embedded::embed(module, dependencies)?;
    let encoded = ComponentEncoder::default().validate(true).module(&module).and_then(|mut it| it.encode());
    encoded.map_err(|error| ComponentError::Encode { message: format!("{error:#}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_imports_what_nothing_describes_is_refused() {
        // (module (import "env" "f" (func)))
        let module = *b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x09\x01\x03env\x01f\0\0";
        let refused = encode(&module, &crate::dependencies::tests::example());
        assert!(matches!(refused, Err(ComponentError::Encode { .. })), "{refused:?}");
    }
}
