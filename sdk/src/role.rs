//! Roles: what a plugin can be. One trait each, and the adapter that `export!` puts between it and the component.
//!
//! In -> out: the host's calls -> a plugin's functions -> their answers.
//! Invariant: before a plugin's code runs, panics reach the host's log.
//! Not here: the interfaces themselves (`wit/<role>`), the exporting macro (`export.rs`).

pub mod auditor;
pub mod executor;
pub mod guard;
pub mod planner;
pub mod provider_embed;
pub mod provider_llm;
pub mod provider_notify;
pub mod provider_retrieve;
pub mod reflector;
pub mod service;
pub mod verifier;

/// What stands in the crate's root.
pub mod names {
    pub use super::auditor::{Auditor, FinishedTask};
    pub use super::executor::{Attempt, Completion, Earlier, Executor};
    pub use super::guard::{
        ChangedFile, Difference, Edits, Escalation, FileStatus, Guard, Judgement, Merge, ProposedChange, Risk,
    };
    pub use super::planner::{Change, Decision, Planner, ReadyTask};
    pub use super::provider_embed::{EmbedProvider, VectorTarget};
    pub use super::provider_llm::{LlmProvider, Target};
    pub use super::provider_notify::{Message, NotifyProvider, Order, Receipt};
    pub use super::provider_retrieve::RetrieveProvider;
    pub use super::reflector::{Cycle, Reflector};
    pub use super::service::Service;
    pub use super::verifier::{Subject, Verifier};
}
