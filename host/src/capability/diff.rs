//! `orch:diff`: differences of texts.
//!
//! In -> out: two texts and a path -> a unified diff that `git apply` takes.
//! Limits: 1 MiB and 50,000 lines a text; the search is bounded by the library's own heuristics, so that the same texts give the
//! same answer.
//! Invariant: a line ends with a line feed and with nothing else; the texts alone decide.
//! Not here: differences of commits (`git/show.rs`), what an attempt changed (`drive/judged.rs`).

use std::fmt::Write;

use orch_trust::interfaces::Import;
use orch_trust::permission::DiffPermission;
use similar::udiff::UnifiedHunkHeader;
use similar::{Algorithm, ChangeTag, TextDiff};
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::files::aside;
use super::files::beneath::WorkspacePath;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::diff::diff::{Host, add_to_linker};
use crate::bindings::types::types::Error;

const TEXT_BYTES_MAX: usize = 1 << 20;
const LINES_MAX: usize = 50_000;
const CONTEXT_LINES: usize = 3;

/// State of this capability in one store: none.
pub struct Diff;

impl Capability for Diff {
    type Permission = DiffPermission;
    type Granted = ();

    fn grant(_permission: DiffPermission, _host: &HostEnvironment) {}

    fn open(_granted: &(), _opening: Opening<'_>) -> Self {
        Self
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, _kept: &mut Kept) {}

    /// It reaches nothing that a fake could see.
    fn beyond(_granted: Option<&DiffPermission>, _watched: &Watched<'_>) -> Vec<String> {
        Vec::new()
    }
}

/// The difference, or what is wrong with what was given.
pub(crate) fn unified(old: &str, new: &str, path: &str) -> Result<String, String> {
    let path = WorkspacePath::parse(path)?;
    if path.as_str().chars().any(char::is_control) {
        return Err("path has a control character".to_owned());
    }
    for text in [old, new] {
        let lines = text.split_inclusive('\n').count();
        if text.len() > TEXT_BYTES_MAX || lines > LINES_MAX {
            let found = text.len();
            return Err(format!(
                "text of {found} bytes and {lines} lines, limits are {TEXT_BYTES_MAX} and {LINES_MAX}"
            ));
        }
    }
    Ok(shown(old, new, path.as_str()))
}

