//! Packages for tests, and the binary run on them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use orch_certify::check::{Beside, Group, run_static};
use orch_certify::examine::{self, examine};
use orch_certify::sandbox::Sandbox;
use orch_host::package;
use orch_trust::authority::Level;
use orch_trust::certificate::CheckResult;
use orch_trust::digest::Sha256Digest;
use orch_trust::manifest::Role;
use serde_json::{Value, json};

use crate::listed;
use crate::project::script;

/// A package in a folder of its own.
pub(crate) struct Package {
    pub(crate) home: tempfile::TempDir,
}

impl Package {
    /// A sound manifest for that component, changed by `edit` at last. The component gets the list of what it is made
    /// of, and the package the bill of materials.
    pub(crate) fn new(role: Role, component: &[u8], edit: impl FnOnce(&mut Value)) -> Self {
        let component = listed::with_list(component);
        let sbom = listed::sbom(&component);
        Self::bare(role, &component, &sbom.to_string(), edit)
    }

    /// The same of exactly these bytes.
    pub(crate) fn bare(role: Role, component: &[u8], sbom: &str, edit: impl FnOnce(&mut Value)) -> Self {
        let kinds: &[&str] = if role == Role::Executor { &["note"] } else { &[] };
        let file = |path: &str, role: &str, bytes: &[u8]| json!({ "path": path, "role": role, "size": bytes.len(), "sha256": Sha256Digest::of(bytes).to_string() });
        let permissions = match role {
            Role::Service => json!({ "wasi": { "http_types": true } }),
            _ => json!({}),
        };
        let mut manifest = json!({
            "schema": "urn:orch:plugin-manifest:v1", "id": "demo/sample", "version": "1.0.0", "name": "Sample",
            "description": "A sample", "license": "MIT", "roles": [role.as_str()], "kinds": kinds,
            "host": { "api": ">=0.1.1, <0.2.0" }, "permissions": permissions,
            "limits": { "memoryMiB": 16, "busyMs": 2000, "wallMs": 5000, "outputKiB": 256, "hostCalls": 10000, "logKiB": 64 },
            "integrity": { "files": [file("component.wasm", "component", component), file("sbom.cdx.json", "sbom", sbom.as_bytes())] }
        });
        edit(&mut manifest);
        let package = Self { home: tempfile::tempdir().unwrap() };
        std::fs::create_dir(package.folder()).unwrap();
        package.write("manifest.json", manifest.to_string().as_bytes());
        package.write("component.wasm", component);
        package.write("sbom.cdx.json", sbom.as_bytes());
        package
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("package")
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder().join(name), bytes).unwrap();
    }

    /// The results of a group, looked at in this process.
    pub(crate) fn look(&self, group: Group) -> Vec<CheckResult> {
        self.look_beside(group, &Beside::default())
    }

    pub(crate) fn look_beside(&self, group: Group, beside: &Beside) -> Vec<CheckResult> {
        run_static(group, &package::read(&self.folder()).unwrap(), beside).results
    }

    /// Status of each check, findings of those that did not pass, and how the command would end.
    ///
    /// Checks run in children of the real binary; what its check of itself says is the same for every package, and
    /// is asked once.
    #[track_caller]
    pub(crate) fn certify(&self) -> Verdict {
        let read = package::read(&self.folder()).unwrap();
        let sandbox = Sandbox::new(checked_once().to_owned());
        let examination = examine(&self.folder(), &read, Level::Local, &sandbox).unwrap();
        let status = |result: &CheckResult| (result.id.clone(), result.status.as_str().to_owned());
        let findings = examination.results.iter().flat_map(|result| {
            let (id, status) = (&result.id, result.status.as_str());
            result.findings.iter().map(move |finding| format!("\"{id}\" \"{status}\": {finding}"))
        });
        Verdict {
            statuses: examination.results.iter().map(status).collect(),
            findings: findings.collect(),
            exit: match examination.verdict() {
                examine::Verdict::Passed => 0,
                examine::Verdict::Refused => 3,
                examine::Verdict::Broken => 5,
            },
            measured: serde_json::to_value(examination.measured).unwrap(),
        }
    }

    /// The same by the whole command, with more arguments.
    #[track_caller]
    pub(crate) fn certify_with(&self, more: &[&str]) -> Verdict {
        let output =
            orch_certify(self.home.path(), &[&["run", "package", "--format", "json"], more].concat());
        let stdout = String::from_utf8_lossy(&output.stdout);
        let value: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| {
            panic!("{error}: {stdout}{}", String::from_utf8_lossy(&output.stderr));
        });
        let checks = value["checks"].as_array().unwrap();
        let statuses = checks.iter().map(|check| {
            (check["id"].as_str().unwrap().to_owned(), check["status"].as_str().unwrap().to_owned())
        });
        let findings =
            checks.iter().flat_map(|check| {
                check.get("findings").and_then(Value::as_array).into_iter().flatten().map(|finding| {
                    format!("{} {}: {}", check["id"], check["status"], finding.as_str().unwrap())
                })
            });
        Verdict {
            statuses: statuses.collect(),
            findings: findings.collect(),
            exit: output.status.code().unwrap(),
            measured: value["measured"].clone(),
        }
    }
}

/// The binary, but for its check of itself, which says what the binary said once.
fn checked_once() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let binary = env!("CARGO_BIN_EXE_orch-certify");
        // A folder of the build's own: what is made once is dropped by nobody.
        let home =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("checked-once-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let any = Package::new(Role::Executor, b"(component)", |_| {});
        let read = package::read(&any.folder()).unwrap();
        let workspace = tempfile::tempdir().unwrap();
        let report =
            Sandbox::new(binary.into()).run(Group::SelfCheck, &any.folder(), &read, workspace.path());
        std::fs::write(home.join("report"), serde_json::to_vec(&report).unwrap()).unwrap();
        let answers = format!("cat >/dev/null; cat '{}'", home.join("report").display());
        let text = format!("if [ \"$2\" = self-check ]; then {answers}; else exec '{binary}' \"$@\"; fi");
        script(&home, "tool", &text)
    })
}

pub(crate) struct Verdict {
    pub(crate) statuses: BTreeMap<String, String>,
    pub(crate) findings: Vec<String>,
    pub(crate) exit: i32,
    pub(crate) measured: Value,
}

impl Verdict {
    /// Ids of the checks with that status.
    pub(crate) fn with(&self, status: &str) -> Vec<&str> {
        self.statuses.iter().filter(|(_, found)| *found == status).map(|(id, _)| id.as_str()).collect()
    }
}

/// The binary, run in that folder.
pub(crate) fn orch_certify(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orch-certify")).args(args).current_dir(folder).output().unwrap()
}
