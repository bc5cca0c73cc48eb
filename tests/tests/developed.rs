//! A plugin in a run while its author writes it: each edit seen in a copy of a workspace, with its panic and its answer; and nothing of
//! such a host counts anywhere else.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use orch_host::development::{Author as Vouching, Development};
use orch_host::place::Place;
use orch_tests::under_root::{Keepers, beside};
use orch_tests::{Workspace, binary, copy, err, out, packages, vouch};
use orch_trust::authority::{Certifier, Level, Publisher};
use orch_trust::key::SecretKey;
use orch_trust::name::PluginId;
use orch_trust::policy::Policy;

const TASKS: &str = "\
- {id: first, kind: note}
- {id: greet, kind: NAME, description: world, dependencies: [first]}
";

/// An author beside a workspace of an ordinary host.
struct Author {
    workspace: Workspace,
    /// Of the plugin; no two tests build one of the same name.
    name: &'static str,
}

impl Author {
    fn new(name: &'static str) -> Self {
        let author = Self { workspace: Workspace::new(&TASKS.replace("NAME", name)), name };
        author.bind(&format!("acme/{name}"));
        let made = author.plugin(&["new", &format!("acme/{name}"), "--role", "executor"]).output().unwrap();
        assert!(made.status.success(), "{}", err(&made));
        author
    }

    fn bind(&self, id: &str) {
        let name = self.name;
        self.workspace.write(
            "config.yaml",
            &format!("roles:\n  planner: demo/planner-priority\n  executors: {{note: demo/executor-note, {name}: {id}}}\n"),
        );
    }

    fn project(&self) -> PathBuf {
        self.workspace.outside().join(self.name)
    }

    /// `target/dev`.
    fn bench(&self, inside: &str) -> PathBuf {
        self.project().join("target/dev").join(inside)
    }

    fn package(&self) -> PathBuf {
        self.bench("packages/acme").join(self.name).join("0.1.0")
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.project().join("src/lib.rs");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// `orch-plugin` beside the workspace.
    fn plugin(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary("orch-plugin"));
        command.current_dir(self.workspace.outside()).args(args).env_remove("PLUGIN_SIGNING_KEY");
        command.env("NO_COLOR", "1").env("CARGO_NET_OFFLINE", "true");
        command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests"));
        command.env("XDG_RUNTIME_DIR", self.workspace.outside());
        command.env("XDG_STATE_HOME", self.workspace.outside().join("state"));
        command
    }

    fn dev(&self, more: &[&str]) -> Command {
        let (workspace, operator) = (self.workspace.path(), self.workspace.operator());
        let mut command = self.plugin(&["dev"]);
        command.arg(workspace).args(["--project", self.name, "--config-home"]).arg(operator).args(more);
        command
    }

    #[track_caller]
    fn dev_once(&self, exit: i32) -> Output {
        let output = self.dev(&["--once"]).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{}\n{}", out(&output), err(&output));
        output
    }

