//! Structural facts of a component, read from its bytes.
//!
//! In -> out: bytes -> [`Facts`].
//! Limits: the constants below; names 1 KiB.
//! Invariant: structure only; function bodies are skipped by their length, the engine validates them when it
//! compiles. The same bytes give the same facts in the certifier and in every host.
//! Not here: whether the facts fit the manifest (`Facts::check`'s callers say so in `admission.rs`).

use serde::{Deserialize, Serialize};
use wasmparser::{ComponentExternName, ComponentTypeRef, Encoding, Parser, Payload};

use crate::engines::{self, EngineFact};
use crate::interfaces::{ImportRule, import_rule, is_export_of, missing, unprovided};
use crate::manifest::{Manifest, Role};
use crate::package::PackageBytes;
use crate::refusal::Refusal;

const MODULES_MAX: u64 = 256;
const COMPONENTS_MAX: u64 = 64;
const IMPORTS_MAX: u64 = 256;
const EXPORTS_MAX: u64 = 256;
const MEMORIES_MAX: u64 = 64;
const TABLES_MAX: u64 = 64;
/// What all tables together may start with, in elements: what the engine gives a store.
const TABLE_ELEMENTS_MAX: u64 = 200_000;
const FUNCTIONS_MAX: u64 = 500_000;
const NESTING_MAX: u64 = 32;
const NAME_BYTES_MAX: usize = 1024;
const CUSTOM_SECTIONS_MAX: u64 = 4096;

/// What a component is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Facts {
    pub size_bytes: u64,
    /// Names of the outermost component's imports, sorted.
    pub imports: Vec<String>,
    /// Names of its exports, sorted.
    pub exports: Vec<String>,
    /// Names of interfaces that components inside it import, sorted, each once. What tools make for their own glue
    /// has plain names without `:` and is not in here.
    pub inner_imports: Vec<String>,
    pub memories: Vec<Memory>,
    pub tables: u64,
    /// What the tables start with, all together.
    pub table_elements: u64,
    pub start_functions: u64,
    pub modules: u64,
    pub components: u64,
    pub functions: u64,
    /// Names, sorted, each once.
    pub custom_sections: Vec<String>,
    /// Of a component of another language: whose engine it has in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineFact>,
}

/// A memory that some module defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// In bytes.
    pub min: u64,
    /// In bytes; a Rust linker sets none.
    pub max: Option<u64>,
}

/// Custom sections that a package may have; what tools of the field write.
const SECTIONS: [&str; 12] = [
    "name",
    "component-name",
    "producers",
    "target_features",
    ".dep-v0",
    "authors",
    "description",
    "licenses",
    "source",
    "homepage",
    "revision",
    "version",
];

