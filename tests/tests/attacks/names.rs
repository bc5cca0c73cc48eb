//! Names: of files in a package, of files in a manifest, of plugins and versions. None of them is ever a path.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use orch_host::plugins::discover;
use orch_tests::twins::{Files, Makers};
use orch_trust::manifest::Manifest;
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::time::UnixSeconds;

/// What some system takes for a path, or for another name than it is.
const ODD: [&str; 22] = [
    "..component.wasm",
    ".component.wasm",
    "component.wasm.",
    "component.wasm ",
    " component.wasm",
    "component.wasm~",
    "component.wasm:stream",
    "Component.wasm",
    "MANIFEST.JSON",
    "manifest.json\u{200b}",
    "m\u{430}nifest.json",
    "caf\u{e9}.json",
    "cafe\u{301}.json",
    "con",
    "nul.json",
    "aux.wasm",
    "C:manifest.json",
    "C:\\manifest.json",
    "\\\\host\\share\\manifest.json",
    "..\\manifest.json",
    "certificates\\0123456789abcdef.dsse.json",
    "manifest.json\n",
];

fn good() -> Files {
    Makers::new(UnixSeconds(1_800_000_000)).package("old")
}

/// Puts the files into that folder.
pub(crate) fn write(folder: &Path, files: &Files) {
    std::fs::create_dir_all(folder.join("certificates")).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn a_file_has_one_name() {
    let files = good();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files);
    let code = || orch_host::package::read(folder.path()).err().map(|error| error.code());
    assert_eq!(code(), None);
    let bytes = [&b"manifest.json\xff"[..], b"\xff"].map(OsStr::from_bytes);
    for name in ODD.iter().map(OsStr::new).chain(bytes) {
        for path in [folder.path().join(name), folder.path().join("certificates").join(name)] {
            std::fs::write(&path, "{}").unwrap();
            assert_eq!(code(), Some("file-extra"), "{name:?}");
            std::fs::remove_file(path).unwrap();
        }
    }
    // Also from whatever else files come one day.
    let paths = [
        "",
        ".",
        "..",
        "/manifest.json",
        "./manifest.json",
        "../manifest.json",
        "x/../manifest.json",
        "manifest.json\0",
        "manifest.json/",
        "certificates/",
        "certificates/..",
        "certificates/../manifest.json",
        "certificates//0123456789abcdef.dsse.json",
        "certificates/0123456789ABCDEF.dsse.json",
        "certificates/0123456789abcde.dsse.json",
        "certificates/0123456789abcdef0.dsse.json",
        "certificates/0123456789abcdef.dsse.json.",
    ];
    for name in ODD.iter().chain(&paths) {
        let mut files = files.clone();
        files.insert((*name).to_owned(), b"{}"[..].into());
        assert_eq!(
            PackageBytes::new(files).err().map(|refusal| refusal.code()),
            Some("file-extra"),
            "{name:?}"
        );
    }
}

#[test]
fn an_entry_of_the_manifest_is_one_of_four_names() {
    let text = String::from_utf8(good()["manifest.json"].to_vec()).unwrap();
    let code = |path: &str| {
        let path = serde_json::Value::from(path).to_string();
        let text = text.replacen("\"component.wasm\"", &path, 1);
        Manifest::parse(text.as_bytes()).err().map(|refusal| refusal.code())
    };
    assert_eq!(code("component.wasm"), None);
    let more = [
        "",
        ".",
        "/etc/passwd",
        "../component.wasm",
        "./component.wasm",
        "component.wasm\0",
        "sbom.cdx.json",
    ];
    for path in ODD.iter().chain(&more) {
        assert_eq!(code(path), Some("manifest-field"), "{path:?}");
    }
}

#[test]
fn an_id_or_version_is_never_a_path() {
    for id in [
        "", "/", "..", "a", "a/", "/a", "a/b/c", "../a", "a/..", "a/.", "./a", "a\\b", "a/b\0", "a/b ",
        "A/b", "a/b.", "a/\u{e9}", "C:/a", "a//b", "a/b\n", "orch/a", "wasi/a",
    ] {
        assert!(PluginId::parse(id).is_err(), "{id:?}");
    }
    for version in
        ["", ".", "..", "../..", "1", "1.0", "v1.0.0", "1.0.0/..", "1.0.0\\x", "1.0.0\0", "01.0.0", "1.0.0 "]
    {
        assert!(semver::Version::parse(version).is_err(), "{version:?}");
    }
    // Folders with such names are no packages.
    let root = tempfile::tempdir().unwrap();
    for folder in [
        "acme/tool/1.0.0",
        "Acme/tool/1.0.0",
        "acme/to ol/1.0.0",
        "acme/tool/v1",
        "acme/.tool/1.0.0",
        "orch/x/1.0.0",
        "1.0.0",
    ] {
        std::fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    let found = discover(&[root.path().to_owned()]);
    let found: Vec<String> = found.iter().map(|found| format!("{} {}", found.id, found.version)).collect();
    assert_eq!(found, ["acme/tool 1.0.0"]);
}

#[test]
fn long_texts_do_not_keep_the_schema_busy() {
    let text = String::from_utf8(good()["manifest.json"].to_vec()).unwrap();
    let (long, twin) = ("a".repeat(200_000), "\"acme/twin\"");
    for id in [format!("\"{long}/{long}\""), format!("\"{long}/\""), format!("\"{}!\"", "a/".repeat(50_000))]
    {
        let text = text.replacen(twin, &id.chars().take(240_000).chain("\"".chars()).collect::<String>(), 1);
        let text = text.replace("\"\"", "\"");
        let code = Manifest::parse(text.as_bytes()).err().map(|refusal| refusal.code());
        assert_eq!(code, Some("manifest-schema"));
    }
}
