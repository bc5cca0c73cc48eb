//! HTTP both ways: what a service answers, and what any plugin but a planner asks of others.
//!
//! Permission: `http` for asking, each request by one of its rules. Requests are effects, also those that only read.
//!
//! ```no_run
//! use std::time::Duration;
//! use orch_sdk::http;
//!
//! fn newest() -> Result<String, orch_sdk::Failure> {
//!     let asked = http::get("https://api.example.com/v1/news").header("accept", "text/plain");
//!     Ok(asked.timeout(Duration::from_secs(10)).send()?.expect_success()?.text()?)
//! }
//! ```

mod answer;
mod client;
mod error;
mod lines;
mod redirect;
mod service;
mod url;

pub use answer::{ANSWER_BYTES_MAX, Answer, Lines};
pub use client::{Outgoing, Upload, delete, get, head, patch, post, put, request};
pub use error::{HttpError, HttpFault};
pub use service::{BODY_BYTES_MAX, Request, Response};
