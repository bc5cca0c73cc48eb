//! Check `dependency-review`: somebody says that they read what the plugin is made of.
//!
//! In -> out: committed sources -> result. Looks at every package that the build for guests uses.
//! Limits: 60 s for `cargo-vet`.
//! Invariant: sources without `supply-chain/` are a warning and never a pass; reviews that are claimed and do not
//! hold fail. The reviews are the publisher's own word, or of those whom the publisher believes.
//! Not here: known vulnerabilities (`vulnerabilities.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use orch_trust::certificate::CheckResult;
use orch_trust::strict_json;
use serde::Deserialize;

use super::{failed, passed, unfinished, warned};
use crate::outside::{Home, Outside, wanted};
use crate::program;
use crate::source::Source;

pub(crate) const ID: &str = "dependency-review";
const VET_WALL: Duration = Duration::from_secs(60);
const FOLDER: &str = "supply-chain";

pub(crate) fn check(source: &Source, outside: &Outside, home: &Home) -> CheckResult {
    let looked_at = source.dependencies.packages.len() as u64;
    let workspace = &source.dependencies.workspace_folder;
    if !workspace.join(FOLDER).is_dir() {
        let foreign = source.dependencies.packages.iter().filter(|package| package.source.is_some()).count();
        let finding = format!("not-reviewed: nobody says that the {foreign} packages of others were read");
        return warned(ID, looked_at, vec![finding]);
    }
    let asked = || {
        let vet = wanted(&outside.programs.cargo_vet, "cargo-vet")?;
        let mut args: Vec<std::ffi::OsString> = vec!["vet".into(), "--manifest-path".into()];
        args.push(workspace.join("Cargo.toml").into());
        args.extend(["--locked", "--frozen", "--output-format", "json"].map(Into::into));
        program::run("cargo-vet", home.request(vet, args, None, VET_WALL))
    };
    match asked() {
        Ok(said) => judge(&said.stdout, said.code, looked_at)
            .unwrap_or_else(|why| unfinished(ID, &format!("{why}{}", said.trace()))),
        Err(why) => unfinished(ID, &why),
    }
}

/// What `cargo vet` says. An enum with a tag would be read from arrays too.
#[derive(Deserialize)]
struct Review {
    conclusion: Conclusion,
    /// Of a success.
    #[serde(default)]
    vetted_fully: Vec<Versioned>,
    #[serde(default)]
    vetted_partially: Vec<Versioned>,
    #[serde(default)]
    vetted_with_exemptions: Vec<Versioned>,
    /// Of what is not reviewed.
    failures: Option<Vec<Versioned>>,
    /// Of what a review speaks against.
    violations: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Conclusion {
    #[serde(rename = "success")]
    Success,
    #[serde(rename = "fail (vetting)")]
    Unvetted,
    #[serde(rename = "fail (violation)")]
    Violated,
}

#[derive(Deserialize)]
struct Versioned {
    name: String,
    version: String,
}

pub(crate) fn judge(output: &[u8], code: i32, looked_at: u64) -> Result<CheckResult, String> {
    let no_report = |why: &dyn std::fmt::Display| format!("tool-output: `cargo-vet` gave no report: {why}: ");
    let review: Review = strict_json::parse_foreign(output).map_err(|error| no_report(&error))?;
    let conclusion = review.conclusion;
    if (conclusion == Conclusion::Success) != (code == 0) {
        return Err(format!("tool-output: `cargo-vet` ended with {code} and says otherwise: "));
    }
    Ok(match conclusion {
        Conclusion::Success => {
            let reviewed = review.vetted_fully.len();
            let less = review.vetted_partially.len() + review.vetted_with_exemptions.len();
            match (reviewed, less) {
                (0, 0) => return Err("tool-output: `cargo-vet` looked at nothing: ".to_owned()),
                (_, 0) => passed(ID, looked_at, Vec::new()),
                _ => {
                    let all = reviewed + less;
                    let finding = format!("not-reviewed: {less} of {all} packages are exempt from review");
                    warned(ID, looked_at, vec![finding])
                }
            }
        }
        Conclusion::Unvetted => {
            let failures = review.failures.ok_or_else(|| no_report(&"it names no failures"))?;
            let named = failures.iter().map(|one| format!("review-missing: {} {}", one.name, one.version));
            failed(ID, looked_at, named.collect())
        }
        Conclusion::Violated => {
            let violations = review.violations.ok_or_else(|| no_report(&"it names no violations"))?;
            let named = violations.keys().map(|name| format!("review-violated: {name}"));
            failed(ID, looked_at, named.collect())
        }
    })
}

#[cfg(test)]
mod tests {
    use orch_trust::certificate::CheckStatus;

    use super::*;

    #[track_caller]
    fn check(output: &str, code: i32, status: Option<CheckStatus>, findings: &[&str]) {
        match (judge(output.as_bytes(), code, 3), status) {
            (Ok(result), Some(status)) => {
                assert_eq!(result.status, status);
                assert_eq!(result.findings, findings);
            }
            (Err(why), None) => assert!(why.starts_with("tool-output: "), "{why}"),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn reviews_hold_are_exempt_or_fail() {
        let one = r#"[{"name":"parser","version":"1.0.0"}]"#;
        let success = |fully: &str, exempt: &str| {
            format!(
                r#"{{"conclusion":"success","vetted_fully":{fully},"vetted_partially":[],"vetted_with_exemptions":{exempt}}}"#
            )
        };
        check(&success(one, "[]"), 0, Some(CheckStatus::Pass), &[]);
        let exempt = "not-reviewed: 1 of 2 packages are exempt from review";
        check(&success(one, one), 0, Some(CheckStatus::Warn), &[exempt]);
        let failing = format!(r#"{{"conclusion":"fail (vetting)","failures":{one},"suggest":null}}"#);
        check(&failing, 255, Some(CheckStatus::Fail), &["review-missing: parser 1.0.0"]);
        let violated = r#"{"conclusion":"fail (violation)","violations":{"parser:1.0.0":[]}}"#;
        check(violated, 255, Some(CheckStatus::Fail), &["review-violated: parser:1.0.0"]);
        // What is cut off, empty, or contradicts its own exit code says nothing.
        check(&success(one, "[]")[..30], 0, None, &[]);
        check("", 0, None, &[]);
        check(&success("[]", "[]"), 0, None, &[]);
        check(&success(one, "[]"), 255, None, &[]);
        check(&failing, 0, None, &[]);
        check(r#"{"conclusion":"fail (vetting)"}"#, 255, None, &[]);
        check(r#"{"conclusion":"fail (violation)"}"#, 255, None, &[]);
        // Fields are named, at every level.
        check(&format!(r#"["success",{one},[],[]]"#), 0, None, &[]);
        check(&success(r#"[["parser","1.0.0"]]"#, "[]"), 0, None, &[]);
    }
}
