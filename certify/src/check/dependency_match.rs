//! Check `dependency-match`: sources, lock file, embedded list and bill of materials name the same packages.
//!
//! In -> out: package, committed sources -> result. Looks at every package that the build for guests uses.
//! Invariant: every package is of crates.io and locked by its checksum, or lies in the repository itself; equality,
//! not inclusion.
//! Not here: whether the list can be read (`dependency_list.rs`), whether the build gives these bytes
//! (`reproducible_build.rs`).

use std::collections::BTreeSet;
use std::path::Path;

use auditable_serde::VersionInfo;
use orch_plugin::dependencies::Dependencies;
use orch_plugin::embedded;
use orch_trust::certificate::CheckResult;
use orch_trust::package::PackageBytes;
use orch_trust::strict_json;
use rustsec::Lockfile;
use serde::Deserialize;

use super::dependency_list::lists;
use super::{judged, skipped};
use crate::source::Source;

pub(crate) const ID: &str = "dependency-match";
pub(crate) const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn check(package: &PackageBytes, source: &Source) -> CheckResult {
    let Ok(lists) = lists(&package.component()) else {
        return skipped(ID, "the embedded list cannot be read");
    };
    let Ok(bill) = strict_json::parse::<Bill>(package.sbom()) else {
        return skipped(ID, "the bill of materials cannot be read");
    };
    let Ok(manifest) = package.parse_manifest() else {
        return skipped(ID, "the manifest cannot be read");
    };
    let dependencies = &source.dependencies;
    let mut findings = origins(dependencies, &source.top);
    findings.extend(locked(dependencies, &source.lock));
    findings.extend(embedded(dependencies, &lists));
    findings.extend(billed(dependencies, &bill));
    if dependencies.plugin().is_some_and(|plugin| plugin.version != manifest.version) {
        findings.push("plugin-version: the sources are of another version than the manifest".to_owned());
    }
    judged(ID, dependencies.packages.len() as u64, findings)
}

/// What comes from nowhere that can be looked up: from git, another registry, a folder outside of the repository.
fn origins(dependencies: &Dependencies, top: &Path) -> Vec<String> {
    let judge = |package: &orch_plugin::dependencies::Dependency| {
        let named = format!("{} {}", package.name, package.version);
        match package.source.as_deref() {
            Some(CRATES_IO) => None,
            Some(source) if source.starts_with("git+") => Some(format!("dependency-git: {named}")),
            Some(_) => Some(format!("dependency-registry: {named} is not of crates.io")),
            None => {
                let inside = package.folder.canonicalize().is_ok_and(|folder| folder.starts_with(top));
                (!inside).then(|| format!("dependency-path: {named} lies outside of the repository"))
            }
        }
    };
    dependencies.packages.iter().filter_map(judge).collect()
}

/// Every package that comes from elsewhere is in the lock file, with a checksum.
fn locked(dependencies: &Dependencies, lock: &Lockfile) -> Vec<String> {
    let judge = |package: &orch_plugin::dependencies::Dependency| {
        package.source.as_ref()?;
        let named = format!("{} {}", package.name, package.version);
        let found = lock
            .packages
            .iter()
            .find(|locked| locked.name.as_str() == package.name && locked.version == package.version);
        match found.map(|locked| locked.checksum.as_ref().is_some_and(|checksum| checksum.is_sha256())) {
            Some(true) => None,
            Some(false) => Some(format!("lock-no-checksum: {named}")),
            None => Some(format!("lock-missing: {named}")),
        }
    };
    dependencies.packages.iter().filter_map(judge).collect()
}

/// Every list in the component is the one that a build of these sources embeds.
fn embedded(dependencies: &Dependencies, lists: &[VersionInfo]) -> Vec<String> {
    let expected = embedded::list(dependencies);
    if lists.is_empty() {
        return vec!["embedded-missing: the component has no list".to_owned()];
    }
    let mut findings = Vec::new();
    for list in lists.iter().filter(|list| **list != expected) {
        let named = |list: &VersionInfo| -> BTreeSet<String> {
            let packages = list.packages.iter();
            packages
                .map(|package| format!("{} {} ({:?})", package.name, package.version, package.kind))
                .collect()
        };
        let before = findings.len();
        differ(&named(&expected), &named(list), "embedded", &mut findings);
        if findings.len() == before {
            findings
                .push("embedded-other: the same packages, otherwise connected or from elsewhere".to_owned());
        }
    }
    findings
}

/// A bill of materials, as far as it is compared here.
#[derive(Debug, Deserialize)]
struct Bill {
    #[serde(default)]
    components: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    version: Option<String>,
}

fn billed(dependencies: &Dependencies, bill: &Bill) -> Vec<String> {
    let others = dependencies.packages.iter().enumerate().filter(|(place, _)| *place != dependencies.root);
    let expected = others.map(|(_, package)| format!("{} {}", package.name, package.version)).collect();
    let version = |entry: &Entry| entry.version.clone().unwrap_or_default();
    let found = bill.components.iter().map(|entry| format!("{} {}", entry.name, version(entry))).collect();
    let mut findings = Vec::new();
    differ(&expected, &found, "sbom", &mut findings);
    findings
}

