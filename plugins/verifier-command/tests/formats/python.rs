//! What tools for Python say.

use verifier_command::parsed::Severity::{Major, Medium, Minor};

use crate::Run;

const FILES: &[&str] = &[
    "app.py",
    "broken.py",
    "calc.py",
    "tests/test_calc.py",
    "tests/test_edge.py",
    "tests/test_imports.py",
    "tests/test_syntax.py",
];

#[test]
fn unittest() {
    Run { stderr: include_str!("../fixtures/unittest/output.txt"), ..Run::new("unittest", "test", 1, "") }.gives(&[
            (Major, Some("tests/test_calc.py:39"), "ERROR setUpClass (tests.test_calc.Broken): RuntimeError: no database"),
            (Major, Some("tests/test_calc.py:29"), "ERROR test_chained (tests.test_calc.CalcTest.test_chained): ValueError: bad input"),
            (Major, Some("calc.py:2"), "ERROR test_divide (tests.test_calc.CalcTest.test_divide): ZeroDivisionError: division by zero"),
            (Major, Some("tests/test_imports.py:1"), "ERROR tests.test_imports (tests.test_imports): ModuleNotFoundError: No module named 'no_such_module'"),
            (Major, Some("tests/test_syntax.py:1"), "ERROR tests.test_syntax (tests.test_syntax): SyntaxError: invalid syntax"),
            (Major, Some("tests/test_calc.py:8"), "FAIL test_add (tests.test_calc.CalcTest.test_add): AssertionError: -1 != 3"),
            (Major, Some("tests/test_calc.py:15"), "FAIL test_lists (tests.test_calc.CalcTest.test_lists): AssertionError: Lists differ: [1, 2] != [1, 3]"),
            (Major, Some("tests/test_calc.py:20"), "FAIL test_parts (tests.test_calc.CalcTest.test_parts) (part=1): AssertionError: 1 == 1"),
            (Major, None, "UNEXPECTED SUCCESS test_cured (tests.test_calc.CalcTest.test_cured)"),
    ]);
}

#[test]
fn a_unittest_that_finds_no_tests() {
    Run { stderr: include_str!("../fixtures/unittest/none.txt"), ..Run::new("unittest", "test", 0, "") }
        .gives(&[(Major, None, "`x` ran no test")]);
}

