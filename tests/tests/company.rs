//! A company's trust from end to end, by the commands that its people type: a root of two keys, lists, two certifiers, a
//! job without a key of its own, and each way to take something back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::path::{Path, PathBuf};
use std::process::Command;

use orch_tests::{Workspace, binary, copy, err, out, packages};
use orch_trust::digest::Sha256Digest;
use serde_json::{Value, json};

const TASKS: &str = "- {id: a, kind: note, description: hello}\n";
const REPOSITORY: &str = "https://git.example/acme/plugins";
const WORKFLOW: &str = "release.yml@refs/heads/main";
const COMMIT: &str = "0123456789012345678901234567890123456789";

/// Everybody's machines: the host's, one folder for those who keep the root, one for each certifier.
struct Company {
    host: Workspace,
}

impl Company {
    fn new() -> Self {
        let company = Self { host: Workspace::new(TASKS) };
        copy(&packages().join("demo"), &company.at("shelf/demo"));
        for folder in ["keepers", "second", "job"] {
            std::fs::create_dir(company.at(folder)).unwrap();
        }
        let policy = std::fs::read_to_string(company.policy()).unwrap();
        let moved = policy.replace(packages().to_str().unwrap(), company.at("shelf").to_str().unwrap());
        assert_ne!(policy, moved);
        std::fs::write(company.policy(), moved).unwrap();
        company
    }

    fn at(&self, name: &str) -> PathBuf {
        self.host.outside().join(name)
    }

    fn policy(&self) -> PathBuf {
        self.host.operator().join("policy.toml")
    }

    fn package(&self, name: &str) -> PathBuf {
        self.at("shelf/demo").join(name).join("0.1.0")
    }

    /// `orch-certify` of whoever works in that folder, with a home of its own.
    #[track_caller]
    fn certify(&self, folder: &str, args: &[&str]) -> String {
        let mut tool = Command::new(binary("orch-certify"));
        tool.current_dir(self.at(folder)).args(args).env("HOME", self.at(folder)).env("TZ", "Asia/Tokyo");
        tool.env("LC_ALL", "C.UTF-8").env_remove("XDG_STATE_HOME").env_remove("XDG_CACHE_HOME");
        let output = tool.output().unwrap();
        assert!(output.status.success(), "{args:?}\n{}{}", out(&output), err(&output));
        out(&output)
    }

    /// Takes back one more thing, and brings the host the new list.
    #[track_caller]
    fn revoke(&self, what: &[&str]) {
        let keys = ["revoke", "--key", "r.key", "--freshness-key", "f.key"];
        self.certify("keepers", &[&keys, what].concat());
        self.bring(&["revocations.dsse.json", "freshness.dsse.json"], &[]);
    }

    /// `orch-host plugin trust` of files of those who keep the root.
    #[track_caller]
    fn bring(&self, files: &[&str], more: &[&str]) {
        let files: Vec<String> =
            files.iter().map(|file| self.at("keepers").join(file).display().to_string()).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let output = self.host.host(&[&["plugin", "trust"], &*files, more].concat(), 0);
        assert!(!out(&output).contains("nothing runs"), "{}", out(&output));
    }

    /// How `plugin verify` ends: the code of its refusal, or nothing.
    #[track_caller]
    fn verify(&self, name: &str, expected: &str) {
        let package = self.package(name);
        let output = self.host.command(&["plugin", "verify", package.to_str().unwrap()]).output().unwrap();
        let said = err(&output);
        let code = said.lines().find_map(|line| line.strip_prefix("code: ")).unwrap_or("");
        assert_eq!(code, expected, "{name}\n{}{said}", out(&output));
        assert_eq!(output.status.code(), Some(if expected.is_empty() { 0 } else { 3 }), "{name}");
    }

    /// What the certificates of a package say that was found.
    fn result_digests(&self, name: &str) -> Vec<String> {
        let folder = std::fs::read_dir(self.package(name).join("certificates")).unwrap();
        let digest = |entry: std::io::Result<std::fs::DirEntry>| {
            let envelope: Value =
                serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
            let payload = base64(envelope["payload"].as_str().unwrap());
            let statement: Value = serde_json::from_slice(&payload).unwrap();
            statement["predicate"]["resultDigest"].as_str().unwrap().to_owned()
        };
        folder.map(digest).collect()
    }
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut document);
    std::fs::write(path, serde_json::to_vec_pretty(&document).unwrap()).unwrap();
}

