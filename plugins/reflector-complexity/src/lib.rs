//! Asks for a note on every function that is more complex than a threshold.

pub mod block;
mod nesting;
pub mod python;
mod python_nesting;
