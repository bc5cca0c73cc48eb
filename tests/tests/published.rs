//! From a publisher to another machine: by a file, a folder with an index, a registry; and what goes wrong on the way.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

mod debian;
mod undone;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use orch_tests::registry::{Fault, Gate, LOGIN, Registry, Ways};
use orch_tests::vouch::vouch;
use orch_tests::{Workspace, binary, copy, err, out, packages};
use orch_trust::digest::Sha256Digest;
use serde_json::{Value, json};

const TASKS: &str = "- {id: hello, kind: note, description: says hello}\n";
const ID: &str = "demo/executor-note";
const OPEN: Ways = Ways { gate: Gate::Open, referrers: true, fault: Fault::None };

/// A publisher with signed and certified versions of one plugin, and two workspaces of an operator that trusts both keys and
/// keeps nothing of it.
struct Scene {
    own: Workspace,
}

impl Scene {
    fn new() -> Self {
        let own = Workspace::new(TASKS);
        let scene = Self { own };
        fs::remove_dir_all(scene.kept()).unwrap_or_default();
        fs::remove_file(scene.own.operator().join("approvals/demo.executor-note.json")).unwrap();
        let policy = scene.own.operator().join("policy.toml");
        let text = fs::read_to_string(&policy).unwrap();
        // What the plugin needs is no longer allowed by that file, what its planner needs is.
        let without = text.replace("[namespaces.demo.allow]", "[plugins.\"demo/planner-priority\".allow]");
        fs::write(&policy, without).unwrap();
        fs::create_dir(scene.other()).unwrap();
        fs::write(scene.other().join("config.yaml"), "roles: {}\n").unwrap();
        scene
    }

    /// Another workspace of the same operator.
    fn other(&self) -> PathBuf {
        self.own.outside().join("other")
    }

    fn kept(&self) -> PathBuf {
        self.own.operator().join("packages/demo/executor-note")
    }

    fn key(&self, name: &str) -> String {
        self.own.operator().join("keys").join(name).display().to_string()
    }

    /// A version that is signed and certified; its manifest with this change.
    fn made(&self, version: &str, change: impl Fn(&mut Value)) -> PathBuf {
        let good = packages().join(ID).join("0.1.0");
        let package = self.own.outside().join("made").join(version);
        let _ = fs::remove_dir_all(&package);
        copy(&good, &package);
        fs::remove_dir_all(package.join("certificates")).unwrap();
        let sbom = fs::read_to_string(package.join("sbom.cdx.json")).unwrap();
        let component = Sha256Digest::of(&fs::read(package.join("component.wasm")).unwrap());
        assert!(sbom.contains(&component.to_string()), "the bill is about the component");
        let mut manifest: Value =
            serde_json::from_slice(&fs::read(package.join("manifest.json")).unwrap()).unwrap();
        manifest["version"] = version.into();
        change(&mut manifest);
        fs::write(package.join("manifest.json"), manifest.to_string()).unwrap();
        self.publisher(&["sign", package.to_str().unwrap(), "--key", &self.key("publisher.json")], 0);
        vouch(&package, Path::new(&self.key("certifier.json")));
        package
    }

    #[track_caller]
    fn publisher(&self, args: &[&str], code: i32) -> String {
        let run =
            Command::new(binary("orch-plugin")).args(args).current_dir(self.own.outside()).output().unwrap();
        ended(&run, args, code)
    }

    #[track_caller]
    fn publish(&self, package: &Path, target: &str, code: i32) -> String {
        let key = self.key("publisher.json");
        let mut args = vec!["publish", target, package.to_str().unwrap()];
        if !target.ends_with(".orchpkg") && !target.starts_with("oci:") {
            args.extend(["--key", &key]);
        }
        self.publisher(&args, code)
    }

    /// `orch-host plugin ..` in the first workspace.
    #[track_caller]
    fn plugin(&self, args: &[&str], code: i32) -> String {
        let args = [&["plugin"], args].concat();
        ended(&self.own.command(&args).output().unwrap(), &args, code)
    }

