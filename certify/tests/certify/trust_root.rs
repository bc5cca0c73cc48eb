//! Trust roots, revocation lists and delegations, made on the command line and taken by what hosts verify with.

use std::path::Path;

use orch_signer::key_file::{self, Purpose};
use orch_signer::passphrase::Passphrases;
use orch_trust::delegation;
use orch_trust::digest::Sha256Digest;
use orch_trust::freshness::Freshness;
use orch_trust::manifest::{Manifest, Role};
use orch_trust::refusal::Refusal;
use orch_trust::release::{self, Release};
use orch_trust::revocation::{Revocations, What};
use orch_trust::root::{self, Root};
use orch_trust::time::UnixSeconds;
use serde_json::{Value, json};

use crate::guest::guest;
use crate::package::{Package, orch_certify};

pub(crate) fn now() -> UnixSeconds {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixSeconds(since.as_secs() as i64)
}

/// Exit code, standard output, standard error.
pub(crate) fn run(home: &Path, line: &str) -> (i32, String, String) {
    let args: Vec<&str> = line.split(' ').collect();
    let output = orch_certify(home, &args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[track_caller]
pub(crate) fn succeeds(home: &Path, line: &str) -> String {
    let (exit, stdout, stderr) = run(home, line);
    assert_eq!(exit, 0, "{line}: {stdout}{stderr}");
    stdout
}

#[track_caller]
pub(crate) fn fails(home: &Path, line: &str, expected: i32, code: &str) {
    let (exit, _, stderr) = run(home, line);
    assert_eq!(exit, expected, "{line}: {stderr}");
    assert!(stderr.contains(&format!("code: {code}\n")), "{line}: {stderr}");
}

/// Keys of four root signers and of every other part, in a folder.
pub(crate) fn keys() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c", "d"] {
        succeeds(home.path(), &format!("root keygen --role root --out {name}.key --owner {name}"));
    }
    for (name, role) in [("r1", "revoker"), ("r2", "revoker"), ("f", "freshness"), ("i", "ci-issuer")] {
        succeeds(home.path(), &format!("root keygen --role {role} --out {name}.key --owner {name}"));
    }
    succeeds(home.path(), "keygen --out cert.key --owner Us --certifier local");
    succeeds(home.path(), "keygen --out acme.key --owner Acme --publisher acme");
    home
}

/// A whole name of a commit.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub(crate) const OTHERS: &str =
    "--certifier cert.toml --revoker r1.toml --freshness f.toml --publisher acme/=acme.toml";

pub(crate) fn id_of(home: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(home.join(format!("{name}.toml"))).unwrap();
    let key = text.lines().find_map(|line| line.strip_prefix("key = \"")?.strip_suffix('"')).unwrap();
    orch_trust::key::PublicKey::from_base64(key).unwrap().id().to_string()
}

fn first(bytes: &[u8]) -> Result<Root, Refusal> {
    root::verify_first(bytes, Sha256Digest::of(bytes), now())
}

