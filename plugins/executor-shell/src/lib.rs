//! Runs a task's command or shell line.
pub mod invocation;
pub mod report;
pub mod settings;
