//! The project's rules about itself.
//!
//! In -> out: the checkout's Rust sources -> nothing, or the list of what breaks a rule.
//! Rules: every source file begins with its header; none is over 500 lines; the parts of the host point downwards;
//! no files of a crate import each other in a circle;
//! only `console.rs` prints, only `main.rs` exits, only `Run::record` appends to a journal; trust is pure; no
//! unfinished work; no file of tests and no guest is forgotten; what was released is as it was.
//! Not here: which crate sees which (their `Cargo.toml`), banned functions (`clippy.toml`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::circles::Imports;
use crate::freeze;

/// Where the host may end: at its end, and when nobody reads what it says.
const ENDS: [&str; 2] = ["host/src/main.rs", "host/src/interrupt.rs"];
const LINES_MAX: usize = 500;

/// The parts of the host's library from top to bottom: what a part names lies below it.
const PARTS: [&str; 49] = [
    "commands",
    "interrupt",
    "serve",
    "worker",
    "session",
    "holder",
    "control",
    "recheck",
    "development",
    "starter",
    "place",
    "sources",
    "reload",
    "plugins",
    "config",
    "run_log",
    "replay",
    "drive",
    "watch",
    "told",
    "role",
    "engine",
    "secrets",
    "processes",
    "sandbox",
    "relay",
    "caches",
    "worktrees",
    "command_log",
    "log_folder",
    "machine",
    "open_files",
    "call",
    "fetch",
    "egress",
    "capability",
    "manifest_schema",
    "plugin_settings",
    "schemas",
    "git",
    "package",
    "parallel",
    "regular_file",
    "whole_file",
    "console",
    "bindings",
    "exit",
    "cut",
    "clock",
];

/// The places that point up, and at what. `ARCHITECTURE.md` says why.
const UPWARDS: [(&str, &str); 2] = [
    ("host/src/call.rs", "crate::engine::call_error::CallError"),
    ("host/src/bindings.rs", "crate::capability::kv::backend::Bucket"),
];

/// Packages whose files of tests are modules of one program; cargo looks for no others there.
const TESTS: [&str; 3] = ["fuzz", "tests", "trust"];

/// Checks every rule.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    let mut crates = BTreeMap::<String, Vec<(String, String)>>::new();
    for path in rust_files(root)? {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        check(&shown, &text, &mut faults);
        if let Some((package, inside)) = shown.split_once("/src/") {
            crates.entry(package.to_owned()).or_default().push((inside.to_owned(), text));
        }
    }
    for (package, files) in &crates {
        let circle = Imports::of(files.iter().map(|(path, text)| (&**path, &**text))).circles();
        faults.extend(circle.into_iter().map(|arrow| format!("{package}: in a circle, {arrow}")));
    }
    for package in TESTS {
        let read = |name: &str| {
            let path = root.join(package).join(name);
            fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
        };
        let named = read("tests/main.rs")? + &read("Cargo.toml")?;
        for path in rust_files(&root.join(package).join("tests"))? {
            check_named(package, &path, &named, &mut faults);
        }
    }
    check_guests(&root.join("tests/guests"), &mut faults)?;
    freeze::check(root, &mut faults)?;
    match faults.is_empty() {
        true => Ok(()),
        false => bail!("not tidy:\n  {}", faults.join("\n  ")),
    }
}

/// Each guest of the tests has a row in their README, and each row a guest.
fn check_guests(folder: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let path = folder.join("README.md");
    let readme = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let named = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut named: Vec<&str> = named.collect();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.join("Cargo.toml").exists() {
            match named.iter().position(|named| *named == name) {
                Some(place) => drop(named.swap_remove(place)),
                None => faults.push(format!("tests/guests/README.md: `{name}` has no row")),
            }
        }
    }
    faults
        .extend(named.into_iter().map(|name| format!("tests/guests/README.md: there is no guest `{name}`")));
    Ok(())
}

fn check(path: &str, text: &str, faults: &mut Vec<String>) {
    // Generated.
    if ["sdk/src/bindings/", "io-service/src/generated/"].iter().any(|made| path.starts_with(made)) {
        return;
    }
    let lines = text.lines().count();
    if !text.starts_with("//!") && !text.starts_with("#!") {
        faults.push(format!("{path}: has no header"));
    }
    if lines > LINES_MAX {
        faults.push(format!("{path}: {lines} lines, at most {LINES_MAX}"));
    }
    // Tests may put parts together that the code keeps apart.
    let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
    let code = if is_test { "" } else { text.split("mod tests {").next().unwrap_or(text) };
    if path == "host/src/lib.rs" {
        check_parts(code, faults);
    } else if let Some(inside) = path.strip_prefix("host/src/") {
        check_direction(path, inside, code, faults);
    }
    let (host, trust) = (path.starts_with("host/src"), path.starts_with("trust/src"));
    // What calls a plugin lies above what looks at it.
    let looks = path == "certify/src/check.rs" || path.starts_with("certify/src/check/");
    let marks: [(&str, bool); 11] = [
        (concat!("crate::", "behaviour"), looks),
        (concat!("crate::", "conformance"), looks),
        (concat!("println", "!("), host && path != "host/src/console.rs"),
        (concat!("process::", "exit("), host && !ENDS.contains(&path)),
        (concat!("journal", ".append("), host && path != "host/src/drive/run.rs"),
        (concat!("std::", "fs"), trust),
        (concat!("std::", "env"), trust),
        (concat!("System", "Time"), trust),
        (concat!("Instant", "::"), trust),
        (concat!("#[", "ignore"), true),
        (concat!("to", "do!("), true),
    ];
    for (mark, applies) in marks {
        let text = if host || trust { code } else { text };
        if applies && text.contains(mark) {
            faults.push(format!("{path}: has `{mark}`"));
        }
    }
}

