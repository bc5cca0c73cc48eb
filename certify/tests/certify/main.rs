//! `orch-certify` as its users see it: packages made here, the real binary, its real children.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of it is test code"
)]

mod advisories;
mod behaviour;
mod bombs;
mod book;
mod children;
mod compile_bombs;
mod contents;
mod defects;
mod dependencies;
mod guest;
mod keys;
mod listed;
mod lists;
mod package;
mod project;
mod recheck;
mod reports;
mod roles;
mod roots;
mod self_check;
mod signers;
mod sources;
mod structure;
mod trust_root;
mod trusted;
mod upgrade;
