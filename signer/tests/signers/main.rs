//! Signers and foreign signatures, against what the real tools made and against peers that answer in this process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test; its helpers are outside of what `clippy.toml` takes for one"
)]

mod agent;
mod foreign;
mod program;
mod token;
