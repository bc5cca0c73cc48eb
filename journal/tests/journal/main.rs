//! The store from outside: what is kept, what is refused, what is found out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test; its helpers are outside of what `clippy.toml` takes for one"
)]

mod fixture;
mod groups;
mod listed;
mod looks;
mod metrics;
mod opening;
mod projections;
mod pruned;
mod streams;
mod tampering;
