//! Inputs: what a certifier looked at beside the package itself.
//!
//! In -> out: what a certificate says of them, and its time -> nothing, or why it does not count.
//! Limits: a database of advisories is at most 30 days old when the checks end.
//! Invariant: a certificate names all of them, so that everybody can repeat its checks; level `certified` must have the
//! sources and a database.
//! Not here: reading sources and databases (`orch-certify`).

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::refusal::Refusal;
use crate::time::{Day, UnixSeconds};

/// How old the newest advisory of a database may be, in days.
pub const ADVISORY_DB_DAYS_MAX: i64 = 30;
/// Somewhere it is tomorrow already.
const TOMORROW_DAYS: i64 = 1;

/// What a certifier looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Inputs {
    /// Of the lock file in the sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cargo_lock_sha256: Option<Sha256Digest>,
    /// Git's name for the sources, in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advisory_db: Option<AdvisoryDb>,
    /// Of the ids that the plugin was not to be taken for, where some were given: sorted, each once, each with a line
    /// end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_ids_sha256: Option<Sha256Digest>,
    /// Of the manifest of the release before, where one was given; it names the digests of that release's other files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_manifest_sha256: Option<Sha256Digest>,
    /// The compiler that built it again. Evidence: not part of the result digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rustc: Option<String>,
}

/// A database of advisories, as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AdvisoryDb {
    /// Over its files, sorted by path: digest, two spaces, path, line end.
    pub sha256: Sha256Digest,
    /// The newest advisory's own.
    pub date: Day,
    /// How many it has.
    pub advisories: u64,
    /// Git's name for it, where it came with git. Evidence: not part of the result digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl AdvisoryDb {
    /// Succeeds if it was young enough at that time.
    ///
    /// # Errors
    /// `AdvisoryDbTooOld`, `AdvisoryDbFromTheFuture`.
    pub fn check_age(&self, at: UnixSeconds) -> Result<(), Refusal> {
        let start = self.date.start();
        if at > start.plus(ADVISORY_DB_DAYS_MAX * UnixSeconds::DAY) {
            return Err(Refusal::AdvisoryDbTooOld { date: self.date, limit_days: ADVISORY_DB_DAYS_MAX });
        }
        match start > at.plus(TOMORROW_DAYS * UnixSeconds::DAY) {
            true => Err(Refusal::AdvisoryDbFromTheFuture { date: self.date }),
            false => Ok(()),
        }
    }

    /// How many whole days old it is at that time; negative for one from the future.
    pub fn age_days(&self, at: UnixSeconds) -> i64 {
        at.0.saturating_sub(self.date.start().0).div_euclid(UnixSeconds::DAY)
    }
}

impl Inputs {
    /// Succeeds if everything that must be there is named, and the database was young enough when the checks ended.
    ///
    /// # Errors
    /// `CertificateInputs`, `AdvisoryDbTooOld`, `AdvisoryDbFromTheFuture`.
    pub fn check(&self, finished_at: UnixSeconds) -> Result<(), Refusal> {
        let missing = |what| Err(Refusal::CertificateInputs { what });
        if self.cargo_lock_sha256.is_none() {
            return missing("a lock file");
        }
        if !self.source_commit.as_deref().is_some_and(is_commit) {
            return missing("a commit of the sources");
        }
        match &self.advisory_db {
            None => missing("a database of advisories"),
            Some(database) if database.advisories == 0 => missing("a database that has advisories"),
            Some(database) => database.check_age(finished_at),
        }
    }

    /// What every certifier that looked at the same things must say alike.
    ///
    /// A result such as "no known vulnerability" means something only together with the database that it was found
    /// with: the digest of results covers it. How the database came there, and which compiler was at hand, differ
    /// between certifiers that found the same.
    pub(crate) fn alike(&self) -> Self {
        let advisory_db = self.advisory_db.clone().map(|database| AdvisoryDb { commit: None, ..database });
        Self { advisory_db, rustc: None, ..self.clone() }
    }
}

/// True if that is a full name of a commit: 40 or 64 lower-case hexadecimal digits.
pub fn is_commit(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    digits && (text.len() == 40 || text.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixSeconds {
        UnixSeconds::parse(text).unwrap()
    }

    fn full() -> Inputs {
        Inputs {
            cargo_lock_sha256: Some(Sha256Digest::of(b"lock")),
            source_commit: Some("ab".repeat(20)),
            advisory_db: Some(AdvisoryDb {
                sha256: Sha256Digest::of(b"database"),
                date: Day::parse("2026-08-21").unwrap(),
                advisories: 3,
                commit: None,
            }),
            known_ids_sha256: None,
            previous_manifest_sha256: None,
            rustc: None,
        }
    }

    #[test]
    fn a_database_is_so_many_whole_days_old() {
        let database = full().advisory_db.unwrap();
        let ages =
            ["2026-08-20T23:59:59Z", "2026-08-21T00:00:00Z", "2026-08-21T23:59:59Z", "2026-09-20T00:00:00Z"];
        assert_eq!(ages.map(|text| database.age_days(at(text))), [-1, 0, 0, 30]);
    }

    #[test]
    fn what_differs_between_certifiers_is_left_out_and_what_was_looked_at_is_not() {
        let mut own = Inputs { rustc: Some("1.95.0".to_owned()), ..full() };
        own.advisory_db.as_mut().unwrap().commit = Some("ab".repeat(20));
        assert_eq!(own.alike(), full().alike());
        let digest = Some(Sha256Digest::of(b"x"));
        let known = Inputs { known_ids_sha256: digest, ..full() };
        let previous = Inputs { previous_manifest_sha256: digest, ..full() };
        assert_ne!(known.alike(), full().alike());
        assert_ne!(previous.alike(), full().alike());
        // What was not given is not written: such certificates keep their bytes.
        let text = serde_json::to_string(&full()).unwrap();
        assert!(!text.contains("known") && !text.contains("previous"), "{text}");
    }

    #[track_caller]
    fn check(inputs: &Inputs, time: &str, code: Option<&str>) {
        assert_eq!(inputs.check(at(time)).err().map(|refusal| refusal.code()), code);
    }

    #[test]
    fn a_database_counts_for_thirty_days() {
        check(&full(), "2026-08-21T00:00:00Z", None);
        check(&full(), "2026-09-20T00:00:00Z", None);
        check(&full(), "2026-09-20T00:00:01Z", Some("advisory-db-too-old"));
        check(&full(), "2026-08-20T00:00:00Z", None);
        check(&full(), "2026-08-19T23:59:59Z", Some("advisory-db-from-the-future"));
    }

    #[test]
    fn every_input_must_be_named() {
        let time = "2026-08-22T00:00:00Z";
        let missing = Some("certificate-inputs");
        check(&Inputs::default(), time, missing);
        check(&Inputs { cargo_lock_sha256: None, ..full() }, time, missing);
        check(&Inputs { advisory_db: None, ..full() }, time, missing);
        check(&Inputs { source_commit: None, ..full() }, time, missing);
        for commit in ["", "main", "abcdef1", &"AB".repeat(20), &"ab".repeat(21)] {
            check(&Inputs { source_commit: Some(commit.to_owned()), ..full() }, time, missing);
        }
        let mut empty = full();
        empty.advisory_db.as_mut().unwrap().advisories = 0;
        check(&empty, time, missing);
    }
}
