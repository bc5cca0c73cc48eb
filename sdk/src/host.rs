//! The host's interfaces, as the SDK's functions call them.
//!
//! Invariant: in the sandbox they are the bindings, always; elsewhere the fakes, with the feature `testing`, and without it the
//! bindings, which panic and say so. What is not listed here has no fake.

#[cfg(not(all(feature = "testing", not(target_arch = "wasm32"))))]
pub(crate) use crate::bindings::capabilities::{
    orch::artifacts::artifacts,
    orch::files::files,
    orch::findings::findings,
    orch::kv::kv,
    orch::log::log,
    orch::metrics::metrics,
    orch::notify::notify,
    orch::process::process,
    orch::settings::settings,
    orch::tasks::tasks,
    wasi::clocks::{monotonic_clock, wall_clock},
    wasi::random::random,
};

#[cfg(all(feature = "testing", not(target_arch = "wasm32")))]
pub(crate) use crate::testing::interfaces::{
    artifacts, files, findings, kv, log, metrics, monotonic_clock, notify, process, random, settings, tasks,
    wall_clock,
};
