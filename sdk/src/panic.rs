//! Panics, told to the host before the plugin ends.
//!
//! In -> out: a panic -> one line at level `error` in the host's log, with file and line.
//! Invariant: set before the plugin's own code runs, once in each instance.

use std::sync::Once;

/// Sends panics to the host's log from now on. Elsewhere than in the sandbox panics stay as they are.
pub(crate) fn report() {
    static SET: Once = Once::new();
    if cfg!(target_arch = "wasm32") {
        SET.call_once(|| std::panic::set_hook(Box::new(|panic| crate::log::error(panic))));
    }
}
