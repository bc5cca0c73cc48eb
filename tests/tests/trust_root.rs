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
    assert!(err(&workspace.run(&[], 2)).contains("code: anchor-file-missing"));
    let (list, fresh) = keepers.lists(1, Vec::new(), -60);
    let (list, fresh) = (beside(&workspace, "list", &list), beside(&workspace, "fresh", &fresh));
    // Half of what belongs together counts for nothing and is not kept.
    assert!(trust(&workspace, &list, &[], 2).contains("code: anchor-file-missing"));
    assert!(!workspace.operator().join("trust/revocations.dsse.json").exists());
    trust(&workspace, &list, &[fresh.to_str().unwrap()], 0);
    workspace.run(&[], 0);
    // A key file that somebody puts back, and a key of the environment.
    std::fs::create_dir_all(&folders[0]).unwrap();
    std::fs::write(&kept[0], publisher).unwrap();
    assert!(err(&workspace.run(&[], 2)).contains("code: trust-beside-root"));
    std::fs::remove_file(&kept[0]).unwrap();
    let key = keepers.root.public().to_base64();
    let output = workspace.command(&["run"]).env("PLUGIN_SIGNING_KEY", key).output().unwrap();
    assert!(output.status.code() == Some(2) && err(&output).contains("code: trust-beside-root"));
    // Packages that nobody certified are named, so it is not content.
    let doctor = out(&workspace.host(&["doctor"], 1));
    assert!(
        doctor.contains("ok   trust root 1 is 0 days old") && doctor.contains("ok   revocations fresh"),
        "{doctor}"
    );
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
    // The one that counts is, by the hash that a person says of it: so a lost file comes back.
    let second = file(&next(2, &both));
    std::fs::remove_file(workspace.operator().join("trust/roots/2.dsse.json")).unwrap();
    assert!(err(&workspace.run(&[], 2)).contains("code: root-missing"));
    assert!(trust(&workspace, &second, &["--sha256", &digest], 2).contains("code: root-other-bytes"));
    trust(&workspace, &second, &[], 0);
    workspace.run(&[], 0);
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
    // It begins anew with what a person says, and not with less.
    std::fs::remove_file(&state).unwrap();
    assert!(trust(&workspace, &second, &[], 2).contains("code: root-hash-missing"));
    trust(
        &workspace,
        &second,
        &["--sha256", &orch_trust::digest::Sha256Digest::of(&next(2, &both)).to_string()],
        0,
    );
    workspace.run(&[], 0);
}

#[test]
fn a_command_takes_all_of_its_files_or_none() {
    let workspace = Workspace::new(TASKS);
    workspace.write("go", "");
    let keepers = Keepers::of(&workspace);
    let (first, digest) = keepers.first();
    let previous = orch_trust::digest::Sha256Digest::of(&first);
    let second = keepers.root(
        |document| (document.version, document.previous_sha256) = (2, Some(previous)),
        &[&keepers.root, &keepers.second],
    );
    for folder in ["publishers", "certifiers"] {
        std::fs::remove_dir_all(workspace.operator().join("trust").join(folder)).unwrap();
    }
    let (list, fresh) = keepers.lists(3, Vec::new(), -60);
    let (_, other) = keepers.lists(4, Vec::new(), -60);
    let files = [("1", &first), ("2", &second), ("list", &list), ("fresh", &fresh), ("other", &other)];
    let [first, second, list, fresh, other] = files.map(|(name, bytes)| beside(&workspace, name, bytes));
    let text = |path: &std::path::PathBuf| path.to_str().unwrap().to_owned();
    let take = |files: &[&std::path::PathBuf], more: &[&str], exit| {
        let files: Vec<String> = files.iter().map(|path| text(path)).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let output = workspace.host(&[&["plugin", "trust"], &*files, more].concat(), exit);
        format!("{}{}", out(&output), err(&output))
    };
    let said = ["--sha256", digest.as_str()];
    // A list that another freshness document names: the root is not taken either.
    assert!(take(&[&first, &list, &other], &said, 2).contains("code: revocations-not-pinned"));
    assert!(!workspace.operator().join("trust-state.json").exists());
    assert!(std::fs::read_dir(workspace.operator().join("trust/roots")).unwrap().next().is_none());
    assert!(take(&[&first, &list, &list], &said, 2).contains("code: trust-file"));
    assert!(take(&[&first, &workspace.path().join("tasks.yml")], &said, 2).contains("code: trust-file"));
    // Of several roots the hash is that of the first.
    let of_second = orch_trust::digest::Sha256Digest::of(&std::fs::read(&second).unwrap()).to_string();
    assert!(take(&[&first, &second], &["--sha256", &of_second], 2).contains("code: root-other-bytes"));
    assert!(take(&[&second, &first], &["--sha256", &of_second], 2).contains("code: root-version"));
    let other = Workspace::new(TASKS);
    for folder in ["publishers", "certifiers"] {
        std::fs::remove_dir_all(other.operator().join("trust").join(folder)).unwrap();
    }
    let both = ["plugin", "trust", &text(&first), &text(&second), said[0], said[1]];
    assert!(out(&other.host(&both, 0)).contains("trusts root 2"));
    take(&[&fresh, &list, &first], &said, 0);
    workspace.run(&[], 0);
    // A newer list alone, or its freshness document alone, does not fit what is there; both do, with the next root.
    let (list, fresh) = keepers.lists(5, Vec::new(), -30);
    let (list, fresh) = (beside(&workspace, "list", &list), beside(&workspace, "fresh", &fresh));
    let half = take(&[&list], &[], 2);
    assert!(half.contains("code: revocations-not-pinned") && half.contains("take both at once"), "{half}");
    take(&[&fresh], &[], 2);
    workspace.run(&[], 0);
    // A host that died between two of these files refuses until the same command is given again.
    std::fs::copy(&second, workspace.operator().join("trust/roots/2.dsse.json")).unwrap();
    workspace.run(&[], 0);
    std::fs::copy(&list, workspace.operator().join("trust/revocations.dsse.json")).unwrap();
    assert!(err(&workspace.run(&[], 2)).contains("code: revocations-not-pinned"));
    let said = take(&[&second, &list, &fresh], &[], 0);
    assert!(said.contains("trusts root 2") && !said.contains("nothing runs"), "{said}");
    workspace.run(&[], 0);
    // Nobody adds a key beside the root by accident.
    let public = beside(&workspace, "k.toml", keepers.publisher_file().as_bytes());
    let output = workspace.host(&["trust", "add", public.to_str().unwrap()], 2);
    assert!(err(&output).contains("code: trust-beside-root"));
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
}

