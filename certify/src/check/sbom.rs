//! Check `sbom`: the bill of materials is readable, of this component, and names what the modules name.
//!
//! In -> out: `sbom.cdx.json` and component -> result. Looks at every entry.
//! Limits: CycloneDX 1.3 to 1.6 as JSON; numbers are integers (`strict_json`).
//! Invariant: equality, not inclusion: an entry too many is as wrong as one too few.
//! A component with a known engine has no list of the plugin's own: there the bill must name the engine.
//! Off-spec: only the fields that are judged are typed. What else CycloneDX allows is left alone.
//! Not here: whether the lock file says the same, whether licences are allowed.

use std::collections::{BTreeMap, BTreeSet};

use auditable_serde::{Source, VersionInfo};
use orch_trust::certificate::CheckResult;
use orch_trust::digest::Sha256Digest;
use orch_trust::strict_json;
use serde::Deserialize;

use super::{Subject, dependency_list, failed, judged, skipped};

const ID: &str = "sbom";
const FORMAT: &str = "CycloneDX";
const VERSIONS: [&str; 4] = ["1.3", "1.4", "1.5", "1.6"];
const DIGEST: &str = "SHA-256";
const PURL: &str = "pkg:cargo/";

/// A bill of materials, as far as it is judged.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bill {
    bom_format: String,
    spec_version: String,
    metadata: Metadata,
    #[serde(default)]
    components: Vec<Entry>,
    #[serde(default)]
    dependencies: Vec<Uses>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    component: Entry,
}

/// One package.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    name: String,
    version: Option<String>,
    purl: Option<String>,
    #[serde(default)]
    hashes: Vec<Hash>,
    /// Packages inside this one: none is looked into, so none may be.
    #[serde(default)]
    components: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Hash {
    alg: String,
    content: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Uses {
    #[serde(rename = "ref")]
    user: String,
    #[serde(default)]
    depends_on: Vec<String>,
}

/// What makes a package in both lists: name, version, where from.
type Named = (String, String, &'static str);

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    let bill: Bill = match strict_json::parse(subject.package.sbom()) {
        Ok(bill) => bill,
        Err(error) => return failed(ID, 1, vec![format!("sbom-unreadable: {error}")]),
    };
    let looked_at = 1 + bill.components.len() as u64;
    let mut findings = form(&bill);
    findings.extend(subject_of(&bill.metadata.component, subject.package.component_digest()));
    findings.extend(references(&bill));
    let engine = subject.facts.as_ref().ok().and_then(|facts| facts.engine.as_ref());
    if let Some(engine) = engine {
        findings.extend(engine_of(&bill, &engine.name));
        return judged(ID, looked_at, findings);
    }
    let embedded = match &subject.facts {
        Ok(_) => dependency_list::lists(&subject.package.component()).ok().filter(|lists| !lists.is_empty()),
        Err(_) => None,
    };
    match embedded {
        Some(lists) => findings.extend(compare(&bill, &lists)),
        None if findings.is_empty() => {
            return skipped(ID, "the component has no dependency list to compare with");
        }
        None => {}
    }
    judged(ID, looked_at, findings)
}

fn form(bill: &Bill) -> Vec<String> {
    let mut findings = Vec::new();
    if bill.bom_format != FORMAT || !VERSIONS.contains(&bill.spec_version.as_str()) {
        findings.push(format!("sbom-format: it is not one of CycloneDX {}", VERSIONS.join(", ")));
    }
    if bill.components.iter().chain([&bill.metadata.component]).any(|entry| !entry.components.is_empty()) {
        findings.push("sbom-nested: a component lies inside another".to_owned());
    }
    findings
}

/// The bill's subject is the component of these bytes.
fn subject_of(entry: &Entry, digest: Sha256Digest) -> Option<String> {
    let mut stated = entry.hashes.iter().filter(|hash| hash.alg == DIGEST).map(|hash| hash.content.as_str());
    match (stated.next(), stated.next()) {
        (Some(one), None) if one == digest.to_string() => None,
        (Some(_), None) => Some("sbom-subject: its subject has another digest than the component".to_owned()),
        (None, _) => Some(format!("sbom-subject: its subject has no {DIGEST}")),
        (Some(_), Some(_)) => Some(format!("sbom-subject: its subject has several {DIGEST}")),
    }
}

/// The bill names the engine that the component has in it.
fn engine_of(bill: &Bill, engine: &str) -> Option<String> {
    let named = |entry: &Entry| entry.version.as_ref().map(|version| format!("{} {version}", entry.name));
    let is_there = bill.components.iter().filter_map(named).any(|name| name == engine);
    (!is_there).then(|| format!("sbom-engine: it does not name the engine, `{engine}`"))
}

/// References are unique, and lead somewhere.
fn references(bill: &Bill) -> Vec<String> {
    let (mut known, mut findings) = (BTreeSet::new(), Vec::new());
    for entry in bill.components.iter().chain([&bill.metadata.component]) {
        match &entry.reference {
            None => findings.push(format!("sbom-reference: `{}` has none", entry.name.escape_default())),
            Some(reference) if !known.insert(reference.as_str()) => {
                findings.push(format!("sbom-reference: `{}` is there twice", reference.escape_default()));
            }
            Some(_) => {}
        }
    }
    let mut users = BTreeSet::new();
    for uses in &bill.dependencies {
        if !users.insert(uses.user.as_str()) {
            findings
                .push(format!("sbom-reference: what `{}` uses is there twice", uses.user.escape_default()));
        }
        for reference in uses.depends_on.iter().chain([&uses.user]) {
            if !known.contains(reference.as_str()) {
                findings.push(format!("sbom-reference: `{}` names nothing", reference.escape_default()));
            }
        }
    }
    if known.iter().any(|reference| !users.contains(reference)) {
        findings.push("sbom-incomplete: not every package says what it uses".to_owned());
    }
    findings
}

/// What is in one list and not in the other. The subject is the package that a module calls its own.
fn compare(bill: &Bill, lists: &[VersionInfo]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut stated: BTreeMap<Named, u64> = BTreeMap::new();
    for entry in bill.components.iter().chain([&bill.metadata.component]) {
        match named(entry) {
            Ok(named) => *stated.entry(named).or_default() += 1,
            Err(why) => findings.push(format!("sbom-package: `{}` {why}", entry.name.escape_default())),
        }
    }
    let embedded: BTreeSet<Named> = lists.iter().flat_map(|list| &list.packages).map(embedded_name).collect();
    let roots: BTreeSet<Named> =
        lists.iter().flat_map(|list| &list.packages).filter(|one| one.root).map(embedded_name).collect();
    if !named(&bill.metadata.component).is_ok_and(|subject| roots.contains(&subject)) {
        findings.push("sbom-subject: its subject is no package that a module calls its own".to_owned());
    }
    for package in embedded.iter().filter(|package| !stated.contains_key(*package)) {
        findings.push(format!("sbom-incomplete: {} is in the component and not in the list", shown(package)));
    }
    for (package, times) in &stated {
        if !embedded.contains(package) {
            findings
                .push(format!("sbom-surplus: {} is in the list and not in the component", shown(package)));
        } else if *times > 1 && !lists.iter().any(|list| count(list, package) >= *times) {
            findings.push(format!(
                "sbom-surplus: {} is in the list more often than in the component",
                shown(package)
            ));
        }
    }
    findings
}

/// How often it is there: two forges may have a package of one name and version.
fn count(list: &VersionInfo, package: &Named) -> u64 {
    list.packages.iter().filter(|one| embedded_name(one) == *package).count() as u64
}

fn embedded_name(package: &auditable_serde::Package) -> Named {
    let source = match package.source {
        Source::CratesIo => "crates.io",
        Source::Git => "git",
        Source::Local => "local",
        _ => "registry",
    };
    (package.name.clone(), package.version.to_string(), source)
}

/// An entry's name; its package URL must say the same.
fn named(entry: &Entry) -> Result<Named, &'static str> {
    let version = entry.version.as_ref().ok_or("has no version")?;
    let Some(purl) = &entry.purl else {
        return Ok((entry.name.clone(), version.clone(), "local"));
    };
    let rest = purl.strip_prefix(PURL).ok_or("is no package of cargo")?;
    let (plain, qualifiers) = rest.split_once('?').map_or((rest, ""), |(plain, more)| (plain, more));
    let (name, encoded) = plain.split_once('@').ok_or("has a package URL without a version")?;
    if name != entry.name || decoded(encoded).as_deref() != Some(version) {
        return Err("has a package URL of another package");
    }
    let source = match qualifiers.split_once('=').map(|(key, _)| key) {
        None if qualifiers.is_empty() => "crates.io",
        Some("vcs_url") => "git",
        Some("repository_url") => "registry",
        Some("download_url") => "local",
        _ => return Err("has a package URL with unknown qualifiers"),
    };
    Ok((entry.name.clone(), version.clone(), source))
}