    /// The same, with a yes to what is asked for, and the lines for `policy.toml`.
    #[track_caller]
    fn takes(&self, args: &[&str], package: &Path) -> String {
        let digest = digest(package);
        self.plugin(&[args, &["--yes", &digest, "--write-policy"]].concat(), 0)
    }

    /// What must not change when something fails.
    fn state(&self) -> (Option<String>, Vec<PathBuf>, Option<String>) {
        let read = |path: PathBuf| fs::read_to_string(path).ok();
        let mut files = Vec::new();
        below(&self.own.operator().join("packages"), &mut files);
        let approval = self.own.operator().join("approvals/demo.executor-note.json");
        (read(self.own.path().join("orch.lock")), files, read(approval))
    }

    #[track_caller]
    fn changes_nothing(&self, args: &[&str], exit: i32, code: &str) -> String {
        let before = self.state();
        let said = self.plugin(args, exit);
        assert!(said.contains(&format!("code: {code}\n")), "expected {code}: {said}");
        assert_eq!(self.state(), before, "{said}");
        said
    }
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, files);
        }
        files.push(path);
    }
    files.sort();
}

#[track_caller]
fn ended(run: &Output, args: &[&str], code: i32) -> String {
    let said = format!("{}{}", out(run), err(run));
    assert_eq!(run.status.code(), Some(code), "{args:?}\n{said}");
    said
}

fn digest(package: &Path) -> String {
    Sha256Digest::of(&fs::read(package.join("manifest.json")).unwrap()).to_string()
}

#[test]
fn a_file_goes_by_mail_to_a_machine_that_asks_once() {
    let scene = Scene::new();
    let package = scene.made("0.1.1", |_| {});
    scene.publish(&package, "note.orchpkg", 0);
    let file = scene.own.outside().join("note.orchpkg");
    let path = file.to_str().unwrap();
    // Any tar reads it, and finds the files.
    let listed = Command::new("tar").args(["-tf", path]).output().unwrap();
    assert!(out(&listed).contains("manifest.json\nrelease.dsse.json\nsbom.cdx.json\n"), "{}", out(&listed));
    let said = scene.changes_nothing(&["add", path], 3, "permission-not-allowed");
    assert!(said.contains("[plugins.\"demo/executor-note\".allow]"), "{said}");
    scene.changes_nothing(&["add", path, "--write-policy"], 6, "approval-missing");
    scene.changes_nothing(&["add", path, "--yes", &digest(&package)], 3, "permission-not-allowed");
    let wrong = "0".repeat(64);
    scene.changes_nothing(&["add", path, "--write-policy", "--yes", &wrong], 6, "package-not-accepted");
    let policy = || fs::read_to_string(scene.own.operator().join("policy.toml")).unwrap();
    assert!(!policy().contains("executor-note"), "nobody said yes");
    scene.takes(&["add", path], &package);
    assert!(policy().contains("[plugins.\"demo/executor-note\".allow]\nlog = {}\n"), "{}", policy());
    let lock = scene.own.read("orch.lock");
    assert!(lock.contains(&format!("source = \"{path}\"")), "{lock}");
    scene.own.write(
        "config.yaml",
        "roles: {planner: demo/planner-priority, executors: {note: demo/executor-note}}\n",
    );
    scene.own.run(&[], 0);
    // A second workspace pins the same bytes.
    let other = scene.other().display().to_string();
    let said = scene.takes(&["add", path, "--workspace", &other], &package);
    assert!(said.contains("kept before in"), "{said}");

    // What is no archive changes nothing.
    let bytes = fs::read(&file).unwrap();
    let mut changed = bytes.clone();
    changed[100] = b'1';
    for (wrong, exit, code) in [
        (changed, 3, "archive-form"),
        (bytes[..bytes.len() - 512].to_vec(), 3, "archive-form"),
        (bytes[..bytes.len() - 2048].to_vec(), 3, "archive-cut"),
        ([&bytes[..], &[0; 512]].concat(), 3, "archive-form"),
        (b"text".to_vec(), 3, "archive-cut"),
    ] {
        fs::write(&file, wrong).unwrap();
        scene.changes_nothing(&["add", path], exit, code);
    }
    scene.changes_nothing(&["add", "nowhere.orchpkg"], 2, "package-io");
}

