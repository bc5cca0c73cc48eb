//! Put, replaced, removed, found: by vector and by words, in batches that are seen whole or not at all.

use std::sync::Arc;

use super::*;

fn chunk(first: u32, text: &str, vector: &[f32]) -> Chunk {
    Chunk { first, last: first + 1, text: text.to_owned(), vector: vector.to_vec() }
}

fn document(path: &str, digest: &str, chunks: Vec<Chunk>) -> Document {
    let language = path.rsplit('.').next().unwrap_or_default().to_owned();
    Document { path: path.to_owned(), digest: digest.to_owned(), language, chunks }
}

fn put(cache: &Arc<Cache>, name: &str, documents: &[Document]) {
    let mut batch = cache.begin();
    documents.iter().for_each(|document| batch.put("code", "m", document).unwrap());
    batch.seal(name.to_owned());
    assert!(cache.apply(name).unwrap());
}

fn paths(found: Vec<Passage>) -> Vec<String> {
    found.into_iter().map(|passage| format!("{}:{}", passage.path, passage.first)).collect()
}

fn some() -> Arc<Cache> {
    let cache = Cache::in_memory().unwrap();
    put(
        &cache,
        "1",
        &[
            document(
                "src/a.rs",
                "1",
                vec![chunk(1, "reads a file", &[1.0, 0.0]), chunk(9, "closes it", &[0.5, 0.5])],
            ),
            document("src/b.py", "1", vec![chunk(1, "sends a request", &[0.0, 2.0])]),
            document("docs/c.md", "1", vec![chunk(1, "How a file is read", &[9.0, 1.0])]),
        ],
    );
    cache
}

#[test]
fn the_nearest_come_first_whatever_the_length_of_their_vectors() {
    let cache = some();
    let found = cache.nearest("code", &[1.0, 0.05], 3, &Filter::default()).unwrap();
    assert!(found[0].score > found[1].score && found[0].score <= 1.0 + 1e-6);
    assert_eq!(paths(found), ["src/a.rs:1", "docs/c.md:1", "src/a.rs:9"]);
    assert_eq!(cache.nearest("other", &[1.0, 0.0], 3, &Filter::default()).unwrap(), []);
    let wrong = cache.nearest("code", &[1.0], 3, &Filter::default());
    assert!(matches!(wrong, Err(CacheError::Dimension { found: 1, expected: 2 })));
}

#[test]
fn words_find_passages_and_nothing_in_a_question_is_a_sign() {
    let cache = some();
    let find = |text: &str| paths(cache.matching("code", text, 9, &Filter::default()).unwrap());
    assert_eq!(find("request"), ["src/b.py:1"]);
    assert_eq!(find("FILE read")[0], "docs/c.md:1", "two words of one");
    for odd in ["\" OR text:*", "NEAR(a b)", "- ^ {x} :", "", "\u{0}'"] {
        assert!(cache.matching("code", odd, 9, &Filter::default()).is_ok(), "{odd}");
    }
    assert_eq!(find("--"), [""; 0]);
    assert_eq!(paths(cache.matching("other", "request", 9, &Filter::default()).unwrap()), [""; 0]);
}

#[test]
fn a_filter_takes_folders_whole_names_and_languages() {
    let cache = some();
    let find = |paths_in: &[&str], languages: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect();
        let filter = Filter { paths: owned(paths_in), languages: owned(languages) };
        let near = paths(cache.nearest("code", &[1.0, 0.0], 9, &filter).unwrap());
        let mut by_words = paths(cache.matching("code", "file request closes", 9, &filter).unwrap());
        let mut sorted = near.clone();
        sorted.sort();
        by_words.sort();
        assert_eq!(sorted, by_words);
        near
    };
    assert_eq!(find(&["docs"], &[]), ["docs/c.md:1"]);
    assert_eq!(find(&["docs/"], &[]), ["docs/c.md:1"]);
    assert_eq!(find(&["src/a.rs"], &[]).len(), 2);
    assert_eq!(find(&["sr"], &[]), [""; 0]);
    assert_eq!(find(&["src"], &["py"]), ["src/b.py:1"]);
    assert_eq!(find(&[], &["md", "py"]).len(), 2);
}

#[test]
fn a_document_takes_the_place_of_the_one_before_and_a_removed_one_is_gone() {
    let cache = some();
    let mut batch = cache.begin();
    batch.remove("code", "src/a.rs").unwrap();
    batch.remove("code", "never").unwrap();
    batch
        .put("code", "m", &document("src/b.py", "2", vec![chunk(5, "writes a letter", &[1.0, 1.0])]))
        .unwrap();
    batch.seal("2".to_owned());
    let before = cache.documents("code", "").unwrap();
    assert_eq!(before.len(), 3, "nothing is seen before it is applied");
    assert!(cache.apply("2").unwrap());
    let known = |path: &str, digest: &str| (path.to_owned(), digest.to_owned());
    assert_eq!(cache.documents("code", "").unwrap(), [known("docs/c.md", "1"), known("src/b.py", "2")]);
    assert_eq!(cache.documents("code", "docs/c.md").unwrap(), [known("src/b.py", "2")]);
    let find = |text: &str| paths(cache.matching("code", text, 9, &Filter::default()).unwrap());
    assert_eq!((find("request"), find("letter")), (vec![], vec!["src/b.py:5".to_owned()]));
    assert_eq!(paths(cache.nearest("code", &[1.0, 1.0], 9, &Filter::default()).unwrap())[0], "src/b.py:5");
    assert!(!cache.apply("2").unwrap(), "once");
}

