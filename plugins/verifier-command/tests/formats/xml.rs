//! JUnit's XML of several tools, and SARIF.

use verifier_command::parsed::Severity::Major;

use crate::Run;

const FILES: &[&str] = &["app.py", "broken.py", "calc.py", "tests/test_calc.py", "tests/test_imports.py"];

#[test]
fn junit_of_unittest() {
    Run { files: FILES, report: Some(include_str!("../fixtures/junit/unittest.xml")), ..Run::new("junit", "test", 1, "") }.gives(&[
            (Major, Some("tests/test_calc.py:8"), "FAILED tests.test_calc.CalcTest.test_add: -1 != 3"),
            (Major, Some("tests/test_calc.py:15"), "FAILED tests.test_calc.CalcTest.test_lists: Lists differ: [1, 2] != [1, 3] First differing element 1: 2 3 - [1, 2] ? ^ + [1, 3] ? ^"),
            (Major, Some("tests/test_calc.py:20"), "FAILED tests.test_calc.CalcTest.test_parts (part=1): 1 == 1"),
            (Major, Some("tests/test_calc.py:29"), "ERROR tests.test_calc.CalcTest.test_chained: bad input"),
            (Major, Some("calc.py:2"), "ERROR tests.test_calc.CalcTest.test_divide: division by zero"),
            (Major, Some("tests/test_calc.py:31"), "ERROR tests.test_calc.CalcTest.test_cured: Unexpected success: This test was marked as expected failure but passed, please review it"),
            (Major, Some("tests/test_calc.py:39"), "ERROR setUpClass (tests.test_calc.Broken): no database"),
            (Major, Some("tests/test_imports.py:1"), "ERROR unittest.loader._FailedTest.tests.test_imports: Failed to import test module: tests.test_imports Traceback (most recent call last): File \"/usr/lib/python3.11/unittest/loader.py\", line 419, in _find_test_path module = self._get_module_from_name(name) ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ File \"/usr/lib/python3.11/unittest/loader.py\", line 362, in _get_module_from_name __import__(name) File \"/home/dev/project/tests/test_imports.py\", line 1, in <module> import no_such_module ModuleNotFoundError: No module named 'no_such_module'"),
            (Major, Some("tests/test_syntax.py:1"), "ERROR unittest.loader._FailedTest.tests.test_syntax: Failed to import test module: tests.test_syntax Traceback (most recent call last): File \"/usr/lib/python3.11/unittest/loader.py\", line 419, in _find_test_path module = self._get_module_from_name(name) ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ File \"/usr/lib/python3.11/unittest/loader.py\", line 362, in _get_module_from_name __import__(name) File \"/home/dev/project/tests/test_syntax.py\", line 1 def broken(: ^ SyntaxError: invalid syntax"),
    ]);
}

#[test]
fn junit_of_node() {
    Run::new("junit", "test", 1, include_str!("../fixtures/junit/node.xml")).gives(&[(
        Major,
        None,
        "FAILED test.adds: 2 == 3",
    )]);
}

#[test]
fn junit_of_ruff() {
    Run::new("junit", "lint", 1, include_str!("../fixtures/junit/ruff.xml")).gives(&[
            (Major, None, "FAILED /home/dev/project/app.org.ruff.F401: `os` imported but unused"),
            (Major, None, "FAILED /home/dev/project/app.org.ruff.F821: Undefined name `reveal_type`"),
            (Major, None, "FAILED /home/dev/project/app.org.ruff.F821: Undefined name `valeu`"),
            (Major, None, "FAILED /home/dev/project/broken.org.ruff.invalid-syntax: Expected a parameter or the end of the parameter list"),
            (Major, None, "FAILED /home/dev/project/broken.org.ruff.invalid-syntax: unexpected EOF while parsing"),
    ]);
}

#[test]
fn sarif_of_ruff() {
    Run { files: FILES, ..Run::new("sarif", "lint", 1, include_str!("../fixtures/sarif/ruff.sarif")) }.gives(
        &[
            (Major, Some("app.py:1:8"), "F401 `os` imported but unused"),
            (Major, Some("app.py:13:5"), "F821 Undefined name `reveal_type`"),
            (Major, Some("app.py:14:12"), "F821 Undefined name `valeu`"),
            (
                Major,
                Some("broken.py:1:7"),
                "invalid-syntax Expected a parameter or the end of the parameter list",
            ),
            (Major, Some("broken.py:2:1"), "invalid-syntax unexpected EOF while parsing"),
        ],
    );
}
