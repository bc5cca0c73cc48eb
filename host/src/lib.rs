//! The host: runs the loop, keeps the journal, enforces the rules.
//!
//! Everything points down: `main` -> `commands` -> `session` -> `drive` -> `role` -> `engine` -> `capability` ->
//! `bindings`; `cargo xtask tidy` has the whole order.
//! Invariant: only `drive` writes the journal, only `console` prints, only `main` exits.
//! Not here: what a package must prove (`orch-trust`), how events are kept (`orch-journal`), `tasks.yml`
//! (`orch-task`), process trees (`orch-supervisor`).

pub mod bindings;
pub mod caches;
pub mod call;
pub mod capability;
pub mod clock;
pub mod command_log;
pub mod commands;
pub mod config;
pub mod console;
pub mod control;
pub mod cut;
pub mod development;
pub mod drive;
pub mod egress;
pub mod engine;
pub mod exit;
pub mod fetch;
pub mod git;
pub mod holder;
pub mod interrupt;
pub mod log_folder;
pub mod machine;
pub mod manifest_schema;
pub mod open_files;
pub mod package;
pub mod parallel;
pub mod place;
pub mod plugin_settings;
pub mod plugins;
pub mod processes;
pub mod recheck;
pub mod regular_file;
pub mod relay;
pub mod reload;
pub mod replay;
pub mod role;
pub mod run_log;
pub mod sandbox;
pub mod schemas;
pub mod secrets;
pub mod serve;
pub mod session;
pub mod sources;
pub mod starter;
pub mod told;
pub mod watch;
pub mod whole_file;
pub mod worker;
pub mod worktrees;
