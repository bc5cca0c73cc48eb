//! What one line or block of a command's output says.
//!
//! In -> out: filled by the format modules, read by `judge.rs`.
//! Units: lines count from 1.
//! Invariant: a place is relative to where the command ran; a path outside has none and stays in the message.
//! Not here: severity by category and where the command ran (`judge.rs`).

use serde::Deserialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Minor,
    Medium,
    Major,
}

/// Something that the output reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// None: the output does not say.
    pub severity: Option<Severity>,
    pub message: String,
    pub place: Option<Place>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    pub line: u32,
}

impl Place {
    /// The place if `path` is relative and stays inside; `./` in front is dropped.
    #[must_use]
    pub fn inside(path: &str, line: u32) -> Option<Self> {
        let path = path.strip_prefix("./").unwrap_or(path);
        let outside =
            path.is_empty() || path.starts_with(['/', '<']) || path.split('/').any(|part| part == "..");
        (!outside).then(|| Self { path: path.to_owned(), line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_stay_inside_are_places() {
        assert_eq!(Place::inside("./a/b.py", 3), Some(Place { path: "a/b.py".to_owned(), line: 3 }));
        assert_eq!(Place::inside("a..b.py", 3).unwrap().path, "a..b.py");
        for path in ["/a.py", "../a.py", "a/../../b.py", "<string>", "", "./"] {
            assert_eq!(Place::inside(path, 1), None, "{path}");
        }
    }
}
