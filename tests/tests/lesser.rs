//! Lesser things that people tripped over: words, counts, and what many requests cost.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;

use orch_tests::served::serve;
use orch_tests::{Workspace, err, out};
use serde_json::Value;

#[test]
fn many_requests_for_the_state_of_a_large_workspace_share_what_they_read() {
    const REQUESTS: usize = 64;
    const MIB: u64 = 1 << 10;
    let text = "d".repeat(400);
    let tasks: String =
        (0..40_000).map(|nth| format!("- {{id: t{nth}, kind: note, description: {text}}}\n")).collect();
    let workspace = Workspace::new(&tasks);
    let config =
        workspace.read("config.yaml") + "  services: {/status: demo/service-status}\nbudget: {limit: 1}\n";
    workspace.write("config.yaml", &config);
    workspace.make_known();
    let token = out(&workspace.host(&["token", "add", "all", "--scope", "run,read"], 0)).trim().to_owned();
    workspace.run(&[], 1);
    let served = serve(&workspace, &[]);
    let in_kib = |what: &str| {
        let status = fs::read_to_string(format!("/proc/{}/status", served.host.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap().to_owned();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let ask = || served.get("/status", Some(&token));
    assert_eq!(ask().json()["total"], 40_000);
    let before = in_kib("VmRSS:");
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..REQUESTS).map(|_| scope.spawn(ask)).collect();
        for one in asked {
            let answer = one.join().unwrap();
            // Who comes while all slots are taken is asked to come again.
            assert!(matches!(answer.status, 200 | 503), "{answer:?}");
        }
    });
    // One copy of all tasks for each of them would be a GiB and more.
    let most = in_kib("VmHWM:");
    assert!(most < before + 300 * MIB, "from {before} KiB to {most} KiB");
    assert_eq!(ask().status, 200);
}

#[test]
fn what_a_run_was_and_how_long_it_took_stands_in_every_report() {
    let workspace =
        Workspace::new("- {id: a, command: [sh, -c, 'echo said; exit 1']}\n- {id: b, kind: note}\n");
    workspace.run(&[], 1);
    let report: Value =
        serde_json::from_slice(&workspace.host(&["report", "--format", "json"], 0).stdout).unwrap();
    assert!(report["run"]["metadata"]["plugins"].is_array(), "no text that has JSON: {}", report["run"]);
    for format in ["text", "markdown"] {
        let said = out(&workspace.host(&["report", "--format", format], 0));
        let started = report["run"]["started_at"].as_str().unwrap();
        assert!(said.contains(&started[..10]), "when it began: {said}");
        assert!(said.contains("logs/task-a"), "where its output is: {said}");
        assert!(said.contains("took "), "how long it took: {said}");
    }
}

#[test]
fn what_is_blocked_is_said_and_a_run_that_goes_on_counts_from_what_is_there() {
    let tasks = "- {id: bad, command: ['false']}\n- {id: behind, kind: note, dependencies: [bad]}\n- {id: good, kind: note}\n";
    let workspace = Workspace::new(tasks);
    let said = out(&workspace.run(&[], 1));
    assert!(said.contains("tasks: 1 blocked, 1 done, 1 failed"), "{said}");
    assert_eq!(workspace.statuses()["behind"], "blocked");
    // Gone on with, it counts from what is there.
    let said = out(&workspace.run(&["--retry-failed"], 1));
    assert!(said.contains("tasks: 1 blocked, 1 done, 1 failed"), "{said}");
}

#[test]
fn a_task_file_that_is_a_link_is_refused_by_name() {
    let workspace = Workspace::new("[]");
    fs::rename(workspace.path().join("tasks.yml"), workspace.path().join("real.yml")).unwrap();
    std::os::unix::fs::symlink("real.yml", workspace.path().join("tasks.yml")).unwrap();
    let said = err(&workspace.run(&[], 2));
    assert!(said.contains("code: task-file-not-a-file") && said.contains("tasks.yml"), "{said}");
}

#[test]
fn one_is_one_wherever_a_number_is_said() {
    let workspace = Workspace::new("- {id: a, kind: note}\n");
    let said = out(&workspace.run(&["--dry-run"], 0));
    assert!(said.contains("1 task is sound"), "{said}");
    workspace.write("tasks.yml", "- {id: a, kind: note}\n- {id: b, kind: note}\n");
    assert!(out(&workspace.run(&["--dry-run"], 0)).contains("2 tasks are sound"));
}
