//! `.orchpkg`: a package as one file, for mail and for machines without a network.
//!
//! In -> out: [`PackageBytes`] <-> the bytes of a tar archive in one form.
//! Limits: [`ARCHIVE_BYTES_MAX`]; each file's own, from `package.rs`; nothing is compressed, so nothing grows.
//! Invariant: an archive is read only if it equals, byte for byte, what is written here of the files that were found in it: names
//! sorted and once each, regular files of one mode, owner and time, no links, no other headers, nothing before, between or behind.
//! Not here: whether anybody vouches for the files (`admission.rs`), reading one from a disk (`orch-host`'s `package/archive.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::package::{PackageBytes, bytes_max};
use crate::refusal::Refusal;

/// How the name of such a file ends.
pub const ENDING: &str = "orchpkg";
/// More than the largest files that a package may have, together.
pub const ARCHIVE_BYTES_MAX: u64 = 128 << 20;

const BLOCK: usize = 512;
const NAME: std::ops::Range<usize> = 0..100;
const SIZE: std::ops::Range<usize> = 124..135;
const SUM: std::ops::Range<usize> = 148..156;

/// Why bytes are no archive of a package.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("it ends at byte {at}, within an entry or before the end mark")]
    Cut { at: usize },
    #[error("the entry at byte {at} has no plain header: {what}")]
    Header { at: usize, what: &'static str },
    #[error("`{name}` is in it twice")]
    Twice { name: String },
    #[error("from byte {at} on it is not what this program writes of the files in it")]
    OtherForm { at: usize },
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl ArchiveError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Cut { .. } => "archive-cut",
            Self::Header { .. } => "archive-header",
            Self::Twice { .. } => "archive-twice",
            Self::OtherForm { .. } => "archive-form",
            Self::Refused(refusal) => refusal.code(),
        }
    }
}

/// The archive of a package; the same package is always the same bytes.
pub fn encode(package: &PackageBytes) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in package.files() {
        archive.extend_from_slice(&header(name, bytes.len()));
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

/// The package in an archive.
///
/// # Errors
/// What is wrong with its form; `file-extra`, `file-too-large` and the others of a package's files.
pub fn decode(archive: &[u8]) -> Result<PackageBytes, ArchiveError> {
    let mut files: BTreeMap<String, Arc<[u8]>> = BTreeMap::new();
    let mut at = 0;
    loop {
        let block = archive.get(at..at + BLOCK).ok_or(ArchiveError::Cut { at: archive.len() })?;
        if block.iter().all(|byte| *byte == 0) {
            break;
        }
        let (name, size) = entry(block).map_err(|what| ArchiveError::Header { at, what })?;
        // A name of the list bounds what is copied.
        let limit_bytes = bytes_max(&name)
            .ok_or_else(|| Refusal::PackageFile { file: name.escape_default().to_string() })?;
        if size > limit_bytes {
            return Err(Refusal::FileTooLarge { file: name, found_bytes: size, limit_bytes }.into());
        }
        let (from, size) = (at + BLOCK, usize::try_from(size).unwrap_or(usize::MAX));
        let bytes = from.checked_add(size).and_then(|end| archive.get(from..end));
        let bytes = bytes.ok_or(ArchiveError::Cut { at: archive.len() })?;
        at = (from + size).next_multiple_of(BLOCK);
        if files.insert(name.clone(), bytes.into()).is_some() {
            return Err(ArchiveError::Twice { name });
        }
    }
    let package = PackageBytes::new(files)?;
    let written = encode(&package);
    match written == archive {
        true => Ok(package),
        false => {
            let same = written.iter().zip(archive).take_while(|(one, other)| one == other).count();
            Err(ArchiveError::OtherForm { at: same })
        }
    }
}

/// Name and size of an entry; the rest of its header is compared later, with all else.
fn entry(block: &[u8]) -> Result<(String, u64), &'static str> {
    let field = |range| block.get(range).unwrap_or_default();
    let name = field(NAME).split(|byte| *byte == 0).next().unwrap_or_default();
    let name = std::str::from_utf8(name).map_err(|_| "its name is no text")?;
    let size = field(SIZE).iter().try_fold(0u64, |size, digit| match digit {
        b'0'..=b'7' => Some(size * 8 + u64::from(digit - b'0')),
        _ => None,
    });
    Ok((name.to_owned(), size.ok_or("its size is not eleven octal digits")?))
}

