//! Guests: components with the exports of a role, their functions written by the test.
//!
//! In -> out: role, bodies -> component.
//! A function without a body answers with the zeros at [`ANSWER`]: `ok`, an empty list, an empty text.

use orch_certify::wit::role_world;
use orch_trust::manifest::Role;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, Resolve, WorldItem};

/// Where answers lie; zero unless a body writes there.
pub(crate) const ANSWER: u32 = 4096;

/// A component of that role. `bodies`: function name as in WIT and its instructions. `head`: more of the module.
pub(crate) fn guest(role: Role, head: &str, bodies: &[(&str, &str)]) -> Vec<u8> {
    let (resolve, world) = role_world(role).unwrap();
    let mut functions = String::new();
    for (key, item) in &resolve.worlds[world].exports {
        let WorldItem::Interface { id, .. } = item else { panic!("a world of interfaces") };
        let interface = resolve.name_world_key(key);
        for function in resolve.interfaces[*id].functions.values() {
            functions.push_str(&core_function(&resolve, &interface, function, bodies));
        }
    }
    // Strings that the host hands over are never read: a bump of 64 KiB pages that grows is enough.
    let module = format!(
        r#"(module
            {head}
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 8192))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
              (local $at i32)
              (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
              (global.set $free (i32.add (local.get $at) (local.get 3)))
              (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
                (then (drop (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get 3) (i32.const 16)))))))
              (local.get $at))
            {functions})"#
    );
    let mut module = wat::parse_str(&module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

fn core_function(resolve: &Resolve, interface: &str, function: &Function, bodies: &[(&str, &str)]) -> String {
    let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
    let types = |list: &[WasmType]| list.iter().map(|kind| core_type(*kind)).collect::<Vec<_>>().join(" ");
    let written = bodies.iter().find(|(name, _)| *name == function.name).map(|(_, body)| (*body).to_owned());
    let body = written.unwrap_or_else(|| match signature.results.is_empty() {
        true => String::new(),
        false => format!("(i32.const {ANSWER})"),
    });
    let (params, results) = (types(&signature.params), types(&signature.results));
    let name = &function.name;
    format!("(func (export \"{interface}#{name}\") (param {params}) (result {results}) {body})\n")
}

fn core_type(kind: WasmType) -> &'static str {
    match kind {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

/// What a planner's module needs to make its session.
pub(crate) const SESSION: &str = r#"
    (import "[export]orch:planner/planner@0.1.0" "[resource-new]session" (func $new (param i32) (result i32)))
    (global $round (mut i32) (i32.const 0))
    (global $poor (mut i32) (i32.const 0))
    (data (i32.const 512) "\00\00\00\00\01\00\00\00\02\00\00\00\03\00\00\00\04\00\00\00\09\00\00\00")"#;

/// `open` of every planner here.
pub(crate) const OPEN: (&str, &str) =
    ("[static]session.open", "(i32.store (i32.const 4100) (call $new (i32.const 1))) (i32.const 4096)");

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
