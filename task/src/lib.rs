//! What a task is, and the file that people write tasks in.
//!
//! In -> out: text of `tasks.yml` -> [`Tasks`](file::Tasks); statuses -> patched text.
//! Limits: 64 MiB and 200,000 tasks a file (`file.rs`).
//! Invariant: a [`TaskId`] or [`Kind`] that exists is well formed.
//! Not here: when a task is ready and what runs next (`orch-host`'s `drive`), where events are kept (`orch-journal`).

pub mod model;

pub use model::{Command, Kind, OnDoubt, Status, Task, TaskId};
