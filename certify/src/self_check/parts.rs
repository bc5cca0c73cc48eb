//! Known-bad inputs of the checks that need something from outside: sources, a database, a second build, a release.
//!
//! In -> out: sound samples, an empty folder -> what the check makes of a made-up input with one defect.
//! Invariant: no program is started and no clock is read; each input has one defect, and is part of the corpus.
//! Not here: bringing the inputs here (`check/from_outside.rs`), whole packages (`recipes.rs`). What programs of others
//! say is compared by the checks themselves each time, and only their answers are made up here.

use std::path::Path;

use orch_plugin::dependencies::{Dependencies, Dependency};
use orch_trust::certificate::CheckResult;
use orch_trust::digest::Sha256Digest;
use orch_trust::key::SecretKey;
use orch_trust::manifest::Manifest;
use orch_trust::package::{PackageBytes, RELEASE};
use orch_trust::release::{self, Release};
use orch_trust::time::UnixSeconds;

use super::error::RecipeError;
use super::sample::Samples;
use crate::advisory_db;
use crate::check::{
    dependency_match, dependency_review, licences, provenance, reproducible_build, vulnerabilities,
};
use crate::source::Source;

/// One known-bad input.
pub(super) struct Part {
    /// Id of the check that must refuse it.
    pub(super) check: &'static str,
    /// How one of its findings must begin.
    pub(super) code: &'static str,
    /// May write into the empty folder.
    pub(super) judge: fn(&Samples, &Path) -> Result<Judged, RecipeError>,
}

/// What the check says, and of what.
pub(super) struct Judged {
    pub(super) of: Sha256Digest,
    pub(super) result: CheckResult,
}

pub(super) const PARTS: &[Part] = &[
    Part {
        check: "dependency-match",
        code: "embedded-missing",
        // The sources use a package that the component's list does not name.
        judge: |samples, folder| {
            let package = samples.executor()?.seal()?;
            let source = source(folder, "MIT")?;
            let of = digest(&[package.manifest(), LOCK.as_bytes()]);
            Ok(Judged { of, result: dependency_match::check(&package, &source) })
        },
    },
    Part {
        check: "vulnerabilities",
        code: "vulnerability",
        judge: |_, folder| {
            let source = source(folder, "MIT")?;
            let result = vulnerable(&source, &folder.join("database"))?;
            Ok(Judged { of: digest(&[ADVISORY.as_bytes(), LOCK.as_bytes()]), result })
        },
    },
    Part {
        check: "licences",
        code: "licence-not-allowed",
        judge: |samples, folder| {
            let (package, license) = (samples.executor()?.seal()?, "GPL-3.0-only");
            let result = licences::check(&package, &source(folder, license)?);
            Ok(Judged { of: digest(&[package.manifest(), LOCK.as_bytes(), license.as_bytes()]), result })
        },
    },
    Part {
        check: "dependency-review",
        code: "review-missing",
        // What `cargo-vet` says of sources whose reviews do not hold.
        judge: |_, _| {
            let said = r#"{"conclusion":"fail (vetting)","failures":[{"name":"used","version":"1.0.0"}]}"#;
            let result = dependency_review::judge(said.as_bytes(), 255, 1);
            let result = result.map_err(|message| RecipeError::Made { message })?;
            Ok(Judged { of: digest(&[said.as_bytes()]), result })
        },
    },
    Part {
        check: "reproducible-build",
        code: "other-component",
        // A build gave one byte more.
        judge: |samples, _| {
            let package = samples.executor()?.seal()?;
            let built = [&*package.component(), &[0]].concat();
            let result = reproducible_build::compared(&package, &built);
            Ok(Judged { of: digest(&[package.manifest(), &built]), result })
        },
    },
    Part {
        check: "provenance",
        code: "source-other-commit",
        judge: |samples, _| {
            let (released, found) = ("ab".repeat(20), "cd".repeat(20));
            let package = released_as(samples, &released)?;
            let result = provenance::check(&package, &found, 0);
            Ok(Judged { of: digest(&[package.release().unwrap_or_default(), found.as_bytes()]), result })
        },
    },
];

/// The lock file of [`source`].
const LOCK: &str = r#"version = 4

[[package]]
name = "known"
version = "1.0.0"
dependencies = ["used"]

[[package]]
name = "used"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "abababababababababababababababababababababababababababababababab"
"#;

const ADVISORY: &str = r#"```toml
[advisory]
id = "RUSTSEC-2020-0001"
package = "used"
date = "2020-01-01"

