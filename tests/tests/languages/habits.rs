//! What authors of each language expect to be there, tried in the sandbox: HTTP, secrets, kept values, artifacts, levels of the log,
//! services, and words on what is not granted.

use std::fs;

use orch_plugin::language::Language;
use orch_tests::{Workspace, err, left_out, out};
use serde_json::json;

use super::{Author, cache, certifies};

/// Asks a server twice, with a secret's word in a header, and says what it could not reach.
const ASKS_JAVASCRIPT: &str = "import { get, post } from './orch/sdk/http.js';
import { bearer } from './orch/sdk/secrets.js';

export function execute(task, attempt) {
  const news = get('https://api.example.com/v1/news', { headers: bearer('token') });
  const kept = post('https://api.example.com/v1/notes', { json: { text: news.text() } });
  try {
    get('https://other.example.com/');
  } catch (error) {
    return { summary: `${kept.status} ${kept.json().id} ${error.fault} ${new Date().getUTCFullYear()}`, mendable: false };
  }
}
";
const ASKS_PYTHON: &str = "import time

from orch_sdk import http, secrets
from wit_world.exports.executor import Completion


def execute(task, attempt):
    news = http.get('https://api.example.com/v1/news', headers=secrets.bearer('token'))
    kept = http.post('https://api.example.com/v1/notes', json={'text': news.text})
    try:
        http.get('https://other.example.com/')
    except http.HttpError as error:
        year = time.gmtime().tm_year
        return Completion(summary=f'{kept.status} {kept.json()[\"id\"]} {error.fault} {year}', mendable=False)
";