impl Facts {
    /// The facts of these bytes.
    ///
    /// # Errors
    /// `WatText`, `CoreModule`, `NotAComponent`, `ImportKind`, `MemoryKind`, `TableKind`, `StructureTooLarge`,
    /// `CustomSection`; those of [`engines::anatomy`].
    pub fn derive(bytes: &[u8]) -> Result<Self, Refusal> {
        match bytes {
            [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => {}
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => return Err(Refusal::CoreModule),
            [0, b'a', b's', b'm', ..] => {
                return Err(not("its version is not one of the component model's".to_owned()));
            }
            text if looks_like_text(text) => return Err(Refusal::WatText),
            _ => return Err(not("it does not start like WebAssembly".to_owned())),
        }
        let mut facts = Self { size_bytes: bytes.len() as u64, ..Self::default() };
        let mut nesting = vec![Encoding::Component];
        let mut ended_at = 0;
        let mut modules = engines::Modules::default();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|error| not(error.to_string()))?;
            modules.take(&payload);
            facts.take(payload, &mut nesting, &mut ended_at)?;
        }
        if !nesting.is_empty() || ended_at > bytes.len() {
            return Err(not("it is cut off".to_owned()));
        }
        if let Some(rest) = bytes.get(ended_at..).filter(|rest| !rest.is_empty()) {
            return Err(not(format!("{} bytes follow its end", rest.len())));
        }
        facts.engine = modules.judge(bytes)?.map(|anatomy| anatomy.engine);
        facts.imports.sort();
        facts.exports.sort();
        facts.inner_imports.sort();
        facts.inner_imports.dedup();
        facts.custom_sections.sort();
        facts.custom_sections.dedup();
        Ok(facts)
    }

    fn take(
        &mut self,
        payload: Payload<'_>,
        nesting: &mut Vec<Encoding>,
        ended_at: &mut usize,
    ) -> Result<(), Refusal> {
        let broken = |error: wasmparser::BinaryReaderError| not(error.to_string());
        let outermost = nesting.len() == 1;
        match payload {
            // What a section is for is what it holds: a component in a module's place would be counted as a module.
            Payload::Version { encoding, .. } if nesting.last() != Some(&encoding) => {
                return Err(not(
                    "a section for a module holds a component, or the other way round".to_owned()
                ));
            }
            Payload::End(offset) => {
                nesting.pop();
                *ended_at = offset;
            }
            Payload::ModuleSection { .. } => {
                count("modules", &mut self.modules, 1, MODULES_MAX)?;
                nest(nesting, Encoding::Module)?;
            }
            Payload::ComponentSection { .. } => {
                count("components", &mut self.components, 1, COMPONENTS_MAX)?;
                nest(nesting, Encoding::Component)?;
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.map_err(broken)?;
                    self.take_import(name_of(import.name)?, import.ty, outermost)?;
                }
            }
            Payload::ComponentExportSection(section) if outermost => {
                for export in section {
                    self.exports.push(name_of(export.map_err(broken)?.name)?);
                    limit("exports", self.exports.len() as u64, EXPORTS_MAX)?;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(broken)?;
                    self.memories.push(plain_memory(&memory)?);
                    limit("memories", self.memories.len() as u64, MEMORIES_MAX)?;
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.take_table(&table.map_err(broken)?.ty)?;
                }
            }
            Payload::FunctionSection(section) => {
                count("functions", &mut self.functions, section.count().into(), FUNCTIONS_MAX)?;
            }
            Payload::StartSection { .. } | Payload::ComponentStartSection { .. } => self.start_functions += 1,
            Payload::CustomSection(section) => {
                let name = section.name();
                let is_linked = name == engines::DYLINK && nesting.last() == Some(&Encoding::Module);
                if !SECTIONS.contains(&name) && !is_linked {
                    return Err(Refusal::CustomSection {
                        section: shown(name),
                        why: "is not on the list of those allowed",
                    });
                }
                self.custom_sections.push(name.to_owned());
                limit("custom sections", self.custom_sections.len() as u64, CUSTOM_SECTIONS_MAX)?;
            }
            Payload::UnknownSection { id, .. } => return Err(not(format!("section {id} is unknown"))),
            _ => {}
        }
        Ok(())
    }

    fn take_import(&mut self, name: String, kind: ComponentTypeRef, outermost: bool) -> Result<(), Refusal> {
        let is_interface = name.contains([':', '=', '<']);
        let imports = match outermost {
            true if !matches!(kind, ComponentTypeRef::Instance(_)) => {
                return Err(Refusal::ImportKind { import: shown(&name) });
            }
            true => &mut self.imports,
            false if is_interface => &mut self.inner_imports,
            false => return Ok(()),
        };
        imports.push(name);
        limit("imports", imports.len() as u64, IMPORTS_MAX)
    }

    fn take_table(&mut self, table: &wasmparser::TableType) -> Result<(), Refusal> {
        if table.shared {
            return Err(Refusal::TableKind { why: "a shared table" });
        }
        if table.table64 {
            return Err(Refusal::TableKind { why: "a 64-bit table" });
        }
        count("tables", &mut self.tables, 1, TABLES_MAX)?;
        count("table elements", &mut self.table_elements, table.initial, TABLE_ELEMENTS_MAX)
    }

    /// The facts of a package's component, which fit its manifest: imports are offered and asked for, each role's
    /// export is there, it starts within its memory.
    ///
    /// # Errors
    /// Those of [`Facts::derive`], `ImportUnknown`, `ImportUndeclared`, `ImportOfProviders`, `ExportMissing`, `MemoryMinimum`.
    pub fn fitting(package: &PackageBytes, manifest: &Manifest) -> Result<Self, Refusal> {
        let facts = Self::derive(&package.component())?;
        facts.check_imports(manifest)?;
        facts.check_exports(&manifest.roles)?;
        facts.check_memory(manifest)?;
        Ok(facts)
    }

    /// Succeeds if the manifest asks for every permission that an import needs, and components inside import nothing
    /// that no host offers. What those import comes from the outermost imports or from within.
    ///
    /// # Errors
    /// `ImportUnknown`, `ImportUndeclared`, `ImportOfProviders`.
    pub fn check_imports(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let unknown = |name: &&String| import_rule(name) == ImportRule::Unknown;
        // What joins an engine's modules has names of its own for what it hands on. No place is among them.
        let names_a_place = |name: &&String| name.contains(['=', '<']);
        let inner = self.inner_imports.iter().filter(|name| self.engine.is_none() || names_a_place(name));
        if let Some(import) = self.imports.iter().chain(inner).find(unknown) {
            return Err(Refusal::ImportUnknown { import: shown(import) });
        }
        if let Some((import, domain)) = unprovided(&self.imports, &self.exports) {
            return Err(Refusal::ImportOfProviders { import: import.to_owned(), domain: domain.as_str() });
        }
        match missing(&self.imports, &manifest.permissions) {
            Some((import, need)) => {
                Err(Refusal::ImportUndeclared { import: import.to_owned(), permission: need.permission })
            }
            None => Ok(()),
        }
    }

    /// Succeeds if each role's export is there.
    pub fn check_exports(&self, roles: &[Role]) -> Result<(), Refusal> {
        match roles.iter().find(|role| !self.exports.iter().any(|export| is_export_of(**role, export))) {
            Some(role) => Err(Refusal::ExportMissing { role: role.as_str() }),
            None => Ok(()),
        }
    }

    /// Succeeds if the component starts within the memory that its manifest names.
    pub fn check_memory(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let found_bytes = self.memories.iter().fold(0u64, |sum, memory| sum.saturating_add(memory.min));
        let limit_bytes = u64::from(manifest.limits.memory_mib) << 20;
        match found_bytes > limit_bytes {
            true => Err(Refusal::MemoryMinimum { found_bytes, limit_bytes }),
            false => Ok(()),
        }
    }

    /// The name of a fact that differs.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let pairs = [
            (self.size_bytes == other.size_bytes, "sizeBytes"),
            (self.imports == other.imports, "imports"),
            (self.exports == other.exports, "exports"),
            (self.inner_imports == other.inner_imports, "innerImports"),
            (self.memories == other.memories, "memories"),
            (self.tables == other.tables, "tables"),
            (self.table_elements == other.table_elements, "tableElements"),
            (self.start_functions == other.start_functions, "startFunctions"),
            (self.modules == other.modules, "modules"),
            (self.components == other.components, "components"),
            (self.functions == other.functions, "functions"),
            (self.custom_sections == other.custom_sections, "customSections"),
            (self.engine == other.engine, "engine"),
        ];
        pairs.into_iter().find(|(same, _)| !same).map(|(_, fact)| fact)
    }
}

