//! Files of a crate that name each other in a circle.
//!
//! In -> out: a crate's sources -> the circles among its files, none of them if what a file imports lies below it.
//! Limits: imports are read (`use`), words in the code are not; a file, its own submodules and what it is a submodule of count as
//! one concept and may name each other.

use std::collections::{BTreeMap, BTreeSet};

/// A file's place among the crate's modules: `drive`, `keep`.
type Module = Vec<String>;

/// The files of a crate by their modules, with the modules that each imports.
pub(crate) struct Imports(BTreeMap<Module, BTreeSet<Module>>);

impl Imports {
    /// Of files by their path inside `src`.
    pub(crate) fn of<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let files: BTreeMap<Module, &str> =
            files.filter_map(|(path, text)| Some((module_of(path)?, text))).collect();
        let imports = |(module, text): (&Module, &&str)| {
            let named = uses(text).into_iter().filter_map(|path| absolute(module, &path));
            let of_file = |path: Module| {
                (1..=path.len()).rev().find_map(|end| {
                    path.get(..end).filter(|path| files.contains_key(*path)).map(<[_]>::to_vec)
                })
            };
            let apart = |other: &Module| !other.starts_with(module) && !module.starts_with(other);
            (module.clone(), named.filter_map(of_file).filter(apart).collect())
        };
        Self(files.iter().map(imports).collect())
    }

    /// What is in a circle, or lies on a way from one to another; empty if there is none.
    pub(crate) fn circles(mut self) -> Vec<String> {
        // Whoever imports nothing that is left is in none, nor is whom nobody imports.
        loop {
            let left = self.0.len();
            let names: BTreeSet<Module> = self.0.keys().cloned().collect();
            self.0.values_mut().for_each(|imports| imports.retain(|import| names.contains(import)));
            self.0.retain(|_, imports| !imports.is_empty());
            let imported: BTreeSet<Module> = self.0.values().flatten().cloned().collect();
            self.0.retain(|module, _| imported.contains(module));
            if self.0.len() == left {
                break;
            }
        }
        let arrow = |(module, imports): (Module, BTreeSet<Module>)| {
            let imports: Vec<String> = imports.iter().map(|import| import.join("::")).collect();
            format!("`{}` imports `{}`", module.join("::"), imports.join("`, `"))
        };
        self.0.into_iter().map(arrow).collect()
    }
}

/// None of the crate's root and of tests.
fn module_of(path: &str) -> Option<Module> {
    let parts: Vec<&str> = path.strip_suffix(".rs")?.split('/').collect();
    let skipped = parts.iter().any(|part| ["lib", "main", "tests", "bench"].contains(part));
    (!skipped).then(|| parts.iter().filter(|part| **part != "mod").map(|part| (*part).to_owned()).collect())
}

/// What a file of that module means by a path; none of other crates.
fn absolute(module: &Module, path: &[String]) -> Option<Module> {
    let mut base = module.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            while let Some((_, after)) = rest.split_first().filter(|(first, _)| *first == "super") {
                base.pop();
                rest = after;
            }
            base.extend(rest.iter().cloned());
            return Some(base);
        }
        _ => return None,
    }
    base.extend(rest.iter().skip(1).cloned());
    Some(base)
}

/// The paths that the code imports, one for each name.
fn uses(text: &str) -> Vec<Vec<String>> {
    let code = text.split("mod tests {").next().unwrap_or(text);
    let mut found = Vec::new();
    let mut open = None::<String>;
    for line in code.lines() {
        let line = line.split("//").next().unwrap_or(line).trim();
        let begins = line.starts_with("use ") || (line.starts_with("pub") && line.contains(" use "));
        let words = match (&mut open, begins) {
            (Some(open), _) => {
                open.push_str(line);
                open
            }
            (None, true) => open.insert(line.split_once("use ").map_or(line, |(_, path)| path).to_owned()),
            (None, false) => continue,
        };
        if words.ends_with(';') {
            expand(&[], words.trim_end_matches(';'), &mut found);
            open = None;
        }
    }
    found
}

/// Every path of a tree of imports.
fn expand(before: &[String], tree: &str, found: &mut Vec<Vec<String>>) {
    let (path, inner) = match tree.split_once('{') {
        Some((path, inner)) => (path, inner.trim_end().strip_suffix('}')),
        None => (tree, None),
    };
    let path = path.split(" as ").next().unwrap_or(path);
    let mut whole = before.to_vec();
    whole.extend(path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
    let Some(inner) = inner else {
        found.push(whole);
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = inner.get(start..at).unwrap_or_default().trim();
                if !part.is_empty() {
                    expand(&whole, part, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        Imports::of(files.iter().copied()).circles()
    }

    #[test]
    fn files_that_import_each_other_are_found_and_who_stands_beside_them_is_not() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\nmod c;\nuse a::A;\n"),
            ("a.rs", "use crate::b::{\n    B, // Its own.\n    other::{C, D as E},\n};\n"),
            ("b.rs", "pub(crate) use super::c::C;\n"),
            ("c.rs", "use std::fmt;\nuse super::a;\n"),
            ("d.rs", "use crate::a::A;\n"),
        ];
        let found = circles(&files);
        assert_eq!(found, ["`a` imports `b`", "`b` imports `c`", "`c` imports `a`"]);
        let cut = [files[0], files[1], files[2], ("c.rs", "use std::fmt;\n// use super::a;\n"), files[4]];
        assert_eq!(circles(&cut), [""; 0]);
    }

    #[test]
    fn a_file_and_its_submodules_are_one_and_tests_may_name_all() {
        let files = [
            ("a.rs", "mod inner;\nuse self::inner::Inner;\n"),
            ("a/inner.rs", "use super::A;\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}\n"),
            ("a/tests.rs", "use crate::b::B;\n"),
            ("b.rs", "use crate::a::inner::Inner;\n"),
        ];
        assert_eq!(circles(&files), [""; 0]);
        let back =
            [files[0], files[1], ("a/other.rs", "use crate::b::B;\n"), ("b.rs", "use crate::a::other::O;\n")];
        assert_eq!(circles(&back).len(), 2);
    }
}
