//! The two groups that need something from outside of the package, run in a child.
//!
//! In -> out: package, what was given, an empty folder -> the group's report, with the inputs that were looked at.
//! Invariant: an input is named only if the check that needs it came to an end.
//! Not here: the checks themselves.

use std::path::Path;

use orch_trust::certificate::{CheckResult, CheckStatus, Measured};
use orch_trust::inputs::Inputs;
use orch_trust::package::PackageBytes;

use super::{
    Group, GroupReport, dependency_match, dependency_review, failed, licences, provenance,
    reproducible_build, skipped, timed, unfinished, vulnerabilities,
};
use crate::outside::{Home, Outside, wanted};
use crate::repository::Repository;
use crate::source::{NoSource, Source};

/// Runs `dependencies` or `source`; every other group has no check here.
pub fn run(group: Group, package: &PackageBytes, outside: &Outside, folder: &Path) -> GroupReport {
    let (results, inputs) = match group {
        Group::Dependencies => dependencies(package, outside, folder),
        Group::Source => source(package, outside, folder),
        _ => (Vec::new(), Inputs::default()),
    };
    GroupReport { results, measured: Measured::default(), inputs, self_check: None }
}

fn dependencies(package: &PackageBytes, outside: &Outside, folder: &Path) -> (Vec<CheckResult>, Inputs) {
    let home = Home::make(folder, &outside.programs, &[("LC_ALL", "C")]);
    let home = home.map_err(NoSource::Broken);
    let source = home.and_then(|home| Ok((Source::read(outside, &home, &folder.join("source"))?, home)));
    let (source, home) = match &source {
        Ok((source, home)) => (source, home),
        Err(none) => {
            let results = Group::Dependencies.checks();
            return (results.iter().map(|id| without_source(none, id)).collect(), Inputs::default());
        }
    };
    let vulnerabilities = timed(|| match &outside.database {
        Some(database) => vulnerabilities::check(source, outside, database, home),
        None => skipped(vulnerabilities::ID, "no database of advisories was given"),
    });
    let looked = !matches!(vulnerabilities.status, CheckStatus::Error | CheckStatus::Skipped);
    let database = outside.database.as_ref().filter(|_| looked);
    let inputs = Inputs {
        cargo_lock_sha256: Some(source.lock_sha256),
        source_commit: Some(source.commit.clone()),
        advisory_db: database.map(|database| database.identity().clone()),
        ..Inputs::default()
    };
    let results = vec![
        timed(|| dependency_match::check(package, source)),
        vulnerabilities,
        timed(|| licences::check(package, source)),
        timed(|| dependency_review::check(source, outside, home)),
    ];
    (results, inputs)
}

/// What the check of that id says without sources.
fn without_source(none: &NoSource, id: &str) -> CheckResult {
    match none {
        NoSource::Absent(why) => skipped(id, why),
        NoSource::Broken(why) => unfinished(id, why),
        NoSource::Refused(why) => failed(id, 1, vec![why.clone()]),
    }
}

fn source(package: &PackageBytes, outside: &Outside, folder: &Path) -> (Vec<CheckResult>, Inputs) {
    let every = |make: &dyn Fn(&str) -> CheckResult| {
        let results = Group::Source.checks().iter().map(|id| make(id)).collect();
        (results, Inputs::default())
    };
    let Some(given) = &outside.source else {
        return every(&|id| skipped(id, "no sources were given"));
    };
    let made = Home::make(folder, &outside.programs, &[("LC_ALL", "C")]);
    let made = made.and_then(|home| Ok((wanted(&outside.programs.git, "git")?, home)));
    let (git, home) = match &made {
        Ok((git, home)) => (git, home),
        Err(why) => return every(&|id| unfinished(id, why)),
    };
    let repository = match Repository::open(git, home, given) {
        Ok(repository) => repository,
        Err(why) if why.starts_with("source-no-repository: ") => return every(&|id| skipped(id, &why)),
        Err(why) => return every(&|id| unfinished(id, &why)),
    };
    let mut rustc = None;
    let rebuilt = timed(|| {
        let (result, compiler) =
            reproducible_build::check(package, &repository, &outside.programs, &folder.join("builds"));
        rustc = compiler;
        result
    });
    let provenance = timed(|| match repository.changes(&folder.join("index")) {
        Ok(changes) => provenance::check(package, &repository.commit, changes),
        Err(why) => unfinished(provenance::ID, &why),
    });
    let inputs = Inputs { source_commit: Some(repository.commit.clone()), rustc, ..Inputs::default() };
    (vec![rebuilt, provenance], inputs)
}
