//! Who vouches for a plugin, and what it may do.
//!
//! Invariant: pure; no engine, no async, no clock, no files, no network.
//! Not here: reading packages and the operator's folder (`orch-host`), making certificates (`orch-certify`).

pub mod permission;
