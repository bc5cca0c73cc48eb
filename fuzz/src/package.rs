//! A package with one file changed, from its bytes to admission.

use std::sync::OnceLock;

use orch_trust::admission::{Rules, admit};
use orch_trust::certificate::Certificate;
use orch_trust::dsse::{Predicate, Statement};
use orch_trust::key::{SecretKey, base64_decode};
use orch_trust::manifest::Manifest;
use orch_trust::package::PackageBytes;
use orch_trust::release::Release;

pub(crate) use make::{DAY, Files, NOW};

#[path = "../../trust/tests/admission/make.rs"]
mod make;

/// A package that is admitted, and whoever made it so.
pub(crate) struct Good {
    pub(crate) files: Files,
    pub(crate) package: PackageBytes,
    pub(crate) manifest: Manifest,
    pub(crate) certificate: Certificate,
    pub(crate) release: Release,
    pub(crate) rules: Rules,
    pub(crate) publisher: SecretKey,
    pub(crate) certifier: SecretKey,
}

/// The one good package.
pub(crate) fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let mut make = make::Make::good();
        make.component = component();
        #[cfg(feature = "engine")]
        {
            make.certificate = Box::new(as_this_tool);
        }
        let (publisher, certifier, release) =
            (copy(&make.publisher, 1), copy(&make.certifier, 2), make.release.clone());
        let (files, rules) = make.build();
        let package = PackageBytes::new(files.clone()).unwrap();
        let manifest = Manifest::parse(package.manifest()).unwrap();
        admit(&package, &rules, NOW).expect("the good package is admitted");
        let (_, envelope) = package.certificates().next().unwrap();
        let certificate = said::<Certificate>(envelope).predicate;
        Good { files, package, manifest, certificate, release, rules, publisher, certifier }
    })
}

/// The certificate as this very tool says it, so that it would also sign it.
#[cfg(feature = "engine")]
fn as_this_tool(certificate: &mut Certificate) {
    certificate.certifier = orch_certify::check::tool();
    certificate.environment.wasmtime = orch_certify::issue::WASMTIME.to_owned();
    certificate.checks.iter_mut().for_each(|check| check.tool = orch_certify::check::tool());
}

/// The statement in an envelope, whoever signed it.
fn said<P: Predicate>(envelope: &[u8]) -> Statement<P> {
    let envelope: serde_json::Value = serde_json::from_slice(envelope).unwrap();
    let payload = base64_decode(envelope["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// The same key once more, of which the seed is known.
fn copy(key: &SecretKey, seed: u8) -> SecretKey {
    let copied = SecretKey::from_seed(&[seed; 32]);
    assert_eq!(copied.public(), key.public());
    copied
}

pub(crate) fn component() -> Vec<u8> {
    let text = r#"(component (import "orch:log/log@0.1.0" (instance $log)) (core module (memory 1 2) (table 1 funcref) (func))
        (instance $me) (export "orch:executor/executor@0.1.0" (instance $me)))"#;
    wat::parse_str(text).unwrap()
}

/// The good package with one file put in its place or beside the others. First line: its name; the rest: its bytes.
/// Admitted is the good package alone.
pub(crate) fn admission(bytes: &[u8]) -> bool {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return false };
    let Ok(name) = std::str::from_utf8(&bytes[..end]) else { return false };
    let content = &bytes[end + 1..];
    let mut files = good().files.clone();
    files.insert(name.to_owned(), content.into());
    let Ok(package) = PackageBytes::new(files) else { return false };
    match admit(&package, &good().rules, NOW) {
        Ok(_) => {
            assert!(
                good().files.get(name).is_some_and(|own| **own == *content),
                "`{name}` is not what was signed"
            );
            true
        }
        Err(refusal) => {
            assert!(!refusal.code().is_empty() && !refusal.to_string().is_empty());
            assert!(good().files.get(name).is_none_or(|own| **own != *content), "{refusal}");
            false
        }
    }
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let with = |name: &str| [name.as_bytes(), b"\n", &good().files[name]].concat();
    let certificate = good().files.keys().find(|name| name.starts_with("certificates/")).unwrap();
    vec![
        ("valid-manifest", with("manifest.json")),
        ("valid-component", with("component.wasm")),
        ("valid-release", with("release.dsse.json")),
        ("valid-certificate", with(certificate)),
    ]
}
