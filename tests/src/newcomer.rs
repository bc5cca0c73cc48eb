//! A third party from nothing: an author with a key of its own, and an operator that trusts nobody yet.
//!
//! In -> out: the commands of the project -> plugins that a host admits.
//! Invariant: nothing is known here that `orch-plugin`, the README that it writes, or a refusal's hint does not say:
//! each command is one that the README names, and the operator does what the hint of each refusal says.
//! Not here: workspaces (`lib.rs`), what the plugins then do (`tests/author.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use orch_plugin::template;
use orch_trust::manifest::Role;

use crate::{binary, copy, err, out};

/// What `new` writes beside every plugin.
const README: &str = template::PROJECT[1].1;

/// Folders of an author and an operator.
pub struct Newcomer {
    folder: tempfile::TempDir,
    /// Where cargo builds guests: what they share is compiled once.
    guests: PathBuf,
}

/// Something that an operator may let in, and whose word stands for it.
pub struct Offer {
    pub package: PathBuf,
    /// Public files of its publisher and its certifier.
    pub publisher: PathBuf,
    pub certifier: PathBuf,
}

impl Newcomer {
    /// Both keys are made, nothing else is there.
    pub fn new(guests: &Path) -> Self {
        let new = Self { folder: tempfile::tempdir().unwrap(), guests: guests.to_owned() };
        let at = new.folder.path();
        new.good(
            at,
            "orch-certify",
            &["keygen", "--out", "publisher.json", "--owner", "acme", "--publisher", "acme"],
        );
        new.good(
            at,
            "orch-certify",
            &["keygen", "--out", "certifier.json", "--owner", "me", "--certifier", "local"],
        );
        new
    }

    pub fn operator(&self) -> PathBuf {
        self.folder.path().join("operator")
    }

