//! Checks: each looks at one side of a package.
//!
//! In -> out: [`Subject`] -> [`CheckResult`].
//! Limits: 32 findings a check, 500 characters each.
//! Invariant: a check that cannot look is `skipped`, never `pass`; a finding has no time, path or measured value, so
//! that every certifier with the same tools says the same.
//! Not here: what calls the plugin, which lies above (`conformance.rs`, `behaviour.rs`), running a group (`group.rs`),
//! which checks are required (`orch-trust`'s `certificate.rs`).

pub mod api_compatibility;
pub mod complexity;
pub mod component;
pub mod custom_sections;
pub mod dangerous_content;
pub mod dependency_list;
pub(crate) mod dependency_match;
pub(crate) mod dependency_review;
pub mod exports;
pub mod file_set;
pub mod from_outside;
pub mod imports;
pub mod licences;
pub mod manifest;
pub mod memory;
pub mod names;
mod parts;
pub(crate) mod provenance;
pub mod reproducible_build;
pub mod sbom;
pub mod secrets;
pub mod start_functions;
pub(crate) mod vulnerabilities;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use orch_host::engine::FEATURES;
use orch_host::manifest_schema;
use orch_host::package::{self, PackageError};
use orch_trust::authority::Level;
use orch_trust::certificate::{CheckResult, CheckStatus, Measured, SelfCheck, Tool};
use orch_trust::digest::Sha256Digest;
use orch_trust::facts::Facts;
use orch_trust::inputs::Inputs;
use orch_trust::manifest::{Manifest, Role};
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::refusal::Refusal;
use serde::{Deserialize, Serialize};
use wasmparser::Validator;

const FINDINGS_MAX: usize = 32;
const FINDING_CHARACTERS_MAX: usize = 500;
/// Raised when a check begins to look at more or at something else.
const CHECK_VERSION: u32 = 1;

/// This tool, as certificates name it.
pub fn tool() -> Tool {
    Tool { name: "orch-certify".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// Checks that run in one child process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Manifest, names, file set.
    Package,
    /// What the component is made of.
    Component,
    /// What it contains that nobody wants: secrets, programs, undeclared packages.
    Contents,
    /// Whether it goes on where the last release was. Level `certified` only.
    Compatibility,
    /// What it is made of, against its sources and a database of advisories. Level `certified` only.
    Dependencies,
    /// Whether its sources give these bytes. Level `certified` only.
    Source,
    /// How it behaves in that role.
    Conformance(Role),
    /// How it behaves when it is called in ways of our own.
    Behaviour,
    /// Whether this tool still refuses what is known to be bad.
    SelfCheck,
}

impl Group {
    /// The groups of that level for a plugin of those roles, in order.
    pub fn of(level: Level, roles: &[Role]) -> Vec<Self> {
        let mut groups = vec![Self::Package, Self::Component, Self::Contents];
        if level == Level::Development {
            return groups;
        }
        if level == Level::Certified {
            groups.extend([Self::Compatibility, Self::Dependencies, Self::Source]);
        }
        groups.extend(roles.iter().copied().map(Self::Conformance));
        groups.push(Self::Behaviour);
        groups.push(Self::SelfCheck);
        groups
    }

    pub fn name(self) -> String {
        match self {
            Self::Package => "package".to_owned(),
            Self::Component => "component".to_owned(),
            Self::Contents => "contents".to_owned(),
            Self::Compatibility => "compatibility".to_owned(),
            Self::Dependencies => "dependencies".to_owned(),
            Self::Source => "source".to_owned(),
            Self::Conformance(role) => format!("conformance/{}", role.as_str()),
            Self::SelfCheck => "self-check".to_owned(),
            Self::Behaviour => "behaviour".to_owned(),
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "package" => Some(Self::Package),
            "component" => Some(Self::Component),
            "contents" => Some(Self::Contents),
            "compatibility" => Some(Self::Compatibility),
            "self-check" => Some(Self::SelfCheck),
            "behaviour" => Some(Self::Behaviour),
            "dependencies" => Some(Self::Dependencies),
            "source" => Some(Self::Source),
            other => other.strip_prefix("conformance/").and_then(Role::from_word).map(Self::Conformance),
        }
    }

    /// Ids of its checks, in the order of their results.
    pub fn checks(self) -> Vec<String> {
        let fixed: &[&str] = match self {
            Self::Package => &["manifest", "names", "file-set"],
            Self::Component => &[
                "component",
                "imports",
                "exports",
                "memory",
                "start-functions",
                "complexity",
                "custom-sections",
            ],
            Self::Contents => &["dependency-list", "sbom", "secrets", "dangerous-content"],
            Self::Compatibility => &["api-compatibility"],
            Self::Behaviour => &["fuzz", "permission-probe", "determinism", "resource-profile", "isolation"],
            Self::Dependencies => &["dependency-match", "vulnerabilities", "licences", "dependency-review"],
            Self::Source => &["reproducible-build", "provenance"],
            Self::Conformance(_) | Self::SelfCheck => return vec![self.name()],
        };
        fixed.iter().map(|id| (*id).to_owned()).collect()
    }
}

/// What one child says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupReport {
    pub results: Vec<CheckResult>,
    pub measured: Measured,
    /// Of the group `SelfCheck` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_check: Option<SelfCheck>,
    #[serde(default)]
    pub inputs: Inputs,
}

