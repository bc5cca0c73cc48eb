//! Whether a plugin that was admitted may still be called.
//!
//! In -> out: whoever watches trust withdraws it, with a reason; every call asks before it begins.
//! Invariant: what was withdrawn stays withdrawn; a call that runs already goes on to its own end.
//! Not here: what withdraws a plugin (`recheck.rs`), what a run does then (`drive.rs`).

use std::sync::OnceLock;

/// Shared by all that was made from one compiled plugin.
#[derive(Debug, Default)]
pub struct Withdrawal(OnceLock<Withdrawn>);

/// Why a plugin is not called any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Of the refusal that it would meet now.
    pub code: String,
    pub text: String,
}

impl Withdrawal {
    /// No call begins from now on. A reason that was given before stays.
    pub fn withdraw(&self, why: Withdrawn) {
        self.0.get_or_init(|| why);
    }

    /// Why no call may begin; none: calls may.
    pub fn withdrawn(&self) -> Option<&Withdrawn> {
        self.0.get()
    }
}
