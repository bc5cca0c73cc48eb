//! What a component is made of, for tests: the list inside its module, and the bill of materials beside it.
//!
//! In -> out: component -> the same with a list in its first module; component -> SBOM.
//! Bytes that are no component stay as they are.

use miniz_oxide::deflate::compress_to_vec_zlib;
use orch_trust::digest::Sha256Digest;
use serde_json::{Value, json};

/// The list of a module that is made of itself and of one package.
pub(crate) fn list() -> Value {
    json!({ "packages": [
        { "name": "helper", "version": "1.2.3", "source": "crates.io" },
        { "name": "sample", "version": "1.0.0", "source": "local", "dependencies": [0], "root": true },
    ], "format": 1 })
}

/// The section's content for that list.
pub(crate) fn packed(list: &Value) -> Vec<u8> {
    compress_to_vec_zlib(list.to_string().as_bytes(), 7)
}

/// The component with the usual list in its first module.
pub(crate) fn with_list(component: &[u8]) -> Vec<u8> {
    with_section(component, ".dep-v0", &packed(&list()))
}

/// The component with one more custom section at the end of its first module.
pub(crate) fn with_section(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    match first_module(component) {
        Some((start, content, end)) => {
            let module = [&component[content..end], &section(name, data)].concat();
            [&component[..=start], &length(module.len()), &module, &component[end..]].concat()
        }
        None => component.to_vec(),
    }
}

/// The component with one more module of that text at its end, which has a list.
pub(crate) fn with_module(component: &[u8], body: &str) -> Vec<u8> {
    let module = wat::parse_str(format!("(module {body})")).unwrap();
    let module = [module, section(".dep-v0", &packed(&list()))].concat();
    with_bare_module(component, &module)
}

/// The component with that module at its end.
pub(crate) fn with_bare_module(component: &[u8], module: &[u8]) -> Vec<u8> {
    [component, &[1], &length(module.len()), module].concat()
}

/// A whole custom section.
pub(crate) fn section(name: &str, data: &[u8]) -> Vec<u8> {
    let content = [length(name.len()).as_slice(), name.as_bytes(), data].concat();
    [&[0], length(content.len()).as_slice(), &content].concat()
}

/// Where the first module's section begins, its content, and where that ends.
fn first_module(component: &[u8]) -> Option<(usize, usize, usize)> {
    let mut at = 8;
    loop {
        let id = component.get(at)?;
        let (size, content) = read_length(component, at + 1)?;
        if component.len() < content + size {
            return None;
        }
        if *id == 1 {
            return Some((at, content, content + size));
        }
        at = content + size;
    }
}

fn read_length(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte < 0x80 {
            return Some((value, at));
        }
    }
}

pub(crate) fn length(mut rest: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

/// The bill of materials that fits [`list`] and these bytes.
pub(crate) fn sbom(component: &[u8]) -> Value {
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": {
            "type": "application", "bom-ref": "local:sample@1.0.0", "name": "sample", "version": "1.0.0",
            "hashes": [{ "alg": "SHA-256", "content": Sha256Digest::of(component).to_string() }] } },
        "components": [{
            "type": "library", "bom-ref": "pkg:cargo/helper@1.2.3", "name": "helper", "version": "1.2.3",
            "purl": "pkg:cargo/helper@1.2.3" }],
        "dependencies": [
            { "ref": "local:sample@1.0.0", "dependsOn": ["pkg:cargo/helper@1.2.3"] },
            { "ref": "pkg:cargo/helper@1.2.3", "dependsOn": [] }],
    })
}
