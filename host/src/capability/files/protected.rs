//! What no plugin and no attempt changes in a workspace: the host's own names, people's, and what version control believes.
//!
//! In -> out: a path below a workspace -> may it be changed, may it be seen.
//! Invariant: a name is compared as every file system that could hold the workspace would: without regard to case, without
//! letters that are left out, without dots and spaces at its end, up to a colon or a backslash, and by its short form.
//! Not here: what is granted (`files.rs`), how a path is reached (`beneath.rs`).

use std::borrow::Cow;

/// Paths in the workspace that plugins do not reach, each with `/` between its parts; what lies below them neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// Neither read nor written: a state folder of another name.
    pub hidden: Vec<String>,
    /// Not written: a task file of another name.
    pub unwritten: Vec<String>,
}

/// The host's own state.
const STATE: &str = ".orch";
/// Of the workspace itself: the host's, and what people and the host write.
const OF_THE_HOST: [&str; 11] = [
    STATE,
    "orch.lock",
    "config.yaml",
    "config.yml",
    "config.local.yaml",
    "config.local.yml",
    "models.yaml",
    "models.yml",
    "tasks.yml",
    "tasks.yaml",
    "logs",
];
/// How the names begin of files that the host swaps in for the task file.
const SWAPPED_IN: [&str; 2] = [".tasks.yml.", ".tasks.yaml."];
/// In every folder: what version control believes.
const OF_VERSION_CONTROL: [&str; 6] = [GIT, ".hg", ".svn", ".jj", ".bzr", "_darcs"];
const GIT: &str = ".git";

/// True of what no plugin and no attempt changes, by its path below the workspace.
pub fn is_protected(path: &str, protected: &Protected) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    is_one_of(first, &OF_THE_HOST)
        // Whoever may make the file that the host swaps in may change the task file.
        || SWAPPED_IN.iter().any(|begin| folded(first).starts_with(begin))
        || lies_in(path, &protected.hidden)
        || lies_in(path, &protected.unwritten)
        || path.split('/').any(|part| is_one_of(part, &OF_VERSION_CONTROL))
}

/// What of a workspace is the host's or people's alone, relative to it; each is there or not.
pub fn protected_names(protected: &Protected) -> impl Iterator<Item = &str> {
    let more = protected.hidden.iter().chain(&protected.unwritten);
    OF_THE_HOST.into_iter().chain(more.map(String::as_str))
}

/// True of the host's own state, which nobody sees.
pub fn is_hidden(path: &str, protected: &Protected) -> bool {
    is_one_of(path.split('/').next().unwrap_or_default(), &[STATE]) || lies_in(path, &protected.hidden)
}

/// True of a name that some file system takes for `.git`.
pub fn is_taken_for_git(name: &str) -> bool {
    is_one_of(name, &[GIT])
}

/// True if the path is one of these or below it.
fn lies_in(path: &str, protected: &[String]) -> bool {
    protected.iter().any(|name| {
        let mut parts = path.split('/');
        name.split('/').all(|of_name| parts.next().is_some_and(|part| is_one_of(part, &[of_name])))
    })
}

fn is_one_of(part: &str, names: &[&str]) -> bool {
    let part = folded(part);
    names.iter().any(|name| part.eq_ignore_ascii_case(name) || is_short_for(&part, name))
}

/// As the file system that forgets most would have it.
fn folded(name: &str) -> Cow<'_, str> {
    let plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter);
    if name.chars().all(plain) {
        return Cow::Borrowed(name);
    }
    let kept: String = name.chars().filter(|letter| !is_left_out(*letter)).collect();
    let kept = kept.split([':', '\\']).next().unwrap_or_default().trim_end_matches([' ', '.']);
    Cow::Owned(kept.to_ascii_lowercase())
}

/// Letters that some file systems leave out of names.
fn is_left_out(letter: char) -> bool {
    matches!(letter, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

/// True of what could be the name's short form, of eight letters and three: `git~1` for `.git`.
fn is_short_for(part: &str, name: &str) -> bool {
    let Some((begin, rest)) = part.split_once('~') else { return false };
    let (number, ending) = rest.split_once('.').unwrap_or((rest, ""));
    let (stem, long_ending) = match name.trim_start_matches('.').rsplit_once('.') {
        Some((stem, ending)) => (stem, ending),
        None => (name.trim_start_matches('.'), ""),
    };
    let cut = |text: &str, at: usize| text.get(..at).unwrap_or(text).to_ascii_lowercase();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && begin == cut(stem, 6) && ending == cut(long_ending, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: bool) {
        assert_eq!(is_protected(path, &Protected::default()), expected, "{path:?}");
    }

    #[test]
    fn version_control_is_protected_at_any_depth_and_in_any_spelling() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            "git~2",
            ".git ",
            ".git.",
            ".git...",
            ".git::$INDEX",
            ".git\\x",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".hg",
            "HG~1",
            ".svn",
            ".jj",
            ".bzr",
            "_darcs",
            "_DARCS",
        ] {
            check(name, true);
            check(&format!("sub/{name}"), true);
            check(&format!("sub/{name}/hooks/x"), true);
        }
        for name in [".github", ".gitignore", "git", "git~", "~1", "git~1a", ".gitx", "a.git", "darcs"] {
            check(name, false);
        }
    }

    #[test]
    fn the_hosts_names_are_protected_at_the_top_in_any_spelling() {
        for name in [
            ".orch",
            ".ORCH",
            "orch~1",
            "orch.lock",
            "ORCH~1.LOC",
            "config.yaml",
            "CONFIG~1.YAM",
            "config.yml.",
            "config.yml",
            "config.local.yaml",
            "Config.Local.yml",
            "models.yaml",
            "tasks.yml",
            "Tasks.YML",
            "tasks.yml:x",
            "tasks.yaml",
            "logs",
            "logs.",
            ".tasks.yml.0-1.orch-swap",
            ".TASKS.yml.1",
        ] {
            check(name, true);
            check(&format!("{name}/below"), true);
            check(&format!("sub/{name}"), false);
        }
        for name in ["config.yaml2", "tasks", "log", "logs2", "orch", "config~1", ".tasks.ymlx"] {
            check(name, false);
        }
    }

    #[test]
    fn a_state_folder_and_a_task_file_of_other_names_are_protected_with_what_lies_below() {
        let protected =
            Protected { hidden: vec!["var/state".to_owned()], unwritten: vec!["plan.yml".to_owned()] };
        for path in ["var/state", "VAR/State/state.db", "var./state /x", "plan.yml", "PLAN.YML"] {
            assert!(is_protected(path, &protected), "{path}");
        }
        for path in ["var", "var/states", "var/state2/x", "sub/plan.yml", "sub/var/state"] {
            assert!(!is_protected(path, &protected), "{path}");
        }
        assert!(is_hidden("var/state/state.db", &protected) && is_hidden(".Orch/x", &protected));
        assert!(!is_hidden("plan.yml", &protected) && !is_hidden("config.yaml", &protected));
    }
}
