//! Guard: judges a change before it is made.
//!
//! In -> out: [`ProposedChange`] -> [`Judgement`].
//! Invariant: repeatable; not being able to judge is a [`Failure`], never [`Judgement::Allow`].

use std::marker::PhantomData;

use crate::Failure;
use crate::bindings::capabilities::orch::types::types as wire;
use crate::bindings::guard::exports::orch::guard::guard::Guest;
pub use crate::bindings::guard::exports::orch::guard::guard::{
    ChangedFile, Difference, Edits, Escalation, FileStatus, Judgement, Merge, ProposedChange, Risk,
};

/// A plugin that judges what others are about to do.
pub trait Guard {
    fn judge(change: ProposedChange) -> Result<Judgement, Failure>;
}

impl Judgement {
    /// A person decides, who reads this.
    pub fn escalate(risk: Risk, reason: impl Into<String>) -> Self {
        Self::Escalate(Escalation { risk, reason: reason.into() })
    }

    /// It is not made; people read why.
    pub fn refuse(reason: impl Into<String>) -> Self {
        Self::Refuse(reason.into())
    }
}

#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Guard> Guest for Exported<T> {
    fn judge(change: ProposedChange) -> Result<Judgement, wire::Failure> {
        crate::panic::report();
        T::judge(change).map_err(Failure::into_wit)
    }
}

#[doc(hidden)]
pub fn is_role<T: Guard>() {}
