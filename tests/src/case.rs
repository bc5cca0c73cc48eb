//! Golden cases of the command line: `tests/cli/NAME.case`.
//!
//! In -> out: a case -> the same text with what the programs said, how they ended and which files they changed.
//! A case: `# words`, `given: SENTENCE`, `file PATH:` and an indented text, `remove: PATH`, `package: ID`,
//! `run: [NAME=VALUE] PROGRAM ARGUMENTS` with `$RUN` for the newest run and `$SHA256(FILE)`; under it `answer: WORD` (typed),
//! `until: TEXT` (then interrupted), `lines: N` (of standard output; the rest is not compared).
//! Invariant: what stands under a `run:` is made by running it; a case passes if its text is what comes out.
//! Not here: running (`case/play.rs`), placeholders (`case/shown.rs`), what `given:` means (`case/given.rs`).

mod disk;
mod given;
mod play;
mod shown;
mod terminal;

use std::fmt::Write as _;
use std::path::Path;

use crate::Workspace;
use crate::case::disk::Disk;
use crate::case::given::Given;
use crate::case::play::{Played, play};
use crate::case::shown::Shown;

/// The task file of a case that writes no other.
const TASKS: &str = "- id: hello\n  kind: note\n  description: says hello\n";

/// One line of a case, or a block.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    /// Kept as it is: comments and empty lines.
    Words(String),
    Given(String),
    File {
        path: String,
        text: String,
    },
    Remove(String),
    Package(String),
    Run(Run),
}

/// A command line and how it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    pub line: String,
    /// Written on the terminal that the program then has.
    pub answer: Option<String>,
    /// Of what it says on standard output only so many lines are kept.
    pub lines: Option<usize>,
    /// The program is interrupted as soon as it said this.
    pub until: Option<String>,
}

/// A command line of a case, and how it ended as the case says.
#[derive(Debug)]
pub struct Use {
    pub line: String,
    pub exit: i32,
}

/// Runs the case; gives its text as it should be.
pub fn run(text: &str) -> Result<String, String> {
    let workspace = Workspace::new(TASKS);
    workspace.make_known();
    let mut given = Given::default();
    let mut out = String::new();
    for item in parse(text)? {
        match item {
            Item::Words(words) => writeln!(out, "{words}"),
            Item::Given(sentence) => {
                given.make(&sentence, &workspace)?;
                writeln!(out, "given: {sentence}")
            }
            Item::File { path, text } => {
                let target = place(&workspace, &path);
                std::fs::create_dir_all(target.parent().unwrap()).unwrap();
                std::fs::write(target, &text).unwrap();
                writeln!(out, "file {path}:\n{}", indented(&text).trim_end_matches('\n'))
            }
            Item::Remove(path) => {
                let target = place(&workspace, &path);
                match target.is_dir() {
                    true => std::fs::remove_dir_all(target),
                    false => std::fs::remove_file(target),
                }
                .map_err(|error| format!("cannot remove `{path}`: {error}"))?;
                writeln!(out, "remove: {path}")
            }
            Item::Package(id) => {
                crate::copy(&crate::packages().join(&id), &workspace.path().join("packages").join(&id));
                writeln!(out, "package: {id}")
            }
            Item::Run(run) => write!(out, "{}", outcome(&run, &workspace, &given)?),
        }
        .unwrap();
    }
    Ok(out)
}

/// The run with everything that came of it.
fn outcome(run: &Run, workspace: &Workspace, given: &Given) -> Result<String, String> {
    let before = Disk::of(workspace);
    let Played { exit, mut stdout, stderr } = play(run, workspace)?;
    given.settle(workspace);
    if let Some(lines) = run.lines {
        stdout = stdout.lines().take(lines).map(|line| format!("{line}\n")).collect::<String>() + "…\n";
    }
    let shown = Shown::of(workspace, given);
    let mut out = format!("run: {}\n", run.line);
    for (word, value) in
        [("answer", &run.answer), ("until", &run.until), ("lines", &run.lines.map(|lines| lines.to_string()))]
    {
        if let Some(value) = value {
            writeln!(out, "{word}: {value}").unwrap();
        }
    }
    writeln!(out, "exit: {exit}").unwrap();
    let changes = Disk::of(workspace).since(&before);
    match changes.is_empty() {
        true => writeln!(out, "changed: nothing").unwrap(),
        false => {
            let mut lines: Vec<String> = changes.iter().map(|line| shown.text(line)).collect();
            lines.dedup();
            write!(out, "changed:\n{}", indented(&lines.join("\n"))).unwrap();
        }
    }
    for (name, text) in [("stdout", stdout), ("stderr", stderr)] {
        if !text.is_empty() {
            write!(out, "{name}:\n{}", indented(&shown.text(&text))).unwrap();
        }
    }
    Ok(out)
}

