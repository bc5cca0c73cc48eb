//! Calls of the standard library that compile, and fail or do nothing where plugins run.
//!
//! In -> out: a project's sources and target -> [`StdCall`]s by file and line.
//! Limits: 1000 files, 1 MiB each; what cannot be read or parsed is the compiler's to judge.
//! Invariant: only says; nothing is refused by it. What stands under a `cfg` of tests or of a target is left out: whoever wrote that
//! knows where it runs.
//! Not here: crates that want a browser (`browser.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprPath, Item, ItemMod, Macro, Token, UseTree};

use crate::target::Target;

const FILES_MAX: usize = 1000;
const FILE_BYTES_MAX: u64 = 1 << 20;

/// One call, and what to write in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StdCall {
    /// Below the project.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    pub call: String,
    pub instead: &'static str,
}

impl std::fmt::Display for StdCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: `{}` {}", self.file.display(), self.line, self.call, self.instead)
    }
}

/// What begins so, on which targets, and what to do.
struct Rule {
    begins: &'static str,
    /// With WASI too.
    everywhere: bool,
    instead: &'static str,
}

const fn rule(begins: &'static str, everywhere: bool, instead: &'static str) -> Rule {
    Rule { begins, everywhere, instead }
}

const PRINTS: &str = "prints nowhere: `orch_sdk::log` is seen, with the permission `log`";
const CLOCK: &str = "traps: `orch_sdk::clocks`, with the permission `wasi.clocks`";
const VARIABLES: &str = "finds nothing: what an operator says comes by `orch_sdk::settings`";
const THREADS: &str = "fails: a call has one thread";
const ENDS: &str = "ends the call without an answer: return a `Failure`";

/// The first that fits counts.
const RULES: [Rule; 20] = [
    rule("std::fs", true, "finds no files: `orch_sdk::files` does, with the permission `files`"),
    rule("std::env::var", true, VARIABLES),
    rule("std::env::vars", true, VARIABLES),
    rule("std::env::var_os", true, VARIABLES),
    rule("std::env::args", true, VARIABLES),
    rule(
        "std::env::current_dir",
        true,
        "has no folder: paths of `orch_sdk::files` are those of the workspace",
    ),
    rule("std::env::temp_dir", true, "has no folder: keep it in memory, or in `orch_sdk::kv`"),
    rule("std::net", true, "is denied: `orch_sdk::http`, with the permission `http`"),
    rule("std::process::Command", true, "starts nothing: `orch_sdk::process`, with the permission `process`"),
    rule("std::process::exit", true, ENDS),
    rule("std::process::abort", true, ENDS),
    rule("std::thread::spawn", true, THREADS),
    rule("std::thread::scope", true, THREADS),
    rule("std::thread::Builder", true, THREADS),
    rule("std::thread::sleep", false, "traps: a call does not wait"),
    rule("std::time::SystemTime::now", false, CLOCK),
    rule("std::time::Instant::now", false, CLOCK),
    rule("std::io::stdin", true, "is at its end: arguments come with the call"),
    rule("std::io::stdout", false, PRINTS),
    rule("std::io::stderr", false, PRINTS),
];

const PRINTING: [&str; 5] = ["println", "print", "eprintln", "eprint", "dbg"];

/// The calls in the project's own sources, from `src/lib.rs` on.
pub fn find(project: &Path, target: Target) -> Vec<StdCall> {
    let mut search = Search { project, target, files: 0, found: Vec::new() };
    search.file(&project.join("src/lib.rs"), &project.join("src"));
    search.found
}

struct Search<'a> {
    project: &'a Path,
    target: Target,
    files: usize,
    found: Vec<StdCall>,
}

impl Search<'_> {
    /// One file, whose own modules lie in that folder.
    fn file(&mut self, path: &Path, folder: &Path) {
        self.files += 1;
        let is_small = fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() <= FILE_BYTES_MAX);
        if !is_small || self.files > FILES_MAX {
            return;
        }
        let Ok(text) = fs::read_to_string(path) else { return };
        let Ok(parsed) = syn::parse_file(&text) else { return };
        let mut uses = Uses::default();
        uses.visit_file(&parsed);
        let file = path.strip_prefix(self.project).unwrap_or(path).to_owned();
        let mut calls = Calls { file, target: self.target, uses: &uses.0, found: &mut self.found };
        calls.visit_file(&parsed);
        self.modules(&parsed.items, folder);
    }

    /// The files of modules that are declared here.
    fn modules(&mut self, items: &[Item], folder: &Path) {
        for item in items {
            let Item::Mod(module) = item else { continue };
            if is_elsewhere(&module.attrs) {
                continue;
            }
            let below = folder.join(module.ident.to_string());
            match &module.content {
                Some((_, items)) => self.modules(items, &below),
                None => {
                    let beside = below.with_extension("rs");
                    let path = if beside.is_file() { beside } else { below.join("mod.rs") };
                    self.file(&path, &below);
                }
            }
        }
    }
}

/// Where it begins, from 1.
fn line(path: &syn::Path) -> usize {
    path.segments.first().map_or(1, |segment| segment.ident.span().start().line)
}

/// True for what stands under a `cfg` of tests or of a target.
fn is_elsewhere(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
        let said = list.tokens.to_string();
        list.path.is_ident("cfg") && ["test", "target_"].iter().any(|word| said.contains(word))
    })
}

/// Names of a file that mean something of the standard library, and what.
#[derive(Default)]
struct Uses(BTreeMap<String, String>);

