//! What `cargo xtask bindings` makes of `wit/`: the calls into the host and the shapes that cross the boundary.
//!
//! Invariant: generated, never edited; public only because the export macros name it.
//! Not here: anything that a plugin should write against (`role/`, and one module a capability).

#![allow(
    warnings,
    clippy::all,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

#[rustfmt::skip]
pub mod auditor;
#[rustfmt::skip]
pub mod capabilities;
#[rustfmt::skip]
pub mod executor;
#[rustfmt::skip]
pub mod guard;
#[rustfmt::skip]
pub mod planner;
#[rustfmt::skip]
pub mod provider_embed;
#[rustfmt::skip]
pub mod provider_llm;
#[rustfmt::skip]
pub mod provider_notify;
#[rustfmt::skip]
pub mod provider_retrieve;
#[rustfmt::skip]
pub mod reflector;
#[rustfmt::skip]
pub mod service;
#[rustfmt::skip]
pub mod verifier;
