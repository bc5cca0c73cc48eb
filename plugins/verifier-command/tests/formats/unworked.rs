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
    ("libtest-json", 2),
    ("pylint", 1),
    ("pylint", 3),
    ("pylint", 32),
    ("pyright", 2),
    ("pyright", 3),
    ("pyright", 4),
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
        ("pylint", "; `--output-format=json2` writes it"),
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

/// Each form, and what exit code 0 is not enough for: `None` where the tool says nothing if all is well.
const SILENT: &[(&str, Option<&str>)] = &[
    ("pytest", Some("its last line, such as `3 passed in 0.1s`, is not there")),
    ("unittest", Some("no line `Ran 3 tests in 0.1s` with `OK` below is there")),
    ("cargo-test", Some("a line `test result: ok.` is not there")),
    ("go-test", Some("nothing of its format")),
    ("junit", Some("nothing of its format")),
    ("sarif", Some("nothing of its format")),
    ("ruff", Some("nothing of its format")),
    ("bandit", Some("nothing of its format")),
    ("eslint", Some("nothing of its format")),
    ("tap", Some("nothing of its format")),
    ("pylint", Some("nothing of its format")),
    ("pyright", Some("nothing of its format")),
    ("libtest-json", Some("nothing of its format")),
    ("cargo-audit", Some("nothing of its format")),
    ("cargo-check", Some("nothing of its format")),
    ("cargo-clippy", Some("nothing of its format")),
    ("mypy", None),
    ("tsc", None),
    ("rustc-json", None),
    ("path-line-col", None),
    ("plain", None),
];

#[track_caller]
fn did_not_work(run: Run, why: &str) {
    let findings = run.findings();
    let start = format!("check: `x` did not do its work: {why}");
    assert!(
        findings.len() == 1 && findings[0].severity == Major && findings[0].message.starts_with(&start),
        "{}: {findings:#?}",
        run.format
    );
}

#[test]
fn exit_code_0_and_silence_is_green_only_where_a_tool_is_silent_when_all_is_well() {
    for (format, why) in SILENT {
        match why {
            Some(why) => did_not_work(Run::new(format, "test", 0, ""), why),
            None => Run::new(format, "test", 0, "").gives(&[]),
        }
    }
}

#[test]
fn a_tool_that_was_ended_with_code_0_before_its_end_is_major() {
    let rule = "-".repeat(70);
    for (format, stdout) in [
        ("pytest", "collected 4 items\n\ntest_a.py .s".to_owned()),
        ("pytest", "pytest 9.2.0\n".to_owned()),
        ("pytest", ".                      [100%]\n".to_owned()),
        ("unittest", "..".to_owned()),
        ("unittest", format!("..\n{rule}\nRan 2 tests in 0.001s\n\nFAILED (failures=1)\n")),
        ("cargo-test", "running 2 tests\ntest a ... ok\n".to_owned()),
        (
            "cargo-test",
            "running 2 tests\ntest a ... ok\n\nrunning 1 test\ntest b ... ok\n\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
                .to_owned(),
        ),
        ("cargo-check", "{\"reason\":\"compiler-artifact\"}\n".to_owned()),
    ] {
        let why = SILENT.iter().find_map(|(of, why)| (*of == format).then_some(*why)?).unwrap();
        did_not_work(Run::new(format, "test", 0, &stdout), why);
    }
    let suite = r#"{ "type": "suite", "event": "started", "test_count": 2 }"#;
    let why = "1 of 1 test programs ended before all of their tests had run";
    did_not_work(Run::new("libtest-json", "test", 0, suite), why);
    let line = "======== 1 failed, 3 passed in 0.12s ========";
    let why = "its last line says `1 failed, 3 passed in 0.12s`, though its exit code is 0";
    did_not_work(Run::new("pytest", "test", 0, line), why);
    // What was printed before it says nothing.
    Run::new("pytest", "test", 0, &format!("{line}\n3 passed in 0.1s\n")).gives(&[]);
    let begun = r#"{"Action":"run","Package":"m/a","Test":"TestA"}
{"Action":"pass","Package":"m/a"}
"#;
    let why = "the tests of package `m/a` did not say `PASS`: their program ended before";
    did_not_work(Run::new("go-test", "test", 0, begun), why);
}

