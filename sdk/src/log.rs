//! Lines for the host's log.
//!
//! Permission: `log`. Lines are cut at 8 KiB; once the call's `logKiB` is used up, further ones are dropped.

use std::fmt::Display;

use crate::host::log::{self, Level};

/// Something is wrong and the call does not do what was asked.
pub fn error(text: impl Display) {
    log::write(Level::Error, &text.to_string());
}

/// Something is odd and the call goes on.
pub fn warn(text: impl Display) {
    log::write(Level::Warn, &text.to_string());
}

/// What somebody who watches wants to know: `info(format_args!("{count} files"))`.
pub fn info(text: impl Display) {
    log::write(Level::Info, &text.to_string());
}

/// What only the plugin's author wants to know.
pub fn debug(text: impl Display) {
    log::write(Level::Debug, &text.to_string());
}