#[test]
fn a_root_is_signed_by_several_and_followed_by_the_next() {
    let home = keys();
    let home = home.path();
    succeeds(
        home,
        &format!("root init --root a.toml --root b.toml --root c.toml --threshold root=2 {OTHERS}"),
    );
    fails(home, "root sign root.json --key a.key", 2, "document-edit");
    fails(home, "root sign root.json --key d.key --out one.json", 2, "document-no-part");
    fails(home, "root sign root.json --key r1.key --out one.json", 2, "key-file-other-purpose");
    assert!(!home.join("one.json").exists());
    let said = succeeds(home, "root sign root.json --key a.key --out one.json");
    assert!(said.contains("root keys of version 1: 1 of 2 signatures"), "{said}");
    assert!(said.contains(&id_of(home, "b")) && said.contains(&id_of(home, "c")), "{said}");
    let unfinished = std::fs::read(home.join("one.json")).unwrap();
    assert_eq!(first(&unfinished).unwrap_err().code(), "root-not-by-itself");
    fails(home, "root sign one.json --key a.key", 2, "document-signed-twice");
    // The second signer has another machine: the file so far is all that is needed there.
    let said = succeeds(home, "root sign one.json --key c.key");
    let bytes = std::fs::read(home.join("one.json")).unwrap();
    assert!(said.contains(&format!("complete; sha256 {}", Sha256Digest::of(&bytes))), "{said}");
    let current = first(&bytes).unwrap();
    // What is signed stays as it is.
    fails(home, "root add-key one.json --public d.toml --role root", 2, "document-signed");
    let other = std::fs::read_to_string(home.join("root.json")).unwrap().replace("\"acme\"", "\"emca\"");
    std::fs::write(home.join("other.json"), other.replace("\"a\"", "\"z\"")).unwrap();
    fails(home, "root sign other.json --key b.key --out one.json", 2, "document-other");
    // The next version: one key goes, one comes.
    succeeds(home, "root rotate one.json --out next.json");
    succeeds(home, "root add-key next.json --public d.toml --role root");
    succeeds(home, &format!("root revoke next.json {}", id_of(home, "a")));
    fails(home, &format!("root revoke next.json {}", id_of(home, "a")), 2, "document-edit");
    succeeds(home, "root sign next.json --key b.key --out two.json");
    let two = || std::fs::read(home.join("two.json")).unwrap();
    assert_eq!(root::verify_next(&current, &two(), now()).unwrap_err().code(), "root-not-by-current");
    // The key that goes signs for the version before only, and only where that version is named.
    fails(home, "root sign two.json --key a.key", 2, "document-no-part");
    let said = succeeds(home, "root sign two.json --key a.key --previous one.json");
    assert!(said.contains("version 1: 2 of 2") && said.contains("version 2: 1 of 2"), "{said}");
    assert_eq!(root::verify_next(&current, &two(), now()).unwrap_err().code(), "root-not-by-itself");
    let said = succeeds(home, "root sign two.json --key d.key --previous one.json");
    assert!(said.contains("complete; sha256"), "{said}");
    let next = root::verify_next(&current, &two(), now()).unwrap();
    assert_eq!((next.version(), next.document().previous_sha256), (2, Some(current.sha256())));
    let shown = succeeds(home, "root show two.json --previous one.json --format json");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let enough = shown["signatures"].as_array().unwrap().iter().map(|one| one["enough"].clone());
    assert_eq!(enough.collect::<Vec<_>>(), [true, true]);
    // A byte of a signature is changed: neither shown nor signed.
    let mut broken: Value = serde_json::from_slice(&unfinished).unwrap();
    let signature = broken["signatures"][0]["sig"].as_str().unwrap().to_owned();
    let changed = if signature.starts_with('A') { "B" } else { "A" };
    broken["signatures"][0]["sig"] = format!("{changed}{}", &signature[1..]).into();
    let text = String::from_utf8(unfinished).unwrap();
    let text = text.replace(&signature, broken["signatures"][0]["sig"].as_str().unwrap());
    std::fs::write(home.join("broken.json"), text).unwrap();
    fails(home, "root show broken.json", 2, "signature-invalid");
    fails(home, "root sign broken.json --key b.key", 2, "not-signed");
}

#[test]
fn a_root_that_does_not_hold_together_is_not_written_or_signed() {
    let home = keys();
    let home = home.path();
    fails(home, &format!("root init --root a.toml --threshold root=2 {OTHERS}"), 2, "threshold-above-keys");
    fails(home, &format!("root init --root a.toml --threshold root=0 {OTHERS}"), 2, "threshold-zero");
    let both = |certifier: &str| {
        format!("--certifier {certifier} --revoker r1.toml --freshness f.toml --publisher acme/=acme.toml")
    };
    fails(home, &format!("root init --root a.toml {}", both("acme.toml")), 2, "public-file-other-purpose");
    // A file that does not say what its key is for.
    let text = std::fs::read_to_string(home.join("acme.toml")).unwrap();
    let plain: String =
        text.lines().filter(|line| !line.contains("namespaces")).map(|line| format!("{line}\n")).collect();
    std::fs::write(home.join("plain.toml"), plain).unwrap();
    fails(home, &format!("root init --root a.toml {}", both("plain.toml")), 2, "root-key-two-roles");
    fails(home, &format!("root init --root tasks.toml {OTHERS}"), 2, "document-io");
    fails(home, &format!("root init --root a.key {OTHERS}"), 2, "public-file");
    assert!(!home.join("root.json").exists());
    succeeds(home, &format!("root init --root a.toml {OTHERS}"));
    let (exit, _, said) = run(home, &format!("root init --root a.toml {OTHERS}"));
    assert_eq!(exit, 5, "an existing document is not overwritten: {said}");
    // Changed by hand into nonsense.
    let text = std::fs::read_to_string(home.join("root.json")).unwrap();
    std::fs::write(home.join("root.json"), text.replace("\"acme/\"", "\"acme\"")).unwrap();
    fails(home, "root sign root.json --key a.key --out one.json", 2, "root-malformed");
    fails(home, "root show root.json", 2, "root-malformed");
    std::fs::write(home.join("root.json"), text.replace("\"version\"", "\"more\": 1, \"version\"")).unwrap();
    fails(home, "root show root.json", 2, "document-malformed");
}

