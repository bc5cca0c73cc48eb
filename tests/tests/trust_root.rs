//! A host under a trust root: how it comes there, what counts then, and what its lists do to a run that goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use orch_journal::Event;
use orch_tests::under_root::{Keepers, beside, entry};
use orch_tests::{Workspace, err, out, until};
use orch_trust::revocation::{Action, Entry, What};

const TASKS: &str = "- {id: a, command: [sh, -c, 'touch begun; until test -e go; do sleep 0.05; done; touch a']}\n\
                     - {id: b, kind: note, description: hello, dependencies: [a]}\n";

/// `orch-host plugin trust FILE` with more arguments.
#[track_caller]
fn trust(workspace: &Workspace, file: &Path, more: &[&str], exit: i32) -> String {
    let output = workspace.host(&[&["plugin", "trust", file.to_str().unwrap()], more].concat(), exit);
    format!("{}{}", out(&output), err(&output))
}

/// A host that trusts a first root with empty lists, and nobody by plain files.
fn rooted(tasks: &str) -> (Workspace, Keepers) {
    let workspace = Workspace::new(tasks);
    let keepers = Keepers::of(&workspace);
    let (root, digest) = keepers.first();
    for folder in ["publishers", "certifiers"] {
        std::fs::remove_dir_all(workspace.operator().join("trust").join(folder)).unwrap();
    }
    trust(&workspace, &beside(&workspace, "root", &root), &["--sha256", &digest], 0);
    lists(&workspace, &keepers, 1, Vec::new());
    (workspace, keepers)
}

/// Brings a list and what says that it is the newest.
fn lists(workspace: &Workspace, keepers: &Keepers, version: u64, entries: Vec<Entry>) {
    let (list, fresh) = keepers.lists(version, entries, -60);
    std::fs::write(workspace.operator().join("trust/revocations.dsse.json"), list).unwrap();
    std::fs::write(workspace.operator().join("trust/freshness.dsse.json"), fresh).unwrap();
}

fn begin(workspace: &Workspace) -> Child {
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    let host = host.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until(|| workspace.path().join("begun").exists());
    host
}

fn is_withdrawn(workspace: &Workspace) -> bool {
    let is = |event: &Event| matches!(event, Event::Warned { code, .. } if code == "plugin-withdrawn");
    workspace.events().iter().any(is)
}

#[test]
fn a_first_root_needs_its_hash_and_nothing_else_counts_beside_it() {
    let workspace = Workspace::new(TASKS);
    workspace.write("go", "");
    let keepers = Keepers::of(&workspace);
    let (root, digest) = keepers.first();
    let file = beside(&workspace, "root", &root);
    assert!(trust(&workspace, &file, &[], 2).contains("code: root-hash-missing"));
    assert!(trust(&workspace, &file, &["--sha256", &"0".repeat(64)], 2).contains("code: root-other-bytes"));
    // Plain key files would count no more, so a person removes them first.
    assert!(trust(&workspace, &file, &["--sha256", &digest], 2).contains("code: trust-beside-root"));
    assert!(!workspace.operator().join("trust-state.json").exists(), "nothing was kept");
    let folders = ["publishers", "certifiers"].map(|folder| workspace.operator().join("trust").join(folder));
    let kept: Vec<_> = std::fs::read_dir(&folders[0]).unwrap().map(|file| file.unwrap().path()).collect();
    let publisher = std::fs::read(&kept[0]).unwrap();
    folders.iter().for_each(|folder| std::fs::remove_dir_all(folder).unwrap());
    trust(&workspace, &file, &["--sha256", &digest], 0);
    // Without its lists nobody knows what was taken back.
    assert!(err(&workspace.run(&[], 2)).contains("code: anchor-missing"), "{}", err(&workspace.run(&[], 2)));
    let (list, fresh) = keepers.lists(1, Vec::new(), -60);
    let said = trust(&workspace, &beside(&workspace, "list", &list), &[], 0);
    assert!(said.contains("does not count yet"), "{said}");
    trust(&workspace, &beside(&workspace, "fresh", &fresh), &[], 0);
    workspace.run(&[], 0);
    // A key file that somebody puts back, and a key of the environment.
    std::fs::create_dir_all(&folders[0]).unwrap();
    std::fs::write(&kept[0], publisher).unwrap();
    assert!(err(&workspace.run(&[], 2)).contains("code: trust-beside-root"));
    std::fs::remove_file(&kept[0]).unwrap();
    let key = keepers.root.public().to_base64();
    let output = workspace.command(&["run"]).env("PLUGIN_SIGNING_KEY", key).output().unwrap();
    assert!(output.status.code() == Some(2) && err(&output).contains("code: trust-beside-root"));
    workspace.host(&["doctor"], 0);
}

