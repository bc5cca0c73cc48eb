//! Runs with a goal: planned by a reflector, each attempt told of the one before it that failed, kept on the run's branch.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs::File;

use orch_journal::Event;
use orch_journal::event::Ending;
use orch_tests::isolated::Bench;
use orch_tests::kill::{self, Moment};
use orch_tests::random::Random;
use orch_tests::{err, out};

/// Lets the guest add phases that start without a yes.
const AUTO: &str = "\n[tasks]\nauto = [{ plugin = \"demo/plans-and-mends\", kind = \"phase\" }]\n";
const ALLOWED: &str = "log = {}\nfiles = { write = [\"*.txt\"] }\ntasks = { add = 9, kinds = [\"phase\"] }\n";

/// A repository in which each of `files` must come to hold a word that only `expected/` says.
struct Goal {
    bench: Bench,
    packages: String,
    files: Vec<String>,
    words: Vec<String>,
    text: String,
}

impl Goal {
    fn new(seed: u64, policy: &str) -> Self {
        let mut random = Random(seed);
        let mut name = |prefix: &str| format!("{prefix}{:x}", random.below(1 << 32));
        let files: Vec<String> = (0..2).map(|_| name("f") + ".txt").collect();
        let words: Vec<String> = (0..2).map(|_| name("w")).collect();
        let text = format!("Make {} right", files.join(" and "));
        let bench = Bench::new("");
        let packages = bench.0.admit_guest("plans-and-mends", ALLOWED).to_str().unwrap().to_owned();
        let path = bench.0.operator().join("policy.toml");
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + policy).unwrap();
        for (file, word) in files.iter().zip(&words) {
            bench.0.write(&format!("expected/{file}"), &format!("{word}\n"));
        }
        // A file that is not there yet is nobody's fault.
        let check = "bad=0; for e in expected/*; do f=${e#expected/}; if test -e $f && ! cmp -s $e $f; then \
                     echo \"$f:1:1: error: expected $(cat $e)\"; bad=1; fi; done; exit $bad";
        let check = serde_json::json!(["sh", "-c", check]);
        bench.0.write(
            "config.yaml",
            &format!(
                "roles:\n  planner: demo/planner-priority\n  executors: {{phase: demo/plans-and-mends}}\n  \
                 reflectors: [demo/plans-and-mends]\n  verifiers: [demo/verifier-command]\nisolation: worktree\n\
                 asked: {{phase: {{verify: [demo/verifier-command], retries: 1, timeout: 60}}}}\nretry: {{base_ms: 1}}\n\
                 settings:\n  demo/verifier-command: {{checks: [{{name: words, category: test, format: path-line-col, command: {check}}}]}}\n"
            ),
        );
        std::fs::remove_file(bench.0.path().join("tasks.yml")).unwrap();
        bench.git(&["add", "--all"]);
        bench.git(&["commit", "--quiet", "--message=expected"]);
        Self { bench, packages, files, words, text }
    }

    fn args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["--plugins", &self.packages], more].concat()
    }

    /// Each file has its word on the branch, by two attempts each, the second of which was told of the first.
    #[track_caller]
    fn is_reached(&self) {
        for (file, word) in self.files.iter().zip(&self.words) {
            assert_eq!(self.bench.on_branch(file).as_deref(), Some(&*format!("{word}\n")), "{file}");
        }
        assert_eq!(self.bench.commits(), 2);
        let events = self.bench.0.events();
        let failed: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::AttemptFinished(finished) => match &finished.ending {
                    Ending::Failed { message, .. } => Some((finished, message)),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        assert_eq!(failed.len(), 2, "{failed:?}");
        for (finished, message) in failed {
            assert!(message.contains("too many major findings"), "{message}");
            let unkept = finished.unkept.as_ref().unwrap();
            let shown = self.bench.git(&["diff", &unkept.old, &unkept.new]);
            assert!(shown.contains(&format!("+{}", self.text)), "{shown}");
        }
        let doubtful = |event: &Event| matches!(event, Event::AttemptFinished(finished) if matches!(finished.ending, Ending::InDoubt { .. }));
        assert!(!events.iter().any(doubtful));
        self.bench.0.host(&["audit", "verify"], 0);
    }
}

#[test]
fn a_goal_is_planned_each_phase_mended_by_what_verifiers_found_and_taken_in_by_a_person() {
    let goal = Goal::new(0x60a1, AUTO);
    let before = goal.bench.of_the_person();
    goal.bench.0.run(&goal.args(&["--goal", &goal.text]), 0);
    assert_eq!(goal.bench.of_the_person(), before);
    goal.is_reached();
    for verb in ["status", "report"] {
        let said = out(&goal.bench.0.host(&[verb], 0));
        assert!(said.contains(&goal.text), "{verb}: {said}");
    }
    let tasks = goal.bench.0.read("tasks.yml");
    assert!(tasks.contains("phase-001") && tasks.contains("retries: 1"), "{tasks}");
    assert!(tasks.contains("dependencies: [phase-001]") || tasks.contains("- phase-001"), "{tasks}");
    goal.bench.0.host(&["accept"], 0);
    for (file, word) in goal.files.iter().zip(&goal.words) {
        assert_eq!(goal.bench.0.read(file), format!("{word}\n"));
    }
}

#[test]
fn a_run_with_a_goal_that_is_killed_twice_comes_to_the_same() {
    let goal = Goal::new(0xdead, AUTO);
    let said = File::create(goal.bench.0.outside().join("said")).unwrap();
    let first = goal.args(&["--goal", &goal.text]);
    assert!(kill::run_and_kill(&goal.bench.0, &first, Moment::At("after-objects", 1), &said));
    assert!(kill::run_and_kill(&goal.bench.0, &goal.args(&[]), Moment::At("after-edits", 1), &said));
    goal.bench.0.run(&goal.args(&[]), 0);
    goal.is_reached();
}

#[test]
fn a_plan_waits_for_a_yes_unless_policy_says_otherwise() {
    let goal = Goal::new(0x7e5, "");
    let said = goal.bench.0.run(&goal.args(&["--goal", &goal.text]), 6);
    assert!(out(&said).contains("phase-001 asks to run"), "{}", out(&said));
    assert_eq!(goal.bench.commits(), 0);
    for phase in ["phase-001", "phase-002"] {
        goal.bench.0.host(&["approvals", "approve", phase], 0);
    }
    // The goal is the run's, also where nobody says it again.
    goal.bench.0.run(&goal.args(&[]), 0);
    goal.is_reached();
}

#[test]
fn an_open_run_keeps_its_goal_and_a_goal_has_words() {
    let goal = Goal::new(0x0b5, "");
    goal.bench.0.run(&goal.args(&["--goal", &goal.text]), 6);
    let other = goal.bench.0.run(&goal.args(&["--goal", "Something else"]), 6);
    assert!(
        err(&other).contains("run-of-another-goal") && err(&other).contains(&goal.text),
        "{}",
        err(&other)
    );
    // The same again is the same run.
    goal.bench.0.run(&goal.args(&["--goal", &format!(" {}\n", goal.text)]), 6);
    assert_eq!(goal.bench.0.reader().runs().unwrap().len(), 1);
    let long = "x".repeat(8193);
    for wrong in ["", "  ", long.as_str()] {
        let said = goal.bench.0.run(&goal.args(&["--goal", wrong]), 2);
        assert!(err(&said).contains("goal-malformed"), "{}", err(&said));
    }
}
