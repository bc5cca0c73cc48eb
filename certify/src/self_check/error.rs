//! Why a package that is known to be bad could not be made: always a fault of this tool.

use std::io;

use orch_trust::refusal::Refusal;

/// Why a package could not be made. A fault of this tool.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    #[error("text of the module is malformed")]
    Text(#[source] wat::Error),
    #[error("component cannot be encoded: {message}")]
    Encode { message: String },
    #[error("sample has no `{what}` to change")]
    Missing { what: &'static str },
    #[error("what is beside it cannot be written")]
    Write(#[source] io::Error),
    #[error("what is made up for it does not hold together: {message}")]
    Made { message: String },
    #[error("package does not hold together")]
    Package(#[source] Refusal),
}
