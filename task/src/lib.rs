//! What a task is, and the file that people write tasks in.
//!
//! In -> out: bytes of `tasks.yml` -> [`TaskFile`]; statuses and new tasks -> the same file, patched.
//! Limits: 64 MiB and 200,000 tasks a file (`file.rs`).
//! Invariant: a [`TaskId`] or [`Kind`] that exists is well formed; the tasks of a [`TaskFile`] form a sound graph.
//! Not here: when a task is ready and what runs next (`orch-host`'s `drive`), where events are kept (`orch-journal`).

mod disk;
mod env;
pub mod exchange;
pub mod file;
pub mod graph;
mod hidden;
pub mod import;
pub mod keys;
pub mod merge;
pub mod model;
pub mod render;

pub use env::{Env, EnvError};
pub use exchange::{ExchangeError, Exchanged, Recovered, read_task_file, recover, write_exchanging};
pub use file::{FileTask, NewFileTask, PatchError, Place, TaskFile, TaskFileError, Written, read_written};
pub use graph::{GraphError, check_added, check_graph};
pub use hidden::is_hidden;
pub use import::{ImportCommand, ImportError, ImportOptions, import_wfformat};
pub use merge::{Known, MergeReport, RefusedEdit, RefusedWhy, Standing, changed_keys, merge};
pub use model::{Command, Kind, Look, OnDoubt, Status, Task, TaskId, Tree, When};
pub use render::{check_entry, render, render_entries};
