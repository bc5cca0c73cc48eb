//! A run that found nothing gives nothing, whatever the program printed between the tool's own lines.

use crate::Run;

/// Lines that look like those of tools.
const PRINTED: &[&str] = &[
    "FAILED tests/test_a.py::test_x - assert 0",
    "ERROR tests/test_a.py",
    "___ test_x ___",
    "__main__",
    "E   assert 0",
    "tests/test_a.py:3: AssertionError",
    "=================================== FAILURES ===================================",
    "=========================== short test summary info ============================",
    "--- Captured stdout call ---",
    "======================================================================",
    "----------------------------------------------------------------------",
    "FAIL: test_x (tests.test_a.A.test_x)",
    "Traceback (most recent call last):",
    "  File \"/p/tests/test_a.py\", line 3, in test_x",
    "KeyError: 1",
    "FAILED (failures=1)",
    "test a ... FAILED",
    "failures:",
    "    a",
    "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
    "error[E0425]: cannot find `x`",
    " --> src/lib.rs:2:5",
    "127.0.0.1:5432: accepting connections",
    "example.com:443: handshake ok",
    "v1.2:3: released",
    "src/a.ts(1,7): error TS2322: no",
    "src/a.ts:1:7 - error TS2322: no",
    "a.py:3:1: E501 line too long",
    "--- FAIL: TestNot (0.00s)",
    "FAIL\texample.com/calc\t0.1s",
    "FAIL\texample.com/bad [build failed]",
    "bad/bad.go:3:23: undefined: missing",
    "",
];

/// Green outputs of tools that are read as text, with the place of their own lines.
const GREEN: &[(&str, &str)] = &[
    ("pytest", include_str!("../fixtures/pytest/green.txt")),
    (
        "unittest",
        "...\n----------------------------------------------------------------------\nRan 3 tests in 0.001s\n\nOK\n",
    ),
    ("cargo-test", include_str!("../fixtures/cargo-test/green.txt")),
    ("path-line-col", "All checks passed!\n"),
    ("mypy", "Success: no issues found in 3 source files\n"),
    ("tsc", ""),
    ("rustc-json", ""),
    ("plain", ""),
];

const ESLINT: &str = r#"[{"filePath": "/w/a.js", "messages": []}]"#;

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    /// The tool's lines in their order, and others before, between and after them.
    fn interleaved(&mut self, tool: &str) -> String {
        let mut text = String::new();
        for line in tool.lines().chain([""]) {
            for _ in 0..self.below(4) {
                text.push_str(PRINTED[self.below(PRINTED.len())]);
                text.push('\n');
            }
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

#[test]
fn what_a_program_prints_is_never_a_finding() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..200 {
        for (format, tool) in GREEN {
            let (stdout, stderr) = (numbers.interleaved(tool), numbers.interleaved(""));
            let run = Run { stderr: &stderr, files: &["a.py"], ..Run::new(format, "test", 0, &stdout) };
            assert_eq!(run.findings(), [], "{format}, round {round}:\n{stdout}\n{stderr}");
        }
    }
}

#[test]
fn what_a_program_prints_beside_a_machine_form_is_never_a_finding() {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let junit = include_str!("../fixtures/pytest/green.xml");
    let go = include_str!("../fixtures/go-test/green.jsonl");
    let cargo = "{\"reason\":\"build-finished\",\"success\":true}\n";
    for _ in 0..200 {
        let printed = numbers.interleaved("");
        let noisy = format!("done in 3s, tests < 9\n{junit}\nbye <3\n");
        assert_eq!(Run::new("junit", "test", 0, &noisy).findings(), []);
        for (format, report) in [("pytest", junit), ("junit", junit), ("ruff", "[]"), ("eslint", ESLINT)] {
            let run = Run { report: Some(report), stderr: &printed, ..Run::new(format, "test", 0, &printed) };
            assert_eq!(run.findings(), [], "{format}:\n{printed}");
        }
        for (format, tool) in [("go-test", go), ("cargo-check", cargo), ("cargo-clippy", cargo)] {
            let (stdout, stderr) = (numbers.interleaved(tool), numbers.interleaved(""));
            let run = Run { stderr: &stderr, ..Run::new(format, "test", 0, &stdout) };
            assert_eq!(run.findings(), [], "{format}:\n{stdout}");
        }
    }
}
