//! What a person takes in of a run: all of it or some tasks' edits, and what guards have against it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use orch_journal::Event;
use orch_journal::event::EditsAccepted;
use orch_tests::isolated::Bench;
use orch_tests::{err, out};

fn accepted(bench: &Bench) -> Vec<EditsAccepted> {
    let accepted = |event| match event {
        Event::EditsAccepted(accepted) => Some(*accepted),
        _ => None,
    };
    bench.0.events().into_iter().filter_map(accepted).collect()
}

#[test]
fn only_what_some_tasks_changed_is_taken_in_and_the_rest_later() {
    let bench = Bench::new(
        "- {id: a, priority: 3, command: [sh, -c, 'echo a >> a.txt']}\n\
         - {id: b, priority: 2, command: [sh, -c, 'echo b > b.txt']}\n\
         - {id: c, command: [sh, -c, 'echo c >> a.txt'], dependencies: [a, b]}\n\
         - {id: idle, command: ['true']}\n",
    );
    bench.0.run(&["--jobs", "1"], 0);
    let before = bench.of_the_person();
    for (tasks, exit, code) in [
        ("nobody", 2, "task-unknown"),
        ("idle", 2, "task-without-edits"),
        ("a,idle", 2, "task-without-edits"),
        ("c", 6, "accept-entangled"),
    ] {
        let said = err(&bench.0.host(&["accept", "--tasks", tasks], exit));
        assert!(said.contains(code), "{tasks}: {said}");
    }
    assert_eq!(bench.of_the_person(), before);

    let said = out(&bench.0.host(&["accept", "--tasks", "b"], 0));
    assert!(said.contains("1 attempt's edits of run") && said.contains("1 file,"), "{said}");
    assert_eq!(
        (bench.0.read("b.txt").as_str(), bench.0.read("a.txt").as_str()),
        ("b\n", "one\ntwo\nthree\n")
    );
    let message = bench.git(&["log", "-1", "--format=%B"]);
    assert!(message.contains("Take in a part of run") && message.contains("- b (done)"), "{message}");
    assert!(!message.contains("- a (done)"), "{message}");
    assert!(out(&bench.0.host(&["accept", "--tasks", "b"], 0)).contains("not there already"));
    assert_eq!(bench.git(&["status", "--porcelain"]), " M tasks.yml");

    // Both that belong together; the same commits as on the branch, where nothing else was between them.
    bench.0.host(&["accept", "--tasks", "c,a", "--squash"], 0);
    assert_eq!(bench.0.read("a.txt"), "one\ntwo\nthree\na\nc\n");
    bench.0.host(&["rollback", &format!("{}-2", bench.run_id())], 0);
    assert_eq!(bench.0.read("a.txt"), "one\ntwo\nthree\n");
    // The rest of it, over what was taken before.
    bench.0.host(&["accept"], 0);
    assert_eq!(
        (bench.0.read("b.txt").as_str(), bench.0.read("a.txt").as_str()),
        ("b\n", "one\ntwo\nthree\na\nc\n")
    );
    assert!(out(&bench.0.host(&["accept"], 0)).contains("not there already"));
    let tasks: Vec<Vec<u32>> = accepted(&bench).into_iter().map(|accepted| accepted.tasks).collect();
    assert_eq!(tasks, [vec![1], vec![0, 2], vec![]]);
    bench.is_sound();
}

/// A run that adds six lines twice, and whose guard asks about more than ten.
fn guarded() -> Bench {
    let lines = |file| format!("for n in 1 2 3 4 5 6; do echo $n >> {file}; done");
    let bench = Bench::new(&format!(
        "- {{id: x, command: [sh, -c, '{}']}}\n- {{id: y, command: [sh, -c, '{}']}}\n",
        lines("x.txt"),
        lines("y.txt")
    ));
    bind(&bench, "{lines_max: 10}");
    bench
}

fn bind(bench: &Bench, settings: &str) {
    let config = bench.0.read("config.yaml");
    let config = match config.split_once("settings:\n  demo/guard-protect: ") {
        Some((before, after)) => {
            let rest = after.split_once('\n').unwrap().1;
            format!("{before}settings:\n  demo/guard-protect: {settings}\n{rest}")
        }
        None => {
            let bound = format!(
                "settings:\n  demo/guard-protect: {settings}\nroles:\n  guards: {{shell: demo/guard-protect}}\n"
            );
            config.replacen("roles:\n", &bound, 1)
        }
    };
    bench.0.write("config.yaml", &config);
    bench.git(&["commit", "--quiet", "--all", "--message=guarded"]);
}

