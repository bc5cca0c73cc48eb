//! Plugins in other languages: from nothing to a run, beside plugins in Rust.
//!
//! A component of Python takes a minute and more to compile where programs are built for debugging, several times for one
//! certificate: its way is walked whole by `cargo xtask test --full`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

mod habits;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use orch_journal::Event;
use orch_plugin::language::Language;
use orch_tests::{Workspace, binary, err, left_out, out, packages, root};
use orch_trust::manifest::Role;

/// What the plugin does besides greeting: it throws, prints and reads what it may not.
const JAVASCRIPT: &str = "import { read } from 'orch:files/files@0.1.0';
import { Failure } from './orch/sdk/index.js';

export function execute(task, attempt) {
  console.log('begins', { id: task.id });
  if (task.id === 'throws') {
    throw new TypeError('no way');
  }
  if (task.id === 'fails') {
    throw new Failure('not today');
  }
  if (task.id === 'denied') {
    read('secret.txt', 0);
  }
  return { summary: `hello, ${task.description}`, mendable: false };
}
";
const PYTHON: &str = "import sys

from orch_sdk import Failure
from wit_world.exports.executor import Completion
from wit_world.imports import files


def execute(task, attempt):
    print('begins', task.id)
    print('careful', file=sys.stderr)
    if task.id == 'throws':
        raise ValueError('no way')
    if task.id == 'fails':
        raise Failure('not today')
    if task.id == 'denied':
        files.read('secret.txt', 0)
    return Completion(summary=f'hello, {task.description}', mendable=False)
";

/// The cache that `cargo xtask test` filled; none on a machine without the language.
fn cache(language: Language) -> Option<PathBuf> {
    let program = if language == Language::Python { "python3" } else { "npm" };
    if Command::new(program).arg("--version").output().is_err() {
        left_out::say(&format!("{}: there is no `{program}`", language.as_str()));
        return None;
    }
    let cache = root().join("target/languages");
    assert!(cache.is_dir(), "`{}` is missing: run `cargo xtask test`", cache.display());
    Some(cache)
}

struct Author {
    workspace: Workspace,
    cache: PathBuf,
}

impl Author {
    /// Runs one of the programs, in the folder beside the workspace.
    fn runs(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary(program));
        command.args(arguments).current_dir(self.workspace.outside());
        command.env("XDG_CACHE_HOME", &self.cache).output().unwrap()
    }

    #[track_caller]
    fn good(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.runs(program, arguments);
        assert!(output.status.success(), "{program} {arguments:?}\n{}{}", out(&output), err(&output));
        out(&output)
    }

    fn project(&self) -> PathBuf {
        self.workspace.outside().join("hello")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.project().join(name), text).unwrap();
    }

    fn case(&self, task: &str, expect: &str) {
        let text = format!(
            r#"{{ "about": "{task}", "call": {{ "execute": {{ "task": {{ "id": "{task}", "kind": "hello", "description": "world" }} }} }}, "expect": {{ {expect} }} }}"#
        );
        self.write(&format!("cases/{task}.json"), &text);
    }
}