#[test]
fn a_batch_that_is_dropped_leaves_nothing_and_the_last_word_on_a_path_counts() {
    let cache = some();
    let mut dropped = cache.begin();
    dropped.put("code", "m", &document("src/d.rs", "1", vec![chunk(1, "lost", &[1.0, 0.0])])).unwrap();
    drop(dropped);
    let mut batch = cache.begin();
    batch.put("code", "m", &document("src/d.rs", "1", vec![chunk(1, "first", &[1.0, 0.0])])).unwrap();
    batch.put("code", "m", &document("src/d.rs", "2", vec![chunk(1, "second", &[1.0, 0.0])])).unwrap();
    batch.remove("code", "src/a.rs").unwrap();
    batch.put("code", "m", &document("src/a.rs", "9", vec![])).unwrap();
    let odd = document("src/e.rs", "1", vec![chunk(1, "x", &[1.0]), chunk(2, "y", &[1.0, 2.0])]);
    assert!(matches!(batch.put("code", "m", &odd), Err(CacheError::Dimension { .. })));
    batch.seal("2".to_owned());
    cache.apply("2").unwrap();
    let find = |text: &str| paths(cache.matching("code", text, 9, &Filter::default()).unwrap()).len();
    assert_eq!((find("lost"), find("first"), find("second"), find("closes")), (0, 0, 1, 0));
    assert_eq!(
        cache.documents("code", "").unwrap()[1],
        ("src/a.rs".to_owned(), "9".to_owned()),
        "empty, and known"
    );
}

#[test]
fn vectors_of_another_model_make_a_collection_empty_first() {
    let cache = some();
    let mut batch = cache.begin();
    batch.put("code", "other", &document("src/b.py", "1", vec![chunk(1, "x", &[1.0, 0.0, 0.0])])).unwrap();
    batch.put("notes", "other", &document("n", "1", vec![chunk(1, "x", &[1.0])])).unwrap();
    batch.seal("2".to_owned());
    cache.apply("2").unwrap();
    let holding = cache.holding("code").unwrap().unwrap();
    assert_eq!(holding, Holding { model: "other".to_owned(), dimension: 3, documents: 1, chunks: 1 });
    assert_eq!(cache.holding("notes").unwrap().unwrap().dimension, 1);
    assert_eq!(cache.holding("none").unwrap(), None);
    assert_eq!(paths(cache.matching("code", "file", 9, &Filter::default()).unwrap()), [""; 0]);
}

#[test]
fn a_file_is_there_again_and_one_that_is_none_of_ours_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.sqlite");
    let cache = Cache::open(&path).unwrap();
    put(&cache, "1", &[document("a", "1", vec![chunk(1, "kept", &[1.0])])]);
    let mut batch = cache.begin();
    batch.put("code", "m", &document("b", "1", vec![chunk(1, "sealed", &[1.0])])).unwrap();
    batch.seal("2".to_owned());
    let beside = Cache::beside(&path).unwrap().unwrap();
    assert_eq!(beside.documents("code", "").unwrap().len(), 1);
    assert!(Cache::beside(&folder.path().join("other")).unwrap().is_none());
    drop((cache, beside));
    let cache = Cache::open(&path).unwrap();
    assert!(!cache.apply("2").unwrap(), "of the process before");
    assert_eq!(cache.documents("code", "").unwrap().len(), 1);
    assert_eq!(paths(cache.matching("code", "kept", 9, &Filter::default()).unwrap()), ["a:1"]);
    drop(cache);
    for wrong in [&b"no database at all, but long enough to be taken for one by its length"[..], b""] {
        std::fs::write(&path, wrong).unwrap();
        let cache = Cache::open(&path).unwrap();
        assert_eq!(cache.documents("code", "").unwrap(), []);
        put(&cache, "1", &[document("a", "1", vec![chunk(1, "kept", &[1.0])])]);
    }
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn vector(&mut self, dimension: usize) -> Vec<f32> {
        (0..dimension).map(|_| self.next()).collect()
    }
}

#[test]
fn of_the_ten_nearest_by_exact_comparison_at_least_ninety_five_of_a_hundred_are_found() {
    let (dimension, mut numbers) = (64, Numbers(7));
    let cache = Cache::in_memory().unwrap();
    let centres: Vec<Vec<f32>> = (0..40).map(|_| numbers.vector(dimension)).collect();
    let near = |numbers: &mut Numbers, centre: &[f32]| -> Vec<f32> {
        centre.iter().map(|number| number + 0.3 * numbers.next()).collect()
    };
    let vectors: Vec<Vec<f32>> =
        (0..4000).map(|number| near(&mut numbers, &centres[number % centres.len()])).collect();
    let mut batch = cache.begin();
    for (number, vector) in vectors.iter().enumerate() {
        batch.put("code", "m", &document(&format!("f{number}"), "1", vec![chunk(1, "x", vector)])).unwrap();
    }
    batch.seal("1".to_owned());
    cache.apply("1").unwrap();
    let (mut found, mut wanted) = (0, 0);
    for number in 0..100 {
        let query = near(&mut numbers, &centres[number % centres.len()]);
        let mut exact: Vec<(f64, String)> = vectors
            .iter()
            .enumerate()
            .map(|(place, vector)| {
                (matrix::cosine(&matrix::unit(vector), &matrix::unit(&query)), format!("f{place}"))
            })
            .collect();
        exact.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let got = cache.nearest("code", &query, 10, &Filter::default()).unwrap();
        let ten: Vec<&String> = exact.iter().take(10).map(|(_, path)| path).collect();
        found += got.iter().filter(|passage| ten.contains(&&passage.path)).count();
        wanted += ten.len();
    }
    assert!(found * 100 >= wanted * 95, "{found} of {wanted}");
}
