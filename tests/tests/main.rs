//! The scenarios, as one program: each program of tests is linked with the whole engine. One module a scenario.
//!
//! Not here: `cli`, which makes its own list of trials; `graphs`, which measures runs that have the machine to
//! themselves.

mod attacks;
mod certified;
mod changed_byte;
mod company;
mod crash;
mod doubt;
mod edits;
mod hostile;
mod interrupt;
mod manifests;
mod operating;
mod order;
mod outgrown;
mod packages;
mod race;
mod run;
mod second;
mod shown;
mod third_party;
mod trust_root;
mod verify;
mod withdrawn;
