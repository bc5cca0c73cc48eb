//! Writes the table of known engines: what is in it, and the engines of these components.
//!
//! In -> out: `NAME=COMPONENT,COMPONENT,..` for each toolchain -> the text of `trust/src/engines/table.rs`.
//! Invariant: an engine's modules are those with `dylink.0` that are the same in every component of its toolchain, made for
//! different worlds; an engine that is in the table stays as it is, and another one of its name is an error.
//! Not here: making the components (`cargo xtask engines`).

use std::fs;

use orch_trust::engines::{self, DYLINK, digest_without_custom_sections};
use wasmparser::{KnownCustom, Name, Parser, Payload};

type Fault = Box<dyn std::error::Error>;

/// Name, digest and size of a module.
type Found = (String, String, usize);

const HEADER: &str = "//! The list of known engines. Written by `cargo xtask engines`; looked at like code.
//!
//! Invariant: an engine that was once released stays, as it is: packages with it are somewhere. A new one raises
//! [`VERSION`].

use super::Engine;

/// Raised with each engine that is added.
";

/// Names, and digests without custom sections.
type Modules = Vec<(String, String)>;

fn main() -> Result<(), Fault> {
    let mut table: Vec<(String, u32, Modules)> = engines::known()
        .map(|(name, since, modules)| {
            let own = |(name, digest): &(&str, &str)| ((*name).to_owned(), (*digest).to_owned());
            (name.to_owned(), since, modules.iter().map(own).collect())
        })
        .collect();
    let mut version = engines::table_version();
    for argument in std::env::args().skip(1) {
        let (name, components) = argument.split_once('=').ok_or("expected NAME=COMPONENT,COMPONENT")?;
        let modules = common(components)?;
        match table.iter().find(|(known, ..)| known == name) {
            Some((_, _, known)) if *known == modules => {}
            Some(_) => return Err(format!("`{name}` is in the table with other modules").into()),
            None => {
                version = engines::table_version() + 1;
                table.push((name.to_owned(), version, modules));
            }
        }
    }
    print!("{HEADER}pub(super) const VERSION: u32 = {version};\n\n");
    println!("pub(super) const ENGINES: [Engine; {}] = [", table.len());
    for (name, since, modules) in table {
        println!("    Engine {{ name: {name:?}, since: {since}, modules: &[");
        modules.iter().for_each(|(name, digest)| println!("        ({name:?}, {digest:?}),"));
        println!("    ] }},");
    }
    println!("];");
    Ok(())
}

/// The modules that all these components have, the largest first: that is the interpreter.
fn common(components: &str) -> Result<Modules, Fault> {
    let mut all = Vec::new();
    for path in components.split(',') {
        all.push(linked(&fs::read(path)?)?);
    }
    let (first, others) = all.split_first().ok_or("no component")?;
    let everywhere = |found: &&Found| others.iter().all(|other| other.iter().any(|one| one.1 == found.1));
    let mut found: Vec<&Found> = first.iter().filter(everywhere).collect();
    found.sort_by_key(|(_, _, size)| std::cmp::Reverse(*size));
    Ok(found.into_iter().map(|(name, digest, _)| (name.clone(), digest.clone())).collect())
}

/// Modules of a component that are linked.
fn linked(component: &[u8]) -> Result<Vec<Found>, Fault> {
    let (mut found, mut open, mut is_linked) = (Vec::new(), None, false);
    let mut name = String::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { unchecked_range, .. } => {
                (open, is_linked, name) = (Some(unchecked_range), false, "without a name".to_owned());
            }
            Payload::CustomSection(section) => {
                is_linked |= section.name() == DYLINK;
                if let KnownCustom::Name(names) = section.as_known() {
                    for said in names.into_iter().flatten() {
                        if let Name::Module { name: said, .. } = said {
                            name = said.to_owned();
                        }
                    }
                }
            }
            Payload::End(_) => {
                let module = open.take().filter(|_| is_linked).and_then(|range| component.get(range));
                if let Some(module) = module {
                    let digest = digest_without_custom_sections(module).to_string();
                    found.push((name.clone(), digest, module.len()));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}
