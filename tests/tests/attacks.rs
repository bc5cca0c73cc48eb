//! Attacks of the catalogue that are no defect of a package alone, and those with many forms.
//!
//! Not here: one defect each, through the whole program (`tests/packages/`); swaps at run time (`tests/race.rs`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

mod developers;
mod lines;
mod names;
mod native_code;
mod places;
mod surroundings;
