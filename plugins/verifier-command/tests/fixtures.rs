//! Real outputs (`fixtures/README.md`) give exactly these findings.

// A test file as a whole is a test, but clippy allows these only inside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use verifier_command::check::Settings;
use verifier_command::judge::{Ending, Ran, judge};
use verifier_command::parsed::Severity::{self, Major, Medium};

/// (severity, location, message)
type Row<'a> = (Severity, Option<&'a str>, &'a str);

#[track_caller]
fn check(format: &str, category: &str, code: i32, stdout: &str, stderr: &str, expected: &[Row]) {
    let json = format!(
        r#"{{"checks": [{{"name": "check", "category": "{category}", "command": ["x"], "format": "{format}"}}]}}"#
    );
    let settings = Settings::parse(&json).unwrap();
    let ran = Ran { ending: Ending::Code(code), stdout, stderr, missed_bytes: 0, duration_ms: 1 };
    let findings = judge(&settings.checks[0], &ran);
    let found: Vec<Row> = findings
        .iter()
        .map(|finding| {
            assert_eq!(finding.category, settings.checks[0].category);
            (finding.severity, finding.location.as_deref(), finding.message.strip_prefix("check: ").unwrap())
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn unittest() {
    let output = include_str!("fixtures/unittest/output.txt");
    check(
        "unittest",
        "test",
        1,
        "",
        output,
        &[
            (
                Major,
                Some("tests/test_calc.py:39"),
                "ERROR setUpClass (tests.test_calc.Broken): RuntimeError: no database",
            ),
            (
                Major,
                Some("tests/test_calc.py:29"),
                "ERROR test_chained (tests.test_calc.CalcTest.test_chained): ValueError: bad input",
            ),
            (
                Major,
                Some("calc.py:2"),
                "ERROR test_divide (tests.test_calc.CalcTest.test_divide): ZeroDivisionError: division by zero",
            ),
            (
                Major,
                Some("tests/test_imports.py:1"),
                "ERROR tests.test_imports (tests.test_imports): \
                 ModuleNotFoundError: No module named 'no_such_module'",
            ),
            (
                Major,
                Some("tests/test_syntax.py:1"),
                "ERROR tests.test_syntax (tests.test_syntax): SyntaxError: invalid syntax",
            ),
            (
                Major,
                Some("tests/test_calc.py:8"),
                "FAIL test_add (tests.test_calc.CalcTest.test_add): AssertionError: -1 != 3",
            ),
            (
                Major,
                Some("tests/test_calc.py:15"),
                "FAIL test_lists (tests.test_calc.CalcTest.test_lists): AssertionError: Lists differ: [1, 2] != [1, 3]",
            ),
            (
                Major,
                Some("tests/test_calc.py:20"),
                "FAIL test_parts (tests.test_calc.CalcTest.test_parts) (part=1): AssertionError: 1 == 1",
            ),
            (Major, None, "UNEXPECTED SUCCESS test_cured (tests.test_calc.CalcTest.test_cured)"),
        ],
    );
}

#[test]
fn pytest() {
    let output = include_str!("fixtures/pytest/output.txt");
    check(
        "pytest",
        "test",
        1,
        output,
        "",
        &[
            (
                Major,
                Some("tests/test_imports.py:1"),
                "ERROR collecting tests/test_imports.py: ModuleNotFoundError: No module named 'no_such_module'",
            ),
            (Major, Some("tests/test_calc.py:21"), "ERROR at setup of test_setup: RuntimeError: no database"),
            (Major, Some("tests/test_calc.py:7"), "FAILED test_add: assert -1 == 3"),
            (Major, Some("calc.py:2"), "FAILED TestDivide.test_zero: ZeroDivisionError: division by zero"),
            (Major, Some("tests/test_calc.py:16"), "FAILED TestDivide.test_odd[2]: assert (2 % 2)"),
        ],
    );
}

#[test]
fn rustc() {
    let output = include_str!("fixtures/rustc/rustc.jsonl");
    check(
        "rustc-json",
        "build",
        1,
        "",
        output,
        &[
            (Major, Some("src/lib.rs:3"), "cannot add `&str` to `u32` (E0277)"),
            (Major, Some("src/lib.rs:7"), "cannot find function `missing` in this scope (E0425)"),
        ],
    );
}

#[test]
fn cargo() {
    let output = include_str!("fixtures/rustc/cargo.jsonl");
    check(
        "rustc-json",
        "build",
        0,
        output,
        "",
        &[(Medium, Some("src/lib.rs:2"), "unused variable: `unused` (unused_variables)")],
    );
}

#[test]
fn gcc() {
    let output = include_str!("fixtures/gcc/output.txt");
    check(
        "path-line-col",
        "build",
        1,
        "",
        output,
        &[
            (Major, Some("a.c:4"), "‘y’ undeclared (first use in this function)"),
            (Medium, Some("a.c:3"), "unused variable ‘unused’ [-Wunused-variable]"),
            (
                Medium,
                Some("a.c:6"),
                "format ‘%s’ expects argument of type ‘char *’, but argument 2 has type ‘int’ [-Wformat=]",
            ),
            (Medium, Some("a.c:5"), "control reaches end of non-void function [-Wreturn-type]"),
        ],
    );
}
