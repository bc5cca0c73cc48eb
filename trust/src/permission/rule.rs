//! Rules of single fields: the form of a value, what lies in what, and what two have in common.
//!
//! In -> out: a field's value, its path, another value -> nothing, or how it errs.
//! Limits: 64 entries a list, 1 KiB an entry, no control characters.
//! Invariant: what [`Rule::narrow`] leaves lies within both values; nothing here has a default.
//! Not here: forms of texts and what covers what (`text.rs`).

use super::ANY;
use super::text::covers_any;

const ENTRIES_MAX: usize = 64;
const TEXT_BYTES_MAX: usize = 1024;

/// A permission that is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` has `{found}`, expected {expected}")]
pub struct PermissionForm {
    pub path: &'static str,
    pub found: String,
    pub expected: &'static str,
}

/// A permission that goes beyond what contains it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path} = {asked}` goes beyond `{allowed}`")]
pub struct PermissionExcess {
    /// Where in the grammar: `process.programs`.
    pub path: String,
    pub asked: String,
    /// What would contain it: the bound, or `nothing`.
    pub allowed: String,
}

impl PermissionExcess {
    pub(super) fn new(path: &str, asked: impl ToString, allowed: impl ToString) -> Self {
        Self { path: path.to_owned(), asked: asked.to_string(), allowed: allowed.to_string() }
    }

    /// A permission that is there or not, where there is none.
    pub(super) fn flag(path: &str) -> Self {
        Self::new(path, true, "nothing")
    }

    /// A permission with entries, where there is none.
    pub(super) fn entries<'a>(path: &str, asked: impl IntoIterator<Item = &'a String>) -> Self {
        Self::new(path, shown(asked), "nothing")
    }
}

