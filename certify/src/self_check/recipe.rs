//! A recipe: how one package that is known to be bad is made, and what must refuse it.
//!
//! In -> out: sound samples -> a package with one defect.
//! Not here: the list (`recipes.rs`), the sound parts (`sample.rs`).

use std::io;
use std::path::Path;

use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;

use super::sample::Samples;
use crate::check::Beside;

/// One known-bad package.
pub(super) struct Recipe {
    /// Id of the check that must refuse it.
    pub(super) check: &'static str,
    /// How one of its findings must begin.
    pub(super) code: &'static str,
    pub(super) make: fn(&Samples) -> Result<PackageBytes, RecipeError>,
    /// What is known beside it; may write into the empty folder.
    pub(super) beside: fn(&Samples, &Path) -> Result<Beside, RecipeError>,
}

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

impl Recipe {
    pub(super) fn make(&self, samples: &Samples) -> Result<PackageBytes, RecipeError> {
        (self.make)(samples)
    }

    pub(super) fn beside(&self, samples: &Samples, folder: &Path) -> Result<Beside, RecipeError> {
        (self.beside)(samples, folder)
    }
}

/// Nothing is known beside it.
pub(super) fn nothing(_: &Samples, _: &Path) -> Result<Beside, RecipeError> {
    Ok(Beside::default())
}
