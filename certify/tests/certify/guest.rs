//! Guests of tests: components with the exports of a role, their functions written by the test.
//!
//! In -> out: role, bodies -> component.
//! Not here: how they are made (`orch_certify::self_check::guest`).

use orch_certify::self_check::guest::{core_type, guest as make};
use orch_certify::wit::role_world;
use orch_trust::manifest::Role;
use wit_parser::WorldItem;
use wit_parser::abi::{AbiVariant, WasmType};

/// A component of that role. `bodies`: function name as in WIT and its instructions. `head`: more of the module.
pub(crate) fn guest(role: Role, head: &str, bodies: &[(&str, &str)]) -> Vec<u8> {
    make(role, head, bodies).unwrap()
}

/// What a planner's module needs: its session, the ready tasks (index and cost, from 5120 on), what is left, how many
/// run, and how often it was told something.
pub(crate) const SESSION: &str = r#"
    (import "[export]orch:planner/planner@0.1.0" "[resource-new]session" (func $new (param i32) (result i32)))
    (global $ready (mut i32) (i32.const 0))
    (global $left (mut i64) (i64.const 0))
    (global $running (mut i32) (i32.const 0))
    (global $told (mut i32) (i32.const 0))
    (global $ever (mut i32) (i32.const 0))
    (func $place (param $at i32) (result i32)
      (i32.add (i32.const 5120) (i32.mul (local.get $at) (i32.const 8))))
    (func $remove (param $index i32)
      (local $at i32)
      (block $done (loop $look
        (br_if $done (i32.ge_u (local.get $at) (global.get $ready)))
        (if (i32.eq (i32.load (call $place (local.get $at))) (local.get $index)) (then
          (global.set $ready (i32.sub (global.get $ready) (i32.const 1)))
          (i64.store (call $place (local.get $at)) (i64.load (call $place (global.get $ready))))
          (return)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $look))))
    (func $add (param $index i32) (param $cost i32)
      (call $remove (local.get $index))
      (if (i32.ge_u (global.get $ready) (i32.const 384)) (then (return)))
      (i32.store (call $place (global.get $ready)) (local.get $index))
      (i32.store offset=4 (call $place (global.get $ready)) (local.get $cost))
      (global.set $ever (i32.const 1))
      (global.set $ready (i32.add (global.get $ready) (i32.const 1))))"#;

/// `open` of every planner here.
pub(crate) const OPEN: &str = "(i32.store (i32.const 4100) (call $new (i32.const 1))) (i32.const 4096)";

/// Takes in every change.
pub(crate) const OBSERVE: &str = "(local $at i32) (local $end i32) (local $tag i32)
    (global.set $told (i32.add (global.get $told) (i32.const 1)))
    (local.set $at (local.get 1))
    (local.set $end (i32.add (local.get 1) (i32.mul (local.get 2) (i32.const 24))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $tag (i32.load8_u (local.get $at)))
      (if (i32.eq (local.get $tag) (i32.const 0))
        (then (call $add (i32.load offset=8 (local.get $at)) (i32.load offset=16 (local.get $at)))))
      (if (i32.eq (local.get $tag) (i32.const 1)) (then (call $remove (i32.load offset=8 (local.get $at)))))
      (if (i32.eq (local.get $tag) (i32.const 2))
        (then (global.set $running (i32.sub (global.get $running) (i32.const 1)))))
      (if (i32.eq (local.get $tag) (i32.const 3)) (then (global.set $left (i64.load offset=8 (local.get $at)))))
      (local.set $at (i32.add (local.get $at) (i32.const 24)))
      (br $next)))
    (i32.const 4224)";

/// Starts what fits, into the list at 4368; waits while something runs; else it is finished.
pub(crate) const NEXT: &str = "(local $at i32) (local $picked i32) (local $cost i64)
    (block $done (loop $look
      (br_if $done (i32.ge_u (local.get $at) (global.get $ready)))
      (br_if $done (i32.ge_u (local.get $picked) (local.get 1)))
      (br_if $done (i32.ge_u (local.get $picked) (i32.const 64)))
      (local.set $cost (i64.load32_u offset=4 (call $place (local.get $at))))
      (if (i64.le_u (local.get $cost) (global.get $left))
        (then
          (global.set $left (i64.sub (global.get $left) (local.get $cost)))
          (i32.store offset=4368 (i32.mul (local.get $picked) (i32.const 4)) (i32.load (call $place (local.get $at))))
          (call $remove (i32.load (call $place (local.get $at))))
          (global.set $running (i32.add (global.get $running) (i32.const 1)))
          (local.set $picked (i32.add (local.get $picked) (i32.const 1))))
        (else (local.set $at (i32.add (local.get $at) (i32.const 1)))))
      (br $look)))
    (i32.store (i32.const 4356)
      (select (i32.const 0)
        (select (i32.const 1) (i32.const 2) (i32.gt_s (global.get $running) (i32.const 0)))
        (local.get $picked)))
    (i32.store (i32.const 4360) (i32.const 4368))
    (i32.store (i32.const 4364) (local.get $picked))
    ;; HERE
    (i32.const 4352)";

/// A planner with these functions.
pub(crate) fn planner(open: &str, observe: &str, next: &str) -> Vec<u8> {
    let bodies = [
        ("[static]session.open", open),
        ("[method]session.observe", observe),
        ("[method]session.next", next),
    ];
    guest(Role::Planner, SESSION, &bodies)
}

pub(crate) fn good_planner() -> Vec<u8> {
    planner(OPEN, OBSERVE, NEXT)
}

/// A service that answers every request with an empty 200.
pub(crate) fn good_service() -> Vec<u8> {
    service("")
}

/// The same, but for what it does first: the request's method lies at 4608, its response is `$one`.
pub(crate) fn service(first: &str) -> Vec<u8> {
    let (resolve, world) = role_world(Role::Service).unwrap();
    let mut imports = String::new();
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let interface = resolve.name_world_key(key);
        for (name, as_name) in [
            ("[constructor]fields", "$fields"),
            ("[constructor]outgoing-response", "$response"),
            ("[method]incoming-request.method", "$method"),
            ("[method]outgoing-response.set-status-code", "$status"),
            ("[method]outgoing-response.body", "$body"),
            ("[static]response-outparam.set", "$set"),
        ] {
            if let Some(function) = resolve.interfaces[*id].functions.get(name) {
                let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
                let list = |kinds: &[WasmType]| {
                    kinds.iter().map(|kind| core_type(*kind)).collect::<Vec<_>>().join(" ")
                };
                let (params, results) = (list(&signature.params), list(&signature.results));
                imports.push_str(&format!(
                    "(import \"{interface}\" \"{name}\" (func {as_name} (param {params}) (result {results})))\n"
                ));
            }
        }
    }
    // outparam, ok, response; the rest of the joined payload is zero.
    let body = format!(
        "(local $one i32)
         (call $method (local.get 0) (i32.const 4608))
         (local.set $one (call $response (call $fields)))
         {first}
         (call $set (local.get 1) (i32.const 0) (local.get $one)
           (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"
    );
    guest(Role::Service, &imports, &[("handle", &body)])
}
