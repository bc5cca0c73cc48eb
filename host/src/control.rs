//! One host holds a workspace; every other command says to it what a person wants.
//!
//! In -> out: a socket of this machine, or TCP, HTTP/1.1 -> words of people (`Act`) for the loop -> answers.
//! Invariant: the loop never waits for who asks; who asks is a program of this user that no plugin's command started.
//! Not here: what becomes of a word (`drive/hear.rs`), what is shown of it (`commands/`), services (`serve/`).
//!
//! All paths with their answers: `GET /v1/openapi.json`.
//! Whatever is refused is `application/problem+json` (RFC 9457) with a stable `code`.

pub mod api;
mod ask;
pub mod caller;
mod listen;
mod overheard;
pub mod paced;
mod place;
mod problem;
pub mod refused_tokens;
mod state;
pub mod variables;
pub mod written;

pub use api::Api;
pub use ask::{Told, look, start, tell};
pub use listen::Listening;
pub use overheard::hear;
pub use place::{Holding, SocketPlace};
pub use problem::Problem;
pub use state::{HolderState, Wish};
