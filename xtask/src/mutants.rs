//! Mutation testing of `trust/`: every small change of its code must make a test fail.
//!
//! In -> out: files -> `docs/mutants.md`: each mutant that survives, with the reason that was written beside it.
//! Invariant: a survivor without a reason is an error; reasons are written by people and kept.
//! Not here: the tests. Resumable: what was caught is not tried again until its file changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::packages::target_folder;
use crate::{cargo_tool, step};

const VERSION: &str = "27.1.0";
const TABLE: &str = "| mutant | how often | why it stays |";

#[derive(Args)]
pub(crate) struct MutantsArgs {
    /// Leave out tests with this in their name: long ones, that find what others find too
    #[arg(long, value_name = "TEST")]
    skip: Vec<String>,
    /// Files, from the checkout's root; all of `trust/src` if none is named
    files: Vec<String>,
}

pub(crate) fn run(root: &Path, args: &MutantsArgs) -> anyhow::Result<()> {
    let program = cargo_tool::program("mutants", VERSION, None)?;
    let out = target_folder(root).join("mutants");
    fs::create_dir_all(&out).context("cannot make a folder")?;
    let mut mutants = step::cargo(root);
    let cargo = mutants.get_program().to_owned();
    mutants = Command::new(program);
    mutants.env("CARGO", cargo).current_dir(root).env("CARGO_PROFILE_DEV_DEBUG", "0");
    mutants.args([
        "mutants",
        "--package",
        "orch-trust",
        "--test-package",
        "orch-trust",
        "--iterate",
        "--jobs",
        "1",
    ]);
    mutants.args(["--no-times", "--cargo-test-arg=--lib", "--cargo-test-arg=--tests", "--output"]).arg(&out);
    for file in &args.files {
        mutants.arg("--file").arg(file);
    }
    if !args.skip.is_empty() {
        // Past cargo-mutants and past cargo, to the tests themselves.
        mutants.args(["--", "--"]);
    }
    for test in &args.skip {
        mutants.arg("--skip").arg(test);
    }
    // 0: all caught; 2: some survive; 3: some ran out of time. What survives is judged below.
    let code = step::timed("mutants of trust", || step::status("mutants", &mut mutants))?;
    if ![0, 2, 3].contains(&code) {
        bail!("cargo-mutants ended with {code}");
    }
    write_table(root, &out.join("mutants.out"), &args.files)
}

/// A mutant without its line: that changes with every edit above it.
fn named(line: &str) -> Option<(&str, String)> {
    let (file, rest) = line.split_once(".rs:")?;
    let mut parts = rest.splitn(3, ':');
    let (_, _, what) = (parts.next()?, parts.next()?, parts.next()?);
    Some((file, format!("`{file}.rs`: {}", what.trim().replace('|', "\\|"))))
}

fn write_table(root: &Path, found: &Path, files: &[String]) -> anyhow::Result<()> {
    let path = root.join("docs/mutants.md");
    let text = fs::read_to_string(&path).context("cannot read `docs/mutants.md`")?;
    let (head, old) = text.split_once(TABLE).context("`docs/mutants.md` has no table")?;
    let mut reasons = BTreeMap::new();
    for line in old.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if let [mutant, count, reason] = cells.as_slice() {
            reasons.insert((*mutant).to_owned(), ((*count).to_owned(), (*reason).to_owned()));
        }
    }
    let mut survivors: BTreeMap<String, u32> = BTreeMap::new();
    let lines = |name: &str| fs::read_to_string(found.join(name)).unwrap_or_default();
    for line in lines("missed.txt").lines() {
        if let Some((_, mutant)) = named(line) {
            *survivors.entry(mutant).or_default() += 1;
        }
    }
    let mut rows = BTreeMap::new();
    for (mutant, count) in &survivors {
        let reason = reasons.get(mutant).map_or("", |(_, reason)| reason);
        rows.insert(mutant.clone(), (count.to_string(), reason.to_owned()));
    }
    // Of files that were not looked at now, what was found before still holds.
    let looked_at =
        |mutant: &str| files.is_empty() || files.iter().any(|file| mutant.contains(&format!("`{file}`")));
    rows.extend(reasons.into_iter().filter(|(mutant, _)| !looked_at(mutant)));
    let table: String =
        rows.iter().map(|(mutant, (count, reason))| format!("| {mutant} | {count} | {reason} |\n")).collect();
    fs::write(&path, format!("{head}{TABLE}\n|---|---|---|\n{table}"))
        .context("cannot write `docs/mutants.md`")?;
    let count = |name: &str| lines(name).lines().count();
    println!(
        "   {} caught, {} survive, {} without end, {} do not compile",
        count("caught.txt") + count("previously_caught.txt"),
        count("missed.txt"),
        count("timeout.txt"),
        count("unviable.txt")
    );
    let unexplained: Vec<&String> =
        rows.iter().filter(|(_, (_, reason))| reason.is_empty()).map(|(mutant, _)| mutant).collect();
    match unexplained.is_empty() {
        true => Ok(()),
        false => bail!("survivors without a reason in `docs/mutants.md`:\n  {unexplained:#?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_named_without_its_line() {
        let line = "trust/src/key.rs:88:9: replace || with && in is_prime_order_point";
        let (_, mutant) = named(line).unwrap();
        assert_eq!(mutant, "`trust/src/key.rs`: replace \\|\\| with && in is_prime_order_point");
        assert_eq!(named("no mutant"), None);
    }
}
