//! Names of plugins.
//!
//! In -> out: `namespace/name` -> [`PluginId`].
//! Limits: 64 characters of `[a-z0-9-]` on each side.
//! Invariant: an id that exists is safe as a part of a path and cannot claim a reserved namespace.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const PART_BYTES_MAX: usize = 64;
const RESERVED: [&str; 6] = ["orch", "wasi", "wit", "core", "host", "component"];

/// `namespace/name` of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "IdText")]
pub struct PluginId(String);

/// The text of an id, for the schema.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct IdText(
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,64}/[a-z0-9-]{1,64}$"))]
    #[expect(dead_code)]
    String,
);

/// A text that is no plugin id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PluginIdText {
    #[error("plugin id `{found}` is not `namespace/name` of `[a-z0-9-]`, at most 64 each")]
    Form { found: String },
    #[error("namespace of plugin id `{found}` is reserved")]
    Reserved { found: String },
}

impl PluginId {
    pub fn parse(text: &str) -> Result<Self, PluginIdText> {
        let found = || text.chars().take(140).flat_map(char::escape_default).collect::<String>();
        let part = |part: &str| {
            (1..=PART_BYTES_MAX).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        match text.split_once('/') {
            Some((namespace, name)) if part(namespace) && part(name) => match RESERVED.contains(&namespace) {
                true => Err(PluginIdText::Reserved { found: found() }),
                false => Ok(Self(text.to_owned())),
            },
            _ => Err(PluginIdText::Form { found: found() }),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before `/`.
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The part after `/`.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

impl fmt::Display for PluginId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

impl TryFrom<String> for PluginId {
    type Error = PluginIdText;
    fn try_from(text: String) -> Result<Self, PluginIdText> {
        Self::parse(&text)
    }
}

impl From<PluginId> for String {
    fn from(id: PluginId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_two_plain_parts_and_no_reserved_namespace() {
        for good in ["demo/x", "a-1/b-2"] {
            assert_eq!(PluginId::parse(good).unwrap().as_str(), good);
        }
        for bad in
            ["demo", "demo/", "/x", "Demo/x", "demo/x/y", "demo/../x", "de mo/x", "dem\u{43e}/x", "", "."]
        {
            assert!(matches!(PluginId::parse(bad), Err(PluginIdText::Form { .. })), "{bad}");
        }
        for reserved in RESERVED {
            let text = format!("{reserved}/x");
            assert!(matches!(PluginId::parse(&text), Err(PluginIdText::Reserved { .. })), "{text}");
        }
    }
}
