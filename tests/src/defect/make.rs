//! Makes the package of a recipe: the good one with one thing changed, signed and vouched for as far as the recipe says.
//!
//! In -> out: [`Recipe`], an operator's folder -> the package's folder, and the changed operator's folder.
//! Invariant: what the recipe does not change is right: digests, signatures and certificate are made of the changed
//! parts by the keys that the operator trusts.
//! Not here: what a recipe may say (`defect.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use orch_host::clock::now;
use orch_signer::key_file::{self, Purpose};
use orch_signer::passphrase::Passphrases;
use orch_trust::certificate::Certificate;
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::{self, Predicate, Subject};
use orch_trust::key::SecretKey;
use orch_trust::lock::Lock;
use orch_trust::manifest::Manifest;
use orch_trust::name::PluginId;
use orch_trust::release::Release;
use orch_trust::time::UnixSeconds;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Component, Edit, FileChange, GOOD, Operator, Recipe, Signed, Signer, Statement};
use crate::defect::spoil;
use crate::{copy, packages, vouch};

/// Where things of one trial are.
pub struct Place {
    /// The folder for `--plugins`.
    pub root: PathBuf,
    /// The operator's folder.
    pub operator: PathBuf,
    /// The workspace's folder.
    pub workspace: PathBuf,
}

