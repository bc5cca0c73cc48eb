//! The host: runs the loop, keeps the journal, enforces the rules.
pub mod bindings;
pub mod call;
pub mod capability;
pub mod engine;
pub mod role;
