//! The plugins that come with the program: taken by one yes, certified on this machine, kept alive.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use orch_tests::vouch::vouch_at;
use orch_tests::{binary, copy, err, out, packages, root};
use orch_trust::time::UnixSeconds;

const CONFIG: &str = "roles: {planner: demo/planner-priority, executors: {shell: demo/executor-shell}}\n";
const BOUND: [&str; 2] = ["planner-priority", "executor-shell"];

/// A machine on which a release was unpacked, and nothing else was done.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for plugin in BOUND {
            let package = machine.shelf().join("demo").join(plugin).join("0.1.0");
            fs::create_dir_all(&package).unwrap();
            copy(&packages().join("demo").join(plugin).join("0.1.0"), &package);
            fs::remove_dir_all(package.join("certificates")).unwrap();
        }
        let trusted = root().join("target/test-operator/trust/publishers/demo.toml");
        fs::copy(trusted, machine.shelf().join("publisher.toml")).unwrap();
        fs::write(machine.shelf().join("config.yaml"), CONFIG).unwrap();
        let sum = "find . -type f ! -name SHA256SUMS -printf '%P\\n' | sort | xargs sha256sum > SHA256SUMS";
        let summed = Command::new("sh").args(["-c", sum]).current_dir(machine.shelf()).status().unwrap();
        assert!(summed.success());
        machine
    }

    fn shelf(&self) -> PathBuf {
        self.0.path().join("packages")
    }

    fn operator(&self) -> PathBuf {
        self.0.path().join("operator")
    }

    fn project(&self) -> PathBuf {
        self.0.path().join("project")
    }

    fn kept(&self, plugin: &str) -> PathBuf {
        self.operator().join("packages/demo").join(plugin).join("0.1.0")
    }

    fn host(&self, args: &[&str]) -> Output {
        let mut host = Command::new(binary("orch-host"));
        host.arg("--config-home").arg(self.operator()).args(args).current_dir(self.0.path());
        host.output().unwrap()
    }

    #[track_caller]
    fn ends(&self, args: &[&str], code: i32) -> String {
        let output = self.host(args);
        let said = format!("{}{}", out(&output), err(&output));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{said}");
        said
    }

    fn init(&self, project: &str, more: &[&str]) -> Vec<String> {
        let shelf = self.shelf().display().to_string();
        let args = ["init", project, "--starter", "--packages", &shelf, "--programs", "sh"];
        args.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
    }

    #[track_caller]
    fn inits(&self, project: &str, more: &[&str], code: i32) -> String {
        let args = self.init(project, more);
        self.ends(&args.iter().map(String::as_str).collect::<Vec<_>>(), code)
    }

    /// What the host says that a yes beforehand must name.
    fn digest(&self) -> String {
        let said = self.inits("project", &[], 6);
        let digest = said.lines().find_map(|line| line.strip_prefix("SHA256SUMS ")).unwrap();
        assert!(said.contains(&format!("say `--yes {digest}`")), "{said}");
        digest.to_owned()
    }

    #[track_caller]
    fn set_up(&self) {
        let digest = self.digest();
        self.inits("project", &["--yes", &digest], 0);
    }
}

#[test]
fn one_yes_leads_to_a_first_run() {
    let machine = Machine::new();
    let digest = machine.digest();
    let summed = Command::new("sha256sum").arg(machine.shelf().join("SHA256SUMS")).output().unwrap();
    assert!(out(&summed).starts_with(&digest), "as anybody computes it");
    let wrong = machine.inits("project", &["--yes", &"0".repeat(64)], 6);
    assert!(wrong.contains("code: starter-not-accepted"), "{wrong}");
    let taken = |below: &str| fs::read_dir(machine.operator().join(below)).unwrap().count();
    assert_eq!(
        (taken("trust/publishers"), taken("packages"), taken("approvals")),
        (0, 0, 0),
        "nothing is taken unasked"
    );
    assert!(!machine.project().join("config.yaml").exists());

    let said = machine.inits("project", &["--yes", &digest], 0);
    assert!(said.contains("demo/executor-shell 0.1.0  certified, approved"), "{said}");
    assert_eq!((taken("trust/publishers"), taken("trust/certifiers"), taken("approvals")), (1, 1, 2));
    assert_eq!(fs::read_to_string(machine.project().join("config.yaml")).unwrap(), CONFIG);
    let policy = fs::read_to_string(machine.operator().join("policy.toml")).unwrap();
    assert!(policy.contains("programs = [\"sh\"]"), "{policy}");
    machine.ends(&["run", "project"], 0);
    let tasks = fs::read_to_string(machine.project().join("tasks.yml")).unwrap();
    assert_eq!(tasks.matches("status: done").count(), 2, "{tasks}");

    fs::create_dir_all(machine.0.path().join("other")).unwrap();
    fs::write(machine.0.path().join("other/config.yaml"), format!("# mine\n{CONFIG}")).unwrap();
    let again = machine.inits("other", &["--yes", &digest], 0);
    assert!(!again.contains("trusted:") && !again.contains("policy.toml"), "what is there stays: {again}");
    assert_eq!(fs::read_to_string(machine.operator().join("policy.toml")).unwrap(), policy);
    machine.ends(&["run", "other"], 0);
    machine.ends(&["init", "plain"], 0);
    let unbound = machine.inits("plain", &["--yes", &digest], 2);
    assert!(
        unbound.contains("code: starter-unbound") && unbound.contains("planner: demo/planner-priority"),
        "{unbound}"
    );
}