#[test]
fn the_next_root_needs_both_thresholds_and_a_lost_state_refuses() {
    let (workspace, keepers) = rooted(TASKS);
    workspace.write("go", "");
    let (first, digest) = keepers.first();
    let previous = orch_trust::digest::Sha256Digest::of(&first);
    let next = |version, signers: &[&orch_trust::key::SecretKey]| {
        let change = |document: &mut orch_trust::root::document::RootDocument| {
            (document.version, document.previous_sha256) = (version, Some(previous));
        };
        keepers.root(change, signers)
    };
    let (one, both) = ([&keepers.root], [&keepers.root, &keepers.second]);
    let file = |bytes: &[u8]| beside(&workspace, "next", bytes);
    assert!(trust(&workspace, &file(&next(2, &one)), &[], 2).contains("code: root-not-by-current"));
    assert!(trust(&workspace, &file(&next(3, &both)), &[], 2).contains("code: root-version"));
    trust(&workspace, &file(&next(2, &both)), &[], 0);
    workspace.run(&[], 0);
    // The one before is not taken again, with or without its hash.
    trust(&workspace, &file(&first), &["--sha256", &digest], 2);
    // A host that forgot what it saw trusts nobody.
    let state = workspace.operator().join("trust-state.json");
    let kept = std::fs::read(&state).unwrap();
    std::fs::remove_file(&state).unwrap();
    assert!(err(&workspace.run(&[], 2)).contains("code: trust-state-missing"));
    let mut changed = kept.clone();
    let place = changed.len() / 2;
    changed[place] ^= 1;
    std::fs::write(&state, changed).unwrap();
    workspace.run(&[], 2);
    std::fs::write(&state, kept).unwrap();
    workspace.run(&[], 0);
}

#[test]
fn an_older_list_than_the_last_one_seen_is_refused() {
    let (workspace, keepers) = rooted(TASKS);
    workspace.write("go", "");
    lists(&workspace, &keepers, 5, Vec::new());
    workspace.run(&[], 0);
    lists(&workspace, &keepers, 4, Vec::new());
    let said = err(&workspace.run(&[], 2));
    assert!(said.contains("rollback"), "{said}");
    let (old, _) = keepers.lists(4, Vec::new(), -60);
    assert!(trust(&workspace, &beside(&workspace, "old", &old), &[], 2).contains("code: "));
    lists(&workspace, &keepers, 6, vec![entry("demo/executor-note", Action::Warn)]);
    let said = err(&workspace.run(&[], 0));
    assert!(said.contains("it was seen to misbehave"), "a warning is shown: {said}");
}

#[test]
fn a_kill_ends_the_calls_of_a_plugin_that_runs_within_five_seconds() {
    let (workspace, keepers) = rooted(TASKS);
    let host = begin(&workspace);
    lists(&workspace, &keepers, 2, vec![entry("demo/executor-note", Action::Kill)]);
    let since = Instant::now();
    until(|| is_withdrawn(&workspace));
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    workspace.write("go", "");
    let output = host.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("revoked-kill") && said.contains("it was seen to misbehave"), "{said}");
    let statuses = workspace.statuses();
    assert_eq!(statuses.values().map(String::as_str).collect::<Vec<_>>(), ["done", "pending"]);
    assert!(err(&workspace.run(&[], 3)).contains("code: revoked-kill"));
}

#[test]
fn a_blocked_load_lets_a_run_end_and_refuses_the_next() {
    let (workspace, keepers) = rooted(TASKS);
    let host = begin(&workspace);
    lists(&workspace, &keepers, 2, vec![entry("demo/executor-note", Action::BlockLoad)]);
    std::thread::sleep(Duration::from_secs(3));
    workspace.write("go", "");
    let output = host.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!is_withdrawn(&workspace));
    workspace.write("tasks.yml", "- {id: c, kind: note, description: again}\n");
    assert!(err(&workspace.run(&[], 3)).contains("code: revoked-block-load"));
}

#[test]
fn what_a_key_certified_before_it_was_lost_still_counts() {
    let (workspace, keepers) = rooted(TASKS);
    workspace.write("go", "");
    let keyid = keepers.certifier();
    let lost = |at: i64| {
        let invalid_after = orch_host::clock::now().plus(at);
        let what = What::Key { keyid, invalid_after };
        vec![Entry { what, action: Action::Recertify, reason: "key was lost".to_owned() }]
    };
    lists(&workspace, &keepers, 2, lost(3600));
    workspace.run(&[], 0);
    lists(&workspace, &keepers, 3, lost(-30 * 86_400));
    workspace.write("tasks.yml", "- {id: c, kind: note, description: again}\n");
    assert!(err(&workspace.run(&[], 3)).contains("code: revoked-recertify"));
}
