//! Check `vulnerabilities`: no package of the plugin has a known vulnerability, as two scanners say.
//!
//! In -> out: lock file, database -> result. Looks at every package of the lock file.
//! Limits: 60 s for `cargo-audit`.
//! Invariant: the library and the tool look at the same bytes and must say the same; a tool that is missing, crashes,
//! is cut off or saw another database is `error`. No advisory is ever ignored, and no operating system is taken for
//! granted: what concerns another one counts too.
//! A package of the lock file that this plugin's build does not use is only noted.
//! Not here: whether the database may be used (`advisory_db.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use orch_plugin::dependencies::Dependencies;
use orch_trust::certificate::CheckResult;
use orch_trust::strict_json;
use rustsec::advisory::Informational;
use rustsec::report::{Report, Settings};
use rustsec::{Database, Lockfile};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{failed, passed, unfinished, warned};
use crate::advisory_db::{self, FreshDatabase};
use crate::outside::{Home, Outside, wanted};
use crate::program::{self, Said};
use crate::source::Source;

pub(crate) const ID: &str = "vulnerabilities";
const AUDIT_WALL: Duration = Duration::from_secs(60);
const VULNERABILITY: &str = "vulnerability";

/// Kind (`vulnerability`, `unsound`, ...), advisory, package, version.
pub(crate) type Hit = (String, String, String, String);

pub(crate) fn check(
    source: &Source,
    outside: &Outside,
    database: &FreshDatabase,
    home: &Home,
) -> CheckResult {
    match look(source, outside, database, home) {
        Ok(hits) => judge(&hits, &source.dependencies, source.lock.packages.len() as u64),
        Err(why) => unfinished(ID, &why),
    }
}

/// What both scanners found.
fn look(
    source: &Source,
    outside: &Outside,
    database: &FreshDatabase,
    home: &Home,
) -> Result<BTreeSet<Hit>, String> {
    let audit = wanted(&outside.programs.cargo_audit, "cargo-audit")?;
    let same = || {
        let (identity, content) =
            advisory_db::read(database.folder()).map_err(|error| format!("{}: {error}", error.code()))?;
        match identity == *database.identity() {
            true => Ok(content),
            false => Err("advisory-db-changed: it is not the one that was judged".to_owned()),
        }
    };
    let content = same()?;
    let own = scan(&content, &source.lock)?;
    let said = ask(audit, database.folder(), &source.lock_path, home)?;
    let other = hits(&said.stdout)?;
    // It says so twice: by its exit code, too.
    if (said.code == 1) != other.iter().any(|(kind, ..)| kind == VULNERABILITY) {
        return Err(format!("tool-output: `cargo-audit` ended with {} and says otherwise", said.code));
    }
    let seen: Seen = parse(&said.stdout)?;
    if seen.database.advisories != database.identity().advisories
        || seen.lockfile.packages != source.lock.packages.len() as u64
    {
        return Err("tools-disagree: `cargo-audit` looked at something else".to_owned());
    }
    same()?;
    agree(own, &other)
}

/// What the library finds.
pub(crate) fn scan(database: &Database, lock: &Lockfile) -> Result<BTreeSet<Hit>, String> {
    let settings = Settings {
        informational_warnings: vec![
            Informational::Unmaintained,
            Informational::Unsound,
            Informational::Notice,
        ],
        ..Settings::default()
    };
    let report = Report::generate(database, lock, &settings);
    hits(&serde_json::to_vec(&report).map_err(|error| error.to_string())?)
}

fn ask(audit: &Path, database: &Path, lock: &Path, home: &Home) -> Result<Said, String> {
    let mut args: Vec<std::ffi::OsString> = vec!["audit".into(), "--db".into(), database.into()];
    args.extend(["--no-fetch", "--no-yanked", "--stale", "--json", "--file"].map(Into::into));
    args.push(lock.into());
    let said = program::run("cargo-audit", home.request(audit, args, None, AUDIT_WALL))?;
    // 1 says that there is a vulnerability, or that it failed: its output tells.
    match said.code {
        0 | 1 if !said.stdout.is_empty() => Ok(said),
        code => Err(format!("tool-crashed: `cargo-audit`: exit code {code}: {}", said.trace())),
    }
}

/// What a tool says it saw.
#[derive(Deserialize)]
struct Seen {
    database: SeenDatabase,
    lockfile: SeenLock,
}

#[derive(Deserialize)]
struct SeenDatabase {
    #[serde(rename = "advisory-count")]
    advisories: u64,
}

#[derive(Deserialize)]
struct SeenLock {
    #[serde(rename = "dependency-count")]
    packages: u64,
}

/// A report in the form that the library and the tool share.
#[derive(Deserialize)]
struct Findings {
    vulnerabilities: Vulnerabilities,
    warnings: BTreeMap<String, Vec<Hitting>>,
}

#[derive(Deserialize)]
struct Vulnerabilities {
    found: bool,
    count: u64,
    list: Vec<Hitting>,
}

