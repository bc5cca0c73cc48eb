//! One host holds a workspace; every other command says to it what a person wants.
//!
//! In -> out: a socket of this machine, HTTP/1.1 -> words of people ([`Act`]) for the loop -> answers.
//! Invariant: the loop never waits for who asks; who asks is a program of this user that no plugin's command started.
//! Not here: what becomes of a word (`drive/hear.rs`), what is shown of it (`commands/`).
//!
//! ```text
//! GET  /v1                    {"run": ID, "pid": N, "version": "0.1.0"}, also for commands of plugins
//! POST /v1/runs/ID/acts       an act: {"act": "skip", "task": "build"}
//!                             201 {"event": N}, once that survives the end of the machine's power
//! ```
//! Whatever is refused is `application/problem+json` (RFC 9457) with a stable `code`.

mod ask;
mod listen;
mod place;
mod problem;

pub use ask::{Told, tell};
pub use listen::Listening;
pub use place::{Holding, SocketPlace};
pub use problem::Problem;
