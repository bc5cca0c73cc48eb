//! Known engines: what a component of another language is made of.
//!
//! In -> out: bytes of a component -> [`Anatomy`]: whose engine it has, and what each of its modules is.
//! Limits: the constants below, for what is not listed.
//! Invariant: a module is listed by the SHA-256 of its bytes without custom sections, or it is not; without a listed
//! engine there is no snapshot and no glue, and a component is judged as any other.
//! Not here: what certifiers ask of each kind of module (`orch-certify`), the list itself (`engines/table.rs`).

mod table;

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasmparser::{Parser, Payload};

use crate::digest::Sha256Digest;
use crate::refusal::Refusal;

/// The custom section by which a linker knows a module that it loads: each module of an engine has one.
pub const DYLINK: &str = "dylink.0";
/// Code of the module with the memory's first contents.
pub const SNAPSHOT_CODE_BYTES_MAX: u64 = 16 << 10;
pub const SNAPSHOT_SEGMENTS_MAX: u64 = 20_000;
pub const SNAPSHOT_EXPORTS_MAX: u64 = 4_000;
/// Code of everything between the modules, all together: bindings of a world and what hands calls on.
pub const GLUE_CODE_BYTES_MAX: u64 = 128 << 10;
/// Sections of a module's binary form.
const CUSTOM: u8 = 0;
const HEAD_BYTES: usize = 8;

/// An engine as its toolchain emits it.
#[derive(Clone, Copy, Debug)]
struct Engine {
    /// The toolchain's package and its version.
    name: &'static str,
    /// The first version of the table that has it.
    since: u32,
    /// The interpreter first, then what it is linked with: name, SHA-256 without custom sections.
    modules: &'static [(&'static str, &'static str)],
}

/// The engine of a component, as its facts say it: the same in every later version of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineFact {
    pub name: String,
    /// The version of the table that first has it.
    pub table: u32,
}

/// What one module of a component with an engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Part of the engine, the same in every plugin.
    Listed,
    /// The memory as it stood when the plugin's own program was loaded into the engine.
    Snapshot,
    /// What joins the others; made by the toolchain for the plugin's world.
    Glue,
}

/// A component with an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anatomy {
    pub engine: EngineFact,
    /// Of each module, in order of appearance at any depth.
    pub modules: Vec<Standing>,
}

/// The version of the table.
pub fn table_version() -> u32 {
    table::VERSION
}

/// Every engine of the table: its name, the version of the table that first has it, its modules by name and digest.
pub fn known() -> impl Iterator<Item = (&'static str, u32, &'static [(&'static str, &'static str)])> {
    table::ENGINES.into_iter().map(|engine| (engine.name, engine.since, engine.modules))
}

/// What a component with an engine is made of; none for one that has no module of an engine.
///
/// # Errors
/// `EngineUnknown`, `SnapshotSeveral`, `SnapshotTooLarge`, `GlueTooLarge`.
pub fn anatomy(component: &[u8]) -> Result<Option<Anatomy>, Refusal> {
    let mut modules = Modules::default();
    for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
        modules.take(&payload);
    }
    modules.judge(component)
}

/// The SHA-256 of a module's bytes without its custom sections. Of what is cut off, whatever is there.
pub fn digest_without_custom_sections(module: &[u8]) -> Sha256Digest {
    let mut digest = Sha256::new();
    let (head, mut rest) = module.split_at(HEAD_BYTES.min(module.len()));
    digest.update(head);
    while let Some((id, after)) = rest.split_first() {
        let size = usize::try_from(unsigned(after)).unwrap_or(usize::MAX);
        let prefix = 1 + after.iter().position(|byte| byte & 0x80 == 0).map_or(after.len(), |last| last + 1);
        let (section, next) = rest.split_at(prefix.saturating_add(size).min(rest.len()));
        if *id != CUSTOM {
            digest.update(section);
        }
        rest = next;
    }
    Sha256Digest::from_bytes(digest.finalize().into())
}

/// The number at the beginning, as WebAssembly writes it.
fn unsigned(bytes: &[u8]) -> u64 {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap_or(0).min(4);
    bytes.iter().take(end + 1).rev().fold(0, |sum, byte| (sum << 7) | u64::from(byte & 0x7f))
}

/// Modules of a component, as they are met.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    met: Vec<Module>,
    is_open: bool,
}

