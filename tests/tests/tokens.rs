//! Tokens of a host that serves: what each is good for, and what is left of one that was refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use orch_journal::Event;
use orch_tests::served::serve;
use serde_json::{Value, json};

use crate::served::{token, workspace};

#[test]
fn who_has_no_token_changes_nothing_and_a_scope_is_no_more_than_it_says() {
    let (workspace, root) = workspace("- {id: t, kind: note}\n", "");
    let (see, run) = (token(&workspace, "see", "read"), token(&workspace, "run", "run"));
    let mut served = serve(&workspace, &["--plugins", &root]);
    for (method, path, token, status, code) in [
        ("POST", "/count/count", None, 401, "token-missing"),
        ("POST", "/count/count", Some("orch_00"), 401, "token-unknown"),
        ("POST", "/count/count", Some(see.as_str()), 403, "token-scope"),
        ("GET", "/v1", None, 401, "token-missing"),
        ("GET", "/v1/runs", Some(run.as_str()), 403, "token-scope"),
        ("POST", "/v1/runs", Some(see.as_str()), 403, "token-scope"),
        ("GET", "/v1/nothing", Some(see.as_str()), 404, "path-unknown"),
        ("DELETE", "/v1/runs", Some(see.as_str()), 405, "method"),
        ("GET", "/nothing", None, 404, "path-unknown"),
    ] {
        let answer = served.ask(method, path, token, "");
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{method} {path} {answer:?}");
        assert!(answer.head.contains("application/problem+json"), "{answer:?}");
    }
    assert_eq!(served.get("/v1", Some(&see)).json()["run"], Value::Null);
    workspace.host(&["token", "revoke", "see"], 0);
    assert_eq!(served.get("/v1", Some(&see)).status, 401);
    // A word needs the scope of what it says, and no other.
    for (act, status) in [
        (json!({"act": "waive", "task": "t", "reason": "x"}), 403),
        (json!({"act": "waive-run", "reason": "x"}), 403),
        (json!({"act": "approve", "task": "t", "digest": "00"}), 403),
        (json!({"act": "deny", "task": "t"}), 403),
        (json!({"act": "resolve", "task": "t", "as": "done"}), 403),
        (json!({"act": "skip", "task": "t"}), 404),
        (json!({"act": "stop"}), 404),
    ] {
        let answer = served.ask("POST", "/v1/runs/none/acts", Some(&run), &act.to_string());
        assert_eq!(answer.status, status, "{act} {answer:?}");
    }
    assert_eq!(served.signal(rustix::process::Signal::TERM), 0);
    // Each kind of refusal is an event at once; what follows in the same minute is counted.
    let reader = workspace.reader();
    let stream = reader.stream().unwrap().unwrap();
    let refused: Vec<_> = reader
        .events(&stream)
        .filter_map(|event| match event.unwrap().1 {
            Event::TokenRefused { code, token, scope, client, times, .. } => {
                assert_eq!(client, "127.0.0.1");
                Some((code, token, scope, times))
            }
            _ => None,
        })
        .collect();
    let event = |code: &str, token: Option<&str>, scope: &str, times: u64| {
        (code.to_owned(), token.map(str::to_owned), scope.to_owned(), times)
    };
    let expected = [
        event("token-unknown", None, "run", 1),
        event("token-scope", Some("see"), "run", 1),
        event("token-scope", Some("run"), "read", 1),
        // The one that was revoked.
        event("token-unknown", None, "read", 1),
        event("token-scope", Some("run"), "approve", 1),
        // Counted until the end.
        event("token-scope", Some("run"), "approve", 4),
        event("token-scope", Some("see"), "run", 1),
    ];
    assert_eq!(refused, expected);

    // A service whose grant changes something answers everybody only where the operator says so.
    let policy = workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, format!("{text}\n[serve]\npublic = [\"demo/counts-requests\"]\n")).unwrap();
    let served = serve(&workspace, &["--plugins", &root]);
    assert_eq!(served.ask("POST", "/count/count", None, "").body, "1");
}
