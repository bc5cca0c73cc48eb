//! What a task is, and the file that people write tasks in.
//!
//! In -> out: bytes of `tasks.yml` -> [`TaskFile`]; statuses and new tasks -> the same file, patched.
//! Limits: 64 MiB and 200,000 tasks a file (`file.rs`).
//! Invariant: a [`TaskId`] or [`Kind`] that exists is well formed; the tasks of a [`TaskFile`] form a sound graph.
//! Not here: when a task is ready and what runs next (`orch-host`'s `drive`), where events are kept (`orch-journal`).

pub mod file;
pub mod graph;
pub mod model;
pub mod render;

pub use file::{FileTask, NewFileTask, Place, TaskFile, TaskFileError};
pub use graph::{GraphError, check_added, check_graph};
pub use model::{Command, Kind, OnDoubt, Status, Task, TaskId};