/// What may be known beside the package. A certificate names it by its digest: certifiers agree on a result only if they
/// are told the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Beside {
    /// Ids of other plugins, which this one should not be taken for.
    pub known: Vec<PluginId>,
    /// Folder of the release before this one.
    pub previous: Option<PathBuf>,
}

impl Beside {
    /// Of the known ids, if there are some: in whatever order they are given, and how often.
    pub fn known_ids_sha256(&self) -> Option<Sha256Digest> {
        let ids: BTreeSet<&str> = self.known.iter().map(PluginId::as_str).collect();
        let lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
        (!ids.is_empty()).then(|| Sha256Digest::of(lines.as_bytes()))
    }
}

/// What the static checks look at.
pub struct Subject<'a> {
    pub package: &'a PackageBytes,
    pub manifest: Result<&'a Manifest, Refusal>,
    pub facts: Result<Facts, Refusal>,
    pub beside: &'a Beside,
    validity: OnceCell<Result<(), String>>,
    previous: OnceCell<Result<PackageBytes, PackageError>>,
}

impl<'a> Subject<'a> {
    pub fn new(package: &'a PackageBytes, beside: &'a Beside) -> Self {
        let manifest = manifest_schema::read(package);
        let facts = Facts::derive(&package.component());
        Self { package, manifest, facts, beside, validity: OnceCell::new(), previous: OnceCell::new() }
    }

    /// The release before this one, if one was given: read once, when it is first wanted.
    pub(crate) fn previous(&self) -> Option<&Result<PackageBytes, PackageError>> {
        let folder = self.beside.previous.as_ref()?;
        Some(self.previous.get_or_init(|| package::read(folder)))
    }

    /// What of the things beside the package these checks came to an end with.
    fn inputs(&self, results: &[CheckResult]) -> Inputs {
        let ended = |status| !matches!(status, CheckStatus::Error | CheckStatus::Skipped);
        let looked = |id: &str| results.iter().any(|result| result.id == id && ended(result.status));
        let previous = self.previous.get().and_then(|read| read.as_ref().ok());
        Inputs {
            known_ids_sha256: self.beside.known_ids_sha256().filter(|_| looked(names::ID)),
            previous_manifest_sha256: previous
                .filter(|_| looked(api_compatibility::ID))
                .map(|before| Sha256Digest::of(before.manifest())),
            ..Inputs::default()
        }
    }

    /// Whether the whole component is valid, function bodies included, with the features of the engine that will run
    /// it and no more; else why not.
    pub(crate) fn validity(&self) -> &Result<(), String> {
        self.validity.get_or_init(|| {
            let validated = Validator::new_with_features(FEATURES).validate_all(&self.package.component());
            validated.map(drop).map_err(|error| error.message().to_owned())
        })
    }

    /// Manifest and facts of a valid component; else the check of that id is skipped.
    pub(crate) fn both_valid(&self, id: &str) -> Result<(&Manifest, &Facts), Box<CheckResult>> {
        let both = self.both(id)?;
        match self.validity() {
            Ok(()) => Ok(both),
            Err(_) => Err(Box::new(skipped(id, "component is not valid"))),
        }
    }

    /// Manifest and facts; else the check of that id is skipped, and says for want of what.
    pub(crate) fn both(&self, id: &str) -> Result<(&Manifest, &Facts), Box<CheckResult>> {
        match (&self.manifest, &self.facts) {
            (Ok(manifest), Ok(facts)) => Ok((manifest, facts)),
            (Err(refusal), _) => Err(Box::new(skipped(id, &format!("no manifest: {}", refusal.code())))),
            (_, Err(refusal)) => Err(Box::new(skipped(id, &format!("no facts: {}", refusal.code())))),
        }
    }
}

/// Runs the static checks of a group; one that runs the plugin or looks outside has none.
pub fn run_static(group: Group, package: &PackageBytes, beside: &Beside) -> GroupReport {
    let subject = Subject::new(package, beside);
    let checks: &[Check] = match group {
        Group::Package => &[manifest::check, names::check, file_set::check],
        Group::Component => &[
            component::check,
            imports::check,
            exports::check,
            memory::check,
            start_functions::check,
            complexity::check,
            custom_sections::check,
        ],
        Group::Contents => &[dependency_list::check, sbom::check, secrets::check, dangerous_content::check],
        Group::Compatibility => &[api_compatibility::check],
        Group::Dependencies | Group::Source | Group::Conformance(_) | Group::Behaviour | Group::SelfCheck => {
            &[]
        }
    };
    let results: Vec<CheckResult> = checks.iter().map(|check| timed(|| check(&subject))).collect();
    let inputs = subject.inputs(&results);
    GroupReport { results, measured: Measured::default(), self_check: None, inputs }
}

