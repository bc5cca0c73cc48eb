//! Check `dependency-list`: every module says what it is made of, in the form of `cargo auditable`.
//!
//! In -> out: component -> result, [`lists`] for other checks. Looks at every core module at any depth.
//! Limits: 2 MiB, packed and unpacked.
//! Invariant: absence is a failure, never "not Rust". Excepted are trampolines (no memory, no data, no start, no
//! global, and bodies that only pass their arguments on to a table's function), modules on [`KNOWN`], and components with
//! a known engine: what these are made of stands in the bill of materials, and is bounded beside the engine.
//! Not here: whether the list is true, which only a build of our own can say; whether it fits the SBOM (`sbom.rs`).

use auditable_serde::VersionInfo;
use miniz_oxide::inflate::stream::{InflateState, inflate as unpack};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};
use orch_trust::certificate::CheckResult;
use orch_trust::digest::Sha256Digest;
use orch_trust::engines::Standing;
use orch_trust::strict_json;
use wasmparser::{FunctionBody, Operator};

use super::parts::{Part, parts};
use super::{Subject, judged, skipped};

const ID: &str = "dependency-list";
/// Name of the custom section.
pub const SECTION: &str = ".dep-v0";
/// The most that a list may be, packed and unpacked.
pub const BYTES_MAX: usize = 2 << 20;
/// SHA-256 of modules that need no list: adapters and runtimes that a person has looked at. None so far.
const KNOWN: [&str; 0] = [];

/// Why a section is no dependency list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListFault {
    #[error("it unpacks to more than {BYTES_MAX} bytes")]
    Bomb,
    #[error("it is not packed as zlib says, or bytes follow")]
    Packing,
    #[error("it is no list of packages: {0}")]
    Form(String),
    #[error("it does not say which package is the module's own")]
    NoRoot,
    #[error("it refers to a package that it does not name")]
    Reference,
}

impl ListFault {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bomb => "list-bomb",
            Self::Packing => "list-packing",
            Self::Form(_) => "list-form",
            Self::NoRoot => "list-no-root",
            Self::Reference => "list-reference",
        }
    }
}

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    if let Err(refusal) = &subject.facts {
        return skipped(ID, &format!("no facts: {}", refusal.code()));
    }
    let bytes = subject.package.component();
    let parts = parts(&bytes);
    let (mut modules, mut read_well, mut findings) = (0, 0, Vec::new());
    for part in parts.iter().filter(|part| part.is_module) {
        modules += 1;
        match part.section(SECTION).map(read) {
            Some(Ok(_)) => read_well += 1,
            Some(Err(fault)) => findings.push(format!("{}: list of {}: {fault}", fault.code(), part.name)),
            None if part.standing.is_some() || is_trampoline(part) || is_known(part, &KNOWN) => {}
            None => findings.push(format!("list-missing: {} has no `{SECTION}`", part.name)),
        }
    }
    // What nothing of is a module with a list has nothing that could be looked up.
    let has_engine = parts.iter().any(|part| part.standing.is_some());
    if findings.is_empty() && read_well == 0 && !has_engine {
        findings.push(format!("list-missing: no module has `{SECTION}`"));
    }
    judged(ID, modules + 1, findings)
}

/// The lists of every module that has one. An engine's own is that of its toolchain, not the plugin's.
///
/// # Errors
/// The first that cannot be read.
pub fn lists(component: &[u8]) -> Result<Vec<VersionInfo>, ListFault> {
    parts(component)
        .iter()
        .filter(|part| part.is_module && part.standing != Some(Standing::Listed))
        .filter_map(|part| part.section(SECTION))
        .map(read)
        .collect()
}

/// The list in a section.
///
/// # Errors
/// Every [`ListFault`].
pub fn read(section: &[u8]) -> Result<VersionInfo, ListFault> {
    let form = |error: strict_json::JsonError| ListFault::Form(error.to_string());
    let list: VersionInfo = strict_json::parse(&inflate(section)?).map_err(form)?;
    if !list.packages.iter().any(|package| package.root) {
        return Err(ListFault::NoRoot);
    }
    let mut used = list.packages.iter().flat_map(|package| &package.dependencies);
    match used.all(|place| *place < list.packages.len()) {
        true => Ok(list),
        false => Err(ListFault::Reference),
    }
}

/// The bytes that are packed in a section.
///
/// # Errors
/// `Bomb`, `Packing`.
pub fn inflate(section: &[u8]) -> Result<Vec<u8>, ListFault> {
    let mut bytes = vec![0; BYTES_MAX + 1];
    let done = unpack(&mut InflateState::new_boxed(DataFormat::Zlib), section, &mut bytes, MZFlush::Finish);
    if done.bytes_written > BYTES_MAX {
        return Err(ListFault::Bomb);
    }
    match done.status {
        Ok(MZStatus::StreamEnd) if done.bytes_consumed == section.len() => {
            bytes.truncate(done.bytes_written);
            Ok(bytes)
        }
        _ => Err(ListFault::Packing),
    }
}

fn is_known(part: &Part<'_>, known: &[&str]) -> bool {
    let digest = Sha256Digest::of(part.bytes).to_string();
    known.iter().any(|listed| **listed == digest)
}

