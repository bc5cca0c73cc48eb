//! What an operator decides by commands is in the operator's journal, before it counts.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::process::{Child, Stdio};

use orch_journal::event::{DeniedSubject, OPERATOR_STREAM, OperatorDecision, TrustedRole, Who};
use orch_journal::{Event, Reader};
use orch_tests::under_root::{Keepers, beside};
use orch_tests::{Workspace, binary, err, out, packages};
use orch_trust::digest::Sha256Digest;

/// What was decided, each by whom, oldest first.
fn decisions(workspace: &Workspace) -> Vec<(OperatorDecision, Who)> {
    let reader = Reader::open(&workspace.operator().join("journal")).unwrap();
    let events = reader.events(OPERATOR_STREAM).map(|event| event.unwrap().1).collect::<Vec<_>>();
    let Some((Event::StreamStarted(_), rest)) = events.split_first() else { panic!("{events:?}") };
    let decided = rest.iter().map(|event| match event {
        Event::OperatorDecided { what, who, .. } => (what.clone(), who.clone()),
        other => panic!("{other:?}"),
    });
    decided.collect()
}

/// A workspace whose operator decided something already: the plugins of every test were approved by the program.
fn workspace() -> (Workspace, usize) {
    let workspace = Workspace::new("- {id: t, kind: note}\n");
    let before = decisions(&workspace).len();
    assert!(before > 0);
    (workspace, before)
}

