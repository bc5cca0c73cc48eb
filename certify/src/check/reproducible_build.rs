//! Check `reproducible-build`: the committed sources give these very bytes, wherever and however they are built.
//!
//! In -> out: package, repository, an empty folder -> result, and which compiler it was. Looks at two builds.
//! Limits: 10 min for each build.
//! Invariant: two builds of two copies of the commit, in other folders, homes, languages and time zones, with another
//! number of jobs, one after the other; each equals the package's component and bill of materials byte for byte.
//! Build scripts and macros of the sources run here, with walls around them (`Home::confined`).
//! Not here: how a plugin is built (`orch-plugin`), whether the commit is the released one (`provenance.rs`).

use std::path::Path;
use std::time::Duration;

use orch_plugin::build::{BuildRequest, build};
use orch_plugin::target::Target;
use orch_plugin::toolchain;
use orch_trust::certificate::CheckResult;
use orch_trust::package::{COMPONENT, PackageBytes, SBOM};
use orch_trust::strict_json;
use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

use super::{judged, unfinished};
use crate::outside::{Home, Programs};
use crate::program;
use crate::repository::Repository;

pub(crate) const ID: &str = "reproducible-build";
/// The verb under which this binary builds a plugin, in a home that the check made.
pub const VERB: &str = "rebuild";
const BUILD_WALL: Duration = Duration::from_secs(600);
/// What differs between the two builds, their folders and the time apart.
const WAYS: [(&str, &[(&str, &str)]); 2] = [
    ("one", &[("CARGO_BUILD_JOBS", "1"), ("LC_ALL", "C"), ("TZ", "UTC"), ("USER", "one")]),
    (
        "another/and/deeper",
        &[("CARGO_BUILD_JOBS", "2"), ("LC_ALL", "C.UTF-8"), ("TZ", "Pacific/Chatham"), ("USER", "another")],
    ),
];

/// What the verb says of a build.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebuilt {
    /// As the compiler says it.
    pub rustc: String,
}

/// Builds the project into that folder, with the compiler that is there already.
///
/// # Errors
/// In words: no compiler, or why it did not build.
pub fn rebuild(project: &Path, out: &Path) -> anyhow::Result<Rebuilt> {
    let target = Target::wanted(project, false)?;
    let Some(toolchain) = toolchain::find(target) else {
        anyhow::bail!("no compiler for plugins is there; `orch-plugin build` gets one");
    };
    build(&BuildRequest { project, toolchain: &toolchain, out: Some(out), quiet: true })?;
    Ok(Rebuilt { rustc: toolchain.version })
}

pub(crate) fn check(
    package: &PackageBytes,
    repository: &Repository<'_>,
    programs: &Programs,
    folder: &Path,
) -> (CheckResult, Option<String>) {
    let mut findings = Vec::new();
    let (mut rustc, mut first): (_, Option<Vec<u8>>) = (None, None);
    for (name, differs) in WAYS {
        let built = match build_one(repository, programs, &folder.join(name), differs) {
            Ok(built) => built,
            Err(Failure::Broken(why)) => return (unfinished(ID, &why), None),
            Err(Failure::NotBuilt(why)) => return (judged(ID, 1, vec![why]), None),
        };
        findings.extend(compare(package, first.as_deref(), &built));
        rustc = Some(built.rustc);
        first.get_or_insert(built.component);
    }
    (judged(ID, WAYS.len() as u64, findings), rustc)
}

struct Built {
    rustc: String,
    component: Vec<u8>,
    sbom: Vec<u8>,
}

enum Failure {
    /// The certifier's machine could not try.
    Broken(String),
    /// The sources do not build.
    NotBuilt(String),
}