#[test]
fn an_index_offers_versions_and_an_update_asks_about_what_is_more() {
    let scene = Scene::new();
    let shelf = scene.own.outside().join("shelf");
    fs::create_dir(&shelf).unwrap();
    let path = shelf.to_str().unwrap();
    let first = scene.made("0.1.1", |_| {});
    scene.publish(&first, path, 0);
    scene.changes_nothing(&["add", path], 2, "source-unclear");
    scene.changes_nothing(&["add", path, "demo/nobody"], 2, "source-no-version");
    scene.changes_nothing(&["add", path, "demo/executor-note@^7"], 2, "source-no-version");
    scene.takes(&["add", path, "demo/executor-note@^0.1"], &first);
    let said = scene.plugin(&["list", "--outdated"], 0);
    assert!(said.contains("demo/executor-note 0.1.1  the newest"), "{said}");
    assert!(scene.plugin(&["update"], 0).contains("nothing newer fits"));

    // The same rights: the update itself is the yes.
    let second = scene.made("0.1.2", |_| {});
    scene.publish(&second, path, 0);
    scene.publish(&scene.made("0.2.0", |_| {}), path, 0);
    let said = scene.plugin(&["list", "--outdated"], 0);
    assert!(said.contains("0.1.2 fits; 0.2.0 does not"), "{said}");
    let said = scene.plugin(&["update", ID], 0);
    assert!(said.contains("demo/executor-note was 0.1.1") && said.contains("0.1.2"), "{said}");
    // More rights: somebody must say yes, and the policy needs its line.
    let third = scene.made("0.1.3", |manifest| manifest["permissions"]["metrics"] = json!({}));
    scene.publish(&third, path, 0);
    scene.changes_nothing(&["update"], 3, "permission-not-allowed");
    let said = scene.changes_nothing(&["update", "--write-policy"], 6, "approval-missing");
    assert!(said.contains("+ metrics"), "{said}");
    scene.takes(&["update"], &third);
    let policy = fs::read_to_string(scene.own.operator().join("policy.toml")).unwrap();
    assert_eq!(policy.matches("executor-note").count(), 1, "{policy}");
    assert!(policy.contains("metrics"), "{policy}");

    // A colleague's machine takes the very bytes, or nothing.
    let lock = scene.own.read("orch.lock");
    fs::remove_dir_all(scene.kept()).unwrap();
    scene.takes(&["add", "--locked"], &third);
    assert_eq!(scene.own.read("orch.lock"), lock);
    assert!(scene.plugin(&["add", "--locked"], 0).contains("kept before"));
    fs::remove_dir_all(scene.kept()).unwrap();
    scene.own.write("orch.lock", &lock.replace(&digest(&third), &"0".repeat(64)));
    scene.changes_nothing(&["add", "--locked"], 3, "lock-mismatch");
    scene.own.write("orch.lock", &lock);

    // A version that is published stays what it is; an index of somebody else is none.
    let other = scene.made("0.1.2", |manifest| manifest["description"] = "other".into());
    let said = scene.publish(&other, path, 2);
    assert!(said.contains("code: publish-taken"), "{said}");
    let index = shelf.join("index.dsse.json");
    let good = fs::read_to_string(&index).unwrap();
    fs::write(&index, good.replacen("\"sig\":\"", "\"sig\":\"A", 1)).unwrap();
    scene.plugin(&["update"], 3);
    fs::write(&index, &good).unwrap();
    fs::remove_file(scene.own.operator().join("trust/publishers/demo.toml")).unwrap();
    scene.changes_nothing(&["update"], 3, "release-unknown-key");
}