/// True for what component encoders put between modules: calls handed on through a table, or the filling of that
/// table, and nothing else.
fn is_trampoline(part: &Part<'_>) -> bool {
    let counts = part.counts;
    counts.memories == 0
        && counts.globals == 0
        && part.data.is_empty()
        && !part.has_start
        && part.bodies.iter().all(|body| passes_on(body).unwrap_or(false))
}

/// True if the body pushes its arguments and one number, and calls through a table.
fn passes_on(body: &FunctionBody<'_>) -> Result<bool, wasmparser::BinaryReaderError> {
    let mut arguments = 0;
    let mut operators = body.get_operators_reader()?.into_iter();
    let mut expected = loop {
        match operators.next().transpose()? {
            Some(Operator::LocalGet { local_index }) if local_index == arguments => arguments += 1,
            other => break other,
        }
    };
    if !matches!(expected, Some(Operator::I32Const { .. })) {
        return Ok(false);
    }
    expected = operators.next().transpose()?;
    if !matches!(expected, Some(Operator::CallIndirect { .. })) {
        return Ok(false);
    }
    let last = operators.next().transpose()?;
    Ok(matches!(last, Some(Operator::End)) && body.get_locals_reader()?.get_count() == 0)
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<&str>) {
        let found = read(&compress_to_vec_zlib(json.as_bytes(), 7)).err().map(|fault| fault.code());
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn a_list_is_strict_and_whole() {
        let package = |more: &str| format!(r#"{{"name":"a","version":"1.0.0","source":"crates.io"{more}}}"#);
        let list = |packages: &str| format!(r#"{{"packages":[{packages}],"format":1}}"#);
        let root = package(r#","root":true"#);
        check(&list(&root), None);
        check(&list(&format!("{root},{}", package(""))), None);
        check(&list(""), Some("list-no-root"));
        check(&list(&package("")), Some("list-no-root"));
        check(&list(&format!("{root},{root}")), Some("list-form"));
        check(&list(&package(r#","root":true,"dependencies":[1]"#)), Some("list-reference"));
        check(&list(&package(r#","root":true,"root":true"#)), Some("list-form"));
        check("{}", Some("list-form"));
        check("", Some("list-form"));
        // Fields are named, at every level.
        check(&list(r#"["a","1.0.0","crates.io","runtime",[],true]"#), Some("list-form"));
        check(&format!("[[{root}],1]"), Some("list-form"));
    }

    #[test]
    fn a_bomb_and_what_follows_the_list_are_found() {
        let bomb = compress_to_vec_zlib(&vec![b' '; BYTES_MAX + 1], 9);
        assert!(bomb.len() < 10_000);
        assert_eq!(inflate(&bomb), Err(ListFault::Bomb));
        assert_eq!(
            inflate(&compress_to_vec_zlib(&vec![b' '; BYTES_MAX], 9)).map(|bytes| bytes.len()),
            Ok(BYTES_MAX)
        );
        let packed = compress_to_vec_zlib(b"{}", 7);
        assert_eq!(inflate(&packed), Ok(b"{}".to_vec()));
        assert_eq!(inflate(&[packed.clone(), vec![0]].concat()), Err(ListFault::Packing));
        assert_eq!(inflate(&packed[..packed.len() - 1]), Err(ListFault::Packing));
        assert_eq!(inflate(b"{}"), Err(ListFault::Packing));
        assert_eq!(inflate(b""), Err(ListFault::Packing));
    }

    fn module(body: &str) -> bool {
        let bytes = wat::parse_str(format!("(component (core module {body}))")).unwrap();
        is_trampoline(&parts(&bytes)[1])
    }

    #[test]
    fn only_what_hands_calls_on_is_a_trampoline() {
        let call = "(type $t (func (param i32 i32))) (table 2 funcref)
            (func (param i32 i32) local.get 0 local.get 1 i32.const 1 call_indirect (type $t))";
        assert!(module(call));
        assert!(module(
            r#"(import "" "0" (func)) (import "" "t" (table 1 funcref)) (elem (i32.const 0) func 0)"#
        ));
        assert!(module(""));
        assert!(!module(&format!("(memory 1) {call}")));
        assert!(!module(&format!(r#"(import "" "m" (memory 1)) {call}"#)));
        assert!(!module(&format!("(global i32 (i32.const 1)) {call}")));
        assert!(!module(&format!("(func $s) (start $s) {call}")));
        assert!(!module(&format!(r#"(data "x") {call}"#)));
        assert!(!module("(func (loop (br 0)))"));
        assert!(!module("(func (result i32) i32.const 1)"));
        assert!(!module(&call.replace("local.get 0 local.get 1", "local.get 1 local.get 0")));
        assert!(!module(&call.replace("local.get 0 local", "(local i64) local.get 0 local")));
        assert!(!module(&call.replace("i32.const 1 call", "i32.const 1 i32.const 2 i32.add call")));
    }

    #[test]
    fn a_module_on_the_list_needs_none() {
        let bytes = wat::parse_str("(component (core module (memory 1)))").unwrap();
        let module = &parts(&bytes)[1];
        let digest = Sha256Digest::of(&wat::parse_str("(module (memory 1))").unwrap()).to_string();
        assert!(is_known(module, &[&digest]));
        assert!(!is_known(module, &KNOWN));
    }
}
