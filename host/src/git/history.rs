//! History: commits one after the other, and a file as it was.
//!
//! In -> out: names -> [`Commit`]s, bytes.
//! Invariant: paths are taken literally, and never as git's words for several.
//! Not here: what differs between two commits (`show.rs`, `tree.rs`).

use super::{GitError, Oid, Repository};

/// A commit as people speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub id: Oid,
    pub parents: Vec<Oid>,
    pub author: String,
    /// Seconds since 1970 UTC.
    pub at: i64,
    pub message: String,
}

impl Repository {
    /// Commits that one leads to, it first, without the first `skip`.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn log(&self, start: &Oid, skip: u32, count: u32) -> Result<Vec<Commit>, GitError> {
        let (skip, count) = (format!("--skip={skip}"), format!("--max-count={count}"));
        let plain = ["log", "-z", "--no-decorate", "--no-mailmap", "--no-show-signature", "--encoding=UTF-8"];
        let how = ["--format=%H%n%P%n%an%n%at%n%B", &skip, &count, start.as_str(), "--"];
        let out = self.call(&[&plain[..], &how].concat()).run()?.out;
        let unread = || GitError::Failed {
            verb: "log".to_owned(),
            said: "an answer that is not understood".to_owned(),
        };
        let texts = out.split(|byte| *byte == 0).filter(|text| !text.is_empty());
        texts.map(|text| commit(&String::from_utf8_lossy(text)).ok_or_else(unread)).collect()
    }

    /// What one file's contents are in a commit: at most so many bytes, and whether those are all; none if it is no file there.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn file_of(
        &self,
        commit: &Oid,
        path: &str,
        bytes_max: usize,
    ) -> Result<Option<(Vec<u8>, bool)>, GitError> {
        let wanted = format!("{commit}:{path}");
        let named = self.call(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]);
        let named = named.answers(&[1, 128]).run()?;
        if named.code != 0 {
            return Ok(None);
        }
        let oid = self.oid("rev-parse", &String::from_utf8_lossy(&named.out))?;
        match self.line(&["cat-file", "-t", oid.as_str()])?.as_str() {
            "blob" => self.call(&["cat-file", "blob", oid.as_str()]).run_cut(bytes_max).map(Some),
            _ => Ok(None),
        }
    }

    /// How one file differs between two commits: at most so many bytes of a patch, and whether those are all.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn patch_of(
        &self,
        from: &Oid,
        to: &Oid,
        path: &str,
        bytes_max: usize,
    ) -> Result<(Vec<u8>, bool), GitError> {
        let plain =
            ["diff-tree", "-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--patch"];
        let args = [&plain[..], &[from.as_str(), to.as_str(), "--", path]].concat();
        self.call(&args).env("GIT_LITERAL_PATHSPECS", "1").run_cut(bytes_max)
    }
}

fn commit(text: &str) -> Option<Commit> {
    let mut parts = text.splitn(5, '\n');
    let id = Oid::parse(parts.next()?)?;
    let parents = parts.next()?.split_whitespace().map(Oid::parse).collect::<Option<Vec<_>>>()?;
    let (author, at) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
    Some(Commit { id, parents, author, at, message: parts.next()?.trim_end_matches('\n').to_owned() })
}