fn spawn(workspace: &Workspace, args: &[&str], failpoint: Option<&str>) -> Child {
    let mut host = workspace.command(args);
    if let Some(point) = failpoint {
        host.env("ORCH_FAILPOINT", point);
    }
    host.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Bytes of all files of the operator's journal.
fn stored(workspace: &Workspace) -> Vec<u8> {
    let files = fs::read_dir(workspace.operator().join("journal")).unwrap();
    files.flat_map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn each_decision_of_each_command_is_an_event_that_says_who_and_never_a_secret() {
    let (workspace, before) = workspace();
    let key = workspace.outside().join("other");
    let made = std::process::Command::new(binary("orch-certify"))
        .args(["keygen", "--owner", "Other \u{1b}[1mInc", "--publisher", "other/", "--out"])
        .arg(key.with_extension("json"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", err(&made));
    let file = key.with_extension("toml");
    let text = fs::read_to_string(&file).unwrap();
    let id = orch_trust::authority::Publisher::parse(&text).unwrap().key.id().to_string();
    let secret = fs::read_to_string(key.with_extension("json")).unwrap();

    workspace.host(&["trust", "add", file.to_str().unwrap(), "--key-id", &id], 0);
    workspace.host(&["init", "."], 0);
    workspace.host(&["init", "."], 0);
    workspace.host(&["plugin", "approve", "demo/executor-note"], 0);
    workspace.host(&["plugin", "revoke", "demo/executor-note", "--reason", "it deletes files"], 0);
    workspace.host(&["plugin", "revoke", "demo/executor-note"], 0);
    workspace.host(&["plugin", "revoke", "demo/executor-note", "--undo"], 0);
    workspace.host(&["plugin", "revoke", "demo/executor-note", "--undo"], 1);
    workspace.host(&["plugin", "revoke", "--key", &id], 0);
    let token = out(&workspace.host(&["token", "add", "ci", "--scope", "run,read"], 0));
    let kept = fs::read_to_string(workspace.operator().join("tokens.json")).unwrap();
    workspace.host(&["token", "add", "ci"], 2);
    workspace.host(&["token", "revoke", "ci"], 0);
    workspace.host(&["token", "revoke", "ci"], 2);

    let package = packages().join("demo/executor-note/0.1.0");
    let digest = |name: &str| Sha256Digest::of(&fs::read(package.join(name)).unwrap()).to_string();
    let note = || DeniedSubject::Plugin("demo/executor-note".to_owned());
    let expected = [
        OperatorDecision::KeyTrusted {
            role: TrustedRole::Publisher,
            key: id.clone(),
            owner: "Other \u{1b}[1mInc".to_owned(),
        },
        OperatorDecision::WorkspaceKnown {
            path: workspace.path().canonicalize().unwrap().display().to_string(),
        },
        OperatorDecision::PluginApproved {
            id: "demo/executor-note".to_owned(),
            version: "0.1.0".to_owned(),
            manifest: digest("manifest.json"),
            component: digest("component.wasm"),
            trust: "certified (local)".to_owned(),
        },
        OperatorDecision::Denied { subject: note(), reason: "it deletes files".to_owned() },
        OperatorDecision::DenialTakenBack { subject: note() },
        OperatorDecision::Denied { subject: DeniedSubject::Key(id), reason: String::new() },
        OperatorDecision::TokenAdded {
            name: "ci".to_owned(),
            scopes: vec!["read".to_owned(), "run".to_owned()],
        },
        OperatorDecision::TokenRevoked { name: "ci".to_owned() },
    ];
    let found = decisions(&workspace).split_off(before);
    assert_eq!(found.iter().map(|(what, _)| what.clone()).collect::<Vec<_>>(), expected);
    let host = binary("orch-host").canonicalize().unwrap().display().to_string();
    let uid = rustix::process::getuid().as_raw();
    let pids: std::collections::BTreeSet<u32> = found.iter().map(|(_, who)| who.pid).collect();
    assert_eq!(pids.len(), found.len(), "each is another process");
    for (what, who) in &found {
        assert_eq!((who.uid, &who.program, &who.token), (uid, &host, &None), "{what:?}");
    }

    let bytes = stored(&workspace);
    let mac = &serde_json::from_str::<serde_json::Value>(&kept).unwrap()[0]["mac"];
    let host_secret = fs::read(workspace.operator().join("secret")).unwrap();
    assert!(contains(&bytes, "token_added"));
    assert!(
        !contains(&bytes, token.trim()) && !contains(&bytes, token.trim().strip_prefix("orch_").unwrap())
    );
    assert!(!contains(&bytes, mac.as_str().unwrap()));
    assert!(!bytes.windows(host_secret.len()).any(|window| window == host_secret));
    let seed = secret.split('"').max_by_key(|part| part.len()).unwrap();
    assert!(seed.len() > 32 && !contains(&bytes, seed));
}

#[test]
fn what_was_recorded_and_then_killed_has_no_effect_until_the_same_is_decided_again() {
    let (workspace, before) = workspace();
    let revoke = ["plugin", "revoke", "demo/executor-note"];
    let add = ["token", "add", "ci"];
    let denied = workspace.operator().join("trust/denied.toml");
    let tokens = workspace.operator().join("tokens.json");
    for (args, kept) in [(&revoke[..], &denied), (&add[..], &tokens)] {
        // Not recorded, recorded without a head, recorded and nothing else.
        for (point, recorded) in [("before-commit:1", 0), ("before-head:1", 1), ("after-head:1", 1)] {
            let so_far = decisions(&workspace).len();
            let ended = spawn(&workspace, args, Some(point)).wait_with_output().unwrap();
            assert_eq!(ended.status.code(), None, "{point}: {}", err(&ended));
            assert_eq!(out(&ended), "", "{point}: nothing is shown that is not kept");
            assert_eq!(decisions(&workspace).len() - so_far, recorded, "{args:?} {point}");
            assert!(!kept.exists(), "{args:?} {point}");
            workspace.host(&["audit", "verify", "--operator"], 0);
        }
        workspace.host(args, 0);
        assert!(kept.exists());
    }
    assert_eq!(decisions(&workspace).len() - before, 6);
    workspace.host(&["audit", "verify", "--operator"], 0);
}

#[test]
fn commands_that_decide_at_once_wait_for_each_other() {
    let (workspace, before) = workspace();
    let names: Vec<String> = (0..6).map(|number| format!("t{number}")).collect();
    let hosts: Vec<Child> =
        names.iter().map(|name| spawn(&workspace, &["token", "add", name], None)).collect();
    for host in hosts {
        let ended = host.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", err(&ended));
    }
    let mut found: Vec<String> = decisions(&workspace)
        .split_off(before)
        .into_iter()
        .map(|(what, _)| match what {
            OperatorDecision::TokenAdded { name, .. } => name,
            other => panic!("{other:?}"),
        })
        .collect();
    found.sort();
    assert_eq!(found, names);
    assert_eq!(out(&workspace.host(&["token", "list"], 0)).lines().count(), names.len());
    workspace.host(&["audit", "verify", "--operator"], 0);
}

#[test]
fn a_changed_byte_is_found_with_and_without_a_workspace_and_nothing_stops_because_of_it() {
    let (workspace, before) = workspace();
    workspace.make_known();
    workspace.host(&["run"], 0);
    let said = out(&workspace.host(&["audit", "verify"], 0));
    let line = format!("stream operator: {} events, kept head {before}, ", before + 1);
    assert!(said.contains(&line) && said.ends_with("intact\n"), "{said}");

    let store = workspace.operator().join("journal/state.db");
    let edit = "UPDATE events SET bytes = CAST(replace(CAST(bytes AS TEXT), 'demo/', 'demp/') AS BLOB) WHERE seq = 1";
    assert_eq!(rusqlite::Connection::open(&store).unwrap().execute(edit, []).unwrap(), 1);
    for args in [&["audit", "verify"][..], &["audit", "verify", "--operator"]] {
        let said = out(&workspace.host(args, 5));
        assert!(said.contains("journal-broken: journal of run `operator` is broken at event 1"), "{said}");
    }
    let report = out(&workspace.host(&["audit", "verify", "--format", "json"], 5));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let faults: Vec<usize> = report["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["faults"].as_array().unwrap().len())
        .collect();
    assert_eq!(faults, [0, 1], "the run's own journal is whole");

    workspace.write("tasks.yml", "- {id: u, kind: note}\n");
    workspace.host(&["run"], 0);
    let listed = out(&workspace.host(&["plugin", "list"], 0));
    assert!(listed.contains("demo/executor-note 0.1.0  certified (local)"), "{listed}");
    let refused = err(&workspace.host(&["token", "add", "ci"], 5));
    assert!(
        refused.contains("nothing was changed") && refused.contains("code: operator-journal"),
        "{refused}"
    );
    assert!(!workspace.operator().join("tokens.json").exists());

    // No database at all: what was found in the workspace is said too.
    fs::write(&store, "no database").unwrap();
    let said = out(&workspace.host(&["audit", "verify"], 5));
    assert!(said.contains("kept head") && said.contains("fault  operator-journal: journal `"), "{said}");
    workspace.host(&["audit", "verify", "--operator"], 5);
    // Gone, in a folder that was copied since the last decision.
    fs::remove_file(&store).unwrap();
    for args in [&["audit", "verify"][..], &["audit", "verify", "--operator"]] {
        let said = out(&workspace.host(args, 5));
        assert!(said.contains("fault  journal-missing: "), "{said}");
    }
    workspace.write("tasks.yml", "- {id: v, kind: note}\n");
    workspace.host(&["run"], 0);
}

#[test]
fn a_run_in_a_known_workspace_does_not_touch_the_operators_journal() {
    let (workspace, before) = workspace();
    workspace.run(&[], 0);
    assert_eq!(decisions(&workspace).len(), before + 1, "to make it known is a decision");
    // Opened, it would be refused; so would a lock be taken.
    let journal = workspace.operator().join("journal");
    fs::remove_dir_all(&journal).unwrap();
    fs::write(&journal, "").unwrap();
    workspace.write("tasks.yml", "- {id: u, kind: note}\n");
    workspace.run(&[], 0);
    let refused = err(&workspace.host(&["plugin", "revoke", "demo/executor-note"], 5));
    assert!(refused.contains("code: operator-journal"), "{refused}");
}

#[test]
fn a_trust_root_and_its_lists_are_one_decision_and_what_does_not_count_is_none() {
    let (workspace, before) = workspace();
    let keepers = Keepers::of(&workspace);
    let (root, digest) = keepers.first();
    let (list, fresh) = keepers.lists(1, Vec::new(), -60);
    for folder in ["publishers", "certifiers"] {
        fs::remove_dir_all(workspace.operator().join("trust").join(folder)).unwrap();
    }
    let files = [("root", &root), ("list", &list), ("fresh", &fresh)];
    let paths = files.map(|(name, bytes)| beside(&workspace, name, bytes).to_str().unwrap().to_owned());
    let take = |said: &str, exit| {
        let args = ["plugin", "trust", &paths[0], &paths[1], &paths[2], "--sha256", said];
        workspace.host(&args, exit);
    };
    take(&"0".repeat(64), 2);
    assert_eq!(decisions(&workspace).len(), before);
    take(&digest, 0);
    let found = decisions(&workspace).split_off(before);
    let named = |name: &str, bytes: &[u8]| (name.to_owned(), Sha256Digest::of(bytes).to_string());
    let files = [
        named("trust/roots/1.dsse.json", &root),
        named("trust/revocations.dsse.json", &list),
        named("trust/freshness.dsse.json", &fresh),
    ];
    let expected = OperatorDecision::TrustTaken { files: files.into() };
    assert_eq!(found.into_iter().map(|(what, _)| what).collect::<Vec<_>>(), [expected]);
}
