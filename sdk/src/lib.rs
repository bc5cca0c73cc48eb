//! What a plugin of Orch is written with.
//!
//! A plugin is a type that implements the trait of its role, and one line that exports it:
//!
//! ```
//! use orch_sdk::{Attempt, Completion, Executor, Failure, Task};
//!
//! struct Greeter;
//!
//! impl Executor for Greeter {
//!     fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
//!         orch_sdk::log::info(format_args!("greeting {}", task.id));
//!         Ok(Completion::new(format!("hello, {}", task.description)))
//!     }
//! }
//!
//! orch_sdk::export!(executor: Greeter);
//! ```
//!
//! What the host offers are functions: [`files`], [`process`], [`kv`] and so on, one module a permission. Calling one
//! makes the component import its interface, and each import needs its permission in `plugin.json`. Panics go to the
//! host's log, so every plugin needs the permission `log`.
//!
//! Everything compiles for the developer's machine too, so that a plugin's own logic has ordinary unit tests. Calling the host
//! there panics, unless the feature `testing` is on: then `testing::Host` is one, for most of what a host offers.

pub mod artifacts;
#[doc(hidden)]
pub mod bindings;
pub mod clocks;
pub mod control;
pub mod diff;
pub mod embed;
mod error;
mod export;
mod failure;
pub mod files;
pub mod findings;
pub mod git;
mod host;
pub mod http;
pub mod kv;
pub mod llm;
pub mod log;
pub mod metrics;
pub mod notify;
mod panic;
pub mod process;
pub mod random;
pub mod retrieve;
#[doc(hidden)]
pub mod role;
pub mod secrets;
pub mod settings;
pub mod tasks;
#[cfg(all(feature = "testing", not(target_arch = "wasm32")))]
pub mod testing;
pub mod vectors;

pub use bindings::capabilities::orch::types::types::{
    Category, Command, Finding, Metric, NewTask, Outcome, Severity, Task,
};
pub use error::Error;
pub use failure::Failure;
pub use role::names::*;
