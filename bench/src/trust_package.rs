//! Packages of a wished size, made of a reference plugin's own code, signed and certified with keys of the benchmark.
//!
//! In -> out: a package's folder, a size -> a new package's folder, and [`Signed`]: who must be trusted for it.
//! Invariant: it is admitted by the rules beside it; the code in it is real, its modules are there several times.
//! Not here: measuring (`trust.rs`).

use std::path::Path;

use anyhow::{Context, bail, ensure};
use orch_host::package;
use orch_trust::admission::Rules;
use orch_trust::approval::Approval;
use orch_trust::authority::{Certifier, Level, Publisher};
use orch_trust::certificate::{
    self, Certificate, CheckResult, CheckStatus, Environment, LOCAL_DAYS, Measured, SelfCheck, Tool,
    required_checks,
};
use orch_trust::digest::Sha256Digest;
use orch_trust::facts::Facts;
use orch_trust::key::{PublicKey, SecretKey, base64_decode};
use orch_trust::manifest::Manifest;
use orch_trust::package::{CERTIFICATES, COMPONENT, MANIFEST, PackageBytes, RELEASE, SBOM};
use orch_trust::policy::{Policy, entry_for};
use orch_trust::release::{self, Release};
use orch_trust::time::UnixSeconds;
use serde_json::{Value, json};

/// Any moment: nothing here asks the machine's clock.
const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
/// Magic and version of a component.
const HEAD_BYTES: usize = 8;
const CORE_MODULE_SECTION: u8 = 1;

/// A package with everything that is needed to verify it.
pub(crate) struct Signed {
    /// Of its files, sorted.
    pub(crate) names: Vec<String>,
    pub(crate) rules: Rules,
    pub(crate) now: UnixSeconds,
    /// Key, message and signature of each envelope.
    pub(crate) messages: Vec<([u8; 32], Vec<u8>, [u8; 64])>,
}

/// A package whose component has about that many bytes, in that folder.
pub(crate) fn make(of: &Path, bytes: usize, folder: &Path) -> anyhow::Result<Signed> {
    let reference = package::read(of).with_context(|| format!("cannot read `{}`", of.display()))?;
    let component = enlarged(&reference.component(), bytes)?;
    // The bill says of which bytes it is.
    let [old, new] = [&*reference.component(), &*component].map(|bytes| Sha256Digest::of(bytes).to_string());
    let sbom = std::str::from_utf8(reference.sbom())?.replace(&old, &new).into_bytes();
    let mut manifest: Value = serde_json::from_slice(reference.manifest())?;
    let entry = |path: &str, role: &str, bytes: &[u8]| json!({ "path": path, "role": role, "size": bytes.len(), "sha256": Sha256Digest::of(bytes) });
    let files = json!({ "files": [entry("component.wasm", "component", &component), entry("sbom.cdx.json", "sbom", &sbom)] });
    let fields = manifest.as_object_mut().context("a manifest is an object")?;
    fields.insert("integrity".to_owned(), files);
    // The memories of all copies count.
    let limits = fields.get_mut("limits").and_then(Value::as_object_mut).context("a manifest has limits")?;
    limits.insert("memoryMiB".to_owned(), 256.into());
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder.join("certificates"))?;
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes);
    write("manifest.json", manifest.to_string().as_bytes())?;
    write("component.wasm", &component)?;
    write("sbom.cdx.json", &sbom)?;
    let package = package::read(folder)?;
    let (publisher, certifier) = keys();
    let manifest = Manifest::parse(package.manifest())?;
    let release = Release {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        release_counter: 1,
        channel: "stable".to_owned(),
        issued_at: NOW,
        not_after: NOW.plus(30 * UnixSeconds::DAY),
        source: None,
    };
    write("release.dsse.json", &release::sign(&package, release, &publisher)?)?;
    let (name, envelope) = certificate::sign(&package, certificate(&package, &manifest)?, &certifier)?;
    write(&name, &envelope)?;
    Signed::read(folder)
}

fn keys() -> (SecretKey, SecretKey) {
    (SecretKey::from_seed(&[31; 32]), SecretKey::from_seed(&[32; 32]))
}

/// The component with its core modules behind it, again and again, until it has so many bytes.
fn enlarged(component: &[u8], bytes: usize) -> anyhow::Result<Vec<u8>> {
    let modules = module_sections(component)?;
    let largest =
        modules.iter().max_by_key(|section| section.len()).context("a component has a core module")?;
    let mut whole = component.to_vec();
    while whole.len() < bytes {
        whole.extend_from_slice(largest);
    }
    Ok(whole)
}

