//! Answers of guests, checked on their way out.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::reflector::{Reflect, Reflector};
use super::service::{Handle, Service};
use super::verifier::{Subject, Verifier};
use crate::call::CallReport;
use crate::capability::bench::Bench;
use crate::engine::Engine;
use crate::engine::fixture::{candidate, module};

const WALL: Duration = Duration::from_secs(10);

/// A reflector that asks `count` times for one task of kind `shell`, laid out by hand.
fn reflector(count: u32) -> String {
    let tasks: String = (0..count)
        .map(|place| {
            let at = 2048 + place * 68;
            format!(
                "(i32.store (i32.const {}) (i32.const 600)) (i32.store (i32.const {}) (i32.const 5))",
                at + 20,
                at + 24
            )
        })
        .collect();
    module(
        "",
        &format!(
            r#"(data (i32.const 600) "shell")
            (func (export "orch:reflector/reflector@0.2.0#reflect") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
                {tasks}
                (i32.store (i32.const 4) (i32.const 2048)) (i32.store (i32.const 8) (i32.const {count}))
                (i32.const 0))"#
        ),
    )
}

async fn reflect(count: u32, tasks: Value) -> String {
    let engine = Engine::certification().unwrap();
    let candidate = candidate("reflector", &reflector(count), json!({"tasks": tasks}), json!({}));
    let reflector = Reflector::link(&engine, engine.compile(candidate).unwrap()).unwrap();
    let ask = Reflect { run: "run-1".to_owned(), tasks: 0, left: 0, goal: String::new() };
    let report = reflector.call(Bench::new().context("/".into(), WALL), &ask).await;
    match report.result {
        Ok(asked) => format!("{} asked", asked.len()),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_reflectors_answer_is_held_against_its_grant() {
    assert_eq!(reflect(2, json!({"add": 2, "kinds": ["shell"]})).await, "2 asked");
    let refused = "plugin `demo/guest` gave an answer that is not allowed: it asks for a task: ";
    let other_kind = reflect(1, json!({"add": 2, "kinds": ["note"]})).await;
    assert_eq!(other_kind, format!("{refused}kind `shell` is not granted"));
    let too_many = reflect(3, json!({"add": 2, "kinds": ["shell"]})).await;
    assert_eq!(too_many, format!("{refused}more tasks than `tasks.add = 2`"));
}

/// A verifier that answers with `count` findings, all zeros: major, build, no message.
async fn verify(count: u32) -> String {
    let body = format!(
        r#"(func (export "orch:verifier/verifier@0.1.0#verify")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64) (result i32)
            (i32.store (i32.const 4) (i32.const 65536)) (i32.store (i32.const 8) (i32.const {count}))
            (i32.const 0))"#
    );
    let engine = Engine::certification().unwrap();
    let limits = json!({"outputKiB": 1024});
    let candidate = candidate("verifier", &module("", &body), json!({}), limits);
    let verifier = Verifier::link(&engine, engine.compile(candidate).unwrap()).unwrap();
    let context = Bench::new().context("/".into(), WALL);
    let report = verifier.call(context, &Subject::Run("run-1".to_owned())).await;
    report.result.map_or_else(|error| error.code().to_owned(), |found| format!("{} found", found.len()))
}

#[tokio::test]
async fn a_verifier_gives_at_most_a_thousand_findings() {
    assert_eq!(verify(1000).await, "1000 found");
    assert_eq!(verify(1001).await, "plugin-answer");
}

/// A service; `body` may use the response outparam in local 1.
fn service(body: &str) -> String {
    let imports = r#"
        (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
        (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
        (import "wasi:http/types@0.2.12" "[method]outgoing-response.body" (func $body (param i32 i32)))
        (import "wasi:http/types@0.2.12" "[method]outgoing-body.write" (func $stream (param i32 i32)))
        (import "wasi:http/types@0.2.12" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
        (import "wasi:http/types@0.2.12" "[static]response-outparam.set"
            (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
        (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
            (func $write (param i32 i32 i32 i32)))
        (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop (param i32)))"#;
    let handle = format!(
        r#"(func (export "wasi:http/incoming-handler@0.2.12#handle") (param i32 i32)
            (local $r i32) (local $b i32) (local $s i32) (local $i i32) {body})"#
    );
    module(imports, &handle)
}

/// Sets a response and writes 4096 bytes so many times.
fn respond(chunks: u32) -> String {
    format!(
        "(local.set $r (call $response (call $fields)))
        (call $body (local.get $r) (i32.const 16))
        (local.set $b (i32.load (i32.const 20)))
        (call $set (local.get 1) (i32.const 0) (local.get $r) (i32.const 0) (i64.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
        (call $stream (local.get $b) (i32.const 16))
        (local.set $s (i32.load (i32.const 20)))
        (loop $again
            (call $write (local.get $s) (i32.const 4096) (i32.const 4096) (i32.const 32))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const {chunks}))))
        (call $drop (local.get $s))"
    )
}

const FINISH: &str = "(call $finish (local.get $b) (i32.const 0) (i32.const 0) (i32.const 64))";

async fn handle(body: &str, wall: Duration) -> CallReport<http::Response<Bytes>> {
    let engine = Engine::run(1, 0).unwrap();
    let permissions = json!({"wasi": {"http_types": true}});
    let candidate = candidate("service", &service(body), permissions, json!({"busyMs": 50, "outputKiB": 16}));
    let service = Service::link(&engine, engine.compile(candidate).unwrap()).unwrap();
    let request = Request::get("http://localhost/status").body(Bytes::new()).unwrap();
    service.call(Bench::new().context("/".into(), wall), &Handle(request)).await
}

#[tokio::test]
async fn a_services_response_is_collected_whole() {
    let response = handle(&format!("{}{FINISH}", respond(3)), WALL).await.result.unwrap();
    assert_eq!((response.status().as_u16(), response.body().len()), (200, 3 * 4096));
}

#[tokio::test]
async fn a_service_that_does_not_answer_well_is_named_and_nobody_waits() {
    let code = async |body: &str| match handle(body, WALL).await.result {
        Ok(response) => panic!("{} bytes", response.body().len()),
        Err(error) => error.code(),
    };
    let began = std::time::Instant::now();
    assert_eq!(code("").await, "plugin-answer", "no response");
    assert_eq!(code(&respond(1)).await, "plugin-answer", "a body without an end");
    assert_eq!(code(&format!("{}{FINISH}", respond(5))).await, "limit-output", "20 KiB of 16");
    assert_eq!(code("(unreachable)").await, "plugin-trap");
    assert_eq!(code("(loop $again (br $again))").await, "limit-busy");
    assert!(began.elapsed() < WALL);
}
