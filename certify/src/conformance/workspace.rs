//! The small project that conformance calls look at.
//!
//! In -> out: an empty folder -> a few sources, good and odd.
//! Invariant: the same in each run, so that answers are.
//! Not here: tasks of the run (`conformance.rs`).

use std::io;
use std::path::Path;

const FILES: [(&str, &str); 5] = [
    ("README.md", "# Sample\n"),
    ("src/app.py", "def choose(a, b):\n    if a > b:\n        return a\n    return b\n"),
    ("src/lib.rs", "/// Adds.\npub fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n"),
    ("src/broken.py", "def broken(:\n    if if\n\t\u{0}\n"),
    ("src/empty.rs", ""),
];

pub(super) fn write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder.join("src"))?;
    for (name, text) in FILES {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
