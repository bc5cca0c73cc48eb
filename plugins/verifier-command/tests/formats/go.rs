//! What `go test -json` says.

use verifier_command::parsed::Severity::Major;

use crate::Run;

#[test]
fn tests_packages_and_the_compiler() {
    Run {
        files: &["calc/calc_test.go"],
        stderr: include_str!("../fixtures/go-test/stderr.txt"),
        ..Run::new("go-test", "test", 2, include_str!("../fixtures/go-test/output.jsonl"))
    }
    .gives(&[
        (Major, Some("bad/bad.go:3:23"), "undefined: missing"),
        (Major, Some("calc/calc_test.go:8"), "FAIL example.com/calc/calc TestAdd/small: got -1, want 3"),
        (
            Major,
            Some("calc/calc_test.go:19"),
            "FAIL example.com/calc/calc TestPanics: panic: assignment to entry in nil map [recovered]",
        ),
        (Major, None, "`x` did not do its work: package `example.com/calc/bad` could not be built"),
    ]);
}

#[test]
fn packages_without_tests() {
    Run::new("go-test", "test", 0, include_str!("../fixtures/go-test/none.jsonl")).gives(&[(
        Major,
        None,
        "`x` ran no test",
    )]);
}
