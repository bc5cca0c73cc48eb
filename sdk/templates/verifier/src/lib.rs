//! Verifier: reports marks that a merge left behind.

use orch_sdk::{Category, Failure, Finding, Severity, Subject, Verifier, files};

/// What one call may return.
const FINDINGS_MAX: usize = 1000;
const FILE_BYTES_MAX: u64 = 1024 * 1024;

struct Plugin;

impl Verifier for Plugin {
    fn verify(_subject: Subject) -> Result<Vec<Finding>, Failure> {
        let mut findings = Vec::new();
        for entry in files::find("**") {
            let entry = entry?;
            // Files that are too large or not text are none that people merge by hand.
            let Ok(text) = files::read_text(&entry.path, FILE_BYTES_MAX) else { continue };
            findings.extend(marks(&entry.path, &text));
        }
        findings.truncate(FINDINGS_MAX);
        Ok(findings)
    }
}

orch_sdk::export!(verifier: Plugin);

/// One finding for each line that a merge left.
fn marks<'a>(path: &'a str, text: &'a str) -> impl Iterator<Item = Finding> + 'a {
    let lines = text.lines().enumerate().filter(|(_, line)| line.starts_with("<<<<<<< "));
    lines.map(move |(index, _)| {
        Finding::new(Severity::Major, Category::Lint, "a merge was not finished").at(format!("{path}:{}", index + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_line() {
        let found: Vec<_> = marks("a.txt", "one\n<<<<<<< ours\ntwo").collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].location.as_deref(), Some("a.txt:2"));
        assert_eq!(marks("a.txt", "fine").count(), 0);
    }
}
