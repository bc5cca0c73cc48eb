//! What tools for JavaScript and TypeScript say.

use verifier_command::parsed::Severity::{Major, Medium};

use crate::Run;

#[test]
fn eslint() {
    Run {
        files: &["src/a.js", "src/b.js"],
        ..Run::new("eslint", "lint", 1, include_str!("../fixtures/eslint/output.json"))
    }
    .gives(&[
        (Medium, Some("src/a.js:1:7"), "'unused' is assigned a value but never used. (no-unused-vars)"),
        (Major, Some("src/a.js:2:5"), "'x' is not defined. (no-undef)"),
        (Major, Some("src/a.js:2:7"), "Expected '===' and instead saw '=='. (eqeqeq)"),
        (Major, Some("src/a.js:3:3"), "'y' is not defined. (no-undef)"),
        (Major, Some("src/b.js:1:10"), "Parsing error: Unexpected token ("),
    ]);
}

#[test]
fn tsc() {
    Run::new("tsc", "lint", 1, include_str!("../fixtures/tsc/output.txt")).gives(&[
        (Major, Some("src/a.ts:1:7"), "TS2322: Type 'string' is not assignable to type 'number'."),
        (Major, Some("src/a.ts:3:10"), "TS2304: Cannot find name 'missing'."),
        (Major, Some("src/a.ts:5:10"), "TS2322: Type 'number' is not assignable to type 'string'."),
    ]);
    Run::new("tsc", "lint", 1, include_str!("../fixtures/tsc/pretty.txt")).gives(&[
        (Major, Some("src/a.ts:1:7"), "TS2322: Type 'string' is not assignable to type 'number'."),
        (Major, Some("src/a.ts:3:10"), "TS2304: Cannot find name 'missing'."),
        (Major, Some("src/a.ts:5:10"), "TS2322: Type 'number' is not assignable to type 'string'."),
    ]);
}
