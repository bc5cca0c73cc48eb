//! Components that were built before: each runs as on its day, beside those of today.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use orch_journal::Event;
use orch_plugin::case::{self, Answers};
use orch_tests::{Workspace, binary, copy, packages, root};
use orch_trust::facts::Facts;

#[test]
fn components_of_the_past_do_what_they_did() {
    let past = root().join("tests/data/outlived");
    let mut played = 0;
    for entry in fs::read_dir(past).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let package = orch_host::package::read(&folder.join("package")).unwrap();
        let cases = case::read_all(&folder.join("cases"), Answers::Recorded).unwrap();
        for result in case::run::run(&package, &cases, None).unwrap() {
            assert_eq!(result.differences, [""; 0], "{}: {}", folder.display(), result.name);
            played += 1;
        }
    }
    assert!(played >= 4, "{played} cases");
}

/// What the older one exports and imports is another version than what plugins of today do: both of one role at once.
#[test]
fn a_component_of_the_past_and_one_of_today_are_certified_and_asked_in_one_run() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    let keys = workspace.operator().join("keys");
    let mine = workspace.outside().join("packages");
    let scout = mine.join("acme/scout/0.1.0");
    copy(&root().join("tests/data/outlived/scout-0.1.0/package"), &scout);
    for plugin in ["demo/planner-priority", "demo/executor-note", "demo/reflector-complexity"] {
        copy(&packages().join(plugin), &mine.join(plugin));
    }
    let names = |package: &std::path::Path| {
        let facts = Facts::derive(&fs::read(package.join("component.wasm")).unwrap()).unwrap();
        [facts.imports, facts.exports].concat()
    };
    let (older, newer) = (names(&scout), names(&mine.join("demo/reflector-complexity/0.1.0")));
    for name in ["orch:reflector/reflector@0.1.0", "orch:metrics/metrics@0.1.0"] {
        assert!(older.iter().any(|found| found == name), "{older:?}");
    }
    assert!(newer.iter().any(|found| found == "orch:reflector/reflector@0.2.0"), "{newer:?}");

    let runs = |program: &str, args: &[&str]| {
        let output = Command::new(binary(program)).args(args).output().unwrap();
        assert!(output.status.success(), "{program} {args:?}: {}", orch_tests::err(&output));
    };
    let (acme, certifier) = (keys.join("acme.json"), keys.join("certifier.json"));
    let (acme, certifier) = (acme.to_str().unwrap(), certifier.to_str().unwrap());
    runs("orch-certify", &["keygen", "--out", acme, "--owner", "acme", "--publisher", "acme/"]);
    let trusted = workspace.operator().join("trust/publishers/acme.toml");
    fs::rename(keys.join("acme.toml"), &trusted).unwrap();
    fs::set_permissions(&trusted, fs::Permissions::from_mode(0o600)).unwrap();
    runs("orch-plugin", &["sign", scout.to_str().unwrap(), "--key", acme]);
    runs("orch-certify", &["run", scout.to_str().unwrap(), "--key", certifier, "--profile", "local"]);
    let policy = workspace.operator().join("policy.toml");
    let allowed =
        "\n[plugins.\"acme/scout\".allow]\nlog = {}\nmetrics = {}\ntasks = { add = 1, kinds = [\"note\"] }\n";
    fs::write(&policy, fs::read_to_string(&policy).unwrap() + allowed).unwrap();
    let mine = mine.to_str().unwrap();
    workspace.host(&["plugin", "approve", "acme/scout", "--plugins", mine], 0);

    workspace.write("knot.py", "def knot(a, b):\n    if a and b:\n        return 1\n    return 2\n");
    workspace.write(
        "config.yaml",
        "roles:\n  planner: demo/planner-priority\n  executors: {note: demo/executor-note}\n  \
         reflectors: [acme/scout, demo/reflector-complexity]\nsettings:\n  demo/reflector-complexity: {threshold: 1}\n",
    );
    workspace.run(&["--plugins", mine, "--goal", "log in"], 0);
    let statuses = workspace.statuses();
    assert_eq!(statuses.get("scouted").map(String::as_str), Some("done"), "{statuses:?}");
    assert!(statuses.len() == 3 && statuses.values().all(|status| status == "done"), "{statuses:?}");
    let answered = workspace.events().into_iter().filter_map(|event| match event {
        Event::Called(called) if called.call == "reflect" => Some(called.plugin),
        _ => None,
    });
    assert_eq!(answered.collect::<Vec<_>>(), ["acme/scout", "demo/reflector-complexity"]);
}
