//! Hostile and honest guests against a real engine.

use std::time::{Duration, Instant};

use orch_journal::event::Decision;
use orch_task::{Kind, Task, TaskId};
use orch_trust::evidence::{Candidate, Compilable};
use orch_trust::permission::DomainName;
use serde_json::{Value, json};

use super::fixture::{candidate, executor, module};
use super::*;
use crate::call::CallReport;
use crate::capability::EffectRecord;
use crate::capability::bench::Bench;
use crate::capability::log::LogLevel;
use crate::capability::trial::Mood;
use crate::role::executor::{Completion, Execute, Executor};
use crate::role::planner::{Planner, PlannerChange, ReadyTask};

const LOG: &str = r#"(import "orch:log/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;
const FOREVER: &str = "(loop $again (br $again))";
const DEADLINE: Duration = Duration::from_secs(20);

struct Guest {
    executor: Executor<Candidate>,
    bench: Bench,
    folder: tempfile::TempDir,
    wall: Duration,
}

impl Guest {
    fn new(engine: &Engine, core: &str, permissions: Value, limits: Value) -> Self {
        let compiled = engine.compile(candidate("executor", core, permissions, limits)).unwrap();
        let executor = Executor::link(engine, compiled).unwrap();
        Self { executor, bench: Bench::new(), folder: tempfile::tempdir().unwrap(), wall: DEADLINE }
    }

    async fn execute(&self) -> CallReport<Completion> {
        let context = self.bench.context(self.folder.path().to_owned(), self.wall);
        let task = Task::new(TaskId::parse("t").unwrap(), Kind::shell());
        self.executor.call(context, &Execute::of(task, 1)).await
    }
}

/// Runs an executor in the engine of a run; gives the code that its call ended with.
async fn code_of(imports: &str, execute: &str, permissions: Value, limits: Value) -> String {
    let engine = Engine::run(1, 0).unwrap();
    let guest = Guest::new(&engine, &executor(imports, execute), permissions, limits);
    let began = Instant::now();
    let report = guest.execute().await;
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
    match report.result {
        Ok(_) => "done".to_owned(),
        Err(error) => {
            assert_eq!(error.plugin(), "demo/guest");
            assert!(error.to_string().contains("demo/guest"), "{error}");
            error.code().to_owned()
        }
    }
}

#[tokio::test]
async fn an_honest_guest_answers_in_each_engine() {
    for engine in [Engine::run(1, 0).unwrap(), Engine::large().unwrap(), Engine::certification().unwrap()] {
        let say = "(call $log (i32.const 2) (i32.const 100) (i32.const 2))";
        let core = executor(LOG, &format!("(i32.store16 (i32.const 100) (i32.const 0x6968)) {say}"));
        let guest = Guest::new(&engine, &core, json!({"log": {}}), json!({}));
        for _ in 0..3 {
            let report = guest.execute().await;
            assert_eq!(report.result.unwrap(), Completion::default());
            assert!(!report.effect && !report.log_cut && report.writes.is_empty());
        }
        assert_eq!(
            guest.bench.lines(),
            vec![(LogLevel::Info, "hi".to_owned()); 3],
            "{}",
            engine.kind().as_str()
        );
    }
}

#[tokio::test]
async fn a_guest_that_never_ends_is_stopped_by_its_busy_time() {
    assert_eq!(code_of("", FOREVER, json!({}), json!({"busyMs": 50})).await, "limit-busy");
}

#[tokio::test]
async fn the_wall_deadline_holds_for_a_busy_guest_and_for_one_that_waits() {
    let engine = Engine::run(1, 0).unwrap();
    let waits = executor(
        r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $later (param i64) (result i32)))
           (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))"#,
        "(call $block (call $later (i64.const 3600000000000)))",
    );
    for (core, permissions) in
        [(executor("", FOREVER), json!({})), (waits, json!({"wasi": {"clocks": true}}))]
    {
        let mut guest = Guest::new(&engine, &core, permissions, json!({"busyMs": 60000}));
        guest.wall = Duration::from_millis(100);
        let began = Instant::now();
        let error = guest.execute().await.result.unwrap_err();
        assert_eq!(error.code(), "limit-wall");
        assert_eq!(error.to_string(), "plugin `demo/guest` used up its limit `wall` of 100 ms");
        assert!(began.elapsed() < DEADLINE);
    }
}

