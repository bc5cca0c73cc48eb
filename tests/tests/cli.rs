//! Golden cases of the command line: each file of `tests/cli/` is one trial. `BLESS=1` writes what comes out.
//!
//! In -> out: `NAME.case` -> the real programs in a workspace of their own (`orch_tests::case`).
//! Invariant: every command of every program has its help, a good use and a bad use in some case.
//! Why no library for golden cases: `trycmd` has no operator's folder for each case, no set-up by another program, no
//! terminal to answer on, and does not say which files changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use orch_tests::case::{self, Use};
use orch_tests::{binary, root};

fn main() {
    let mut trials = vec![Trial::test("every_command_has_its_help_a_good_and_a_bad_use", every_command)];
    for path in cases() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        trials.push(Trial::test(name, move || Ok(case::check(&path)?)));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Commands whose good use needs others, or prints what lies in a file of its own, and the test that has it.
const SHOWN_ELSEWHERE: [(&str, &str); 2] =
    [("orch-host worker", include_str!("brokered.rs")), ("orch-host schema", include_str!("schemas.rs"))];

/// The files of all cases, sorted.
fn cases() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("tests/cli")).unwrap();
    let mut found: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    let odd: Vec<&PathBuf> =
        found.iter().filter(|path| path.extension().is_none_or(|extension| extension != "case")).collect();
    assert!(odd.is_empty(), "{odd:?} are no cases");
    found.sort();
    found
}

fn every_command() -> Result<(), Failed> {
    let uses: Vec<Use> =
        cases().iter().flat_map(|path| case::uses(&std::fs::read_to_string(path).unwrap())).collect();
    let mut missing = Vec::new();
    let mut commands = Vec::new();
    for program in ["orch-host", "orch-plugin", "orch-certify"] {
        commands.push(program.to_owned());
        leaves(program, &mut Vec::new(), &mut commands);
    }
    if commands.len() < 30 {
        return Err(format!("only {commands:?} were found").into());
    }
    for command in &commands {
        let of = |said: &&Use| said.line.starts_with(&format!("{command} ")) || said.line == *command;
        let is_help = |said: &Use| said.line == format!("{command} --help");
        let help = uses.iter().any(|said| is_help(said) && said.exit == 0);
        let (_, word) = command.rsplit_once(' ').unwrap_or_default();
        let elsewhere = SHOWN_ELSEWHERE
            .iter()
            .any(|(shown, test)| shown == command && test.contains(&format!("\"{word}\"")));
        let good = elsewhere || uses.iter().filter(of).any(|said| !is_help(said) && said.exit == 0);
        let bad = uses.iter().filter(of).any(|said| said.exit > 0);
        for (word, there) in [("help", help), ("a good use", good), ("a bad use", bad)] {
            if !there {
                missing.push(format!("`{command}` has no case of {word}"));
            }
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n").into()) }
}

/// Commands without commands of their own, as the programs' own help lists them.
fn leaves(program: &str, words: &mut Vec<String>, found: &mut Vec<String>) {
    let output = Command::new(binary(program)).args(&*words).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let listed = help.split_once("Commands:\n").map(|(_, rest)| rest.split("\n\n").next().unwrap());
    match listed {
        None => found.push(format!("{program} {}", words.join(" "))),
        Some(listed) => {
            let names = listed.lines().filter_map(|line| line.trim().split(' ').next());
            for name in names.filter(|name| *name != "help") {
                words.push(name.to_owned());
                leaves(program, words, found);
                words.pop();
            }
        }
    }
}
