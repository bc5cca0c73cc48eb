//! `orch-host run --locked`: nothing but what `orch.lock` pins.
//!
//! In -> out: `config.yaml` and `orch.lock` of a workspace -> nothing, or the plugin that is bound and not pinned.
//! Not here: that a pinned plugin is the very bytes (`orch-trust`'s `lock.rs`, at every load).

use crate::exit::Fault;
use crate::place::{self, Place};

/// Succeeds if every plugin that is bound is pinned.
///
/// # Errors
/// `lock-missing`, and those of the two files.
pub(super) fn check(place: &Place) -> Result<(), Fault> {
    let (config, lock) = (place.config()?, place.lock()?);
    let is_pinned = |id: &String| lock.plugins.keys().any(|pinned| pinned.as_str() == id);
    match config.roles.ids().iter().find(|id| !is_pinned(id)) {
        None => Ok(()),
        Some(id) => {
            let hint = "`orch-host plugin add SOURCE` pins it; without `--locked` any approved version runs"
                .to_owned();
            Err(place::input(
                "lock-missing",
                Some(hint),
                format!("`config.yaml` binds `{id}`, and `orch.lock` does not pin it"),
            ))
        }
    }
}
