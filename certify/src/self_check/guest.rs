//! Guests: tiny components with the exports of a role, their functions written as text.
//!
//! In -> out: role, bodies -> component.
//! A function without a body answers with the zeros at [`ANSWER`]: `ok`, an empty list, an empty text.
//! Not here: what is wrong with them (`recipes.rs`).

use miniz_oxide::deflate::compress_to_vec_zlib;
use orch_trust::manifest::Role;
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, Resolve, WorldItem};

use super::error::RecipeError;
use crate::check::dependency_list::SECTION;
use crate::wit::role_world;

/// Where answers lie; zero unless a body writes there.
pub const ANSWER: u32 = 4096;

/// A component of that role. `bodies`: function name as in WIT and its instructions. `head`: more of the module.
///
/// # Errors
/// The text does not parse, or is no component of that role.
pub fn guest(role: Role, head: &str, bodies: &[(&str, &str)]) -> Result<Vec<u8>, RecipeError> {
    component(role, head, bodies, &[])
}

/// The same with a list of its packages in the module, as [`super::sample::Sample`]'s bill names them.
pub(super) fn listed(role: Role, head: &str, bodies: &[(&str, &str)]) -> Result<Vec<u8>, RecipeError> {
    let list = json!({ "packages": [
        { "name": "known", "version": "1.0.0", "source": "local", "root": true },
    ], "format": 1 });
    let packed = compress_to_vec_zlib(list.to_string().as_bytes(), 6);
    let content = [length(SECTION.len()).as_slice(), SECTION.as_bytes(), &packed].concat();
    component(role, head, bodies, &[&[0], length(content.len()).as_slice(), &content].concat())
}

/// A length as WebAssembly writes it: seven bits a byte, the lowest first.
pub(super) fn length(mut rest: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        match rest {
            0 => {
                out.push(low);
                return out;
            }
            _ => out.push(low | 0x80),
        }
    }
}

/// `section`: appended to the module as it is.
fn component(
    role: Role,
    head: &str,
    bodies: &[(&str, &str)],
    section: &[u8],
) -> Result<Vec<u8>, RecipeError> {
    let encode = |message: String| RecipeError::Encode { message };
    let (resolve, world) = role_world(role).map_err(|error| encode(error.to_string()))?;
    let mut functions = String::new();
    let exports = resolve.worlds.get(world).into_iter().flat_map(|world| &world.exports);
    for (key, item) in exports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let interface = resolve.name_world_key(key);
        let Some(known) = resolve.interfaces.get(*id) else { continue };
        for function in known.functions.values() {
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
    let mut module = wat::parse_str(&module).map_err(RecipeError::Text)?;
    module.extend_from_slice(section);
    let shown = |error: anyhow::Error| encode(format!("{error:#}"));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(shown)?;
    ComponentEncoder::default().module(&module).map_err(shown)?.validate(true).encode().map_err(shown)
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

/// A core type as text.
pub fn core_type(kind: WasmType) -> &'static str {
    match kind {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

/// What a planner's module needs to make its session.
pub const SESSION: &str = r#"
    (import "[export]orch:planner/planner@0.1.0" "[resource-new]session" (func $new (param i32) (result i32)))
    (global $round (mut i32) (i32.const 0))
    (global $poor (mut i32) (i32.const 0))
    (data (i32.const 512) "\00\00\00\00\01\00\00\00\02\00\00\00\03\00\00\00\04\00\00\00\09\00\00\00")"#;

/// `open` of a planner with [`SESSION`].
pub const OPEN: (&str, &str) =
    ("[static]session.open", "(i32.store (i32.const 4100) (call $new (i32.const 1))) (i32.const 4096)");