/// POSIX.1-1988 `ustar`, as every tar reads it.
fn header(name: &str, size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        if let Some(field) = block.get_mut(at..at + text.len()) {
            field.copy_from_slice(text);
        }
    };
    put(NAME.start, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(SIZE.start, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(SUM.start, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(field) = block.get_mut(SUM) {
        field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn package(component: &[u8]) -> PackageBytes {
        let files = [
            ("manifest.json", &b"{}"[..]),
            ("component.wasm", component),
            ("sbom.cdx.json", b"bill"),
            ("certificates/0123456789abcdef.dsse.json", b"envelope\n"),
        ];
        PackageBytes::new(files.map(|(name, bytes)| (name.to_owned(), bytes.into())).into()).unwrap()
    }

    fn same(one: &PackageBytes, other: &PackageBytes) -> bool {
        one.files().eq(other.files())
    }

    fn code(archive: &[u8]) -> &'static str {
        decode(archive).err().map_or("read", |error| error.code())
    }

    /// An archive of these entries, in their order, as nobody here would write it.
    fn forged(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = Vec::new();
        for (name, bytes) in entries {
            archive.extend_from_slice(&header(name, bytes.len()));
            archive.extend_from_slice(bytes);
            archive.resize(archive.len().next_multiple_of(BLOCK), 0);
        }
        archive.resize(archive.len() + 2 * BLOCK, 0);
        archive
    }

    /// Writes at that place of a header and mends its sum.
    fn with(archive: &[u8], at: usize, text: &[u8]) -> Vec<u8> {
        let mut changed = archive.to_vec();
        changed[at..at + text.len()].copy_from_slice(text);
        let block = at / BLOCK * BLOCK;
        changed[block + SUM.start..block + SUM.end].copy_from_slice(b"        ");
        let sum: u32 = changed[block..block + BLOCK].iter().map(|byte| u32::from(*byte)).sum();
        changed[block + SUM.start..block + SUM.end].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        changed
    }

    proptest! {
        #[test]
        fn an_archive_is_read_as_it_was_written(component in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let package = package(&component);
            let archive = encode(&package);
            prop_assert!(same(&package, &decode(&archive).unwrap()));
            prop_assert_eq!(encode(&decode(&archive).unwrap()), archive);
        }

        #[test]
        fn bytes_of_any_kind_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
            prop_assert!(decode(&bytes).is_err());
        }
    }

    #[test]
    fn no_byte_of_an_archive_can_be_another_one() {
        let archive = encode(&package(b"component"));
        for at in 0..archive.len() {
            let mut changed = archive.clone();
            changed[at] ^= 1;
            // What changes in a file is another package; every other byte refuses.
            if let Ok(read) = decode(&changed) {
                assert!(!same(&read, &package(b"component")), "byte {at}");
                assert_eq!(encode(&read), changed, "byte {at}");
            }
        }
        for length in 0..archive.len() {
            assert!(decode(&archive[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(code(&[&archive[..], &[0; BLOCK]].concat()), "archive-form");
        assert_eq!(code(&[&[0; BLOCK], &archive[..]].concat()), "file-missing");
    }

    #[test]
    fn what_no_package_has_is_refused() {
        let archive = encode(&package(b"component"));
        let entries: [(&str, &[u8]); 3] =
            [("component.wasm", b"c"), ("manifest.json", b"{}"), ("sbom.cdx.json", b"b")];
        assert_eq!(code(&forged(&entries)), "read");
        let [component, manifest, sbom] = entries;
        assert_eq!(code(&forged(&[manifest, component, sbom])), "archive-form");
        assert_eq!(code(&forged(&[component, component, manifest, sbom])), "archive-twice");
        assert_eq!(code(&forged(&[component, manifest])), "file-missing");
        for name in [
            "../manifest.json",
            "/etc/passwd",
            "./manifest.json",
            "certificates/../x",
            "x.sh",
            "",
            "LICENSE/",
        ] {
            assert_eq!(code(&forged(&[component, manifest, sbom, (name, b"x")])), "file-extra", "{name}");
        }
        // A link, a folder, a header of the newer formats; another mode, owner, time.
        for (at, text) in [
            (156, &b"1"[..]),
            (156, b"2"),
            (156, b"5"),
            (156, b"x"),
            (156, b"L"),
            (157, b"/etc/passwd"),
            (100, b"0000755\0"),
            (100, b"0000600\0"),
            (108, b"0000001\0"),
            (136, b"00000000001\0"),
            (265, b"root"),
            (345, b"prefix"),
            (500, b"padding"),
        ] {
            assert_eq!(code(&with(&archive, at, text)), "archive-form", "byte {at}");
        }
    }

    #[test]
    fn what_would_grow_or_has_too_many_entries_is_refused() {
        // What is compressed is no archive, so nothing can be more than the file is.
        for (magic, expected) in [
            (&b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..], "archive-header"),
            (b"\x28\xb5\x2f\xfd", "archive-header"),
            (b"BZh91AY&SY", "archive-header"),
            (b"\xfd7zXZ\0\0", "archive-header"),
            (b"PK\x03\x04", "archive-header"),
        ] {
            let block = [magic, &vec![b'x'; BLOCK]].concat();
            assert_eq!(code(&block), expected, "{magic:?}");
            assert_eq!(code(magic), "archive-cut", "{magic:?}");
        }
        // A sparse file of old GNU tar: its head says 8 MiB, and holds no byte of them.
        let sparse = with(&with(&encode(&package(b"")), 156, b"S"), SIZE.start, b"00040000000\0");
        assert!(matches!(code(&sparse), "archive-cut" | "file-too-large"), "{}", code(&sparse));
        // Empty entries, as many as somebody likes.
        let names: Vec<String> =
            (0..1000).map(|number| format!("certificates/{number:016x}.dsse.json")).collect();
        let mut entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        entries.extend([("component.wasm", &b"c"[..]), ("manifest.json", b"{}"), ("sbom.cdx.json", b"b")]);
        assert_eq!(code(&forged(&entries)), "file-extra");
    }

    #[test]
    fn a_size_that_lies_is_refused_before_anything_is_copied() {
        let archive = encode(&package(b"component"));
        let first = archive.windows(14).position(|window| window == b"component.wasm").unwrap();
        for (size, expected) in [
            (&b"77777777777\0"[..], "file-too-large"),
            (b"00400000000\0", "archive-cut"),
            (b"00000000001\0", "archive-form"),
            (b"-0000000001\0", "archive-header"),
            (b"\x80\0\0\0\0\0\0\0\0\0\xff\xff", "archive-header"),
        ] {
            assert_eq!(code(&with(&archive, first + SIZE.start, size)), expected);
        }
    }
}