#[tokio::test]
async fn waiting_in_a_host_function_is_not_busy_time() {
    let waits = code_of(
        r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $later (param i64) (result i32)))
           (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))"#,
        "(call $block (call $later (i64.const 200000000)))",
        json!({"wasi": {"clocks": true}}),
        json!({"busyMs": 30}),
    );
    assert_eq!(waits.await, "done");
}

#[tokio::test]
async fn busy_guests_give_way_to_what_runs_beside_them() {
    let engine = Engine::run(1, 0).unwrap();
    let guest = Guest::new(&engine, &executor("", FOREVER), json!({}), json!({"busyMs": 300}));
    let beside = async {
        let mut turns = 0;
        for _ in 0..10 {
            tokio::task::yield_now().await;
            turns += 1;
        }
        (turns, Instant::now())
    };
    let began = Instant::now();
    let (report, (turns, ended)) = tokio::join!(guest.execute(), beside);
    assert_eq!((report.result.unwrap_err().code(), turns), ("limit-busy", 10));
    assert!(ended - began < began.elapsed() - Duration::from_millis(50), "the other waited for the guest");
}

#[tokio::test]
async fn memory_without_end_is_named_whether_the_guest_traps_or_not() {
    let grow = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
    let trapping = format!("{grow} (unreachable)");
    assert_eq!(code_of("", &trapping, json!({}), json!({})).await, "limit-memory");
    assert_eq!(code_of("", grow, json!({}), json!({})).await, "done", "it may carry on with what it has");
}

#[tokio::test]
async fn many_memories_and_tables_are_counted_together_and_a_guests_own_bound_is_no_limit() {
    let grow = |what: &str, more: &str| {
        let bound = format!("(loop $again (br_if $again (i32.ne ({what}) (i32.const -1)))) (unreachable)");
        executor("", &bound).replace("(global $top", &format!("{more} (global $top"))
    };
    let memories: String = (1..60).map(|_| "(memory 0)").collect();
    let tables: String = (0..40).map(|nth| format!("(table $t{nth} 0 funcref)")).collect();
    let by_turns: String = (1..60).map(|nth| format!("(drop (memory.grow {nth} (i32.const 1)))")).collect();
    let (large, pool) = (Engine::large().unwrap(), Engine::run(1, 0).unwrap());
    let table = "table.grow 0 (ref.null func) (i32.const 1000)";
    for (engine, core, code) in [
        (&large, grow("memory.grow 59 (i32.const 1)", &memories), "limit-memory"),
        (
            &large,
            executor("", &format!("{by_turns} (unreachable)"))
                .replace("(global $top", &format!("{memories} (global $top")),
            "limit-memory",
        ),
        (&large, grow(table, &tables), "limit-tables"),
        (&pool, grow(table, "(table 10 funcref)"), "limit-tables"),
        (&pool, grow(table, "(table 10 5000 funcref)"), "plugin-trap"),
        (&large, grow(table, "(table 10 5000 funcref)"), "plugin-trap"),
    ] {
        let guest = Guest::new(engine, &core, json!({}), json!({}));
        assert_eq!(guest.execute().await.result.unwrap_err().code(), code, "{core}");
    }
}