fn plain_memory(memory: &wasmparser::MemoryType) -> Result<Memory, Refusal> {
    if memory.shared {
        return Err(Refusal::MemoryKind { why: "a shared memory" });
    }
    if memory.memory64 {
        return Err(Refusal::MemoryKind { why: "a 64-bit memory" });
    }
    if memory.page_size_log2.is_some() {
        return Err(Refusal::MemoryKind { why: "a memory with pages of its own size" });
    }
    let bytes = |pages: u64| pages.saturating_mul(65_536);
    Ok(Memory { min: bytes(memory.initial), max: memory.maximum.map(bytes) })
}

/// The name alone: an annotation beside it could mean another interface to another reader.
fn name_of(name: ComponentExternName<'_>) -> Result<String, Refusal> {
    let ComponentExternName { name, implements, version_suffix, external_id } = name;
    if implements.is_some() || version_suffix.is_some() || external_id.is_some() {
        return Err(not(format!("the name `{}` has an annotation", shown(name))));
    }
    match name.len() > NAME_BYTES_MAX {
        true => Err(Refusal::StructureTooLarge {
            what: "bytes in a name",
            found: name.len() as u64,
            limit: NAME_BYTES_MAX as u64,
        }),
        false => Ok(name.to_owned()),
    }
}

fn shown(name: &str) -> String {
    name.escape_default().take(200).collect()
}

fn not(why: String) -> Refusal {
    Refusal::NotAComponent { why: why.chars().take(200).collect() }
}

fn nest(nesting: &mut Vec<Encoding>, inner: Encoding) -> Result<(), Refusal> {
    nesting.push(inner);
    limit("levels of nesting", nesting.len() as u64, NESTING_MAX)
}

fn limit(what: &'static str, found: u64, limit: u64) -> Result<(), Refusal> {
    match found > limit {
        true => Err(Refusal::StructureTooLarge { what, found, limit }),
        false => Ok(()),
    }
}

fn count(what: &'static str, sum: &mut u64, more: u64, most: u64) -> Result<(), Refusal> {
    *sum = sum.saturating_add(more);
    limit(what, *sum, most)
}

fn looks_like_text(bytes: &[u8]) -> bool {
    let start: Vec<u8> = bytes.iter().copied().skip_while(u8::is_ascii_whitespace).take(2).collect();
    matches!(start.as_slice(), [b'(', ..] | [b';', b';'])
}
