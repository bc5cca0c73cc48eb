//! Roles: what a plugin can be. One trait each, and the adapter that `export!` puts between it and the component.
//!
//! In -> out: the host's calls -> a plugin's functions -> their answers.
//! Invariant: before a plugin's code runs, panics reach the host's log.
//! Not here: the interfaces themselves (`wit/<role>`), the exporting macro (`export.rs`).

pub mod auditor;
pub mod executor;
pub mod planner;
pub mod reflector;
pub mod service;
pub mod verifier;
