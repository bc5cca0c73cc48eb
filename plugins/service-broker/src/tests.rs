//! Requests in their order, on a host of the SDK's.

use std::time::Duration;

use orch_sdk::testing::Host;

use super::*;

struct Told {
    status: u16,
    body: Vec<u8>,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn ask(host: &Host, method: &str, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Told {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (path, None),
    };
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query,
        headers: vec![
            ("content-type".to_owned(), kind.into()),
            ("x-forwarded-prefix".to_owned(), b"/broker".to_vec()),
        ],
        body: body.into(),
    };
    let response = host.play(|| Broker::handle(request)).unwrap();
    Told { status: response.status, body: response.body }
}

fn get(host: &Host, path: &str) -> Told {
    ask(host, "GET", path, "", "")
}

fn post(host: &Host, path: &str, body: Value) -> Told {
    ask(host, "POST", path, "application/json", body.to_string())
}

fn wait(host: &Host, seconds: u64) {
    host.play(|| clocks::sleep(Duration::from_secs(seconds)));
}

#[test]
fn a_task_is_added_leased_and_ended_once() {
    let host = Host::new();
    assert_eq!(get(&host, "/tasks/next").status, 204);
    let added = post(&host, "/tasks", json!({ "command": "make" }));
    assert_eq!(
        (added.status, &added.json()["id"], &added.json()["status"]),
        (201, &json!("1"), &json!("pending"))
    );
    let leased = get(&host, "/tasks/next?worker=w1");
    assert_eq!((leased.status, &leased.json()["lease"]["worker"]), (200, &json!("w1")));
    assert_eq!(get(&host, "/tasks/next").status, 204, "nobody else gets it");
    let fence = leased.json()["fence"].clone();
    let said = json!({ "fence": fence, "exit_code": 0, "stdout": "built\n" });
    let ended = post(&host, "/tasks/1/result", said.clone());
    assert_eq!((ended.status, &ended.json()["status"]), (200, &json!("done")));
    let again = post(&host, "/tasks/1/result", said);
    assert_eq!((again.status, again.code().as_str()), (409, "result-accepted"));
    assert_eq!(get(&host, "/tasks/1/output/stdout").body, b"built\n");
    assert_eq!(get(&host, "/tasks/1/output/stderr").body, b"");
}

#[test]
fn the_highest_priority_goes_first_then_who_came_first() {
    let host = Host::new();
    for (id, priority) in [("a", 1), ("b", 100), ("c", 50), ("d", 50)] {
        post(&host, "/tasks", json!({ "id": id, "command": ["x"], "priority": priority }));
    }
    let order: Vec<_> = (0..4).map(|_| get(&host, "/tasks/next").json()["id"].clone()).collect();
    assert_eq!(order, ["b", "c", "d", "a"]);
}

#[test]
fn a_dead_workers_task_comes_back_and_its_late_result_is_refused() {
    let host = Host::new();
    post(&host, "/tasks", json!({ "id": "a", "command": "x" }));
    post(&host, "/tasks", json!({ "id": "b", "command": "x" }));
    let first = get(&host, "/tasks/next?lease_seconds=10&worker=w1").json();
    let sent =
        ask(&host, "POST", "/tasks/a/output/stdout?fence=1&offset=0", "application/octet-stream", "half");
    assert_eq!((sent.status, &sent.json()["stdout_bytes"]), (200, &json!(4)));
    wait(&host, 9);
    assert_eq!(post(&host, "/tasks/a/heartbeat", json!({ "fence": first["fence"] })).status, 200);
    wait(&host, 9);
    assert_eq!(get(&host, "/tasks/next?worker=w2").json()["id"], "b", "the lease was renewed");
    wait(&host, 2);
    let second = get(&host, "/tasks/next?worker=w2").json();
    assert_eq!(
        (&second["id"], &second["attempts"], &second["stdout_bytes"]),
        (&json!("a"), &json!(2), &json!(0))
    );
    assert!(second["fence"].as_u64() > first["fence"].as_u64());
    let late = post(&host, "/tasks/a/result", json!({ "fence": first["fence"], "exit_code": 0 }));
    assert_eq!((late.status, late.code().as_str()), (409, "lease-lost"));
    let late =
        ask(&host, "POST", "/tasks/a/output/stdout?fence=1&offset=0", "application/octet-stream", "late");
    assert_eq!((late.status, late.code().as_str()), (409, "lease-lost"));
    assert_eq!(post(&host, "/tasks/a/heartbeat", json!({ "fence": first["fence"] })).code(), "lease-lost");
    let ended = post(&host, "/tasks/a/result", json!({ "fence": second["fence"], "exit_code": 3 }));
    assert_eq!(
        (&ended.json()["status"], &ended.json()["result"]["worker"]),
        (&json!("failed"), &json!("w2"))
    );
    let other = post(&host, "/tasks/b/result", json!({ "fence": second["fence"], "exit_code": 0 }));
    assert_eq!(other.code(), "lease-lost", "the fence of another task");
}

