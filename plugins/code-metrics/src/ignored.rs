//! What git leaves out, as the `.gitignore` files of a workspace say it.
//!
//! In -> out: `.gitignore` files with their folders -> whether a path is left out.
//! Limits: patterns that no matcher can read match nothing. What a user's or a repository's own settings add is not known here.
//! Invariant: the last pattern that matches decides, those of inner folders after those of outer ones; what lies below a
//! folder that is left out stays so.
//! Not here: finding the files (`sources.rs`).

use fast_glob::glob_match;

/// The rules of a whole workspace.
#[derive(Clone, Debug, Default)]
pub struct Ignored {
    /// In the order in which they decide: outer folders first.
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// Of the file that has it, with its final `/`; empty: the workspace's own.
    folder: String,
    glob: String,
    takes_back: bool,
    folders_only: bool,
    /// Compared with the whole path below `folder`, not with the name alone.
    is_path: bool,
}

impl Ignored {
    /// `files`: folder with its final `/` or empty, and what its `.gitignore` says.
    #[must_use]
    pub fn new(mut files: Vec<(String, String)>) -> Self {
        files.sort_by_key(|(folder, _)| folder.matches('/').count());
        let rules = files
            .iter()
            .flat_map(|(folder, text)| text.lines().filter_map(move |line| Rule::parse(folder, line)))
            .collect();
        Self { rules }
    }

    /// True if the file, or a folder around it, is left out.
    #[must_use]
    pub fn leaves_out(&self, path: &str) -> bool {
        let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        folders
            .map(|folder| (folder, true))
            .chain([(path, false)])
            .any(|(part, is_folder)| self.decides(part, is_folder))
    }

    fn decides(&self, path: &str, is_folder: bool) -> bool {
        let decisive = self.rules.iter().rev().find(|rule| rule.matches(path, is_folder));
        decisive.is_some_and(|rule| !rule.takes_back)
    }
}

impl Rule {
    fn parse(folder: &str, line: &str) -> Option<Self> {
        let line = without_trailing_spaces(line.strip_prefix('\u{feff}').unwrap_or(line));
        if line.starts_with('#') {
            return None;
        }
        let (takes_back, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (folders_only, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
        let is_path = line.contains('/');
        let line = line.strip_prefix('/').unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        Some(Self { folder: folder.to_owned(), glob: as_glob(line), takes_back, folders_only, is_path })
    }

    fn matches(&self, path: &str, is_folder: bool) -> bool {
        let Some(below) = path.strip_prefix(&self.folder) else { return false };
        if self.folders_only && !is_folder {
            return false;
        }
        let name = below.rsplit_once('/').map_or(below, |(_, name)| name);
        glob_match(&self.glob, if self.is_path { below } else { name })
    }
}

/// Braces and a leading `!` mean nothing to git.
fn as_glob(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        if char == '\\' {
            glob.push(char);
            glob.extend(chars.next());
            continue;
        }
        if matches!(char, '{' | '}') || (char == '!' && glob.is_empty()) {
            glob.push('\\');
        }
        glob.push(char);
    }
    glob
}

/// Spaces at the end mean nothing unless a backslash is before them.
fn without_trailing_spaces(line: &str) -> &str {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let bare = line.trim_end_matches(' ');
    let escaped = bare.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
    if escaped && bare.len() < line.len() { line.get(..=bare.len()).unwrap_or(bare) } else { bare }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `git check-ignore` answers the same to each.
    #[track_caller]
    fn check(files: &[(&str, &str)], path: &str, left_out: bool) {
        let files = files.iter().map(|(folder, text)| ((*folder).to_owned(), (*text).to_owned())).collect();
        assert_eq!(Ignored::new(files).leaves_out(path), left_out, "{path}");
    }

    #[test]
    fn names_paths_and_folders() {
        let rules = [("", "# no\n*.tmp\n/out\nbuild/\na/b.py\ndoc/**/x.py\n{a,b}.py\n")];
        for path in [
            "x.tmp",
            "d/x.tmp",
            "out/a.py",
            "build/a.py",
            "c/build/a.py",
            "a/b.py",
            "doc/x.py",
            "doc/1/2/x.py",
        ] {
            check(&rules, path, true);
        }
        for path in ["x.tmp.py", "d/out/a.py", "build", "c/a/b.py", "a.py", "# no"] {
            check(&rules, path, false);
        }
        check(&rules, "{a,b}.py", true);
    }

    #[test]
    fn the_last_that_matches_decides_and_nothing_comes_back_out_of_a_folder() {
        let rules = [("", "*.py\n!keep.py\ngone/\n!gone/a.rs\n"), ("sub/", "keep.py\n!/x.py\n")];
        check(&rules, "a.py", true);
        check(&rules, "keep.py", false);
        check(&rules, "sub/keep.py", true);
        check(&rules, "sub/x.py", false);
        check(&rules, "sub/deep/x.py", true);
        check(&rules, "gone/a.rs", true);
    }

    #[test]
    fn what_is_escaped_is_itself() {
        let rules = [("", "\\#a\n\\!b\nc\\ \nd   \n")];
        for path in ["#a", "!b", "c ", "d"] {
            check(&rules, path, true);
        }
        check(&rules, "c", false);
    }

    #[test]
    fn a_star_stays_within_a_name() {
        check(&[("", "a/*\n")], "a/b/c", true);
        check(&[("", "a/*.py\n")], "a/b/c.py", false);
        check(&[("", "**\n")], "a/b", true);
        check(&[("", "a[bc]?\n")], "abx", true);
        check(&[("", "a[!bc]?\n")], "abx", false);
    }
}
