//! Check `names`: an id that reads as what it is.
//!
//! In -> out: the manifest's id, ids that the certifier knows -> result. Looks at namespace, name, and each known id.
//! Invariant: what a hurried eye takes for a reserved namespace or for another known plugin is refused; what is one
//! slip of the finger away from it is a warning. The reserved namespaces themselves are no ids at all.
//! Not here: the form of ids (`orch-trust`'s `name.rs`); a registry: known is what whoever certifies has named.

use std::path::Path;

use orch_host::regular_file::{self, Links};
use orch_trust::certificate::CheckResult;
use orch_trust::name::PluginId;
use strsim::osa_distance;

use super::{Subject, failed, skipped, warned_if};
use crate::error::CertifyError;

pub(super) const ID: &str = "names";
const KNOWN_BYTES_MAX: u64 = 512 << 10;
const RESERVED: [&str; 6] = ["orch", "wasi", "wit", "core", "host", "component"];
/// Reserved namespaces that would speak for the project or for the standard with more words behind them.
const SPEAKING: [&str; 2] = ["orch-", "wasi-"];
/// In shorter words one letter more or less makes another word.
const SLIP_CHARACTERS_MIN: usize = 4;

/// The ids in a file: one a line; what begins with `#` is left out.
///
/// # Errors
/// `KnownIo`, `KnownMalformed`.
pub fn read_known(path: &Path) -> Result<Vec<PluginId>, CertifyError> {
    let io = |source| CertifyError::KnownIo { path: path.to_owned(), source };
    let (bytes, _) =
        regular_file::read(path, Links::Followed, KNOWN_BYTES_MAX).map_err(|error| io(error.into()))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let ids = lines.map(PluginId::parse).collect::<Result<_, _>>();
    ids.map_err(|source| CertifyError::KnownMalformed { path: path.to_owned(), source })
}

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    let id = match &subject.manifest {
        Ok(manifest) => &manifest.id,
        Err(refusal) => return skipped(ID, &format!("no manifest: {}", refusal.code())),
    };
    let known = &subject.beside.known;
    let looked_at = 2 + known.len() as u64;
    let (mut refused, mut said) = (Vec::new(), Vec::new());
    let namespace = id.namespace();
    if let Some(reserved) = looks_like_reserved(namespace) {
        refused
            .push(format!("name-confusable: namespace `{namespace}` looks like the reserved `{reserved}`"));
    } else if let Some(reserved) = RESERVED.into_iter().find(|reserved| is_slip(namespace, reserved)) {
        said.push(format!(
            "name-near: namespace `{namespace}` is one slip away from the reserved `{reserved}`"
        ));
    }
    for part in [namespace, id.name()] {
        if part.starts_with('-') || part.ends_with('-') || part.contains("--") {
            refused.push(format!("name-hyphens: `{part}` begins or ends with `-` or has two in a row"));
        }
    }
    for other in known.iter().filter(|other| *other != id) {
        if skeleton(id.as_str()) == skeleton(other.as_str()) {
            refused.push(format!("name-confusable: `{id}` looks like the known `{other}`"));
        } else if is_near(id, other) {
            said.push(format!("name-near: `{id}` is one slip away from the known `{other}`"));
        }
    }
    match refused.is_empty() {
        true => warned_if(ID, looked_at, said),
        false => failed(ID, looked_at, [refused, said].concat()),
    }
}

fn looks_like_reserved(namespace: &str) -> Option<&'static str> {
    let alike = |reserved: &&str| skeleton(namespace) == skeleton(reserved);
    let speaking = || SPEAKING.into_iter().find(|start| namespace.starts_with(start));
    RESERVED.into_iter().find(alike).or_else(speaking)
}

/// One of the two parts is the same, the other a slip away.
fn is_near(id: &PluginId, other: &PluginId) -> bool {
    match id.namespace() == other.namespace() {
        true => is_slip(id.name(), other.name()),
        false => id.name() == other.name() && is_slip(id.namespace(), other.namespace()),
    }
}

/// One letter more, less, other, or two exchanged. A last digit apart is a series and no slip.
fn is_slip(found: &str, meant: &str) -> bool {
    let stem = |text: &str| text.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_owned();
    meant.len() >= SLIP_CHARACTERS_MIN && osa_distance(found, meant) == 1 && stem(found) != stem(meant)
}

/// What is left of a name when characters that look alike are one.
fn skeleton(name: &str) -> String {
    let plain = name.replace("rn", "m").replace("vv", "w").replace("cl", "d").replace('-', "");
    let alike = |character: char| match character {
        '0' => 'o',
        '1' | 'i' | 'j' => 'l',
        '2' => 'z',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '6' => 'b',
        '7' => 't',
        '8' => 'b',
        '9' | 'q' => 'g',
        'u' => 'v',
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
            ("orch-official", Some("orch-")),
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

    #[track_caller]
    fn check(id: &str, other: &str, near: bool, alike: bool) {
        let (id, other) = (PluginId::parse(id).unwrap(), PluginId::parse(other).unwrap());
        assert_eq!(is_near(&id, &other), near, "{id} {other}");
        assert_eq!(skeleton(id.as_str()) == skeleton(other.as_str()), alike, "{id} {other}");
    }

    #[test]
    fn names_near_a_known_one_are_found() {
        check("acme/sumarise", "acme/summarise", true, false);
        check("acme/sumamrise", "acme/summarise", true, false);
        check("amce/summarise", "acme/summarise", true, false);
        check("acrne/summarise", "acme/summarise", false, true);
        check("acme/5ummarise", "acme/summarise", true, true);
        check("acme/run-2", "acme/run-1", false, false);
        check("acme/cat", "acme/bat", false, false);
        check("other/summarised", "acme/summarise", false, false);
    }
}
