//! What people configured: the operator's folder, which alone gives authority, and the workspace, which can only narrow.
//!
//! Invariant: nothing in a workspace grants, trusts or widens anything.
//! Not here: what the rules mean (`orch-trust`).

pub mod bindings;
mod keeper;
pub mod models;
pub mod operator;
pub mod secret;
pub mod secrets;
pub mod tokens;
pub mod workspace;
pub(crate) mod workspaces;
