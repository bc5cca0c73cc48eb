//! Guests of tests: components with the exports of a role, their functions written by the test.
//!
//! In -> out: role, bodies -> component.
//! Not here: how they are made (`orch_certify::self_check::guest`).

pub(crate) use orch_certify::self_check::guest::{OPEN, SESSION};
use orch_certify::self_check::guest::{core_type, guest as make};
use orch_certify::wit::role_world;
use orch_trust::manifest::Role;
use wit_parser::WorldItem;
use wit_parser::abi::{AbiVariant, WasmType};

/// A component of that role. `bodies`: function name as in WIT and its instructions. `head`: more of the module.
pub(crate) fn guest(role: Role, head: &str, bodies: &[(&str, &str)]) -> Vec<u8> {
    make(role, head, bodies).unwrap()
}

/// Remembers that it was told the long, hostile list.
pub(crate) const OBSERVE: (&str, &str) = (
    "[method]session.observe",
    "(global.set $poor (i32.eq (local.get 2) (i32.const 1000))) (i32.const 4224)",
);

/// `next` that starts so many tasks of the list at byte `from` of the data.
pub(crate) fn start(from: u32, count: u32) -> String {
    format!(
        "(i32.store (i32.const 4356) (i32.const 0))
         (i32.store (i32.const 4360) (i32.const {from}))
         (i32.store (i32.const 4364) (i32.const {count}))"
    )
}

/// Two, two, one, then finished; finished at once when it is poor.
pub(crate) fn next_of_a_good_planner() -> String {
    let finished = "(i32.store (i32.const 4356) (i32.const 2)) (i32.store (i32.const 4364) (i32.const 0))";
    format!(
        "(global.set $round (i32.add (global.get $round) (i32.const 1)))
         {finished}
         (if (i32.eqz (global.get $poor)) (then
           (if (i32.eq (global.get $round) (i32.const 1)) (then {}))
           (if (i32.eq (global.get $round) (i32.const 2)) (then {}))
           (if (i32.eq (global.get $round) (i32.const 3)) (then {}))))
         (i32.const 4352)",
        start(512, 2),
        start(520, 2),
        start(528, 1)
    )
}

/// A service that answers every request with an empty 200.
pub(crate) fn good_service() -> Vec<u8> {
    let (resolve, world) = role_world(Role::Service).unwrap();
    let mut imports = String::new();
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let interface = resolve.name_world_key(key);
        for (name, as_name) in [
            ("[constructor]fields", "$fields"),
            ("[constructor]outgoing-response", "$response"),
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
    let body = "(call $set (local.get 1) (i32.const 0) (call $response (call $fields))
                  (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
    guest(Role::Service, &imports, &[("handle", body)])
}
