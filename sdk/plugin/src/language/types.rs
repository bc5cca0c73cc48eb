//! Types for editors: the interfaces of a plugin in JavaScript as TypeScript declares modules.
//!
//! In -> out: the folder of WIT that the toolchain is shown -> text of a `.d.ts`: one module for each interface of the world.
//! Off-spec: whole numbers are `number`, as the toolchain has them; what the host refuses is thrown and so in no type.
//! Not here: Python's types, which its toolchain writes.

use std::fmt::Write as _;
use std::path::Path;

use wit_parser::{
    Function, FunctionKind, Handle, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeId, WorldItem,
};

use super::world::WORLD;

const HEAD: &str = "// Written by `orch-plugin build`, for editors.\n";

/// The text.
///
/// # Errors
/// What the parser says.
pub(super) fn declare(wit: &Path) -> Result<String, String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).map_err(|error| format!("{error:#}"))?;
    let world = resolve.select_world(&[package], Some(WORLD)).map_err(|error| format!("{error:#}"))?;
    let Some(world) = resolve.worlds.get(world) else { return Ok(HEAD.to_owned()) };
    let mut text = HEAD.to_owned();
    for item in world.imports.values().chain(world.exports.values()) {
        if let WorldItem::Interface { id, .. } = item {
            Module { resolve: &resolve, id: *id }.declare(&mut text);
        }
    }
    Ok(text)
}

struct Module<'a> {
    resolve: &'a Resolve,
    id: InterfaceId,
}

impl Module<'_> {
    fn declare(&self, text: &mut String) {
        let Some(interface) = self.resolve.interfaces.get(self.id) else { return };
        let name = self.resolve.id_of(self.id).unwrap_or_default();
        let _ = writeln!(text, "\ndeclare module '{name}' {{");
        for (name, id) in &interface.types {
            if let Some(found) = self.resolve.types.get(*id) {
                comment(text, "  ", found.docs.contents.as_deref());
                self.define(text, name, *id, found);
            }
        }
        for (name, function) in &interface.functions {
            if matches!(function.kind, FunctionKind::Freestanding | FunctionKind::AsyncFreestanding) {
                comment(text, "  ", function.docs.contents.as_deref());
                let _ = writeln!(text, "  export function {}{};", camel(name), self.signature(function, 0));
            }
        }
        text.push_str("}\n");
    }

    fn define(&self, text: &mut String, name: &str, id: TypeId, found: &TypeDef) {
        let shown = pascal(name);
        let _ = match &found.kind {
            TypeDefKind::Record(record) => {
                let _ = writeln!(text, "  export interface {shown} {{");
                for field in &record.fields {
                    comment(text, "    ", field.docs.contents.as_deref());
                    let mark = if self.is_option(&field.ty) { "?" } else { "" };
                    let _ = writeln!(text, "    {}{mark}: {};", camel(&field.name), self.shown(&field.ty));
                }
                writeln!(text, "  }}")
            }
            TypeDefKind::Flags(flags) => {
                let names = flags.flags.iter().map(|flag| format!("{}?: boolean", camel(&flag.name)));
                writeln!(text, "  export type {shown} = {{ {} }};", names.collect::<Vec<_>>().join(", "))
            }
            TypeDefKind::Enum(cases) => {
                let names = cases.cases.iter().map(|case| format!("'{}'", case.name));
                writeln!(text, "  export type {shown} = {};", names.collect::<Vec<_>>().join(" | "))
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| match &case.ty {
                    Some(of) => format!("{{ tag: '{}', val: {} }}", case.name, self.shown(of)),
                    None => format!("{{ tag: '{}' }}", case.name),
                });
                writeln!(text, "  export type {shown} = {};", cases.collect::<Vec<_>>().join(" | "))
            }
            TypeDefKind::Resource => {
                let _ = writeln!(text, "  export class {shown} {{");
                self.members(text, id);
                writeln!(text, "  }}")
            }
            _ => writeln!(text, "  export type {shown} = {};", self.kind(found)),
        };
    }

    fn members(&self, text: &mut String, resource: TypeId) {
        let Some(interface) = self.resolve.interfaces.get(self.id) else { return };
        for function in interface.functions.values() {
            let name = camel(function.item_name());
            let line = match function.kind {
                FunctionKind::Constructor(id) if id == resource => {
                    let signature = self.signature(function, 0);
                    format!("constructor{}", signature.rsplit_once("): ").map_or("(", |(head, _)| head)) + ")"
                }
                FunctionKind::Static(id) | FunctionKind::AsyncStatic(id) if id == resource => {
                    format!("static {name}{}", self.signature(function, 0))
                }
                FunctionKind::Method(id) | FunctionKind::AsyncMethod(id) if id == resource => {
                    format!("{name}{}", self.signature(function, 1))
                }
                _ => continue,
            };
            comment(text, "    ", function.docs.contents.as_deref());
            let _ = writeln!(text, "    {line};");
        }
        text.push_str("    [Symbol.dispose](): void;\n");
    }

    /// Parameters after the first `left_out`, and the result.
    fn signature(&self, function: &Function, left_out: usize) -> String {
        let wanted = function.params.iter().skip(left_out);
        let parameters: Vec<String> =
            wanted.map(|one| format!("{}: {}", camel(&one.name), self.shown(&one.ty))).collect();
        let result =
            function.result.as_ref().map_or_else(|| "void".to_owned(), |result| self.answered(result));
        format!("({}): {result}", parameters.join(", "))
    }

    /// What a function gives; the error of a result is thrown.
    fn answered(&self, result: &Type) -> String {
        if let Type::Id(id) = result
            && let Some(TypeDef { kind: TypeDefKind::Result(result), .. }) = self.resolve.types.get(*id)
        {
            return result.ok.as_ref().map_or_else(|| "void".to_owned(), |ok| self.shown(ok));
        }
        self.shown(result)
    }

    fn is_option(&self, of: &Type) -> bool {
        let Type::Id(id) = of else { return false };
        self.resolve.types.get(*id).is_some_and(|found| matches!(found.kind, TypeDefKind::Option(_)))
    }

    fn shown(&self, of: &Type) -> String {
        let plain = match of {
            Type::Bool => "boolean",
            Type::Char | Type::String => "string",
            Type::ErrorContext => "unknown",
            Type::Id(id) => return self.of_id(*id),
            _ => "number",
        };
        plain.to_owned()
    }

    /// A type by its name, where it has one; of another interface with that one's module.
    fn of_id(&self, id: TypeId) -> String {
        let Some(found) = self.resolve.types.get(id) else { return "unknown".to_owned() };
        match (&found.name, found.owner) {
            (Some(name), wit_parser::TypeOwner::Interface(owner)) if owner == self.id => pascal(name),
            (Some(name), wit_parser::TypeOwner::Interface(owner)) => {
                let module = self.resolve.id_of(owner).unwrap_or_default();
                format!("import('{module}').{}", pascal(name))
            }
            _ => self.kind(found),
        }
    }

    fn kind(&self, found: &TypeDef) -> String {
        let of = |of: &Option<Type>| of.as_ref().map_or_else(|| "undefined".to_owned(), |of| self.shown(of));
        match &found.kind {
            TypeDefKind::Type(of) => self.shown(of),
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => self.of_id(*id),
            TypeDefKind::Option(inner) => format!("{} | undefined", self.shown(inner)),
            TypeDefKind::List(Type::U8) => "Uint8Array".to_owned(),
            TypeDefKind::List(inner) | TypeDefKind::FixedLengthList(inner, _) => {
                format!("Array<{}>", self.shown(inner))
            }
            TypeDefKind::Tuple(tuple) => {
                format!("[{}]", tuple.types.iter().map(|of| self.shown(of)).collect::<Vec<_>>().join(", "))
            }
            TypeDefKind::Result(result) => {
                format!(
                    "{{ tag: 'ok', val: {} }} | {{ tag: 'err', val: {} }}",
                    of(&result.ok),
                    of(&result.err)
                )
            }
            _ => "unknown".to_owned(),
        }
    }
}