#[test]
fn what_is_not_in_the_list_is_not_taken() {
    let component = "demo/executor-shell/0.1.0/component.wasm";
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("is not the file that `SHA256SUMS` names", |shelf| {
            let path = shelf.join("demo/executor-shell/0.1.0/component.wasm");
            let mut bytes = fs::read(&path).unwrap();
            bytes.push(0);
            fs::write(&path, bytes).unwrap();
        }),
        ("does not name", |shelf| {
            let sums = fs::read_to_string(shelf.join("SHA256SUMS")).unwrap();
            let less: String = sums
                .lines()
                .filter(|line| !line.ends_with("component.wasm"))
                .map(|line| format!("{line}\n"))
                .collect();
            fs::write(shelf.join("SHA256SUMS"), less).unwrap();
        }),
        ("`config.yaml` is not the file", |shelf| {
            fs::write(shelf.join("config.yaml"), format!("{CONFIG}\n")).unwrap()
        }),
        ("`publisher.toml` is not the file", |shelf| {
            let path = shelf.join("publisher.toml");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("# mine\n{text}")).unwrap();
        }),
    ];
    let machine = Machine::new();
    assert!(machine.shelf().join(component).exists());
    for (what, change) in changes {
        let machine = Machine::new();
        change(&machine.shelf());
        let said = machine.inits("project", &[], 2);
        assert!(said.contains("code: starter-damaged") && said.contains(what), "{said}");
    }
    let nowhere = machine.ends(&["init", "project", "--starter", "--packages", "project"], 2);
    assert!(nowhere.contains("code: starter-missing"), "{nowhere}");
}

#[test]
fn a_certificate_that_ended_is_renewed_and_nothing_else_is() {
    let machine = Machine::new();
    machine.set_up();
    let still = machine.ends(&["plugin", "renew"], 0);
    assert_eq!(still.matches("still valid until").count(), 2, "{still}");
    let key = machine.operator().join("keys/certifier.json");
    let ago = |days: i64| orch_host::clock::now().plus(-days * UnixSeconds::DAY);
    // After a holiday as after a quarter of a year.
    for days in [8, 100] {
        vouch_at(&machine.kept("executor-shell"), &key, ago(days));
        let refused = machine.ends(&["run", "project"], 3);
        assert!(
            refused.contains("code: certificate-expired")
                && refused.contains("`orch-host plugin renew --config-home "),
            "{days} days: {refused}"
        );
        let renewed = machine.ends(&["plugin", "renew"], 0);
        assert!(renewed.contains("demo/executor-shell 0.1.0  renewed until"), "{days} days: {renewed}");
        assert!(renewed.contains("demo/planner-priority 0.1.0  still valid until"), "{days} days: {renewed}");
        machine.ends(&["run", "project"], 0);
    }

    // By itself, where the policy says so.
    vouch_at(&machine.kept("executor-shell"), &key, ago(8));
    let policy = machine.operator().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, format!("{text}\n[certificates]\nrenew = \"starter\"\n")).unwrap();
    let said = machine.ends(&["run", "project"], 0);
    assert!(said.contains("demo/executor-shell 0.1.0: certified again"), "{said}");

    // What is refused for another reason is not made good.
    let component = machine.kept("executor-shell").join("component.wasm");
    let mut bytes = fs::read(&component).unwrap();
    bytes.push(0);
    fs::write(&component, bytes).unwrap();
    let left = machine.ends(&["plugin", "renew"], 3);
    assert!(left.contains("demo/executor-shell 0.1.0  left: refused: "), "{left}");
    let nobody = machine.ends(&["plugin", "renew", "acme/nobody"], 2);
    assert!(nobody.contains("code: plugin-not-found"), "{nobody}");
}

#[test]
fn the_release_binds_what_there_is() {
    let config = root().join("xtask/dist");
    let bound = orch_host::config::workspace::WorkspaceConfig::read(&config).unwrap().roles.ids();
    assert!(bound.len() >= 6, "{bound:?}");
    for id in bound {
        assert!(packages().join(&id).join("0.1.0/manifest.json").exists(), "{id}");
    }
}
