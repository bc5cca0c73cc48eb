//! What files were in earlier revisions, each measured once.
//!
//! In -> out: paths, what is kept of their revisions -> [`Past`] of each, by the repository that the workspace is a checkout of.
//! Limits: the last [`REVISIONS_MAX`] commits of a branch at most, [`BLOBS_MAX`] files of 512 KiB read from them in one call,
//! [`PAGES_MAX`] thousands of changes of each commit.
//! Invariant: a commit is the same for ever, so what one made of a path is read and measured once; a path is looked through
//! whole, or by the next call. Where there is no repository there are no revisions, and nothing fails.
//! Not here: what follows from a trend (`judgement.rs`), what runs measured (`history.rs`).

use std::collections::{BTreeMap, BTreeSet};

use code_metrics::Language;
use orch_sdk::git::{self, Commit, How};
use orch_sdk::kv::Bucket;
use orch_sdk::{Error, log};
use serde::{Deserialize, Serialize};

use crate::history::{self, Measurement, digest};

pub const REVISIONS_MAX: u32 = 50;
const BLOBS_MAX: usize = 200;
const PAGES_MAX: usize = 5;
const PAGE: usize = 1000;
/// Commits of one question.
const LOG_MAX: u32 = 100;
/// Where it is kept which look was the last whole one; no path's key.
pub const MARK: &str = "@";
/// Of a value of `orch:kv`.
const PAST_BYTES_MAX: usize = 64 * 1024;

/// What one commit made of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    pub commit: String,
    pub measured: Measurement,
}

/// A file's revisions that could be measured, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    pub revisions: Vec<Revision>,
}

impl Past {
    /// The newest one that was not what the file is now.
    #[must_use]
    pub fn before(&self, digest: &str) -> Option<&Measurement> {
        self.revisions.iter().map(|revision| &revision.measured).find(|measured| measured.digest != digest)
    }

    /// As it is kept; the oldest are left out where there is no room.
    fn to_bytes(&self) -> Vec<u8> {
        let mut past = self.clone();
        loop {
            let bytes = serde_json::to_vec(&past).unwrap_or_default();
            if bytes.len() <= PAST_BYTES_MAX || past.revisions.pop().is_none() {
                return bytes;
            }
        }
    }
}

/// What was found.
#[derive(Default)]
pub struct Found {
    pub pasts: BTreeMap<String, Past>,
    /// Revisions that nobody measured before, with their paths; of each path the oldest first.
    pub new: Vec<(String, Revision)>,
}

/// A commit of a branch, and what it changed.
struct Step {
    commit: String,
    /// By path: true if the file is there afterwards.
    changed: BTreeMap<String, bool>,
}

/// The last `count` revisions of these paths. `is_kept`: what is measured is kept for the next call.
///
/// # Errors
/// Of what is kept. What the repository does not answer is logged, and what was known before stands.
pub fn look(
    paths: &BTreeSet<String>,
    count: u32,
    threshold: u32,
    kept: &Bucket,
    is_kept: bool,
) -> Result<Found, Error> {
    let passed_over = |error: Error| log::info(format_args!("no revisions are looked at: {error}"));
    let mut found = Found::default();
    let head = match git::head() {
        Ok(head) => head.commit,
        Err(error) => {
            passed_over(error);
            return Ok(found);
        }
    };
    let mark = mark(&head, paths, count, threshold);
    if kept.value(MARK)?.is_some_and(|kept| kept == mark.as_bytes()) {
        for path in paths {
            found.pasts.insert(path.clone(), known(path, kept)?);
        }
        return Ok(found);
    }
    let steps = match branch(&head, count) {
        Ok(steps) => steps,
        Err(error) => {
            passed_over(error);
            return Ok(found);
        }
    };
    let mut left = BLOBS_MAX;
    for path in paths {
        let commits = commits_of(path, &steps);
        if commits.is_empty() {
            continue;
        }
        let (key, known) = (history::key(path), known(path, kept)?);
        let reads = |commit: &&&str| {
            !known.revisions.iter().any(|one| one.commit == **commit && one.measured.above <= threshold)
        };
        let missing = commits.iter().filter(reads).count();
        if missing > left {
            log::info(format_args!(
                "revisions from `{path}` on are for the next call: {BLOBS_MAX} files were read"
            ));
            return Ok(found);
        }
        left -= missing;
        let past = measured(path, &commits, &known, threshold, &mut found.new)?;
        if is_kept && past != known {
            match kept.set(&key, &past.to_bytes()) {
                Err(Error::Limit(_)) => log::warn("the revisions have no room: allow more `kv.bytes`"),
                other => other?,
            }
        }
        found.pasts.insert(path.clone(), past);
    }
    if is_kept {
        kept.set(MARK, mark.as_bytes())?;
    }
    Ok(found)
}

