//! Indexes files: what changed since is cut into passages, gets vectors and is put into the collection.
//!
//! In -> out: files of the workspace, what the collection has -> documents put and removed, a sentence of it.
//! Limits: files of at most `file_bytes_max`; those that are no text are passed over.
//! Invariant: a file whose content and model are the same as before is neither asked for nor put again.
//! Not here: cutting (`passages.rs`), languages (`language.rs`), questions of many texts (`pending.rs`).

pub mod language;
pub mod passages;
pub mod pending;

use std::collections::{BTreeMap, BTreeSet};

use orch_sdk::vectors::{Collection, collection};
use orch_sdk::{Attempt, Completion, Error, Executor, Failure, Task, embed, files, log, settings};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::pending::{Cut, Pending};

/// Names of the manifest.
const COLLECTION: &str = "code";
const MODEL: &str = "vectors";
/// Of a model's name beside the operator's one.
const MARK_BYTES_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    paths: Vec<String>,
    skip_folders: Vec<String>,
    lines: usize,
    file_bytes_max: u64,
}

/// What came of it.
#[derive(Default)]
struct Count {
    files: u64,
    passages: u64,
    unchanged: u64,
    passed_over: u64,
    removed: u64,
}

pub struct Index;

impl Executor for Index {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let settings: Settings = settings::parse()?;
        let collection = collection(COLLECTION);
        let model = mark()?;
        let is_same_model = collection.describe()?.is_some_and(|holding| holding.model == model);
        let known: BTreeMap<String, String> =
            collection.documents()?.into_iter().map(|known| (known.path, known.digest)).collect();
        let mut count = Count::default();
        let mut pending = Pending::default();
        let mut kept = BTreeSet::new();
        for path in matching(&settings)? {
            let Some(text) = read(&path, settings.file_bytes_max)? else {
                count.passed_over += 1;
                continue;
            };
            let digest = digest(&text, settings.lines);
            kept.insert(path.clone());
            if is_same_model && known.get(&path) == Some(&digest) {
                count.unchanged += 1;
                continue;
            }
            let cut = Cut::of(path, digest, &text, settings.lines);
            count.files += 1;
            count.passages += cut.passages.len() as u64;
            if let Some(full) = pending.take(cut) {
                put(&collection, &model, full)?;
            }
        }
        if let Some(rest) = pending.rest() {
            put(&collection, &model, rest)?;
        }
        for path in known.keys().filter(|path| !kept.contains(*path)) {
            collection.remove(path)?;
            count.removed += 1;
        }
        Ok(Completion::new(count.said()))
    }
}

orch_sdk::export!(executor: Index);

impl Count {
    fn said(&self) -> String {
        let Self { files, passages, unchanged, passed_over, removed } = self;
        let (files, passages) = (counted(*files, "file"), counted(*passages, "passage"));
        format!(
            "{files} indexed in {passages}, {unchanged} unchanged, {removed} removed, {passed_over} passed over"
        )
    }
}

/// So many of them, in words.
fn counted(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// Whose vectors the collection gets: the operator's name with that of who answers to it now. It costs one short question, and
/// tells whether what is there is still of the same kind.
fn mark() -> Result<String, Failure> {
    let answer = embed::texts(MODEL, vec!["index".to_owned()])?;
    let dimension = answer.vectors.first().map_or(0, Vec::len);
    let mut mark = format!("{MODEL} {dimension} {}", answer.model);
    mark.truncate(mark.floor_char_boundary(MARK_BYTES_MAX));
    Ok(mark.trim_end().to_owned())
}

/// Every file that a glob matches, once, in order.
fn matching(settings: &Settings) -> Result<BTreeSet<String>, Failure> {
    let mut paths = BTreeSet::new();
    for glob in &settings.paths {
        for entry in files::find(glob) {
            let path = entry?.path;
            if !is_skipped(&path, &settings.skip_folders) {
                paths.insert(path);
            }
        }
    }
    Ok(paths)
}

/// True of what is hidden, as `.env` and `.git` are, and of what lies in one of these folders.
fn is_skipped(path: &str, folders: &[String]) -> bool {
    let mut parts = path.split('/').rev();
    let is_hidden = |part: &str| part.starts_with('.');
    parts.next().is_some_and(is_hidden)
        || parts.any(|part| is_hidden(part) || folders.iter().any(|name| name == part))
}

/// The file's text; none: it is too large, no text, or gone.
fn read(path: &str, bytes_max: u64) -> Result<Option<String>, Failure> {
    match files::read_all(path, bytes_max) {
        Ok(bytes) => Ok(text(bytes)),
        Err(Error::NotFound | Error::Limit(_) | Error::Denied(_)) => Ok(None),
        Err(Error::Invalid(why)) => {
            log::info(format_args!("{path} is passed over: {why}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What is text has no byte 0.
fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// Of the content, and of how it is cut.
fn digest(text: &str, lines: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("cut 1 {lines}\n"));
    hash.update(text);
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asks for the vectors of whole files, and puts them.
fn put(collection: &Collection, model: &str, cuts: Vec<Cut>) -> Result<(), Failure> {
    let texts = pending::texts(&cuts);
    let mut vectors = Vec::with_capacity(texts.len());
    for texts in pending::questions(texts) {
        vectors.extend(embed::texts(MODEL, texts)?.vectors);
    }
    let mut vectors = vectors.into_iter();
    for cut in cuts {
        let document = cut.document(&mut vectors).ok_or_else(|| Failure::new("a passage got no vector"))?;
        collection.put(model, &document)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_other_content_and_other_cuts() {
        assert_eq!(digest("a", 40), digest("a", 40));
        assert_ne!(digest("a", 40), digest("b", 40));
        assert_ne!(digest("a", 40), digest("a", 41));
        assert_eq!(digest("a", 40).len(), 64);
    }

    #[test]
    fn what_is_hidden_or_made_is_passed_over() {
        let folders = ["target".to_owned()];
        for (path, skipped) in [
            (".env", true),
            ("a/.env", true),
            (".github/a.yml", true),
            ("target/debug/a.d", true),
            ("a/target/b", true),
            ("target", false),
            ("targets/a", false),
            ("a/b.rs", false),
        ] {
            assert_eq!(is_skipped(path, &folders), skipped, "{path}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_none() {
        assert_eq!(text(b"a\n".to_vec()).as_deref(), Some("a\n"));
        assert_eq!(text(vec![0xff]), None);
        assert_eq!(text(b"PK\0".to_vec()), None);
    }
}
