//! Indexes that are whole, changed, of others, and the files that they name.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use orch_trust::key::SecretKey;

use super::*;

const AT: &str = "shelf";

fn id() -> PluginId {
    PluginId::parse("acme/hello").unwrap()
}

fn version() -> Version {
    Version::new(1, 2, 0)
}

fn publisher(seed: u8, namespaces: &[&str]) -> Publisher {
    let key = SecretKey::from_seed(&[seed; 32]).public();
    Publisher::new(key, "acme".to_owned(), namespaces.iter().map(|text| (*text).to_owned()).collect())
}

fn archive() -> Vec<u8> {
    let files = ["manifest.json", "component.wasm", "sbom.cdx.json"];
    let files = files.map(|name| (name.to_owned(), name.as_bytes().into()));
    archive::encode(&PackageBytes::new(files.into()).unwrap())
}

fn document(file: &[u8]) -> IndexDocument {
    let entry = Entry { size: file.len() as u64, sha256: Sha256Digest::of(file) };
    IndexDocument { packages: [(id(), [(version(), entry)].into())].into(), ..IndexDocument::default() }
}

/// A folder with that index, signed by a key of that seed, and that file.
fn shelf(document: &IndexDocument, seed: u8, file: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let signed = sign(document, &SecretKey::from_seed(&[seed; 32])).unwrap();
    std::fs::write(folder.path().join(INDEX), signed).unwrap();
    std::fs::create_dir(folder.path().join("acme")).unwrap();
    std::fs::create_dir(folder.path().join("acme/hello")).unwrap();
    std::fs::write(folder.path().join("acme/hello/1.2.0.orchpkg"), file).unwrap();
    folder
}

fn code(shelf: &tempfile::TempDir, publishers: &[Publisher]) -> &'static str {
    let opened = Index::of_folder(shelf.path(), publishers);
    let read = opened.and_then(|index| index.package(Some(&id()), &version()));
    read.err().map_or("read", |error| error.code())
}

#[test]
fn an_index_counts_if_its_signer_may_publish_all_of_it() {
    let file = archive();
    let acme = publisher(1, &["acme/"]);
    let good = shelf(&document(&file), 1, &file);
    assert_eq!(code(&good, std::slice::from_ref(&acme)), "read");
    assert_eq!(code(&good, &[publisher(1, &["other/"]), acme.clone()]), "read");
    assert_eq!(code(&good, &[]), "release-unknown-key");
    assert_eq!(code(&good, &[publisher(2, &["acme/"])]), "release-unknown-key");
    assert_eq!(code(&good, &[publisher(1, &["acm/", "acme-evil/"])]), "index-namespace");
    let mut with_other = document(&file);
    with_other.packages.insert(PluginId::parse("other/x").unwrap(), BTreeMap::new());
    assert_eq!(code(&shelf(&with_other, 1, &file), std::slice::from_ref(&acme)), "index-namespace");
    let bytes = std::fs::read(good.path().join(INDEX)).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(verify(AT, &changed, std::slice::from_ref(&acme)).is_err(), "byte {at}");
    }
}

#[test]
fn a_file_is_the_one_that_the_index_names() {
    let file = archive();
    let acme = [publisher(1, &["acme/"])];
    let mut other = file.clone();
    other[600] ^= 1;
    assert_eq!(code(&shelf(&document(&file), 1, &other), &acme), "source-other-bytes");
    assert_eq!(code(&shelf(&document(&file), 1, &file[..512]), &acme), "source-other-bytes");
    assert_eq!(code(&shelf(&document(&file), 1, &[&file[..], &[0; 512]].concat()), &acme), "file-too-large");
    assert_eq!(code(&shelf(&document(b"text"), 1, b"text"), &acme), "archive-cut");
    let mut huge = document(&file);
    huge.packages
        .insert(id(), [(version(), Entry { size: 1 << 40, sha256: Sha256Digest::of(&file) })].into());
    assert_eq!(code(&shelf(&huge, 1, &file), &acme), "file-too-large");
    let without = shelf(&document(&file), 1, &file);
    std::fs::remove_file(without.path().join("acme/hello/1.2.0.orchpkg")).unwrap();
    assert_eq!(code(&without, &acme), "source-io");
    let index = Index::of_folder(without.path(), &acme).unwrap();
    assert_eq!(index.versions(Some(&id())), [version()]);
    assert!(index.versions(Some(&PluginId::parse("acme/other").unwrap())).is_empty());
    let missing = index.package(Some(&id()), &Version::new(9, 0, 0)).err().unwrap();
    assert_eq!(missing.code(), "source-missing");
}

