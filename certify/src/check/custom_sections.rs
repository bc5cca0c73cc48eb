//! Check `custom-sections`: known ones only, each once in its module, none of excessive size.
//!
//! In -> out: `component.wasm` -> result. Looks at every section at any depth.
//! Limits: 16 MiB for names, 2 MiB for the dependency list, 64 KiB for every other.
//! Not here: the list of known names (`orch-trust`'s `facts.rs`).

use orch_trust::certificate::CheckResult;
use orch_trust::refusal::Refusal;
use wasmparser::{Parser, Payload};

use super::{Subject, failed, finding, judged, skipped};

const ID: &str = "custom-sections";

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    match &subject.facts {
        Ok(_) => {}
        Err(refusal @ Refusal::CustomSection { .. }) => return failed(ID, 1, vec![finding(refusal)]),
        Err(refusal) => return skipped(ID, &format!("no facts: {}", refusal.code())),
    }
    let (sections, findings) = walk(&subject.package.component());
    judged(ID, sections, findings)
}

fn walk(bytes: &[u8]) -> (u64, Vec<String>) {
    let (mut sections, mut findings) = (0, Vec::new());
    // Names seen so far in each module or component that is open.
    let mut open: Vec<Vec<String>> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        sections += 1;
        match payload {
            Payload::Version { .. } => open.push(Vec::new()),
            Payload::End(_) => drop(open.pop()),
            Payload::CustomSection(section) => {
                let (name, found) = (section.name(), section.data().len());
                let most = bytes_max(name);
                if found > most {
                    findings.push(format!("section-too-large: `{name}` is {found} bytes, limit is {most}"));
                }
                if let Some(seen) = open.last_mut() {
                    if seen.iter().any(|before| before == name) {
                        findings.push(format!("section-twice: `{name}` is there twice in one module"));
                    }
                    seen.push(name.to_owned());
                }
            }
            _ => {}
        }
    }
    (sections, findings)
}

fn bytes_max(name: &str) -> usize {
    match name {
        "name" | "component-name" => 16 << 20,
        ".dep-v0" => 2 << 20,
        _ => 64 << 10,
    }
}
