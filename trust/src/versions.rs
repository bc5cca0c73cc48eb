//! Versions of our own interfaces: which this host offers, and since when.
//!
//! In -> out: name of an interface -> [`Ours`], if its version is one that this host offers.
//! Invariant: each package has [`FIRST`], and what [`LATER`] adds; `wit/deps` has a folder for each of them, and no other (a test of
//! `xtask/bindings` compares). Nothing is taken out of the list while a host offers it.
//! Off-spec: the number before the first that is not zero makes a line: 0.1.1 is what 0.1.0 was and more, 0.2.0 is another one.
//! Not here: what opens an interface (`permission/`), which export makes a role (`interfaces.rs`).

use semver::Version;

/// The version that every package of ours began with.
const FIRST: Version = Version::new(0, 1, 0);

/// Versions of the host's interfaces as a whole, oldest first: what `host.api` of a manifest is about.
pub const HOST_VERSIONS: [Version; 2] = [Version::new(0, 1, 0), Version::new(0, 1, 1)];

/// A version of a package beside its first one.
struct Later {
    package: &'static str,
    version: Version,
    /// The first of [`HOST_VERSIONS`] that has it.
    since: Version,
}

static LATER: [Later; 3] = [
    Later { package: "metrics", version: Version::new(0, 1, 1), since: Version::new(0, 1, 1) },
    Later { package: "metrics", version: Version::new(0, 1, 2), since: Version::new(0, 1, 1) },
    Later { package: "reflector", version: Version::new(0, 2, 0), since: Version::new(0, 1, 1) },
];

/// An interface of ours in a version that this host offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours<'a> {
    pub package: &'a str,
    pub interface: &'a str,
    pub version: Version,
}

impl<'a> Ours<'a> {
    /// Of `orch:metrics/metrics@0.1.1`; nothing for other names, and for versions that are not offered.
    pub fn of(name: &'a str) -> Option<Self> {
        let (path, version) = name.strip_prefix("orch:")?.split_once('@')?;
        let (package, interface) = path.split_once('/')?;
        let version = Version::parse(version)
            .ok()
            .filter(|version| offered(package).any(|offered| offered == *version))?;
        Some(Self { package, interface, version })
    }

    /// The version of the host's interfaces that had it first.
    pub fn since(&self) -> Version {
        later(self.package)
            .find(|later| later.version == self.version)
            .map_or(FIRST, |later| later.since.clone())
    }

    /// True of both if who was made for one is content with the newer one.
    pub fn is_one_line_with(&self, other: &Version) -> bool {
        line(&self.version) == line(other)
    }

    /// True if no newer version is offered.
    pub fn is_newest(&self) -> bool {
        newest(self.package) == self.version
    }
}

/// Versions of that package that a host of ours offers, oldest first; of one that nobody knows too.
pub fn offered(package: &str) -> impl Iterator<Item = Version> {
    std::iter::once(FIRST).chain(later(package).map(|later| later.version.clone()))
}

/// The newest of them.
pub fn newest(package: &str) -> Version {
    offered(package).max().unwrap_or(FIRST)
}

fn later(package: &str) -> impl Iterator<Item = &'static Later> {
    LATER.iter().filter(move |later| later.package == package)
}

/// What is equal in versions that go together.
fn line(version: &Version) -> (u64, u64, u64) {
    match (version.major, version.minor) {
        (0, 0) => (0, 0, version.patch),
        (0, minor) => (0, minor, 0),
        (major, _) => (major, 0, 0),
    }
}

/// `orch:metrics/metrics@0.1` of `orch:metrics/metrics@0.1.1`: equal for imports that one function of the host answers.
pub fn line_of(name: &str) -> String {
    match Ours::of(name) {
        Some(ours) => {
            let (major, minor, patch) = line(&ours.version);
            format!("orch:{}/{}@{major}.{minor}.{patch}", ours.package, ours.interface)
        }
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_offered_by_its_exact_name() {
        for name in [
            "orch:metrics/metrics@0.1.0",
            "orch:metrics/metrics@0.1.1",
            "orch:metrics/metrics@0.1.2",
            "orch:reflector/reflector@0.1.0",
            "orch:reflector/reflector@0.2.0",
            "orch:log/log@0.1.0",
        ] {
            assert!(Ours::of(name).is_some(), "{name}");
        }
        for name in [
            "orch:metrics/metrics@0.1.3",
            "orch:metrics/metrics@0.2.0",
            "orch:metrics/metrics@0.1.01",
            "orch:metrics/metrics@0.1",
            "orch:metrics/metrics",
            "orch:reflector/reflector@0.1.1",
            "orch:log/log@0.1.1",
            "wasi:metrics/metrics@0.1.0",
            "",
        ] {
            assert_eq!(Ours::of(name), None, "{name}");
        }
    }

    #[test]
    fn versions_of_one_line_are_one_interface_to_the_linker() {
        assert_eq!(line_of("orch:metrics/metrics@0.1.0"), line_of("orch:metrics/metrics@0.1.1"));
        assert_ne!(line_of("orch:reflector/reflector@0.1.0"), line_of("orch:reflector/reflector@0.2.0"));
        assert_eq!(line_of("wasi:io/poll@0.2.1"), "wasi:io/poll@0.2.1");
        assert_eq!(line(&Version::new(0, 0, 3)), (0, 0, 3));
        assert_eq!(line(&Version::new(2, 1, 3)), (2, 0, 0));
    }

    #[test]
    fn what_came_later_came_with_a_version_of_the_host() {
        assert!(HOST_VERSIONS.is_sorted());
        assert_eq!(HOST_VERSIONS.last().unwrap().to_string(), crate::manifest::HOST_API);
        for later in &LATER {
            assert!(HOST_VERSIONS.contains(&later.since) && later.since > FIRST && later.version > FIRST);
            let name = format!("orch:{0}/{0}@{1}", later.package, later.version);
            assert_eq!(Ours::of(&name).unwrap().since(), later.since);
        }
        assert_eq!(Ours::of("orch:metrics/metrics@0.1.0").unwrap().since(), FIRST);
        assert!(!Ours::of("orch:metrics/metrics@0.1.0").unwrap().is_newest());
        assert_eq!(newest("reflector"), Version::new(0, 2, 0));
    }
}