    /// A command of a host, by the folder of its operator; gives its code.
    #[track_caller]
    fn refused(&self, operator: &Path, args: &[&str], code: &str) {
        let mut host = Command::new(binary("orch-host"));
        host.current_dir(self.workspace.path()).args(args).arg("--config-home").arg(operator);
        host.env_remove("PLUGIN_SIGNING_KEY").env("XDG_RUNTIME_DIR", self.workspace.outside());
        let output = host.output().unwrap();
        let said = err(&output);
        assert!(!output.status.success(), "{args:?}: {}", out(&output));
        assert!(said.contains(&format!("code: {code}\n")), "{args:?}, expected {code}: {said}");
    }
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn each_edit_is_seen_in_a_run_of_the_workspaces_copy() {
    let author = Author::new("edited-in-a-run");
    let mut dev = author.dev(&[]);
    dev.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut dev = Ended(dev.spawn().unwrap());
    let errors = BufReader::new(dev.0.stderr.take().unwrap());
    let errors = std::thread::spawn(move || errors.lines().map_while(Result::ok).collect::<Vec<_>>());
    let mut lines = BufReader::new(dev.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut round = || {
        let mut said = String::new();
        for line in lines.by_ref() {
            said.push_str(&format!("{line}\n"));
            if line.ends_with("waiting for an edit") {
                return said;
            }
        }
        panic!("it ended: {said}");
    };
    let says = |said: &str, wanted: &[&str]| {
        for text in wanted {
            assert!(said.contains(text), "{text} in {said}");
        }
    };
    let first = round();
    says(&first, &["1 of 1 cases passed", "warning  development: ", "done  greet", "hello, world"]);
    says(&first, &["log      info: task `greet`, attempt 1", "tasks: 2 done", "all is well"]);

    author.edit("hello, ", "goodbye, ");
    let edited = round();
    says(&edited, &["edited   src/lib.rs", "failed  greets.json", "done  greet", "goodbye, world"]);
    says(&edited, &["tasks: 2 done", "something is not as expected"]);

    author.edit("    format!(\"goodbye, {description}\")", "    panic!(\"about {description}\")");
    let panicked = round();
    says(&panicked, &["failed  greet", "panicked at src/lib.rs:", "about world"]);
    says(&panicked, &["log      error: panicked at src/lib.rs:", "something is not as expected"]);

    // What does not build ends nothing, and what the workspace says is an edit, too.
    author.edit("panic!(\"about {description}\")", "no such thing");
    says(&round(), &["it could not be tried"]);
    author.edit("no such thing", "format!(\"hello, {description}\")");
    says(&round(), &["all is well"]);
    author
        .workspace
        .write("tasks.yml", &format!("- {{id: alone, kind: {}, description: you}}\n", author.name));
    let other = round();
    says(&other, &["edited   tasks.yml", "done  alone", "hello, you", "tasks: 1 done"]);
    drop(lines);
    drop(dev);
    let errors = errors.join().unwrap();
    assert!(errors.iter().any(|line| line == "code: build-failed"), "{errors:?}");

    // The workspace is what its people wrote.
    for name in [".orch", "logs", "orch.lock"] {
        assert!(!author.workspace.path().join(name).exists(), "{name}");
    }
    assert!(author.workspace.read("tasks.yml").starts_with("- {id: alone"));
    assert!(!author.workspace.read("tasks.yml").contains("status"));
}

#[test]
fn nothing_of_a_host_of_development_counts_elsewhere() {
    let author = Author::new("carried-from-development");
    author.dev_once(0);
    let (ordinary, own) = (author.workspace.operator(), author.bench("operator"));
    let path = |path: PathBuf| path.to_str().unwrap().to_owned();
    let (copied, packages) = (path(author.bench("workspace")), path(author.bench("packages")));
    let package = author.package();

    // It is called what it is wherever its run is shown.
    let show = |args: &[&str]| {
        let mut host = Command::new(binary("orch-host"));
        host.args(args).args(["--workspace", &copied, "--config-home"]).arg(&own);
        let output = host.output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", err(&output));
        out(&output)
    };
    let line = format!("acme/{} 0.1.0  development", author.name);
    assert!(show(&["report"]).contains(&line), "{}", show(&["report"]));
    let standing = show(&["status"]);
    assert!(
        standing.contains(&format!("development: nobody certified `acme/{}`", author.name)),
        "{standing}"
    );
    for shown in [show(&["report", "--format", "json"]), show(&["status", "--format", "json"])] {
        assert!(shown.contains("\"development\""), "{shown}");
    }
    let listed = Command::new(binary("orch-host"))
        .args(["plugin", "list", "--plugins", &packages, "--config-home"])
        .arg(&own)
        .output()
        .unwrap();
    assert!(out(&listed).contains("development"), "{}{}", out(&listed), err(&listed));

    // Who answers others is ordinary.
    author.refused(&own, &["serve", &copied], "development-runs-only");
    author.refused(&own, &["worker", &copied, "--broker", "http://127.0.0.1:9/"], "development-runs-only");

    // Package, certificate and keys, one after the other, in a run and in a host that serves.
    let run = ["run", "--trust-workspace", "--plugins", &packages];
    let serve = ["serve", ".", "--plugins", &packages];
    author.workspace.make_known();
    let refused = |code: &str| {
        author.refused(&ordinary, &run, code);
        author.refused(&ordinary, &serve, code);
    };
    refused("release-unknown-key");
    let key = public_of(&own.join("trust/publishers"), "acme");
    fs::write(ordinary.join("trust/publishers/acme.toml"), key).unwrap();
    refused("certificate-unknown-key");
    let certifier = own.join("trust/certifiers");
    let file = files(&certifier).into_iter().find(|file| level_of(file) == Level::Development).unwrap();
    author.refused(&ordinary, &["trust", "add", file.to_str().unwrap()], "development-key");
    fs::copy(&file, ordinary.join("trust/certifiers/theirs.toml")).unwrap();
    refused("development-key");
    fs::remove_file(ordinary.join("trust/certifiers/theirs.toml")).unwrap();
    fs::copy(own.join("development"), ordinary.join("development")).unwrap();
    refused("development-mark");
    fs::remove_file(ordinary.join("development")).unwrap();
    // One that the operator trusts says no more by it.
    fs::remove_dir_all(package.join("certificates")).unwrap();
    let signed = Command::new(binary("orch-certify"))
        .args(["run", "--quiet", "--profile", "development", "--key"])
        .arg(ordinary.join("keys/certifier.json"))
        .arg(&package)
        .output()
        .unwrap();
    assert!(signed.status.success(), "{}", err(&signed));
    refused("certificate-development");

    // No workspace and no policy makes a host one of development.
    let config = author.workspace.read("config.yaml");
    author.workspace.write("config.yaml", &format!("{config}development: true\n"));
    refused("workspace-widens");
    author.workspace.write("config.yaml", &config);
    let policy = fs::read_to_string(ordinary.join("policy.toml")).unwrap();
    fs::write(ordinary.join("policy.toml"), format!("minimum_level = \"development\"\n{policy}")).unwrap();
    refused("operator-file");

    // The lock of the copy pins what was being edited then; what is vouched for later runs as ever.
    let more = format!("{policy}\n[plugins.\"acme/{}\".allow]\nlog = {{}}\n", author.name);
    fs::write(ordinary.join("policy.toml"), &policy).unwrap();
    let lock = fs::read_to_string(author.bench("workspace/orch.lock")).unwrap();
    author.edit("hello, ", "goodbye, ");
    author.dev_once(1);
    fs::write(ordinary.join("policy.toml"), more).unwrap();
    fs::remove_dir_all(package.join("certificates")).unwrap();
    vouch::vouch(&package, &ordinary.join("keys/certifier.json"));
    let id = format!("acme/{}", author.name);
    author.workspace.host(&["plugin", "approve", &id, "--plugins", &packages], 0);
    author.workspace.write("orch.lock", &lock);
    refused("lock-mismatch");
    fs::remove_file(author.workspace.path().join("orch.lock")).unwrap();
    author.workspace.run(&["--plugins", &packages], 0);
    assert_eq!(author.workspace.statuses()["greet"], "done");
}

/// From now on a root says whom this operator trusts.
fn take_root(workspace: &Workspace) {
    let keepers = Keepers::of(workspace);
    let (root, digest) = keepers.first();
    let trust = workspace.operator().join("trust");
    for folder in ["publishers", "certifiers"] {
        fs::remove_dir_all(trust.join(folder)).unwrap();
    }
    let root = beside(workspace, "root", &root);
    workspace.host(&["plugin", "trust", root.to_str().unwrap(), "--sha256", &digest], 0);
    let (list, fresh) = keepers.lists(1, Vec::new(), -60);
    fs::write(trust.join("revocations.dsse.json"), list).unwrap();
    fs::write(trust.join("freshness.dsse.json"), fresh).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn level_of(file: &Path) -> Level {
    Certifier::parse(&fs::read_to_string(file).unwrap()).unwrap().profile
}

/// The file of whoever publishes in that namespace.
fn public_of(folder: &Path, namespace: &str) -> String {
    let mut texts = files(folder).into_iter().map(|file| fs::read_to_string(file).unwrap());
    let of = |text: &String| Publisher::parse(text).unwrap().namespaces.contains(&format!("{namespace}/"));
    texts.find(of).unwrap()
}

#[test]
fn what_a_run_of_development_needs_and_lacks_is_named() {
    let author = Author::new("lacking-in-development");
    let code = |exit: i32| {
        let said = err(&author.dev_once(exit));
        said.lines().find_map(|line| line.strip_prefix("code: ")).unwrap_or_default().to_owned()
    };
    // Bound by nobody; beside a plugin that the ordinary host does not have, or does not admit.
    author.bind("demo/executor-note");
    assert_eq!(code(2), "development-unbound");
    author.bind(&format!("acme/{}", author.name));
    let config = author.workspace.read("config.yaml");
    author.workspace.write("config.yaml", &config.replace("demo/executor-note", "demo/nobody"));
    assert_eq!(code(2), "plugin-not-found");
    author.workspace.write("config.yaml", &config);
    let approval = author.workspace.operator().join("approvals/demo.executor-note.json");
    fs::rename(&approval, author.workspace.outside().join("kept")).unwrap();
    assert_eq!(code(6), "approval-missing");
    fs::rename(author.workspace.outside().join("kept"), &approval).unwrap();
    author.dev_once(0);
    // A folder that was no host of development becomes none, and beside a root there is no such host.
    let own = author.bench("operator");
    fs::rename(&own, author.bench("set-aside")).unwrap();
    copy(&author.workspace.operator(), &own);
    assert_eq!(code(2), "development-folder");
    fs::remove_dir_all(&own).unwrap();
    fs::rename(author.bench("set-aside"), &own).unwrap();
    author.dev_once(0);
    take_root(&author.workspace);
    assert_eq!(code(2), "development-under-root");
}

#[test]
fn what_is_written_gets_what_it_asks_for_but_no_secret_of_the_operators() {
    let workspace = Workspace::new("[]\n");
    workspace.write("config.yaml", "providers: {llm: demo/provider-openai}\n");
    let (ordinary, own) = (workspace.outside().join("ordinary"), workspace.outside().join("own"));
    let key = |seed| SecretKey::from_seed(&[seed; 32]).public();
    let author = Vouching {
        publisher: Publisher::new(key(1), "me".to_owned(), vec!["demo/".to_owned()]),
        certifier: Certifier::new(key(2), "me".to_owned(), Level::Development),
    };
    let development = Development::open(&own, &ordinary, &author).unwrap();
    assert!(!ordinary.exists(), "the ordinary folder is looked at");
    let place = Place::of(&workspace.path(), Path::new(".orch")).unwrap();
    let package = packages().join("demo/provider-openai/0.1.0");
    development.let_in(&place, &package).unwrap();
    let policy = Policy::parse(&fs::read_to_string(own.join("policy.toml")).unwrap()).unwrap();
    let (given, _) = policy.allowed(&PluginId::parse("demo/provider-openai").unwrap());
    assert!(given.http.is_some() && given.log.is_some() && given.secrets.is_none(), "{given:?}");
}
