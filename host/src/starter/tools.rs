//! Programs that most machines of developers have.
//!
//! In -> out: the search path -> names that may be granted to plugins which start programs.

use std::path::{Path, PathBuf};

/// Of these, those that are on the search path are granted unless somebody says which.
const TOOLS: [&str; 10] = ["sh", "make", "git", "python3", "cargo", "node", "npm", "npx", "go", "just"];

/// Those of the usual tools that a shell would find here.
pub fn found_tools() -> Vec<String> {
    let folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let is_there = |name: &str| folders.iter().any(|folder| is_program(&folder.join(name)));
    TOOLS.into_iter().filter(|name| is_there(name)).map(str::to_owned).collect()
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