    pub fn project(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a project and runs its cases.
    pub fn make(&self, name: &str, role: Role) {
        let made = self.good(
            self.folder.path(),
            "orch-plugin",
            &["new", &format!("acme/{name}"), "--role", role.as_str()],
        );
        assert!(made.contains(&format!("next: cd {name} && orch-plugin test\n`README.md`")), "{made}");
        self.good(&self.project(name), "orch-plugin", &["test"]);
    }

    /// What the project's README says is to be written under `roles:` in `config.yaml`.
    pub fn binding(&self, name: &str) -> String {
        let readme = fs::read_to_string(self.project(name).join("README.md")).unwrap();
        readme.split_once("roles:\n").unwrap().1.lines().next().unwrap().to_owned()
    }

    /// Says another version in both files and in the lock file.
    pub fn raise_version(&self, name: &str, from: &str, to: &str) {
        let project = self.project(name);
        let change = |file: &str, line: &dyn Fn(&str) -> String| {
            let text = fs::read_to_string(project.join(file)).unwrap();
            assert!(text.contains(&line(from)), "{file}");
            fs::write(project.join(file), text.replacen(&line(from), &line(to), 1)).unwrap();
        };
        change("plugin.json", &|version| format!("\"version\": \"{version}\""));
        change("Cargo.toml", &|version| format!("version = \"{version}\""));
        assert!(README.contains("`cargo update --workspace`"));
        let mut update = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        update.args(["update", "--workspace", "--offline"]).current_dir(&project);
        assert!(update.output().unwrap().status.success());
    }

    /// Builds and packs, not yet signed.
    pub fn pack(&self, name: &str, version: &str) -> Offer {
        self.good(&self.project(name), "orch-plugin", &["pack"]);
        Offer {
            package: self.project(name).join("target/packages/acme").join(name).join(version),
            publisher: self.folder.path().join("publisher.toml"),
            certifier: self.folder.path().join("certifier.toml"),
        }
    }

    /// Lets a plugin in: it is copied to the operator's packages and approved, and of each refusal the hint is
    /// followed. Gives the codes of the refusals.
    pub fn let_in(&self, offer: &Offer) -> Vec<String> {
        let mut met: Vec<String> = Vec::new();
        let parts: Vec<&str> =
            offer.package.iter().rev().take(3).map(|part| part.to_str().unwrap()).collect();
        let [version, name, namespace]: [&str; 3] = parts.try_into().unwrap();
        let id = format!("{namespace}/{name}");
        loop {
            let kept = self.operator().join("packages").join(&id).join(version);
            let _ = fs::remove_dir_all(&kept);
            copy(&offer.package, &kept);
            let output = self.command_of_operator(&["plugin", "approve", &id]).output().unwrap();
            let said = err(&output);
            if output.status.success() {
                assert!(out(&output).contains(&format!("approved {id} {version}")), "{}", out(&output));
                return met;
            }
            let code = said.split("code: ").nth(1).unwrap().lines().next().unwrap().to_owned();
            assert!(!met.contains(&code), "{code} again: {said}");
            let hint = said.split("\nhint: ").nth(1).unwrap_or_else(|| panic!("no hint: {said}"));
            self.follow(&code, hint, offer);
            met.push(code);
        }
    }

    fn follow(&self, code: &str, hint: &str, offer: &Offer) {
        let (at, package) = (self.folder.path(), offer.package.to_str().unwrap());
        let says = |words: &str| assert!(hint.contains(words), "{code}: {hint}");
        match code {
            "release-missing" => {
                says("`orch-plugin sign PACKAGE --key KEY`");
                self.good(at, "orch-plugin", &["sign", package, "--key", "publisher.json"]);
            }
            "release-unknown-key" => {
                says("`orch-host trust add FILE");
                self.trust(&offer.publisher);
            }
            "certificate-missing" => {
                says("`orch-certify run PACKAGE --key KEY`");
                self.good(
                    at,
                    "orch-certify",
                    &["run", package, "--key", "certifier.json", "--profile", "local"],
                );
            }
            "certificate-unknown-key" => {
                says("`orch-host trust add FILE");
                self.trust(&offer.certifier);
            }
            "permission-not-allowed" => {
                says("`policy.toml`");
                let entry = &hint[hint.find("[plugins.").unwrap()..];
                let path = self.operator().join("policy.toml");
                let policy = fs::read_to_string(&path).unwrap_or_default();
                fs::write(&path, format!("{policy}\n{}\n", entry.trim_end())).unwrap();
            }
            other => panic!("nobody knows what to do about `{other}`: {hint}"),
        }
    }

    /// Trusts a key, having seen its id.
    fn trust(&self, file: &Path) {
        let file = file.to_str().unwrap();
        let asked = self.command_of_operator(&["trust", "add", file]).output().unwrap();
        let said = err(&asked);
        let id =
            said.split("`--key-id ").nth(1).unwrap_or_else(|| panic!("{said}")).split('`').next().unwrap();
        let trusted = self.command_of_operator(&["trust", "add", file, "--key-id", id]).output().unwrap();
        assert!(trusted.status.success(), "{}", err(&trusted));
    }

    fn command_of_operator(&self, args: &[&str]) -> Command {
        let mut host = self.command(self.folder.path(), "orch-host", args);
        host.arg("--config-home").arg(self.operator());
        host
    }

    fn command(&self, at: &Path, program: &str, args: &[&str]) -> Command {
        let verbs = if program == "orch-host" { 2 } else { 1 };
        let named = [&[program], args.get(..verbs).unwrap()].concat().join(" ");
        assert!(named == "orch-plugin new" || README.contains(&named), "`{named}` is not in the README");
        let mut command = Command::new(binary(program));
        command.current_dir(at).args(args).env_remove("PLUGIN_SIGNING_KEY").env("NO_COLOR", "1");
        // What plugins are made of is there since the reference plugins were built.
        command.env("CARGO_TARGET_DIR", &self.guests).env("CARGO_NET_OFFLINE", "true");
        command
    }

    /// What a command that must succeed says on standard output.
    #[track_caller]
    fn good(&self, at: &Path, program: &str, args: &[&str]) -> String {
        let output = self.command(at, program, args).output().unwrap();
        assert!(output.status.success(), "{program} {args:?}\n{}\n{}", out(&output), err(&output));
        out(&output)
    }
}