#[test]
fn a_lease_that_is_given_back_counts_as_none() {
    let host = Host::new();
    post(&host, "/tasks", json!({ "id": "a", "command": "x", "max_attempts": 1 }));
    post(&host, "/tasks", json!({ "id": "b", "command": "x" }));
    let first = get(&host, "/tasks/next?worker=w1").json();
    ask(&host, "POST", "/tasks/a/output/stdout?fence=1&offset=0", "application/octet-stream", "half");
    assert_eq!(post(&host, "/tasks/a/release", json!({ "fence": 9 })).code(), "lease-lost");
    let back = post(&host, "/tasks/a/release", json!({ "fence": first["fence"] }));
    let found = back.json();
    assert_eq!((back.status, &found["status"], &found["stdout_bytes"]), (200, &json!("pending"), &json!(0)));
    for path in ["release", "heartbeat"] {
        assert_eq!(
            post(&host, &format!("/tasks/a/{path}"), json!({ "fence": first["fence"] })).code(),
            "not-leased"
        );
    }
    let second = get(&host, "/tasks/next?worker=w2").json();
    assert_eq!((&second["id"], &second["attempts"]), (&json!("a"), &json!(1)), "in its old place");
    assert!(second["fence"].as_u64() > first["fence"].as_u64());
    let late = post(&host, "/tasks/a/result", json!({ "fence": first["fence"], "exit_code": 0 }));
    assert_eq!(late.code(), "lease-lost");
    assert_eq!(
        post(&host, "/tasks/a/result", json!({ "fence": second["fence"], "exit_code": 0 })).status,
        200
    );
    assert_eq!(
        post(&host, "/tasks/a/release", json!({ "fence": second["fence"] })).code(),
        "result-accepted"
    );
    assert_eq!(get(&host, "/tasks/b").json()["status"], "pending");
}

#[test]
fn a_result_that_is_late_counts_while_nobody_asked_for_the_task() {
    let host = Host::new();
    post(&host, "/tasks", json!({ "id": "a", "command": "x" }));
    let leased = get(&host, "/tasks/next?lease_seconds=1").json();
    wait(&host, 100);
    assert_eq!(
        post(&host, "/tasks/a/result", json!({ "fence": leased["fence"], "exit_code": 0 })).status,
        200
    );
    assert_eq!(get(&host, "/tasks/next").status, 204);
}

#[test]
fn output_is_whole_whatever_its_pieces_are() {
    let host = Host::new();
    post(&host, "/tasks", json!({ "id": "a", "command": "x" }));
    let fence = get(&host, "/tasks/next").json()["fence"].as_u64().unwrap();
    let whole: Vec<u8> = (0..700_000_u32).map(|number| (number % 251) as u8).collect();
    let mut at = 0;
    for length in [1, 48 * 1024, 7, 48 * 1024 - 8].into_iter().cycle() {
        let piece = &whole[at..whole.len().min(at + length)];
        let path = format!("/tasks/a/output/stderr?fence={fence}&offset={at}");
        assert_eq!(ask(&host, "POST", &path, "application/octet-stream", piece).status, 200);
        // The same once more, as of who did not hear the answer.
        assert_eq!(ask(&host, "POST", &path, "application/octet-stream", piece).status, 200);
        at += piece.len();
        if at == whole.len() {
            break;
        }
    }
    let gap = format!("/tasks/a/output/stderr?fence={fence}&offset={}", at + 1);
    assert_eq!(ask(&host, "POST", &gap, "application/octet-stream", "x").code(), "offset");
    let mut read = Vec::new();
    loop {
        let piece = get(&host, &format!("/tasks/a/output/stderr?offset={}", read.len())).body;
        if piece.is_empty() {
            break;
        }
        read.extend(piece);
    }
    assert!(read == whole, "{} of {} bytes", read.len(), whole.len());
    assert_eq!(get(&host, "/tasks/a/output/stderr?offset=700001").body, b"");
    post(&host, "/tasks/a/result", json!({ "fence": fence, "exit_code": null, "reason": "signal 9" }));
    assert_eq!(ask(&host, "DELETE", "/tasks/a", "", "").status, 204);
    let left = host.play(|| orch_sdk::kv::Bucket::open("queue").unwrap().keys("").unwrap());
    assert_eq!(left, ["n/fence", "n/sequence"], "nothing of it is left");
}