fn shown(old: &str, new: &str, path: &str) -> String {
    // The library's own lines end with a carriage return, too.
    let lines = |text| str::split_inclusive(text, '\n').collect::<Vec<&str>>();
    let (old, new) = (lines(old), lines(new));
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_slices(&old, &new);
    let mut out = String::new();
    for hunk in diff.grouped_ops(CONTEXT_LINES) {
        if out.is_empty() {
            out = format!("--- {}\n+++ {}\n", name('a', path), name('b', path));
        }
        // Writing into a text cannot fail.
        let _ = writeln!(out, "{}", UnifiedHunkHeader::new(&hunk));
        for change in hunk.iter().flat_map(|op| diff.iter_changes(op)) {
            out.push(match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            });
            out.push_str(change.value());
            if !change.value().ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    out
}

/// As git writes it: quoted if need be, and with a tab behind a name that has a space.
fn name(side: char, path: &str) -> String {
    match path {
        quoted if quoted.contains(['"', '\\']) => {
            format!("\"{side}/{}\"", quoted.replace('\\', "\\\\").replace('"', "\\\""))
        }
        spaced if spaced.contains(' ') => format!("{side}/{spaced}\t"),
        plain => format!("{side}/{plain}"),
    }
}

impl Host for View<'_, Diff> {
    async fn unified(
        &mut self,
        old: String,
        new: String,
        path: String,
    ) -> wasmtime::Result<Result<String, Error>> {
        self.ledger.forget_reason();
        let compared = aside(move || Ok::<_, std::io::Error>(unified(&old, &new, &path))).await;
        Ok(match compared {
            Ok(compared) => compared.map_err(Error::Invalid),
            Err(error) => Err(self.ledger.refuse(Error::Unavailable, error.to_string())),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::bench::Bench;

    /// What `git apply` makes of the old text with the difference.
    fn applied(old: &str, new: &str, path: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, old).unwrap();
        let patch = unified(old, new, path).unwrap();
        if patch.is_empty() {
            return old.to_owned();
        }
        fs::write(folder.path().join("the.patch"), &patch).unwrap();
        let mut git = Command::new("git");
        let git = git.current_dir(folder.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        let said = git.args(["apply", "--whitespace=nowarn", "the.patch"]).output().unwrap();
        assert!(said.status.success(), "{patch}\n{}", String::from_utf8_lossy(&said.stderr));
        fs::read_to_string(file).unwrap_or_default()
    }

    #[test]
    fn a_difference_is_what_people_know() {
        let old = "one\ntwo\nthree\nfour\nfive\nsix\n";
        let expected =
            "--- a/src/a.txt\n+++ b/src/a.txt\n@@ -1,5 +1,5 @@\n one\n-two\n+2\n three\n four\n five\n";
        assert_eq!(unified(old, &old.replace("two", "2"), "src/a.txt").unwrap(), expected);
        assert_eq!(unified(old, old, "a").unwrap(), "");
        assert!(
            unified("a", "b", "a")
                .unwrap()
                .ends_with("-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n")
        );
    }

    #[test]
    fn git_applies_each_difference_to_each_text() {
        for (old, new) in [
            ("", "a\nb\n"),
            ("a\nb\n", ""),
            ("a", "a\n"),
            ("a\n", "a"),
            ("a\r\nb\r", "a\nb\r\n"),
            ("a\rb", "a\rc\r"),
            ("-- a\n", "++ b\n@@ -1 +1 @@\n"),
            ("\\ No newline at end of file", "x\n\\ No newline at end of file\n"),
            ("\u{2028}a\u{85}b\n", "\u{2028}a\n\u{85}b"),
        ] {
            for path in ["a", "src/a b.txt", "ä/\"q\".txt", "back\\slash"] {
                assert_eq!(applied(old, new, path), new, "{old:?} {new:?} {path}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn git_makes_the_new_text_out_of_the_old_one(
            old in "([ab]?[xy]?[\r]?\n?){0,40}",
            new in "([ab]?[xy]?[\r]?\n?){0,40}",
        ) {
            prop_assert_eq!(applied(&old, &new, "a.txt"), new);
        }
    }

    #[test]
    fn what_is_malformed_or_over_a_limit_is_told() {
        for path in ["", "/a", "../a", "a\nb", "a\tb"] {
            assert!(unified("a", "b", path).is_err(), "{path:?}");
        }
        let long = "a".repeat(TEXT_BYTES_MAX);
        assert!(unified(&long, "", "a").is_ok());
        assert!(unified("", &(long + "a"), "a").is_err());
        let lines = "\n".repeat(LINES_MAX);
        assert!(unified(&lines, "", "a").is_ok());
        assert!(unified(&(lines + "\n"), "", "a").is_err());
    }

    #[test]
    fn texts_that_have_nothing_in_common_are_compared_in_a_time_of_people() {
        let text = |seed: u64| {
            let line = |number: u64| {
                format!("{:x}\n", (number * 7 + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) % 50_021)
            };
            (0..LINES_MAX as u64).map(line).collect::<String>()
        };
        let begun = Instant::now();
        assert!(!unified(&text(1), &text(2), "a").unwrap().is_empty());
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_guest_gets_the_difference_or_is_told() {
        let (mut diff, mut table, mut ledger) = (Diff, ResourceTable::new(), Bench::new().ledger());
        let mut view = View::of(&mut diff, &mut table, &mut ledger);
        let text = |text: &str| text.to_owned();
        let found = view.unified(text("a\n"), text("b\n"), text("x")).await.unwrap().unwrap();
        assert_eq!(found, "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n");
        let wrong = view.unified(text("a"), text("b"), text("/x")).await.unwrap();
        assert!(matches!(wrong, Err(Error::Invalid(_))));
        assert!(!ledger.into_parts().1);
    }
}