#[test]
fn a_tool_that_looked_at_nothing_is_major() {
    let ruff = Run::new("ruff", "lint", 0, "[]");
    ruff.gives(&[]);
    did_not_work(
        Run { stderr: "warning: No Python files found under the given path(s)\n", ..ruff },
        "it found no Python file",
    );
    let bandit = r#"{"errors": [], "metrics": {"_totals": {"loc": 0}}, "results": []}"#;
    did_not_work(Run::new("bandit", "security", 0, bandit), "it looked at no line of code");
    did_not_work(Run::new("eslint", "lint", 0, "[]"), "it looked at no file");
    let counted = r#"[{"filePath": "/w/a.js", "messages": [], "errorCount": 3}]"#;
    did_not_work(Run::new("eslint", "lint", 0, counted), "it counts errors of `/w/a.js` and names none");
    let found = r#"{"lockfile": {"dependency-count": 1}, "vulnerabilities": {"found": true, "list": []}}"#;
    did_not_work(Run::new("cargo-audit", "security", 0, found), "it found vulnerabilities and names none");
    let failed = r#"{"reason":"build-finished","success":false}"#;
    did_not_work(Run::new("cargo-check", "build", 0, failed), "nothing of its format");
    let error = r#"{"runs": [{"tool": {"driver": {}}, "results": [], "invocations": [{"executionSuccessful": true,
        "toolExecutionNotifications": [{"level": "error", "message": {"text": "no rules"}}]}]}]}"#;
    did_not_work(Run::new("sarif", "lint", 0, error), "no rules");
    let audit = r#"{"lockfile": {"dependency-count": 0}, "vulnerabilities": {"list": []}}"#;
    did_not_work(Run::new("cargo-audit", "security", 0, audit), "it looked at no crate");
}

#[test]
fn several_documents_in_one_stream_are_all_read() {
    let green = r#"<?xml version="1.0"?><testsuite><testcase name="a"/></testsuite>"#;
    let red = r#"<testsuite><testcase name="b"><failure message="no"/></testcase></testsuite>"#;
    let both = format!("{green}\n{red}\n");
    Run::new("junit", "test", 0, &both).gives(&[(Major, None, "FAILED b: no")]);
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
    let counted = r#"<testsuite name="s" tests="5"></testsuite>"#;
    let none_of_them = (Major, None, "the report says 5 tests and has none of them");
    Run::new("junit", "custom", 0, counted).gives(&[none_of_them]);
    for line in ["4 tests collected in 0.01s", "no tests ran in 0.00s", "=== 4 deselected in 0.02s ==="] {
        Run::new("pytest", "test", 0, line).gives(&[(Major, None, "`x` ran no test")]);
    }
}

#[test]
fn a_check_that_skipped_all_of_its_tests_ran_none() {
    let rule = "-".repeat(70);
    let unittest = format!("ss\n{rule}\nRan 2 tests in 0.001s\n\nOK (skipped=2)\n");
    for (format, stdout) in [
        ("pytest", "2 skipped in 0.01s"),
        ("unittest", &unittest),
        ("cargo-test", "running 2 tests\n\ntest result: ok. 0 passed; 0 failed; 2 ignored; 0 measured\n"),
        (
            "junit",
            "<testsuite><testcase name=\"a\"><skipped/></testcase><testcase status=\"notrun\"/></testsuite>",
        ),
        (
            "go-test",
            r#"{"Action":"run","Package":"m/a","Test":"TestA"}
{"Action":"skip","Package":"m/a","Test":"TestA"}
{"Action":"run","Package":"m/a","Test":"TestB"}
{"Action":"skip","Package":"m/a","Test":"TestB"}
{"Action":"output","Package":"m/a","Output":"PASS\n"}
{"Action":"pass","Package":"m/a"}
"#,
        ),
    ] {
        Run::new(format, "test", 0, stdout).gives(&[(Major, None, "`x` ran no test: 2 skipped")]);
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