#[test]
fn pytest_in_xml() {
    Run {
        files: FILES,
        report: Some(include_str!("../fixtures/pytest/report.xml")),
        ..Run::new("pytest", "test", 1, "")
    }
    .gives(&[
        (
            Major,
            Some("tests/test_imports.py:1"),
            "ERROR tests.test_imports: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (Major, Some("tests/test_calc.py:7"), "FAILED tests.test_calc.test_add: assert -1 == 3"),
        (
            Major,
            Some("calc.py:2"),
            "FAILED tests.test_calc.TestDivide.test_zero: ZeroDivisionError: division by zero",
        ),
        (
            Major,
            Some("tests/test_calc.py:16"),
            "FAILED tests.test_calc.TestDivide.test_odd[2]: assert (2 % 2)",
        ),
        (
            Major,
            Some("tests/test_calc.py:21"),
            "ERROR tests.test_calc.test_setup: failed on setup with \"RuntimeError: no database\"",
        ),
    ]);
    Run {
        files: FILES,
        report: Some(include_str!("../fixtures/pytest/report-xunit1.xml")),
        ..Run::new("pytest", "test", 1, "")
    }
    .gives(&[
        (
            Major,
            Some("tests/test_imports.py:1"),
            "ERROR tests.test_imports: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (Major, Some("tests/test_calc.py:7"), "FAILED tests.test_calc.test_add: assert -1 == 3"),
        (
            Major,
            Some("calc.py:2"),
            "FAILED tests.test_calc.TestDivide.test_zero: ZeroDivisionError: division by zero",
        ),
        (
            Major,
            Some("tests/test_calc.py:16"),
            "FAILED tests.test_calc.TestDivide.test_odd[2]: assert (2 % 2)",
        ),
        (
            Major,
            Some("tests/test_calc.py:21"),
            "ERROR tests.test_calc.test_setup: failed on setup with \"RuntimeError: no database\"",
        ),
    ]);
}

#[test]
fn pytest_in_text() {
    Run::new("pytest", "test", 1, include_str!("../fixtures/pytest/output.txt")).gives(&[
        (Major, Some("tests/test_calc.py:7"), "FAILED test_add: assert -1 == 3"),
        (Major, Some("calc.py:2"), "FAILED TestDivide.test_zero: ZeroDivisionError: division by zero"),
        (Major, Some("tests/test_calc.py:16"), "FAILED TestDivide.test_odd[2]: assert (2 % 2)"),
        (
            Major,
            Some("tests/test_imports.py:1"),
            "ERROR collecting tests/test_imports.py: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (Major, Some("tests/test_calc.py:21"), "ERROR at setup of test_setup: RuntimeError: no database"),
    ]);
    Run::new("pytest", "test", 1, include_str!("../fixtures/pytest/short.txt")).gives(&[
        (Major, Some("tests/test_calc.py:7"), "FAILED test_add: assert -1 == 3"),
        (Major, Some("calc.py:2"), "FAILED TestDivide.test_zero: ZeroDivisionError: division by zero"),
        (Major, Some("tests/test_calc.py:16"), "FAILED TestDivide.test_odd[2]: assert (2 % 2)"),
        (
            Major,
            Some("tests/test_imports.py:1"),
            "ERROR collecting tests/test_imports.py: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (Major, Some("tests/test_calc.py:21"), "ERROR at setup of test_setup: RuntimeError: no database"),
    ]);
    Run::new("pytest", "test", 1, include_str!("../fixtures/pytest/color.txt")).gives(&[
        (Major, Some("tests/test_calc.py:7"), "FAILED test_add: assert -1 == 3"),
        (Major, Some("calc.py:2"), "FAILED TestDivide.test_zero: ZeroDivisionError: division by zero"),
        (Major, Some("tests/test_calc.py:16"), "FAILED TestDivide.test_odd[2]: assert (2 % 2)"),
        (
            Major,
            Some("tests/test_imports.py:1"),
            "ERROR collecting tests/test_imports.py: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (Major, Some("tests/test_calc.py:21"), "ERROR at setup of test_setup: RuntimeError: no database"),
    ]);
}

#[test]
fn pytest_with_pythons_own_tracebacks() {
    Run { files: FILES, ..Run::new("pytest", "test", 1, include_str!("../fixtures/pytest/native.txt")) }.gives(&[
            (Major, Some("tests/test_calc.py:7"), "FAILED test_add: assert -1 == 3"),
            (Major, Some("calc.py:2"), "FAILED TestDivide.test_zero: ZeroDivisionError: divisio..."),
            (Major, Some("tests/test_calc.py:16"), "FAILED TestDivide.test_odd[2]: assert (2 % 2)"),
            (Major, Some("tests/test_imports.py:1"), "ERROR collecting tests/test_imports.py: ModuleNotFoundError: No module named 'no_such_module'"),
            (Major, Some("tests/test_calc.py:21"), "ERROR at setup of test_setup: RuntimeError: no database"),
    ]);
}

#[test]
fn pytest_with_one_line_a_failure() {
    Run { files: FILES, ..Run::new("pytest", "test", 1, include_str!("../fixtures/pytest/line.txt")) }.gives(&[
            (Major, None, "FAILED tests/test_calc.py::test_add: assert -1 == 3"),
            (Major, None, "FAILED tests/test_calc.py::TestDivide::test_zero: ZeroDivisionError: divisio..."),
            (Major, None, "FAILED tests/test_calc.py::TestDivide::test_odd[2]: assert (2 % 2)"),
            (Major, Some("tests/test_imports.py:1"), "ERROR collecting tests/test_imports.py: ModuleNotFoundError: No module named 'no_such_module'"),
            (Major, None, "ERROR at setup of test_setup: RuntimeError: no database"),
    ]);
}

#[test]
fn pytest_without_a_summary() {
    Run::new("pytest", "test", 1, include_str!("../fixtures/pytest/no-summary.txt")).gives(&[
            (Major, None, "`x` exited with code 1; its last lines: test session starts | platform linux -- Python 3.11.7, pytest-9.2.0, pluggy-1.7.0 | rootdir: /home/dev/project | plugins: xdist-3.8.0, cov-7.1.0 | collected 6 items / 1 error | tests/test_calc.py FF.FE. [100%] | 3 failed, 2 passed, 2 errors in 0.05s"),
    ]);
}

#[test]
fn pytest_that_could_not_collect() {
    Run::new("pytest", "test", 2, include_str!("../fixtures/pytest/interrupted.txt")).gives(&[
        (
            Major,
            Some("tests/test_imports.py:1"),
            "ERROR collecting tests/test_imports.py: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (Major, None, "`x` exited with code 2 (interrupted, or tests could not be collected)"),
    ]);
}

#[test]
fn pytest_that_ran_no_tests() {
    Run::new("pytest", "test", 5, include_str!("../fixtures/pytest/none.txt")).gives(&[
            (Major, None, "`x` exited with code 5 (no tests ran); its last lines: test session starts | platform linux -- Python 3.11.7, pytest-9.2.0, pluggy-1.7.0 | rootdir: /home/dev/project | plugins: xdist-3.8.0, cov-7.1.0 | collected 0 items | -------------------- generated xml file: /home/dev/project/o.xml -------------------- | no tests ran in 0.01s"),
    ]);
    Run { report: Some(include_str!("../fixtures/pytest/none.xml")), ..Run::new("pytest", "test", 5, include_str!("../fixtures/pytest/none.txt")) }.gives(&[
            (Major, None, "`x` exited with code 5 (no tests ran); its last lines: test session starts | platform linux -- Python 3.11.7, pytest-9.2.0, pluggy-1.7.0 | rootdir: /home/dev/project | plugins: xdist-3.8.0, cov-7.1.0 | collected 0 items | -------------------- generated xml file: /home/dev/project/o.xml -------------------- | no tests ran in 0.01s"),
    ]);
}

#[test]
fn chains_groups_subtests_and_teardowns_in_xml() {
    Run {
        files: FILES,
        report: Some(include_str!("../fixtures/pytest/edge.xml")),
        ..Run::new("pytest", "test", 1, "")
    }
    .gives(&[
        (Major, Some("tests/test_syntax.py:1"), "ERROR tests.test_syntax: SyntaxError: invalid syntax"),
        (
            Major,
            Some("tests/test_edge.py:6"),
            "FAILED tests.test_edge.test_id[a - b]: AssertionError: assert 'a - b' == ''",
        ),
        (
            Major,
            Some("tests/test_edge.py:6"),
            "FAILED tests.test_edge.test_id[c::d]: AssertionError: assert 'c::d' == ''",
        ),
        (Major, None, "FAILED tests.test_edge.test_cured: [XPASS(strict)]"),
        (
            Major,
            Some("tests/test_edge.py:15"),
            "FAILED tests.test_edge.test_group: ExceptionGroup: two (2 sub-exceptions)",
        ),
        (Major, Some("tests/test_edge.py:22"), "FAILED tests.test_edge.test_chained: KeyError: 'outer'"),
        (Major, Some("tests/test_edge.py:28"), "FAILED tests.test_edge.test_parts: assert 1 != 1"),
        (Major, None, "FAILED tests.test_edge.test_parts: contains 1 failed subtest"),
        (
            Major,
            Some("tests/test_edge.py:38"),
            "FAILED tests.test_edge.test_teardown: AssertionError: assert not 'fails too'",
        ),
        (
            Major,
            Some("tests/test_edge.py:34"),
            "ERROR tests.test_edge.test_teardown: failed on teardown with \"RuntimeError: cannot clean up\"",
        ),
    ]);
}

#[test]
fn chains_groups_subtests_and_teardowns_in_text() {
    Run { files: FILES, ..Run::new("pytest", "test", 1, include_str!("../fixtures/pytest/edge.txt")) }.gives(
        &[
            (
                Major,
                Some("tests/test_edge.py:6"),
                "FAILED test_id[a - b]: AssertionError: assert 'a - b' == ''",
            ),
            (
                Major,
                Some("tests/test_edge.py:6"),
                "FAILED test_id[c::d]: AssertionError: assert 'c::d' == ''",
            ),
            (Major, None, "FAILED test_cured: [XPASS(strict)]"),
            (
                Major,
                Some("tests/test_edge.py:15"),
                "FAILED test_group: ExceptionGroup: two (2 sub-exceptions)",
            ),
            (Major, Some("tests/test_edge.py:22"), "FAILED test_chained: KeyError: 'outer'"),
            (Major, Some("tests/test_edge.py:28"), "FAILED test_parts [part] (number=1): assert 1 != 1"),
            (Major, None, "FAILED test_parts: contains 1 failed subtest"),
            (
                Major,
                Some("tests/test_edge.py:38"),
                "FAILED test_teardown: AssertionError: assert not 'fails too'",
            ),
            (
                Major,
                Some("tests/test_syntax.py:1"),
                "ERROR collecting tests/test_syntax.py: SyntaxError: invalid syntax",
            ),
            (
                Major,
                Some("tests/test_edge.py:34"),
                "ERROR at teardown of test_teardown: RuntimeError: cannot clean up",
            ),
        ],
    );
}

#[test]
fn mypy() {
    Run::new("mypy", "lint", 1, include_str!("../fixtures/mypy/output.jsonl")).gives(&[
        (
            Major,
            Some("app.py:9:12"),
            "Incompatible return value type (got \"int\", expected \"str\") [return-value]",
        ),
        (
            Major,
            Some("app.py:14:12"),
            "Name \"valeu\" is not defined; did you mean \"value\"? [name-defined]",
        ),
    ]);
    Run::new("mypy", "lint", 1, include_str!("../fixtures/mypy/output.txt")).gives(&[
        (
            Major,
            Some("app.py:9:12"),
            "Incompatible return value type (got \"int\", expected \"str\") [return-value]",
        ),
        (
            Major,
            Some("app.py:14:12"),
            "Name \"valeu\" is not defined; did you mean \"value\"? [name-defined]",
        ),
    ]);
    Run::new("mypy", "lint", 1, include_str!("../fixtures/mypy/pretty.txt")).gives(&[
        (Major, Some("app.py:9"), "Incompatible return value type (got \"int\", expected \"str\")"),
        (Major, Some("app.py:14"), "Name \"valeu\" is not defined; did you mean \"value\"?"),
    ]);
}

#[test]
fn mypy_that_was_prevented_from_checking() {
    Run::new("mypy", "lint", 2, include_str!("../fixtures/mypy/prevented.jsonl")).gives(&[
        (Major, Some("broken.py:1:8"), "Expected a parameter or the end of the parameter list [syntax]"),
        (Major, Some("broken.py:2:2"), "Unexpected EOF while parsing [syntax]"),
        (Major, None, "`x` exited with code 2 (a crash, wrong usage, or errors that prevented checking)"),
    ]);
}

#[test]
fn ruff() {
    Run { files: FILES, ..Run::new("ruff", "lint", 1, include_str!("../fixtures/ruff/output.json")) }.gives(
        &[
            (Medium, Some("app.py:1:8"), "F401 `os` imported but unused"),
            (Medium, Some("app.py:13:5"), "F821 Undefined name `reveal_type`"),
            (Medium, Some("app.py:14:12"), "F821 Undefined name `valeu`"),
            (
                Major,
                Some("broken.py:1:7"),
                "invalid-syntax Expected a parameter or the end of the parameter list",
            ),
            (Major, Some("broken.py:2:1"), "invalid-syntax unexpected EOF while parsing"),
        ],
    );
}

#[test]
fn pylint() {
    let run = Run::new("pylint", "lint", 22, include_str!("../fixtures/pylint/output.json"));
    Run { files: FILES, ..run }.gives(&[
        (
            Major,
            Some("broken.py:1:8"),
            "E0001 Parsing failed: 'invalid syntax (broken, line 1)' (syntax-error)",
        ),
        (Minor, Some("app.py:1:1"), "C0114 Missing module docstring (missing-module-docstring)"),
        (
            Minor,
            Some("app.py:7:1"),
            "C0116 Missing function or method docstring (missing-function-docstring)",
        ),
        (
            Minor,
            Some("app.py:12:1"),
            "C0116 Missing function or method docstring (missing-function-docstring)",
        ),
        (Major, Some("app.py:13:5"), "E0602 Undefined variable 'reveal_type' (undefined-variable)"),
        (Major, Some("app.py:14:12"), "E0602 Undefined variable 'valeu' (undefined-variable)"),
        (Medium, Some("app.py:1:1"), "W0611 Unused import os (unused-import)"),
    ]);
    let missing = Run::new("pylint", "lint", 1, include_str!("../fixtures/pylint/missing.json"));
    let findings = missing.findings();
    let said = "`x` did not do its work: it did not look at `missing.py`: No module named missing.py";
    assert!(
        findings.iter().any(|found| found.severity == Major && found.message.ends_with(said)),
        "{findings:#?}"
    );
}

#[test]
fn bandit_and_a_file_that_it_did_not_look_at() {
    Run::new("bandit", "security", 1, include_str!("../fixtures/bandit/output.json")).gives(&[
            (Minor, Some("app.py:2:1"), "B404 Consider possible security implications associated with the subprocess module."),
            (Minor, Some("app.py:4:12"), "B105 Possible hardcoded password: 'hunter2'"),
            (Major, Some("app.py:8:5"), "B602 subprocess call with shell=True identified, security issue."),
            (Major, None, "`x` did not do its work: it did not look at `./broken.py`: syntax error while parsing AST from file"),
    ]);
}

#[test]
fn pyright() {
    let files = &["app.py"];
    let run =
        Run { files, ..Run::new("pyright", "lint", 1, include_str!("../fixtures/pyright/output.json")) };
    run.gives(&[
        (Major, Some("app.py:9:12"), "Type \"int\" is not assignable to return type \"str\" \"int\" is not assignable to \"str\" (reportReturnType)"),
        (Minor, Some("app.py:13:17"), "Type of \"value\" is \"int\""),
        (Major, Some("app.py:14:12"), "\"valeu\" is not defined (reportUndefinedVariable)"),
    ]);
    let broke = |why: &str| format!("`x` did not do its work: {why}");
    Run::new("pyright", "lint", 0, include_str!("../fixtures/pyright/none.json")).gives(&[(
        Major,
        None,
        &broke("it looked at no file"),
    )]);
    let uncounted = r#"{"generalDiagnostics": [], "summary": {"filesAnalyzed": 1, "errorCount": 2}}"#;
    Run::new("pyright", "lint", 1, uncounted).gives(&[(
        Major,
        None,
        &broke("it counts 2 errors and names 0"),
    )]);
}
