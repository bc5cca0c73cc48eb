//! Asks for a note on every function that is more complex than a threshold.

pub mod block;
mod nesting;
pub mod python;
mod python_nesting;
pub mod rust;
mod rust_nesting;
pub mod settings;
pub mod suggestion;