#[test]
fn what_is_worked_on_is_not_removed_and_what_waits_is() {
    let host = Host::new();
    for id in ["a", "b"] {
        post(&host, "/tasks", json!({ "id": id, "command": "x" }));
    }
    get(&host, "/tasks/next");
    assert_eq!(ask(&host, "DELETE", "/tasks/a", "", "").code(), "in-progress");
    assert_eq!(ask(&host, "DELETE", "/tasks/b", "", "").status, 204);
    assert_eq!(get(&host, "/tasks/next").status, 204);
    assert_eq!(get(&host, "/tasks/b").status, 404);
    assert_eq!(post(&host, "/tasks", json!({ "id": "a", "command": "x" })).code(), "id-taken");
}

#[test]
fn what_says_how_long_it_is_kept_is_removed_by_itself_after_its_end() {
    let host = Host::new();
    for id in ["a", "b", "c"] {
        post(&host, "/tasks", json!({ "id": id, "command": "x", "max_attempts": 1, "keep_seconds": 10 }));
    }
    post(&host, "/tasks", json!({ "id": "stays", "command": "x" }));
    let end = |host: &Host, wanted: &str| {
        let leased = get(host, "/tasks/next?lease_seconds=5").json();
        assert_eq!(leased["id"], wanted);
        let said = json!({ "fence": leased["fence"], "exit_code": 0, "stdout": "x" });
        assert_eq!(post(host, &format!("/tasks/{wanted}/result"), said).status, 200);
    };
    end(&host, "a");
    assert_eq!(get(&host, "/tasks/next?lease_seconds=5").json()["id"], "b", "whose lease lapses");
    wait(&host, 6);
    end(&host, "c");
    end(&host, "stays");
    assert_eq!(get(&host, "/tasks/b").json()["status"], "failed");
    wait(&host, 5);
    assert_eq!(get(&host, "/tasks/next").status, 204);
    let there = |id: &str| get(&host, &format!("/tasks/{id}")).status;
    assert_eq!([there("a"), there("b"), there("c")], [404, 200, 200], "so long after its own end");
    assert_eq!(ask(&host, "DELETE", "/tasks/c", "", "").status, 204);
    wait(&host, 100);
    assert_eq!(get(&host, "/tasks/next").status, 204);
    assert_eq!([there("b"), there("stays")], [404, 200]);
    let left = host.play(|| orch_sdk::kv::Bucket::open("queue").unwrap().keys("").unwrap());
    assert_eq!(
        left,
        ["n/fence", "n/sequence", "o/stays/stdout/000000", "t/stays"],
        "nothing of them is left"
    );
}

#[test]
fn lists_go_on_where_they_stopped() {
    let host = Host::new();
    for number in 0..1205 {
        post(&host, "/tasks", json!({ "id": format!("t{number:04}"), "command": "x" }));
    }
    for _ in 0..3 {
        get(&host, "/tasks/next");
    }
    for (status, count) in
        [("", 1205), ("&status=pending", 1202), ("&status=in_progress", 3), ("&status=done", 0)]
    {
        let (mut found, mut after) = (0, String::new());
        loop {
            let page = get(&host, &format!("/tasks?limit=500{status}{after}")).json();
            found += page["tasks"].as_array().unwrap().len();
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(found, count, "{status}");
    }
}

#[test]
fn what_the_host_does_not_do_has_its_status() {
    let denied = Host::new().without("kv");
    let found = get(&denied, "/tasks");
    assert_eq!((found.status, found.code().as_str()), (403, "denied"));
    assert_eq!(Problem::of_host(orch_sdk::Error::Limit("kv.bytes".to_owned())).into_response().status, 507);
    assert_eq!(Problem::of_host(orch_sdk::Error::Unavailable).into_response().status, 503);
    let damaged = Host::new().with_value("queue", "t/a", "no task");
    assert_eq!(get(&damaged, "/tasks/a").code(), "queue-damaged");
}

#[test]
fn the_description_has_every_route_below_the_mount() {
    let described = get(&Host::new(), "/openapi.json").json();
    assert_eq!(described["servers"][0]["url"], "/broker");
    let paths: Vec<_> = described["paths"].as_object().unwrap().keys().collect();
    let expected = [
        "/openapi.json",
        "/tasks",
        "/tasks/next",
        "/tasks/{id}",
        "/tasks/{id}/heartbeat",
        "/tasks/{id}/output/{stream}",
        "/tasks/{id}/release",
        "/tasks/{id}/result",
    ];
    assert_eq!(paths, expected);
}
