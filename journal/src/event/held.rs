//! Edits of an attempt that wait for a person.

use serde::{Deserialize, Serialize};

use super::{AskedTask, Writes};

/// What an attempt made, which is kept only once a person lets it: guards had something against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldEdits {
    /// The commit that it was made on, and the one with it.
    pub base: String,
    pub commit: String,
    /// Guards whose words a person reads, or has read; the last one's are `why`.
    pub guards: Vec<String>,
    pub why: String,
    /// The attempt's answer, with all that it wrote.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    #[serde(default, skip_serializing_if = "Writes::is_empty")]
    pub writes: Writes,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<AskedTask>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// It had an effect outside of its tree.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub effect: bool,
}
