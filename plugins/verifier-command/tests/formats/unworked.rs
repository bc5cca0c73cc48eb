//! A tool that did not do its work is a major finding, whatever the category; so is a check that ran no test.

use verifier_command::parsed::Severity::{Major, Medium};
use verifier_command::ran::Ending;

use crate::Run;

/// Each form, and an exit code with which its tool says that it did not do its work.
const CODES: &[(&str, i32)] = &[
    ("pytest", 2),
    ("pytest", 3),
    ("pytest", 4),
    ("pytest", 5),
    ("unittest", 5),
    ("mypy", 2),
    ("ruff", 2),
    ("bandit", 2),
    ("eslint", 2),
    ("cargo-audit", 2),
    ("cargo-check", 2),
    ("cargo-clippy", 2),
    ("cargo-test", 2),
    ("tsc", 3),
    ("go-test", 3),
    ("plain", 127),
];

#[test]
fn exit_codes_of_tools_that_did_not_work_are_major() {
    for (format, code) in CODES {
        for category in ["build", "test", "lint", "security", "custom"] {
            let run = Run { stderr: "no such option\n", ..Run::new(format, category, *code, "") };
            let findings = run.findings();
            let said = |part: &str| {
                findings.iter().any(|finding| finding.severity == Major && finding.message.contains(part))
            };
            assert!(said(&format!("`x` exited with code {code} (")), "{format}: {findings:#?}");
            assert!(said("no such option"), "{format}: {findings:#?}");
        }
    }
}

#[test]
fn failure_without_anything_to_read_is_major() {
    for format in ["path-line-col", "rustc-json", "pytest", "unittest", "mypy", "cargo-test", "tsc"] {
        let run = Run { stderr: "no such option\n", ..Run::new(format, "lint", 1, "") };
        run.gives(&[(Major, None, "`x` exited with code 1; its last lines: no such option")]);
    }
}

#[test]
fn a_machine_form_that_is_not_there_is_major_also_with_exit_code_0() {
    for (format, how) in [
        ("ruff", "; `--output-format json` writes it"),
        ("eslint", "; `-f json` writes it"),
        ("bandit", "; `-f json` writes it"),
        ("cargo-audit", "; `--json` writes it"),
        ("cargo-check", "; `--message-format=json` writes it"),
        ("cargo-clippy", "; `--message-format=json` writes it"),
        ("go-test", "; `-json` writes it"),
        ("junit", ""),
        ("sarif", ""),
    ] {
        let message = format!("`x` did not do its work: nothing of its format was there to be read{how}");
        Run::new(format, "lint", 0, "All checks passed!\n").gives(&[(Major, None, &message)]);
    }
}

#[test]
fn what_cannot_be_read_is_major() {
    for (format, document) in
        [("ruff", "[1]"), ("bandit", "{}"), ("sarif", "{\"runs\": 3}"), ("junit", "<testsuite>")]
    {
        let findings = Run { report: Some(document), ..Run::new(format, "lint", 0, "") }.findings();
        assert_eq!((findings.len(), findings[0].severity), (1, Major), "{format}: {findings:#?}");
        assert!(findings[0].message.contains("what it wrote cannot be read"), "{format}: {findings:#?}");
    }
}

#[test]
fn a_check_that_ran_no_test_is_major() {
    let rule = "-".repeat(70);
    let unittest = format!("\n{rule}\nRan 0 tests in 0.000s\n\nOK\n");
    Run { stderr: &unittest, ..Run::new("unittest", "test", 0, "") }.gives(&[(
        Major,
        None,
        "`x` ran no test",
    )]);
    for document in ["<testsuites/>", r#"<testsuite name="s" tests="0"></testsuite>"#] {
        Run::new("junit", "custom", 0, document).gives(&[(Major, None, "`x` ran no test")]);
    }
}

#[test]
fn a_signal_and_a_time_that_ran_out_are_major_besides_what_was_read() {
    let run = Run::new("path-line-col", "lint", 1, "a.py:1:1: warning: bad\n");
    let warning = (Medium, Some("a.py:1:1"), "bad");
    Run { ending: Ending::Signal(11), ..run }.gives(&[
        warning,
        (Major, None, "`x` was ended by signal 11; its last lines: a.py:1:1: warning: bad"),
    ]);
    Run { ending: Ending::TimedOut, stdout: "", ..run }.gives(&[(
        Major,
        None,
        "`x` did not end within 1 ms",
    )]);
}

#[test]
fn warnings_do_not_explain_a_compiler_that_failed() {
    let warning = r#"{"level":"warning","message":"unused","code":null,"spans":[]}"#;
    let run = Run { stderr: "linker not found\n", ..Run::new("rustc-json", "build", 101, warning) };
    run.gives(&[
        (Medium, None, "unused"),
        (Major, None, "`x` exited with code 101; its last lines: linker not found"),
    ]);
    Run::new("rustc-json", "build", 0, warning).gives(&[(Medium, None, "unused")]);
}

#[test]
fn plain_takes_the_severity_of_its_category() {
    Run::new("plain", "test", 1, "no\n").gives(&[(
        Major,
        None,
        "`x` exited with code 1; its last lines: no",
    )]);
    Run::new("plain", "lint", 1, "").gives(&[(Medium, None, "`x` exited with code 1")]);
    Run::new("plain", "lint", 0, "error\n").gives(&[]);
}