fn comment(text: &mut String, indent: &str, docs: Option<&str>) {
    let Some(docs) = docs else { return };
    let lines: Vec<String> = docs.trim().lines().map(|line| line.replace("*/", "* /")).collect();
    let _ = match lines.as_slice() {
        [one] => writeln!(text, "{indent}/** {one} */"),
        lines => {
            let lines: String = lines.iter().map(|line| format!("{indent} * {line}\n")).collect();
            writeln!(text, "{indent}/**\n{lines}{indent} */")
        }
    };
}

/// `media-type` as `mediaType`.
fn camel(name: &str) -> String {
    let mut words = name.split('-');
    words.next().unwrap_or_default().to_owned() + &words.map(capitalized).collect::<String>()
}

fn pascal(name: &str) -> String {
    name.split('-').map(capitalized).collect()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::carried;

    #[test]
    fn every_interface_of_the_world_has_its_module() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in carried::WIT.iter().filter(|(path, _)| path.starts_with("deps/")) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let world = "package local:plugin;\nworld narrow {\n  import orch:kv/kv@0.1.0;\n  import orch:artifacts/artifacts@0.1.0;\n  export orch:guard/guard@0.1.0;\n}\n";
        fs::write(folder.path().join("world.wit"), world).unwrap();
        let text = declare(folder.path()).unwrap();
        for line in [
            "declare module 'orch:types/types@0.1.0' {",
            "declare module 'orch:guard/guard@0.1.0' {",
            "  export class Bucket {",
            "    static open(label: string): Bucket;",
            "    get(key: string): Uint8Array | undefined;",
            "    set(key: string, value: Uint8Array): void;",
            "    keys(prefix: string, after: string | undefined): Array<string>;",
            "    mediaType: string;",
            "  export function addBytes(label: Label, content: Uint8Array): void;",
            "    command?: Command | undefined;",
            "  export type Severity = 'major' | 'medium' | 'minor';",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(
            text.contains("  export type NewTask") || text.contains("  export interface NewTask {"),
            "{text}"
        );
        assert!(text.contains("export type Error = import('orch:types/types@0.1.0').Error;"), "{text}");
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
