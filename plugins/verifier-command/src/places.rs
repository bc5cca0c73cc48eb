//! Where in the workspace a path of a tool lies.
//!
//! In -> out: a path as a tool says it -> one relative to the workspace, or none.
//! Units: at most 2000 questions to the host a call.
//! Invariant: what is answered has no `..`, no `.` and no `/` in front.
//! No interface says where the workspace lies, so for an absolute path the host is asked which end of it is a file
//! there; the part before is kept as the workspace's own path.
//! Not here: reading files (`report.rs`).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

const ASKED_MAX: u32 = 2000;
const ROOTS_MAX: usize = 4;

/// Files of the workspace.
pub trait Tree {
    /// Whether there is such a file; none: it cannot be said.
    fn holds(&self, path: &str) -> Option<bool>;
}

/// A workspace of which nothing is known.
pub struct Unknown;

impl Tree for Unknown {
    fn holds(&self, _path: &str) -> Option<bool> {
        None
    }
}

/// The same answers without asking twice, and not without end.
pub struct Asked<'a> {
    tree: &'a dyn Tree,
    answers: RefCell<BTreeMap<String, Option<bool>>>,
    left: Cell<u32>,
}

impl<'a> Asked<'a> {
    #[must_use]
    pub fn new(tree: &'a dyn Tree) -> Self {
        Self { tree, answers: RefCell::default(), left: Cell::new(ASKED_MAX) }
    }
}

impl Tree for Asked<'_> {
    fn holds(&self, path: &str) -> Option<bool> {
        if let Some(answer) = self.answers.borrow().get(path) {
            return *answer;
        }
        let left = self.left.get().checked_sub(1)?;
        self.left.set(left);
        let answer = self.tree.holds(path);
        self.answers.borrow_mut().insert(path.to_owned(), answer);
        answer
    }
}

/// The paths of one check.
pub struct Places<'a> {
    prefix: &'a str,
    tree: &'a dyn Tree,
    /// What stood before ends that are files of the workspace.
    roots: RefCell<Vec<String>>,
}

impl<'a> Places<'a> {
    /// `prefix`: where relative paths lie.
    #[must_use]
    pub fn new(prefix: &'a str, tree: &'a dyn Tree) -> Self {
        Self { prefix, tree, roots: RefCell::default() }
    }

    /// The path relative to the workspace; none: it lies outside, or nobody knows.
    #[must_use]
    pub fn inside(&self, path: &str) -> Option<String> {
        match path.strip_prefix('/') {
            Some(_) if is_foreign(path) => None,
            Some(_) => self.inside_root(path),
            None if path.starts_with('<') => None,
            None => joined(self.prefix, path),
        }
    }

    /// Whether there is such a file; none: it cannot be said.
    #[must_use]
    pub fn is_file(&self, path: &str) -> Option<bool> {
        self.tree.holds(&self.inside(path)?)
    }

    fn inside_root(&self, path: &str) -> Option<String> {
        let of_root = |root: &String| path.strip_prefix(root.as_str()).and_then(|rest| joined("", rest));
        if let Some(inside) = self.roots.borrow().iter().find_map(of_root) {
            return Some(inside);
        }
        let starts = path.match_indices('/').map(|(at, _)| at + 1);
        let start = starts.into_iter().find(|start| {
            let end = path.get(*start..).unwrap_or("");
            joined("", end).is_some_and(|end| self.tree.holds(&end) == Some(true))
        })?;
        let (root, rest) = path.split_at_checked(start)?;
        let mut roots = self.roots.borrow_mut();
        if roots.len() < ROOTS_MAX {
            roots.push(root.to_owned());
        }
        joined("", rest)
    }
}

/// Files of languages and of installed packages.
#[must_use]
pub fn is_foreign(path: &str) -> bool {
    let starts = ["/usr/", "/lib/", "/lib64/", "/rustc/", "/nix/store/"];
    let parts = ["/lib/python", "/site-packages/", "/dist-packages/", "/.cargo/registry/", "/.rustup/"];
    starts.iter().any(|start| path.starts_with(start))
        || parts.iter().any(|part| path.contains(part) || path.starts_with(part.trim_start_matches('/')))
}

/// `path` in the folder `prefix`, without `.` and `..`; none if that is outside.
#[must_use]
pub fn joined(prefix: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in prefix.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let is_folder = path.is_empty() || path.ends_with(['/']) || path.ends_with("/.") || path == ".";
    (!is_folder && !parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(&'static [&'static str]);

    impl Tree for Files {
        fn holds(&self, path: &str) -> Option<bool> {
            Some(self.0.contains(&path))
        }
    }

    #[test]
    fn relative_paths_lie_in_the_prefix_and_never_outside() {
        let places = |prefix| Places::new(prefix, &Unknown);
        assert_eq!(places("").inside("./a/b.py").as_deref(), Some("a/b.py"));
        assert_eq!(places("web/").inside("a..b.py").as_deref(), Some("web/a..b.py"));
        assert_eq!(places("web").inside("../lib/a.js").as_deref(), Some("lib/a.js"));
        for path in ["/a.py", "../../a.py", "a/../../../b.py", "<string>", "", "./", "../web/.."] {
            assert_eq!(places("web").inside(path), None, "{path}");
        }
    }

    #[test]
    fn the_workspace_is_found_from_its_files() {
        let tree = Files(&["src/a.js", "src/deep/b.js", "b.js"]);
        let places = Places::new("", &tree);
        assert_eq!(places.inside("/home/x/gone.js"), None);
        assert_eq!(places.inside("/home/x/ws/src/deep/b.js").as_deref(), Some("src/deep/b.js"));
        assert_eq!(places.inside("/home/x/ws/gone.js").as_deref(), Some("gone.js"));
        assert_eq!(places.inside("/rustc/1/src/a.js"), None);
        assert_eq!(places.is_file("src/a.js"), Some(true));
        assert_eq!(places.is_file("/home/x/ws/gone.js"), Some(false));
    }

    #[test]
    fn the_host_is_asked_once_a_path_and_not_without_end() {
        let tree = Files(&["a"]);
        let asked = Asked::new(&tree);
        for _ in 0..5000 {
            assert_eq!(asked.holds("a"), Some(true));
        }
        for number in 0..5000 {
            asked.holds(&number.to_string());
        }
        assert_eq!(asked.answers.borrow().len(), 2000);
        assert_eq!(asked.holds("b"), None);
    }
}
