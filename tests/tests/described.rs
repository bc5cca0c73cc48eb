//! The HTTP interfaces, asked by a program that knows nothing but their own descriptions (schemathesis).
//!
//! Limits: a fixed seed, [`EXAMPLES`] requests of each kind an operation.
//! Not here: where the program comes from (`xtask/src/python.rs`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::process::Command;

use orch_tests::served::{Served, serve};
use orch_tests::{Workspace, out, root, until};

const EXAMPLES: &str = "25";
const SEED: &str = "20261129";

/// Asks everything that the description at that path says; what is found is the test's failure.
fn ask(served: &Served, description: &str, token: &str, more: &[&str]) {
    let program = root().join("target/described/bin/st");
    assert!(program.exists(), "`{}` is missing: run `cargo xtask test`", program.display());
    let folder = tempfile::tempdir().unwrap();
    let mut st = Command::new(program);
    st.current_dir(folder.path()).env("HOME", folder.path());
    st.args(["run", &format!("http://{}{description}", served.services), "--no-color"]);
    st.args(["--header", &format!("Authorization: Bearer {token}")]);
    st.args(["--seed", SEED, "--max-examples", EXAMPLES, "--generation-database", "none"]);
    // A server is asked here that nobody else uses: what takes longer than this hangs.
    st.args([
        "--request-timeout",
        "10",
        "--warnings",
        "off",
        "--suppress-health-check",
        "all",
        "--no-shrink",
        "--continue-on-failure",
    ]);
    let asked = st.args(more).output().unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "{said}{}", String::from_utf8_lossy(&asked.stderr));
    assert!(said.contains("No issues found"), "{said}");
}

fn place() -> (Workspace, String) {
    let workspace = Workspace::new("- {id: t, kind: note}\n- {id: u, kind: note}\n");
    let services = "  services: {/o: demo/service-orchestrator-api, /b: demo/service-broker}\n";
    workspace.write("config.yaml", &(workspace.read("config.yaml") + services));
    workspace.make_known();
    let token = workspace.host(&["token", "add", "all", "--scope", "read,run,approve"], 0);
    (workspace, out(&token).trim().to_owned())
}

#[test]
fn the_control_api_is_as_it_describes_itself() {
    let (workspace, token) = place();
    workspace.run(&[], 0);
    let served = serve(&workspace, &[]);
    // Events of a run that is there come without an end.
    ask(&served, "/v1/openapi.json", &token, &["--exclude-path-regex", "/events$"]);
    assert_eq!(served.get("/v1", Some(&token)).status, 200);
}

#[test]
fn the_orchestrator_api_is_as_it_describes_itself() {
    let (workspace, token) = place();
    let served = serve(&workspace, &[]);
    ask(&served, "/o/openapi.json", &token, &[]);
    until(|| served.get("/o/status", Some(&token)).json()["state"] == "idle");
    workspace.host(&["db", "check"], 0);
}

#[test]
fn the_broker_is_as_it_describes_itself() {
    let (workspace, token) = place();
    let served = serve(&workspace, &[]);
    // Some tasks to lease, end and refuse; schemathesis adds more.
    for number in 0..5 {
        let added =
            served.ask("POST", "/b/tasks", Some(&token), &format!(r#"{{"id":"t{number}","command":"x"}}"#));
        assert_eq!(added.status, 201);
    }
    ask(&served, "/b/openapi.json", &token, &[]);
    assert_eq!(served.get("/b/tasks", Some(&token)).status, 200);
    workspace.host(&["db", "check"], 0);
}
