//! Revocation lists that no host would take are not written, and what is written is never lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use orch_certify::document::Document;
use orch_signer::key_file::{self, Purpose};
use orch_signer::passphrase::Passphrases;
use orch_trust::digest::Sha256Digest;
use orch_trust::revocation::{self, Entry, RevocationsDocument, What};
use orch_trust::root;

use crate::package::orch_certify;
use crate::trust_root::{fails, folder, id_of, now, run, succeeds, verified};

const BOTH: &str = "revoke --key r1.key --freshness-key f.key";

/// Every file of the folder.
fn files(home: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(home).unwrap().map(Result::unwrap);
    let file = |entry: std::fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

/// What `revoke` says to this entry; nothing is written.
#[track_caller]
fn refuses(home: &Path, keys: &str, entry: &[&str], code: &str) -> String {
    let before = files(home);
    let args: Vec<&str> = keys.split(' ').chain(entry.iter().copied()).collect();
    let output = orch_certify(home, &args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{entry:?}: {said}");
    assert!(said.contains(&format!("code: {code}\n")), "{entry:?}: {said}");
    assert!(said.contains("hint: ") && output.stdout.is_empty(), "{entry:?}: {said}");
    assert!(files(home) == before, "{entry:?}");
    said
}

#[test]
fn a_list_that_no_host_would_take_is_not_written() {
    let (home, root) = folder("", |_| {});
    let home = home.path();
    succeeds(home, BOTH);
    let gone = |reason: &'static str| {
        vec!["--id", "acme/x", "--versions", "*", "--action", "kill", "--reason", reason]
    };
    let long: &'static str = "x".repeat(257).leak();
    for reason in ["", "a\tb", "a\nb", "\u{1b}[2J", long] {
        for keys in [BOTH, "revoke --key r1.key"] {
            refuses(home, keys, &gone(reason), "revocations-malformed");
        }
    }
    let rest = ["--versions", "*", "--action", "kill", "--reason", "x"];
    for what in [
        &["--certifier", ""][..],
        &["--certifier", "orch-certify", "--check", ""],
        &["--advisory", "A", "--crate", ""],
        &["--advisory", "", "--crate", "foo"],
        &["--advisory", "A\nB", "--crate", "foo"],
    ] {
        refuses(home, BOTH, &[what, &rest].concat(), "revocations-malformed");
    }
    let of_key = |name: &str| {
        let id: &'static str = id_of(home, name).leak();
        vec!["--keyid", id, "--action", "block-load", "--reason", "stolen"]
    };
    for keys in [BOTH, "revoke --key r1.key"] {
        refuses(home, keys, &of_key("r1"), "revocations-threshold");
        refuses(home, keys, &of_key("f"), "freshness-threshold");
    }
    // A warning takes nothing back, so the same key may go on.
    let warn = format!("{BOTH} --keyid {} --action warn --reason odd", id_of(home, "f"));
    succeeds(home, &warn);
    assert_eq!(verified(home, &root).unwrap().version(), 2);
    // 256 bytes are not too many.
    let longest = "x".repeat(256);
    succeeds(home, &format!("{BOTH} --id acme/y --versions * --action kill --reason {longest}"));
    assert_eq!(verified(home, &root).unwrap().document().entries.len(), 2);
}

#[test]
fn a_list_that_others_could_never_complete_is_not_begun() {
    let (home, _) = folder("--revoker r2.toml --threshold revoker=2", |_| {});
    let home = home.path();
    let entry = |name: &str| {
        let id: &'static str = id_of(home, name).leak();
        vec!["--keyid", id, "--action", "block-load", "--reason", "stolen"]
    };
    for name in ["r1", "r2"] {
        refuses(home, "revoke --key r1.key", &entry(name), "revocations-threshold");
    }
    refuses(home, "revoke --key r1.key", &entry("f"), "freshness-threshold");
    refuses(
        home,
        "revoke --key r1.key",
        &["--id", "acme/x", "--versions", "*", "--action", "kill", "--reason", ""],
        "revocations-malformed",
    );
    succeeds(home, "revoke --key r1.key");
    succeeds(home, "revoke --sign --key r2.key");
    // What is complete takes no third signature, by which it would be another file than the one that is named.
    fails(home, "revoke --sign --key r2.key", 2, "document-complete");
    succeeds(home, "revoke --freshness-key f.key");
}

#[test]
fn a_spoilt_list_and_a_root_that_no_host_takes_are_named() {
    let (home, _) = folder("", |_| {});
    let home = home.path();
    succeeds(home, BOTH);
    let good = std::fs::read(home.join("revocations.dsse.json")).unwrap();
    // As earlier versions of the tool wrote it.
    let none = Passphrases::Descriptor(900_000);
    let key = key_file::open(&home.join("r1.key"), Purpose::Revoker, &none);
    let mut document: RevocationsDocument = Document::parse(Path::new("list"), &good).unwrap().payload;
    let entry: Entry = serde_json::from_value(serde_json::json!({
        "what": { "release": { "id": "acme/x", "versions": "*" } }, "action": "kill", "reason": ""
    }))
    .unwrap();
    document.entries.push(entry);
    let spoilt = revocation::sign(&document, &[&key.unwrap()]).unwrap();
    std::fs::write(home.join("revocations.dsse.json"), spoilt).unwrap();
    let entry = ["--id", "acme/y", "--versions", "*", "--action", "kill", "--reason", "x"];
    let said = refuses(home, BOTH, &entry, "revocations-malformed");
    assert!(said.contains("put the last one that hosts took in its place"), "{said}");
    refuses(home, "revoke --freshness-key f.key", &[], "revocations-malformed");
    std::fs::write(home.join("revocations.dsse.json"), good).unwrap();
    succeeds(home, BOTH);
    // A root with a signature too few.
    let two = "root init --root a.toml --root b.toml --threshold root=2 --certifier cert.toml --revoker r1.toml \
               --freshness f.toml --out two.json";
    succeeds(home, two);
    succeeds(home, "root sign two.json --key a.key --out two.dsse.json");
    std::fs::rename(home.join("two.dsse.json"), home.join("root.dsse.json")).unwrap();
    refuses(home, BOTH, &entry, "root-not-by-itself");
}

#[test]
fn what_cannot_do_what_it_says_is_refused_and_what_may_not_is_said() {
    let (home, root) = folder("", |_| {});
    let home = home.path();
    let of = |name: &str, action: &'static str| {
        let id: &'static str = id_of(home, name).leak();
        vec!["--keyid", id, "--action", action, "--reason", "x"]
    };
    let said = refuses(home, BOTH, &of("f", "kill"), "freshness-threshold");
    assert!(!said.contains("warning: "), "nothing is said of what is not written: {said}");
    refuses(home, BOTH, &of("a", "kill"), "revoke-root-key");
    refuses(home, BOTH, &of("acme", "recertify"), "revoke-recertify");
    let nothing = ["--id", "acme/x", "--versions", ">=2.0.0, <1.0.0", "--action", "kill", "--reason", "x"];
    refuses(home, BOTH, &nothing, "revoke-no-version");
    let misspelt = "--certifier orch-certfy --versions * --check importz --action recertify --reason unsound";
    let (exit, _, said) = run(home, &format!("{BOTH} {misspelt}"));
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("near it: `orch-certify`") && said.contains("near it: `imports`"), "{said}");
    let (exit, _, said) = run(home, &format!("{BOTH} {}", of("acme", "kill").join(" ")));
    assert!(exit == 0 && said.contains("stays valid"), "{said}");
    let later = "--from 2999-01-01T00:00:00Z --action kill --reason x";
    let (exit, _, said) = run(home, &format!("{BOTH} --keyid {} {later}", id_of(home, "cert")));
    assert!(exit == 0 && said.contains("still to come"), "{said}");
    assert_eq!(verified(home, &root).unwrap().document().entries.len(), 3);
}