#[test]
fn what_keeps_nothing_from_running_is_in_every_report() {
    let (workspace, keepers) = rooted(TASKS);
    workspace.write("go", "");
    lists(&workspace, &keepers, 2, vec![entry("demo/executor-note", Action::Warn)]);
    let package = orch_tests::packages().join("demo/executor-note/0.1.0");
    let package = package.to_str().unwrap();
    let json = ["--format", "json"];
    let reports = |what: &str| {
        let told = |said: &str, from: &str| assert!(said.contains(what), "{from}: {said}");
        let ran = workspace.run(&[], 0);
        told(&format!("{}{}", out(&ran), err(&ran)), "run");
        told(&err(&workspace.run(&["--dry-run"], 0)), "dry run");
        told(&out(&workspace.host(&["report"], 0)), "report");
        told(&out(&workspace.host(&[&["report"], &json[..]].concat(), 0)), "report as JSON");
        for command in [&["plugin", "audit"][..], &["plugin", "list"], &["plugin", "verify", package]] {
            for format in [&[][..], &json] {
                let output = workspace.command(&[command, format].concat()).output().unwrap();
                told(&out(&output), &command.join(" "));
            }
        }
    };
    reports("it was seen to misbehave");
    // What a list took back and the next one does not is said to whoever brings it.
    let (list, fresh) = keepers.lists(3, Vec::new(), -60);
    let (list, fresh) = (beside(&workspace, "list", &list), beside(&workspace, "fresh", &fresh));
    let said = trust(&workspace, &list, &[fresh.to_str().unwrap()], 0);
    assert!(said.contains("the new one does not: warn of release demo/executor-note"), "{said}");
    assert!(!trust(&workspace, &list, &[fresh.to_str().unwrap()], 0).contains("the new one does not"));
    // Nothing newer was heard of for longer than the root's `maxAge`.
    workspace.write("tasks.yml", "- {id: c, kind: note}\n");
    let (list, fresh) = keepers.lists(4, Vec::new(), -10 * 86_400);
    std::fs::write(workspace.operator().join("trust/revocations.dsse.json"), list).unwrap();
    std::fs::write(workspace.operator().join("trust/freshness.dsse.json"), fresh).unwrap();
    reports("offline grace ends at");
}

#[test]
fn a_host_that_lost_what_it_sealed_with_is_not_made_anew_in_silence() {
    let (workspace, keepers) = rooted(TASKS);
    workspace.write("go", "");
    workspace.run(&[], 0);
    let (root, digest) = keepers.first();
    let root = beside(&workspace, "root", &root);
    let [secret, state] = ["secret", "trust-state.json"].map(|name| workspace.operator().join(name));
    std::fs::remove_file(&secret).unwrap();
    for said in [err(&workspace.run(&[], 2)), trust(&workspace, &root, &["--sha256", &digest], 2)] {
        assert!(
            said.contains("code: operator-secret-missing") && said.contains("trust-state.json"),
            "{said}"
        );
    }
    assert!(!secret.exists(), "no other one takes its place");
    // What the hint says.
    std::fs::remove_file(&state).unwrap();
    // What was decided is vouched for by the secret that is gone; it is kept, and not written on.
    assert!(trust(&workspace, &root, &["--sha256", &digest], 5).contains("code: operator-journal"));
    assert!(!state.exists());
    std::fs::rename(workspace.operator().join("journal"), workspace.outside().join("journal")).unwrap();
    std::fs::remove_file(workspace.operator().join("heads/operator.json")).unwrap();
    trust(&workspace, &root, &["--sha256", &digest], 0);
    std::fs::remove_dir_all(workspace.path().join(".orch")).unwrap();
    workspace.run(&[], 0);
    // Lists without a root and a state: somebody took both away, and plain key files do not count in their place.
    std::fs::remove_file(&state).unwrap();
    std::fs::remove_dir_all(workspace.operator().join("trust/roots")).unwrap();
    assert!(err(&workspace.run(&[], 2)).contains("code: trust-state-missing"));
}

#[test]
fn a_kill_ends_the_calls_of_a_plugin_that_runs_within_five_seconds() {
    let (workspace, keepers) = rooted(TASKS);
    let host = begin(&workspace);
    // Nobody who holds the folder's lock holds this up.
    let held = std::fs::File::open(workspace.operator().join("lock")).unwrap();
    held.lock().unwrap();
    lists(&workspace, &keepers, 2, vec![entry("demo/executor-note", Action::Kill)]);
    let since = Instant::now();
    until(|| is_withdrawn(&workspace));
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    drop(held);
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
