//! Signers and foreign signatures, against what the real tools made and against peers that answer in this process.

mod agent;
mod foreign;
mod program;
mod token;