/// Text without its percent signs; none if they are wrong.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        out.extend(hex::decode(digits).ok()?);
        out.extend(rest.as_bytes());
    }
    String::from_utf8(out).ok()
}

fn shown((name, version, source): &Named) -> String {
    format!("`{} {}` ({source})", name.escape_default(), version.escape_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(purl: Option<&str>, expected: Result<&str, ()>) {
        let entry = Entry {
            reference: None,
            name: "a".to_owned(),
            version: Some("1.0.0+b".to_owned()),
            purl: purl.map(str::to_owned),
            hashes: Vec::new(),
            components: Vec::new(),
        };
        let found = named(&entry);
        assert_eq!(
            found.as_ref().map(|(_, _, source)| *source).map_err(|_| ()),
            expected,
            "{purl:?} {found:?}"
        );
    }

    #[test]
    fn a_package_url_says_the_same_as_its_entry() {
        check(None, Ok("local"));
        check(Some("pkg:cargo/a@1.0.0%2Bb"), Ok("crates.io"));
        check(Some("pkg:cargo/a@1.0.0+b"), Ok("crates.io"));
        check(Some("pkg:cargo/a@1.0.0%2Bb?vcs_url=git%2Bhttps://x"), Ok("git"));
        check(Some("pkg:cargo/a@1.0.0%2Bb?repository_url=x"), Ok("registry"));
        check(Some("pkg:cargo/a@1.0.0%2Bb?x"), Err(()));
        check(Some("pkg:cargo/a@1.0.0"), Err(()));
        check(Some("pkg:cargo/b@1.0.0%2Bb"), Err(()));
        check(Some("pkg:cargo/a@1.0.0%2"), Err(()));
        check(Some("pkg:cargo/a"), Err(()));
        check(Some("pkg:npm/a@1.0.0%2Bb"), Err(()));
    }
}
