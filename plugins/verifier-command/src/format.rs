//! The forms in which tools say what they found.
//!
//! In -> out: ([`Format`], [`Ran`]) -> [`Reading`]; ([`Format`], exit code) -> [`Meaning`].
//! Invariant: the exit codes of each tool are said here and nowhere else.
//! Not here: findings (`judge.rs`), one file a form (`format/`).

pub mod bandit;
pub mod cargo_audit;
pub mod cargo_test;
pub mod eslint;
pub mod go_test;
pub mod json;
pub mod junit;
pub mod libtest_json;
pub mod mypy;
pub mod path_line_col;
pub mod pylint;
pub mod pyright;
pub mod pytest;
pub mod ruff;
pub mod rustc_json;
pub mod sarif;
pub mod tap;
pub mod traceback;
pub mod tsc;
pub mod unittest;

use serde::Deserialize;

use crate::parsed::{Reading, Severity};
use crate::ran::{Ending, Ran};

/// What a command prints or writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `bandit -f json`.
    Bandit,
    /// `cargo audit --json`.
    CargoAudit,
    /// `cargo check --message-format=json`.
    CargoCheck,
    /// `cargo clippy --message-format=json`.
    CargoClippy,
    /// `cargo test`: libtest's text.
    CargoTest,
    /// `eslint -f json`.
    Eslint,
    /// `go test -json`.
    GoTest,
    /// JUnit's XML, which most test runners can write.
    Junit,
    /// `cargo test -- -Z unstable-options --format json`, of nightly Rust.
    LibtestJson,
    /// `mypy --output json`, else its text.
    Mypy,
    /// `path:line:col: message` or `path:line: message`: gcc, clang, flake8 and others.
    PathLineCol,
    /// Nothing to read: only the exit code counts.
    #[default]
    Plain,
    /// `pylint --output-format=json2`.
    Pylint,
    /// `pyright --outputjson`.
    Pyright,
    /// pytest: JUnit's XML if the check has a `report`, else the text.
    Pytest,
    /// `ruff check --output-format json`.
    Ruff,
    /// `rustc --error-format=json` and `cargo --message-format=json`.
    RustcJson,
    /// SARIF 2.1.0.
    Sarif,
    /// TAP, the Test Anything Protocol.
    Tap,
    /// `tsc`, pretty or not.
    Tsc,
    /// Python's `unittest`.
    Unittest,
}

/// What a tool says with its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It found nothing that it counts.
    Well,
    /// It found something, which is to be read.
    Found,
    /// It did not do its work.
    DidNotWork(&'static str),
}

impl Format {
    #[must_use]
    pub fn meaning(self, code: i32) -> Meaning {
        use Meaning::{DidNotWork, Found, Well};
        match (self, code) {
            (_, 0) => Well,
            (_, 126) => DidNotWork("it cannot be executed"),
            (_, 127) => DidNotWork("it was not found"),
            (Self::Pytest, 2) => DidNotWork("interrupted, or tests could not be collected"),
            (Self::Pytest, 3) => DidNotWork("an error inside of pytest"),
            (Self::Pytest, 4) => DidNotWork("wrong usage"),
            (Self::Pytest | Self::Unittest, 5) => DidNotWork("no tests ran"),
            (Self::Mypy, 2) => DidNotWork("a crash, wrong usage, or errors that prevented checking"),
            (Self::Ruff | Self::Bandit | Self::Eslint, 2) => {
                DidNotWork("wrong usage, wrong configuration or an internal error")
            }
            (Self::CargoTest | Self::CargoCheck | Self::CargoClippy | Self::LibtestJson, 101) => Found,
            // 2 is a build that failed, before Go 1.20.
            (Self::Tsc | Self::GoTest, 2) => Found,
            // One bit for each kind of message.
            (Self::Pylint, 2..=30) if code & 1 == 0 => Found,
            (Self::Pylint, 1..=31) => DidNotWork("a file that it could not look at"),
            (Self::Pylint, 32) => DidNotWork("wrong usage"),
            (Self::Pyright, 2) => DidNotWork("a fatal error"),
            (Self::Pyright, 3) => DidNotWork("its configuration cannot be read"),
            (Self::Pyright, 4) => DidNotWork("wrong usage"),
            (
                Self::Plain | Self::PathLineCol | Self::RustcJson | Self::Junit | Self::Sarif | Self::Tap,
                _,
            ) => Found,
            (Self::CargoTest | Self::CargoCheck | Self::CargoClippy, 1) => Found,
            (_, 1) => Found,
            _ => DidNotWork("an exit code that says nothing of findings"),
        }
    }

    /// Whether a finding of this severity is a reason for the tool to fail.
    #[must_use]
    pub fn explains_failure(self, severity: Option<Severity>) -> bool {
        match self {
            // Warnings of a compiler do not make it fail.
            Self::RustcJson
            | Self::CargoCheck
            | Self::CargoClippy
            | Self::CargoTest
            | Self::LibtestJson
            | Self::PathLineCol => matches!(severity, None | Some(Severity::Major)),
            _ => true,
        }
    }

    /// Whether a tool that did its work says so in this form, also if it found nothing.
    fn is_always_written(self) -> bool {
        matches!(
            self,
            Self::Bandit
                | Self::CargoAudit
                | Self::CargoCheck
                | Self::CargoClippy
                | Self::Eslint
                | Self::GoTest
                | Self::Junit
                | Self::LibtestJson
                | Self::Pylint
                | Self::Pyright
                | Self::Ruff
                | Self::Sarif
                | Self::Tap
        )
    }

