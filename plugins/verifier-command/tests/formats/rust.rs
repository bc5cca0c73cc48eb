//! What cargo and its tools say, and gcc in their neighbourhood.

use verifier_command::parsed::Severity::{Major, Medium};

use crate::Run;

#[test]
fn rustc() {
    Run { stderr: include_str!("../fixtures/rustc/rustc.jsonl"), ..Run::new("rustc-json", "build", 1, "") }
        .gives(&[
            (Major, Some("src/lib.rs:3:7"), "cannot add `&str` to `u32` (E0277)"),
            (Major, Some("src/lib.rs:7:5"), "cannot find function `missing` in this scope (E0425)"),
        ]);
}

#[test]
fn cargo() {
    Run::new("rustc-json", "build", 0, include_str!("../fixtures/rustc/cargo.jsonl")).gives(&[(
        Medium,
        Some("src/lib.rs:2:9"),
        "unused variable: `unused` (unused_variables)",
    )]);
}

#[test]
fn cargo_check() {
    Run::new("cargo-check", "build", 101, include_str!("../fixtures/cargo-check/output.jsonl")).gives(&[(
        Major,
        Some("src/lib.rs:1:21"),
        "mismatched types (E0308)",
    )]);
}

#[test]
fn cargo_clippy() {
    Run::new("cargo-clippy", "lint", 0, include_str!("../fixtures/cargo-clippy/output.jsonl")).gives(&[
        (Medium, Some("src/lib.rs:2:9"), "unused variable: `unused` (unused_variables)"),
        (Medium, Some("src/lib.rs:6:5"), "unneeded `return` statement (clippy::needless_return)"),
        (
            Medium,
            Some("src/lib.rs:3:8"),
            "equality checks against true are unnecessary (clippy::bool_comparison)",
        ),
    ]);
}

#[test]
fn cargo_test() {
    Run { stderr: include_str!("../fixtures/cargo-test/stderr.txt"), ..Run::new("cargo-test", "test", 101, include_str!("../fixtures/cargo-test/stdout.txt")) }.gives(&[
            (Major, Some("src/lib.rs:16:9"), "FAILED tests::adds: assertion `left == right` failed: one and two"),
            (Major, Some("src/lib.rs:3"), "FAILED src/lib.rs - add (line 3): assertion `left == right` failed"),
            (Major, None, "process didn't exit successfully: `/home/dev/project/debug/deps/dies-7e4bc08e6cbd107f` (signal: 6, SIGABRT: process abort signal)"),
    ]);
}

#[test]
fn cargo_test_of_what_does_not_compile() {
    Run {
        stderr: include_str!("../fixtures/cargo-test/uncompiled.txt"),
        ..Run::new("cargo-test", "test", 101, "")
    }
    .gives(&[(Major, Some("src/lib.rs:1:21"), "mismatched types (E0308)")]);
}

#[test]
fn cargo_test_without_tests() {
    Run::new("cargo-test", "test", 0, include_str!("../fixtures/cargo-test/none.txt")).gives(&[(
        Major,
        None,
        "`x` ran no test",
    )]);
}

#[test]
fn cargo_audit() {
    let output = include_str!("../fixtures/cargo-audit/output.json");
    Run::new("cargo-audit", "security", 1, output).gives(&[
        (Major, None, "vulnerable: bumpalo 3.2.0: Flaw in `realloc` allows reading unknown memory (RUSTSEC-2020-0006, cured in >=3.2.1)"),
        (Major, None, "vulnerable: chrono 0.4.19: Potential segfault in `localtime_r` invocations (RUSTSEC-2020-0159, cured in >=0.4.20)"),
        (Major, None, "vulnerable: remove_dir_all 0.5.3: Race Condition Enabling Link Following and Time-of-check Time-of-use (TOCTOU) (RUSTSEC-2023-0018, cured in >=0.8.0)"),
        (Major, None, "vulnerable: smallvec 1.6.0: Buffer overflow in SmallVec::insert_many (RUSTSEC-2021-0003, cured in >=0.6.14, <1.0.0 or >=1.6.1)"),
        (Major, None, "vulnerable: time 0.1.43: Potential segfault in the time crate (RUSTSEC-2020-0071, cured in >=0.2.23)"),
        (Medium, None, "unmaintained: atty 0.2.14: `atty` is unmaintained (RUSTSEC-2024-0375, no version without it)"),
        (Medium, None, "unmaintained: net2 0.2.37: `net2` crate has been deprecated; use `socket2` instead (RUSTSEC-2020-0016, no version without it)"),
        (Medium, None, "unsound: atty 0.2.14: Potential unaligned read (RUSTSEC-2021-0145, no version without it)"),
        (Medium, None, "unsound: bumpalo 3.2.0: Use-after-free due to a lifetime error in `Vec::into_iter()` (RUSTSEC-2022-0078, cured in >=3.11.1)"),
        (Medium, None, "yanked: bumpalo 3.2.0"),
    ]);
    // The tool's own count, and its list of warnings.
    let said: serde_json::Value = serde_json::from_str(output).unwrap();
    let warnings =
        said["warnings"].as_object().unwrap().values().map(|of_kind| of_kind.as_array().unwrap().len());
    assert_eq!((said["vulnerabilities"]["count"].as_u64(), warnings.sum::<usize>()), (Some(5), 5));
    let green = include_str!("../fixtures/cargo-audit/green.json");
    Run::new("cargo-audit", "security", 0, green).gives(&[]);
}

#[test]
fn gcc() {
    Run { stderr: include_str!("../fixtures/gcc/output.txt"), ..Run::new("path-line-col", "build", 1, "") }
        .gives(&[
            (Major, Some("a.c:4:12"), "‘y’ undeclared (first use in this function)"),
            (Medium, Some("a.c:3:9"), "unused variable ‘unused’ [-Wunused-variable]"),
            (
                Medium,
                Some("a.c:6:27"),
                "format ‘%s’ expects argument of type ‘char *’, but argument 2 has type ‘int’ [-Wformat=]",
            ),
            (Medium, Some("a.c:5:1"), "control reaches end of non-void function [-Wreturn-type]"),
        ]);
}

#[test]
fn libtest_json() {
    let run = Run::new("libtest-json", "test", 101, include_str!("../fixtures/libtest-json/output.jsonl"));
    Run { stderr: include_str!("../fixtures/libtest-json/stderr.txt"), ..run }.gives(&[
        (Major, Some("src/lib.rs:16:9"), "FAILED tests::adds: assertion `left == right` failed: one and two"),
        (Major, Some("src/lib.rs:3"), "FAILED src/lib.rs - add (line 3): assertion `left == right` failed"),
    ]);
    let green = include_str!("../fixtures/libtest-json/green.jsonl");
    Run::new("libtest-json", "test", 0, green).gives(&[]);
    let none = include_str!("../fixtures/libtest-json/none.jsonl");
    Run::new("libtest-json", "test", 0, none).gives(&[(Major, None, "`x` ran no test")]);
    // It could not be compiled: there is no event.
    let uncompiled = include_str!("../fixtures/cargo-test/uncompiled.txt");
    let run = Run { stderr: uncompiled, ..Run::new("libtest-json", "test", 101, "") };
    assert!(run.findings().iter().any(|finding| finding.location.as_deref() == Some("src/lib.rs:1:21")));
}
