//! The scenarios, as one program: each program of tests is linked with the whole engine. One module a scenario.
//! The harness goes by names; `author` takes longest and is called so that it begins among the first.
//!
//! Not here: `cli`, which makes its own list of trials; `graphs`, which measures runs that have the machine to
//! themselves.

mod acts;
mod again;
mod artifacts;
mod attacks;
mod author;
mod certified;
mod changed_byte;
mod chosen;
mod company;
mod controlled;
mod counter;
mod crash;
mod decisions;
mod described;
mod doubt;
mod edits;
mod ends;
mod examples;
mod fresh;
mod gates;
mod go_on;
mod guards;
mod held;
mod hostile;
mod hour;
mod interrupt;
mod manifests;
mod operating;
mod order;
mod outgrown;
mod packages;
mod places;
mod provided;
mod prune;
mod race;
mod reasons;
mod run;
mod second;
mod secrets;
mod seen;
mod served;
mod settings;
mod shown;
mod sources;
mod strained;
mod third;
mod tokens;
mod told;
mod trust_root;
mod verify;
mod withdrawn;
