//! Check `provenance`: the release says which commit it was made of, and that commit is what was looked at.
//!
//! In -> out: package, repository -> result. Looks at the release and the repository's folder.
//! Invariant: a release without sources, of another commit, or beside changed files fails.
//! The release's signature is not verified: the certifier knows no publishers. A host does both, and compares the
//! commit again (`source-other-commit`). Where the address leads is not looked at: nothing here uses a network.
//! Not here: what the commit builds to (`reproducible_build.rs`).

use orch_trust::certificate::CheckResult;
use orch_trust::dsse;
use orch_trust::inputs::is_commit;
use orch_trust::package::PackageBytes;
use orch_trust::release::{Release, Source, is_source_uri};

use super::{finding, judged};

pub(crate) const ID: &str = "provenance";

/// `changes`: committed files that are not there as they were committed.
pub(crate) fn check(package: &PackageBytes, commit: &str, changes: usize) -> CheckResult {
    let mut findings = match said(package) {
        Ok(Some(source)) => judge(&source, commit),
        Ok(None) => vec!["source-missing: the release does not say where its sources are".to_owned()],
        Err(why) => vec![why],
    };
    if changes > 0 {
        findings.push(format!("source-changed: {changes} committed files are not as they were committed"));
    }
    judged(ID, 2, findings)
}

/// What the release says, whoever signed it.
fn said(package: &PackageBytes) -> Result<Option<Source>, String> {
    let bytes = package.release().ok_or_else(|| "release-missing: nobody signed a release".to_owned())?;
    let statement = dsse::read_unverified::<Release>(orch_trust::package::RELEASE, bytes)
        .map_err(|refusal| finding(&refusal))?;
    let other = |file: String| format!("release-other-subject: the release is of another `{file}`");
    package.check_subjects(&statement.subject).map_err(other)?;
    Ok(statement.predicate.source)
}

fn judge(source: &Source, commit: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if !is_source_uri(&source.uri) {
        findings.push("source-uri: the release's address of its sources is none".to_owned());
    }
    if !is_commit(&source.commit) {
        findings.push("source-commit: the release does not name a commit in full".to_owned());
    } else if source.commit != commit {
        findings
            .push(format!("source-other-commit: the release is of `{}`, found `{commit}`", source.commit));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_of_the_commit_that_is_there() {
        let commit = "ab".repeat(20);
        let source = |uri: &str, commit: &str| Source { uri: uri.into(), commit: commit.into() };
        let uri = "git+https://example.org/acme/note";
        assert_eq!(judge(&source(uri, &commit), &commit), [""; 0]);
        let code = |source: Source| {
            let findings = judge(&source, &commit);
            assert_eq!(findings.len(), 1, "{findings:?}");
            findings[0].split(':').next().unwrap().to_owned()
        };
        assert_eq!(code(source(uri, &"cd".repeat(20))), "source-other-commit");
        assert_eq!(code(source(uri, &commit[..7])), "source-commit");
        assert_eq!(code(source(uri, "HEAD")), "source-commit");
        for wrong in ["", "example.org/note", "/srv/note", "https://", "https://user:word@example.org/x"] {
            assert_eq!(code(source(wrong, &commit)), "source-uri", "{wrong}");
        }
    }
}
