//! Very many findings cost little and are cut; each is one line within the host's limits.

use std::fmt::Write;
use std::time::{Duration, Instant};

use verifier_command::parsed::Severity::{Major, Medium};

use crate::Run;

const MANY: usize = 60_000;

fn numbered(line: impl Fn(&mut String, usize)) -> String {
    let mut text = String::new();
    (0..MANY).for_each(|number| line(&mut text, number));
    text
}

#[track_caller]
fn cut(run: Run) {
    let begun = Instant::now();
    let findings = run.findings();
    assert!(begun.elapsed() < Duration::from_secs(20), "{} took {:?}", run.format, begun.elapsed());
    assert_eq!(findings.len(), 1000, "{}", run.format);
    assert_eq!(findings[999].message, format!("and {} more", MANY - 999), "{}", run.format);
    assert!(findings.iter().all(|finding| finding.message.len() <= 2048 && !finding.message.contains('\n')));
}

#[test]
fn sixty_thousand_findings_are_cut_at_a_thousand() {
    let lines = numbered(|text, n| writeln!(text, "a.py:{}:1: E501 too long", n + 1).unwrap());
    cut(Run { files: &["a.py"], ..Run::new("path-line-col", "lint", 1, &lines) });
    let one = |n| {
        format!(
            r#"{{"code": "E501", "filename": "/w/a.py", "location": {{"row": {n}, "column": 1}}, "message": "long"}}"#
        )
    };
    let list = numbered(|text, n| write!(text, "{}{}", if n == 0 { "[" } else { "," }, one(n)).unwrap());
    cut(Run { files: &["a.py"], ..Run::new("ruff", "lint", 1, &format!("{list}]")) });
    let cases = numbered(|text, n| {
        write!(
            text,
            r#"<testcase classname="a" name="x{n}"><failure message="no">a.py:{n}: E</failure></testcase>"#
        )
        .unwrap();
    });
    let document = format!("<testsuite>{cases}</testsuite>");
    cut(Run { report: Some(&document), ..Run::new("junit", "test", 1, "") });
    let summary = numbered(|text, n| writeln!(text, "FAILED a.py::test_{n} - assert 0").unwrap());
    let output = format!("=== short test summary info ===\n{summary}=== {MANY} failed in 9s ===\n");
    cut(Run::new("pytest", "test", 1, &output));
}

#[test]
fn sixty_thousand_findings_of_other_machine_forms_are_cut_at_a_thousand() {
    let list = |element: &dyn Fn(usize) -> String| {
        numbered(|text, n| write!(text, "{}{}", if n == 0 { "[" } else { "," }, element(n)).unwrap()) + "]"
    };
    let messages =
        list(&|n| format!(r#"{{"ruleId": "x", "severity": 2, "message": "m", "line": {n}, "column": 1}}"#));
    let eslint = format!(r#"[{{"filePath": "/w/a.js", "messages": {messages}}}]"#);
    cut(Run { files: &["a.js"], ..Run::new("eslint", "lint", 1, &eslint) });
    let issues = list(&|n| {
        format!(
            r#"{{"filename": "a.py", "line_number": {n}, "col_offset": 0, "issue_severity": "HIGH", "issue_text": "t", "test_id": "B1"}}"#
        )
    });
    cut(Run::new(
        "bandit",
        "security",
        1,
        &format!(r#"{{"errors": [], "metrics": {{"_totals": {{"loc": 9}}}}, "results": {issues}}}"#),
    ));
    let results = list(&|n| {
        format!(
            r#"{{"ruleId": "r", "message": {{"text": "m"}}, "locations": [{{"physicalLocation": {{"artifactLocation": {{"uri": "a.c"}}, "region": {{"startLine": {n}}}}}}}]}}"#
        )
    });
    let sarif = format!(
        r#"{{"version": "2.1.0", "runs": [{{"tool": {{"driver": {{"name": "t"}}}}, "results": {results}}}]}}"#
    );
    cut(Run::new("sarif", "lint", 0, &sarif));
    let rustc = numbered(|text, n| {
        let span =
            format!(r#"{{"file_name": "a.rs", "line_start": {n}, "column_start": 1, "is_primary": true}}"#);
        writeln!(text, r#"{{"level": "error", "message": "m", "code": null, "spans": [{span}]}}"#).unwrap();
    });
    cut(Run::new("rustc-json", "build", 1, &rustc));
    let mypy = numbered(|text, n| {
        writeln!(text, r#"{{"file": "a.py", "line": {}, "column": 0, "message": "m", "code": null, "severity": "error"}}"#, n + 1).unwrap();
    });
    cut(Run::new("mypy", "lint", 1, &mypy));
    let go = numbered(|text, n| {
        for action in ["run", "fail"] {
            writeln!(text, r#"{{"Action": "{action}", "Package": "m/a", "Test": "Test{n}"}}"#).unwrap();
        }
    });
    cut(Run::new("go-test", "test", 1, &format!(r#"{go}{{"Action": "fail", "Package": "m/a"}}"#)));
}

#[test]
fn what_fits_into_the_streams_is_read_in_time() {
    // A mebibyte of each, in an order that suits the reader least.
    let sections: String = (0..6000).map(|n| format!("___ test_{n} ___\n    def test_{n}():\n>       assert 0\nE       assert 0\n\ntests/test_a.py:{n}: AssertionError\n")).collect();
    let summary: String =
        (0..6000).rev().map(|n| format!("FAILED tests/test_a.py::test_{n} - assert 0\n")).collect();
    let output = format!(
        "=== FAILURES ===\n{sections}=== short test summary info ===\n{summary}=== 6000 failed in 9s ===\n"
    );
    let begun = Instant::now();
    assert_eq!(Run::new("pytest", "test", 1, &output).findings().len(), 1000);
    let names: String = (0..9000).map(|n| format!("    tests::test_{n}\n")).collect();
    let sections: String = (0..9000)
        .rev()
        .map(|n| format!("---- tests::test_{n} stdout ----\nthread 'x' panicked at a.rs:{n}:1:\nno\n\n"))
        .collect();
    let output = format!(
        "running 9000 tests\n\nfailures:\n\n{sections}failures:\n{names}\ntest result: FAILED. 0 passed; 9000 failed; 0 ignored\n"
    );
    assert_eq!(Run::new("cargo-test", "test", 101, &output).findings().len(), 1000);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_list_that_is_cut_gives_what_is_there_and_says_so() {
    let list = include_str!("../fixtures/ruff/output.json");
    let run = Run { files: &["app.py"], ..Run::new("ruff", "lint", 1, &list[..900]) };
    let findings = run.findings();
    assert_eq!(findings.len(), 2);
    assert_eq!((findings[0].severity, findings[0].location.as_deref()), (Medium, Some("app.py:1:8")));
    assert_eq!(findings[1].severity, Major);
    assert!(
        findings[1].message.starts_with("check: `x` did not do its work: what it wrote cannot be read: EOF")
    );
}

#[test]
fn a_message_is_one_line_and_a_long_path_stays_in_it() {
    let path = "d/".repeat(600);
    let list = format!(
        r#"[{{"code": "X", "filename": "{path}a.py", "location": {{"row": 1, "column": 1}}, "message": "a\n\u001b[31mb\u0000{}"}}]"#,
        "ü".repeat(3000)
    );
    let findings = Run::new("ruff", "lint", 1, &list).findings();
    assert_eq!(findings[0].location, None);
    assert!(findings[0].message.starts_with("check: d/d/") && findings[0].message.len() <= 2048);
    assert!(!findings[0].message.contains(char::is_control));
}
