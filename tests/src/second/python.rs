//! The second verifier as a process of its own.
//!
//! In -> out: lines, one a case -> the second verifier's answers, in the same order.
//! Invariant: a Python that is missing, fails or says too little is a failure with a sentence.
//! Not here: where its Python comes from (`xtask/src/second_verifier.rs`).

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::Answer;
use crate::root;

/// The Python that `cargo xtask test` made, or the one of the system.
fn python() -> PathBuf {
    let made = root().join("target/second-verifier/bin/python");
    if made.exists() { made } else { "python3".into() }
}

/// What the second verifier says to each line of [`Case::line`](super::Case::line). Two processes share the work.
pub fn answers(lines: &[String]) -> Vec<Answer> {
    let (one, other) = lines.split_at(lines.len() / 2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| ask(one));
        let second = ask(other);
        [first.join().unwrap(), second].concat()
    })
}

fn ask(lines: &[String]) -> Vec<Answer> {
    let program = python();
    let shown = program.display();
    let has = Command::new(&program).args(["-c", "import cryptography"]).output();
    assert!(
        has.is_ok_and(|output| output.status.success()),
        "`{shown}` has no package `cryptography` for the second verifier: run `cargo xtask test`, or install it"
    );
    let mut child = Command::new(&program)
        .args(["-I", "-B"])
        .arg(root().join("tests/second"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{shown}`: {error}"));
    let mut input = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (answers, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(move || lines.iter().try_for_each(|line| writeln!(input, "{line}")));
        let read = output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        (read.collect::<Vec<Answer>>(), writer.join().unwrap())
    });
    let status = child.wait().unwrap();
    let said = answers.len();
    let stopped_at = lines.get(said).map(|line| line.chars().take(100).collect::<String>());
    assert!(status.success(), "the second verifier ended with {status} at {stopped_at:?}");
    written.unwrap();
    assert_eq!(said, lines.len(), "the second verifier did not answer every case");
    answers
}
