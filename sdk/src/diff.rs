//! Differences of texts. Permission: `diff`.
//!
//! In -> out: two texts and a path -> a unified diff that `git apply` takes.
//! Limits: 1 MiB and 50,000 lines a text.

use crate::Error;
use crate::bindings::capabilities::orch::diff::diff;

/// What makes `new` out of `old`, between `a/PATH` and `b/PATH`; empty if they are the same.
///
/// # Errors
/// `Invalid`: a text is too large, or the path is not relative, has `..` or a control character.
pub fn unified(old: &str, new: &str, path: &str) -> Result<String, Error> {
    Ok(diff::unified(old, new, path)?)
}