    /// Whether reports that did not change were not written: those of test runners say when they ran.
    #[must_use]
    pub fn has_times(self) -> bool {
        matches!(self, Self::Junit | Self::Pytest)
    }

    /// How this form is asked for.
    fn hint(self) -> &'static str {
        match self {
            Self::Bandit => "; `-f json` writes it",
            Self::CargoAudit => "; `--json` writes it",
            Self::CargoCheck | Self::CargoClippy => "; `--message-format=json` writes it",
            Self::Eslint => "; `-f json` writes it",
            Self::GoTest => "; `-json` writes it",
            Self::LibtestJson => "; `-- -Z unstable-options --format json` writes it",
            Self::Pylint => "; `--output-format=json2` writes it",
            Self::Pyright => "; `--outputjson` writes it",
            Self::Ruff => "; `--output-format json` writes it",
            _ => "",
        }
    }

    /// Everything that the run of a tool says in this form.
    #[must_use]
    pub fn read(self, ran: &Ran) -> Reading {
        let mut reading = Reading::default();
        let understood = match self {
            Self::Bandit => json::each_document(ran, |text| bandit::read(text, &mut reading)),
            Self::CargoAudit => json::each_document(ran, |text| cargo_audit::read(text, &mut reading)),
            Self::Eslint => json::each_document(ran, |text| eslint::read(text, &mut reading)),
            Self::Ruff => {
                ruff::say_no_file(ran, &mut reading);
                json::each_document(ran, |text| ruff::read(text, &mut reading))
            }
            Self::Pylint => json::each_document(ran, |text| pylint::read(text, &mut reading)),
            Self::Pyright => json::each_document(ran, |text| pyright::read(text, &mut reading)),
            Self::Tap => Ok(tap::read(ran, &mut reading)),
            Self::Sarif => json::each_document(ran, |text| sarif::read(text, &mut reading)),
            Self::Junit => read_junit(ran, &mut reading),
            Self::Pytest if ran.has_report() => read_junit(ran, &mut reading),
            Self::CargoCheck | Self::CargoClippy if ran.ending == Ending::Code(0) => {
                Ok(rustc_json::read(ran, &mut reading).finished)
            }
            Self::CargoCheck | Self::CargoClippy | Self::RustcJson => {
                Ok(rustc_json::read(ran, &mut reading).any)
            }
            Self::LibtestJson => Ok(libtest_json::read(ran, &mut reading)),
            Self::GoTest => Ok(go_test::read(ran, &mut reading)),
            Self::CargoTest => text(cargo_test::read, ran, &mut reading),
            Self::Mypy => text(mypy::read, ran, &mut reading),
            Self::PathLineCol => text(path_line_col::read, ran, &mut reading),
            Self::Pytest => text(pytest::read, ran, &mut reading),
            Self::Tsc => text(tsc::read, ran, &mut reading),
            Self::Unittest => text(unittest::read, ran, &mut reading),
            Self::Plain => Ok(true),
        };
        match understood {
            Ok(true) => {}
            Ok(false) if self.is_always_written() || ran.has_report() => {
                reading.broke.push(format!("nothing of its format was there to be read{}", self.hint()));
            }
            Ok(false) => {}
            Err(why) => reading.broke.push(format!("what it wrote cannot be read: {why}")),
        }
        reading
    }
}

fn text(read: fn(&Ran, &mut Reading), ran: &Ran, reading: &mut Reading) -> Result<bool, String> {
    read(ran, reading);
    Ok(true)
}

fn read_junit(ran: &Ran, reading: &mut Reading) -> Result<bool, String> {
    let mut any = false;
    for document in ran.documents() {
        let (mut rest, before) = (document, any);
        any = false;
        // Several runners may write into one stream.
        while let Some(start) = rest.find("<?xml").or_else(|| rest.find("<testsuite")) {
            rest = junit::read(rest.get(start..).unwrap_or(""), reading)?;
            any = true;
        }
        // One that crashed, or met a full disk, leaves its report empty beside those of others.
        if !any && ran.has_report() && ran.documents().count() > 1 {
            return Err("one of its reports has no test suite in it".to_owned());
        }
        any |= before;
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::{Places, Unknown};

    fn broke(format: Format, reports: &[&str]) -> Vec<String> {
        let reports: Vec<String> = reports.iter().map(|text| (*text).to_owned()).collect();
        let places = Places::new("", &Unknown);
        let ran = Ran {
            ending: Ending::Code(0),
            stdout: "",
            stderr: "",
            reports: Some(&reports),
            report_faults: &[],
            missed_bytes: 0,
            duration_ms: 1,
            places: &places,
        };
        let reading = format.read(&ran);
        let messages = reading.parsed.into_iter().map(|found| found.message);
        reading.broke.into_iter().chain(messages).collect()
    }

    #[test]
    fn a_report_that_is_none_beside_good_ones_is_not_passed_over() {
        let good = r#"<testsuite tests="1"><testcase name="a"/></testsuite>"#;
        assert_eq!(broke(Format::Junit, &[good, good]), [""; 0]);
        for wrong in ["", "Segmentation fault\n", "<html></html>", r#"<testsuite tests="5"/>"#] {
            assert_eq!(broke(Format::Junit, &[wrong, good]).len(), 1, "{wrong}");
            assert_eq!(broke(Format::Junit, &[good, wrong]).len(), 1, "{wrong}");
        }
        let sarif = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[]}]}"#;
        assert_eq!(broke(Format::Sarif, &[sarif, sarif]), [""; 0]);
        assert_eq!(broke(Format::Sarif, &["", sarif]).len(), 1);
    }
}