/// The first root, signed by two, with everybody's keys.
fn first_root(company: &Company) {
    let keepers = |args: &[&str]| company.certify("keepers", args);
    for (role, name) in
        [("root", "anna"), ("root", "bert"), ("revoker", "r"), ("freshness", "f"), ("ci-issuer", "i")]
    {
        keepers(&["root", "keygen", "--role", role, "--out", &format!("{name}.key"), "--owner", name]);
    }
    company
        .certify("second", &["keygen", "--out", "second.key", "--owner", "second", "--certifier", "local"]);
    let trusted = |folder: &str| {
        let folder = company.host.operator().join("trust").join(folder);
        let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        file.display().to_string()
    };
    let publisher = format!("demo/={}", trusted("publishers"));
    keepers(&[
        "root",
        "init",
        "--root",
        "anna.toml",
        "--root",
        "bert.toml",
        "--threshold",
        "root=2",
        "--revoker",
        "r.toml",
        "--freshness",
        "f.toml",
        "--ci-issuer",
        "i.toml",
        "--publisher",
        &publisher,
        "--certifier",
        &trusted("certifiers"),
        "--certifier",
        "../second/second.toml",
    ]);
    edit(&company.at("keepers/root.json"), |document| {
        document["namespaces"][0]["maxPermissions"] = json!({
            "log": {}, "settings": {}, "findings": {}, "metrics": {}, "files": { "read": ["**"], "write": [] },
            "process": { "programs": ["*"], "env": ["HOME", "LANG", "PATH"] }, "tasks": { "read": true, "add": 100, "kinds": ["*"] },
            "wasi": { "clocks": true, "random": true, "http_types": true },
        });
        document["roles"]["certifier"]["jobs"] = json!([{
            "job": { "repository": REPOSITORY, "workflow": WORKFLOW }, "owner": "ci", "level": "local",
        }]);
    });
    keepers(&["root", "sign", "root.json", "--key", "anna.key", "--out", "root.dsse.json"]);
    let signed = keepers(&["root", "sign", "root.dsse.json", "--key", "bert.key"]);
    let digest = Sha256Digest::of(&std::fs::read(company.at("keepers/root.dsse.json")).unwrap()).to_string();
    assert!(signed.contains(&format!("complete; sha256 {digest}")), "{signed}");
    keepers(&["revoke", "--key", "r.key", "--freshness-key", "f.key"]);
    for folder in ["publishers", "certifiers"] {
        std::fs::remove_dir_all(company.host.operator().join("trust").join(folder)).unwrap();
    }
    let files = ["root.dsse.json", "revocations.dsse.json", "freshness.dsse.json"];
    company.bring(&files, &["--sha256", &digest]);
}

/// Two certifiers and a job find the same; the policy asks for as many as there are.
fn certifiers(company: &Company) {
    let package = company.package("executor-note");
    let note = package.to_str().unwrap();
    let policy = std::fs::read_to_string(company.policy()).unwrap();
    let ask = |threshold: u32| {
        let text = format!("{policy}\n[certificates]\nthreshold = {threshold}\nindependent = true\n");
        std::fs::write(company.policy(), text).unwrap();
    };
    // One job runs the checks; another one, after it, makes a key and is lent the word of a certifier for it.
    company.certify("job", &["run", note, "--quiet", "--out", "statement.json"]);
    company.certify("job", &["keygen", "--out", "job.key", "--owner", "job", "--certifier", "local"]);
    let manifest = Sha256Digest::of(&std::fs::read(package.join("manifest.json")).unwrap()).to_string();
    for (workflow, folder) in [(WORKFLOW, "good"), ("other.yml@refs/heads/main", "other")] {
        let folder = company.at("job").join(folder).display().to_string();
        let lent = [
            "delegate",
            "--subject",
            &manifest,
            "--out",
            &folder,
            "--key",
            "i.key",
            "--for",
            "../job/job.toml",
        ];
        let job = [
            "--purpose",
            "certificate",
            "--repository",
            REPOSITORY,
            "--workflow",
            workflow,
            "--commit",
            COMMIT,
        ];
        company.certify("keepers", &[&lent[..], &job].concat());
    }
    ask(2);
    company.verify("executor-note", "certificate-threshold");
    company.certify("second", &["run", note, "--key", "second.key", "--quiet"]);
    company.verify("executor-note", "");
    let found = company.result_digests("executor-note");
    assert!(found.len() == 2 && found[0] == found[1], "{found:?}");
    // A third one: the root knows two keys, and the job's word counts for a third while it is lent.
    ask(3);
    company.verify("executor-note", "threshold-above-keys");
    company.certify("job", &["sign", "statement.json", note, "--key", "job.key"]);
    company.verify("executor-note", "certificate-unknown-key");
    copy(&company.at("job/other/delegations"), &package.join("delegations"));
    company.verify("executor-note", "delegation-job");
    copy(&company.at("job/good/delegations"), &package.join("delegations"));
    company.verify("executor-note", "");
    std::fs::write(company.policy(), policy).unwrap();
}

