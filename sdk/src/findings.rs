//! Findings besides those that a verifier returns.
//!
//! Permission: `findings`. At most 1000 a call, kept only with its accepted result.

use crate::host::findings;
use crate::{Category, Error, Finding, Severity};

/// # Errors
/// `Limit`: this call reported 1000 already.
pub fn report(finding: &Finding) -> Result<(), Error> {
    Ok(findings::report(finding)?)
}

impl Finding {
    /// A finding without a place. `message`: at most 4096 bytes; longer is cut.
    pub fn new(severity: Severity, category: Category, message: impl Into<String>) -> Self {
        Self { severity, category, message: message.into(), location: None }
    }

    /// The same at a place: `file:line` inside the workspace, at most 1024 bytes.
    #[must_use]
    pub fn at(self, location: impl Into<String>) -> Self {
        Self { location: Some(location.into()), ..self }
    }
}
