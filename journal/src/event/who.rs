//! Whose word it was.
//!
//! Not here: who may say what (the host).

use serde::{Deserialize, Serialize};

/// Who said something to a host: a user of this machine, by a program, who has a token, or a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    pub uid: u32,
    pub pid: u32,
    /// Path of its executable; empty if it could not be read.
    pub program: String,
    /// Name of the token that it showed, from another machine or over TCP; user and program are the host's then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The service that said it; user and program are the host's then, and `token` is of whoever asked the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
}
