//! Thresholds of findings count exactly.

use orch_tests::{Workspace, out};

use crate::gates::{AT_A_TASK, AT_THE_RUN, config};

/// What a tool prints that finds so many.
fn found(major: usize, medium: usize) -> String {
    let line = |word: &str, n: usize| format!("f.py:{}:1: {word}: x{n}\n", n + 1);
    let errors = (0..major).map(|n| line("error", n));
    errors.chain((0..medium).map(|n| line("warning", n + major))).collect()
}

#[test]
fn each_threshold_counts_exactly_for_a_task_and_for_the_run() {
    // At each threshold and above it, beside the other kind at its own and above.
    let mut cases = Vec::new();
    for (max_major, max_medium, medium_fails) in [(0, 2, false), (2, 0, true), (1, 2, true)] {
        for major in [max_major, max_major + 1] {
            for medium in [max_medium, max_medium + 1] {
                let fails = major > max_major || (medium_fails && medium > max_medium);
                cases.push((max_major, max_medium, medium_fails, major, medium, fails));
            }
        }
    }
    assert!(cases.iter().any(|case| case.5) && cases.iter().any(|case| !case.5 && case.4 > case.1));
    for (max_major, max_medium, medium_fails, major, medium, fails) in cases {
        let case = format!("{max_major} {max_medium} {medium_fails}: {major} major, {medium} medium");
        for at_a_task in [true, false] {
            let workspace = Workspace::new(if at_a_task { AT_A_TASK } else { AT_THE_RUN });
            workspace.write("found", &found(major, medium));
            // What was found at the task is not found at the run again.
            let once = if at_a_task { "test -e looked && exit 0; touch looked; " } else { "" };
            let check = match (major, medium) {
                (0, 0) => "command: ['true']".to_owned(),
                // A tool that fails has found more than warnings.
                _ => format!(
                    "command: [sh, -c, '{once}cat found; exit {}'], format: path-line-col",
                    major.min(1)
                ),
            };
            let thresholds = format!(
                "findings: {{max_major: {max_major}, max_medium: {max_medium}, medium_fails: {medium_fails}}}\n"
            );
            workspace.write("config.yaml", &(config(&check) + &thresholds));
            let text = out(&workspace.run(&["--jobs", "1"], i32::from(fails)));
            let counted = text.contains(&format!("findings: {major} major, {medium} medium, 0 minor"));
            assert!(counted || major + medium == 0, "{case}: {text}");
            assert_eq!(text.contains("findings-medium"), !fails && medium > max_medium, "{case}: {text}");
            if at_a_task {
                assert_eq!(workspace.statuses()["a"], if fails { "failed" } else { "done" }, "{case}");
                assert_eq!(workspace.path().join("behind").exists(), !fails, "{case}");
            }
        }
    }
}