/// What a look is about: where all of it is the same, what is kept says all.
fn mark(head: &str, paths: &BTreeSet<String>, count: u32, threshold: u32) -> String {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    digest(format!("{head} {count} {threshold} {}", paths.join("\0")).as_bytes())
}

/// What is kept of a path. What was kept in another form is measured again.
fn known(path: &str, kept: &Bucket) -> Result<Past, Error> {
    let kept = kept.value(&history::key(path))?;
    Ok(kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// What these commits made of a file, the newest first.
fn measured(
    path: &str,
    commits: &[&str],
    known: &Past,
    threshold: u32,
    new: &mut Vec<(String, Revision)>,
) -> Result<Past, Error> {
    let (mut past, from) = (Past::default(), new.len());
    for commit in commits {
        let kept = known.revisions.iter().find(|one| one.commit == *commit);
        if let Some(kept) = kept.filter(|kept| kept.measured.above <= threshold) {
            past.revisions.push(kept.clone());
            continue;
        }
        match measure(path, commit, threshold) {
            Ok(measured) => {
                let revision = Revision { commit: (*commit).to_owned(), measured };
                if kept.is_none() {
                    new.insert(from, (path.to_owned(), revision.clone()));
                }
                past.revisions.push(revision);
            }
            Err(why) => log::info(format_args!("{path} as of {commit} is passed over: {why}")),
        }
    }
    Ok(past)
}

fn measure(path: &str, commit: &str, threshold: u32) -> Result<Measurement, String> {
    let Some(language) = Language::of(path) else { return Err("it is neither Python nor Rust".to_owned()) };
    let bytes = git::show(commit, path, crate::FILE_BYTES_MAX).map_err(|error| error.to_string())?;
    let digest = digest(&bytes);
    Measurement::of(bytes, digest, language, threshold)
}

/// The last commits of the branch that the workspace is at, the newest first, each beside its first parent.
fn branch(head: &str, count: u32) -> Result<Vec<Step>, Error> {
    let log = git::log(head, 0, LOG_MAX)?;
    let line = line(head, &log, count.min(REVISIONS_MAX) as usize);
    line.into_iter().map(|(commit, parent)| step(commit, parent)).collect()
}

/// From a commit along first parents, each with its own; one whose parent is not known is not looked at.
fn line<'a>(head: &str, log: &'a [Commit], count: usize) -> Vec<(&'a str, &'a str)> {
    let by_id: BTreeMap<&str, &Commit> = log.iter().map(|commit| (commit.id.as_str(), commit)).collect();
    let mut line: Vec<(&str, &str)> = Vec::new();
    let mut here = by_id.get(head).copied();
    while let Some(commit) = here.filter(|_| line.len() < count) {
        let Some(parent) = commit.parents.first() else { break };
        line.push((&commit.id, parent));
        here = by_id.get(parent.as_str()).copied();
    }
    line
}

fn step(commit: &str, parent: &str) -> Result<Step, Error> {
    let mut changed = BTreeMap::new();
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = git::changes(parent, commit, after.as_deref())?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|change| change.path.clone());
        changed.extend(page.into_iter().map(|change| (change.path, change.how != How::Removed)));
        if is_last {
            return Ok(Step { commit: commit.to_owned(), changed });
        }
    }
    log::info(format_args!("{commit} changed more files than are looked at"));
    Ok(Step { commit: commit.to_owned(), changed })
}