/// A folder with a signed root of one signer.
pub(crate) fn folder(more: &str, edit: impl FnOnce(&mut Value)) -> (tempfile::TempDir, Root) {
    let home = keys();
    succeeds(home.path(), format!("root init --root a.toml {OTHERS} {more}").trim_end());
    let path = home.path().join("root.json");
    let mut document: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    edit(&mut document);
    std::fs::write(path, document.to_string()).unwrap();
    succeeds(home.path(), "root sign root.json --key a.key --out root.dsse.json");
    let root = first(&std::fs::read(home.path().join("root.dsse.json")).unwrap()).unwrap();
    (home, root)
}

pub(crate) fn verified(home: &Path, root: &Root) -> Result<Revocations, Refusal> {
    let read = |name: &str| std::fs::read(home.join(name)).unwrap();
    let freshness = Freshness::verify(&read("freshness.dsse.json"), root, now(), |_, _| false)?;
    Revocations::verify(&read("revocations.dsse.json"), root, &freshness, now())
}

#[test]
fn what_is_taken_back_is_in_the_list_that_hosts_take() {
    let (home, root) = folder("--ci-issuer i.toml", |_| {});
    let home = home.path();
    fails(home, "revoke", 2, "revoke-key");
    fails(home, "revoke --freshness-key f.key", 2, "document-io");
    let both = "revoke --key r1.key --freshness-key f.key";
    let hash = "0".repeat(64);
    let key = id_of(home, "acme");
    let entries = [
        format!("--sha256 {hash} --action kill --reason malware"),
        "--id acme/x --versions >=1.3.0 --action block-load --reason hole".to_owned(),
        format!("--keyid {key} --from 2026-01-02T03:04:05Z --action block-load --reason stolen"),
        "--certifier orch-certify --versions <0.9.3 --check imports --action recertify --reason wrong"
            .to_owned(),
        "--advisory RUSTSEC-2026-0001 --crate foo --versions <1.2.3 --action warn --reason hole".to_owned(),
    ];
    for (count, entry) in (1..).zip(&entries) {
        succeeds(home, &format!("{both} {entry}"));
        let list = verified(home, &root).unwrap();
        assert_eq!((list.version(), list.document().entries.len() as u64), (count, count));
    }
    let list = verified(home, &root).unwrap();
    let said: Vec<&str> = list.document().entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(said, ["kill", "block-load", "block-load", "recertify", "warn"]);
    let from = UnixSeconds::parse("2026-01-02T03:04:05Z").unwrap();
    assert!(
        matches!(list.document().entries[2].what, What::Key { invalid_after, .. } if invalid_after == from)
    );
    fails(home, &format!("{both} {}", entries[0]), 2, "document-edit");
    // A list without a new freshness document is one that no host takes.
    succeeds(home, "revoke --key r1.key --id acme/y --versions * --action kill --reason gone");
    assert_eq!(verified(home, &root).unwrap_err().code(), "revocations-not-pinned");
    let said = succeeds(home, "revoke --freshness-key f.key");
    assert!(said.contains("version 6"), "{said}");
    assert_eq!(verified(home, &root).unwrap().version(), 6);
    // Keys are for what they were made for, and what is half said is not done.
    fails(home, "revoke --key f.key", 2, "key-file-other-purpose");
    fails(home, "revoke --key r1.key --freshness-key r1.key", 2, "key-file-other-purpose");
    for half in
        ["--sha256 0", "--id acme/x --action kill --reason x", "--action kill --reason x", "--reason x"]
    {
        assert_eq!(run(home, &format!("{both} {half}")).0, 2, "{half}");
    }
    let (exit, _, _) = run(home, &format!("{both} --sha256 {hash} --action kill"));
    assert_eq!(exit, 2, "a reason is needed");
}