/// Where a path of a case is: in the workspace, or in the operator's folder if it begins with `operator/`.
fn place(workspace: &Workspace, path: &str) -> std::path::PathBuf {
    match path.strip_prefix("operator/") {
        Some(inner) => workspace.operator().join(inner),
        None => workspace.path().join(path),
    }
}

fn indented(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
    text.lines().map(line).collect()
}

fn parse(text: &str) -> Result<Vec<Item>, String> {
    let mut items: Vec<Item> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        // A block: indented lines, and empty ones between them.
        let mut block = String::new();
        let mut empty = 0;
        if line.ends_with(':') && !line.starts_with('#') {
            let mut ahead = lines.clone();
            while let Some(next) = ahead.next() {
                match next.strip_prefix("  ") {
                    Some(inner) => {
                        block.push_str(&"\n".repeat(empty));
                        block.push_str(inner);
                        block.push('\n');
                        empty = 0;
                        lines = ahead.clone();
                    }
                    None if next.is_empty() => empty += 1,
                    None => break,
                }
            }
        }
        if line.is_empty() || line.starts_with('#') {
            items.push(Item::Words(line.to_owned()));
            continue;
        }
        if let Some(path) = line.strip_prefix("file ").and_then(|rest| rest.strip_suffix(':')) {
            items.push(Item::File { path: path.to_owned(), text: block });
            continue;
        }
        let (word, rest) =
            line.split_once(':').ok_or_else(|| format!("`{line}` is nothing that a case has"))?;
        let rest = rest.trim().to_owned();
        match (word, items.last_mut()) {
            ("given", _) => items.push(Item::Given(rest)),
            ("remove", _) => items.push(Item::Remove(rest)),
            ("package", _) => items.push(Item::Package(rest)),
            ("run", _) => items.push(Item::Run(Run { line: rest, ..Run::default() })),
            ("answer", Some(Item::Run(run))) => run.answer = Some(rest),
            ("until", Some(Item::Run(run))) => run.until = Some(rest),
            ("lines", Some(Item::Run(run))) => run.lines = Some(rest.parse().map_err(|_| line.to_owned())?),
            // Made anew.
            ("exit" | "changed" | "stdout" | "stderr", Some(Item::Run(_))) => {}
            _ => return Err(format!("`{line}` is nothing that a case has at this place")),
        }
    }
    Ok(items)
}

/// The command lines of a case with their exits, as its text says.
pub fn uses(text: &str) -> Vec<Use> {
    let mut found: Vec<Use> = Vec::new();
    for line in text.lines() {
        if let Some(line) = line.strip_prefix("run: ") {
            found.push(Use { line: line.to_owned(), exit: -1 });
        } else if let (Some(exit), Some(last)) = (line.strip_prefix("exit: "), found.last_mut()) {
            last.exit = exit.parse().unwrap();
        }
    }
    found
}

/// Compares a case with what comes out; writes it with `BLESS=1`.
pub fn check(path: &Path) -> Result<(), String> {
    let expected = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let found = run(&expected)?;
    if found == expected {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(path, found).map_err(|error| error.to_string());
    }
    let diff = similar::TextDiff::from_lines(&expected, &found);
    Err(format!("run with BLESS=1 if this is right\n{}", diff.unified_diff().header("expected", "found")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_read_and_what_was_made_is_left_out() {
        let text = "# Words: these.\n\nfile a/b.yml:\n  one\n\n    two\n\ngiven: a thing\nrun: orch-host x\nanswer: y\nexit: 2\nchanged:\n  new  x\nstdout:\n  a\n\n  b\n\n# end\n";
        let found = parse(text).unwrap();
        let words = |text: &str| Item::Words(text.to_owned());
        let run = Run { line: "orch-host x".to_owned(), answer: Some("y".to_owned()), ..Run::default() };
        let expected = [
            words("# Words: these."),
            words(""),
            Item::File { path: "a/b.yml".to_owned(), text: "one\n\n  two\n".to_owned() },
            words(""),
            Item::Given("a thing".to_owned()),
            Item::Run(run),
            words(""),
            words("# end"),
        ];
        assert_eq!(found, expected);
        assert!(parse("rnu: x\n").is_err() && parse("exit: 2\n").is_err());
        assert_eq!(uses(text).len(), 1);
        assert_eq!(uses(text)[0].exit, 2);
    }
}
