//! Every function of every inert interface, called by a guest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use orch_task::{Kind, Task, TaskId};
use orch_trust::evidence::Candidate;
use orch_trust::interfaces::{ImportRule, import_rule};
use serde_json::{Value, json};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, FunctionKind, Resolve, TypeDefKind, WorldItem};

use crate::call::CallReport;
use crate::capability::bench::Bench;
use crate::capability::log::LogLevel;
use crate::engine::Engine;
use crate::engine::fixture::{candidate, executor};
use crate::role::executor::{Completion, Execute, Executor};

/// Where a function leaves what does not fit into one value, and how much of it is looked at.
const ANSWER: usize = 2048;
const ANSWER_BYTES: usize = 16;
/// `orch:log`'s `write` of the answer, as text: a call that is there only if the guest may log.
const SAY: &str = r#"(import "orch:log/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;

/// A function of an inert interface: its import, and its name in the text.
struct Import {
    interface: String,
    name: String,
    params: Vec<WasmType>,
    results: Vec<WasmType>,
    retptr: bool,
    of_resource: bool,
}

fn imports() -> Vec<Import> {
    let mut resolve = Resolve::default();
    let wit = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (worlds, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[worlds], Some("inert")).unwrap();
    let mut found = Vec::new();
    for item in resolve.worlds[world].imports.values() {
        let WorldItem::Interface { id, .. } = item else { panic!("an interface") };
        let interface = resolve.id_of(*id).unwrap();
        // What others take their types from stays a permission's.
        if import_rule(&interface) != ImportRule::Inert {
            continue;
        }
        let inner = &resolve.interfaces[*id];
        for (name, id) in &inner.types {
            if matches!(resolve.types[*id].kind, TypeDefKind::Resource) {
                found.push(Import {
                    interface: interface.clone(),
                    name: format!("[resource-drop]{name}"),
                    params: vec![WasmType::I32],
                    results: Vec::new(),
                    retptr: false,
                    of_resource: true,
                });
            }
        }
        for function in inner.functions.values() {
            found.push(import(&resolve, &interface, function));
        }
    }
    found
}

fn import(resolve: &Resolve, interface: &str, function: &Function) -> Import {
    let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
    Import {
        interface: interface.to_owned(),
        name: function.name.clone(),
        params: signature.params,
        results: signature.results,
        retptr: signature.retptr,
        of_resource: !matches!(function.kind, FunctionKind::Freestanding),
    }
}

fn word(kind: WasmType) -> &'static str {
    match kind {
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
    }
}