#[tokio::test]
async fn a_trap_is_a_trap_and_endless_recursion_its_stack() {
    assert_eq!(code_of("", "(unreachable)", json!({}), json!({})).await, "plugin-trap");
    let divide = "(drop (i32.div_u (i32.const 1) (local.get $i)))";
    assert_eq!(code_of("", divide, json!({}), json!({})).await, "plugin-trap");
    let engine = Engine::run(1, 0).unwrap();
    let recursion =
        executor("", "(call $deeper)").replace("(memory", "(func $deeper (call $deeper)) (memory");
    let guest = Guest::new(&engine, &recursion, json!({}), json!({}));
    assert_eq!(guest.execute().await.result.unwrap_err().code(), "limit-stack");
}

#[tokio::test]
async fn an_answer_over_the_output_limit_is_refused_before_it_is_copied() {
    let summary = |bytes: u32| {
        format!("(i32.store (i32.const 4) (i32.const 2048)) (i32.store (i32.const 8) (i32.const {bytes}))")
    };
    let limits = || json!({"outputKiB": 4});
    assert_eq!(code_of("", &summary(4000), json!({}), limits()).await, "done");
    assert_eq!(code_of("", &summary(100_000), json!({}), limits()).await, "limit-output");
    assert_eq!(
        code_of("", &summary(0x7fff_0000), json!({}), limits()).await,
        "plugin-trap",
        "out of its memory"
    );
}

#[tokio::test]
async fn an_argument_larger_than_any_is_refused_before_it_is_copied() {
    // 40 MiB of one line, out of 48 MiB of memory.
    let say = "(drop (memory.grow (i32.const 700)))
        (call $log (i32.const 2) (i32.const 0) (i32.const 41943040))";
    let code = code_of(LOG, say, json!({"log": {}}), json!({"memoryMiB": 64}));
    assert_eq!(code.await, "limit-argument");
}

#[tokio::test]
async fn host_calls_are_counted_and_ended() {
    let spin = "(loop $again (call $log (i32.const 2) (i32.const 0) (i32.const 0)) (br $again))";
    let engine = Engine::run(1, 0).unwrap();
    let guest = Guest::new(&engine, &executor(LOG, spin), json!({"log": {}}), json!({"hostCalls": 7}));
    let report = guest.execute().await;
    assert_eq!(report.result.unwrap_err().code(), "limit-host-calls");
    assert_eq!(guest.bench.lines().len(), 8, "the call ends as the one too many comes back");
}

#[tokio::test]
async fn a_log_without_end_is_cut_and_the_call_goes_on() {
    let say = "(loop $again
        (call $log (i32.const 2) (i32.const 0) (i32.const 1023))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 500))))";
    let engine = Engine::run(1, 0).unwrap();
    let guest = Guest::new(&engine, &executor(LOG, say), json!({"log": {}}), json!({"logKiB": 16}));
    let report = guest.execute().await;
    assert!(report.result.is_ok() && report.log_cut);
    assert_eq!(guest.bench.lines().len(), 16);
}

#[tokio::test]
async fn no_effect_follows_the_limit_of_host_calls_and_a_closed_gate_ends_the_call() {
    // write(path: "a", content: "") with the return area at 200.
    let write = r#"(import "orch:files/files@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))"#;
    let body = "(i32.store8 (i32.const 100) (i32.const 0x61))
        (call $write (i32.const 100) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 200))";
    let engine = Engine::run(1, 0).unwrap();
    let core = executor(write, &format!("{body} {body}"));
    let permissions = json!({"files": {"write": ["*"]}});
    let guest = Guest::new(&engine, &core, permissions.clone(), json!({"hostCalls": 1}));
    let report = guest.execute().await;
    assert_eq!((report.result.unwrap_err().code(), report.effect), ("limit-host-calls", true));
    assert_eq!(guest.bench.effects().len(), 2, "one intent and one write");

    let mut guest = Guest::new(&engine, &core, permissions, json!({}));
    guest.bench = Bench::in_mood(Mood::Closed);
    let report = guest.execute().await;
    assert_eq!((report.result.unwrap_err().code(), report.effect), ("call-closed", false));
    let asked = [EffectRecord::Intent { domain: DomainName::Files, effect: "files-write", spends: false }];
    assert_eq!(guest.bench.effects(), asked, "refused, and nothing was written");
}

