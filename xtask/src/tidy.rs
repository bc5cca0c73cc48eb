//! The project's rules about itself.
//!
//! In -> out: the tracked sources -> nothing, or the list of what breaks a rule.
//! Rules: every source file begins with its header; none is over 500 lines; the parts of the host point downwards;
//! only `console.rs` prints, only `main.rs` exits; no unfinished work.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

const LINES_MAX: usize = 500;
const SOURCES: [&str; 12] = [
    "trust/src",
    "journal/src",
    "task/src",
    "supervisor/src",
    "host/src",
    "certify/src",
    "sdk/src",
    "sdk/plugin/src",
    "xtask/src",
    "tests/src",
    "tests/tests",
    "plugins",
];

/// What a part of the host may not name: everything above it.
const ABOVE: [(&str, &[&str]); 4] = [
    ("host/src/capability", &["crate::drive", "crate::role", "crate::commands"]),
    ("host/src/engine", &["crate::drive", "crate::role", "crate::commands"]),
    ("host/src/role", &["crate::drive", "crate::commands"]),
    ("host/src/drive", &["crate::commands"]),
];

/// Checks every rule.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for folder in SOURCES {
        for path in rust_files(&root.join(folder))? {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            check(&shown, &text, &mut faults);
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => bail!("not tidy:\n  {}", faults.join("\n  ")),
    }
}

fn check(path: &str, text: &str, faults: &mut Vec<String>) {
    let generated = path.contains("/bindings/");
    let lines = text.lines().count();
    if !generated && !text.starts_with("//!") && !text.starts_with("#!") {
        faults.push(format!("{path}: has no header"));
    }
    if !generated && lines > LINES_MAX {
        faults.push(format!("{path}: {lines} lines, at most {LINES_MAX}"));
    }
    for (part, above) in ABOVE {
        // Tests may put parts together that the code keeps apart.
        if path.starts_with(part) && !path.ends_with("/tests.rs") && !path.contains("/tests/") {
            for name in above.iter().filter(|name| text.contains(**name)) {
                faults.push(format!("{path}: names `{name}`, which lies above it"));
            }
        }
    }
    let host = path.starts_with("host/src");
    let marks: [(&str, bool); 4] = [
        (concat!("println", "!("), host && path != "host/src/console.rs"),
        (concat!("process::", "exit("), host && path != "host/src/main.rs"),
        (concat!("#[", "ignore"), true),
        (concat!("to", "do!("), true),
    ];
    for (mark, applies) in marks {
        if applies && !generated && text.contains(mark) {
            faults.push(format!("{path}: has `{mark}`"));
        }
    }
}

fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(found) };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if name != "target" && name != "fixtures" {
                found.extend(rust_files(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
