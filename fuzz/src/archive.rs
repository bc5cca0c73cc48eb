//! A package in one file.

use orch_host::package::archive::{decode, encode};
use orch_trust::package::{PackageBytes, bytes_max};

use crate::package::good;

/// What is read is what would be written, byte for byte, of files that a package may have.
pub(crate) fn archive(bytes: &[u8]) -> bool {
    let Ok(package) = decode(bytes) else { return false };
    assert!(encode(&package) == bytes, "an archive has one form");
    assert!(package.list().all(|(name, size, _)| bytes_max(name).is_some_and(|most| size <= most)));
    true
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let small = ["component.wasm", "manifest.json", "sbom.cdx.json"].map(|name| (name.to_owned(), [].into()));
    let small = PackageBytes::new(small.into()).expect("a package of empty files");
    vec![("valid", encode(&good().package)), ("empty-files", encode(&small))]
}
