//! The dependency list inside the module, as `cargo auditable` writes it.
//!
//! In -> out: [`Dependencies`] -> the custom section `.dep-v0` (JSON, zlib), appended to a core module.
//! Invariant: the same packages give the same bytes; readable by every tool that knows the format.
//! Not here: the list beside the component (`sbom.rs`).

use auditable_serde::{DependencyKind, Package, Source, VersionInfo};
use miniz_oxide::deflate::compress_to_vec_zlib;

use crate::dependencies::{Dependencies, Dependency};

/// Name of the custom section.
pub const SECTION: &str = ".dep-v0";
/// Build dependencies, procedural macros among them, are marked as such.
const FORMAT: u32 = 1;
const COMPRESSION: u8 = 7;
const CUSTOM: u8 = 0;

/// The module with the list as its last section.
pub fn embed(module: &[u8], dependencies: &Dependencies) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_vec(&list(dependencies))?;
    let list = compress_to_vec_zlib(&json, COMPRESSION);
    let mut content = Vec::new();
    push_length(&mut content, SECTION.len());
    content.extend(SECTION.as_bytes());
    content.extend(list);
    let mut out = module.to_vec();
    out.push(CUSTOM);
    push_length(&mut out, content.len());
    out.extend(content);
    Ok(out)
}

/// The list as values.
pub fn list(dependencies: &Dependencies) -> VersionInfo {
    let packages = dependencies.packages.iter().enumerate();
    let packages = packages.map(|(place, package)| Package {
        name: package.name.clone(),
        version: package.version.clone(),
        source: source(package),
        kind: if package.runtime { DependencyKind::Runtime } else { DependencyKind::Build },
        dependencies: package.uses.clone(),
        root: place == dependencies.root,
    });
    VersionInfo { packages: packages.collect(), format: FORMAT }
}

fn source(package: &Dependency) -> Source {
    match package.source.as_deref() {
        None => Source::Local,
        Some("registry+https://github.com/rust-lang/crates.io-index") => Source::CratesIo,
        Some(other) if other.starts_with("registry+") || other.starts_with("sparse+") => Source::Registry,
        Some(other) if other.starts_with("git+") => Source::Git,
        Some(other) => Source::Other(other.to_owned()),
    }
}

/// Unsigned LEB128.
fn push_length(out: &mut Vec<u8>, length: usize) {
    let mut rest = length;
    loop {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

    #[test]
    fn the_list_comes_back_out_of_the_module() {
        let dependencies = crate::dependencies::tests::example();
        let module = embed(&EMPTY_MODULE, &dependencies).unwrap();
        let mut found = Vec::new();
        for payload in wasmparser::Parser::new(0).parse_all(&module) {
            if let wasmparser::Payload::CustomSection(section) = payload.unwrap() {
                found.push((section.name().to_owned(), section.data().to_vec()));
            }
        }
        let [(name, data)] = &*found else { panic!("{} custom sections", found.len()) };
        assert_eq!(name, SECTION);
        let json = miniz_oxide::inflate::decompress_to_vec_zlib(data).unwrap();
        let read: VersionInfo = serde_json::from_slice(&json).unwrap();
        assert_eq!(read, list(&dependencies));
        assert_eq!(read.packages.iter().filter(|package| package.root).count(), 1);
    }

    #[test]
    fn lengths_are_leb128() {
        for (length, bytes) in
            [(0, &[0][..]), (127, &[127]), (128, &[0x80, 1]), (624_485, &[0xe5, 0x8e, 0x26])]
        {
            let mut out = Vec::new();
            push_length(&mut out, length);
            assert_eq!(out, bytes);
        }
    }
}
