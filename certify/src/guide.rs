//! What each check is for: the source of `explain`, of the help in SARIF, and of the table in `docs/certifying.md`.
//!
//! In -> out: id of a check, or code of a finding, a refusal or a fault -> what it is about, why, what helps.
//! Invariant: every required check and every code that a finding can begin with is here; tests compare.
//! Not here: the checks (`check/`, `conformance/`), which are required (`orch-trust`'s `certificate.rs`), the words of
//! refusals (its `refusal.rs`).

mod behaviour;
mod contents;
mod faults;
mod structure;

use orch_trust::authority::Level;
use orch_trust::certificate::required_checks;
use orch_trust::manifest::Role;
use orch_trust::package::{COMPONENT, MANIFEST, SBOM};
use orch_trust::refusal::Refusal;

use faults::FAULTS;

/// One check, in words.
#[derive(Debug, PartialEq, Eq)]
pub struct Guide {
    /// `conformance/*` stands for one check a role.
    pub id: &'static str,
    /// The file of the package that findings are about.
    pub file: &'static str,
    pub looks_at: &'static str,
    pub why: &'static str,
    pub helps: &'static str,
    /// Codes of its own findings, and what each means. Codes of refusals are here only where a check says more of them.
    pub codes: &'static [(&'static str, &'static str)],
}

/// Codes that any check can have, because the process around it says them, or the programs and sources that it needs.
pub const OF_EVERY_CHECK: &[(&str, &str)] = &[
    ("child-not-started", "the process for the check could not be started"),
    ("child-timeout", "the check was not done in time and was ended"),
    ("child-crashed", "the process of the check ended badly"),
    ("child-lost", "the operating system lost the process of the check"),
    ("child-output", "the process of the check did not give a whole report"),
    ("tool-missing", "a program that the check needs is not on this machine"),
    ("tool-not-started", "a program that the check needs could not be started"),
    ("tool-timeout", "a program that the check needs was not done in time and was ended"),
    ("tool-crashed", "a program that the check needs ended badly"),
    ("tool-failed", "a program that the check needs said that it failed"),
    ("tool-output", "a program said too much, nothing that can be read, or contradicts itself"),
    ("source-no-repository", "the sources that were given are in no git repository"),
    ("source-path", "the path of the sources is no text"),
    (
        "source-not-resolved",
        "cargo does not take the sources together with their lock file, or they need what lies outside of them",
    ),
    (
        "sandbox-lacking",
        "the machine does not give a wall of the sandbox in which sources and tools are tried",
    ),
    ("lock-unreadable", "the lock file of the sources cannot be read"),
    ("crates-not-there", "cargo has not downloaded every package that the sources use"),
];

const CONFORMANCE: &str = "conformance/*";

/// Every check, in the order of the pipeline.
pub fn all() -> impl Iterator<Item = &'static Guide> {
    structure::GUIDES.iter().chain(contents::GUIDES).chain(behaviour::GUIDES)
}

/// The check of that id.
pub fn check(id: &str) -> Option<&'static Guide> {
    let id = if id.starts_with("conformance/") { CONFORMANCE } else { id };
    all().find(|guide| guide.id == id)
}

/// The check that says that code, and what it means there. None for codes of refusals and of every check.
pub fn code(code: &str) -> Option<(&'static Guide, &'static str)> {
    all().find_map(|guide| {
        let (_, means) = guide.codes.iter().find(|(own, _)| *own == code)?;
        Some((guide, *means))
    })
}

/// What a code means that every check can have.
pub fn code_of_every_check(code: &str) -> Option<&'static str> {
    OF_EVERY_CHECK.iter().find(|(own, _)| *own == code).map(|(_, means)| *means)
}

/// What a code of a fault means, and who says it.
fn fault(code: &str) -> Option<(&'static str, &'static str)> {
    FAULTS.iter().find_map(|faults| {
        let (_, means) = faults.codes.iter().find(|(own, _)| *own == code)?;
        Some((*means, faults.said_by))
    })
}

/// Lines for people about a check or a code; none for what is neither.
pub fn explain(name: &str) -> Option<Vec<String>> {
    if let Some(guide) = check(name) {
        let codes = guide.codes.iter().map(|(code, means)| format!("  {code}: {means}"));
        return Some(about(guide).into_iter().chain(codes).collect());
    }
    if let Some((guide, means)) = code(name) {
        return Some([format!("{name}: {means}")].into_iter().chain(about(guide)).collect());
    }
    let of_every_check = || {
        let means = code_of_every_check(name)?.to_owned();
        let said_by =
            "said by any check whose process, programs or sources do not do their part; that is never a pass";
        Some((means, said_by))
    };
    let of_refusal = || {
        let said_by =
            "a reason for which `orch-host` admits no package; checks that find it say the same code";
        Some((Refusal::text_of(name)?, said_by))
    };
    let of_fault = || fault(name).map(|(means, said_by)| (means.to_owned(), said_by));
    let (means, said_by) = of_every_check().or_else(of_refusal).or_else(of_fault)?;
    Some(vec![format!("{name}: {means}"), said_by.to_owned()])
}

fn about(guide: &Guide) -> [String; 5] {
    [
        format!("check       {}", guide.id),
        format!("level       {}", level(guide).as_str()),
        format!("looks at    {}", guide.looks_at),
        format!("why         {}", guide.why),
        format!("what helps  {}", guide.helps),
    ]
}

/// The lowest level that requires the check.
pub fn level(guide: &Guide) -> Level {
    let local = required_checks(Level::Local, &Role::ALL);
    match local.iter().any(|required| check(&required.id) == Some(guide)) {
        true => Level::Local,
        false => Level::Certified,
    }
}

/// The table of `docs/certifying.md`.
pub fn markdown() -> String {
    let mut text = "| Check | Level | Looks at | Why | What helps |\n|---|---|---|---|---|\n".to_owned();
    for guide in all() {
        let Guide { id, looks_at, why, helps, .. } = guide;
        let id = if *id == CONFORMANCE { "conformance/ROLE" } else { id };
        text.push_str(&format!("| `{id}` | {} | {looks_at} | {why} | {helps} |\n", level(guide).as_str()));
    }
    text
}

/// The file that findings of that check are about.
pub fn file_of(id: &str) -> &'static str {
    check(id).map_or(MANIFEST, |guide| guide.file)
}

/// The files that guides may name.
pub const FILES: [&str; 3] = [MANIFEST, COMPONENT, SBOM];

#[cfg(test)]
mod tests;