#[test]
fn a_registry_gives_what_was_pushed_with_and_without_referrers() {
    for (gate, referrers) in
        [(Gate::Open, true), (Gate::Open, false), (Gate::Basic, true), (Gate::Bearer, false)]
    {
        let scene = Scene::new();
        let registry = Registry::start(Ways { gate, referrers, fault: Fault::None });
        let at = registry.named("demo/note");
        let login = scene.own.outside().join("login");
        fs::write(&login, format!("{LOGIN}\n")).unwrap();
        fs::set_permissions(&login, fs::Permissions::from_mode(0o600)).unwrap();
        let login = login.to_str().unwrap();
        let push = |package: &Path, code| {
            let args = ["publish", &at, package.to_str().unwrap(), "--login", login];
            scene.publisher(&args[..if gate == Gate::Open { 3 } else { 5 }], code)
        };
        let first = scene.made("0.1.1", |_| {});
        if gate != Gate::Open {
            let said = scene.publish(&first, &at, 2);
            assert!(said.contains("code: source-login"), "{said}");
            scene.changes_nothing(&["add", &at], 2, "source-login");
            // The operator's own, by the registry's name.
            let logins = scene.own.operator().join("logins");
            fs::create_dir(&logins).unwrap();
            let name = registry.address.to_string().replace(':', "_");
            fs::copy(login, logins.join(name)).unwrap();
        }
        assert!(push(&first, 0).contains("pushed to `oci://127.0.0.1:"));
        assert!(push(&first, 0).contains("was there, in") && push(&first, 0).contains("0 more certificates"));
        // Copiers of images drop the type of what is in an index.
        let tags = registry.tags("demo/note");
        for tag in tags.iter().filter(|tag| tag.starts_with("sha256-")) {
            registry.change("demo/note", tag, |index| {
                assert!(index["manifests"][0].as_object_mut().unwrap().remove("artifactType").is_some());
            });
        }
        let taken = scene.made("0.1.1", |manifest| manifest["description"] = "other".into());
        assert!(push(&taken, 2).contains("code: publish-taken"));
        let first = scene.made("0.1.1", |_| {});
        scene.takes(&["add", &format!("{at}@^0.1")], &first);
        let certificates =
            |version: &str| fs::read_dir(scene.kept().join(version).join("certificates")).unwrap().count();
        assert_eq!(certificates("0.1.1"), 1, "{gate:?} {referrers}");
        // Many versions, on several pages.
        for version in ["0.1.2", "0.1.3", "0.1.10", "0.2.0", "0.3.0-rc.1"] {
            push(&scene.made(version, |_| {}), 0);
        }
        assert!(scene.plugin(&["update"], 0).contains("demo/executor-note 0.1.10"));
        assert!(scene.plugin(&["list", "--outdated"], 0).contains("the newest that fits; 0.2.0 does not"));
        let lock = scene.own.read("orch.lock");
        assert!(
            lock.contains(&format!("source = \"{at}\"")) && lock.contains("requirement = \"^0.1\""),
            "{lock}"
        );
        let has_tag = registry.tags("demo/note").iter().any(|tag| tag.starts_with("sha256-"));
        assert_eq!(has_tag, !referrers);
    }
}

/// Of a manifest of an image.
type Change = fn(&mut Value);