fn differ(expected: &BTreeSet<String>, found: &BTreeSet<String>, what: &str, findings: &mut Vec<String>) {
    findings.extend(expected.difference(found).map(|named| format!("{what}-missing: {named}")));
    findings.extend(found.difference(expected).map(|named| format!("{what}-more: {named}")));
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;

    use orch_plugin::dependencies::Dependency;

    use super::*;

    fn package(name: &str, source: Option<&str>, license: &str) -> Dependency {
        Dependency {
            name: name.into(),
            version: semver::Version::new(1, 0, 0),
            source: source.map(str::to_owned),
            folder: PathBuf::from("/"),
            license: Some(license.into()),
            runtime: true,
            uses: Vec::new(),
        }
    }

    /// `plugin`, which uses `parser` of crates.io and its own `sdk`.
    pub(crate) fn made_up() -> Dependencies {
        let mut packages = vec![
            package("parser", Some(CRATES_IO), "MIT OR Apache-2.0"),
            package("plugin", None, "MIT"),
            package("sdk", None, "MIT"),
        ];
        packages[1].uses = vec![0, 2];
        Dependencies {
            packages,
            root: 1,
            target_folder: "/t".into(),
            workspace_folder: "/".into(),
            library: "plugin".into(),
        }
    }

    /// Its lock file.
    pub(crate) fn lock() -> Lockfile {
        let sum = "ab".repeat(32);
        let text = format!(
            r#"version = 4
[[package]]
name = "parser"
version = "1.0.0"
source = "{CRATES_IO}"
checksum = "{sum}"

[[package]]
name = "plugin"
version = "1.0.0"
dependencies = ["parser", "sdk"]

[[package]]
name = "sdk"
version = "1.0.0"
"#
        );
        text.parse().unwrap()
    }

    #[test]
    fn only_crates_io_and_the_repository_itself_are_origins() {
        let origins = |edit: fn(&mut Dependencies)| {
            let mut dependencies = made_up();
            edit(&mut dependencies);
            super::origins(&dependencies, Path::new("/"))
        };
        assert_eq!(origins(|_| {}), [""; 0]);
        let of = |source: &str| {
            let mut dependencies = made_up();
            dependencies.packages[0].source = Some(source.to_owned());
            super::origins(&dependencies, Path::new("/"))
        };
        assert_eq!(of("git+https://example.org/x#abc"), ["dependency-git: parser 1.0.0"]);
        let other = ["dependency-registry: parser 1.0.0 is not of crates.io"];
        assert_eq!(of("registry+https://example.org/index"), other);
        assert_eq!(of("sparse+https://index.crates.io.evil.org/"), other);
        let outside = tempfile::tempdir().unwrap();
        let mut dependencies = made_up();
        dependencies.packages[2].folder = outside.path().to_owned();
        let inside = outside.path().join("repository");
        std::fs::create_dir(&inside).unwrap();
        dependencies.packages[1].folder = inside.clone();
        assert_eq!(
            super::origins(&dependencies, &inside.canonicalize().unwrap()),
            ["dependency-path: sdk 1.0.0 lies outside of the repository"]
        );
    }

    #[test]
    fn every_package_from_elsewhere_is_locked_by_its_checksum() {
        assert_eq!(locked(&made_up(), &lock()), [""; 0]);
        let mut without = lock();
        without.packages[0].checksum = None;
        assert_eq!(locked(&made_up(), &without), ["lock-no-checksum: parser 1.0.0"]);
        let mut other = lock();
        other.packages[0].version = semver::Version::new(1, 0, 1);
        assert_eq!(locked(&made_up(), &other), ["lock-missing: parser 1.0.0"]);
    }

    #[test]
    fn lists_and_bills_are_compared_both_ways() {
        let list = embedded::list(&made_up());
        assert_eq!(embedded(&made_up(), std::slice::from_ref(&list)), [""; 0]);
        assert_eq!(embedded(&made_up(), &[]), ["embedded-missing: the component has no list"]);
        let mut less = list.clone();
        less.packages[1].dependencies = vec![1];
        less.packages.remove(0);
        let missing = ["embedded-missing: parser 1.0.0 (Runtime)"];
        assert_eq!(embedded(&made_up(), &[list.clone(), less]), missing);
        let mut more = list.clone();
        more.packages[0].version = semver::Version::new(2, 0, 0);
        let both = ["embedded-missing: parser 1.0.0 (Runtime)", "embedded-more: parser 2.0.0 (Runtime)"];
        assert_eq!(embedded(&made_up(), &[more]), both);
        let mut connected = list;
        connected.packages[1].dependencies.pop();
        assert!(embedded(&made_up(), &[connected])[0].starts_with("embedded-other: "));
        let bill = |names: &[&str]| Bill {
            components: names
                .iter()
                .map(|name| Entry { name: (*name).to_owned(), version: Some("1.0.0".into()) })
                .collect(),
        };
        assert_eq!(billed(&made_up(), &bill(&["sdk", "parser"])), [""; 0]);
        assert_eq!(
            billed(&made_up(), &bill(&["sdk", "lexer"])),
            ["sbom-missing: parser 1.0.0", "sbom-more: lexer 1.0.0"]
        );
    }
}
