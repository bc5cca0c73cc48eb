//! Everything that CI runs, in the order in which a fault is cheapest to find.
//!
//! Clippy has no step of its own: it would check all that we depend on a second time (docs/decisions/0064).
//! Invariant: whatever fails, a table of what each step took comes last.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::{debian, deny, examples, languages, node, packages, python, second_verifier, step, tidy};

/// Set for the tests: those that take minutes run, too.
const FULL: &str = "ORCH_TEST_FULL";
/// Many times what all tests take.
const TESTS_MAX: Duration = Duration::from_secs(45 * 60);

/// Runs all checks and tests; the first that fails ends it. `full`: those too that take longer than CI has.
pub(crate) fn run(root: &Path, full: bool) -> anyhow::Result<()> {
    let mut times = Times::default();
    let done = all(root, full, &mut times);
    print!("{}", times.table());
    done
}

fn all(root: &Path, full: bool, times: &mut Times) -> anyhow::Result<()> {
    times.step("format", || {
        step::run("format", step::cargo(root).args(["fmt", "--all", "--check"]))?;
        step::run(
            "format of the plugins",
            step::cargo(&root.join("plugins")).args(["fmt", "--all", "--check"]),
        )
    })?;
    times.step("tidy", || tidy::run(root))?;
    times.step("licences, sources, bans", || deny::run(root))?;
    times.compiling("programs, read by clippy", || packages::build_for_tests(step::reading_cargo(root)))?;
    times.step("packages for the tests", || packages::for_tests(root))?;
    times.step("Python of the second verifier", || second_verifier::prepare(root))?;
    times.step("schemathesis", || python::prepare(root, "described"))?;
    times.step("receivers of notices", || python::prepare(root, "receivers"))?;
    times.step("gRPC of its makers", || python::prepare(root, "io"))?;
    times.step("models of others", || {
        python::prepare(root, "models")?;
        node::prepare(root, "aimock")
    })?;
    if full {
        times.step("a proxy between formats of models", || python::prepare(root, "litellm"))?;
    }
    times.step("a stand-in of Slack", || node::prepare(root, "slack"))?;
    times.step("a registry of Debian", || debian::prepare(root, "registry", full))?;
    times.step("toolchains of other languages", || languages::prepare(root))?;
    times.step("sources of the examples", || examples::fetch(root))?;
    let test = ["test", "--workspace"];
    times.compiling("programs of the plugins' tests, read by clippy", || {
        step::run("programs of the plugins' tests", plugins(root).args(test).arg("--no-run"))
    })?;
    times.step("tests of the plugins, on this machine", || {
        step::run_within(TESTS_MAX, "tests of the plugins", plugins(root).args(test))
    })?;
    times.compiling("programs of the tests, read by clippy", || {
        step::run("programs of the tests", step::reading_cargo(root).args(test).arg("--no-run"))
    })?;
    let left_out = root.join("target/left-out.txt");
    fs::write(&left_out, "").context("cannot begin `target/left-out.txt`")?;
    times.step("tests", || {
        let mut tests = step::reading_cargo(root);
        tests.args(test).envs(full.then_some((FULL, "1"))).env("RUST_TEST_THREADS", at_once().to_string());
        step::run_within(TESTS_MAX, "tests", &mut tests)
    })?;
    let said = fs::read_to_string(&left_out).context("cannot read `target/left-out.txt`")?;
    print!("{}", left_out_of(&said));
    Ok(())
}

/// What tests wrote down that they did not look at (`tests/src/left_out.rs`), each once.
fn left_out_of(said: &str) -> String {
    let lines: BTreeSet<&str> = said.lines().collect();
    match lines.len() {
        0 => "nothing was left out\n".to_owned(),
        count => {
            let lines: String = lines.iter().map(|line| format!("   {line}\n")).collect();
            format!("{count} left out, by tests that passed:\n{lines}")
        }
    }
}

/// How many tests run at once: one more than there are processors, because most of them wait for a program half of
/// their time.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from) + 1
}

fn plugins(root: &Path) -> Command {
    let mut cargo = step::reading_cargo(&root.join("plugins"));
    cargo.env("CARGO_TARGET_DIR", packages::target_folder(root).join("plugins-native"));
    cargo
}

/// Seconds of each step, and whether they went into compiling.
#[derive(Default)]
struct Times(Vec<(&'static str, f64, bool)>);

impl Times {
    fn step(&mut self, what: &'static str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.add(what, false, work)
    }

    /// A step that does nothing else.
    fn compiling(
        &mut self,
        what: &'static str,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.add(what, true, work)
    }

    fn add(
        &mut self,
        what: &'static str,
        compiles: bool,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        let done = step::timed(what, work);
        self.0.push((what, begun.elapsed().as_secs_f64(), compiles));
        done
    }

    fn table(&self) -> String {
        let sum = |only: bool| -> f64 {
            self.0.iter().filter(|(_, _, compiles)| *compiles || !only).map(|(_, seconds, _)| seconds).sum()
        };
        let row = |what: &str, seconds: f64, compiling: f64| {
            let compiling = if compiling > 0.0 { format!("{compiling:9.1}") } else { " ".repeat(9) };
            format!("{what:<40} {seconds:9.1} {compiling}\n")
        };
        let rows = self
            .0
            .iter()
            .map(|(what, seconds, compiles)| row(what, *seconds, if *compiles { *seconds } else { 0.0 }));
        let head = format!("{:<40} {:>9} {:>9}\n", "", "seconds", "compiling");
        format!("{head}{}{}", rows.collect::<String>(), row("all", sum(false), sum(true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_said_once_and_nothing_is_said_too() {
        assert_eq!(left_out_of(""), "nothing was left out\n");
        let said = left_out_of("b: Python\na: a browser\nb: Python\n");
        assert_eq!(said, "2 left out, by tests that passed:\n   a: a browser\n   b: Python\n");
    }

    #[test]
    fn the_table_has_the_step_that_failed_and_sums() {
        let mut times = Times::default();
        times.compiling("programs", || Ok(())).unwrap();
        assert!(times.step("tests", || anyhow::bail!("one failed")).is_err());
        times.0.iter_mut().zip([90.0, 30.5]).for_each(|(step, seconds)| step.1 = seconds);
        let table = times.table();
        let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let expected = [
            vec!["seconds", "compiling"],
            vec!["programs", "90.0", "90.0"],
            vec!["tests", "30.5"],
            vec!["all", "120.5", "90.0"],
        ];
        assert_eq!(words, expected);
    }
}