/// A file in the folder of tests itself is a module, or a program of its own.
fn check_named(package: &str, path: &Path, named: &str, faults: &mut Vec<String>) {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let is_in_folder = path.parent().is_some_and(|folder| folder.ends_with("tests"));
    let is_named =
        [format!("mod {name};"), format!("tests/{name}.rs")].iter().any(|words| named.contains(words));
    if is_in_folder && !is_named {
        faults.push(format!("{package}/tests/{name}.rs: no program of tests has it"));
    }
}

/// Every part has its place in the order.
fn check_parts(lib: &str, faults: &mut Vec<String>) {
    let parts = lib
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
    for part in parts.filter(|part| !PARTS.contains(part)) {
        faults.push(format!("host/src/lib.rs: `{part}` has no place in the order of `xtask/src/tidy.rs`"));
    }
}

/// A file names nothing that lies above its part.
fn check_direction(path: &str, inside: &str, code: &str, faults: &mut Vec<String>) {
    let place = |name: &str| PARTS.iter().position(|part| *part == name);
    let Some(own) = inside.split(['/', '.']).next().and_then(place) else { return };
    for (at, _) in code.match_indices("crate::") {
        let named = code.get(at..).unwrap_or_default();
        let part =
            named.trim_start_matches("crate::").split(|c: char| !c.is_alphanumeric() && c != '_').next();
        let Some(part) = part.filter(|part| place(part).is_some_and(|above| above < own)) else { continue };
        if !UPWARDS.iter().any(|(from, to)| *from == path && named.starts_with(to)) {
            faults.push(format!("{path}: names `crate::{part}`, which lies above it"));
        }
    }
}

/// All below that folder, sorted; nothing of build folders, of hidden ones, and of tests' data.
fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if name != "target" && name != "fixtures" && !name.starts_with('.') {
                found.extend(rust_files(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn faults(path: &str, text: &str) -> usize {
        let mut faults = Vec::new();
        check(path, &format!("//! Header.\n{text}"), &mut faults);
        faults.len()
    }

    #[test]
    fn a_part_names_only_what_lies_below_it() {
        let up = |name: &str| format!("use crate::{name};\n");
        assert_eq!(faults("host/src/engine/link.rs", &up("capability::Granted")), 0);
        assert_eq!(faults("host/src/engine/link.rs", &up("drive::run::Run")), 1);
        assert_eq!(faults("host/src/capability/kv.rs", &up("engine::store::CallState")), 1);
        assert_eq!(faults("host/src/call.rs", &up("engine::call_error::CallError")), 0);
        assert_eq!(faults("host/src/capability.rs", &up("engine::link::Linked")), 1);
        for library in ["session.rs", "place.rs", "plugins.rs", "watch.rs", "config/operator.rs"] {
            assert_eq!(faults(&format!("host/src/{library}"), &up("commands::run")), 1, "{library}");
        }
        assert_eq!(faults("host/src/engine/tests.rs", &up("role::executor")), 0);
        let inline = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", up("role::executor"));
        assert_eq!(faults("host/src/engine/link.rs", &inline), 0);
    }

    #[test]
    fn every_part_of_the_host_has_its_place() {
        assert_eq!(faults("host/src/lib.rs", "pub mod engine;\nmod cut;\n"), 0);
        assert_eq!(faults("host/src/lib.rs", "pub mod engine;\npub mod attic;\n"), 1);
    }

    #[test]
    fn a_file_of_tests_is_a_module_or_a_program() {
        let found = |path: &str| {
            let mut faults = Vec::new();
            let named = "mod run;\n[[test]]\nname = \"cli\"\npath = \"tests/cli.rs\"\n";
            check_named("tests", Path::new(path), named, &mut faults);
            faults.len()
        };
        for known in ["tests/tests/run.rs", "tests/tests/cli.rs", "tests/tests/attacks/names.rs"] {
            assert_eq!(found(known), 0, "{known}");
        }
        assert_eq!(found("tests/tests/forgotten.rs"), 1);
    }

    #[test]
    fn marks_count_where_they_are_forbidden() {
        let print = concat!("println", "!(\"\")");
        assert_eq!(faults("host/src/session.rs", print), 1);
        assert_eq!(faults("host/src/console.rs", print), 0);
        assert_eq!(faults("bench/src/main.rs", print), 0);
        let clock = concat!("System", "Time::now()");
        assert_eq!((faults("trust/src/time.rs", clock), faults("host/src/place.rs", clock)), (1, 0));
        let append = concat!("self.journal", ".append(event)");
        assert_eq!((faults("host/src/session.rs", append), faults("host/src/drive/run.rs", append)), (1, 0));
        assert_eq!(faults("tests/tests/run.rs", concat!("#[", "ignore]")), 1);
    }
}