/// What the hint says of the change that guards ask about.
fn change(said: &str) -> String {
    said.split_once("--approve ").unwrap().1.split_whitespace().next().unwrap().trim_matches('`').to_owned()
}

#[test]
fn what_guards_ask_about_is_taken_in_by_a_second_word_and_what_they_refuse_by_none() {
    let bench = guarded();
    bench.0.run(&[], 0);
    let before = bench.of_the_person();
    let said = err(&bench.0.host(&["accept"], 6));
    let words = "guard `demo/guard-protect` asks about it (medium risk): 12 lines, more than 10";
    assert!(said.contains(words) && said.contains("accept-escalated"), "{said}");
    let other = err(&bench.0.host(&["accept", "--approve", "0123456789abcdef"], 6));
    assert!(other.contains("was another change"), "{other}");
    assert_eq!(change(&said), change(&other), "the same change has the same name");
    assert_eq!(bench.of_the_person(), before);
    assert_eq!(bench.git(&["for-each-ref", "refs/orch/before"]), "");

    // It is a yes to that tree alone.
    bench.0.write("mine", "x");
    bench.git(&["add", "mine"]);
    bench.git(&["commit", "--quiet", "--message=mine"]);
    let stale = err(&bench.0.host(&["accept", "--approve", &change(&said)], 6));
    assert!(stale.contains("was another change") && change(&stale) != change(&said), "{stale}");

    // A rule that came later refuses, whatever was let be.
    bind(&bench, "{lines_max: 10, protect: [{paths: [x.txt], then: refuse, why: later}]}");
    let refused = err(&bench.0.host(&["accept", "--approve", &change(&stale)], 1));
    assert!(
        refused.contains("accept-refused") && refused.contains("`x.txt` is protected: later"),
        "{refused}"
    );
    bind(&bench, "{lines_max: 10}");
    let said = err(&bench.0.host(&["accept"], 6));
    assert!(!bench.0.path().join("x.txt").exists());

    bench.0.host(&["accept", "--approve", &change(&said)], 0);
    assert_eq!(bench.0.read("x.txt"), "1\n2\n3\n4\n5\n6\n");
    assert_eq!(accepted(&bench)[0].over, ["demo/guard-protect"]);
    assert_eq!(
        bench.git(&["status", "--porcelain"]),
        "",
        "all of it is committed, `tasks.yml` by the person"
    );
    bench.is_sound();
}

#[test]
fn what_guards_allow_is_taken_in_at_once_and_they_are_asked_about_the_part_that_is_taken() {
    let bench = guarded();
    bench.0.run(&[], 0);
    bench.0.host(&["accept", "--tasks", "y"], 0);
    assert_eq!(bench.0.read("y.txt"), "1\n2\n3\n4\n5\n6\n");
    bench.0.host(&["accept", "--tasks", "x"], 0);
    let asked = |event: &Event| matches!(event, Event::Called(called) if called.call == "judge" && called.task.is_none());
    assert_eq!(bench.0.events().iter().filter(|event| asked(event)).count(), 2);
    assert!(accepted(&bench).iter().all(|accepted| accepted.over.is_empty()));
    bench.0.host(&["audit", "verify"], 0);
    bench.0.host(&["db", "check"], 0);
}

#[test]
fn a_guard_that_does_not_answer_lets_nothing_in() {
    let bench = Bench::new("- {id: x, command: [sh, -c, 'echo x > x.txt']}\n");
    bench.0.run(&[], 0);
    let root = bench.0.admit_hostile("does-not-answer");
    let config = bench.0.read("config.yaml");
    for (how, exit, said) in
        [("nothing", 6, "guard `demo/does-not-answer` could not judge it"), ("trap", 4, "code: plugin-trap")]
    {
        let bound = format!(
            "settings:\n  demo/does-not-answer: {{how: {how}}}\nroles:\n  guards: {{'*': demo/does-not-answer}}\n"
        );
        bench.0.write("config.yaml", &config.replacen("roles:\n", &bound, 1));
        bench.git(&["commit", "--quiet", "--all", "--message=guarded"]);
        let before = bench.of_the_person();
        let output = bench.0.host(&["accept", "--plugins", root.to_str().unwrap()], exit);
        assert!(err(&output).contains(said), "{how}: {}", err(&output));
        assert_eq!(bench.of_the_person(), before, "{how}");
    }
    // Without its package nobody can be asked.
    let refused = err(&bench.0.command(&["accept"]).output().unwrap());
    assert!(refused.contains("code: ") && !bench.0.path().join("x.txt").exists(), "{refused}");
    bench.is_sound();
}