/// Each section with a core module, with its head.
fn module_sections(component: &[u8]) -> anyhow::Result<Vec<&[u8]>> {
    let mut found = Vec::new();
    let mut at = HEAD_BYTES;
    while let Some(kind) = component.get(at) {
        let (mut size, mut shift, mut end) = (0usize, 0, at + 1);
        loop {
            let byte = *component.get(end).context("a section without a size")?;
            size |= usize::from(byte & 0x7f) << shift;
            (shift, end) = (shift + 7, end + 1);
            if byte < 0x80 {
                break;
            }
            ensure!(shift < 35, "a section with an endless size");
        }
        let Some(section) = component.get(at..end + size) else { bail!("a section that is cut off") };
        if *kind == CORE_MODULE_SECTION {
            found.push(section);
        }
        at = end + size;
    }
    Ok(found)
}

/// Says of every check that it passed: what is measured is verifying it.
fn certificate(package: &PackageBytes, manifest: &Manifest) -> anyhow::Result<Certificate> {
    let tool = Tool { name: "orch-certify".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let check = |id: String| CheckResult {
        id,
        version: 1,
        tool: tool.clone(),
        status: CheckStatus::Pass,
        looked_at: 1,
        findings: Vec::new(),
        duration_ms: 1,
        evidence_sha256: Sha256Digest::of(b"a benchmark's"),
    };
    let checks =
        required_checks(Level::Local, &manifest.roles).into_iter().map(|required| check(required.id));
    let mut certificate = Certificate {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        level: Level::Local,
        certifier: tool.clone(),
        environment: Environment { wasmtime: "none".to_owned(), target: "none".to_owned() },
        facts: Facts::derive(&package.component())?,
        checks: checks.collect(),
        measured: Measured::default(),
        inputs: None,
        self_check: SelfCheck { corpus_sha256: Sha256Digest::of(b"none"), rejected: 1, of: 1 },
        result_digest: Sha256Digest::of(b""),
        started_at: NOW,
        finished_at: NOW,
        signed_at: NOW,
        valid_until: NOW.plus(LOCAL_DAYS * UnixSeconds::DAY),
    };
    certificate.result_digest = certificate.results();
    Ok(certificate)
}

impl Signed {
    /// The package in that folder, made by [`make`]. Reads its small files only.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let small =
            |name: &str| std::fs::read(folder.join(name)).with_context(|| format!("cannot read `{name}`"));
        let manifest = Manifest::parse(&small(MANIFEST)?)?;
        let (publisher, certifier) = keys();
        let certificate = format!("{CERTIFICATES}/{}.dsse.json", certifier.public().id().short());
        let messages = vec![
            message(publisher.public(), &small(RELEASE)?)?,
            message(certifier.public(), &small(&certificate)?)?,
        ];
        let mut names = vec![MANIFEST.to_owned(), COMPONENT.to_owned(), SBOM.to_owned(), RELEASE.to_owned()];
        names.push(certificate);
        names.sort();
        Ok(Self { names, rules: rules(&manifest)?, now: NOW, messages })
    }
}

/// Key, signed bytes and signature of an envelope with one signature.
fn message(key: PublicKey, envelope: &[u8]) -> anyhow::Result<([u8; 32], Vec<u8>, [u8; 64])> {
    let envelope: Value = serde_json::from_slice(envelope)?;
    let text =
        |pointer: &str| envelope.pointer(pointer).and_then(Value::as_str).context("an envelope's field");
    let payload = base64_decode(text("/payload")?)?;
    let kind = text("/payloadType")?;
    // DSSE v1: what a signature is over.
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    let bytes = |text: &str| base64_decode(text).map_err(anyhow::Error::from);
    let wrong = |_| anyhow::anyhow!("a key or signature of another length");
    let key = bytes(&key.to_base64())?.try_into().map_err(wrong)?;
    let signature = bytes(text("/signatures/0/sig")?)?.try_into().map_err(wrong)?;
    Ok((key, [head.as_bytes(), &payload].concat(), signature))
}

/// Trusts both keys, allows what the plugin asks for, and approved it.
fn rules(manifest: &Manifest) -> anyhow::Result<Rules> {
    let (publisher, certifier) = keys();
    let approval = Approval {
        id: manifest.id.clone(),
        version: manifest.version.clone(),
        permissions: manifest.permissions.clone(),
        at: NOW,
    };
    // The one program of a plugin that asks for any.
    let policy = entry_for(&manifest.id, &manifest.permissions).replace("PROGRAM", "true");
    Ok(Rules {
        publishers: vec![Publisher::new(
            publisher.public(),
            "benchmark".to_owned(),
            vec![format!("{}/", manifest.id.namespace())],
        )],
        certifiers: vec![Certifier::new(certifier.public(), "benchmark".to_owned(), Level::Local)],
        policy: Policy::parse(&policy)?,
        approvals: [(manifest.id.clone(), approval)].into(),
        ..Rules::default()
    })
}
