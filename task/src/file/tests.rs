//! Tests of reading and patching, by what they show.
//!
//! In -> out: texts -> what `TaskFile` says of them.
//! Not here: single rules of fields that need no file (`model.rs`, `render.rs`).

mod accepted;
mod any_file;
mod appended;
mod foreign;
mod inherited;
mod refused;
mod statuses;
