//! R7: plugins that ask for more than their operator allows.

use orch_trust::digest::Sha256Digest;

use super::Cases;
use super::certification::single;
use crate::second::draft::Draft;
use crate::second::good::permissions;

pub(super) fn add(cases: &mut Cases) {
    let asks = [
        (r#"{"kv":{"labels":["notes"],"bytes":10}}"#, r#"{"kv":{"labels":["notes"],"bytes":9}}"#),
        (
            r#"{"artifacts":{"types":["text/*"],"count":1,"bytes":1}}"#,
            r#"{"artifacts":{"types":["text/html"],"count":9,"bytes":9}}"#,
        ),
        (
            r#"{"artifacts":{"types":["text/html"],"count":2,"bytes":1}}"#,
            r#"{"artifacts":{"types":["*"],"count":1,"bytes":9}}"#,
        ),
        (r#"{"kv":{"labels":["notes"],"bytes":10}}"#, r#"{"kv":{"labels":["other*"],"bytes":99}}"#),
        (r#"{"control":{"start":true}}"#, r#"{"control":{"stop":true,"read":true}}"#),
        (r#"{"control":{"read":true}}"#, "{}"),
        (r#"{"tasks":{"read":true}}"#, r#"{"tasks":{"add":5}}"#),
        (r#"{"tasks":{"add":3,"kinds":["shell"]}}"#, r#"{"tasks":{"add":3,"kinds":["note"]}}"#),
        (r#"{"files":{"read":["srcs/x"]}}"#, r#"{"files":{"read":["src/**"]}}"#),
        (r#"{"files":{"write":["a"]}}"#, r#"{"files":{"read":["**"]}}"#),
        (r#"{"git":{"read":["a"]}}"#, r#"{"files":{"read":["**"]}}"#),
        (r#"{"git":{"read":["a/b"]}}"#, r#"{"git":{"read":["b/**"]}}"#),
        (r#"{"process":{"programs":["sh"]}}"#, r#"{"process":{"programs":["git"]}}"#),
        (r#"{"process":{"programs":["bin/a/sh"]}}"#, r#"{"process":{"programs":["bin/*"]}}"#),
        (r#"{"process":{"programs":[],"env":["A@sh"]}}"#, r#"{"process":{"programs":[],"env":["A"]}}"#),
        (r#"{"process":{"programs":["*"]}}"#, "{}"),
        (
            r#"{"process":{"programs":[],"network":["a.example:443"]}}"#,
            r#"{"process":{"programs":[],"network":["a.example:80","*.a.example:443"]}}"#,
        ),
        (
            r#"{"process":{"programs":[],"network":["127.0.0.1:443"]}}"#,
            r#"{"process":{"programs":[],"network":["*:443"]}}"#,
        ),
        (
            r#"{"http":[{"hosts":["a.b.example:443"],"methods":[],"paths":[]}]}"#,
            r#"{"http":[{"hosts":["*.example:443"],"methods":[],"paths":[]}]}"#,
        ),
        (
            r#"{"http":[{"hosts":[],"methods":["POST"],"paths":["/v2/"]}]}"#,
            r#"{"http":[{"hosts":[],"methods":["POST"],"paths":["/v1/"]}]}"#,
        ),
        (
            r#"{"http":[{"hosts":["*"],"methods":["POST"],"paths":["/"]}]}"#,
            r#"{"http":[{"hosts":["a.example:443"],"methods":["POST"],"paths":["/v1/"]}]}"#,
        ),
        (
            r#"{"http":[{"hosts":["*"],"methods":["POST"],"paths":["/"]}]}"#,
            r#"{"http":[{"scheme":"http","hosts":["a.example:443"],"methods":["POST"],"paths":["/"]}]}"#,
        ),
        (
            r#"{"secrets":{"use":[{"name":"a","host":"*"}]}}"#,
            r#"{"secrets":{"use":[{"name":"b","host":"h.example:1"}]}}"#,
        ),
        (r#"{"wasi":{"random":true}}"#, r#"{"wasi":{"clocks":true}}"#),
        (r#"{"metrics":{"read":["code.a"]}}"#, r#"{"metrics":{}}"#),
        (r#"{"metrics":{"read":["code.*"]}}"#, r#"{"metrics":{"read":["code.a","codes*"]}}"#),
        (r#"{"metrics":{"read":["*"]}}"#, r#"{"metrics":{"read":["code.*"]}}"#),
        (r#"{"llm":{"models":["a"],"tokens":2}}"#, r#"{"llm":{"models":["a"],"tokens":1}}"#),
        (r#"{"llm":{"models":["a"],"tokens":1}}"#, r#"{"llm":{"models":["b"],"tokens":1}}"#),
        (r#"{"embed":{"models":["a"],"bytes":2}}"#, r#"{"embed":{"models":["a"],"bytes":1}}"#),
        (r#"{"embed":{"models":["a"],"bytes":1}}"#, r#"{"embed":{"models":["b"],"bytes":1}}"#),
        (r#"{"retrieve":{"collections":["a"]}}"#, r#"{"retrieve":{"collections":["b"]}}"#),
        (r#"{"vectors":{"write":["a"],"bytes":1}}"#, r#"{"vectors":{"read":["a"],"bytes":1}}"#),
        (r#"{"vectors":{"read":["a"],"bytes":2}}"#, r#"{"vectors":{"read":["a"],"bytes":1}}"#),
        (
            r#"{"secrets":{"use":[{"name":"a","host":"h.example:1"}]}}"#,
            r#"{"secrets":{"use":[{"name":"a","host":"i.example:1"}]}}"#,
        ),
        (r#"{"log":{}}"#, "{}"),
    ];
    for (number, (asked, bound)) in asks.into_iter().enumerate() {
        cases.add("R7", format!("{asked} where {bound} is, {number}"), single, |draft| {
            draft.manifest["permissions"] = serde_json::from_str(asked).unwrap();
            draft.component =
                crate::second::wasm::Wasm { exports: exports(draft), ..Default::default() }.bytes();
            draft.operator.allow = permissions(asked);
            draft.operator.approval.as_mut().unwrap().permissions = permissions(asked);
            match number % 3 {
                0 => draft.operator.allow = permissions(bound),
                1 => draft.operator.approval.as_mut().unwrap().permissions = permissions(bound),
                _ => draft.operator.publishers[0].max_permissions = Some(permissions(bound)),
            }
        });
    }
    cases.add("R7", "nobody approved it", single, |draft| draft.operator.approval = None);
    cases.add("R7", "an approval of another plugin", single, |draft| {
        draft.operator.approval.as_mut().unwrap().id = "acme/other".into()
    });
    cases.add("R7", "denied by its id", single, |draft| {
        draft.operator.deny.ids.push(draft.release.id.to_string())
    });
    cases.add("R7", "denied by a digest", single, |draft| {
        draft.operator.deny.digests.push(Sha256Digest::of(&draft.component))
    });
}

/// What makes the draft's plugin what it says it is.
fn exports(draft: &Draft) -> Vec<String> {
    let roles = draft.manifest["roles"].as_array().unwrap();
    let export = |role: &serde_json::Value| match role.as_str().unwrap() {
        "service" => "wasi:http/incoming-handler@0.2.0".to_owned(),
        "provider" => "orch:notify/provide@0.1.0".to_owned(),
        role => format!("orch:{role}/{role}@0.1.0"),
    };
    roles.iter().map(export).collect()
}