impl Uses {
    fn tree(&mut self, tree: &UseTree, before: &str) {
        let joined = |name: &dyn std::fmt::Display| match before {
            "" => name.to_string(),
            before => format!("{before}::{name}"),
        };
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &joined(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|inner| self.tree(inner, before)),
            UseTree::Name(name) if name.ident == "self" => {
                let last = before.rsplit("::").next().unwrap_or_default();
                self.0.insert(last.to_owned(), before.to_owned());
            }
            UseTree::Name(name) => drop(self.0.insert(name.ident.to_string(), joined(&name.ident))),
            UseTree::Rename(name) => drop(self.0.insert(name.rename.to_string(), joined(&name.ident))),
            UseTree::Glob(_) => {}
        }
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&item.tree, "");
    }
}

struct Calls<'a> {
    file: PathBuf,
    target: Target,
    uses: &'a BTreeMap<String, String>,
    found: &'a mut Vec<StdCall>,
}

impl Calls<'_> {
    fn say(&mut self, line: usize, call: String, instead: &'static str) {
        self.found.push(StdCall { file: self.file.clone(), line, call, instead });
    }
}

impl<'ast> Visit<'ast> for Calls<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_elsewhere(attributes) {
            visit::visit_item(self, item);
        }
    }

    /// Its items are of this file; a module of another file is read there.
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        module.content.iter().flat_map(|(_, items)| items).for_each(|item| self.visit_item(item));
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        let segments = path.path.segments.iter().map(|segment| segment.ident.to_string());
        let written = segments.collect::<Vec<_>>().join("::");
        let (first, rest) =
            written.split_once("::").map_or((&*written, None), |(first, rest)| (first, Some(rest)));
        let whole = match (self.uses.get(first), rest) {
            (Some(meant), Some(rest)) => format!("{meant}::{rest}"),
            (Some(meant), None) => meant.clone(),
            (None, _) => written,
        };
        let begins = |rule: &&Rule| {
            whole.strip_prefix(rule.begins).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        if let Some(rule) = RULES.iter().find(begins)
            && (rule.everywhere || self.target == Target::Lean)
        {
            self.say(line(&path.path), whole, rule.instead);
        }
        visit::visit_expr_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        let name = called.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if PRINTING.contains(&&*name) && self.target == Target::Lean {
            self.say(line(&called.path), format!("{name}!"), PRINTS);
        }
        // Arguments of what is written as a call: those of `format!`, `assert!`, `vec!`.
        let arguments = called.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
        for argument in arguments.iter().flatten() {
            self.visit_expr(argument);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)], target: Target) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join("src").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let said = find(folder.path(), target).into_iter();
        said.map(|call| format!("{}:{} {}", call.file.display(), call.line, call.call)).collect()
    }

    #[test]
    fn what_only_fails_where_plugins_run_is_named_with_its_place() {
        let text = "use std::{env, fs::{self, File}, time::SystemTime as Now};\n\
                    use std::thread;\n\
                    fn a() {\n\
                    let _ = fs::read(\"a\"); let _ = File::open(\"b\");\n\
                    println!(\"{:?}\", env::var(\"A\"));\n\
                    let _ = Now::now(); let _ = Now::UNIX_EPOCH;\n\
                    thread::spawn(|| {}).join().unwrap();\n\
                    std::process::exit(vec![std::env::args()].len());\n\
                    }\n\
                    mod inner { fn b() { std::net::TcpStream::connect(\"a:1\"); } }\n";
        let lean = [
            "src/lib.rs:4 std::fs::read",
            "src/lib.rs:4 std::fs::File::open",
            "src/lib.rs:5 println!",
            "src/lib.rs:5 std::env::var",
            "src/lib.rs:6 std::time::SystemTime::now",
            "src/lib.rs:7 std::thread::spawn",
            "src/lib.rs:8 std::process::exit",
            "src/lib.rs:8 std::env::args",
            "src/lib.rs:10 std::net::TcpStream::connect",
        ];
        assert_eq!(found(&[("lib.rs", text)], Target::Lean), lean);
        let mut wasi = lean.to_vec();
        wasi.retain(|line| !line.contains("println") && !line.contains("::now"));
        assert_eq!(found(&[("lib.rs", text)], Target::Wasi), wasi);
    }

    #[test]
    fn modules_are_followed_and_tests_and_other_machines_are_not() {
        let call = "pub fn a() { std::fs::read(\"a\"); }\n";
        let lib = "mod one;\nmod two;\n#[cfg(test)]\nmod tests;\n#[cfg(not(target_arch = \"wasm32\"))]\nfn b() { println!(); }\n\
                   #[cfg(test)]\nmod here { fn a() { println!(); } }\nmod inline { mod deep; }\n\
                   // std::fs::read\nfn c() { log(\"std::fs::read\"); fs::read(1); other::std::fs::read(2); }\nfn log(_: &str) {}\n";
        let files = [
            ("lib.rs", lib),
            ("one.rs", call),
            ("two/mod.rs", call),
            ("tests.rs", call),
            ("inline/deep.rs", call),
            ("nobodys.rs", call),
        ];
        let said = ["src/one.rs:1", "src/two/mod.rs:1", "src/inline/deep.rs:1"]
            .map(|at| format!("{at} std::fs::read"));
        assert_eq!(found(&files, Target::Lean), said);
        assert_eq!(found(&[("lib.rs", "fn a( {")], Target::Lean), [""; 0]);
        assert_eq!(found(&[], Target::Lean), [""; 0]);
    }
}
