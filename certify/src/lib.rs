//! Certification: runs the required checks on a package and says what it found.
//!
//! In -> out: a package's folder -> check results -> a certificate, if every required check passed.
//! Invariant: fails closed; what did not run, crashed or was cut off is never `pass`. Checks run in child processes
//! that hold no key.
//! Not here: what a certificate must hold (`orch-trust`), the engine (`orch-host`).

pub mod advisory_db;
pub mod behaviour;
pub mod check;
pub mod confine;
pub mod conformance;
pub mod document;
pub mod error;
pub mod examine;
pub mod group;
pub mod guide;
pub mod issue;
pub mod outside;
mod program;
pub mod recheck;
pub mod report;
mod repository;
pub mod revoking;
pub mod sandbox;
pub mod self_check;
mod source;
pub mod statement;
pub mod trust_root;
pub mod wit;
