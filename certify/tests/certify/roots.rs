//! Making a trust root by hand: what is complete stays as it is, and no mistake shows a secret or leaves half a file.

use std::path::Path;
use std::process::Command;

use orch_trust::digest::Sha256Digest;
use orch_trust::root;
use serde_json::Value;

use crate::trust_root::{OTHERS, fails, id_of, keys, now, run, succeeds};

const THREE: &str = "root init --root a.toml --root b.toml --root c.toml --threshold root=2";

#[test]
fn a_root_that_is_complete_takes_no_further_signature() {
    let home = keys();
    let home = home.path();
    let read = |name: &str| std::fs::read(home.join(name)).unwrap();
    succeeds(home, &format!("{THREE} {OTHERS}"));
    succeeds(home, "root sign root.json --key a.key --out one.json");
    let said = succeeds(home, "root sign one.json --key b.key");
    assert!(said.contains("complete; sha256") && !said.contains("not yet"), "{said}");
    let said = succeeds(home, "root show one.json");
    assert!(said.contains("complete; sha256") && !said.contains("not yet"), "{said}");
    let complete = read("one.json");
    fails(home, "root sign one.json --key c.key", 2, "document-complete");
    fails(home, "root sign root.json --key c.key --out one.json", 2, "document-complete");
    assert_eq!(read("one.json"), complete);
    let current = root::verify_first(&complete, Sha256Digest::of(&complete), now()).unwrap();
    // The next version is complete with both sets of keys, and only `--previous` says whether it is.
    succeeds(home, "root rotate one.json --out next.json");
    succeeds(home, "root add-key next.json --public d.toml --role root");
    succeeds(home, &format!("root revoke next.json {}", id_of(home, "a")));
    succeeds(home, "root sign next.json --key b.key --out two.json");
    succeeds(home, "root sign two.json --key d.key");
    fails(home, "root sign two.json --key c.key", 2, "document-previous-unsaid");
    let said = succeeds(home, "root sign two.json --key c.key --previous one.json");
    assert!(said.contains("complete; sha256"), "{said}");
    root::verify_next(&current, &read("two.json"), now()).unwrap();
    fails(home, "root sign two.json --key a.key --previous one.json", 2, "document-complete");
}

#[test]
fn a_leaving_key_that_signed_is_not_called_without_a_part() {
    let home = keys();
    let home = home.path();
    succeeds(home, &format!("{THREE} {OTHERS}"));
    succeeds(home, "root sign root.json --key a.key --out one.json");
    succeeds(home, "root sign one.json --key b.key");
    succeeds(home, "root rotate one.json --out next.json");
    succeeds(home, &format!("root revoke next.json {}", id_of(home, "b")));
    succeeds(home, "root sign next.json --key b.key --previous one.json --out two.json");
    let (exit, _, said) = run(home, "root sign two.json --key c.key");
    assert_eq!(exit, 2);
    assert!(said.contains("code: document-signer-unknown") && said.contains("--previous FILE"), "{said}");
    assert!(said.contains(&id_of(home, "b")) && !said.contains("no part"), "{said}");
    succeeds(home, "root sign two.json --key c.key --previous one.json");
}