#[derive(Deserialize)]
struct Hitting {
    advisory: Named,
    package: Versioned,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Versioned {
    name: String,
    version: String,
}

fn parse<T: DeserializeOwned>(report: &[u8]) -> Result<T, String> {
    strict_json::parse_foreign(report).map_err(|error| format!("tool-output: no report: {error}"))
}

fn hits(report: &[u8]) -> Result<BTreeSet<Hit>, String> {
    let Findings { vulnerabilities, warnings } = parse(report)?;
    let Vulnerabilities { found, count, list } = vulnerabilities;
    if count != list.len() as u64 || found == list.is_empty() {
        return Err("tool-output: a report that does not count its own findings right".to_owned());
    }
    let of =
        |kind: &str, hit: Hitting| (kind.to_owned(), hit.advisory.id, hit.package.name, hit.package.version);
    let mut hits: BTreeSet<Hit> = list.into_iter().map(|hit| of(VULNERABILITY, hit)).collect();
    for (kind, list) in warnings {
        hits.extend(list.into_iter().map(|hit| of(&kind, hit)));
    }
    Ok(hits)
}

fn agree(own: BTreeSet<Hit>, other: &BTreeSet<Hit>) -> Result<BTreeSet<Hit>, String> {
    match own.symmetric_difference(other).next() {
        None => Ok(own),
        Some(hit) => {
            let who = if own.contains(hit) { "the library" } else { "`cargo-audit`" };
            Err(format!("tools-disagree: only {who} names {}", show(hit)))
        }
    }
}

fn show((kind, advisory, name, version): &Hit) -> String {
    format!("{kind}: {advisory} in {name} {version}")
}

/// A vulnerability refuses; what is unmaintained or unsound is for a person to weigh.
pub(crate) fn judge(hits: &BTreeSet<Hit>, dependencies: &Dependencies, looked_at: u64) -> CheckResult {
    let used = |(_, _, name, version): &Hit| {
        let same = |package: &orch_plugin::dependencies::Dependency| {
            package.name == *name && package.version.to_string() == *version
        };
        dependencies.packages.iter().any(same)
    };
    let (inside, beside): (Vec<&Hit>, Vec<&Hit>) = hits.iter().partition(|hit| used(hit));
    let findings: Vec<String> = inside.iter().map(|hit| show(hit)).collect();
    if inside.iter().any(|(kind, ..)| kind == VULNERABILITY) {
        return failed(ID, looked_at, findings);
    }
    match findings.is_empty() {
        true => {
            let notes = beside.iter().map(|hit| format!("not in this plugin: {}", show(hit)));
            passed(ID, looked_at, notes.collect())
        }
        false => warned(ID, looked_at, findings),
    }
}

#[cfg(test)]
mod tests {
    use orch_trust::certificate::CheckStatus;

    use super::super::dependency_match::tests::made_up;
    use super::*;

    fn hit(kind: &str, name: &str) -> Hit {
        (kind.into(), "RUSTSEC-2026-0001".into(), name.into(), "1.0.0".into())
    }

    #[track_caller]
    fn check(hits: &[Hit], status: CheckStatus, findings: &[&str]) {
        let result = judge(&hits.iter().cloned().collect(), &made_up(), 3);
        assert_eq!(result.status, status);
        assert_eq!(result.findings, findings);
    }

    #[test]
    fn a_vulnerability_refuses_and_the_rest_is_weighed() {
        check(&[], CheckStatus::Pass, &[]);
        let vulnerable = "vulnerability: RUSTSEC-2026-0001 in parser 1.0.0";
        let unsound = "unsound: RUSTSEC-2026-0001 in parser 1.0.0";
        check(&[hit("vulnerability", "parser")], CheckStatus::Fail, &[vulnerable]);
        check(&[hit("unsound", "parser")], CheckStatus::Warn, &[unsound]);
        let both = [hit("unsound", "parser"), hit("vulnerability", "parser")];
        check(&both, CheckStatus::Fail, &[unsound, vulnerable]);
        let note = "not in this plugin: vulnerability: RUSTSEC-2026-0001 in tester 1.0.0";
        check(&[hit("vulnerability", "tester")], CheckStatus::Pass, &[note]);
    }

    #[test]
    fn scanners_that_disagree_have_found_nothing() {
        let one = BTreeSet::from([hit("unsound", "parser")]);
        assert_eq!(agree(one.clone(), &one), Ok(one.clone()));
        let only = agree(one.clone(), &BTreeSet::new()).unwrap_err();
        assert_eq!(only, "tools-disagree: only the library names unsound: RUSTSEC-2026-0001 in parser 1.0.0");
        let only = agree(BTreeSet::new(), &one).unwrap_err();
        assert!(only.starts_with("tools-disagree: only `cargo-audit` names"), "{only}");
    }

    #[test]
    fn a_report_counts_its_own_findings() {
        let report = |found: bool, count: u64| {
            format!(r#"{{"vulnerabilities":{{"found":{found},"count":{count},"list":[]}},"warnings":{{}}}}"#)
        };
        assert_eq!(hits(report(false, 0).as_bytes()), Ok(BTreeSet::new()));
        for wrong in [report(true, 0), report(false, 1), report(false, 0)[..40].to_owned(), String::new()] {
            assert!(hits(wrong.as_bytes()).unwrap_err().starts_with("tool-output: "), "{wrong}");
        }
        // Fields are named, at every level.
        for wrong in [
            r#"[{"found":false,"count":0,"list":[]},{}]"#,
            r#"{"vulnerabilities":[false,0,[]],"warnings":{}}"#,
        ] {
            assert!(hits(wrong.as_bytes()).unwrap_err().starts_with("tool-output: "), "{wrong}");
        }
    }
}
