//! Edits that guards judge before they are kept: allowed, refused with nothing kept, or held as they are until a person decides.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeSet;
use std::fs::File;

use orch_journal::Event;
use orch_journal::event::{Actor, Ending};
use orch_tests::isolated::Bench;
use orch_tests::kill::{self, Moment};
use orch_tests::out;

/// A run whose edits `guard-protect` judges: `deploy/` is refused, `ci/` a person's to decide, and so are more than ten lines.
fn guarded(tasks: &str) -> Bench {
    let bench = Bench::new(tasks);
    let rules =
        "[{paths: ['deploy/**'], then: refuse, why: people deploy}, {paths: ['ci/**'], then: escalate}]";
    let bound = format!(
        "settings:\n  demo/guard-protect: {{protect: {rules}, lines_max: 10}}\nroles:\n  guards: {{'*': demo/guard-protect}}\n"
    );
    let config = bench.0.read("config.yaml").replacen("roles:\n", &bound, 1);
    bench.0.write("config.yaml", &config);
    bench.0.write("ci/build", "one\n");
    bench.git(&["add", "--all"]);
    bench.git(&["commit", "--quiet", "--message=guarded"]);
    bench
}

fn status(bench: &Bench, task: &str) -> String {
    bench.0.statuses()[task].clone()
}

/// In how many attempts a command was started.
fn started(bench: &Bench) -> usize {
    let by = |event| match event {
        Event::ProcessStarted { by: Actor::Attempt { task, attempt }, .. } => Some((task, attempt)),
        _ => None,
    };
    bench.0.events().into_iter().filter_map(by).collect::<BTreeSet<_>>().len()
}

fn held_refs(bench: &Bench) -> String {
    bench.git(&["for-each-ref", "--format=%(refname)", "refs/orch/held/"])
}