/// One static check.
type Check = fn(&Subject<'_>) -> CheckResult;

/// It looked at so many things and all were well. `notes`: what a person should know all the same.
pub(crate) fn passed(id: &str, looked_at: u64, notes: Vec<String>) -> CheckResult {
    result(id, CheckStatus::Pass, looked_at, notes)
}

/// It looked and found what refuses the package.
pub(crate) fn failed(id: &str, looked_at: u64, findings: Vec<String>) -> CheckResult {
    result(id, CheckStatus::Fail, looked_at, findings)
}

/// It could not look, because something else is missing.
pub(crate) fn skipped(id: &str, why: &str) -> CheckResult {
    result(id, CheckStatus::Skipped, 0, vec![why.to_owned()])
}

/// It did not come to an end.
pub(crate) fn unfinished(id: &str, why: &str) -> CheckResult {
    result(id, CheckStatus::Error, 0, vec![why.to_owned()])
}

/// Passed if there is no finding.
pub(crate) fn judged(id: &str, looked_at: u64, findings: Vec<String>) -> CheckResult {
    match findings.is_empty() {
        true => passed(id, looked_at, findings),
        false => failed(id, looked_at, findings),
    }
}

/// It looked and found what a person should weigh; the required list says how many of those still count.
pub fn warned(id: &str, looked_at: u64, findings: Vec<String>) -> CheckResult {
    result(id, CheckStatus::Warn, looked_at, findings)
}

/// A warning if there is a finding, else passed.
pub(crate) fn warned_if(id: &str, looked_at: u64, findings: Vec<String>) -> CheckResult {
    match findings.is_empty() {
        true => passed(id, looked_at, findings),
        false => warned(id, looked_at, findings),
    }
}

fn result(id: &str, status: CheckStatus, looked_at: u64, findings: Vec<String>) -> CheckResult {
    let cut = |text: String| text.chars().take(FINDING_CHARACTERS_MAX).collect();
    let said = format!("{id} {CHECK_VERSION} {} {looked_at}\n{}", status.as_str(), findings.join("\n"));
    CheckResult {
        id: id.to_owned(),
        version: CHECK_VERSION,
        tool: tool(),
        status,
        looked_at,
        findings: findings.into_iter().take(FINDINGS_MAX).map(cut).collect(),
        duration_ms: 0,
        evidence_sha256: Sha256Digest::of(said.as_bytes()),
    }
}

/// The check's result with the time that it took.
pub(crate) fn timed(check: impl FnOnce() -> CheckResult) -> CheckResult {
    let started = Instant::now();
    let result = check();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    CheckResult { duration_ms, ..result }
}

/// A refusal as a finding: its code, then what and why.
pub(crate) fn finding(refusal: &Refusal) -> String {
    let mut text = format!("{}: {refusal}", refusal.code());
    let mut source = refusal.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use orch_trust::certificate::required_checks;

    use super::*;

    #[test]
    fn groups_run_every_check_that_a_level_requires_once() {
        for level in [Level::Local, Level::Certified] {
            let mut offered: Vec<String> =
                Group::of(level, &Role::ALL).into_iter().flat_map(Group::checks).collect();
            let mut required: Vec<String> =
                required_checks(level, &Role::ALL).into_iter().map(|check| check.id).collect();
            offered.sort();
            required.sort();
            assert_eq!(offered, required);
        }
    }

    #[test]
    fn known_ids_are_the_same_in_whatever_order_they_are_given() {
        let beside = |ids: &[&str]| {
            let known = ids.iter().map(|id| PluginId::parse(id).unwrap()).collect();
            Beside { known, previous: None }.known_ids_sha256()
        };
        assert_eq!(beside(&[]), None);
        assert_eq!(beside(&["b/x", "a/x"]), Some(Sha256Digest::of(b"a/x\nb/x\n")));
        assert_eq!(beside(&["a/x", "b/x", "a/x"]), beside(&["b/x", "a/x"]));
        assert_ne!(beside(&["a/x"]), beside(&["b/x"]));
    }

    #[test]
    fn a_group_is_found_by_its_name() {
        for group in Group::of(Level::Certified, &Role::ALL) {
            assert_eq!(Group::from_name(&group.name()), Some(group));
        }
        for wrong in ["", "conformance", "conformance/broker", "static"] {
            assert_eq!(Group::from_name(wrong), None, "{wrong}");
        }
    }
}