#[test]
fn eight_at_once_wait_for_each_other_and_none_is_lost() {
    let (home, root) = folder("", |_| {});
    let home = home.path();
    succeeds(home, BOTH);
    let start = |number: usize| -> Child {
        let id = format!("acme/p{number}");
        Command::new(env!("CARGO_BIN_EXE_orch-certify"))
            .args(BOTH.split(' '))
            .args(["--id", &id, "--versions", "*", "--action", "kill", "--reason", "x"])
            .current_dir(home)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    for child in (0..8).map(start).collect::<Vec<_>>() {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let list = verified(home, &root).unwrap();
    assert_eq!(list.version(), 9);
    let mut ids: Vec<String> = (list.document().entries.iter())
        .map(|entry| match &entry.what {
            What::Release { id, .. } => id.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    ids.sort();
    assert_eq!(ids, (0..8).map(|number| format!("acme/p{number}")).collect::<Vec<_>>());
    assert!(!files(home).keys().any(|name| name.ends_with(".new")));
}

#[test]
fn a_command_waits_until_the_folder_is_free() {
    let (home, root) = folder("", |_| {});
    let home = home.path();
    let lock = std::fs::File::open(home).unwrap();
    lock.lock().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_orch-certify"))
        .args(BOTH.split(' '))
        .current_dir(home)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    let mut said = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut said).unwrap();
    assert!(said.starts_with("waiting for another command"), "{said}");
    assert!(!home.join("revocations.dsse.json").exists());
    drop(lock);
    assert!(child.wait().unwrap().success());
    assert_eq!(verified(home, &root).unwrap().version(), 1);
}

#[test]
fn a_list_goes_on_under_a_root_that_gave_its_roles_to_other_keys() {
    let (home, root) = folder("", |_| {});
    let home = home.path();
    let gone = |id: &str| format!("--id {id} --versions * --action kill --reason x");
    succeeds(home, &format!("{BOTH} {}", gone("acme/x")));
    succeeds(home, "root keygen --role freshness --out f2.key --owner F");
    succeeds(home, "root rotate root.dsse.json --out next.json");
    for (name, role) in [("r2", "revoker"), ("f2", "freshness")] {
        succeeds(home, &format!("root add-key next.json --public {name}.toml --role {role}"));
    }
    for name in ["r1", "f"] {
        succeeds(home, &format!("root revoke next.json {name}.toml"));
    }
    succeeds(home, "root sign next.json --key a.key --previous root.dsse.json --out next.dsse.json");
    std::fs::rename(home.join("root.dsse.json"), home.join("one.dsse.json")).unwrap();
    std::fs::rename(home.join("next.dsse.json"), home.join("root.dsse.json")).unwrap();
    let new = "revoke --key r2.key --freshness-key f2.key";
    let entry: Vec<String> = gone("acme/y").split(' ').map(str::to_owned).collect();
    let entry: Vec<&str> = entry.iter().map(String::as_str).collect();
    let said = refuses(home, new, &entry, "revocations-unknown-key");
    assert!(said.contains("--previous FILE"), "{said}");
    refuses(home, "revoke --key r2.key --previous root.dsse.json", &entry, "root-version");
    succeeds(home, &format!("{new} --previous one.dsse.json {}", gone("acme/y")));
    let bytes = std::fs::read(home.join("root.dsse.json")).unwrap();
    let next = root::verify_next(&root, &bytes, now()).unwrap();
    assert_eq!(verified(home, &next).unwrap().document().entries.len(), 2);
    assert_eq!(next.sha256(), Sha256Digest::of(&bytes));
    // From now on the last list is one of the new keys.
    succeeds(home, &format!("{new} {}", gone("acme/z")));
    assert_eq!(verified(home, &next).unwrap().version(), 3);
}