/// Commits that made something of that path, the newest first; what was before it was removed is another file.
fn commits_of<'a>(path: &str, steps: &'a [Step]) -> Vec<&'a str> {
    let touching = steps.iter().filter_map(|step| Some((step.commit.as_str(), *step.changed.get(path)?)));
    touching.take_while(|(_, is_there)| *is_there).map(|(commit, _)| commit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(id: &str, parents: &[&str]) -> Commit {
        Commit {
            id: id.to_owned(),
            parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
            author: String::new(),
            at: 0,
            message: String::new(),
        }
    }

    fn step(commit: &str, changed: &[(&str, bool)]) -> Step {
        let changed = changed.iter().map(|(path, is_there)| ((*path).to_owned(), *is_there)).collect();
        Step { commit: commit.to_owned(), changed }
    }

    fn revision(commit: &str, source: &str) -> Revision {
        let bytes = source.as_bytes().to_vec();
        let digest = digest(&bytes);
        let measured = Measurement::of(bytes, digest, Language::Python, 15).unwrap();
        Revision { commit: commit.to_owned(), measured }
    }

    #[test]
    fn a_branch_is_followed_along_first_parents_and_no_further_than_asked() {
        let log = [commit("d", &["b", "c"]), commit("c", &["a"]), commit("b", &["a"]), commit("a", &[])];
        assert_eq!(line("d", &log, 9), [("d", "b"), ("b", "a")]);
        assert_eq!(line("d", &log, 1), [("d", "b")]);
        assert_eq!(line("x", &log, 9), []);
        // A copy without what was before has its last commit's parent only by name.
        assert_eq!(line("d", &log[..1], 9), [("d", "b")]);
    }

    #[test]
    fn commits_of_a_path_end_where_it_was_removed() {
        let steps = [
            step("e", &[("a.py", true)]),
            step("d", &[("b.py", true)]),
            step("c", &[("a.py", true)]),
            step("b", &[("a.py", false)]),
            step("a", &[("a.py", true)]),
        ];
        assert_eq!(commits_of("a.py", &steps), ["e", "c"]);
        assert_eq!(commits_of("b.py", &steps), ["d"]);
        assert!(commits_of("c.py", &steps).is_empty());
    }

    #[test]
    fn the_revision_before_is_the_newest_that_differs_and_the_oldest_have_no_room() {
        let past = Past {
            revisions: vec![revision("c", "x = 1\n"), revision("b", "x = 2\n"), revision("a", "x = 3\n")],
        };
        let of = |source: &str| past.before(&digest(source.as_bytes())).map(|found| found.digest.clone());
        assert_eq!(of("x = 1\n"), Some(digest(b"x = 2\n")), "it is as it was committed");
        assert_eq!(of("x = 9\n"), Some(digest(b"x = 1\n")), "it was edited since");
        assert_eq!(Past::default().before("d"), None);
        assert_eq!(serde_json::from_slice::<Past>(&past.to_bytes()).unwrap(), past);
        let functions: String = (0..400)
            .map(|nth| format!("def a_function_of_some_name_{nth}(a):\n{}", "    if a: a = 1\n".repeat(7)))
            .collect();
        let large = Past { revisions: vec![revision("x", &functions); 50] };
        let bytes = large.to_bytes();
        let kept: Past = serde_json::from_slice(&bytes).unwrap();
        assert!(
            bytes.len() <= PAST_BYTES_MAX && (1..50).contains(&kept.revisions.len()),
            "{}",
            kept.revisions.len()
        );
    }
}
