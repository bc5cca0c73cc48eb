//! `artifacts`: what calls made, kept with their results.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{AtMost, Entries, Rule, Star, fields, own_interface};
use super::{ANY, Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArtifactsPermission {
    /// Media types, `text/html`; `text/*` covers every subtype and `*` everything.
    pub types: Vec<String>,
    /// For one call.
    #[schemars(range(max = u32::MAX))]
    pub count: u32,
    /// For all artifacts of one call together.
    pub bytes: u64,
}

const TYPES: Entries = Entries {
    expected: "a media type, `type/*` or `*`",
    fits: is_media_type_or_range,
    covers: covers_media_type,
    star: Star::Plain,
};

/// `type/subtype`, or the range `type/*`, or `*` for all.
fn is_media_type_or_range(text: &str) -> bool {
    let is_part = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".+-_".contains(&byte);
        !part.is_empty() && part.bytes().all(plain)
    };
    text == ANY
        || text.split_once('/').is_some_and(|(kind, sub)| is_part(kind) && (sub == ANY || is_part(sub)))
}

fn covers_media_type(outer: &str, inner: &str) -> bool {
    outer == inner || outer == ANY || outer.strip_suffix('*').is_some_and(|kind| inner.starts_with(kind))
}

impl ArtifactsPermission {
    /// True if artifacts of that media type are allowed.
    pub fn allows(&self, media_type: &str) -> bool {
        self.types.iter().any(|granted| covers_media_type(granted, media_type))
    }
}

impl Domain for ArtifactsPermission {
    own_interface!("artifacts");

    /// Sessions of planners end without a result, providers have none of their own, and nothing that services write is kept.
    fn is_for(role: Role) -> bool {
        !matches!(role, Role::Planner | Role::Provider | Role::Service)
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn keeps(&self) -> bool {
        true
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::entries("artifacts", &self.types))
    }

    fn lines(&self) -> Vec<String> {
        let Self { types, count, bytes } = self;
        vec![format!("artifacts: keep up to {count} a call, {bytes} bytes, of type {}", types.join(", "))]
    }

    fields! { types: "artifacts.types" => TYPES, count: "artifacts.count" => AtMost, bytes: "artifacts.bytes" => AtMost }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(types: &[&str], media_type: &str, allowed: bool) {
        let types = types.iter().map(|&one| one.to_owned()).collect();
        let granted = ArtifactsPermission { types, count: 1, bytes: 1 };
        assert!(granted.check_form(Side::Asking).is_ok(), "{granted:?}");
        assert_eq!(granted.allows(media_type), allowed, "{granted:?} {media_type}");
    }

    #[test]
    fn a_range_covers_its_subtypes_and_no_other_type() {
        check(&["text/html"], "text/html", true);
        check(&["text/html"], "text/htm", false);
        check(&["text/*"], "text/csv", true);
        check(&["text/*"], "texts/csv", false);
        check(&["text/*", "application/json"], "application/json", true);
        check(&["*"], "application/vnd.cyclonedx+json", true);
        check(&[], "text/html", false);
    }

    #[test]
    fn a_type_has_one_spelling() {
        for bad in [
            "text",
            "text/",
            "/html",
            "Text/html",
            "text/html; charset=utf-8",
            "*/html",
            "text/h*",
            "**",
            "a/b/c",
        ] {
            let granted = ArtifactsPermission { types: vec![bad.to_owned()], count: 1, bytes: 1 };
            assert_eq!(granted.check_form(Side::Asking).unwrap_err().path, "artifacts.types", "{bad}");
        }
    }

    #[test]
    fn a_range_lies_in_a_wider_one_only() {
        let of = |one: &str| ArtifactsPermission { types: vec![one.to_owned()], count: 1, bytes: 1 };
        for (inner, outer, within) in [
            ("text/html", "text/*", true),
            ("text/*", "text/html", false),
            ("text/*", "*", true),
            ("*", "text/*", false),
            ("text/*", "text/*", true),
        ] {
            assert_eq!(of(inner).check_within(&of(outer)).is_ok(), within, "{inner} in {outer}");
        }
    }
}
