//! Check `licences`: everything that the plugin is made of may be passed on.
//!
//! In -> out: committed sources, manifest -> result. Looks at every package that the build for guests uses.
//! Invariant: a package without a licence, or with an expression that is none, fails; of alternatives one is enough.
//! Not here: whether the text of a licence is in the package, whether a package says the truth about itself.

use orch_plugin::dependencies::Dependencies;
use orch_trust::certificate::CheckResult;
use orch_trust::package::PackageBytes;
use spdx::{Expression, ParseMode};

use super::{judged, skipped};
use crate::source::Source;

pub(crate) const ID: &str = "licences";

/// Licences that ask for no more than to be named, or to give changes of their own files on.
pub const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

pub(crate) fn check(package: &PackageBytes, source: &Source) -> CheckResult {
    match package.parse_manifest() {
        Ok(manifest) => {
            let findings = judge(&source.dependencies, &manifest.license);
            judged(ID, source.dependencies.packages.len() as u64, findings)
        }
        Err(_) => skipped(ID, "the manifest cannot be read"),
    }
}

/// The plugin's own licence is its publisher's choice; it only has to be the same everywhere.
fn judge(dependencies: &Dependencies, of_manifest: &str) -> Vec<String> {
    let allowed: Vec<spdx::Licensee> =
        ALLOWED.iter().filter_map(|name| spdx::Licensee::parse(name).ok()).collect();
    let mut findings = Vec::new();
    for (place, package) in dependencies.packages.iter().enumerate() {
        let named = format!("{} {}", package.name, package.version);
        let Some(license) = &package.license else {
            findings.push(format!("licence-missing: {named}"));
            continue;
        };
        // Old packages write `MIT/Apache-2.0`.
        let expression = match Expression::parse_mode(license, ParseMode::LAX) {
            Ok(expression) => expression,
            Err(error) => {
                findings.push(format!("licence-unknown: {named}: `{license}`: {}", error.reason));
                continue;
            }
        };
        if place == dependencies.root {
            if license != of_manifest {
                findings.push(format!("licence-differs: `{license}`, the manifest says `{of_manifest}`"));
            }
        } else if !expression.evaluate(|needed| allowed.iter().any(|one| one.satisfies(needed))) {
            findings.push(format!("licence-not-allowed: {named}: `{license}`"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::dependency_match::tests::made_up;
    use super::*;

    #[track_caller]
    fn check(license: Option<&str>, code: Option<&str>) {
        let mut dependencies = made_up();
        dependencies.packages[0].license = license.map(str::to_owned);
        let findings = judge(&dependencies, "MIT");
        assert_eq!(findings.len(), usize::from(code.is_some()), "{findings:?}");
        if let Some(code) = code {
            assert!(findings[0].starts_with(&format!("{code}: parser 1.0.0")), "{findings:?}");
        }
    }

    #[test]
    fn every_allowed_licence_is_one() {
        for name in ALLOWED {
            assert!(spdx::Licensee::parse(name).is_ok(), "{name}");
            check(Some(name), None);
        }
    }

    #[test]
    fn of_alternatives_one_is_enough_and_of_several_each_counts() {
        check(Some("MIT OR Apache-2.0"), None);
        check(Some("MIT/Apache-2.0"), None);
        check(Some("GPL-3.0-only OR MIT"), None);
        check(Some("(MIT OR Apache-2.0) AND Unicode-3.0"), None);
        check(Some("MIT AND GPL-3.0-only"), Some("licence-not-allowed"));
        check(Some("GPL-2.0-or-later"), Some("licence-not-allowed"));
        check(Some("AGPL-3.0-only"), Some("licence-not-allowed"));
        check(Some("LicenseRef-own"), Some("licence-not-allowed"));
        check(Some("do what you like"), Some("licence-unknown"));
        check(Some(""), Some("licence-unknown"));
        check(None, Some("licence-missing"));
    }

    #[test]
    fn the_plugins_own_licence_is_the_manifests() {
        let mut dependencies = made_up();
        dependencies.packages[1].license = Some("LicenseRef-own".into());
        assert_eq!(judge(&dependencies, "LicenseRef-own"), [""; 0]);
        assert_eq!(
            judge(&dependencies, "MIT"),
            ["licence-differs: `LicenseRef-own`, the manifest says `MIT`"]
        );
    }
}
