//! Commands of plugins, each under a supervisor that leaves no descendant of it behind.
//!
//! In -> out: [`Request`] -> [`Running`] (identity, two pipes) -> [`Ended`]; [`pump`] also keeps the output.
//! Shape: host (tokio) -> socket -> guardian -> supervisor -> command. Supervisor and guardian have one thread each,
//! are child subreapers, and are this same executable run again with [`ARGUMENT`].
//! Invariant: when a command is over, in whichever way, or the host is, every descendant of it is dead.
//! Not here: which programs may run (the host's `process` capability), the operating-system sandbox (`sandbox.rs`).

mod client;
mod descendants;
mod error;
mod farewell;
mod frame;
#[doc(hidden)]
pub mod fuzzed;
mod guardian;
mod identity;
mod keep;
mod kernel;
mod launch;
mod leftovers;
mod lent;
mod peer;
mod pool;
mod process_table;
mod pump;
mod request;
mod running;
mod sandbox;
mod serve;
mod strays;

pub use descendants::{end_all as end_descendants, gone_within as descendants_gone_within};
pub use error::{RunError, StartStep};
pub use guardian::serve;
pub use identity::{ProcessIdentity, boot_id, still_running};
pub use keep::{Keep, gap, read_gap};
pub use kernel::{Lacking, lacking, survive_large_files};
pub use leftovers::{Leftovers, end_leftovers};
pub use peer::Peer;
pub use pool::{Group, SupervisorPool};
pub use pump::{Log, Output, StreamOutput, pump};
pub use request::{Ended, Exit, Request};
pub use running::Running;
pub use sandbox::{Access, Cache, LISTEN_MAX, Limit, Limits, Place, Sandbox, Wall, Walls, system_places};
pub use strays::adopt;

/// The first argument that makes an executable call [`serve`] instead of its own `main`.
///
/// `main` must look for it before it starts a thread.
pub const ARGUMENT: &str = "__supervise";
