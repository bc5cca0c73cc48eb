//! Files that wait for their vectors, so that many short ones are asked for at once.
//!
//! In -> out: cut files -> groups of whole files -> texts of questions; vectors -> documents.
//! Limits: a question has at most [`TEXTS_MAX`] texts and [`BYTES_MAX`] bytes.
//! Invariant: a text names its file in front, which a collection's passage does not repeat.

use orch_sdk::embed::TEXTS_MAX as HOST_TEXTS_MAX;
use orch_sdk::vectors::{Chunk, Document};

use crate::language;
use crate::passages::{Piece, cut};

/// Of one question; servers take few at once.
pub const TEXTS_MAX: usize = 64;
pub const BYTES_MAX: usize = 256 << 10;

const _: () = assert!(TEXTS_MAX <= HOST_TEXTS_MAX);

/// A file in its passages.
#[derive(Clone, Debug)]
pub struct Cut {
    pub path: String,
    pub digest: String,
    pub passages: Vec<Piece>,
}

impl Cut {
    pub fn of(path: String, digest: String, text: &str, lines: usize) -> Self {
        let mut passages = cut(text, lines);
        // More has no file that somebody wrote by hand.
        passages.truncate(4096);
        Self { path, digest, passages }
    }

    /// The document, with the next vectors; `None` if there are not enough.
    pub fn document(self, vectors: &mut impl Iterator<Item = Vec<f32>>) -> Option<Document> {
        let Self { path, digest, passages } = self;
        let chunk = |Piece { first, last, text }| Some(Chunk { first, last, text, vector: vectors.next()? });
        let chunks: Option<Vec<Chunk>> = passages.into_iter().map(chunk).collect();
        let language = language::of(&path).to_owned();
        Some(Document { path, digest, language, chunks: chunks? })
    }
}

/// Files that wait.
#[derive(Default)]
pub struct Pending {
    cuts: Vec<Cut>,
    texts: usize,
}

impl Pending {
    /// Takes one more; gives those that are enough for a question.
    pub fn take(&mut self, cut: Cut) -> Option<Vec<Cut>> {
        self.texts += cut.passages.len();
        self.cuts.push(cut);
        (self.texts >= TEXTS_MAX).then(|| self.all())
    }

    /// Those that are left, if there are any.
    pub fn rest(mut self) -> Option<Vec<Cut>> {
        (!self.cuts.is_empty()).then(|| self.all())
    }

    fn all(&mut self) -> Vec<Cut> {
        self.texts = 0;
        std::mem::take(&mut self.cuts)
    }
}

/// What is asked for, in the order of the files and their passages.
pub fn texts(cuts: &[Cut]) -> Vec<String> {
    let of = |cut: &Cut| {
        cut.passages.iter().map(|piece| format!("{}\n{}", cut.path, piece.text)).collect::<Vec<_>>()
    };
    cuts.iter().flat_map(of).collect()
}

/// The texts in questions.
pub fn questions(texts: Vec<String>) -> Vec<Vec<String>> {
    let mut questions: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for text in texts {
        let fits = bytes + text.len() <= BYTES_MAX;
        match questions.last_mut().filter(|question| fits && question.len() < TEXTS_MAX) {
            Some(question) => {
                bytes += text.len();
                question.push(text);
            }
            None => {
                bytes = text.len();
                questions.push(vec![text]);
            }
        }
    }
    questions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, passages: usize) -> Cut {
        let piece = |number: usize| Piece { first: 1, last: 1, text: format!("{number}") };
        Cut { path: path.to_owned(), digest: "d".to_owned(), passages: (0..passages).map(piece).collect() }
    }

    #[test]
    fn files_wait_until_they_fill_a_question_and_none_is_lost() {
        let mut pending = Pending::default();
        assert!(pending.take(file("a", 60)).is_none() && pending.take(file("empty", 0)).is_none());
        let full = pending.take(file("b", 300)).unwrap();
        assert_eq!(full.iter().map(|cut| &*cut.path).collect::<Vec<_>>(), ["a", "empty", "b"]);
        let asked = questions(texts(&full));
        assert_eq!(asked.iter().map(Vec::len).sum::<usize>(), 360);
        assert!(asked.iter().all(|question| (1..=TEXTS_MAX).contains(&question.len())));
        assert!(pending.rest().is_none());
        let long = questions(vec!["x".repeat(BYTES_MAX / 2 + 1); 3]);
        assert_eq!(long.len(), 3, "bytes count, too");
    }

    #[test]
    fn each_passage_gets_its_vector_or_there_is_no_document() {
        let mut vectors = (0..3).map(|number| vec![number as f32]);
        let one = file("src/a.rs", 2).document(&mut vectors).unwrap();
        assert_eq!((one.chunks[1].vector.clone(), &*one.language), (vec![1.0], "rust"));
        assert!(file("b", 2).document(&mut vectors).is_none());
    }
}
