//! A release after another one, as `api-compatibility` sees it.

use std::path::PathBuf;

use orch_certify::check::{Beside, Group, run_static};
use orch_host::package;
use orch_trust::certificate::{CheckResult, CheckStatus};
use orch_trust::digest::Sha256Digest;
use orch_trust::inputs::Inputs;
use orch_trust::manifest::Role;
use serde_json::Value;

use crate::guest::guest;
use crate::package::Package;

fn executor() -> Vec<u8> {
    guest(Role::Executor, "", &[])
}

fn one(results: Vec<CheckResult>, id: &str) -> CheckResult {
    results.into_iter().find(|result| result.id == id).unwrap()
}

/// What `api-compatibility` says of a release after another one.
fn after(old: &Package, new: &Package) -> CheckResult {
    let beside = Beside { previous: Some(old.folder()), ..Beside::default() };
    one(new.look_beside(Group::Compatibility, &beside), "api-compatibility")
}

#[track_caller]
fn compatible(old: &Package, new: &Package, status: CheckStatus, codes: &[&str]) {
    let result = after(old, new);
    let found: Vec<&str> = result.findings.iter().map(|finding| finding.split(':').next().unwrap()).collect();
    assert_eq!((result.status, found.as_slice()), (status, codes), "{:?}", result.findings);
}

fn release(component: &[u8], version: &str, edit: impl FnOnce(&mut Value)) -> Package {
    Package::new(Role::Executor, component, |manifest| {
        manifest["version"] = version.into();
        edit(manifest);
    })
}

#[test]
fn the_release_before_is_named_by_its_manifest_if_it_was_looked_at() {
    let (old, new) = (release(&executor(), "1.0.0", |_| {}), release(&executor(), "1.0.1", |_| {}));
    let looked_at = |previous: Option<PathBuf>| {
        let beside = Beside { previous, ..Beside::default() };
        run_static(Group::Compatibility, &package::read(&new.folder()).unwrap(), &beside).inputs
    };
    let manifest = package::read(&old.folder()).unwrap().manifest().to_vec();
    let named = Inputs { previous_manifest_sha256: Some(Sha256Digest::of(&manifest)), ..Inputs::default() };
    assert_eq!(looked_at(Some(old.folder())), named);
    assert_eq!(looked_at(None), Inputs::default());
    // What could not be compared was not looked at.
    assert_eq!(looked_at(Some(old.folder().join("none"))), Inputs::default());
    old.write("sbom.cdx.json", b"{}");
    assert_eq!(looked_at(Some(old.folder())), Inputs::default());
}

#[test]
fn a_release_goes_on_where_the_last_one_was() {
    let plain = |version: &str| release(&executor(), version, |_| {});
    let settings = r#"(import "orch:settings/settings@0.1.0" "read" (func (param i32)))"#;
    let asking = |version: &str| {
        release(&guest(Role::Executor, settings, &[]), version, |manifest| {
            manifest["permissions"] = serde_json::json!({ "settings": {} });
        })
    };
    let first = one(plain("1.0.0").look(Group::Compatibility), "api-compatibility");
    assert_eq!((first.status, first.looked_at), (CheckStatus::Pass, 1));
    assert!(first.findings[0].starts_with("api-first-release: "), "{:?}", first.findings);
    let old = plain("1.0.0");
    compatible(&old, &plain("1.0.1"), CheckStatus::Pass, &[]);
    compatible(&old, &plain("1.0.0"), CheckStatus::Fail, &["api-version"]);
    compatible(&old, &plain("0.9.0"), CheckStatus::Fail, &["api-version"]);
    let other = release(&executor(), "1.1.0", |manifest| manifest["id"] = "demo/other".into());
    compatible(&old, &other, CheckStatus::Fail, &["api-other-plugin"]);
    compatible(&old, &asking("1.1.0"), CheckStatus::Warn, &["api-imports-more"]);
    compatible(&asking("1.0.0"), &plain("1.1.0"), CheckStatus::Pass, &[]);
    let kinds = release(&executor(), "1.1.0", |manifest| manifest["kinds"] = serde_json::json!(["memo"]));
    compatible(&old, &kinds, CheckStatus::Fail, &["api-kind-lost"]);
    let reads = |version: &str| {
        release(&executor(), version, |manifest| manifest["taskKeys"] = serde_json::json!(["model"]))
    };
    compatible(&reads("1.0.0"), &plain("1.1.0"), CheckStatus::Fail, &["api-task-key-lost"]);
    compatible(&old, &reads("1.1.0"), CheckStatus::Pass, &[]);
    let series = release(&executor(), "2.0.0", |manifest| manifest["kinds"] = serde_json::json!(["memo"]));
    compatible(&old, &series, CheckStatus::Pass, &["api-new-series"]);
    let planner =
        Package::new(Role::Planner, &guest(Role::Planner, crate::guest::SESSION, &[]), |manifest| {
            manifest["version"] = "1.1.0".into();
        });
    compatible(&old, &planner, CheckStatus::Fail, &["api-role-lost", "api-kind-lost", "api-changed"]);
    // Hosts that there are not.
    let future = release(&executor(), "1.0.0", |manifest| manifest["host"]["api"] = ">=0.2.0".into());
    let result = one(future.look(Group::Compatibility), "api-compatibility");
    assert_eq!(
        (result.status, result.findings),
        (CheckStatus::Skipped, vec!["no manifest: host-api".to_owned()])
    );
    // A previous release that is not there, or that is not what its manifest says, is no pass.
    old.write("component.wasm", b"other");
    assert_eq!(after(&old, &plain("1.0.1")).status, CheckStatus::Skipped);
    let nowhere = Beside { previous: Some(old.folder().join("nowhere")), ..Beside::default() };
    let result = one(plain("1.0.1").look_beside(Group::Compatibility, &nowhere), "api-compatibility");
    assert_eq!(result.status, CheckStatus::Skipped);
}
