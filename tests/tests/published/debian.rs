//! A registry that others wrote, and a program of others that copies from one to another: Debian's `docker-registry`, `skopeo`.
//!
//! Not here: what registries do wrong (`published.rs`).

use std::fs;
use std::path::Path;

use orch_tests::registry::debian::{DebianRegistry, skopeo_copies, skopeo_tags};
use orch_trust::digest::Sha256Digest;

use super::Scene;

#[test]
fn what_skopeo_copied_to_another_registry_still_verifies() {
    let (Some(first), Some(second)) = (DebianRegistry::start(), DebianRegistry::start()) else { return };
    let scene = Scene::new();
    let at = |registry: &DebianRegistry, name: &str| format!("oci://{}/{name}", registry.address());
    let from = at(&first, "demo/note");
    let package = scene.made("0.1.1", |_| {});
    let said = scene.publish(&package, &from, 0);
    assert!(said.contains("pushed to"), "{said}");
    assert!(scene.publish(&package, &from, 0).contains("0 more certificates"));
    let newer = scene.made("0.1.2", |_| {});
    scene.publish(&newer, &from, 0);

    // The image alone has lost its certificate on the way; with the tag that refers to it, it has not.
    let to = at(&second, "mirror/of/note");
    let docker = |at: &str, tag: &str| format!("docker://{}:{tag}", at.strip_prefix("oci://").unwrap());
    for tag in ["0.1.1", "0.1.2"] {
        skopeo_copies(&docker(&from, tag), &docker(&to, tag));
    }
    scene.changes_nothing(&["add", &to], 3, "certificate-missing");
    let tags = skopeo_tags(&format!("docker://{}", from.strip_prefix("oci://").unwrap()));
    let referring: Vec<_> = tags.iter().filter(|tag| tag.starts_with("sha256-")).collect();
    assert_eq!((tags.len(), referring.len()), (4, 2), "{tags:?}");
    for tag in referring {
        skopeo_copies(&docker(&from, tag), &docker(&to, tag));
    }
    let before = digests(&package);
    scene.takes(&["add", &format!("{to}:0.1.1")], &package);
    assert_eq!(digests(&scene.kept().join("0.1.1")), before);
    drop(first);
    let said = scene.plugin(&["list", "--outdated"], 0);
    assert!(said.contains("0.1.2"), "{said}");
    scene.takes(&["add", &format!("{to}@^0.1")], &newer);
    assert_eq!(digests(&scene.kept().join("0.1.2")), digests(&newer));
    let lock = scene.own.read("orch.lock");
    assert!(lock.contains(&format!("source = \"{to}\"")), "{lock}");

    let other = scene.made("0.1.1", |manifest| manifest["description"] = "other".into());
    assert!(scene.publish(&other, &to, 2).contains("code: publish-taken"));

    // A copy of one version under the tag of another is not that other one.
    skopeo_copies(&docker(&to, "0.1.1"), &docker(&to, "0.1.9"));
    scene.changes_nothing(&["add", &format!("{to}:0.1.9")], 3, "source-other-plugin");
}

/// Digests of all files of a package.
fn digests(package: &Path) -> Vec<(String, Sha256Digest)> {
    let mut files = Vec::new();
    super::below(package, &mut files);
    files.retain(|path| path.is_file());
    let name = |path: &Path| path.strip_prefix(package).unwrap().display().to_string();
    files.iter().map(|path| (name(path), Sha256Digest::of(&fs::read(path).unwrap()))).collect()
}