#[test]
fn a_list_of_two_revokers_counts_when_both_signed() {
    let (home, root) = folder("--revoker r2.toml --threshold revoker=2", |_| {});
    let home = home.path();
    let said = succeeds(home, "revoke --key r1.key --freshness-key f.key");
    assert!(said.contains("1 of 2 revokers"), "{said}");
    assert!(!home.join("freshness.dsse.json").exists());
    fails(home, "revoke --sign --key r1.key", 2, "document-signed-twice");
    succeeds(home, "revoke --sign --key r2.key --freshness-key f.key");
    let list = verified(home, &root).unwrap();
    assert_eq!((list.version(), list.document().entries.len()), (1, 0));
}

/// Signs the package's release with that key file.
pub(crate) fn release(package: &Package, key: &Path) {
    let none = Passphrases::Descriptor(900_000);
    let key = key_file::open(key, Purpose::Publisher, &none).unwrap();
    let read = orch_host::package::read(&package.folder()).unwrap();
    let Manifest { id, version, .. } = Manifest::parse(read.manifest()).unwrap();
    let said = Release {
        id,
        version,
        release_counter: 1,
        channel: "stable".to_owned(),
        issued_at: now(),
        not_after: now().plus(UnixSeconds::DAY),
        source: None,
    };
    package.write("release.dsse.json", &release::sign(&read, said, &key).unwrap());
}

#[test]
fn a_package_that_a_job_certified_is_verified_with_the_root() {
    let job = json!({ "repository": "https://git.example/acme/plugins", "workflow": "release.yml@refs/heads/main" });
    let (home, _) = folder("--ci-issuer i.toml", |document| {
        let entry = json!({ "job": job, "owner": "CI", "level": "local" });
        document["roles"]["certifier"]["jobs"] = json!([entry]);
    });
    let home = home.path();
    let acme = |manifest: &mut Value| manifest["id"] = "acme/sample".into();
    let package = Package::new(Role::Executor, &guest(Role::Executor, "", &[]), acme);
    let folder = package.folder().display().to_string();
    let verify = format!("verify {folder} --root root.dsse.json");
    // A root alone says nothing of what was taken back.
    fails(home, &verify, 2, "document-io");
    succeeds(home, "revoke --key r1.key --freshness-key f.key");
    fails(home, &verify, 3, "release-missing");
    release(&package, &home.join("acme.key"));
    succeeds(home, "keygen --out job.key --certifier local");
    let delegate = format!(
        "delegate {folder} --for job.toml --purpose certificate --repository https://git.example/acme/plugins \
         --workflow release.yml@refs/heads/main --commit {COMMIT} --minutes 5"
    );
    fails(home, &delegate, 2, "signer-missing");
    succeeds(home, &format!("{delegate} --signer file:i.key"));
    fails(home, &verify, 3, "delegation-unused");
    succeeds(home, &format!("run {folder} --key job.key --quiet"));
    let said = succeeds(home, &verify);
    assert!(said.contains("revocation   passed") && said.contains("published by Acme"), "{said}");
    let recheck = format!("recheck {folder} --root root.dsse.json");
    assert!(succeeds(home, &recheck).contains("would say the same today"));
    // The job's key is nobody's by itself, and a root is not asked together with other files.
    fails(
        home,
        &format!("verify {folder} --trust acme.toml --trust job.toml"),
        3,
        "delegation-unknown-issuer",
    );
    assert_eq!(run(home, &format!("{verify} --trust acme.toml")).0, 2);
    assert_eq!(run(home, &format!("verify {folder} --freshness freshness.dsse.json")).0, 2);
    // Lists from elsewhere are taken as a pair.
    std::fs::create_dir(home.join("old")).unwrap();
    for name in ["freshness.dsse.json", "revocations.dsse.json"] {
        std::fs::copy(home.join(name), home.join("old").join(name)).unwrap();
    }
    let id = "--id acme/sample --versions * --action block-load --reason gone";
    succeeds(home, &format!("revoke --signer file:r1.key --freshness-signer file:f.key {id}"));
    fails(home, &verify, 3, "revoked-block-load");
    fails(home, &recheck, 3, "revoked-block-load");
    let old = "--freshness old/freshness.dsse.json";
    fails(home, &format!("{verify} {old}"), 2, "revocations-not-pinned");
    succeeds(home, &format!("{verify} {old} --revocations old/revocations.dsse.json"));
    let other = format!("{verify} {old} --revocations root.dsse.json");
    fails(home, &other, 2, "envelope-type");
    std::fs::remove_dir_all(package.folder().join("delegations")).unwrap();
    fails(home, &verify, 3, "certificate-unknown-key");
}