#[derive(Clone, Debug, Default)]
struct Module {
    range: Range<usize>,
    is_linked: bool,
    has_memory: bool,
    has_start: bool,
    segments: u64,
    data_bytes: u64,
    exports: u64,
    functions: u64,
    code_bytes: u64,
}

impl Modules {
    /// Takes in one payload of a parser that goes into modules.
    pub(crate) fn take(&mut self, payload: &Payload<'_>) {
        match payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                self.met.push(Module { range: unchecked_range.clone(), ..Module::default() });
                self.is_open = true;
            }
            Payload::End(_) => self.is_open = false,
            _ => {}
        }
        let Some(module) = self.met.last_mut().filter(|_| self.is_open) else { return };
        match payload {
            Payload::CustomSection(section) => module.is_linked |= section.name() == DYLINK,
            Payload::MemorySection(section) => module.has_memory |= section.count() > 0,
            Payload::FunctionSection(section) => module.functions += u64::from(section.count()),
            Payload::ExportSection(section) => module.exports += u64::from(section.count()),
            Payload::DataSection(section) => {
                module.segments += u64::from(section.count());
                let data = section.clone().into_iter().map_while(Result::ok);
                module.data_bytes += data.map(|segment| segment.data.len() as u64).sum::<u64>();
            }
            Payload::CodeSectionStart { size, .. } => module.code_bytes += u64::from(*size),
            Payload::StartSection { .. } => module.has_start = true,
            _ => {}
        }
    }

    /// What they are, each for itself and together.
    ///
    /// # Errors
    /// Those of [`anatomy`].
    pub(crate) fn judge(&self, component: &[u8]) -> Result<Option<Anatomy>, Refusal> {
        self.judge_by(component, &table::ENGINES)
    }

    fn judge_by(&self, component: &[u8], engines: &[Engine]) -> Result<Option<Anatomy>, Refusal> {
        // Only what is linked can be an engine's: nobody else pays for a digest.
        if !self.met.iter().any(|module| module.is_linked) {
            return Ok(None);
        }
        let digest = |module: &Module| {
            let bytes = component.get(module.range.clone()).unwrap_or_default();
            module.is_linked.then(|| digest_without_custom_sections(bytes).to_string())
        };
        let digests: Vec<Option<String>> = self.met.iter().map(digest).collect();
        let has = |wanted: &str| digests.iter().flatten().any(|found| found == wanted);
        let is_there = |engine: &&Engine| engine.modules.first().is_some_and(|(_, main)| has(main));
        let mut there = engines.iter().filter(is_there);
        let engine = match (there.next(), there.next()) {
            (Some(engine), None) => engine,
            (None, _) => return Err(Refusal::EngineUnknown { why: "none of them is on the list" }),
            (Some(_), Some(_)) => {
                return Err(Refusal::EngineUnknown { why: "several of them are two engines" });
            }
        };
        let standing = |(module, digest): (&Module, &Option<String>)| match digest {
            Some(digest) if engine.modules.iter().any(|(_, listed)| listed == digest) => Standing::Listed,
            _ if module.has_memory && module.segments > 0 => Standing::Snapshot,
            _ => Standing::Glue,
        };
        let modules: Vec<Standing> = self.met.iter().zip(&digests).map(standing).collect();
        self.check_snapshot(&modules)?;
        self.check_glue(&modules)?;
        let engine = EngineFact { name: engine.name.to_owned(), table: engine.since };
        Ok(Some(Anatomy { engine, modules }))
    }

    fn of<'a>(&'a self, all: &'a [Standing], wanted: Standing) -> impl Iterator<Item = &'a Module> {
        self.met.iter().zip(all).filter(move |(_, standing)| **standing == wanted).map(|(module, _)| module)
    }

    fn check_snapshot(&self, all: &[Standing]) -> Result<(), Refusal> {
        let found = self.of(all, Standing::Snapshot).count() as u64;
        if found > 1 {
            return Err(Refusal::SnapshotSeveral { found });
        }
        for module in self.of(all, Standing::Snapshot) {
            let counted = [
                ("bytes of code", module.code_bytes, SNAPSHOT_CODE_BYTES_MAX),
                ("start functions", u64::from(module.has_start), 0),
                ("data segments", module.segments, SNAPSHOT_SEGMENTS_MAX),
                ("exports", module.exports, SNAPSHOT_EXPORTS_MAX),
            ];
            if let Some((what, found, limit)) = counted.into_iter().find(|(_, found, limit)| found > limit) {
                return Err(Refusal::SnapshotTooLarge { what, found, limit });
            }
        }
        Ok(())
    }

    /// A start of glue calls what another module exports; with code of its own it would be a program.
    fn check_glue(&self, all: &[Standing]) -> Result<(), Refusal> {
        let sum = |of: fn(&Module) -> u64| self.of(all, Standing::Glue).map(of).sum::<u64>();
        let counted = [
            ("bytes of code", sum(|module| module.code_bytes), GLUE_CODE_BYTES_MAX),
            ("bytes of data", sum(|module| module.data_bytes), 0),
            (
                "start functions beside code",
                sum(|module| u64::from(module.has_start && module.functions > 0)),
                0,
            ),
        ];
        match counted.into_iter().find(|(_, found, limit)| found > limit) {
            Some((what, found, limit)) => Err(Refusal::GlueTooLarge { what, found, limit }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The interpreter of the engine that these tests know.
    const MAIN: &str =
        r#"(core module (@custom "dylink.0" (before first) "x") (func (result i32) i32.const 7))"#;
    const LIBRARY: &str =
        r#"(core module (@custom "dylink.0" (before first) "y") (func (result i32) i32.const 8))"#;
    const SNAPSHOT: &str = r#"(core module (memory 1) (data (i32.const 0) "program"))"#;

    fn digest_of(module: &str) -> &'static str {
        let bytes = wat::parse_str(module.replacen("core module", "module", 1)).unwrap();
        Box::leak(digest_without_custom_sections(&bytes).to_string().into_boxed_str())
    }

    fn engine(name: &'static str, main: &str) -> Engine {
        let modules = vec![("main", digest_of(main)), ("library", digest_of(LIBRARY))];
        Engine { name, since: 3, modules: modules.leak() }
    }

    fn judged(body: &str, engines: &[Engine]) -> Result<Option<Anatomy>, Refusal> {
        let component = wat::parse_str(format!("(component {body})")).unwrap();
        let mut modules = Modules::default();
        for payload in Parser::new(0).parse_all(&component) {
            modules.take(&payload.unwrap());
        }
        modules.judge_by(&component, engines)
    }

    #[track_caller]
    fn check(body: &str, expected: Result<Option<&[Standing]>, &str>) {
        let found = judged(body, &[engine("test 1.0.0", MAIN)]);
        let found = match &found {
            Ok(anatomy) => Ok(anatomy.as_ref().map(|anatomy| anatomy.modules.as_slice())),
            Err(refusal) => Err(refusal.code()),
        };
        assert_eq!(found, expected, "{}", body.chars().take(300).collect::<String>());
    }

    /// A function with so many bytes of code, the count and its own length not among them.
    fn code(bytes: usize) -> String {
        format!("(func {})", "nop ".repeat(bytes))
    }

    #[test]
    fn a_component_with_a_listed_engine_has_a_snapshot_and_glue() {
        use Standing::{Glue, Listed, Snapshot};
        let glue = "(core module (func (param i32)))";
        check(&format!("{SNAPSHOT} {MAIN} {LIBRARY} {glue}"), Ok(Some(&[Snapshot, Listed, Listed, Glue])));
        check(
            &format!("{MAIN} (component {glue} (component {SNAPSHOT}))"),
            Ok(Some(&[Listed, Glue, Snapshot])),
        );
        check(MAIN, Ok(Some(&[Listed])));
        let found = judged(MAIN, &[engine("test 1.0.0", MAIN)]).unwrap().unwrap();
        assert_eq!(found.engine, EngineFact { name: "test 1.0.0".to_owned(), table: 3 });
    }

    #[test]
    fn without_an_engine_a_component_is_like_any_other() {
        check("", Ok(None));
        check(&format!("{SNAPSHOT} {SNAPSHOT}"), Ok(None));
        check(&format!("(core module {})", code(200_000)), Ok(None));
        // Nobody is taken for an engine who does not say so.
        check(&MAIN.replace("@custom \"dylink.0\"", "@custom \"name\""), Ok(None));
    }

    #[test]
    fn a_listed_module_with_one_byte_changed_is_none() {
        check(&MAIN.replace("const 7", "const 6"), Err("engine-unknown"));
        check(&format!("{} {SNAPSHOT}", MAIN.replace("const 7", "const 6")), Err("engine-unknown"));
        // A library alone makes no engine.
        check(LIBRARY, Err("engine-unknown"));
        // What its custom sections say is nothing that the engine does.
        check(&MAIN.replace("\"x\"", "\"other\""), Ok(Some(&[Standing::Listed])));
        // A changed library is glue, and bounded as such.
        let large = LIBRARY.replace("(func", &format!("{} (func", code(131_072)));
        check(&format!("{MAIN} {large}"), Err("glue-too-large"));
    }

    #[test]
    fn two_engines_are_none() {
        let other = MAIN.replace("const 7", "const 9");
        let engines = [engine("test 1.0.0", MAIN), engine("other 1.0.0", &other)];
        assert_eq!(judged(&format!("{MAIN} {other}"), &engines).unwrap_err().code(), "engine-unknown");
        assert_eq!(judged(&other, &engines).unwrap().unwrap().engine.name, "other 1.0.0");
    }

    #[test]
    fn a_snapshot_is_one_and_is_no_program() {
        check(&format!("{MAIN} {SNAPSHOT} {SNAPSHOT}"), Err("snapshot-several"));
        let with = |more: &str| format!("{MAIN} {}", SNAPSHOT.replace("(memory", &format!("{more} (memory")));
        // Each body has its length (2 bytes here), its count of locals and its end.
        let most = 16_384 - 4;
        check(&with(&code(most)), Ok(Some(&[Standing::Listed, Standing::Snapshot])));
        check(&with(&code(most + 1)), Err("snapshot-too-large"));
        check(&with(&code(17 << 10)), Err("snapshot-too-large"));
        check(&with("(func $a) (start $a)"), Err("snapshot-too-large"));
        let exports = |count: usize| -> String {
            (0..count).map(|it| format!("(export \"{it}\" (func $a))")).collect()
        };
        check(
            &with(&format!("(func $a) {}", exports(4_000))),
            Ok(Some(&[Standing::Listed, Standing::Snapshot])),
        );
        check(&with(&format!("(func $a) {}", exports(4_001))), Err("snapshot-too-large"));
        let segments = |count: usize| {
            format!("{MAIN} (core module (memory 1) {})", "(data (i32.const 0) \"x\")".repeat(count))
        };
        check(&segments(20_000), Ok(Some(&[Standing::Listed, Standing::Snapshot])));
        check(&segments(20_001), Err("snapshot-too-large"));
    }

    #[test]
    fn glue_has_no_data_no_program_and_no_end() {
        let with = |module: &str| format!("{MAIN} (core module {module})");
        check(&with(&code(131_072 - 5)), Ok(Some(&[Standing::Listed, Standing::Glue])));
        check(&with(&code(131_072 - 4)), Err("glue-too-large"));
        // It is bounded together, not module by module.
        check(&format!("{} (core module {})", with(&code(70_000)), code(70_000)), Err("glue-too-large"));
        check(&with("(data \"x\")"), Err("glue-too-large"));
        check(&with("(data \"\")"), Ok(Some(&[Standing::Listed, Standing::Glue])));
        check(
            &with(r#"(import "" "f" (func $f)) (start $f)"#),
            Ok(Some(&[Standing::Listed, Standing::Glue])),
        );
        check(&with("(func $f) (start $f)"), Err("glue-too-large"));
    }

    #[test]
    fn a_digest_leaves_custom_sections_out_wherever_they_are() {
        let plain = wat::parse_str("(module (memory 1) (func))").unwrap();
        let with =
            r#"(module (@custom "a" (before first) "12") (memory 1) (func) (@custom "b" (after last) "3"))"#;
        let with = wat::parse_str(with).unwrap();
        assert_ne!(plain, with);
        assert_eq!(digest_without_custom_sections(&plain), Sha256Digest::of(&plain));
        assert_eq!(digest_without_custom_sections(&with), Sha256Digest::of(&plain));
        for end in 0..with.len() {
            // Nothing that is cut off is taken for the whole.
            let cut = with.get(..end).unwrap();
            let is_whole = end >= with.len() - 5;
            assert!(is_whole || digest_without_custom_sections(cut) != Sha256Digest::of(&plain), "{end}");
        }
        assert_eq!(unsigned(&[0x80, 0x01, 0xff]), 128);
    }

    #[test]
    fn the_table_is_in_order() {
        let mut seen = std::collections::BTreeSet::new();
        for engine in table::ENGINES {
            assert!(engine.since <= table::VERSION && engine.since > 0, "{}", engine.name);
            assert!(seen.insert(engine.modules[0].1), "two engines of one interpreter: {}", engine.name);
            for (name, digest) in engine.modules {
                assert_eq!(Sha256Digest::parse(digest).unwrap().to_string(), *digest, "{name}");
            }
        }
    }
}
