//! Parts: the modules and components that a component is made of, each with what checks ask about.
//!
//! In -> out: bytes of a component whose facts could be derived -> [`Part`]s, outermost first.
//! Invariant: structure only; what cannot be read ends the walk, so a check that needs every part looks at components
//! with facts only.
//! Not here: judging them (the checks beside this file), facts that hosts derive too (`orch-trust`'s `facts.rs`).

use orch_trust::engines::{self, Standing};
use wasmparser::{
    ConstExpr, CustomSectionReader, DataKind, Encoding, FunctionBody, Operator, Parser, Payload,
};

/// One module or component.
pub(crate) struct Part<'a> {
    /// `module 2` or `component 1`: its number among its kind, in order of appearance.
    pub(crate) name: String,
    pub(crate) is_module: bool,
    /// What it is of a component with an engine.
    pub(crate) standing: Option<Standing>,
    /// All of it.
    pub(crate) bytes: &'a [u8],
    pub(crate) custom: Vec<CustomSectionReader<'a>>,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    pub(crate) data: Vec<Segment<'a>>,
    /// Of its imports and exports.
    pub(crate) names: Vec<&'a str>,
    pub(crate) counts: Counts,
    /// A core `start` function, or a start of the component.
    pub(crate) has_start: bool,
}

/// How many of each it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Types of any kind.
    pub(crate) types: u64,
    pub(crate) imports: u64,
    pub(crate) exports: u64,
    /// Memories that it defines or imports.
    pub(crate) memories: u64,
    pub(crate) globals: u64,
    /// Element segments.
    pub(crate) elements: u64,
    /// Instances, aliases and canonical functions of a component.
    pub(crate) definitions: u64,
}

/// One data segment.
pub(crate) struct Segment<'a> {
    /// Where it is put; none: passive, or known only when it runs.
    pub(crate) place: Option<(u32, u32)>,
    pub(crate) bytes: &'a [u8],
}

/// Every part of these bytes.
pub(crate) fn parts(bytes: &[u8]) -> Vec<Part<'_>> {
    let (mut parts, mut open): (Vec<Part<'_>>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        match payload {
            Payload::Version { encoding, range, .. } => {
                open.push((parts.len(), range.start));
                parts.push(Part::new(&parts, encoding == Encoding::Module));
            }
            Payload::End(end) => {
                if let Some((place, start)) = open.pop()
                    && let Some(part) = parts.get_mut(place)
                {
                    part.bytes = bytes.get(start..end).unwrap_or_default();
                }
            }
            payload => {
                if let Some(part) = open.last().and_then(|(place, _)| parts.get_mut(*place)) {
                    part.take(payload);
                }
            }
        }
    }
    if let Ok(Some(anatomy)) = engines::anatomy(bytes) {
        let modules = parts.iter_mut().filter(|part| part.is_module);
        modules.zip(anatomy.modules).for_each(|(part, standing)| part.standing = Some(standing));
    }
    parts
}

impl<'a> Part<'a> {
    fn new(before: &[Self], is_module: bool) -> Self {
        let number = 1 + before.iter().filter(|part| part.is_module == is_module).count();
        let kind = if is_module { "module" } else { "component" };
        Self {
            name: format!("{kind} {number}"),
            is_module,
            standing: None,
            bytes: &[],
            custom: Vec::new(),
            bodies: Vec::new(),
            data: Vec::new(),
            names: Vec::new(),
            counts: Counts::default(),
            has_start: false,
        }
    }

    fn take(&mut self, payload: Payload<'a>) {
        let counts = &mut self.counts;
        match payload {
            Payload::TypeSection(section) => counts.types += u64::from(section.count()),
            Payload::CoreTypeSection(section) => counts.types += u64::from(section.count()),
            Payload::ComponentTypeSection(section) => counts.types += u64::from(section.count()),
            Payload::ImportSection(section) => {
                for import in section.into_imports().map_while(Result::ok) {
                    counts.imports += 1;
                    self.names.extend([import.module, import.name]);
                    counts.memories += u64::from(matches!(import.ty, wasmparser::TypeRef::Memory(_)));
                }
            }
            Payload::ComponentImportSection(section) => {
                counts.imports += u64::from(section.count());
                self.names.extend(section.into_iter().map_while(Result::ok).map(|import| import.name.name));
            }
            Payload::ExportSection(section) => {
                counts.exports += u64::from(section.count());
                self.names.extend(section.into_iter().map_while(Result::ok).map(|export| export.name));
            }
            Payload::ComponentExportSection(section) => {
                counts.exports += u64::from(section.count());
                self.names.extend(section.into_iter().map_while(Result::ok).map(|export| export.name.name));
            }
            Payload::MemorySection(section) => counts.memories += u64::from(section.count()),
            Payload::GlobalSection(section) => counts.globals += u64::from(section.count()),
            Payload::ElementSection(section) => counts.elements += u64::from(section.count()),
            Payload::InstanceSection(section) => counts.definitions += u64::from(section.count()),
            Payload::ComponentInstanceSection(section) => counts.definitions += u64::from(section.count()),
            Payload::ComponentAliasSection(section) => counts.definitions += u64::from(section.count()),
            Payload::ComponentCanonicalSection(section) => counts.definitions += u64::from(section.count()),
            Payload::StartSection { .. } | Payload::ComponentStartSection { .. } => self.has_start = true,
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CustomSection(section) => self.custom.push(section),
            Payload::DataSection(section) => {
                let segments = section.into_iter().map_while(Result::ok);
                self.data.extend(segments.map(|data| Segment { place: place(&data.kind), bytes: data.data }));
            }
            _ => {}
        }
    }

