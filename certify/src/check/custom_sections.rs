//! Check `custom-sections`: known ones only, each once in its module, none of excessive size, each readable.
//!
//! In -> out: `component.wasm` -> result. Looks at every part and every custom section at any depth.
//! Limits: 16 MiB for names, 2 MiB for the dependency list (packed and unpacked), 64 KiB for every other.
//! Invariant: a section whose form nobody can read is refused, for it could hold anything.
//! Not here: the list of known names (`orch-trust`'s `facts.rs`), what is said in them (`dependency_list.rs`,
//! `secrets.rs`).

use orch_trust::certificate::CheckResult;
use orch_trust::refusal::Refusal;
use wasmparser::{BinaryReader, ComponentName, CustomSectionReader, Dylink0Subsection, KnownCustom, Name};

use super::dependency_list::{self, ListFault};
use super::parts::parts;
use super::{Subject, failed, finding, judged, skipped};

const ID: &str = "custom-sections";
/// Sections of plain text, as tools of the field write them.
const TEXTS: [&str; 7] = ["authors", "description", "licenses", "source", "homepage", "revision", "version"];
const FEATURES_MAX: u32 = 64;

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    match &subject.facts {
        Ok(_) => {}
        Err(refusal @ Refusal::CustomSection { .. }) => return failed(ID, 1, vec![finding(refusal)]),
        Err(refusal) => return skipped(ID, &format!("no facts: {}", refusal.code())),
    }
    let bytes = subject.package.component();
    let parts = parts(&bytes);
    let mut findings = Vec::new();
    for part in &parts {
        let place = &part.name;
        for (number, section) in part.custom.iter().enumerate() {
            let (name, found, most) = (section.name(), section.data().len(), bytes_max(section.name()));
            if found > most {
                findings.push(format!(
                    "section-too-large: `{name}` of {place} is {found} bytes, limit is {most}"
                ));
            } else if let Err(why) = readable(section) {
                findings.push(format!("section-unreadable: `{name}` of {place}: {why}"));
            }
            if part.custom.iter().take(number).any(|before| before.name() == name) {
                findings.push(format!("section-twice: `{name}` is there twice in {place}"));
            }
        }
    }
    let sections = parts.iter().map(|part| part.custom.len() as u64).sum::<u64>();
    judged(ID, parts.len() as u64 + sections, findings)
}

fn bytes_max(name: &str) -> usize {
    match name {
        "name" | "component-name" => 16 << 20,
        ".dep-v0" => dependency_list::BYTES_MAX,
        _ => 64 << 10,
    }
}

/// Succeeds if the section has the form of its name, to its last byte.
fn readable(section: &CustomSectionReader<'_>) -> Result<(), String> {
    let said = |error: wasmparser::BinaryReaderError| error.message().to_owned();
    match section.as_known() {
        KnownCustom::Name(subsections) => {
            for name in subsections {
                if let Name::Unknown { ty, .. } = name.map_err(said)? {
                    return Err(format!("its subsection {ty} is unknown"));
                }
            }
        }
        KnownCustom::ComponentName(subsections) => {
            for name in subsections {
                if let ComponentName::Unknown { ty, .. } = name.map_err(said)? {
                    return Err(format!("its subsection {ty} is unknown"));
                }
            }
        }
        KnownCustom::Producers(fields) => {
            let mut seen = Vec::new();
            for field in fields {
                let field = field.map_err(said)?;
                if seen.contains(&field.name) {
                    return Err(format!("its field `{}` is there twice", field.name));
                }
                seen.push(field.name);
                for value in field.values {
                    value.map_err(said)?;
                }
            }
        }
        KnownCustom::Dylink0(subsections) => {
            for one in subsections {
                if let Dylink0Subsection::Unknown { ty, .. } = one.map_err(said)? {
                    return Err(format!("its subsection {ty} is unknown"));
                }
            }
        }
        _ => return readable_by_name(section.name(), section.data()),
    }
    Ok(())
}

/// The same for sections that the parser does not know.
fn readable_by_name(name: &str, data: &[u8]) -> Result<(), String> {
    match name {
        ".dep-v0" => match dependency_list::inflate(data) {
            Ok(_) => Ok(()),
            Err(fault @ ListFault::Bomb) => {
                Err(format!("it unpacks to more than its limit ({})", fault.code()))
            }
            Err(fault) => Err(fault.to_string()),
        },
        "target_features" => match features(data) {
            Ok(true) => Ok(()),
            Ok(false) => Err("it is not as long as it says".to_owned()),
            Err(error) => Err(error.message().to_owned()),
        },
        text if TEXTS.contains(&text) => match std::str::from_utf8(data) {
            Ok(text) if !text.chars().any(char::is_control) => Ok(()),
            Ok(_) => Err("it has control characters".to_owned()),
            Err(_) => Err("it is not UTF-8".to_owned()),
        },
        // Of a name of the parser's list that turned out not to have its form.
        _ => Err("it does not have the form of its name".to_owned()),
    }
}

/// True for a count, then so many times a sign and a name, and nothing more.
fn features(data: &[u8]) -> Result<bool, wasmparser::BinaryReaderError> {
    let mut reader = BinaryReader::new(data, 0);
    let count = reader.read_var_u32()?;
    for _ in 0..count.min(FEATURES_MAX) {
        reader.read_u8()?;
        reader.read_string()?;
    }
    Ok(reader.eof() && count <= FEATURES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_features_are_read_to_the_last_byte() {
        let right = |data: &[u8]| features(data).unwrap_or(false);
        assert!(right(b"\x02+\x07atomics-\x04simd"));
        for wrong in [&b""[..], b"\x02+\x07atomics", b"\x01+\x04simdx", b"\x01+\x05simd", b"\x41"] {
            assert!(!right(wrong), "{wrong:?}");
        }
    }
}
