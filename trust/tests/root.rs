//! The trust root and all that hangs on it: one good world, and every way to break it. Names begin with the attack's id.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what makes a world for a test is no test function, so clippy.toml does not let it"
)]

mod envelopes;
mod jobs;
mod keys;
mod revoked;
mod several;
mod state;
mod times;
mod world;