#[test]
fn a_plugin_in_another_language_asks_by_http_with_a_secret_a_clock_and_within_its_rules() {
    let full = left_out::is_full("the same in Python");
    let languages = [
        (Language::JavaScript, ASKS_JAVASCRIPT, "HTTP-request-denied", true),
        (Language::Python, ASKS_PYTHON, "HttpRequestDenied", full),
    ];
    for (language, source, fault, _) in languages.into_iter().filter(|(.., plays)| *plays) {
        let Some(cache) = cache(language) else { continue };
        let author = Author { workspace: Workspace::new(""), cache };
        author.good("orch-plugin", &["new", "demo/hello", "--role", "executor", "--lang", language.as_str()]);
        author.write(language.plugin_file(), source);
        let manifest = fs::read_to_string(author.project().join("plugin.json")).unwrap();
        let asks = r#""http": [{ "hosts": ["api.example.com:443"], "methods": ["GET", "POST"], "paths": ["/v1/"] }],
    "secrets": { "use": [{ "name": "token", "host": "api.example.com:443" }] },
    "wasi": { "clocks": true, "random": true }"#;
        author.write("plugin.json", &manifest.replace(r#""log": {}"#, asks));
        let case = json!({
            "about": "what came is kept, and others are not reached",
            "call": { "execute": { "task": { "id": "t", "kind": "hello" } } },
            "host": { "http": [
                { "request": { "method": "GET", "url": "https://api.example.com/v1/news" }, "answer": { "status": 200, "body": "ä €" } },
                { "request": { "method": "POST", "url": "https://api.example.com/v1/notes", "body": { "text": "ä €" } },
                  "answer": { "status": 201, "body": { "id": 7 } } },
            ] },
            "expect": { "answer": { "summary": format!("201 7 {fault} 2020") }, "denied": DENIED },
        });
        author.write("cases/greets.json", &case.to_string());
        let said = author.good("orch-plugin", &["test", "hello", "--filter", "greets"]);
        assert!(said.contains("1 of 1 cases passed"), "{language:?}: {said}");
        let built = fs::read(author.project().join("target/plugin/hello/component.wasm")).unwrap();
        let facts = orch_trust::facts::Facts::derive(&built).unwrap();
        assert!(facts.engine.is_some() && facts.imports.iter().all(|import| !import.starts_with("w4si:")));
        assert!(
            facts.imports.contains(&"wasi:http/outgoing-handler@0.2.11".to_owned()),
            "{:?}",
            facts.imports
        );
    }
}

const DENIED: [&str; 1] = [
    "http: GET https://other.example.com:443/: manifest and policy would need the rule { scheme = \"https\", hosts = [\"other.example.com:443\"], methods = [\"GET\"], paths = [\"/\"] }",
];

/// What authors of each language expect to be there: kept values, artifacts, levels, numbers and a clock, or a word on what is missing.
const HABITS_JAVASCRIPT: &str = "import { add } from './orch/sdk/artifacts.js';
import { Bucket } from './orch/sdk/kv.js';

export function execute(task) {
  if (task.id === 'clock') return { summary: String(Date.now()), mendable: false };
  if (task.id === 'numbers') return { summary: String(Math.random()), mendable: false };
  const bucket = new Bucket('notes');
  const { runs } = bucket.getJson('seen', { runs: 6 });
  bucket.setJson('seen', { runs: runs + 1 });
  bucket.set('other', 'x');
  bucket.delete('other');
  add('made', 'text of it');
  console.debug('low');
  console.warn('careful', new Date(0).toISOString());
  return { summary: `${runs} ${[...bucket.keys()]}`, mendable: false };
}
";
const HABITS_PYTHON: &str = "import logging
import os
import time

from orch_sdk import artifacts
from orch_sdk.kv import Bucket
from wit_world.exports.executor import Completion


def execute(task, attempt):
    if task.id == 'clock':
        return Completion(summary=str(time.time()), mendable=False)
    if task.id == 'numbers':
        return Completion(summary=os.urandom(4).hex(), mendable=False)
    bucket = Bucket('notes')
    runs = bucket.get_json('seen', {'runs': 6})['runs']
    bucket.set_json('seen', {'runs': runs + 1})
    bucket.set('other', 'x')
    bucket.delete('other')
    artifacts.add('made', 'text of it')
    logging.debug('low')
    logging.getLogger('mine').warning('careful %s', time.strftime('%Y', time.gmtime(0)))
    return Completion(summary=f'{runs} {\",\".join(bucket.keys())}', mendable=False)
";

#[test]
fn authors_find_what_they_expect_or_are_told_what_to_write() {
    let full = left_out::is_full("the same in Python");
    let languages = [
        (
            Language::JavaScript,
            HABITS_JAVASCRIPT,
            "1970-01-01T00:00:00.000Z",
            ["Date.now()", "Math.random()"],
            true,
        ),
        (Language::Python, HABITS_PYTHON, "1970", ["time.time", "os.urandom"], full),
    ];
    for (language, source, shown, refused, _) in languages.into_iter().filter(|(.., plays)| *plays) {
        let Some(cache) = cache(language) else { continue };
        let author = Author { workspace: Workspace::new(""), cache };
        author.good("orch-plugin", &["new", "demo/hello", "--role", "executor", "--lang", language.as_str()]);
        author.write(language.plugin_file(), source);
        let manifest = fs::read_to_string(author.project().join("plugin.json")).unwrap();
        let asks = r#""log": {}, "kv": { "labels": ["notes"], "bytes": 1000 },
    "artifacts": { "types": ["text/plain"], "count": 1, "bytes": 1000 }"#;
        author.write("plugin.json", &manifest.replace(r#""log": {}"#, asks));
        fs::remove_file(author.project().join("cases/greets.json")).unwrap();
        let case = json!({
            "about": "what is kept, handed over and said",
            "call": { "execute": { "task": { "id": "all", "kind": "hello" } } },
            "expect": {
                "answer": { "summary": "6 seen" },
                "log": ["debug: low", format!("warn: careful {shown}")],
                "writes": {
                    "kv": { "notes": { "seen": if language == Language::Python { "{\"runs\": 7}" } else { "{\"runs\":7}" } } },
                    "artifacts": [{ "name": "made", "content": "text of it" }],
                },
            },
        });
        author.write("cases/all.json", &case.to_string());
        let output = author.runs("orch-plugin", &["test", "hello", "--filter", "all", "--show-log"]);
        assert!(
            out(&output).contains("1 of 1 cases passed"),
            "{language:?}: {}{}",
            out(&output),
            err(&output)
        );
        // What is not asked for is refused in words: by which name, and what opens it.
        for (task, name) in ["clock", "numbers"].into_iter().zip(refused) {
            let argument = format!(r#"{{"task": {{"id": "{task}", "kind": "hello"}}}}"#);
            let said =
                out(&author.runs("orch-plugin", &["call", "execute", &argument, "--project", "hello"]));
            assert!(said.contains(name) && said.contains("plugin.json"), "{language:?}: {said}");
        }
    }
}

/// A service of each language: what it is asked, what it answers, and what a client sees of its faults.
const SERVES_JAVASCRIPT: &str = "import { Failure } from './orch/sdk/index.js';

export function handle({ method, path, query, headers, json }) {
  if (path === '/throws') throw new TypeError('no way');
  if (path === '/fails') throw new Failure('not today');
  if (path === '/nothing') return undefined;
  return { status: 201, headers: { 'X-Seen': headers['x-asks'] ?? '-' }, json: { method, query, sum: json().a + 1 } };
}
";
const SERVES_PYTHON: &str = "from orch_sdk import Failure
from orch_sdk.service import Request, Response


def handle(request: Request) -> Response:
    if request.path == '/throws':
        raise ValueError('no way')
    if request.path == '/fails':
        raise Failure('not today')
    if request.path == '/nothing':
        return None
    seen = {'method': request.method, 'query': request.query, 'sum': request.json()['a'] + 1}
    return Response.json(seen, 201, headers={'X-Seen': request.headers.get('x-asks', '-')})
";

#[test]
fn a_service_in_another_language_answers_and_keeps_its_faults_to_the_log() {
    let full = left_out::is_full("the same in Python");
    let languages =
        [(Language::JavaScript, SERVES_JAVASCRIPT, true), (Language::Python, SERVES_PYTHON, full)];
    for (language, source, _) in languages.into_iter().filter(|(.., plays)| *plays) {
        let Some(cache) = cache(language) else { continue };
        let author = Author { workspace: Workspace::new(""), cache };
        author.good("orch-plugin", &["new", "demo/hello", "--role", "service", "--lang", language.as_str()]);
        if language == Language::JavaScript || full {
            author.good("orch-plugin", &["test", "hello"]);
            certifies(&author);
        }
        author.write(language.plugin_file(), source);
        for name in ["root", "elsewhere"] {
            fs::remove_file(author.project().join(format!("cases/{name}.json"))).unwrap();
        }
        let asked = json!({
            "about": "it is told what was asked",
            "call": { "handle": { "method": "POST", "path": "/x?q=1", "headers": [["x-asks", "me"]], "body": "{\"a\": 1}" } },
            "expect": { "answer": { "status": 201, "headers": { "x-seen": "me", "content-type": "application/json" } } },
        });
        author.write("cases/asked.json", &asked.to_string());
        for path in ["throws", "fails", "nothing"] {
            let case = json!({
                "about": "nothing of a fault leaves", "call": { "handle": { "method": "GET", "path": format!("/{path}") } },
                "expect": { "answer": { "status": 500, "body": "the service failed\n" } },
            });
            author.write(&format!("cases/{path}.json"), &case.to_string());
        }
        let output = author.runs("orch-plugin", &["test", "hello", "--show-log"]);
        let said = out(&output);
        assert!(said.contains("4 of 4 cases passed"), "{language:?}: {said}{}", err(&output));
        for line in ["no way", "not today", "`handle` gave"] {
            assert!(said.contains(line), "{language:?}: {said}");
        }
    }
}