/// A package of which only the manifest is looked at.
fn with_manifest(version: &str, api: &str) -> PackageBytes {
    let manifest = serde_json::json!({
        "schema": "urn:orch:plugin-manifest:v1", "id": "acme/hello", "version": version, "name": "Hello",
        "description": "Says hello", "license": "MIT", "roles": ["reflector"],
        "integrity": { "files": [
            { "path": "component.wasm", "role": "component", "size": 1, "sha256": "0".repeat(64) },
            { "path": "sbom.cdx.json", "role": "sbom", "size": 1, "sha256": "0".repeat(64) } ] },
        "host": { "api": api }, "permissions": { "log": {} },
        "limits": { "memoryMiB": 16, "busyMs": 500, "wallMs": 2000, "outputKiB": 64, "hostCalls": 1000, "logKiB": 64 } });
    let files = [
        ("manifest.json", manifest.to_string()),
        ("component.wasm", "c".to_owned()),
        ("sbom.cdx.json", "b".to_owned()),
    ];
    PackageBytes::new(files.map(|(name, text)| (name.to_owned(), text.into_bytes().into())).into()).unwrap()
}

#[test]
fn the_newest_version_that_is_for_this_host_is_taken() {
    let ours = ">=0.1.0, <0.2.0";
    let offered = [
        ("0.1.0", ours),
        ("0.1.9", ours),
        ("0.1.10", ours),
        ("0.2.0", ">=7.0.0"),
        ("0.3.0-rc.1", ours),
        ("1.0.0", ">=7.0.0"),
    ];
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("acme/hello")).unwrap();
    let mut document = IndexDocument::default();
    for (version, api) in offered {
        let file = archive::encode(&with_manifest(version, api));
        let entry = Entry { size: file.len() as u64, sha256: Sha256Digest::of(&file) };
        std::fs::write(folder.path().join(format!("acme/hello/{version}.orchpkg")), file).unwrap();
        document.packages.entry(id()).or_default().insert(Version::parse(version).unwrap(), entry);
    }
    let signed = sign(&document, &SecretKey::from_seed(&[1; 32])).unwrap();
    std::fs::write(folder.path().join(INDEX), signed).unwrap();
    let index = Index::of_folder(folder.path(), &[publisher(1, &["acme/"])]).unwrap();
    let opened = crate::sources::Opened::Index(index);
    let newest = |range: Option<&str>| {
        let range = range.map(|range| semver::VersionReq::parse(range).unwrap());
        opened
            .newest(Some(&id()), range.as_ref())
            .map(|version| version.to_string())
            .map_err(|error| error.to_string())
    };
    assert_eq!(newest(None).unwrap(), "0.1.10");
    assert_eq!(newest(Some("*")).unwrap(), "0.1.10");
    assert_eq!(newest(Some("<0.1.10")).unwrap(), "0.1.9");
    assert_eq!(newest(Some("=0.1.0")).unwrap(), "0.1.0");
    assert_eq!(newest(Some(">=0.3.0-rc.0")).unwrap(), "0.3.0-rc.1");
    let said = newest(Some("^1")).unwrap_err();
    assert!(said.contains("wanted ^1") && said.contains("for hosts of other interfaces: 1.0.0"), "{said}");
}