#[tokio::test]
async fn too_many_resources_are_named() {
    let later = r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $later (param i64) (result i32)))"#;
    let body = "(loop $again (drop (call $later (i64.const 1))) (br $again))";
    let limits = json!({"hostCalls": 100_000});
    assert_eq!(code_of(later, body, json!({"wasi": {"clocks": true}}), limits).await, "limit-resources");
}

#[tokio::test]
async fn certification_repeats_clock_and_random_numbers() {
    // The summary is eight bytes of the clock and of a random number, each as letters.
    let imports = r#"(import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $now (result i64)))
        (import "wasi:random/random@0.2.12" "get-random-u64" (func $random (result i64)))"#;
    let letters = "(i64.or (i64.and (i64.xor (call $now) (call $random)) (i64.const 0x0f0f0f0f0f0f0f0f))
        (i64.const 0x4040404040404040))";
    let body = format!(
        "(i64.store (i32.const 128) {letters})
         (i32.store (i32.const 4) (i32.const 128)) (i32.store (i32.const 8) (i32.const 8))"
    );
    let summaries = async |engine: Engine| {
        let permissions = json!({"wasi": {"clocks": true, "random": true}});
        let guest = Guest::new(&engine, &executor(imports, &body), permissions, json!({}));
        [guest.execute().await.result.unwrap().summary, guest.execute().await.result.unwrap().summary]
    };
    let [first, second] = summaries(Engine::certification().unwrap()).await;
    assert_eq!((first.len(), &first), (8, &second));
    let [first, second] = summaries(Engine::run(1, 0).unwrap()).await;
    assert_ne!(first, second);
}

#[tokio::test]
async fn what_outgrows_the_pool_fits_the_large_engine_and_runs_there() {
    let with = |more: &str, count: usize| {
        executor("", "").replace("(global $top", &format!("{} (global $top", more.repeat(count)))
    };
    let (pool, large) = (Engine::run(1, 0).unwrap(), Engine::large().unwrap());
    for (core, fits) in [
        (with("(table 10 funcref)", 8), true),
        (with("(table 10 funcref)", 9), false),
        (with("(table 20000 funcref)", 1), true),
        (with("(table 20001 funcref)", 1), false),
        (with("(memory 1)", 1), true),
        (with("(memory 1)", 2), false),
    ] {
        let made = || candidate("executor", &core, json!({}), json!({}));
        assert_eq!(pool.fits(made().facts()), fits, "{core}");
        let code = pool.compile(made()).map(drop).map_err(|error| error.code());
        assert_eq!(code, if fits { Ok(()) } else { Err("component-does-not-fit") });
        let guest = Guest::new(if fits { &pool } else { &large }, &core, json!({}), json!({}));
        assert!(guest.execute().await.result.is_ok(), "{core}");
    }
}

#[tokio::test]
async fn a_report_says_what_its_call_used() {
    let times = |count: u32| {
        executor(
            "",
            &format!(
                "(loop $again (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const {count})))) (drop (memory.grow (i32.const 3)))"
            ),
        )
    };
    let used = async |engine: &Engine, count: u32| {
        let guest = Guest::new(engine, &times(count), json!({}), json!({}));
        let (first, second) = (guest.execute().await.used, guest.execute().await.used);
        assert_eq!(first, second, "each call is counted by itself");
        assert_eq!(first.memory_bytes, 5 << 16);
        first.fuel
    };
    let certification = Engine::certification().unwrap();
    let (few, many) = (used(&certification, 10).await.unwrap(), used(&certification, 1010).await.unwrap());
    assert!(few > 0 && many - few >= 1000, "{few} {many}");
    assert_eq!(used(&Engine::run(1, 0).unwrap(), 10).await, None);
}