#[test]
fn a_registry_that_fails_or_lies_changes_nothing() {
    let scene = Scene::new();
    let registry = Registry::start(OPEN);
    let at = registry.named("demo/note");
    let first = scene.made("0.1.1", |_| {});
    scene.publish(&first, &at, 0);
    let second = scene.made("0.1.2", |_| {});
    for (fault, exit, code) in [
        (Fault::Refuses, 5, "source-status"),
        (Fault::OtherBytes, 3, "source-other-bytes"),
        (Fault::BreaksOff, 5, "source-broken"),
        (Fault::OtherDigest, 3, "source-other-bytes"),
        (Fault::RedirectsElsewhere, 5, "source-redirect"),
    ] {
        registry.behave(Ways { fault, ..OPEN });
        scene.changes_nothing(&["add", &at], exit, code);
    }
    registry.behave(Ways { fault: Fault::GoesOn, ..OPEN });
    let said = scene.plugin(&["add", &at], if cfg!(unix) { 3 } else { 5 });
    assert!(said.contains("code: source-other-bytes") || said.contains("code: source-too-large"), "{said}");
    registry.behave(OPEN);
    scene.changes_nothing(&["add", &registry.named("demo/nobody")], 2, "source-missing");
    scene.changes_nothing(&["add", &format!("{at}:0.7.0")], 2, "source-no-version");
    scene.changes_nothing(&["add", "oci://127.0.0.1:1/demo/note"], 5, "source-unreachable");
    scene.changes_nothing(&["add", &format!("{at}:latest")], 2, "source-unclear");

    // Manifests that promise what no package has.
    let changes: [(Change, &str); 7] = [
        (|image| image["artifactType"] = "application/x".into(), "source-malformed"),
        (|image| image["layers"][0]["size"] = (1u64 << 40).into(), "file-too-large"),
        (|image| image["layers"][0]["digest"] = "sha256:../../x".into(), "source-malformed"),
        (|image| image["layers"][0]["annotations"][TITLE] = "../x".into(), "file-extra"),
        (|image| image["layers"][0]["annotations"][TITLE] = "component.wasm".into(), "source-malformed"),
        (|image| image["layers"] = json!([]), "file-missing"),
        (
            |image| {
                image["layers"][0]["annotations"][TITLE] = "certificates/0123456789abcdef.dsse.json".into()
            },
            "source-malformed",
        ),
    ];
    for (change, code) in changes {
        let tag = "0.0.9";
        registry.move_tag("demo/note", tag, "0.1.1");
        registry.change("demo/note", tag, change);
        scene.changes_nothing(&["add", &format!("{at}:{tag}")], 3, code);
    }
    // Another version than its tag says.
    registry.move_tag("demo/note", "0.0.9", "0.1.1");
    scene.changes_nothing(&["add", &format!("{at}:0.0.9")], 3, "source-other-plugin");

    // A redirect on the registry's own machine is followed.
    registry.behave(Ways { fault: Fault::Redirects, ..OPEN });
    scene.takes(&["add", &format!("{at}:0.1.1")], &first);
    assert!(registry.asked().iter().any(|asked| asked.starts_with("GET /elsewhere/sha256:")));
    registry.behave(OPEN);

    // A tag that moves: what is kept stays, and whoever looks is told.
    scene.publish(&second, &at, 0);
    let moved = scene.made("0.1.1", |manifest| manifest["description"] = "moved".into());
    let apart = Registry::start(OPEN);
    scene.publish(&moved, &apart.named("demo/note"), 0);
    let yes = digest(&moved);
    scene.changes_nothing(
        &["add", &format!("{}:0.1.1", apart.named("demo/note")), "--yes", &yes],
        2,
        "package-exists",
    );
    let lock = scene.own.read("orch.lock");
    let port = |registry: &Registry| registry.address.port().to_string();
    fs::remove_dir_all(scene.kept()).unwrap();
    scene.own.write("orch.lock", &lock.replace(&port(&registry), &port(&apart)));
    scene.changes_nothing(&["add", "--locked", "--yes", &yes], 3, "lock-mismatch");
}

const TITLE: &str = "org.opencontainers.image.title";

