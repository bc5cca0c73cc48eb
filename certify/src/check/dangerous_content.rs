//! Check `dangerous-content`: no program of another kind, no archive and no great emptiness inside the data.
//!
//! In -> out: component -> result. Looks at what memories begin with, and at custom sections.
//! Limits: heads of files are recognised with more than their first letters, so that a program which only knows these
//! letters is none; [`ZEROS_MAX`] zeros in a row.
//! Invariant: executables, WebAssembly and archives refuse; zeros are a warning.
//! Not here: what is encoded, compressed or put together by code, which no look at bytes finds.

use orch_trust::certificate::CheckResult;

use super::parts::parts;
use super::{Subject, dependency_list, failed, skipped, warned_if};

const ID: &str = "dangerous-content";
/// Linkers leave out what begins as zero.
const ZEROS_MAX: usize = 1 << 20;

/// What a file of that kind begins with: the first byte, and whether the text that begins with it is one.
type Head = (&'static str, u8, fn(&[u8]) -> bool);

const HEADS: [Head; 7] = [
    ("an ELF program", 0x7f, is_elf),
    ("a Windows program", b'M', is_windows),
    ("a macOS program", 0xcf, is_macos),
    ("a macOS program", 0xce, is_macos),
    ("a macOS or Java program", 0xca, is_fat_or_java),
    ("a zip archive", b'P', is_zip),
    ("WebAssembly", 0, is_wasm),
];

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    if let Err(refusal) = &subject.facts {
        return skipped(ID, &format!("no facts: {}", refusal.code()));
    }
    let bytes = subject.package.component();
    let (mut texts, mut refused, mut said) = (0, Vec::new(), Vec::new());
    for part in parts(&bytes) {
        for text in part.texts() {
            texts += 1;
            refused.extend(
                heads(&text).map(|kind| format!("embedded-file: {kind} in the data of {}", part.name)),
            );
            if has_zeros(&text) {
                said.push(format!("zero-run: over {ZEROS_MAX} zeros in a row in the data of {}", part.name));
            }
        }
        for section in part.custom.iter().filter(|section| section.name() != dependency_list::SECTION) {
            texts += 1;
            let place = format!("section `{}` of {}", section.name().escape_default(), part.name);
            refused.extend(heads(section.data()).map(|kind| format!("embedded-file: {kind} in {place}")));
        }
    }
    refused.dedup();
    match refused.is_empty() {
        true => warned_if(ID, texts + 1, said),
        false => failed(ID, texts + 1, [refused, said].concat()),
    }
}

/// Kinds of files that begin somewhere in that text, each once.
fn heads(text: &[u8]) -> impl Iterator<Item = &'static str> {
    let begins = |(_, first, is): &&Head| {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| byte == first) {
            let Some(found) = rest.get(at..) else { break };
            if is(found) {
                return true;
            }
            rest = found.get(1..).unwrap_or_default();
        }
        false
    };
    HEADS.iter().filter(begins).map(|(name, ..)| *name).collect::<Vec<_>>().into_iter()
}

/// Class, byte order, version, and the padding that follows them.
fn is_elf(text: &[u8]) -> bool {
    matches!(text, [0x7f, b'E', b'L', b'F', 1 | 2, 1 | 2, 1, _, _, 0, 0, 0, 0, 0, 0, 0, ..])
}

/// `MZ`, and the new header where the old one says that it is.
fn is_windows(text: &[u8]) -> bool {
    let [b'M', b'Z', ..] = text else { return false };
    let place =
        text.get(0x3c..0x40).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(u32::from_le_bytes);
    let header = place.and_then(|place| text.get(usize::try_from(place).ok()?..));
    header.is_some_and(|header| header.starts_with(b"PE\0\0"))
}

/// One of the processors that there are, and a type of file.
fn is_macos(text: &[u8]) -> bool {
    let [0xce | 0xcf, 0xfa, 0xed, 0xfe, cpu, 0, 0, 0 | 1, _, _, _, _, kind, 0, 0, 0, ..] = text else {
        return false;
    };
    matches!(cpu, 7 | 12 | 18) && (1..=12).contains(kind)
}

/// The one head that two systems have: few architectures, or a version of Java's class files.
fn is_fat_or_java(text: &[u8]) -> bool {
    match text {
        [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 1..=16, ..] => true,
        [0xca, 0xfe, 0xba, 0xbe, 0, _, 0, version, ..] => (45..=90).contains(version),
        _ => false,
    }
}

/// A local file's head: a version that there is, and one of the usual methods.
fn is_zip(text: &[u8]) -> bool {
    matches!(text, [b'P', b'K', 3, 4, 10..=63, 0, _, _, 0 | 8 | 9 | 12 | 14 | 93, 0, ..])
}

fn is_wasm(text: &[u8]) -> bool {
    matches!(text, [0, b'a', b's', b'm', 1, 0, 0, 0, ..] | [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..])
}

fn has_zeros(text: &[u8]) -> bool {
    text.chunk_by(|a, b| *a == 0 && *b == 0).any(|run| run.len() > ZEROS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &[u8], expected: &[&str]) {
        for before in [&b""[..], b"text", b"\x7fMP\0\xca"] {
            let text = [before, head, &[0xff; 80]].concat();
            assert_eq!(heads(&text).collect::<Vec<_>>(), expected, "{head:?}");
        }
    }

    #[test]
    fn files_inside_data_are_known_by_more_than_their_first_letters() {
        let elf = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0";
        check(&elf, &["an ELF program"]);
        check(b"\x7fELF", &[]);
        check(b"\x7fELF is how such files begin", &[]);
        let mut windows = b"MZ".to_vec();
        windows.resize(0x3c, 0x90);
        windows.extend(b"\x40\0\0\0PE\0\0");
        check(&windows, &["a Windows program"]);
        windows[0x3c] = 0x41;
        check(&windows, &[]);
        check(b"MZ", &[]);
        check(b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\x02\0\0\0", &["a macOS program"]);
        check(b"\xcf\xfa\xed\xfe", &[]);
        check(b"\xca\xfe\xba\xbe\0\0\0\x02", &["a macOS or Java program"]);
        check(b"\xca\xfe\xba\xbe\0\0\0\x34", &["a macOS or Java program"]);
        check(b"\xca\xfe\xba\xbe", &[]);
        check(b"PK\x03\x04\x14\0\0\0\x08\0", &["a zip archive"]);
        check(b"PK\x03\x04", &[]);
        check(b"\0asm\x01\0\0\0", &["WebAssembly"]);
        check(b"\0asm\x0d\0\x01\0", &["WebAssembly"]);
        check(b"\0asm", &[]);
    }

    #[test]
    fn zeros_are_counted_in_one_row() {
        assert!(has_zeros(&vec![0; ZEROS_MAX + 1]));
        assert!(!has_zeros(&vec![0; ZEROS_MAX]));
        let mut broken = vec![0; 2 * ZEROS_MAX];
        broken[ZEROS_MAX] = 1;
        assert!(!has_zeros(&broken));
    }
}
