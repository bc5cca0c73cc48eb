//! Executor: reads documents of one kind, and puts their sections, each with its headings, where they are found again.

use std::collections::BTreeMap;

use orch_sdk::vectors::{Chunk, Document, collection};
use orch_sdk::{Attempt, Completion, Error, Executor, Failure, Task, embed, files, log};

/// Names of the manifest.
const COLLECTION: &str = "documents";
const MODEL: &str = "vectors";
/// What passages of these documents are found by, besides their words.
const LANGUAGE: &str = "asciidoc";
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Of one section; the rest is a section of its own.
const SECTION_BYTES_MAX: usize = 4 << 10;
/// Of one document, and of one question.
const SECTIONS_MAX: usize = 4096;
const TEXTS_MAX: usize = 64;

struct Plugin;

impl Executor for Plugin {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let documents = collection(COLLECTION);
        // What makes the vectors now. If that is another one than before, all is put again.
        let model = embed::texts(MODEL, vec!["documents".to_owned()])?.model;
        let is_same = documents.describe()?.is_some_and(|holding| holding.model == model);
        let mut known: BTreeMap<String, String> =
            documents.documents()?.into_iter().map(|known| (known.path, known.digest)).collect();
        let (mut read, mut passages, mut unchanged) = (0, 0, 0);
        for entry in files::find("**") {
            let path = entry?.path;
            if !takes(&path) {
                continue;
            }
            let Some(text) = text(&path)? else { continue };
            let digest = digest(&text);
            if known.remove(&path).is_some_and(|before| before == digest) && is_same {
                unchanged += 1;
                continue;
            }
            let sections = sections(&text);
            let chunks = with_vectors(&path, sections)?;
            passages += chunks.len();
            read += 1;
            documents.put(&model, &Document { path, digest, language: LANGUAGE.to_owned(), chunks })?;
        }
        // What is known and was not there any more.
        for path in known.keys() {
            documents.remove(path)?;
        }
        let removed = known.len();
        Ok(Completion::new(format!("{read} read in {passages} passages, {unchanged} unchanged, {removed} removed")))
    }
}

orch_sdk::export!(executor: Plugin);

/// Whether a file is a document of this kind.
fn takes(path: &str) -> bool {
    path.ends_with(".adoc")
}

/// A section: its lines, from 1, both inside, and its text under the headings that it stands in.
#[derive(Debug, PartialEq)]
struct Section {
    first: u32,
    last: u32,
    text: String,
}

/// The sections of a document: each begins with its heading (`== Install`), and says which ones are above it.
fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut above: Vec<&str> = Vec::new();
    let mut begins = true;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some((depth, heading)) = heading(line) {
            above.truncate(depth);
            above.push(heading);
            begins = true;
            continue;
        }
        if line.trim().is_empty() {
            continue;
        }
        match sections.last_mut().filter(|last| !begins && last.text.len() + line.len() < SECTION_BYTES_MAX) {
            Some(last) => {
                last.text.push_str(&format!("\n{line}"));
                last.last = number;
            }
            None => {
                let text = format!("{}\n{}", above.join(" > "), cut(line));
                sections.push(Section { first: number, last: number, text: text.trim_start().to_owned() });
            }
        }
        begins = false;
    }
    sections.truncate(SECTIONS_MAX);
    sections
}

/// Depth, from 0, and words of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    let words = line.trim_start_matches('=');
    let signs = line.len() - words.len();
    words.strip_prefix(' ').filter(|_| signs > 0).map(|words| (signs - 1, words.trim()))
}

/// A line without an end is no section.
fn cut(line: &str) -> &str {
    line.get(..line.floor_char_boundary(SECTION_BYTES_MAX)).unwrap_or(line)
}

/// The sections, each with its vector: of its text and of where it stands.
fn with_vectors(path: &str, sections: Vec<Section>) -> Result<Vec<Chunk>, Failure> {
    let texts: Vec<String> = sections.iter().map(|section| format!("{path}\n{}", section.text)).collect();
    let mut vectors = Vec::new();
    for texts in texts.chunks(TEXTS_MAX) {
        vectors.extend(embed::texts(MODEL, texts.to_vec())?.vectors);
    }
    let chunk = |(Section { first, last, text }, vector)| Chunk { first, last, text, vector };
    Ok(sections.into_iter().zip(vectors).map(chunk).collect())
}

/// None: it is too large, no text, or gone meanwhile; people read which one in the log.
fn text(path: &str) -> Result<Option<String>, Failure> {
    let bytes = match files::read_all(path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(why @ (Error::NotFound | Error::Limit(_) | Error::Denied(_) | Error::Invalid(_))) => {
            log::warn(format_args!("{path} is passed over: {why}"));
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let text = String::from_utf8(bytes).ok();
    if text.is_none() {
        log::warn(format_args!("{path} is passed over: it is no text"));
    }
    Ok(text)
}

/// Tells whether a document is as it was: FNV-1a of 64 bits, which nobody needs to trust.
fn digest(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("sections-1 {} {hash:016x}", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_its_lines_and_the_headings_above_it() {
        let text = "= Guide\n\nAll of it.\n\n== Install\n\nTake the file.\nPut it there.\n\n=== Linux\nAs root.\n== Use\nRun it.\n";
        let section = |first, last, text: &str| Section { first, last, text: text.to_owned() };
        let expected = [
            section(3, 3, "Guide\nAll of it."),
            section(7, 8, "Guide > Install\nTake the file.\nPut it there."),
            section(11, 11, "Guide > Install > Linux\nAs root."),
            section(13, 13, "Guide > Use\nRun it."),
        ];
        assert_eq!(sections(text), expected);
        assert_eq!(sections("no heading\n"), [section(1, 1, "no heading")]);
        assert_eq!(sections("= Only a heading\n\n"), []);
    }

    #[test]
    fn what_is_long_is_several_sections_and_none_is_too_long() {
        let found = sections(&format!("= Long\n{}{}", "word word word\n".repeat(1000), "x".repeat(20_000)));
        assert!(found.len() > 3 && found.iter().all(|section| section.text.len() <= SECTION_BYTES_MAX + 20));
    }

    #[test]
    fn a_changed_document_has_another_digest() {
        assert_eq!(digest("a"), digest("a"));
        assert_ne!(digest("a"), digest("b"));
    }
}
