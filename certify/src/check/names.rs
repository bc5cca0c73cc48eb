//! Check `names`: an id that reads as what it is.
//!
//! In -> out: the manifest's id -> result. Looks at namespace and name.
//! Invariant: a namespace that a hurried eye takes for a reserved one is refused; the reserved ones themselves are no
//! ids at all.
//! Not here: the form of ids (`orch-trust`'s `name.rs`), likeness to other plugins of a registry.

use orch_trust::certificate::CheckResult;

use super::{Subject, judged, skipped};

const ID: &str = "names";
const RESERVED: [&str; 6] = ["orch", "wasi", "wit", "core", "host", "component"];

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    let manifest = match &subject.manifest {
        Ok(manifest) => manifest,
        Err(refusal) => return skipped(ID, &format!("no manifest: {}", refusal.code())),
    };
    let mut findings = Vec::new();
    let namespace = manifest.id.namespace();
    if let Some(reserved) = looks_like_reserved(namespace) {
        findings
            .push(format!("name-confusable: namespace `{namespace}` looks like the reserved `{reserved}`"));
    }
    for part in [namespace, manifest.id.name()] {
        if part.starts_with('-') || part.ends_with('-') || part.contains("--") {
            findings.push(format!("name-hyphens: `{part}` begins or ends with `-` or has two in a row"));
        }
    }
    judged(ID, 2, findings)
}

fn looks_like_reserved(namespace: &str) -> Option<&'static str> {
    RESERVED.into_iter().find(|reserved| skeleton(namespace) == skeleton(reserved))
}

/// What is left of a name when characters that look alike are one.
fn skeleton(name: &str) -> String {
    let plain = name.replace("rn", "m").replace("vv", "w").replace('-', "");
    let alike = |character: char| match character {
        '0' => 'o',
        '1' | 'i' => 'l',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        other => other,
    };
    plain.chars().map(alike).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_reserved_are_found() {
        for (name, expected) in [
            ("0rch", Some("orch")),
            ("o-rch", Some("orch")),
            ("vvasi", Some("wasi")),
            ("wasl", Some("wasi")),
            ("cornponent", Some("component")),
            ("demo", None),
            ("orchestra", None),
            ("acme", None),
        ] {
            assert_eq!(looks_like_reserved(name), expected, "{name}");
        }
    }
}