fn build_one(
    repository: &Repository<'_>,
    programs: &Programs,
    folder: &Path,
    differs: &[(&str, &str)],
) -> Result<Built, Failure> {
    let broken = |error: std::io::Error| Failure::Broken(format!("place: {error}"));
    std::fs::create_dir_all(folder).map_err(broken)?;
    let home = Home::make(folder, programs, differs).map_err(Failure::Broken)?;
    let project = repository.copy(&folder.join("source")).map_err(Failure::Broken)?;
    let out = folder.join("out");
    let own = std::env::current_exe().map_err(broken)?;
    let args = [VERB.into(), project.into_os_string(), out.clone().into_os_string()];
    let request = home.confined(home.request(&own, args, None, BUILD_WALL), programs, &[]);
    let said = request.and_then(|request| program::run("orch-certify rebuild", request));
    let said = said.map_err(Failure::Broken)?;
    if said.code != 0 {
        // Findings are the same wherever it was built.
        let trace = said.trace().replace(&folder.display().to_string(), "BUILD");
        return Err(Failure::NotBuilt(format!("not-built: {trace}")));
    }
    let Rebuilt { rustc } =
        strict_json::parse(&said.stdout).map_err(|error| Failure::Broken(format!("tool-output: {error}")))?;
    let read = |name: &str| std::fs::read(out.join(name)).map_err(broken);
    Ok(Built { rustc, component: read(COMPONENT)?, sbom: read(SBOM)? })
}

/// What the check says of a build with that component and the package's own bill.
pub(crate) fn compared(package: &PackageBytes, component: &[u8]) -> CheckResult {
    let (rustc, sbom) = (String::new(), package.sbom().to_owned());
    let findings = compare(package, None, &Built { rustc, component: component.to_owned(), sbom });
    judged(ID, 1, findings)
}

fn compare(package: &PackageBytes, first: Option<&[u8]>, built: &Built) -> Vec<String> {
    let mut findings = Vec::new();
    let submitted = package.component();
    if *built.component != *submitted {
        let place = difference(&submitted, &built.component);
        findings.push(format!("other-component: it differs from the package's in {place}"));
    }
    if built.sbom != package.sbom() {
        findings.push("other-sbom: it differs from the package's".to_owned());
    }
    if let Some(first) = first.filter(|first| *first != built.component) {
        let place = difference(first, &built.component);
        findings.push(format!("not-reproducible: two builds differ in {place}"));
    }
    findings
}

/// The first section that differs, in words.
fn difference(one: &[u8], other: &[u8]) -> String {
    let (sections, others) = (sections(one), sections(other));
    for (place, (name, bytes)) in sections.iter().enumerate() {
        match others.get(place) {
            Some((other_name, other)) if other_name == name && other == bytes => {}
            Some(_) => return name.clone(),
            None => return format!("{name}, which is missing"),
        }
    }
    match others.get(sections.len()) {
        Some((name, _)) => format!("{name}, which was added"),
        None => "what is between the sections".to_owned(),
    }
}

/// A section in words, and its bytes.
type Section<'a> = (String, &'a [u8]);

/// Every section that has none inside, with the part that it lies in.
fn sections(bytes: &[u8]) -> Vec<Section<'_>> {
    let (mut found, mut parts, mut open): (Vec<Section<'_>>, u64, Vec<u64>) = (Vec::new(), 0, Vec::new());
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        match &payload {
            Payload::Version { .. } => {
                open.push(parts);
                parts += 1;
            }
            Payload::End(_) => drop(open.pop()),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {}
            payload => {
                let Some((id, range)) = payload.as_section() else { continue };
                let name = match payload {
                    Payload::CustomSection(custom) => format!("section `{}`", custom.name()),
                    _ => format!("section {id}"),
                };
                let part = open.last().copied().unwrap_or_default();
                let data = bytes.get(range).unwrap_or_default();
                found.push((format!("{name} of part {part}"), data));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, place: &str) {
        let (one, other) = (wat::parse_str(one).unwrap(), wat::parse_str(other).unwrap());
        assert_eq!(difference(&one, &other), place);
    }

    #[test]
    fn the_first_section_that_differs_is_named() {
        let module = |body: &str| format!("(component (core module (func (result i32) {body})))");
        check(&module("i32.const 1"), &module("i32.const 2"), "section 10 of part 1");
        let custom = |text: &str| format!("(component (core module (@custom \"note\" \"{text}\")))");
        check(&custom("a"), &custom("b"), "section `note` of part 1");
        check(&custom("a"), "(component (core module))", "section `note` of part 1, which is missing");
        check("(component (core module))", &custom("a"), "section `note` of part 1, which was added");
        check(&custom("a"), &custom("a"), "what is between the sections");
    }
}