#[tokio::test]
async fn a_planners_session_says_what_its_last_call_used() {
    let engine = Engine::certification().unwrap();
    let compiled = engine.compile(candidate("planner", &planner(""), json!({}), json!({}))).unwrap();
    let planner = Planner::link(&engine, compiled).unwrap();
    let context = Bench::new().context("/".into(), DEADLINE);
    let mut session = planner.open(context, "{}", &["shell".to_owned()]).await.unwrap();
    let mut fuel = Vec::new();
    for _ in 0..3 {
        session.next(1).await.unwrap();
        fuel.push(session.used().fuel.unwrap());
    }
    assert!(fuel[0] > 0 && fuel.iter().all(|used| *used == fuel[0]), "{fuel:?}");
}

/// A planner that waits, but in slot 9 loops for ever.
fn planner(imports: &str) -> String {
    let name = "orch:planner/planner@0.1.0";
    let imports = format!(
        r#"{imports} (import "[export]{name}" "[resource-new]session" (func $new (param i32) (result i32)))"#
    );
    let body = format!(
        r#"(func (export "{name}#[static]session.open") (param i32 i32 i32 i32) (result i32)
            (i32.store (i32.const 4) (call $new (i32.const 7))) (i32.const 0))
        (func (export "{name}#[method]session.observe") (param i32 i32 i32) (result i32)
            (i32.store (i32.const 16) (i32.const 0)) (i32.const 16))
        (func (export "{name}#[method]session.next") (param i32 i32) (result i32)
            (if (i32.eq (local.get 1) (i32.const 9)) (then {FOREVER}))
            (i32.store (i32.const 32) (i32.const 0))
            (i32.store (i32.const 36) (i32.const 1)) (i32.const 32))"#
    );
    module(&imports, &body)
}

#[tokio::test]
async fn a_planners_session_lives_until_its_first_fault() {
    let engine = Engine::run(1, 1).unwrap();
    let compiled =
        engine.compile(candidate("planner", &planner(""), json!({}), json!({"busyMs": 500}))).unwrap();
    let planner = Planner::link(&engine, compiled).unwrap();
    let bench = Bench::new();
    let context = bench.context("/".into(), DEADLINE);
    let mut session = planner.open(context, "{}", &["shell".to_owned()]).await.unwrap();
    let ready = PlannerChange::Ready(ReadyTask { index: 0, priority: 1, cost: 1, kind: 0 });
    for _ in 0..20 {
        session.observe(&[ready, PlannerChange::Budget(5)]).await.unwrap();
        assert_eq!(session.next(1).await.unwrap(), Decision::Wait);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(session.observe(&vec![ready; 1001]).await.unwrap_err().code(), "call-host");
    assert_eq!(session.next(9).await.unwrap_err().code(), "limit-busy");
    assert_eq!(session.next(1).await.unwrap_err().code(), "call-closed");
}

#[tokio::test]
async fn a_planner_may_not_import_what_writes() {
    let engine = Engine::certification().unwrap();
    let report = r#"(import "orch:metrics/metrics@0.1.0" "record" (func $record (param i32 i32 f64 i32 i32 i32 i32 i32)))"#;
    let core = planner(report).replace(FOREVER, "(call $record (i32.const 0) (i32.const 0) (f64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200))");
    let compiled = engine.compile(candidate("planner", &core, json!({"metrics": {}}), json!({}))).unwrap();
    let Err(error) = Planner::link(&engine, compiled) else { panic!("it was linked") };
    assert_eq!(error.code(), "plugin-link");
    assert!(error.to_string().contains("orch:metrics/metrics@0.1.2"), "{error}");
}

#[test]
fn a_role_without_its_export_is_not_linked() {
    let engine = Engine::certification().unwrap();
    let compiled = engine.compile(candidate("executor", &executor("", ""), json!({}), json!({}))).unwrap();
    let Err(error) = crate::role::verifier::Verifier::link(&engine, compiled) else {
        panic!("it was linked")
    };
    assert_eq!(error.code(), "plugin-link");
}
