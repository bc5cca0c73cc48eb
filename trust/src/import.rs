//! Names of imports and exports.
//!
//! Invariant: `wasi:*` is any 0.2.x up to the engine's; `orch:*` what `versions.rs` has.
//! Not here: whose interface a name is (each domain's file under `permission/`).

use crate::versions::Ours;

/// The newest patch of WASI 0.2 that the engine offers.
pub const WASI_PATCH_MAX: u32 = 12;

/// The name of an import, as a component writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import<'a>(pub &'a str);

impl<'a> Import<'a> {
    /// True of an offered version of `orch:PACKAGE/PACKAGE`.
    pub fn is_ours(self, package: &str) -> bool {
        Ours::of(self.0).is_some_and(|ours| (ours.package, ours.interface) == (package, package))
    }

    /// `clocks/wall-clock` of `wasi:clocks/wall-clock@0.2.12`, if the version is one of ours.
    pub fn wasi(self) -> Option<&'a str> {
        wasi_interface(self.0)
    }
}

/// `clocks/wall-clock` of `wasi:clocks/wall-clock@0.2.12`, if the version is one of ours.
pub(crate) fn wasi_interface(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix("wasi:")?.split_once('@')?;
    let patch = version.strip_prefix("0.2.")?;
    let number: u32 = patch.parse().ok()?;
    (number.to_string() == patch && number <= WASI_PATCH_MAX).then_some(interface)
}