/// Makes package, operator's folder and workspace of a recipe; gives the package's folder.
pub fn make(recipe: &Recipe, place: &Place) -> PathBuf {
    let good = packages().join(GOOD).join("0.1.0");
    let mut package = place.root.join(GOOD).join("0.1.0");
    match recipe.is_made_anew() {
        true => anew(recipe, &good, &package, &place.operator),
        false => copy(&good, &package),
    }
    for change in &recipe.files {
        change_file(change, &mut package);
    }
    if let Some(operator) = &recipe.operator {
        change_operator(operator, &package, &place.operator);
    }
    if let Some(workspace) = &recipe.workspace {
        let config = place.workspace.join("config.yaml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text + &workspace.config).unwrap();
        if workspace.pinned {
            let bytes = orch_host::package::read(&good).unwrap();
            let mut lock = Lock::default();
            lock.pin(&Manifest::parse(bytes.manifest()).unwrap(), &bytes);
            fs::write(place.workspace.join("orch.lock"), lock.render()).unwrap();
        }
    }
    package
}

/// A package of its own: changed, then signed and certified.
fn anew(recipe: &Recipe, good: &Path, package: &Path, operator: &Path) {
    let component =
        changed_component(recipe.component.as_ref(), fs::read(good.join("component.wasm")).unwrap());
    let sbom = fs::read(good.join("sbom.cdx.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&fs::read(good.join("manifest.json")).unwrap()).unwrap();
    let entry = |path: &str, role: &str, bytes: &[u8]| json!({ "path": path, "role": role, "size": bytes.len(), "sha256": Sha256Digest::of(bytes) });
    manifest["integrity"]["files"] =
        json!([entry("component.wasm", "component", &component), entry("sbom.cdx.json", "sbom", &sbom)]);
    let good_name = (manifest["id"].clone(), manifest["version"].clone());
    let text = match &recipe.manifest {
        Some(edit) => {
            edited(&edit.set, &edit.remove, edit.repeat.as_deref(), manifest, edit.replace.as_ref())
        }
        None => manifest.to_string(),
    };
    let written = match recipe.manifest.as_ref().is_some_and(|edit| edit.utf16) {
        true => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        false => text.clone().into_bytes(),
    };
    fs::create_dir_all(package).unwrap();
    fs::write(package.join("manifest.json"), written).unwrap();
    fs::write(package.join("component.wasm"), &component).unwrap();
    fs::write(package.join("sbom.cdx.json"), &sbom).unwrap();

    let keys = Keys::read(operator);
    // What is signed is what lies there; a manifest that says none that can be signed keeps the good one's.
    let read: Value = serde_json::from_str(&text).unwrap_or_default();
    let may_be_signed = read["version"].as_str().is_some_and(|text| semver::Version::parse(text).is_ok())
        && read["id"].as_str().is_some_and(|text| PluginId::parse(text).is_ok());
    let (id, version) = match may_be_signed {
        true => (read["id"].clone(), read["version"].clone()),
        false => good_name,
    };
    let now = now();
    let bytes = orch_host::package::read(package).unwrap();
    let good = orch_host::package::read(good).unwrap();
    let mut release = json!({
        "id": id, "version": version, "releaseCounter": 1, "channel": "stable",
        "issuedAt": now, "notAfter": now.plus(30 * UnixSeconds::DAY),
    });
    let mut certificate = vouch::certificate(&bytes, &id, &version, now);
    if recipe.certificate.as_ref().is_some_and(|certificate| certificate.certified) {
        vouch::raise(&mut certificate, now);
        release["source"] = json!({ "uri": "https://example.org/sources", "commit": vouch::COMMIT });
    }
    let certificate = serde_json::to_value(certificate).unwrap();
    let nothing = Signed::default();
    let subjects = |of: &Signed| if of.of_the_good { good.subjects() } else { bytes.subjects() };
    let of_release = recipe.release.as_ref().unwrap_or(&nothing);
    let envelope = match of_release.says {
        None | Some(Statement::Release) => {
            sign::<Release>(of_release, release, subjects(of_release), &keys, Signer::Publisher)
        }
        Some(Statement::Certificate) => sign::<Certificate>(
            of_release,
            certificate.clone(),
            subjects(of_release),
            &keys,
            Signer::Publisher,
        ),
        Some(Statement::Nothing) => sign::<NoRelease>(
            of_release,
            json!({ "nothing": 1 }),
            subjects(of_release),
            &keys,
            Signer::Publisher,
        ),
    };
    fs::write(package.join("release.dsse.json"), envelope).unwrap();

    let of_certificate = recipe.certificate.as_ref().unwrap_or(&nothing);
    let signer =
        of_certificate.keys.as_ref().and_then(|keys| keys.first().copied()).unwrap_or(Signer::Certifier);
    let envelope = match of_certificate.says {
        Some(Statement::Release) => {
            let release = json!({ "id": id, "version": version, "releaseCounter": 1, "channel": "stable",
                                  "issuedAt": now, "notAfter": now.plus(UnixSeconds::DAY) });
            sign::<Release>(of_certificate, release, subjects(of_certificate), &keys, Signer::Certifier)
        }
        _ => sign::<Certificate>(
            of_certificate,
            certificate,
            subjects(of_certificate),
            &keys,
            Signer::Certifier,
        ),
    };
    let name = format!("certificates/{}.dsse.json", keys.key(signer).public().id().short());
    fs::create_dir_all(package.join("certificates")).unwrap();
    fs::write(package.join(name), envelope).unwrap();
}

fn changed_component(change: Option<&Component>, mut good: Vec<u8>) -> Vec<u8> {
    match change {
        None => good,
        Some(Component::Wat(text)) => wat::parse_str(text).unwrap(),
        Some(Component::Text(text)) => text.clone().into_bytes(),
        Some(Component::Append(text)) => {
            good.extend_from_slice(text.as_bytes());
            good
        }
        Some(Component::Twice) => good.repeat(2),
        Some(Component::Many { wat, each, count }) => {
            let all: String = (0..*count).map(|number| each.replace('#', &number.to_string())).collect();
            wat::parse_str(wat.replace("EACH", &all)).unwrap()
        }
    }
}

/// Fields under the type of a release that no release has.
#[derive(Serialize, Deserialize)]
struct NoRelease {
    nothing: u32,
}

impl Predicate for NoRelease {
    const TYPE: &'static str = Release::TYPE;
}

fn sign<P: Predicate>(
    how: &Signed,
    value: Value,
    subjects: Vec<Subject>,
    keys: &Keys,
    who: Signer,
) -> Vec<u8> {
    let text = edited(&how.set, &how.remove, how.repeat.as_deref(), value, None);
    let mut value: Value = serde_json::from_str(&text).unwrap();
    // The digest is of the changed results, unless it is what the recipe changes.
    if value.get("resultDigest").is_some() && !how.set.contains_key("/resultDigest") {
        let certificate: Certificate = serde_json::from_value(value.clone()).unwrap();
        value["resultDigest"] = json!(certificate.results());
    }
    let predicate: P = serde_json::from_value(value).unwrap_or_else(|error| panic!("no statement: {error}"));
    let signers: Vec<&dyn orch_trust::key::Signer> = match &how.keys {
        Some(signers) => signers.iter().map(|signer| keys.key(*signer) as _).collect(),
        None => vec![keys.key(who)],
    };
    let envelope = dsse::sign(&dsse::Statement::new(subjects, predicate), &signers).unwrap();
    spoil::envelope(envelope, how, keys.certifier.public().id())
}

struct Keys {
    publisher: SecretKey,
    certifier: SecretKey,
    stranger: SecretKey,
}

impl Keys {
    fn read(operator: &Path) -> Self {
        let read = |name: &str, purpose| {
            key_file::open(&operator.join("keys").join(name), purpose, &Passphrases::Terminal).unwrap()
        };
        Self {
            publisher: read("publisher.json", Purpose::Publisher),
            certifier: read("certifier.json", Purpose::Certifier),
            stranger: SecretKey::from_seed(&[9; 32]),
        }
    }

    fn key(&self, signer: Signer) -> &SecretKey {
        match signer {
            Signer::Publisher => &self.publisher,
            Signer::Certifier => &self.certifier,
            Signer::Stranger => &self.stranger,
        }
    }
}

/// The text of the changed JSON.
fn edited(
    set: &toml::Table,
    remove: &[String],
    repeat: Option<&str>,
    mut value: Value,
    replace: Option<&[String; 2]>,
) -> String {
    for (pointer, new) in set {
        let new = with_times(serde_json::to_value(new).unwrap());
        let (parent, name) = pointer.rsplit_once('/').unwrap_or_else(|| panic!("`{pointer}` is no pointer"));
        match value.pointer_mut(parent).unwrap_or_else(|| panic!("`{parent}` is not there")) {
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = new,
            parent => parent[name] = new,
        }
    }
    for pointer in remove {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match value.pointer_mut(parent).unwrap() {
            Value::Array(items) => drop(items.remove(name.parse().unwrap())),
            parent => drop(parent.as_object_mut().unwrap().remove(name).unwrap()),
        }
    }
    if let Some(pointer) = repeat {
        let again = value.pointer(pointer).unwrap().clone();
        value.pointer_mut(pointer.rsplit_once('/').unwrap().0).unwrap().as_array_mut().unwrap().push(again);
    }
    let text = value.to_string();
    match replace {
        Some([find, with]) => {
            assert!(text.contains(find.as_str()), "`{find}` is not in {text}");
            text.replacen(find.as_str(), with, 1)
        }
        None => text,
    }
}

/// `now-1d`, `now+8d`, `now+1h` as times.
fn with_times(value: Value) -> Value {
    let seconds = value.as_str().and_then(|text| text.strip_prefix("now")).and_then(|text| {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit = [("d", UnixSeconds::DAY), ("h", 3600)].into_iter().find(|(name, _)| *name == unit)?.1;
        Some(number.parse::<i64>().ok()? * unit)
    });
    match seconds {
        Some(seconds) => json!(now().plus(seconds)),
        None => value,
    }
}

fn change_file(change: &FileChange, package: &mut PathBuf) {
    let at = |file: &str| match file {
        "CERTIFICATE" => {
            let mut files = fs::read_dir(package.join("certificates")).unwrap();
            files.next().expect("a certificate").unwrap().path()
        }
        file => package.join(file),
    };
    let bytes = |file: &str| fs::read(at(file)).unwrap();
    match change {
        FileChange::FlipByte { file } => {
            let mut bytes = bytes(file);
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(at(file), bytes).unwrap();
        }
        FileChange::Append { file, text } => {
            fs::write(at(file), [bytes(file), text.clone().into_bytes()].concat()).unwrap()
        }
        FileChange::Remove { file } => fs::remove_file(at(file)).unwrap(),
        FileChange::Add { file, text, bytes } => {
            assert!(!at(file).exists(), "`{file}` is there");
            fs::write(at(file), [text.clone().into_bytes(), vec![b'x'; *bytes]].concat()).unwrap();
        }
        FileChange::AddMany { count } => {
            for number in 0..*count {
                fs::write(package.join("certificates").join(format!("{number:016x}.dsse.json")), "{}")
                    .unwrap();
            }
        }
        FileChange::Link { file, to } => {
            let path = at(file);
            match path.is_dir() {
                true => fs::rename(&path, package.with_file_name("moved")).unwrap(),
                false => fs::remove_file(&path).unwrap(),
            }
            symlink(to, path).unwrap();
        }
        FileChange::Pipe { file } => {
            let path = at(file);
            fs::remove_file(&path).unwrap();
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }
        FileChange::Socket { file } => {
            let path = at(file);
            fs::remove_file(&path).unwrap();
            drop(UnixListener::bind(path).unwrap());
        }
        FileChange::Sparse { file, bytes } => {
            fs::OpenOptions::new().write(true).open(at(file)).unwrap().set_len(*bytes).unwrap();
        }
        FileChange::Folder { file } => fs::create_dir(at(file)).unwrap(),
        FileChange::Rename { file, to } => fs::rename(at(file), package.join(to)).unwrap(),
        FileChange::Replace { file, find, with } => {
            let text = String::from_utf8(bytes(file)).unwrap();
            assert!(text.contains(find), "`{find}` is not in `{file}`");
            fs::write(at(file), text.replacen(find, with, 1)).unwrap();
        }
        FileChange::TakeFrom { plugin, file } => {
            let other = packages().join(plugin).join("0.1.0");
            let from = match file.as_str() {
                "CERTIFICATE" => other.join("certificates").join(at(file).file_name().unwrap()),
                file => other.join(file),
            };
            fs::copy(from, at(file)).unwrap();
        }
        FileChange::MoveTo { version } => {
            let target = package.with_file_name(version);
            fs::rename(&*package, &target).unwrap();
            *package = target;
        }
    }
}

fn change_operator(change: &Operator, package: &Path, operator: &Path) {
    let policy = operator.join("policy.toml");
    let keys = Keys::read(operator);
    let digest =
        |file: &str| fs::read(package.join(file)).map(|bytes| Sha256Digest::of(&bytes)).unwrap().to_string();
    let stands = BTreeMap::from([
        ("COMPONENT", digest("component.wasm")),
        ("PUBLISHER", keys.publisher.public().id().to_string()),
        ("CERTIFIER", keys.certifier.public().id().to_string()),
    ]);
    let mut more = change.policy.clone();
    for (word, digest) in stands {
        more = more.replace(word, &digest);
    }
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, format!("{}\n{text}\n{more}", change.policy_head)).unwrap();
    for (file, fields) in [
        ("trust/publishers/demo.toml", &change.publisher),
        ("trust/certifiers/local.toml", &change.certifier),
    ] {
        let path = operator.join(file);
        let mut table: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        for (key, value) in fields {
            let time = value.as_str().map(|text| with_times(json!(text)));
            let value = match time.as_ref().and_then(Value::as_str) {
                Some(time) => toml::Value::String(time.to_owned()),
                None => value.clone(),
            };
            table.insert(key.clone(), value);
        }
        fs::write(&path, table.to_string()).unwrap();
    }
    if let Some(Edit { set, remove, repeat, replace, utf16: _ }) = &change.approval {
        let path = operator.join("approvals/demo.executor-note.json");
        let value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        fs::write(&path, edited(set, remove, repeat.as_deref(), value, replace.as_ref())).unwrap();
    }
    for file in &change.remove {
        fs::remove_file(operator.join(file)).unwrap();
    }
}
