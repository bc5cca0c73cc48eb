//! Components of cases: small ones, compiled from text, with everything that facts are about.
//!
//! In -> out: [`Wasm`] -> bytes of a component.
//! Not here: what is wrong with some of them (`attacks/component.rs`).

use std::fmt::Write as _;

/// What a component is made of.
#[derive(Clone, Debug, Default)]
pub struct Wasm {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// Of one module each: pages it starts with, and the most.
    pub memories: Vec<(u32, Option<u32>)>,
    /// More of the component, as text.
    pub more: String,
}

impl Wasm {
    pub fn text(&self) -> String {
        let mut text = String::from("(component ");
        for name in &self.imports {
            write!(text, "(import \"{name}\" (instance)) ").unwrap();
        }
        for (least, most) in &self.memories {
            let most = most.map(|most| most.to_string()).unwrap_or_default();
            write!(text, "(core module (memory {least} {most}) (func)) ").unwrap();
        }
        text.push_str(&self.more);
        text.push_str("(instance $me) ");
        for name in &self.exports {
            write!(text, "(export \"{name}\" (instance $me)) ").unwrap();
        }
        text + ")"
    }

    pub fn bytes(&self) -> Vec<u8> {
        compiled(&self.text())
    }
}

/// Bytes of that text.
#[track_caller]
pub fn compiled(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A number in LEB128.
pub fn leb(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A section with that content.
pub fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len() as u64), content].concat()
}

/// A text as the binary format writes it.
pub fn name(text: &str) -> Vec<u8> {
    [leb(text.len() as u64), text.as_bytes().to_vec()].concat()
}

/// A core module of these sections.
pub fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}