    /// The data of its custom section of that name.
    pub(crate) fn section(&self, name: &str) -> Option<&'a [u8]> {
        self.custom.iter().find(|section| section.name() == name).map(|section| section.data())
    }

    /// What its memories begin with, as far as it is known: segments that touch or overlap are one text, later ones
    /// over earlier ones, so that nothing hides by being cut in pieces.
    pub(crate) fn texts(&self) -> Vec<Vec<u8>> {
        let mut texts: Vec<Vec<u8>> =
            self.data.iter().filter(|data| data.place.is_none()).map(|data| data.bytes.to_vec()).collect();
        let end = |at: u32, data: &Segment<'_>| u64::from(at) + data.bytes.len() as u64;
        let mut placed: Vec<(u32, u32, usize, &Segment<'_>)> = Vec::new();
        for (order, data) in self.data.iter().enumerate() {
            if let Some((memory, at)) = data.place {
                placed.push((memory, at, order, data));
            }
        }
        placed.sort_by_key(|(memory, at, order, _)| (*memory, *at, *order));
        let mut rest = placed.as_slice();
        while let Some((first, _)) = rest.split_first() {
            let (memory, start) = (first.0, first.1);
            let (mut stop, mut count) = (u64::from(start), 0);
            for (other, at, _, data) in rest {
                if *other != memory || u64::from(*at) > stop {
                    break;
                }
                stop = stop.max(end(*at, data));
                count += 1;
            }
            let (touching, others) = rest.split_at(count.max(1));
            texts.push(joined(touching, start, stop));
            rest = others;
        }
        texts
    }
}

/// Those segments in one text from `start` to `stop`, in the order in which they are written.
fn joined(touching: &[(u32, u32, usize, &Segment<'_>)], start: u32, stop: u64) -> Vec<u8> {
    let length = usize::try_from(stop.saturating_sub(u64::from(start))).unwrap_or_default();
    let mut text = vec![0; length];
    let mut in_order = touching.to_vec();
    in_order.sort_by_key(|(_, _, order, _)| *order);
    for (_, at, _, data) in in_order {
        let from = (at - start) as usize;
        if let Some(place) = text.get_mut(from..from + data.bytes.len()) {
            place.copy_from_slice(data.bytes);
        }
    }
    text
}

/// Memory and offset of an active segment whose offset is one number.
fn place(kind: &DataKind<'_>) -> Option<(u32, u32)> {
    match kind {
        DataKind::Active { memory_index, offset_expr } => Some((*memory_index, constant(offset_expr)?)),
        DataKind::Passive => None,
    }
}

fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    let mut operators = expression.get_operators_reader().into_iter().map_while(Result::ok);
    match (operators.next(), operators.next(), operators.next()) {
        (Some(Operator::I32Const { value }), Some(Operator::End), None) => Some(value.cast_unsigned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str) -> Vec<Vec<u8>> {
        let bytes = wat::parse_str(format!("(component (core module (memory 1) {body}))")).unwrap();
        parts(&bytes)[1].texts()
    }

    #[test]
    fn parts_are_found_at_every_depth_by_their_name() {
        let text =
            r#"(component (core module (func)) (component (core module (memory 1) (func) (start 0))))"#;
        let bytes = wat::parse_str(text).unwrap();
        let found: Vec<_> =
            parts(&bytes).iter().map(|part| (part.name.clone(), part.bodies.len(), part.has_start)).collect();
        let expected = [
            ("component 1", 0, false),
            ("module 1", 1, false),
            ("component 2", 0, false),
            ("module 2", 1, true),
        ];
        assert_eq!(found, expected.map(|(name, bodies, start)| (name.to_owned(), bodies, start)));
    }

    #[test]
    fn segments_that_touch_are_one_text_and_later_ones_win() {
        let touching = r#"(data (i32.const 13) "de") (data (i32.const 10) "abc")"#;
        assert_eq!(texts(touching), [b"abcde"]);
        let overlapping =
            r#"(data (i32.const 10) "xxxx") (data (i32.const 11) "bc") (data (i32.const 20) "z")"#;
        assert_eq!(texts(overlapping), [b"xbcx".to_vec(), b"z".to_vec()]);
        let apart =
            r#"(data (i32.const 10) "a") (data (i32.const 12) "b") (data "c") (data (i32.const -1) "d")"#;
        assert_eq!(texts(apart), [b"c", b"a", b"b", b"d"]);
        assert_eq!(texts(r#"(data (i32.const 4) "") (data (i32.const 4) "e")"#), [b"e"]);
    }
}