#[test]
fn a_delegation_is_for_one_manifest_one_purpose_and_minutes() {
    let job = json!({ "repository": "https://git.example/acme/plugins", "workflow": "release.yml@refs/heads/main" });
    let (home, root) = folder("--ci-issuer i.toml", |document| {
        let entry = json!({ "job": job, "owner": "CI", "level": "local" });
        document["roles"]["certifier"]["jobs"] = json!([entry]);
    });
    let home = home.path();
    let package = Package::new(Role::Executor, &guest(Role::Executor, "", &[]), |_| {});
    succeeds(home, "keygen --out job.key --certifier local");
    let text = std::fs::read_to_string(home.join("job.toml")).unwrap();
    let key = text.lines().find_map(|line| line.strip_prefix("key = \"")?.strip_suffix('"')).unwrap();
    let folder = package.folder().display().to_string();
    let line = |target: &str, workflow: &str, minutes: u32| {
        format!(
            "delegate {target} --key i.key --for {key} --purpose certificate --repository \
             https://git.example/acme/plugins --workflow {workflow} --commit {COMMIT} --minutes {minutes}"
        )
    };
    assert_eq!(run(home, &line(&folder, "release.yml@refs/heads/main", 16)).0, 2);
    for part in ["abc", "main", &COMMIT[1..], &COMMIT.to_uppercase()] {
        let (exit, _, said) =
            run(home, &line(&folder, "release.yml@refs/heads/main", 5).replace(COMMIT, part));
        assert!(exit == 2 && said.contains("--commit"), "{part}: {said}");
    }
    let wrong = line(&folder, "release.yml@refs/heads/main", 5).replace("i.key", "a.key");
    fails(home, &wrong, 2, "key-file-other-purpose");
    let verify = || {
        let read = orch_host::package::read(&package.folder()).unwrap();
        let manifest = Manifest::parse(read.manifest()).unwrap();
        delegation::verify(&read, &manifest, Some(&root), now())
    };
    succeeds(home, &line(&folder, "other.yml@refs/heads/main", 5));
    assert_eq!(verify().unwrap_err().code(), "delegation-job");
    succeeds(home, &line(&folder, "release.yml@refs/heads/main", 5));
    let delegated = verify().unwrap();
    assert_eq!((delegated.certifiers.len(), delegated.publishers.len()), (1, 0));
    assert_eq!(delegated.certifiers[0].key.to_base64(), key);
    // Made where the package is not, it is the same but for its time; of another manifest it is refused.
    let subject = Sha256Digest::of(&std::fs::read(package.folder().join("manifest.json")).unwrap());
    let elsewhere = format!("--subject {subject} --out {folder}");
    succeeds(home, &line(&elsewhere, "release.yml@refs/heads/main", 5));
    assert!(verify().is_ok());
    let other = format!("--subject {} --out {folder}", "1".repeat(64));
    succeeds(home, &line(&other, "release.yml@refs/heads/main", 5));
    assert_eq!(verify().unwrap_err().code(), "delegation-other-subject");
}
