//! The bill of materials beside the component: CycloneDX 1.5.
//!
//! In -> out: [`Dependencies`] and the component's digest -> bytes of `sbom.cdx.json`.
//! Invariant: its components are the lock file's packages for the guest target, the plugin apart; no time and no
//! random number, so the same build gives the same bytes.
//! Not here: the list inside the module (`embedded.rs`).

use orch_trust::digest::Sha256Digest;
use serde_json::{Value, json};

use crate::dependencies::{Dependencies, Dependency};

/// The bill of materials of a plugin whose component has that digest.
pub fn write(dependencies: &Dependencies, component: Sha256Digest) -> Result<Vec<u8>, serde_json::Error> {
    let others = dependencies.packages.iter().enumerate().filter(|(place, _)| *place != dependencies.root);
    let components: Vec<Value> = others.map(|(_, package)| describe(package, "library")).collect();
    let edges = dependencies.packages.iter().map(|package| {
        let used = package.uses.iter().filter_map(|place| dependencies.packages.get(*place)).map(reference);
        json!({ "ref": reference(package), "dependsOn": used.collect::<Vec<_>>() })
    });
    let mut plugin = dependencies.plugin().map_or(Value::Null, |package| describe(package, "application"));
    if let Some(plugin) = plugin.as_object_mut() {
        plugin.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": component.to_string() }]));
    }
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "orch-plugin", "version": env!("CARGO_PKG_VERSION") }] },
            "component": plugin,
        },
        "components": components,
        "dependencies": edges.collect::<Vec<_>>(),
    });
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn describe(package: &Dependency, kind: &str) -> Value {
    let scope = if package.runtime { "required" } else { "excluded" };
    let mut out = json!({
        "type": kind,
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version.to_string(),
        "scope": scope,
    });
    if let Some(out) = out.as_object_mut() {
        if let Some(license) = &package.license {
            // Cargo's old form: `MIT/Apache-2.0`.
            out.insert("licenses".to_owned(), json!([{ "expression": license.replace('/', " OR ") }]));
        }
        if package.source.is_some() {
            out.insert("purl".to_owned(), purl(package).into());
        }
    }
    out
}

/// A package in this document: unique, and free of the machine's paths.
fn reference(package: &Dependency) -> String {
    match package.source {
        Some(_) => purl(package),
        None => format!("local:{}@{}", package.name, package.version),
    }
}

fn purl(package: &Dependency) -> String {
    let plain = format!("pkg:cargo/{}@{}", package.name, encode(&package.version.to_string()));
    match package.source.as_deref() {
        Some(source) if source.starts_with("git+") => format!("{plain}?vcs_url={}", encode(source)),
        Some(source) if !source.ends_with("github.com/rust-lang/crates.io-index") => {
            format!("{plain}?repository_url={}", encode(source))
        }
        _ => plain,
    }
}

fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' => {
                out.push(char::from(byte))
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_the_packages_without_the_plugin() {
        let dependencies = crate::dependencies::tests::example();
        let bytes = write(&dependencies, Sha256Digest::of(b"component")).unwrap();
        let read: Value = serde_json::from_slice(&bytes).unwrap();
        let names: Vec<_> =
            read["components"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["generator", "helper", "library", "macro", "parser"]);
        assert_eq!(read["metadata"]["component"]["name"], "plugin");
        assert_eq!(
            read["metadata"]["component"]["hashes"][0]["content"],
            Sha256Digest::of(b"component").to_string()
        );
        assert_eq!(read["components"][2]["purl"], "pkg:cargo/library@1.0.0");
        assert_eq!(bytes, write(&dependencies, Sha256Digest::of(b"component")).unwrap());
    }

    #[test]
    fn a_source_elsewhere_is_named() {
        let mut package = crate::dependencies::tests::example().packages.remove(2);
        package.source = Some("git+https://example.org/a?rev=1#abc".to_owned());
        assert_eq!(
            purl(&package),
            "pkg:cargo/library@1.0.0?vcs_url=git%2Bhttps://example.org/a%3Frev%3D1%23abc"
        );
    }
}
