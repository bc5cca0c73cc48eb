//! `cargo audit --json`: crates with advisories, and warnings by kind.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::json;
use crate::parsed::{Reading, Severity};

#[derive(Deserialize)]
struct Document {
    vulnerabilities: Vulnerabilities,
    #[serde(default)]
    warnings: BTreeMap<String, Vec<Entry>>,
    lockfile: Lockfile,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Lockfile {
    dependency_count: u64,
}

#[derive(Deserialize)]
struct Vulnerabilities {
    #[serde(default)]
    found: bool,
    list: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    package: Package,
    /// None for a version that was taken back.
    advisory: Option<Advisory>,
    versions: Option<Versions>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    title: String,
}

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
}

/// Adds every vulnerability and every warning.
///
/// # Errors
/// The document is malformed or cut.
pub fn read(text: &str, reading: &mut Reading) -> Result<(), serde_json::Error> {
    let document: Document = json::first(text)?;
    if document.lockfile.dependency_count == 0 {
        reading.broke.push("it looked at no crate".to_owned());
    }
    if document.vulnerabilities.found && document.vulnerabilities.list.is_empty() {
        reading.broke.push("it found vulnerabilities and names none".to_owned());
    }
    for entry in &document.vulnerabilities.list {
        reading.push_message(Severity::Major, entry.message("vulnerable"));
    }
    for (kind, entries) in &document.warnings {
        for entry in entries {
            reading.push_message(Severity::Medium, entry.message(kind));
        }
    }
    Ok(())
}

impl Entry {
    fn message(&self, kind: &str) -> String {
        let Package { name, version } = &self.package;
        let Some(Advisory { id, title }) = &self.advisory else {
            return format!("{kind}: {name} {version}");
        };
        let patched = self.versions.as_ref().map_or("", |versions| {
            if versions.patched.is_empty() { ", no version without it" } else { ", cured in " }
        });
        let versions =
            self.versions.as_ref().map(|versions| versions.patched.join(" or ")).unwrap_or_default();
        format!("{kind}: {name} {version}: {title} ({id}{patched}{versions})")
    }
}
