//! A recipe: how one package that is known to be bad is made, and what must refuse it.
//!
//! In -> out: sound samples -> a package with one defect.
//! Not here: the list (`recipes.rs`), the sound parts (`sample.rs`).

use std::path::Path;

use orch_trust::package::PackageBytes;

use super::error::RecipeError;
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
