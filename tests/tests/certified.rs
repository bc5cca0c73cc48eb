//! A third party's plugin at level `certified`, by the lines of the README that `orch-plugin new` writes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use orch_tests::{binary, err, out};

/// A `cargo-audit` that knows no advisory about what it is asked, and counts what it was given.
const AUDIT: &str = r#"#!/bin/sh
advisories=$(find "$3/crates" -name '*.md' | wc -l)
packages=$(grep -c '^\[\[package\]\]' "$9")
printf '{"database":{"advisory-count":%d,"last-commit":null,"last-updated":null},"lockfile":{"dependency-count":%d},' "$advisories" "$packages"
printf '"settings":{"ignore":[]},"vulnerabilities":{"found":false,"count":0,"list":[]},"warnings":{}}'
"#;

struct Author {
    folder: tempfile::TempDir,
    path: std::ffi::OsString,
}

impl Author {
    /// With a publisher's key, a database of today's, and `cargo-audit`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tools = folder.path().join("tools");
        for place in [&tools, &folder.path().join("keys"), &folder.path().join("database/crates/unused")] {
            fs::create_dir_all(place).unwrap();
        }
        fs::write(tools.join("cargo-audit"), AUDIT).unwrap();
        fs::set_permissions(tools.join("cargo-audit"), fs::Permissions::from_mode(0o755)).unwrap();
        let today = orch_host::clock::now().to_string()[..10].to_owned();
        let advisory = format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"unused\"\ndate = \"{today}\"\n\n[versions]\npatched = []\n```\n\n# It\n\nSaid.\n"
        );
        fs::write(folder.path().join("database/crates/unused/RUSTSEC-2026-0001.md"), advisory).unwrap();
        let programs: PathBuf = binary("orch-plugin").parent().unwrap().to_owned();
        let known = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths([tools, programs].into_iter().chain(std::env::split_paths(&known)));
        let made = Self { path: path.unwrap(), folder };
        let keygen = "orch-certify keygen --out keys/publisher.json --owner acme --publisher acme";
        made.good(made.folder.path(), keygen);
        made
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A line for a shell.
    fn say(&self, at: &Path, line: &str) -> Output {
        let mut shell = Command::new("sh");
        shell.args(["-ec", line]).current_dir(at).env("PATH", &self.path).env("NO_COLOR", "1");
        shell.env("XDG_STATE_HOME", self.at("state")).env_remove("PLUGIN_SIGNING_KEY");
        shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for name in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            shell.env(format!("{name}_NAME"), "somebody").env(format!("{name}_EMAIL"), "a@example.org");
        }
        // What plugins are made of is there since the reference plugins were built, and shared with other tests.
        shell.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests"));
        shell.env("CARGO_NET_OFFLINE", "true").output().unwrap()
    }

    #[track_caller]
    fn good(&self, at: &Path, line: &str) -> String {
        let output = self.say(at, line);
        assert!(output.status.success(), "{line}\n{}\n{}", out(&output), err(&output));
        out(&output)
    }

    /// The commands of a section of the README, with what stands for something put in.
    fn commands(&self, project: &Path, section: &str) -> Vec<String> {
        let readme = fs::read_to_string(project.join("README.md")).unwrap();
        let text = readme.split_once(section).unwrap().1;
        let block = text.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
        let (keys, database) =
            (self.at("keys").display().to_string(), self.at("database").display().to_string());
        let put_in = |line: &str| line.replace("~/keys", &keys).replace("DATABASE", &database);
        block.lines().map(put_in).collect()
    }
}

#[test]
fn the_readme_of_a_new_project_leads_to_level_certified() {
    let author = Author::new();
    author.good(author.folder.path(), "orch-plugin new acme/checked --role verifier");
    let project = author.at("checked");
    let lines = author.commands(&project, "## To level `certified`");
    let (last, before) = lines.split_last().unwrap();
    for line in before {
        author.good(&project, line);
    }
    assert!(author.good(&project, "git ls-files").lines().any(|file| file == "Cargo.lock"));
    // Without the lock file in the commit nobody else builds the same.
    author
        .good(&project, "git rm --quiet --cached Cargo.lock && git commit --quiet --message 'No lock file'");
    let output = author.say(&project, last);
    let said = out(&output);
    assert_eq!(output.status.code(), Some(3), "{said}{}", err(&output));
    assert!(said.contains("source-not-resolved: "), "{said}");
    author.good(&project, "git reset --quiet --hard HEAD~1");
    author.good(&project, last);
    let package = "target/packages/acme/checked/0.1.0";
    assert_eq!(fs::read_dir(project.join(package).join("certificates")).unwrap().count(), 1);
    let trust = "--trust ../keys/publisher.toml --trust ../keys/full.toml";
    let verified = author.good(&project, &format!("orch-certify verify {package} {trust}"));
    assert!(verified.contains("facts        passed"), "{verified}");
}