#[test]
fn what_somebody_uses_stays() {
    let scene = Scene::new();
    let package = scene.made("0.1.1", |_| {});
    scene.publish(&package, "note.orchpkg", 0);
    let file = scene.own.outside().join("note.orchpkg");
    let file = file.to_str().unwrap();
    scene.own.write("config.yaml", "roles: {planner: demo/planner-priority}\n");
    scene.changes_nothing(&["remove", ID], 2, "plugin-not-kept");
    scene.takes(&["add", file], &package);
    let other = scene.other().display().to_string();
    scene.takes(&["add", file, "--workspace", &other], &package);
    scene.own.write(
        "config.yaml",
        "roles: {planner: demo/planner-priority, executors: {note: demo/executor-note}}\n",
    );
    scene.changes_nothing(&["remove", ID], 2, "plugin-in-use");
    scene.own.write("config.yaml", "roles: {planner: demo/planner-priority}\n");
    let said = scene.plugin(&["remove", ID], 0);
    assert!(said.contains("no longer pinned") && said.contains(&format!("`{other}` pins it")), "{said}");
    scene.changes_nothing(&["remove", ID], 2, "plugin-in-use");
    assert!(scene.kept().join("0.1.1/manifest.json").exists());
    let said = scene.plugin(&["remove", ID, "--workspace", &other], 0);
    assert!(said.contains("no longer kept"), "{said}");
    assert!(!scene.kept().exists());
    assert!(!fs::read_to_string(scene.other().join("orch.lock")).unwrap().contains(ID));
    // An older version than the one approved is no way back in.
    let older = scene.made("0.1.0", |_| {});
    scene.publish(&older, "old.orchpkg", 0);
    let old = scene.own.outside().join("old.orchpkg");
    scene.changes_nothing(&["add", old.to_str().unwrap(), "--yes", &digest(&older)], 3, "rollback");
}

#[test]
fn a_lock_that_cannot_be_read_is_said_before_anything_is_kept_or_approved() {
    let scene = Scene::new();
    let package = scene.made("0.1.1", |_| {});
    scene.publish(&package, "note.orchpkg", 0);
    let file = scene.own.outside().join("note.orchpkg");
    let file = file.to_str().unwrap();
    let policy = || fs::read_to_string(scene.own.operator().join("policy.toml")).unwrap();
    let before = policy();
    for lock in ["", "version = 9\n", "\u{1b}"] {
        scene.own.write("orch.lock", lock);
        // Again it is the same: nothing was half done.
        for _ in 0..2 {
            scene.changes_nothing(
                &["add", file, "--yes", &digest(&package), "--write-policy"],
                2,
                "lock-malformed",
            );
            assert_eq!(policy(), before);
        }
    }
    fs::remove_file(scene.own.path().join("orch.lock")).unwrap();
    scene.takes(&["add", file], &package);
}

#[test]
fn two_at_once_are_one_after_the_other() {
    let scene = Scene::new();
    let package = scene.made("0.1.1", |_| {});
    scene.publish(&package, "note.orchpkg", 0);
    let file = scene.own.outside().join("note.orchpkg");
    scene.takes(&["add", file.to_str().unwrap()], &package);
    let (yes, other) = (digest(&package), scene.other().display().to_string());
    let own = scene.own.path().display().to_string();
    let start = |workspace: &str| {
        let args = ["plugin", "add", file.to_str().unwrap(), "--yes", &yes, "--workspace", workspace];
        scene.own.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let begun: Vec<_> = (0..4).map(|at| start(if at % 2 == 0 { &own } else { &other })).collect();
    for mut child in begun {
        assert!(child.wait().unwrap().success());
    }
    let lock = |folder: &str| fs::read_to_string(Path::new(folder).join("orch.lock")).unwrap();
    assert_eq!(lock(&own), lock(&other));
    let left: Vec<_> = fs::read_dir(scene.kept()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["0.1.1"]);
}

#[test]
fn a_locked_run_takes_what_is_pinned_and_nothing_else() {
    let scene = Scene::new();
    let package = scene.made("0.1.1", |_| {});
    scene.publish(&package, "note.orchpkg", 0);
    scene.takes(&["add", scene.own.outside().join("note.orchpkg").to_str().unwrap()], &package);
    scene.own.write(
        "config.yaml",
        "roles: {planner: demo/planner-priority, executors: {note: demo/executor-note}}\n",
    );
    let refused = scene.own.run(&["--locked"], 2);
    assert!(
        err(&refused).contains("`orch.lock` does not pin it")
            && err(&refused).contains("demo/planner-priority")
    );
    let planner = packages().join("demo/planner-priority/0.1.0");
    let said = scene.takes(&["add", planner.to_str().unwrap()], &planner);
    assert!(said.contains("pinned in `orch.lock`"), "{said}");
    scene.own.run(&["--locked"], 0);
}