/// Every verb that takes a public file, given a secret one.
#[test]
fn no_mistake_shows_a_secret() {
    let home = keys();
    let home = home.path();
    succeeds(home, &format!("{THREE} {OTHERS}"));
    let text = std::fs::read_to_string(home.join("a.key")).unwrap();
    let key: Value = serde_json::from_str(&text).unwrap();
    let seed = key["seed"].as_str().unwrap().to_owned();
    // The same on a line of its own, and where TOML expects a text.
    std::fs::write(home.join("lines.key"), format!("key = \"x\"\nowner = \"x\"\n{seed}\n")).unwrap();
    std::fs::write(home.join("typed.key"), format!("key = \"x\"\nowner = \"x\"\nprofile = \"{seed}\"\n"))
        .unwrap();
    let hash = "0".repeat(64);
    let job =
        "--purpose release --repository r --workflow w --commit 0123456789abcdef0123456789abcdef01234567";
    for file in ["a.key", "lines.key", "typed.key"] {
        let mut lines = vec![
            format!("root init --out other.json --root {file} {OTHERS}"),
            format!("root init --out other.json --root a.toml {OTHERS} --certifier {file}"),
            format!("root add-key root.json --role root --public {file}"),
            format!("root revoke root.json {file}"),
            format!("delegate --subject {hash} --out . --key i.key --for {file} {job}"),
            format!("verify . --trust {file}"),
            format!("recheck . --trust {file}"),
            format!("verify . --root {file}"),
            format!("root show {file}"),
            format!("root rotate {file}"),
            format!("root sign {file} --key b.key --out other.json"),
            format!("revoke --previous {file} --key r1.key"),
        ];
        if file != "a.key" {
            lines.push(format!("root sign root.json --key {file} --out other.json"));
        }
        for line in lines {
            let (exit, stdout, stderr) = run(home, &line);
            assert_eq!(exit, 2, "{line}: {stdout}{stderr}");
            // No part of it either: a line is cut where it is long.
            for part in seed.as_bytes().chunks(8) {
                let part = std::str::from_utf8(part).unwrap();
                let shows = stdout.contains(part) || stderr.contains(part);
                assert!(!shows || part.len() < 8, "{line}: {stderr}");
            }
        }
    }
}

#[test]
fn a_key_is_for_the_part_that_it_was_made_for() {
    let home = keys();
    let home = home.path();
    let init = |root: &str, certifier: &str, revoker: &str| {
        format!(
            "root init --root {root}.toml --certifier {certifier}.toml --revoker {revoker}.toml --freshness f.toml"
        )
    };
    for (root, certifier, revoker) in [
        ("r1", "cert", "r1"),
        ("cert", "cert", "r1"),
        ("a", "acme", "r1"),
        ("a", "r1", "r1"),
        ("a", "cert", "a"),
    ] {
        fails(home, &init(root, certifier, revoker), 2, "public-file-other-purpose");
    }
    assert!(!home.join("root.json").exists());
    // A file that does not say it is taken at its word, and that one key acts in two parts is said.
    let text = std::fs::read_to_string(home.join("a.toml")).unwrap();
    let plain = text.replace("role = \"root\"\n", "");
    assert_ne!(plain, text);
    std::fs::write(home.join("plain.toml"), plain).unwrap();
    let (exit, _, said) = run(home, &init("a", "cert", "plain"));
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains(&format!("key {} has several parts: root, revoker", id_of(home, "a"))), "{said}");
    fails(home, "root add-key root.json --public r2.toml --role freshness", 2, "public-file-other-purpose");
    let (exit, _, said) = run(home, "root add-key root.json --public r2.toml --role revoker");
    assert!(exit == 0 && said.contains("several parts"), "{said}");
}

/// The same where no file can grow.
fn without_room(home: &Path, line: &str) -> (i32, String) {
    let shell = format!("trap '' XFSZ; ulimit -f 0; exec '{}' {line}", env!("CARGO_BIN_EXE_orch-certify"));
    let output = Command::new("sh").args(["-c", &shell]).current_dir(home).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_file_that_cannot_be_written_whole_is_not_left_there() {
    let home = keys();
    let home = home.path();
    succeeds(home, &format!("{THREE} {OTHERS} --out there.json"));
    succeeds(home, "root sign there.json --key a.key --out one.json");
    succeeds(home, "root sign one.json --key b.key --out one.json");
    let names = || {
        let entries = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name());
        entries.collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    for (line, code) in [
        ("keygen --out new.key --certifier local".to_owned(), "key-file-write"),
        ("keygen --out new.key --certifier local --key cert.key".to_owned(), "key-file-write"),
        ("root keygen --role root --out new.key --owner x".to_owned(), "key-file-write"),
        (format!("{THREE} {OTHERS}"), "document-write"),
        ("root rotate one.json --out next.json".to_owned(), "document-write"),
    ] {
        let (exit, said) = without_room(home, &line);
        assert_eq!(exit, 5, "{line}: {said}");
        assert!(said.contains(&format!("code: {code}\n")), "{line}: {said}");
        assert_eq!(names(), before, "{line}");
    }
}