#[test]
fn a_company_keeps_its_root_certifies_and_takes_back() {
    let company = Company::new();
    first_root(&company);
    // A plugin is added and runs under the root.
    let note = company.package("executor-note");
    let manifest = Sha256Digest::of(&std::fs::read(note.join("manifest.json")).unwrap()).to_string();
    company.host.host(&["plugin", "add", note.to_str().unwrap(), "--yes", &manifest], 0);
    let kept = company.host.operator().join("packages/demo/executor-note/0.1.0");
    for name in ["component.wasm", "release.dsse.json"] {
        assert_eq!(std::fs::read(kept.join(name)).unwrap(), std::fs::read(note.join(name)).unwrap());
    }
    company.host.run(&[], 0);
    certifiers(&company);

    // By file.
    let file = std::fs::read(company.package("auditor-files").join("component.wasm")).unwrap();
    let file = Sha256Digest::of(&file).to_string();
    company.verify("auditor-files", "");
    company.revoke(&["--sha256", &file, "--action", "block-load", "--reason", "a stolen build"]);
    company.verify("auditor-files", "revoked-block-load");
    // By release: not below, not above, but it.
    company.revoke(&[
        "--id",
        "demo/service-status",
        "--versions",
        ">=0.1.1",
        "--action",
        "kill",
        "--reason",
        "later",
    ]);
    company.verify("service-status", "");
    company.revoke(&[
        "--id",
        "demo/service-status",
        "--versions",
        ">=0.1.0, <0.1.1",
        "--action",
        "kill",
        "--reason",
        "it",
    ]);
    company.verify("service-status", "revoked-kill");
    // By what certified: only where that check was run, and not by another version.
    let tool = ["--certifier", "orch-certify", "--action", "recertify", "--reason", "check unsound"];
    company.revoke(&[&tool[..], &["--versions", "<0.0.9"]].concat());
    company.verify("verifier-command", "");
    company.revoke(&[&tool[..], &["--versions", "*", "--check", "conformance/verifier"]].concat());
    company.verify("verifier-command", "revoked-recertify");
    company.verify("executor-note", "");
    // By advisory: who has that crate in that version.
    let advisory = [
        "--advisory",
        "RUSTSEC-2026-9999",
        "--crate",
        "smallvec",
        "--action",
        "block-load",
        "--reason",
        "a hole",
    ];
    company.revoke(&[&advisory[..], &["--versions", "<1.0.0"]].concat());
    company.verify("reflector-complexity", "");
    company.revoke(&[&advisory[..], &["--versions", ">=1.0.0, <2.0.0"]].concat());
    company.verify("reflector-complexity", "revoked-block-load");
    company.verify("executor-shell", "");
    // By key from a date: what it certified before still counts, and what another one certified counts without it.
    let first = certifier_of(&company, "planner-priority");
    let key = ["--keyid", &first, "--action", "recertify", "--reason", "key was lost"];
    company.revoke(&[&key[..], &["--from", "2099-01-01T00:00:00Z"]].concat());
    company.verify("planner-priority", "");
    company.revoke(&[&key[..], &["--from", "2026-01-01T00:00:00Z"]].concat());
    company.verify("planner-priority", "revoked-recertify");
    company.verify("executor-note", "");
    let refused = company.host.run(&[], 3);
    assert!(err(&refused).contains("code: revoked-recertify"), "{}", err(&refused));

    // The next root, by both, takes the lost key out; the second certifier's word stands alone.
    let keepers = |args: &[&str]| company.certify("keepers", args);
    keepers(&["root", "rotate", "root.dsse.json", "--out", "next.json"]);
    keepers(&["root", "revoke", "next.json", &first]);
    let sign = ["root", "sign", "--previous", "root.dsse.json", "--key"];
    keepers(&[&sign[..], &["anna.key", "next.json", "--out", "next.dsse.json"]].concat());
    keepers(&[&sign[..], &["bert.key", "next.dsse.json"]].concat());
    company.bring(&["next.dsse.json"], &[]);
    company.verify("planner-priority", "certificate-unknown-key");
    let doctor = company.host.host(&["doctor"], 1);
    assert!(out(&doctor).contains("trust root 2"), "{}", out(&doctor));
}

/// The key whose certificate is the only one of a package.
fn certifier_of(company: &Company, name: &str) -> String {
    let file = std::fs::read_dir(company.package(name).join("certificates")).unwrap().next().unwrap();
    let envelope: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
    envelope["signatures"][0]["keyid"].as_str().unwrap().to_owned()
}
