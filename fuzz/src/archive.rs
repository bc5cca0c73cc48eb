//! A package as one file.

use std::collections::BTreeMap;

use orch_trust::archive::{decode, encode};
use orch_trust::package::{PackageBytes, bytes_max};

use crate::package::good;

const BLOCK: usize = 512;
const SUM: std::ops::Range<usize> = 148..156;

/// What is taken is what is written of its files, and a plain reader of tar finds the same files; so with the sums of its headers
/// mended, which no change of a byte gets right by itself.
pub(crate) fn archive(bytes: &[u8]) -> bool {
    let mended = mended(bytes);
    let taken = check(bytes);
    check(&mended) || taken
}

fn check(bytes: &[u8]) -> bool {
    match decode(bytes) {
        Ok(package) => {
            assert_eq!(encode(&package), bytes, "read is what is written");
            let files: BTreeMap<&str, &[u8]> = package.files().collect();
            assert!(
                files
                    .iter()
                    .all(|(name, bytes)| bytes_max(name).is_some_and(|max| bytes.len() as u64 <= max))
            );
            assert_eq!(plain(bytes), files.iter().map(|(name, bytes)| (*name, *bytes)).collect::<Vec<_>>());
            let longer = [bytes, &[0; BLOCK]].concat();
            assert!(decode(&longer).is_err() && decode(&bytes[..bytes.len() - 1]).is_err());
            true
        }
        Err(error) => {
            assert!(!error.code().is_empty() && !error.to_string().contains('\0'), "{error}");
            false
        }
    }
}

/// Names and contents as a reader of tar finds them that believes each header.
fn plain(bytes: &[u8]) -> Vec<(&str, &[u8])> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while rest[0] != 0 {
        let (head, after) = rest.split_at(BLOCK);
        assert_eq!((head[156], &head[257..263]), (b'0', &b"ustar\0"[..]), "regular files only");
        let name = head[..100].split(|byte| *byte == 0).next().unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&head[124..135]).unwrap(), 8).unwrap();
        found.push((std::str::from_utf8(name).unwrap(), &after[..size]));
        rest = &after[size.next_multiple_of(BLOCK)..];
    }
    assert_eq!(rest, [0; 2 * BLOCK], "nothing is behind the end mark");
    found
}

/// With the right sum in each header that is reached.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut mended = bytes.to_vec();
    let mut at = 0;
    while let Some(head) = mended.get_mut(at..at + BLOCK) {
        if head[0] == 0 {
            break;
        }
        head[SUM].copy_from_slice(b"        ");
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = std::str::from_utf8(&head[124..135]).unwrap_or_default();
        let Ok(size) = usize::from_str_radix(digits, 8) else { break };
        at += BLOCK + size.next_multiple_of(BLOCK);
    }
    mended
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let files = [("component.wasm", &b"c"[..]), ("manifest.json", b"{}"), ("sbom.cdx.json", b"b")];
    let least = PackageBytes::new(files.map(|(name, bytes)| (name.to_owned(), bytes.into())).into());
    vec![
        ("valid", encode(&good().package)),
        ("valid-least", encode(&least.expect("it has all that it needs"))),
    ]
}