/// From `new` to a run in which the plugin and one in Rust take turns.
fn walks(language: Language, source: &str, thrown: &str) {
    let Some(cache) = cache(language) else { return };
    let tasks = "- {id: first, kind: note}\n- {id: ready, kind: hello, description: world, dependencies: [first]}\n\
                 - {id: last, kind: note, dependencies: [ready]}\n- {id: throws, kind: hello}\n";
    let author = Author { workspace: Workspace::new(tasks), cache };
    author.good("orch-plugin", &["new", "demo/hello", "--role", "executor", "--lang", language.as_str()]);
    let said = author.good("orch-plugin", &["test", "hello"]);
    assert!(said.contains("1 of 1 cases passed"), "{said}");
    // The template as it is goes all the way.
    certifies(&author);

    author.write(language.plugin_file(), source);
    let manifest = fs::read_to_string(author.project().join("plugin.json")).unwrap();
    author.write(
        "plugin.json",
        &manifest.replace(r#""log": {}"#, r#""log": {}, "files": { "read": ["docs/**"] }"#),
    );
    fs::remove_file(author.project().join("cases/greets.json")).unwrap();
    author.case("ready", r#""answer": { "summary": "hello, world" }"#);
    author.case("throws", &format!(r#""failure": {{ "message": "{thrown}", "retriable": false }}"#));
    author.case("fails", r#""failure": { "message": "not today" }"#);
    author.case("denied", r#""failure": {}, "denied": ["files: read `secret.txt`"]"#);
    let output = author.runs("orch-plugin", &["test", "hello", "--show-log"]);
    let said = out(&output);
    assert!(output.status.success(), "{said}{}", err(&output));
    assert!(said.contains("4 of 4 cases passed"), "{said}");
    assert!(said.contains("log  info: begins"), "{said}");
    assert!(said.contains("the host said denied"), "{said}");

    certifies(&author);
    let config = "roles:\n  planner: demo/planner-priority\n  executors: {note: demo/executor-note, hello: demo/hello}\n";
    author.workspace.write("config.yaml", config);
    let mine = author.project().join("target/packages");
    for plugin in ["planner-priority", "executor-note"] {
        orch_tests::copy(&packages().join("demo").join(plugin), &mine.join("demo").join(plugin));
    }
    let mine = mine.to_str().unwrap();
    author.workspace.host(&["plugin", "approve", "demo/hello", "--plugins", mine], 0);
    author.workspace.run(&["--plugins", mine], 1);
    let statuses = author.workspace.statuses();
    for (id, status) in [("first", "done"), ("ready", "done"), ("last", "done"), ("throws", "failed")] {
        assert_eq!(statuses[id], status, "{statuses:?}");
    }
    let report = out(&author.workspace.host(&["report", "--format", "json"], 0));
    assert!(report.contains(thrown), "{report}");
}

/// Packs, signs and certifies what is there now.
fn certifies(author: &Author) {
    let keys = author.workspace.operator().join("keys");
    let key = |name: &str| keys.join(name).display().to_string();
    author.good("orch-plugin", &["pack", "hello"]);
    let package = "hello/target/packages/demo/hello/0.1.0";
    author.good("orch-plugin", &["sign", package, "--key", &key("publisher.json")]);
    let said = author.good("orch-certify", &["run", package, "--key", &key("certifier.json")]);
    assert!(said.contains("certified (local)"), "{said}");
    let refused =
        author.runs("orch-certify", &["run", package, "--profile", "certified", "--source", "hello"]);
    assert!(err(&refused).contains("code: check-not-available"), "{}", err(&refused));
    let certificate = fs::read_dir(author.workspace.outside().join(package).join("certificates")).unwrap();
    assert_eq!(certificate.count(), 1);
}

#[test]
fn a_plugin_in_javascript_goes_from_nothing_to_a_run_beside_rust() {
    walks(Language::JavaScript, JAVASCRIPT, "TypeError: no way (plugin.js:7)");
}

#[test]
fn a_plugin_in_python_goes_from_nothing_to_a_run_beside_rust() {
    if !left_out::is_full("certification and a run in Python") {
        // What is short of it: the template is built, and its component has the form that hosts ask for.
        return builds_python();
    }
    walks(Language::Python, PYTHON, "ValueError: no way (plugin.py:12)");
}

/// The template's component, judged by its structure, which compiles nothing.
fn builds_python() {
    let Some(cache) = cache(Language::Python) else { return };
    let author = Author { workspace: Workspace::new(""), cache };
    author.good("orch-plugin", &["new", "demo/hello", "--role", "executor", "--lang", "python"]);
    author.good("orch-plugin", &["pack", "hello"]);
    let component =
        fs::read(author.project().join("target/packages/demo/hello/0.1.0/component.wasm")).unwrap();
    let facts = orch_trust::facts::Facts::derive(&component).unwrap();
    assert_eq!(facts.engine.unwrap().name, "componentize-py 0.25.0");
    assert_eq!(facts.imports, ["orch:log/log@0.1.0", "orch:types/types@0.1.0"]);
    forgeries(&author, &component);
}

/// Another component in the place of the built one: refused, each by its code.
fn forgeries(author: &Author, component: &[u8]) {
    let built = author.project().join("forged");
    fs::create_dir_all(&built).unwrap();
    let sbom = fs::read(author.project().join("target/plugin/hello/sbom.cdx.json")).unwrap();
    fs::write(built.join("sbom.cdx.json"), sbom).unwrap();
    let refused = |component: &[u8], code: &str| {
        fs::write(built.join("component.wasm"), component).unwrap();
        let output = author.runs("orch-plugin", &["pack", "hello", "--built", "hello/forged"]);
        assert!(err(&output).contains(&format!("code: {code}")), "{code}: {}", err(&output));
    };
    let snapshot = |code: usize| {
        module(&format!("(memory 1) (data (i32.const 0) \"x\") (func {})", "nop ".repeat(code)))
    };
    // One byte in the middle of the interpreter's code.
    let mut changed = component.to_vec();
    let place = component.len() - 3_000_000;
    *changed.get_mut(place).unwrap() ^= 1;
    refused(&changed, "engine-unknown");
    // A second snapshot, small and large.
    refused(&[component, &snapshot(1)].concat(), "snapshot-several");
    refused(&[component, &module(&format!("(func {})", "nop ".repeat(140_000)))].concat(), "glue-too-large");
    // A snapshot with code, beside an engine without its own.
    let engine = interpreter(component);
    refused(&[&component_head()[..], &engine, &snapshot(17 << 10)].concat(), "snapshot-too-large");
    // A snapshot without an engine is nothing but a module, and what it exports is no role.
    refused(&[&component_head()[..], &snapshot(1)].concat(), "export-missing");
}

fn component_head() -> [u8; 8] {
    [0, b'a', b's', b'm', 0x0d, 0, 1, 0]
}

/// A core module as a section of a component.
fn module(body: &str) -> Vec<u8> {
    let component = wat::parse_str(format!("(component (core module {body}))")).unwrap();
    component.get(8..).unwrap().to_vec()
}

/// The section with the interpreter: the largest one with `dylink.0`.
fn interpreter(component: &[u8]) -> Vec<u8> {
    let mut largest: &[u8] = &[];
    let mut rest = component.get(8..).unwrap();
    while let Some((id, after)) = rest.split_first() {
        let (size, head) = leb(after);
        let (section, next) = rest.split_at(1 + head + size);
        let is_linked = section.get(..64).is_some_and(|start| start.windows(8).any(|at| at == b"dylink.0"));
        if *id == 1 && is_linked && section.len() > largest.len() {
            largest = section;
        }
        rest = next;
    }
    largest.to_vec()
}

/// A number, and how many bytes it has.
fn leb(bytes: &[u8]) -> (usize, usize) {
    let length = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let value = bytes.iter().take(length).rev().fold(0, |sum, byte| (sum << 7) | usize::from(byte & 0x7f));
    (value, length)
}

/// The template of each role as it is. Compiling a component takes long where programs are built for debugging: all of them with
/// `cargo xtask test --full`, and without it the one whose export is a resource.
#[test]
fn a_plugin_of_each_role_begins_with_a_template_that_holds_its_cases() {
    let full = left_out::is_full("all roles in Python, all but one in JavaScript");
    for language in Language::ALL {
        let Some(cache) = cache(language) else { continue };
        let roles = match (full, language) {
            (true, _) => &Role::ALL[..],
            (false, Language::JavaScript) => &[Role::Planner],
            (false, Language::Python) => &[],
        };
        for role in roles {
            let author = Author { workspace: Workspace::new(""), cache: cache.clone() };
            author.good(
                "orch-plugin",
                &["new", "demo/hello", "--role", role.as_str(), "--lang", language.as_str()],
            );
            let said = author.good("orch-plugin", &["test", "hello"]);
            assert!(
                said.contains("cases passed") && !said.contains("failed"),
                "{language:?} {role:?}: {said}"
            );
            if *role == Role::Planner {
                plans(&author);
            }
        }
    }
}

/// Certified, it drives a run: what is more urgent goes first.
fn plans(author: &Author) {
    certifies(author);
    let tasks = "- {id: later, kind: note}\n- {id: urgent, kind: note, priority: 9}\n- {id: last, kind: note, dependencies: [later]}\n";
    author.workspace.write("tasks.yml", tasks);
    author
        .workspace
        .write("config.yaml", "roles: {planner: demo/hello, executors: {note: demo/executor-note}}\n");
    let mine = author.project().join("target/packages");
    orch_tests::copy(&packages().join("demo/executor-note"), &mine.join("demo/executor-note"));
    let mine = mine.to_str().unwrap();
    author.workspace.host(&["plugin", "approve", "demo/hello", "--plugins", mine], 0);
    author.workspace.run(&["--plugins", mine, "--jobs", "1"], 0);
    let started = author.workspace.events().into_iter().filter_map(|event| match event {
        Event::AttemptStarted { task, .. } => Some(task),
        _ => None,
    });
    assert_eq!(started.collect::<Vec<_>>(), [1, 0, 2]);
}
