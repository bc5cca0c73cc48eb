//! The lists of files that `orch-plugin` carries into new projects.
//!
//! In -> out: the files of the SDK, of the interfaces and of each role's template -> `sdk/plugin/src/carried.rs`.
//! Invariant: every file of these folders is in its list.
//! Not here: files that are put together by hand (`sdk/plugin/src/template.rs`).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;
use orch_trust::manifest::Role;

/// Where the text belongs in the checkout.
pub(crate) const PATH: &str = "sdk/plugin/src/carried.rs";
/// Templates of no role alone.
const MORE: [(&str, &str); 3] = [("AGENT", "agent"), ("MODELS", "models"), ("DOCUMENTS", "documents")];
const HEADER: &str = r#"//! Files that new projects get, by their paths there.
//!
//! In -> out: [`Role`] -> texts of files.
//! Invariant: written by `cargo xtask bindings`, never by hand: every file of these folders, as this program was built
//! with it.
//! Not here: the files of every project, and what is said of a role in them (`template.rs`).

use orch_trust::manifest::Role;

/// A file by its path in the new project, with `/`.
pub type Embedded = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($path:literal,)+) => {
        &[$(($path, include_str!(concat!("../../../", $folder, "/", $path))),)+]
    };
}

"#;

/// The text, of the files that are there now.
pub(crate) fn generate(root: &Path) -> anyhow::Result<String> {
    let sdk = files(root, "sdk", "src", 4)?;
    let wit = files(root, "wit", "", 4)?;
    let mut text = format!(
        "{HEADER}/// The SDK's sources, to be written into `orch/sdk`.
pub const SDK: &[Embedded] = {sdk};

/// The interfaces, to be written into `orch/wit`.
pub const WIT: &[Embedded] = {wit};

/// Files of one role, with `{{{{name}}}}` and `{{{{id}}}}` to be filled in.
pub fn role(role: Role) -> &'static [Embedded] {{
    match role {{
"
    );
    for role in Role::ALL {
        let files = files(root, &format!("sdk/templates/{}", role.as_str()), "", 12)?;
        writeln!(text, "        Role::{role:?} => {files},")?;
    }
    text.push_str("    }\n}\n");
    for (name, folder) in MORE {
        let files = files(root, &format!("sdk/templates/{folder}"), "", 4)?;
        write!(
            text,
            "\n/// Files of the template `{folder}`, to be filled in.\npub const {name}: &[Embedded] = {files};\n"
        )?;
    }
    Ok(text)
}

/// A call of `files!` for all files of `folder` that lie in `inside` of it.
fn files(root: &Path, folder: &str, inside: &str, indent: usize) -> anyhow::Result<String> {
    let mut paths = BTreeSet::new();
    list(&root.join(folder), inside, &mut paths)?;
    let lines = paths.iter().map(|path| format!("{:indent$}\"{path}\",\n", ""));
    let lines: String = lines.collect();
    Ok(format!("files!(\"{folder}\":\n{lines}{:end$})", "", end = indent.saturating_sub(4)))
}

fn list(folder: &Path, inside: &str, found: &mut BTreeSet<String>) -> anyhow::Result<()> {
    let here = folder.join(inside);
    for entry in fs::read_dir(&here).with_context(|| format!("cannot read `{}`", here.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if inside.is_empty() { name } else { format!("{inside}/{name}") };
        match entry.path().is_dir() {
            true => list(folder, &path, found)?,
            false => drop(found.insert(path)),
        }
    }
    Ok(())
}
