//! What programs and variables are looked up in.
//!
//! In -> out: this process's environment -> [`HostEnvironment`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// What programs and variables are looked up in.
pub struct HostEnvironment {
    pub(super) path: Vec<PathBuf>,
    /// Of a name that is no text no grant speaks; values are what they are, byte for byte.
    pub(super) variables: BTreeMap<String, OsString>,
}

impl HostEnvironment {
    /// Of this process. Folders of `PATH` that are not absolute are left out.
    pub fn of_this_process() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self { path: folders, variables: std::env::vars_os().filter_map(named).collect() }
    }

    /// Where programs lie, absolute, the first one first.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.path.clone()
    }
}
