//! `docs/certifying.md` does what it says: its blocks run in their order, and its examples come into the root.

use std::path::{Path, PathBuf};
use std::process::Command;

use orch_trust::delegation;
use orch_trust::digest::Sha256Digest;
use orch_trust::manifest::{Manifest, Role};
use orch_trust::root;
use orch_trust::root::document::{CertifierRoleText, NamespaceText};
use serde_json::Value;

use crate::guest::guest;
use crate::package::Package;
use crate::trust_root::{now, release, verified};

const BOOK: &str = "docs/certifying.md";
const OPERATING: &str = "docs/operating.md";

fn book(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(name)).unwrap()
}

/// Blocks of a language, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

/// Commands of a block, each on one line.
fn commands(block: &str) -> Vec<String> {
    block.replace("\\\n", " ").lines().map(str::to_owned).collect()
}

/// A place where the book's commands are run.
struct Reader {
    home: tempfile::TempDir,
    package: Package,
}

impl Reader {
    fn new() -> Self {
        let acme = |manifest: &mut Value| manifest["id"] = "acme/summarise".into();
        let package = Package::new(Role::Executor, &guest(Role::Executor, "", &[]), acme);
        Self { home: tempfile::tempdir().unwrap(), package }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A command as somebody types it.
    #[track_caller]
    fn types(&self, command: &str) {
        let command = command.split(" #").next().unwrap().trim();
        if let Some(rest) = command.strip_prefix("orch-plugin sign PACKAGE --key ") {
            // The authors' tool is another program; what it makes is made here.
            return release(&self.package, &self.path(rest));
        }
        assert!(command.starts_with("orch-certify "), "{command}");
        let tools = Path::new(env!("CARGO_BIN_EXE_orch-certify")).parent().unwrap();
        let path = format!("{}:/usr/bin:/bin", tools.display());
        let line = command.replace("PACKAGE", &self.package.folder().display().to_string());
        let mut shell = Command::new("sh");
        let output =
            shell.args(["-c", &line]).env("PATH", path).current_dir(self.home.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}");
        assert!(!said.contains("warning: "), "{command}: {said}");
    }

    /// Changes `root.json` by hand.
    fn edits(&self, edit: impl FnOnce(&mut Value)) {
        let mut value: Value =
            serde_json::from_slice(&std::fs::read(self.path("root.json")).unwrap()).unwrap();
        edit(&mut value);
        std::fs::write(self.path("root.json"), value.to_string()).unwrap();
    }
}

/// The example is one of that type, and every key of it is kept.
#[track_caller]
fn example<T: serde::de::DeserializeOwned + serde::Serialize>(block: &str) -> Value {
    let value: Value = serde_json::from_str(block).unwrap();
    let read: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), value);
    value
}

#[test]
fn the_book_can_be_copied_block_by_block() {
    let (text, reader) = (book(BOOK), Reader::new());
    assert!(!text.contains("```\norch-"), "a block that no test runs");
    let json = blocks(&text, "json");
    assert_eq!(json.len(), 2);
    let (namespace, certifier) = (example::<NamespaceText>(&json[0]), example::<CertifierRoleText>(&json[1]));
    let shell = blocks(&text, "sh");
    assert_eq!(shell.len(), 6, "{shell:?}");
    for block in &shell {
        for command in commands(block) {
            reader.types(&command);
            if command.starts_with("orch-certify root init") {
                reader.edits(|root| {
                    for field in ["roles", "maxPermissions", "jobs"] {
                        root["namespaces"][0][field] = namespace[field].clone();
                    }
                    root["roles"]["certifier"]["jobs"] = certifier["jobs"].clone();
                });
            }
        }
    }
    let read = |name: &str| std::fs::read(reader.path(name)).unwrap();
    let bytes = read("root.dsse.json");
    let first = root::verify_first(&bytes, Sha256Digest::of(&bytes), now()).unwrap();
    assert_eq!(root::verify_next(&first, &read("next.dsse.json"), now()).unwrap().version(), 2);
    assert_eq!(verified(reader.home.path(), &first).unwrap().document().entries.len(), 1);
    // The job that the book delegates to is the one that its root names.
    let package = orch_host::package::read(&reader.package.folder()).unwrap();
    let manifest = Manifest::parse(package.manifest()).unwrap();
    assert_eq!(delegation::verify(&package, &manifest, Some(&first), now()).unwrap().certifiers.len(), 1);
}

#[test]
fn the_operators_chapter_on_roots_can_be_copied_too() {
    let reader = Reader::new();
    let text = book(OPERATING);
    let found = blocks(&text, "sh").into_iter().filter(|block| block.contains("root init"));
    let found: Vec<String> = found.collect();
    assert_eq!(found.len(), 1);
    for command in commands(&found[0]) {
        reader.types(&command);
    }
    let bytes = std::fs::read(reader.path("root.dsse.json")).unwrap();
    let root = root::verify_first(&bytes, Sha256Digest::of(&bytes), now()).unwrap();
    assert_eq!(verified(reader.home.path(), &root).unwrap().version(), 1);
}