impl Import {
    fn declared(&self) -> String {
        let words = |kinds: &[WasmType]| kinds.iter().map(|kind| word(*kind)).collect::<Vec<_>>().join(" ");
        let (params, results) = (words(&self.params), words(&self.results));
        let result = if results.is_empty() { String::new() } else { format!("(result {results})") };
        format!(r#"(import "{}" "{}" (func $f (param {params}) {result}))"#, self.interface, self.name)
    }

    /// With the one that it takes to import this: files and sockets have times, whose types are the clocks'.
    fn permissions(&self, mut others: Value) -> Value {
        if ["wasi:filesystem/", "wasi:sockets/"].iter().any(|start| self.interface.starts_with(start)) {
            others["wasi"] = json!({"clocks": true});
        }
        others
    }

    /// A call with that number for every argument; what it answers lies at `ANSWER`.
    fn call(&self, argument: u32) -> String {
        let mut arguments: Vec<String> =
            self.params.iter().map(|kind| format!("({}.const {argument})", word(*kind))).collect();
        if self.retptr {
            arguments.pop();
            arguments.push(format!("(i32.const {ANSWER})"));
        }
        let call = format!("(call $f {})", arguments.join(" "));
        match self.results.first() {
            Some(kind) => format!("({}.store (i32.const {ANSWER}) {call})", word(*kind)),
            None => call,
        }
    }
}

struct Ended {
    code: String,
    lines: Vec<(LogLevel, String)>,
    denied: Vec<String>,
}

async fn run(imports: &str, body: &str, permissions: Value) -> Ended {
    let engine = Engine::certification().unwrap();
    let compiled =
        engine.compile(candidate("executor", &executor(imports, body), permissions, json!({}))).unwrap();
    let executor: Executor<Candidate> = Executor::link(&engine, compiled).unwrap();
    let (bench, folder) = (Bench::new(), tempfile::tempdir().unwrap());
    let context = bench.context(folder.path().to_owned(), Duration::from_secs(20));
    let task = Task::new(TaskId::parse("t").unwrap(), Kind::shell());
    let report: CallReport<Completion> = executor.call(context, &Execute::of(task, 1)).await;
    assert!(!report.effect && report.writes.is_empty() && bench.effects().is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file");
    let code = report.result.map_or_else(|error| error.code().to_owned(), |_| "done".to_owned());
    Ended { code, lines: bench.lines(), denied: report.denied }
}

/// What a function that needs no handle answers: a first byte, or a list's length.
enum Answer {
    /// Pointer and length.
    EmptyList,
    /// `option` without a value, or a first handle.
    Starts(&'static [u8]),
    Ends(&'static str),
    /// Eight bytes that are the same each time.
    Same,
}

fn answers() -> BTreeMap<&'static str, Answer> {
    use Answer::{EmptyList, Ends, Same, Starts};
    BTreeMap::from([
        ("wasi:cli/environment@0.2.12 get-environment", EmptyList),
        ("wasi:cli/environment@0.2.12 get-arguments", EmptyList),
        ("wasi:cli/environment@0.2.12 initial-cwd", Starts(&[0])),
        ("wasi:cli/exit@0.2.12 exit", Ends("plugin-exit")),
        ("wasi:cli/exit@0.2.12 exit-with-code", Ends("plugin-exit")),
        ("wasi:cli/stdin@0.2.12 get-stdin", Starts(&[1, 0, 0, 0])),
        ("wasi:cli/stdout@0.2.12 get-stdout", Starts(&[1, 0, 0, 0])),
        ("wasi:cli/stderr@0.2.12 get-stderr", Starts(&[1, 0, 0, 0])),
        ("wasi:cli/terminal-stdin@0.2.12 get-terminal-stdin", Starts(&[0])),
        ("wasi:cli/terminal-stdout@0.2.12 get-terminal-stdout", Starts(&[0])),
        ("wasi:cli/terminal-stderr@0.2.12 get-terminal-stderr", Starts(&[0])),
        ("wasi:filesystem/preopens@0.2.12 get-directories", EmptyList),
        ("wasi:filesystem/types@0.2.12 filesystem-error-code", Ends("plugin-trap")),
        ("wasi:io/poll@0.2.12 poll", Ends("plugin-trap")),
        ("wasi:random/insecure@0.2.12 get-insecure-random-bytes", EmptyList),
        ("wasi:random/insecure@0.2.12 get-insecure-random-u64", Same),
        ("wasi:random/insecure-seed@0.2.12 insecure-seed", Same),
        ("wasi:sockets/instance-network@0.2.12 instance-network", Starts(&[1, 0, 0, 0])),
        ("wasi:sockets/ip-name-lookup@0.2.12 resolve-addresses", Ends("plugin-trap")),
        // An error: `access-denied`.
        ("wasi:sockets/tcp-create-socket@0.2.12 create-tcp-socket", Starts(&[1, 0, 0, 0, 1])),
        ("wasi:sockets/udp-create-socket@0.2.12 create-udp-socket", Starts(&[1, 0, 0, 0, 1])),
    ])
}

#[tokio::test]
async fn nothing_comes_in_or_goes_out_by_any_function_of_any_inert_interface() {
    let mut answers = answers();
    let say = format!("(call $log (i32.const 2) (i32.const {ANSWER}) (i32.const {ANSWER_BYTES}))");
    let imports = imports();
    assert!(imports.len() > 100, "{} functions", imports.len());
    for import in &imports {
        let name = format!("{} {}", import.interface, import.name);
        if import.of_resource {
            // No handle was given, and none can be made up.
            for handle in [0, 1] {
                let permissions = import.permissions(json!({}));
                let ended = run(&import.declared(), &import.call(handle), permissions).await;
                assert_eq!(ended.code, "plugin-trap", "{name}");
                assert!(ended.lines.is_empty() && ended.denied.is_empty(), "{name}");
            }
            continue;
        }
        let expected = answers.remove(&*name).unwrap_or_else(|| panic!("nothing is expected of `{name}`"));
        let masked = match expected {
            // Letters, so that any bytes are a line.
            Answer::Same => format!(
                "(i64.store (i32.const {ANSWER}) (i64.or (i64.const 0x4040404040404040)
                    (i64.and (i64.const 0x0f0f0f0f0f0f0f0f) (i64.load (i32.const {ANSWER})))))
                 (i64.store (i32.const {}) (i64.const 0))",
                ANSWER + 8
            ),
            // Where the list lies depends on what was handed over before, and may be no text.
            Answer::EmptyList => format!("(i32.store (i32.const {ANSWER}) (i32.const 0))"),
            _ => String::new(),
        };
        let body = format!("{} {masked} {say}", import.call(0));
        let declared = format!("{SAY} {}", import.declared());
        let permissions = import.permissions(json!({"log": {}}));
        let ended = run(&declared, &body, permissions.clone()).await;
        let said = ended.lines.first().map(|(_, line)| line.as_bytes().to_vec()).unwrap_or_default();
        match expected {
            Answer::Ends(code) => assert_eq!((&*ended.code, ended.lines.len()), (code, 0), "{name}"),
            Answer::EmptyList => {
                assert_eq!(said.get(4..8), Some(&[0; 4][..]), "{name}: {said:?}, {}", ended.code)
            }
            Answer::Starts(bytes) => assert!(said.starts_with(bytes), "{name}: {said:?}"),
            Answer::Same => {
                let again = run(&declared, &body, permissions).await;
                assert!(said.len() == ANSWER_BYTES && again.lines == ended.lines, "{name}: {said:?}");
            }
        }
    }
    assert!(answers.is_empty(), "{:?} are no functions", answers.keys());
}

const STREAMS: &str = r#"
    (import "orch:log/log@0.1.0" "write" (func $log (param i32 i32 i32)))
    (import "wasi:cli/stdin@0.2.12" "get-stdin" (func $stdin (result i32)))
    (import "wasi:io/streams@0.2.12" "[method]input-stream.read" (func $read (param i32 i64 i32)))
    (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read" (func $wait (param i32 i64 i32)))
    (import "wasi:io/streams@0.2.12" "[method]input-stream.subscribe" (func $later (param i32) (result i32)))
    (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))"#;

#[tokio::test]
async fn standard_input_is_at_its_end_and_never_waited_for() {
    // An error, `closed`: both times.
    let body = format!(
        "(call $block (call $later (call $stdin)))
         (call $read (call $stdin) (i64.const 100) (i32.const {ANSWER}))
         (call $log (i32.const 2) (i32.const {ANSWER}) (i32.const 8))
         (call $wait (call $stdin) (i64.const 100) (i32.const {ANSWER}))
         (call $log (i32.const 2) (i32.const {ANSWER}) (i32.const 8))"
    );
    let ended = run(STREAMS, &body, json!({"log": {}})).await;
    let closed = (LogLevel::Info, "\u{1}\0\0\0\u{1}\0\0\0".to_owned());
    assert_eq!((&*ended.code, ended.lines), ("done", vec![closed.clone(), closed]));
}

#[tokio::test]
async fn a_name_is_looked_up_nowhere() {
    let imports = format!(
        r#"{SAY}
        (import "wasi:sockets/instance-network@0.2.12" "instance-network" (func $network (result i32)))
        (import "wasi:sockets/ip-name-lookup@0.2.12" "resolve-addresses" (func $look (param i32 i32 i32 i32)))"#
    );
    // `localhost`, at 100.
    let body = format!(
        "(i64.store (i32.const 100) (i64.const 0x736f686c61636f6c)) (i32.store8 (i32.const 108) (i32.const 0x74))
         (call $look (call $network) (i32.const 100) (i32.const 9) (i32.const {ANSWER}))
         (call $log (i32.const 2) (i32.const {ANSWER}) (i32.const 8))"
    );
    let ended = run(&imports, &body, json!({"log": {}})).await;
    // An error: `permanent-resolver-failure`, which the library has for a lookup that is not allowed.
    let denied = (LogLevel::Info, "\u{1}\0\0\0\u{14}\0\0\0".to_owned());
    assert_eq!((&*ended.code, ended.lines), ("done", vec![denied]));
}

#[tokio::test]
async fn what_is_printed_is_logged_only_with_the_permission() {
    let imports = r#"
        (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $out (result i32)))
        (import "wasi:cli/stderr@0.2.12" "get-stderr" (func $err (result i32)))
        (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
            (func $write (param i32 i32 i32 i32)))"#;
    // `hi` and a line's end, then `hi` alone.
    let body = format!(
        "(i32.store (i32.const 100) (i32.const 0x0a6968))
         (call $write (call $out) (i32.const 100) (i32.const 3) (i32.const {ANSWER}))
         (call $write (call $err) (i32.const 100) (i32.const 2) (i32.const {ANSWER}))"
    );
    let ended = run(imports, &body, json!({"log": {}})).await;
    let said = [(LogLevel::Info, "hi".to_owned()), (LogLevel::Warn, "hi".to_owned())];
    assert_eq!((&*ended.code, &ended.lines[..]), ("done", &said[..]));
    let ended = run(imports, &body, json!({})).await;
    assert_eq!((&*ended.code, &ended.lines[..]), ("done", &[][..]));
}