fn shown<'a>(entries: impl IntoIterator<Item = &'a String>) -> String {
    format!("[{}]", entries.into_iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// On which side of a comparison a permission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A manifest: what a plugin asks for.
    Asking,
    /// A policy: what an operator allows by name.
    Allowing,
    /// A maximum, an approval, a workspace's narrowing.
    Bounding,
}

/// What is true of one field's value.
pub(super) trait Rule<T> {
    fn check_form(&self, path: &'static str, value: &T, side: Side) -> Result<(), PermissionForm>;
    fn check_within(&self, path: &'static str, value: &T, outer: &T) -> Result<(), PermissionExcess>;
    fn narrow(&self, value: &mut T, to: &T);
    fn name_programs(&self, value: &mut T, operators: &T, maximum: Option<&T>);
}

/// What `*` in an entry is.
pub(super) enum Star {
    /// An entry's own business.
    Plain,
    /// For those who allow: a manifest names what it wants.
    NotInManifests,
    /// In a manifest it stands for what the operator names, so an operator names something else.
    NamedByOperator,
}

/// A list of texts, each of which must lie in one entry of the bound.
pub(super) struct Entries {
    pub(super) expected: &'static str,
    pub(super) fits: fn(&str) -> bool,
    /// Outer, inner.
    pub(super) covers: fn(&str, &str) -> bool,
    pub(super) star: Star,
}

impl Rule<Vec<String>> for Entries {
    fn check_form(
        &self,
        path: &'static str,
        entries: &Vec<String>,
        side: Side,
    ) -> Result<(), PermissionForm> {
        if entries.len() > ENTRIES_MAX {
            let found = format!("{} entries", entries.len());
            return Err(PermissionForm { path, found, expected: "at most 64 entries" });
        }
        let is_text = |text: &str| {
            !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control)
        };
        if let Some(found) = entries.iter().find(|text| !is_text(text) || !(self.fits)(text)) {
            let found = found.escape_default().take(100).collect();
            return Err(PermissionForm { path, found, expected: self.expected });
        }
        let (found, expected) = match (&self.star, side) {
            (Star::NotInManifests, Side::Asking) => {
                (entries.iter().find(|text| text.contains(ANY)), "entries without `*`")
            }
            (Star::NamedByOperator, Side::Allowing) => {
                (entries.iter().find(|text| *text == ANY), "each by its name")
            }
            _ => return Ok(()),
        };
        match found {
            Some(found) => Err(PermissionForm { path, found: found.clone(), expected }),
            None => Ok(()),
        }
    }

    fn check_within(
        &self,
        path: &'static str,
        entries: &Vec<String>,
        outer: &Vec<String>,
    ) -> Result<(), PermissionExcess> {
        match entries.iter().find(|entry| !outer.iter().any(|outer| (self.covers)(outer, entry))) {
            Some(entry) => Err(PermissionExcess::new(path, entry, shown(outer))),
            None => Ok(()),
        }
    }

    /// Entries of either list that an entry of the other one contains stay, each once.
    fn narrow(&self, entries: &mut Vec<String>, to: &Vec<String>) {
        let inside = |entry: &String, list: &[String]| list.iter().any(|outer| (self.covers)(outer, entry));
        let theirs = to.iter().filter(|entry| inside(entry, entries)).cloned().collect::<Vec<_>>();
        entries.retain(|entry| inside(entry, to));
        for entry in theirs {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }

    fn name_programs(
        &self,
        entries: &mut Vec<String>,
        operators: &Vec<String>,
        maximum: Option<&Vec<String>>,
    ) {
        let stands_for_names = matches!(self.star, Star::NamedByOperator);
        if !stands_for_names || !entries.iter().any(|entry| entry == ANY) {
            return;
        }
        let mut named = operators.clone();
        if let Some(maximum) = maximum {
            self.narrow(&mut named, maximum);
        }
        entries.extend(named);
        entries.retain(|entry| entry != ANY);
        entries.sort();
        entries.dedup();
    }
}

/// Entries of the kind that programs are: by name, or `*` for what somebody else names.
pub(super) const fn named(expected: &'static str, fits: fn(&str) -> bool, star: Star) -> Entries {
    Entries { expected, fits, covers: covers_any, star }
}

/// A number: at most that of the bound.
pub(super) struct AtMost;

impl<T: Copy + Ord + ToString> Rule<T> for AtMost {
    fn check_form(&self, _path: &'static str, _value: &T, _side: Side) -> Result<(), PermissionForm> {
        Ok(())
    }

    fn check_within(&self, path: &'static str, value: &T, outer: &T) -> Result<(), PermissionExcess> {
        match value > outer {
            true => Err(PermissionExcess::new(path, value.to_string(), outer.to_string())),
            false => Ok(()),
        }
    }

    fn narrow(&self, value: &mut T, to: &T) {
        *value = (*value).min(*to);
    }

    fn name_programs(&self, _value: &mut T, _operators: &T, _maximum: Option<&T>) {}
}

/// Something that is allowed or not.
pub(super) struct Flag;

impl Rule<bool> for Flag {
    fn check_form(&self, _path: &'static str, _value: &bool, _side: Side) -> Result<(), PermissionForm> {
        Ok(())
    }

    fn check_within(&self, path: &'static str, value: &bool, outer: &bool) -> Result<(), PermissionExcess> {
        match *value && !*outer {
            true => Err(PermissionExcess::flag(path)),
            false => Ok(()),
        }
    }

    fn narrow(&self, value: &mut bool, to: &bool) {
        *value &= *to;
    }

    fn name_programs(&self, _value: &mut bool, _operators: &bool, _maximum: Option<&bool>) {}
}

/// A domain of that name with one interface of its own, `orch:name/name`, which it opens and nothing else; `provided`: a
/// plugin answers it.
macro_rules! own_interface {
    ($name:literal) => {
        $crate::permission::rule::own_interface!($name, false);
    };
    ($name:literal provided) => {
        $crate::permission::rule::own_interface!($name, true);
    };
    ($name:literal, $provided:literal) => {
        const NAME: &'static str = $name;
        const PROVIDED: bool = $provided;

        fn interface(import: Import<'_>) -> Option<&'static str> {
            import.is_ours($name).then_some($name)
        }

        fn opens(&self, import: Import<'_>) -> bool {
            Self::interface(import).is_some()
        }
    };
}

/// The methods of [`Domain`](super::Domain) that follow from the rules of its fields: `field: "path" => RULE`.
macro_rules! fields {
    ($($field:ident: $path:literal => $rule:expr),* $(,)?) => {
        fn check_form(&self, _side: Side) -> Result<(), PermissionForm> {
            let Self { $($field),* } = self;
            $($rule.check_form($path, $field, _side)?;)*
            Ok(())
        }

        fn check_within(&self, outer: &Self) -> Result<(), PermissionExcess> {
            let Self { $($field),* } = self;
            let Self { .. } = outer;
            $($rule.check_within($path, $field, &outer.$field)?;)*
            Ok(())
        }

        fn narrow(&mut self, to: &Self) {
            let Self { $($field),* } = self;
            let Self { .. } = to;
            $($rule.narrow($field, &to.$field);)*
        }

        fn name_programs(&mut self, operators: &Self, maximum: Option<&Self>) {
            let Self { $($field),* } = self;
            let (Self { .. }, _) = (operators, maximum);
            $($rule.name_programs($field, &operators.$field, maximum.map(|maximum| &maximum.$field));)*
        }

        fn less(&self) -> Vec<(&'static str, Self)> {
            let candidates: Vec<(&'static str, Self)> = vec![$(($path, {
                let mut less = self.clone();
                less.$field = Default::default();
                less
            })),*];
            candidates.into_iter().filter(|(_, less)| less != self).collect()
        }
    };
}

pub(super) use {fields, own_interface};
