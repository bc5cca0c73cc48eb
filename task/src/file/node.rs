//! A YAML value and where it stands in the text.
//!
//! In -> out: events of the YAML parser -> [`Placed`] trees.
//! Limits: the parser's budget (`yaml_options.rs`); a tree is as large as its part of the text plus what aliases add.
//! Invariant: aliases and merge keys are resolved; keys of one mapping are unique (the parser refuses others).
//! Not here: what the values mean (`fields.rs`).

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{Location, Spanned};

use crate::file::error::Place;
use crate::file::yaml_error::place_of;

/// A value; what an unquoted word means follows the core schema of YAML 1.2.
#[derive(Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    /// A number that JSON has not: `.inf`, `.nan`, `1e400`.
    NotFinite,
    Text(String),
    List(Vec<Placed>),
    Map(Vec<(Placed, Placed)>),
}

/// A value with its place.
#[derive(Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) node: Node,
    pub(crate) at: Spot,
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spot {
    pub(crate) place: Place,
    /// Bytes of the value where it is used, quotes included; only the opening sign or nothing for lists and mappings.
    pub(crate) bytes: Range<usize>,
    /// Bytes of the value where it is written.
    pub(crate) written: Range<usize>,
    /// False when the value came through an alias or a merge key.
    pub(crate) is_own: bool,
}

impl Placed {
    /// What the value is, for messages.
    pub(crate) fn found(&self) -> &'static str {
        match &self.node {
            Node::Null => "nothing",
            Node::Bool(_) => "a boolean",
            Node::Number(_) | Node::NotFinite => "a number",
            Node::Text(_) => "a text",
            Node::List(all) if all.is_empty() => "an empty list",
            Node::List(_) => "a list",
            Node::Map(all) if all.is_empty() => "an empty mapping",
            Node::Map(_) => "a mapping",
        }
    }
}

impl Spot {
    fn new(used: Location, written: Location) -> Self {
        let bytes = |location: Location| {
            let span = location.span();
            let start = usize::try_from(span.byte_offset()?).ok()?;
            Some(start..start.checked_add(usize::try_from(span.byte_len()?).ok()?)?)
        };
        let own = bytes(used).zip(bytes(written)).filter(|_| used == written);
        Self {
            place: place_of(Some(used)),
            bytes: bytes(used).unwrap_or(0..0),
            written: bytes(written).unwrap_or(0..0),
            is_own: own.is_some(),
        }
    }
}

impl<'de> Deserialize<'de> for Placed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } = Spanned::<Node>::deserialize(deserializer)?;
        Ok(Self { node: value, at: Spot::new(referenced, defined) })
    }
}

/// A key, as its text.
pub(crate) struct Key(pub(crate) Placed);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self(Placed { node: Node::Text(value), at: Spot::new(referenced, defined) }))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    // JSON numbers end at 64 bits; larger ones are kept as the nearest float, as JSON readers do.
    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Number::from_f64(value).map_or(Node::NotFinite, Node::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            entries.push((key, map.next_value()?));
        }
        Ok(Node::Map(entries))
    }
}
