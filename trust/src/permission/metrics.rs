//! `metrics`: measured values, recorded and read again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Entries, Rule, Star, fields, own_interface};
use super::text::covers_prefix;
use super::{ANY, Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

const NAME_BYTES_MAX: usize = 128;

/// `{}` is recording alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsPermission {
    /// Names of values that are read, whoever recorded them, 1..=128 of `[a-z0-9_.]`; a trailing `*` covers every continuation, and
    /// `*` everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
}

const NAMES: Entries = Entries {
    expected: "1 to 128 of `[a-z0-9_.]`, the beginning of them with `*` after it, or `*`",
    fits: is_metric_or_prefix,
    covers: covers_prefix,
    star: Star::Plain,
};

/// A name of a metric, the beginning of one with `*` after it, or `*` for all.
fn is_metric_or_prefix(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
    let name = text.strip_suffix('*').unwrap_or(text);
    text == ANY || ((1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain))
}

impl MetricsPermission {
    /// True if values of that name may be read.
    pub fn reads(&self, name: &str) -> bool {
        self.read.iter().any(|granted| covers_prefix(granted, name))
    }
}

impl Domain for MetricsPermission {
    own_interface!("metrics");

    /// What a planner records would be kept with no result, and what it reads must be the same again.
    fn is_for(role: Role) -> bool {
        role != Role::Planner
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn keeps(&self) -> bool {
        true
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        Err(PermissionExcess::flag("metrics"))
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec!["metrics: record measured values".to_owned()];
        if !self.read.is_empty() {
            lines.push(format!("metrics: read what any plugin recorded as {}", self.read.join(", ")));
        }
        lines
    }

    fields! { read: "metrics.read" => NAMES }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(read: &[&str]) -> MetricsPermission {
        MetricsPermission { read: read.iter().map(|&one| one.to_owned()).collect() }
    }

    #[test]
    fn a_name_is_read_where_an_entry_is_it_or_begins_it() {
        for (read, name, reads) in [
            (&["code.complexity"][..], "code.complexity", true),
            (&["code.complexity"], "code.complexity.max", false),
            (&["code.*"], "code.complexity", true),
            (&["code.*"], "code", false),
            (&["code.*"], "codes", false),
            (&["size", "code.*"], "code.", true),
            (&["*"], "anything", true),
            (&[], "code", false),
        ] {
            assert!(of(read).check_form(Side::Asking).is_ok());
            assert_eq!(of(read).reads(name), reads, "{read:?} {name}");
        }
    }

    #[test]
    fn an_entry_has_the_form_of_a_name() {
        for bad in ["", "Code", "a b", "a*b", "**", "*a", "a/b", "a-b", &"a".repeat(129)] {
            assert!(of(&[bad]).check_form(Side::Asking).is_err(), "{bad}");
        }
        for good in ["a", "a_1.b", "a.*", "*", &"a".repeat(128)] {
            assert!(of(&[good]).check_form(Side::Asking).is_ok(), "{good}");
        }
    }

    #[test]
    fn reading_lies_in_what_is_read_and_recording_alone_in_all() {
        for (inner, outer, within) in [
            (&["code.a"][..], &["code.*"][..], true),
            (&["code.*"], &["code.a"], false),
            (&["code.*"], &["c*"], true),
            (&["*"], &["code.*"], false),
            (&[], &["code.*"], true),
            (&[], &[], true),
            (&["code.a"], &[], false),
        ] {
            assert_eq!(of(inner).check_within(&of(outer)).is_ok(), within, "{inner:?} in {outer:?}");
        }
        assert!(of(&[]).check_within(&MetricsPermission::default()).is_ok());
        assert_eq!(serde_json::to_string(&of(&[])).unwrap(), "{}");
        assert_eq!((of(&[]).lines().len(), of(&["a"]).lines().len()), (1, 2));
    }
}