#[test]
fn what_a_guard_refuses_is_not_kept_and_what_it_allows_is() {
    let bench = guarded(
        "- {id: bad, command: [sh, -c, 'mkdir deploy; echo x > deploy/prod; echo x > new']}\n\
         - {id: good, command: [sh, -c, 'echo good > other']}\n",
    );
    let before = bench.of_the_person();
    bench.0.run(&["--jobs", "1"], 1);
    assert_eq!((status(&bench, "bad").as_str(), status(&bench, "good").as_str()), ("failed", "done"));
    assert_eq!((bench.on_branch("new"), bench.on_branch("other").as_deref()), (None, Some("good\n")));
    let failed = bench.0.events().into_iter().find_map(|event| match event {
        Event::AttemptFinished(finished) => match finished.ending {
            Ending::Failed { message, .. } => Some(message),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(
        failed.unwrap(),
        "guard `demo/guard-protect` refused its edits: `deploy/prod` is protected: people deploy"
    );
    assert_eq!(bench.of_the_person(), before);
    bench.is_sound();
}

const ASKS: &str = "- {id: asks, command: [sh, -c, 'echo two >> ci/build; echo x > new']}\n\
                    - {id: after, command: [sh, -c, 'grep -q two ci/build'], dependencies: [asks]}\n";

#[test]
fn what_a_guard_escalates_waits_as_it_is_and_is_kept_when_a_person_lets_it() {
    let bench = guarded(ASKS);
    let before = bench.of_the_person();
    bench.0.run(&[], 6);
    assert_eq!((status(&bench, "asks").as_str(), bench.commits()), ("waiting_approval", 0));
    let listed = out(&bench.0.host(&["approvals", "list"], 0));
    let words = "guard `demo/guard-protect` asks about its edits (high risk): `ci/build` is protected";
    assert!(listed.contains(words), "{listed}");
    let shown = out(&bench.0.host(&["diff", &bench.run_id(), "asks"], 0));
    assert!(shown.contains("+++ b/ci/build") && shown.contains("+two"), "{shown}");
    // Whatever is cleaned up meanwhile.
    assert!(held_refs(&bench).ends_with("/0"));
    bench.git(&["gc", "--quiet", "--prune=now"]);
    bench.0.run(&[], 6);
    assert_eq!(started(&bench), 1, "it is not done again, whoever looks");

    bench.0.host(&["approvals", "approve", "asks"], 0);
    bench.0.run(&[], 0);
    assert_eq!(started(&bench), 2, "one for each task: what is kept is what was shown");
    assert_eq!(bench.on_branch("ci/build").unwrap(), "one\ntwo\n");
    assert_eq!((bench.commits(), held_refs(&bench)), (1, String::new()));
    assert_eq!(bench.of_the_person(), before);
    bench.is_sound();
    bench.0.host(&["db", "check"], 0);
}

#[test]
fn an_approval_is_kept_on_what_others_did_meanwhile_and_a_conflict_is_done_and_judged_anew() {
    let bench = guarded(
        "- {id: asks, priority: 2, command: [sh, -c, 'echo asks >> a.txt; echo two >> ci/build']}\n\
         - {id: other, priority: 1, command: [sh, -c, 'echo x > new']}\n",
    );
    bench.0.run(&["--jobs", "1"], 6);
    assert_eq!((status(&bench, "other").as_str(), bench.commits()), ("done", 1));
    bench.0.host(&["approvals", "approve", "asks"], 0);
    bench.0.run(&[], 0);
    assert_eq!((bench.on_branch("new").as_deref(), bench.commits()), (Some("x\n"), 2));
    assert_eq!(bench.on_branch("ci/build").unwrap(), "one\ntwo\n");
    bench.is_sound();

    let bench = guarded(
        "- {id: asks, priority: 2, command: [sh, -c, 'echo asks >> a.txt; echo two >> ci/build']}\n\
         - {id: other, priority: 1, command: [sh, -c, 'echo other >> a.txt']}\n",
    );
    bench.0.run(&["--jobs", "1"], 6);
    bench.0.host(&["approvals", "approve", "asks"], 0);
    // Both changed the same lines: done again on the other's, and that nobody has seen.
    bench.0.run(&[], 6);
    assert_eq!((status(&bench, "asks").as_str(), started(&bench)), ("waiting_approval", 3));
    bench.0.host(&["approvals", "approve", "asks"], 0);
    bench.0.run(&[], 0);
    assert_eq!(bench.on_branch("a.txt").unwrap(), "one\ntwo\nthree\nother\nasks\n");
    assert_eq!((started(&bench), held_refs(&bench)), (3, String::new()));
    bench.is_sound();
}

#[test]
fn what_a_person_denies_is_not_kept_and_tried_again_it_is_judged_again() {
    let bench = guarded("- {id: asks, command: [sh, -c, 'echo two >> ci/build']}\n");
    bench.0.run(&[], 6);
    bench.0.host(&["approvals", "deny", "asks"], 0);
    bench.0.run(&[], 0);
    assert_eq!((status(&bench, "asks").as_str(), bench.commits()), ("cancelled", 0));
    bench.0.host(&["task", "retry", "asks"], 0);
    bench.0.run(&[], 6);
    assert_eq!(
        (status(&bench, "asks").as_str(), started(&bench), bench.commits()),
        ("waiting_approval", 2, 0)
    );
    bench.0.host(&["approvals", "deny", "asks"], 0);
    bench.0.run(&[], 0);
    bench.0.host(&["reject", &bench.run_id()], 0);
    assert_eq!(held_refs(&bench), "");
}

#[test]
fn a_kill_at_each_moment_around_an_approval_keeps_the_edits_once() {
    for point in ["after-held", "before-edits", "after-objects", "after-edits", "after-branch"] {
        let bench = guarded(ASKS);
        let before = bench.of_the_person();
        let said = || File::create(bench.0.outside().join("said")).unwrap();
        // The others are met by the host that keeps what was approved.
        let is_first = point == "after-held";
        if is_first {
            assert!(kill::run_and_kill(&bench.0, &[], Moment::At(point, 1), &said()), "{point}");
            assert_eq!(bench.commits(), 0, "{point}");
        }
        bench.0.run(&[], 6);
        bench.0.host(&["approvals", "approve", "asks"], 0);
        if !is_first {
            assert!(kill::run_and_kill(&bench.0, &[], Moment::At(point, 1), &said()), "{point}");
        }
        assert_eq!(bench.of_the_person(), before, "{point}");
        bench.0.run(&[], 0);
        assert_eq!(bench.on_branch("ci/build").unwrap(), "one\ntwo\n", "{point}");
        assert_eq!((bench.commits(), held_refs(&bench)), (1, String::new()), "{point}");
        assert_eq!(started(&bench), if is_first { 3 } else { 2 }, "{point}");
        bench.is_sound();
    }
}
