//! The workspaces that this host knows: one JSON string a line, the path of the folder without links.
//!
//! In -> out: text of the operator's `workspaces` <-> paths.
//! Invariant: a path is one line, whatever it is called; one that no line can name is not remembered, so that no name
//! of a folder stands for another folder.
//! Not here: the file itself and its lock (`operator.rs`).

use std::path::{Path, PathBuf};

use super::operator::error::OperatorError;

/// True if the text names that folder. A line that begins with `/` is a path as older hosts wrote it.
pub(super) fn contains(text: &str, workspace: &Path) -> bool {
    text.lines().any(|line| match line.starts_with('/') {
        true => Path::new(line) == workspace,
        false => serde_json::from_str::<String>(line).is_ok_and(|said| Path::new(&said) == workspace),
    })
}

/// The folders that the text names.
pub(super) fn paths(text: &str) -> Vec<PathBuf> {
    let read = |line: &str| match line.starts_with('/') {
        true => Some(PathBuf::from(line)),
        false => serde_json::from_str::<String>(line).ok().map(PathBuf::from),
    };
    text.lines().filter_map(read).collect()
}

/// Refuses a folder that this host could not remember, before anything is written there.
///
/// # Errors
/// `WorkspaceName`.
pub(crate) fn check_name(workspace: &Path) -> Result<(), OperatorError> {
    line(workspace).map(drop)
}

/// The line of a folder, with its end.
///
/// # Errors
/// `WorkspaceName` for a path with control characters, or that is no UTF-8: it could not be told from another one.
pub(super) fn line(workspace: &Path) -> Result<String, OperatorError> {
    let text = workspace.to_str().filter(|text| !text.chars().any(char::is_control));
    let text = text.ok_or_else(|| OperatorError::WorkspaceName { path: workspace.to_owned() })?;
    Ok(format!("{}\n", serde_json::Value::from(text)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_folders_name_stands_for_no_other_folder() {
        let known = line(Path::new("/w/größe \"x\"\\")).unwrap() + "/old/path\n";
        assert!(contains(&known, Path::new("/w/größe \"x\"\\")) && contains(&known, Path::new("/old/path")));
        assert_eq!(paths(&known), [Path::new("/w/größe \"x\"\\"), Path::new("/old/path")]);
        for other in ["/w", "/w/größe", "/old", "\"/old/path\""] {
            assert!(!contains(&known, Path::new(other)), "{other}");
        }
        for name in [&b"/tmp/x\n/home/me/project"[..], b"/tmp/\x1b[2K", b"/tmp/\xff"] {
            let refused = line(Path::new(OsStr::from_bytes(name))).unwrap_err();
            assert_eq!(refused.code(), "workspace-name");
        }
    }
}
