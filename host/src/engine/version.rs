//! The engine's version, for certificates and people.
//!
//! Invariant: it is the version in `Cargo.lock`, and not one with a known hole (at least 48.0.8); a test says so.

/// Version of wasmtime.
pub const WASMTIME_VERSION: &str = "48.0.8";

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_locked_version_and_at_least_the_minimum() {
        let lock = include_str!("../../../Cargo.lock");
        let entry = lock.split("[[package]]").find(|entry| entry.contains("name = \"wasmtime\"\n")).unwrap();
        assert!(entry.contains(&format!("version = \"{}\"", super::WASMTIME_VERSION)));
        let minimum = semver::Version::new(48, 0, 8);
        assert!(semver::Version::parse(super::WASMTIME_VERSION).unwrap() >= minimum);
    }
}
