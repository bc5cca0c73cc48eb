//! What runners that speak TAP say.

use verifier_command::parsed::Severity::Major;

use crate::Run;

const GREEN: &str = include_str!("../fixtures/tap/green.tap");

#[test]
fn perl() {
    let stderr = include_str!("../fixtures/tap/calc.stderr");
    let run = Run { stderr, ..Run::new("tap", "test", 2, include_str!("../fixtures/tap/calc.tap")) };
    run.gives(&[
        (Major, Some("calc.t:6"), "FAILED subtracts # not a directive"),
        (Major, Some("calc.t:7"), "FAILED divides"),
    ]);
    Run::new("tap", "test", 0, GREEN).gives(&[]);
}

#[test]
fn node() {
    let files = &["sum.test.mjs"];
    let run = Run { files, ..Run::new("tap", "test", 1, include_str!("../fixtures/tap/node.tap")) };
    run.gives(&[
        (Major, Some("sum.test.mjs:4:1"), "FAILED adds: 2 == 3"),
        (Major, Some("sum.test.mjs:5:1"), "FAILED outer: 1 subtest failed"),
    ]);
}

#[test]
fn a_stream_is_whole_only_with_its_plan() {
    let broke = |why: &str| format!("`x` did not do its work: {why}");
    let unplanned = broke("a plan, such as `1..3`, is not there: it ended before");
    let cut = broke("its plan is 3 tests, and 1 were there");
    let bailed = broke("it bailed out: database gone");
    for (code, text, expected) in [
        (0, "ok 1 - a\nok 2 - b\n", &[&*unplanned][..]),
        (0, "1..3\nok 1 - a\n", &[&*cut]),
        (0, "1..1\nok 1 - a\nok 2 - b\n", &[&*broke("its plan is 1 tests, and 2 were there")]),
        (255, include_str!("../fixtures/tap/dies.tap"), &[&*cut]),
        (255, include_str!("../fixtures/tap/bails.tap"), &[&*bailed, &*cut]),
        (0, include_str!("../fixtures/tap/skips.tap"), &["`x` ran no test"]),
        (0, "1..1\nok 1 - a # SKIP no network\n", &["`x` ran no test: 1 skipped"]),
        // The stream says it, whatever the exit code is; also several of them.
        (0, "1..1\nnot ok 1 - a\n", &["FAILED a"]),
        (0, "1..1\nok 1 - a\n1..2\nok 1 - b\nnot ok 2 - c\n", &["FAILED c"]),
        (0, "1..2\nok 1 - a\nnot ok 2 - b # TODO later\n", &[]),
    ] {
        let expected: Vec<_> = expected.iter().map(|message| (Major, None, *message)).collect();
        Run::new("tap", "test", code, text).gives(&expected);
    }
    // Standard output beside a report is not read.
    Run { report: Some(GREEN), ..Run::new("tap", "test", 0, "1..1\nnot ok 1 - printed\n") }.gives(&[]);
}
