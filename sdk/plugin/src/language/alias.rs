//! Interfaces of WASI under a name that toolchains do not know, so that they take them for what they are: a host's, which a plugin asks
//! for.
//!
//! In -> out: texts of WIT -> the same under the other name; a component that was made with it -> one that imports WASI.
//! Invariant: both names have the same length, and nothing changes but names of the outermost component's imports and exports: what is
//! inside is linked by the names that the toolchain was shown. The version is another one than that of the engine's own WASI, so that both
//! can be imported; hosts have one of them for all.
//! Not here: which worlds need it (`world.rs`). Toolchains stub all of WASI, or link their engine's own to it.

const NAME: &str = "wasi:";
const SHOWN: &str = "w4si:";
const VERSION: &str = "0.2.12";
const SHOWN_VERSION: &str = "0.2.11";
const PREAMBLE: usize = 8;
/// The sections of a component's imports and exports.
const NAMED: [u8; 2] = [10, 11];

/// Path and text of a package of WASI, as the toolchain is shown it; nothing for other packages.
pub(super) fn shown(path: &str, text: &str) -> Option<(String, String)> {
    let rest = path.strip_prefix("deps/wasi-")?;
    Some((format!("deps/w4si-{rest}"), import(text)))
}

/// Names of WASI's interfaces in that text, as the toolchain is shown them.
pub(super) fn import(text: &str) -> String {
    text.replace(NAME, SHOWN).replace(VERSION, SHOWN_VERSION)
}

/// Gives the component's imports and exports their names; bytes that are no component stay what they are.
pub(super) fn put_back(component: &mut [u8]) {
    let mut at = PREAMBLE;
    while let Some((id, from, end)) = section(component, at) {
        if NAMED.contains(&id)
            && let Some(section) = component.get_mut(from..end)
        {
            rename(section);
        }
        at = end;
    }
}

/// Id, begin and end of the section there.
fn section(bytes: &[u8], at: usize) -> Option<(u8, usize, usize)> {
    let (id, mut size, mut next) = (*bytes.get(at)?, 0_usize, at + 1);
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(next)?;
        next += 1;
        size |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((id, next, next.checked_add(size).filter(|end| *end <= bytes.len())?));
        }
    }
    None
}

fn rename(section: &mut [u8]) {
    let found: Vec<usize> = section
        .windows(SHOWN.len())
        .enumerate()
        .filter(|(_, at)| *at == SHOWN.as_bytes())
        .map(|(at, _)| at)
        .collect();
    for at in found {
        if let Some(name) = section.get_mut(at..at + NAME.len()) {
            name.copy_from_slice(NAME.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carried;

    #[test]
    fn only_the_outermost_names_are_put_back() {
        let text = r#"(component
            (import "w4si:io/error@0.2.12" (instance $io))
            (export "w4si:http/incoming-handler@0.2.12" (instance $io))
            (component (import "w4si:io/error@0.2.12" (instance)) (import "wasi:io/error@0.2.12" (instance)))
            (core module (import "w4si:io/error@0.2.12" "f" (func)))
            (import "orch:log/log@0.1.0" (instance)))"#;
        let made = wat::parse_str(text).unwrap();
        let mut named = made.clone();
        put_back(&mut named);
        let count =
            |bytes: &[u8], name: &str| bytes.windows(name.len()).filter(|at| *at == name.as_bytes()).count();
        assert_eq!((count(&made, SHOWN), count(&named, SHOWN)), (4, 2));
        assert_eq!(
            orch_trust::facts::Facts::derive(&named).unwrap().imports,
            ["orch:log/log@0.1.0", "wasi:io/error@0.2.12"]
        );
        let facts = orch_trust::facts::Facts::derive(&named).unwrap();
        assert_eq!(facts.exports, ["wasi:http/incoming-handler@0.2.12"]);
        wasmparser::validate(&named).unwrap();
        // Nothing is read behind the end, whatever the bytes are.
        for length in 0..made.len() {
            put_back(&mut made[..length].to_vec());
        }
        put_back(&mut [0xff; 64]);
    }

    #[test]
    fn packages_of_wasi_are_shown_and_no_others() {
        let all: Vec<_> = carried::WIT.iter().filter_map(|(path, text)| shown(path, text)).collect();
        assert_eq!(all.len(), carried::WIT.iter().filter(|(path, _)| path.contains("/wasi-")).count());
        assert!(!all.is_empty());
        assert!(all.iter().all(|(path, text)| path.starts_with("deps/w4si-") && !text.contains(NAME)));
        assert_eq!(shown("deps/log@0.1.0/log.wit", "wasi:"), None);
        assert_eq!(import("wasi:http/types@0.2.12"), "w4si:http/types@0.2.11");
    }
}