[versions]
patched = [">= 2.0.0"]
```

# Made up

For the self-check.
"#;

/// A plugin that uses one package of crates.io with that licence.
fn source(folder: &Path, license: &str) -> Result<Source, RecipeError> {
    let package = |name: &str, source: Option<&str>, license: &str, uses: Vec<usize>| Dependency {
        name: name.to_owned(),
        version: semver::Version::new(1, 0, 0),
        source: source.map(str::to_owned),
        folder: folder.to_owned(),
        license: Some(license.to_owned()),
        runtime: true,
        uses,
    };
    let packages = vec![
        package("known", None, "MIT", vec![1]),
        package("used", Some(dependency_match::CRATES_IO), license, Vec::new()),
    ];
    let lock = LOCK.parse().map_err(|error: rustsec::cargo_lock::Error| made(&error))?;
    Ok(Source {
        top: folder.canonicalize().map_err(RecipeError::Write)?,
        commit: "ab".repeat(20),
        lock,
        lock_path: folder.join(crate::source::LOCK),
        lock_sha256: Sha256Digest::of(LOCK.as_bytes()),
        dependencies: Dependencies {
            packages,
            root: 0,
            target_folder: folder.to_owned(),
            workspace_folder: folder.to_owned(),
            library: "known".to_owned(),
        },
    })
}

/// What the library finds with a database of one advisory, as if the tool had found the same.
fn vulnerable(source: &Source, database: &Path) -> Result<CheckResult, RecipeError> {
    let inside = database.join("crates/used");
    std::fs::create_dir_all(&inside).map_err(RecipeError::Write)?;
    std::fs::write(inside.join("RUSTSEC-2020-0001.md"), ADVISORY).map_err(RecipeError::Write)?;
    let (_, content) = advisory_db::read(database).map_err(|error| made(&error))?;
    let hits =
        vulnerabilities::scan(&content, &source.lock).map_err(|message| RecipeError::Made { message })?;
    Ok(vulnerabilities::judge(&hits, &source.dependencies, source.lock.packages.len() as u64))
}

/// A sound package with a release of that commit, by a key that counts for nobody.
fn released_as(samples: &Samples, commit: &str) -> Result<PackageBytes, RecipeError> {
    let package = samples.executor()?.seal()?;
    let Manifest { id, version, .. } = package.parse_manifest().map_err(RecipeError::Package)?.clone();
    let source =
        release::Source { uri: "git+https://example.org/sample/known".to_owned(), commit: commit.to_owned() };
    let (channel, start) = ("stable".to_owned(), UnixSeconds(0));
    let not_after = start.plus(UnixSeconds::DAY);
    let said = Release {
        id,
        version,
        release_counter: 1,
        channel,
        issued_at: start,
        not_after,
        source: Some(source),
    };
    let nobody = SecretKey::from_seed(&[0; 32]);
    let bytes = release::sign(&package, said, &nobody).map_err(|error| made(&error))?;
    samples.executor()?.seal_then(RELEASE, &bytes)
}

fn digest(parts: &[&[u8]]) -> Sha256Digest {
    Sha256Digest::of(&parts.concat())
}

fn made(error: &dyn std::error::Error) -> RecipeError {
    RecipeError::Made { message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use orch_trust::certificate::CheckStatus::Pass;

    use super::*;

    /// The inputs refuse because of their one defect: without it the same checks pass.
    #[test]
    fn inputs_without_a_defect_pass() {
        let (samples, folder) = (Samples::default(), tempfile::tempdir().unwrap());
        let package = samples.executor().unwrap().seal().unwrap();
        let mut sound = source(folder.path(), "MIT").unwrap();
        assert_eq!(licences::check(&package, &sound).status, Pass);
        sound.dependencies.packages.pop();
        sound.dependencies.packages[0].uses.clear();
        let result = dependency_match::check(&package, &sound);
        assert_eq!((result.status, result.findings), (Pass, Vec::new()));
        assert_eq!(vulnerable(&sound, &folder.path().join("database")).unwrap().status, Pass);
        assert_eq!(reproducible_build::compared(&package, &package.component()).status, Pass);
        let commit = "ab".repeat(20);
        let released = released_as(&samples, &commit).unwrap();
        assert_eq!(provenance::check(&released, &commit, 0).status, Pass);
        let said = br#"{"conclusion":"success","vetted_fully":[{"name":"used","version":"1.0.0"}]}"#;
        assert_eq!(dependency_review::judge(said, 0, 1).unwrap().status, Pass);
    }
}
