//! Known holes of the engine: advisories that concern the version that is linked.
//!
//! In -> out: folder of an advisory database (RustSec's layout, `crates/<crate>/*.md`) -> [`Found`].
//! Limits: 64 KiB an advisory, 10,000 advisories.
//! Invariant: an advisory of the engine that cannot be read is an error, never no hole.
//! Not here: dependencies of plugins (`orch-certify`).

use std::fs;
use std::path::{Path, PathBuf};

use orch_trust::time::UnixSeconds;
use serde::Deserialize;

use crate::engine::version::WASMTIME_VERSION;
use crate::regular_file::{self, Links};

const ADVISORY_BYTES_MAX: u64 = 64 << 10;
const ADVISORIES_MAX: usize = 10_000;
/// Crates of the engine; they share its version.
const CRATES: [&str; 3] = ["wasmtime", "wasmtime-wasi", "wasmtime-wasi-http"];
const BEGIN: &str = "```toml\n";
const END: &str = "\n```";

/// What an advisory database says of the engine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Advisories of the engine's crates.
    pub looked_at: usize,
    /// Ids of those that concern the linked version.
    pub open: Vec<String>,
    /// Date of the newest advisory of all crates.
    pub newest: UnixSeconds,
}

/// Why the database says nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdvisoriesError {
    #[error("cannot read `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("advisory `{path}` is malformed: {why}")]
    Malformed { path: PathBuf, why: String },
    #[error("`{path}` has no advisories of the engine: it is no advisory database")]
    Empty { path: PathBuf },
}

#[derive(Deserialize)]
struct Text {
    advisory: Head,
    #[serde(default)]
    versions: Versions,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    date: String,
    #[serde(default)]
    withdrawn: Option<String>,
}

#[derive(Default, Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// Reads the database.
pub(super) fn look(database: &Path) -> Result<Found, AdvisoriesError> {
    let version = semver::Version::parse(WASMTIME_VERSION)
        .map_err(|error| AdvisoriesError::Malformed { path: database.to_owned(), why: error.to_string() })?;
    let mut found = Found { looked_at: 0, open: Vec::new(), newest: UnixSeconds(0) };
    let crates = database.join("crates");
    for folder in entries(&crates)? {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let concerns_us = CRATES.contains(&name.as_str());
        for path in entries(&folder)? {
            // Others need only their date: one that cannot be read says nothing about the engine.
            let text = match read(&path) {
                Err(error) if concerns_us => return Err(error),
                Err(_) => continue,
                Ok(text) => text,
            };
            let date = format!("{}T00:00:00Z", text.advisory.date);
            if let Ok(date) = UnixSeconds::parse(&date) {
                found.newest = found.newest.max(date);
            }
            if concerns_us {
                found.looked_at += 1;
                if text.advisory.withdrawn.is_none() && concerns(&path, &text.versions, &version)? {
                    found.open.push(text.advisory.id);
                }
            }
        }
    }
    match found.looked_at {
        0 => Err(AdvisoriesError::Empty { path: database.to_owned() }),
        _ => Ok(found),
    }
}

/// True if the version is neither patched nor unaffected.
fn concerns(path: &Path, versions: &Versions, version: &semver::Version) -> Result<bool, AdvisoriesError> {
    for range in versions.patched.iter().chain(&versions.unaffected) {
        let range = semver::VersionReq::parse(range)
            .map_err(|error| AdvisoriesError::Malformed { path: path.to_owned(), why: error.to_string() })?;
        if range.matches(version) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read(path: &Path) -> Result<Text, AdvisoriesError> {
    let malformed = |why: String| AdvisoriesError::Malformed { path: path.to_owned(), why };
    let (text, _) = regular_file::read_text(path, Links::Refused, ADVISORY_BYTES_MAX)
        .map_err(|source| AdvisoriesError::Io { path: path.to_owned(), source: source.into() })?;
    let head = text.strip_prefix(BEGIN).and_then(|rest| rest.split_once(END));
    let (head, _) = head.ok_or_else(|| malformed("it does not begin with TOML".to_owned()))?;
    toml::from_str(head).map_err(|error| malformed(error.message().to_owned()))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, AdvisoriesError> {
    let io = |source| AdvisoriesError::Io { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)?.take(ADVISORIES_MAX) {
        found.push(entry.map_err(io)?.path());
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(of: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for (name, id, versions) in of {
            let folder = home.path().join("crates").join(name);
            fs::create_dir_all(&folder).unwrap();
            let text = format!(
                "```toml\n[advisory]\nid = \"{id}\"\npackage = \"{name}\"\ndate = \"2026-08-0{}\"\n{versions}\n```\n\n# Hole\n",
                id.len()
            );
            fs::write(folder.join(format!("{id}.md")), text).unwrap();
        }
        home
    }

    #[test]
    fn what_is_neither_patched_nor_unaffected_nor_withdrawn_is_open() {
        let home = database(&[
            ("wasmtime", "A", "[versions]\npatched = [\">= 48.0.4\"]"),
            ("wasmtime", "BB", "[versions]\npatched = [\">= 9999.0.0\"]"),
            ("wasmtime-wasi", "CCC", "[versions]\npatched = []\nunaffected = [\"< 100.0.0\"]"),
            ("wasmtime-wasi", "DDDD", "withdrawn = \"2026-01-01\"\n[versions]\npatched = []"),
            ("other", "EEEEE", "[versions]\npatched = []"),
        ]);
        let found = look(home.path()).unwrap();
        assert_eq!((found.looked_at, found.open), (4, vec!["BB".to_owned()]));
        assert_eq!(found.newest, UnixSeconds::parse("2026-08-05T00:00:00Z").unwrap());
    }

    #[test]
    fn what_cannot_be_read_is_no_good_news() {
        let home = database(&[("other", "E", "[versions]\npatched = []")]);
        assert!(matches!(look(home.path()), Err(AdvisoriesError::Empty { .. })));
        assert!(matches!(look(&home.path().join("nowhere")), Err(AdvisoriesError::Io { .. })));
        let home = database(&[("wasmtime", "A", "[versions]\npatched = [\"soon\"]")]);
        assert!(matches!(look(home.path()), Err(AdvisoriesError::Malformed { .. })));
        let home = database(&[("wasmtime", "A", "[versions]\npatched = 3")]);
        assert!(matches!(look(home.path()), Err(AdvisoriesError::Malformed { .. })));
    }
}
