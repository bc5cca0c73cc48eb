//! Placeholders for what differs from run to run: `<workspace>`, `<digest>`, `<time>` and so on.
//!
//! In -> out: what a program said -> the same with placeholders.
//! Invariant: only these differ; everything else of the text is compared exactly.

use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::given::Given;
use crate::{Workspace, packages, root};

/// Patterns and what stands for them, in this order.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"\b[0-9a-f]{64}\b", "<digest>"),
        (r"\b\d{8}-\d{6}\.\d{3}\b", "<stamp>"),
        (r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", "<run>"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        (r"\bcertificates/[0-9a-f]{16}\.", "certificates/<key>."),
        (r"\bdelegations/[0-9a-f]{16}\.", "delegations/<key>."),
        (r"(?m)^(\s*<digest>) +\d+  ", "$1  <bytes>  "),
        (r"\b\d+ bytes, (\d+) packages\b", "<bytes> bytes, $1 packages"),
        (r"\bpublishers/[0-9a-f]{16}\.", "publishers/<key>."),
        (r"(?m)(certified \(local\)  )[0-9a-f]{12}$", "$1<digest>"),
        (r#"("at"|"start_ticks"|"pid"|"size"):\d+"#, "$1:<n>"),
        (r#""boot_id":"[^"]*""#, r#""boot_id":"<boot>""#),
        (r"\bevidence [0-9a-f]{12}\b", "evidence <digest>"),
        (r"\blooked at \d+", "looked at <n>"),
        (r"(?m)^( *age +)\d+ days$", "$1<n> days"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
        (r"\borch_[0-9a-f]{64}\b", "<token>"),
        (r"\bworkspace-[0-9a-f]{16}\b", "workspace-<name>"),
        (r"\bkernel \S+", "kernel <release>"),
        // How many heads a run has signed, and at which events, depends on how fast its writer was.
        (r"\bsigned heads: [1-9]\d*", "signed heads: <n>"),
        // What was decided before depends on how often `cargo xtask packages` ran.
        (r"\b(stream operator: )\d+ events", "$1<n> events"),
        (r"\b(stream operator: <n> events, kept head )\d+", "$1<n>"),
        (
            r"(?m)^(.*head-forged: head of run `(?:<run>|operator)` at event )\d+ (.*\n)(.*head-forged: head of run .*\n)*",
            "$1<n> $2",
        ),
        // What cargo does depends on what it did before.
        (r"(?m)^ +(Compiling|Finished|Locking|Updating|Adding|Downloading|Downloaded|Blocking) .*\n", ""),
        (r"\b\d+(\.\d+)? ?m?s\b", "<duration>"),
        (r" {2,}<duration>  ", "  <duration>  "),
        (r#""tookMs":( ?)\d+"#, r#""tookMs":$1<n>"#),
    ];
    rules.into_iter().map(|(pattern, stand)| (Regex::new(pattern).unwrap(), stand)).collect()
});

/// What is known of one case.
pub(super) struct Shown {
    words: Vec<(String, String)>,
}

impl Shown {
    pub(super) fn of(workspace: &Workspace, given: &Given) -> Self {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut words = vec![
            (path(&workspace.path()), "<workspace>".to_owned()),
            (path(&workspace.operator()), "<operator>".to_owned()),
            (path(workspace.outside()), "<folder>".to_owned()),
            (path(&packages()), "<packages>".to_owned()),
            (path(&root().join("target")), "<target>".to_owned()),
            (path(&root()), "<checkout>".to_owned()),
        ];
        if let Some(pid) = given.holder() {
            words.push((format!("process {pid}"), "process <pid of the holder>".to_owned()));
        }
        Self { words }
    }

    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.replace('\r', "");
        for (word, stand) in &self.words {
            text = text.replace(word, stand);
        }
        for (pattern, stand) in RULES.iter() {
            text = pattern.replace_all(&text, |found: &Captures<'_>| expand(found, stand)).into_owned();
        }
        text
    }
}

fn expand(found: &Captures<'_>, stand: &str) -> String {
    let mut out = String::new();
    found.expand(stand, &mut out);
    out
}
