//! Layers of what a workspace says: the file, one of a person over it, variables over both, arguments over all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use orch_tests::served::serve;
use orch_tests::{Workspace, err, out};

/// Each says the variable that stands in different layers, and costs 1.
const TASKS: &str = "\
- {id: a, cost: 1, command: [sh, -c, 'echo \"$MODE\" >> said']}
- {id: b, cost: 1, command: [sh, -c, 'echo \"$MODE\" >> said']}
- {id: c, cost: 1, command: [sh, -c, 'echo \"$MODE\" >> said']}
- {id: d, cost: 1, command: [sh, -c, 'echo \"$MODE\" >> said']}
";

fn workspace() -> Workspace {
    let workspace = Workspace::new(TASKS);
    let policy = workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text.replace("env = [\"HOME\"", "env = [\"MODE\", \"HOME\"")).unwrap();
    let config = workspace.read("config.yaml");
    workspace.write("config.yaml", &format!("{config}jobs: 1\nbudget: {{limit: 1}}\nenv: {{MODE: base}}\n"));
    workspace.make_known();
    workspace
}

#[test]
fn a_persons_file_goes_over_the_workspaces_and_a_variable_over_both() {
    let workspace = workspace();
    let run = |variable: Option<&str>, exit: i32| {
        let mut host = workspace.command(&["run", "--retry-failed"]);
        host.env_remove("ORCH_BUDGET_LIMIT");
        if let Some(limit) = variable {
            host.env("ORCH_BUDGET_LIMIT", limit);
        }
        let output = host.output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{}{}", out(&output), err(&output));
        workspace.read("said")
    };
    assert_eq!(run(None, 1), "base\n", "one task is in the budget");
    workspace.write("config.local.yaml", "budget: {limit: 2}\nenv: {MODE: mine}\n");
    assert_eq!(run(None, 1), "base\nmine\nmine\n", "two are in one's own");
    assert_eq!(run(Some("0"), 0), "base\nmine\nmine\nmine\n");
    let shown = out(&workspace.host(&["config", "show", "--origin"], 0));
    for line in [
        "budget.limit: 2  # config.local.yaml",
        "env.MODE: (not shown)  # config.local.yaml",
        "jobs: 1  # config.yaml",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line}: {shown}");
    }
}

#[test]
fn a_variable_that_cannot_be_one_that_is_misspelt_and_one_beside_a_host_at_work_are_told() {
    let workspace = workspace();
    let run = |name: &str, value: &str| workspace.command(&["run"]).env(name, value).output().unwrap();
    let wrong = run("ORCH_JOBS", "many");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        err(&wrong).contains("`ORCH_JOBS` sets `jobs` to \"many\", expected 1 to 256"),
        "{}",
        err(&wrong)
    );
    let slip = run("ORCH_JOBZ", "2");
    assert!(
        err(&slip).contains("variable `ORCH_JOBZ` says nothing; the nearest is `ORCH_JOBS`"),
        "{}",
        err(&slip)
    );
    let _served = serve(&workspace, &[]);
    let beside = run("ORCH_JOBS", "2");
    assert_eq!(beside.status.code(), Some(2));
    assert!(
        err(&beside).contains("code: option-differs") && err(&beside).contains("ORCH_JOBS"),
        "{}",
        err(&beside)
    );
    // What counts over the file is the host's at work, too.
    workspace.write("config.local.yaml", "jobs: 2\n");
    assert!(err(&workspace.run(&[], 2)).contains("code: config-changed"));
}

#[test]
fn a_persons_file_narrows_and_never_widens() {
    let workspace = workspace();
    workspace.write("config.local.yaml", "policy: {}\n");
    assert!(err(&workspace.run(&[], 2)).contains("code: workspace-widens"));
    workspace.write(
        "config.local.yaml",
        "narrow: {demo/executor-shell: {process: {programs: [python3], env: [MODE]}}}\n",
    );
    let refused = err(&workspace.run(&[], 3));
    assert!(refused.contains("code: program-not-granted"), "{refused}");
    workspace.write("config.local.yml", "");
    assert!(err(&workspace.run(&[], 2)).contains("code: two-files"));
}
