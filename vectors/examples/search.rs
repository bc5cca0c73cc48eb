//! What a search costs beside a bare scan of the same vectors, and how much of the exact answer it finds (`cargo xtask bench search`).
//!
//! In -> out: 10,000 documents of four passages each, made from a seed -> Markdown on standard output.
//! Vectors have 512 numbers and lie around 500 centres, as those of texts do; words come as often as words of texts (the n-th one
//! 1/n as often). Each question is asked once to warm what is cached.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "it is run by hand and fails loudly"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use orch_vectors::{Cache, Chunk, Document, Filter};

const DOCUMENTS: usize = 10_000;
const PASSAGES: usize = 4;
const DIMENSION: usize = 512;
const CENTRES: usize = 500;
const WORDS: usize = 20_000;
const WORDS_OF_PASSAGE: usize = 200;
const QUESTIONS: usize = 200;
const FOUND: usize = 10;

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    fn around(&mut self, centre: &[f32]) -> Vec<f32> {
        unit(centre.iter().map(|number| number + 1.5 * (self.next() - 0.5)).collect())
    }

    /// The n-th word comes about 1/n as often as the first.
    fn word(&mut self) -> String {
        let place = (WORDS as f32).powf(self.next()) as usize;
        format!("w{place}")
    }

    fn text(&mut self, words: usize) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.into_iter().map(|number| number / length).collect()
}

/// Of sorted times.
fn quantile(times: &[Duration], part: usize) -> f64 {
    times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1000.0
}

fn row(name: &str, mut times: Vec<Duration>) {
    times.sort();
    println!("| {name} | {:.1} | {:.1} |", quantile(&times, 50), quantile(&times, 95));
}

fn fill(cache: &Arc<Cache>, numbers: &mut Numbers, centres: &[Vec<f32>]) -> Vec<(String, Vec<f32>)> {
    let mut all = Vec::new();
    let mut batch = cache.begin();
    for number in 0..DOCUMENTS {
        let path = format!("src/part{}/file{number}.rs", number % 50);
        let chunks = (0..PASSAGES as u32).map(|nth| {
            let vector = numbers.around(&centres[(number * PASSAGES + nth as usize) % centres.len()]);
            all.push((format!("{path}:{nth}"), vector.clone()));
            Chunk { first: nth * 40 + 1, last: nth * 40 + 40, text: numbers.text(WORDS_OF_PASSAGE), vector }
        });
        let chunks = chunks.collect();
        let language = "rust".to_owned();
        batch.put("code", "m", &Document { path, digest: "d".to_owned(), language, chunks }).unwrap();
    }
    batch.seal("all".to_owned());
    assert!(cache.apply("all").unwrap());
    all
}

/// The exact answer.
fn scan(all: &[(String, Vec<f32>)], query: &[f32]) -> Vec<String> {
    let cosine = |vector: &[f32]| vector.iter().zip(query).map(|(one, other)| one * other).sum::<f32>();
    let mut scored: Vec<(f32, &String)> = all.iter().map(|(name, vector)| (cosine(vector), name)).collect();
    scored.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    scored.into_iter().take(FOUND).map(|(_, name)| name.clone()).collect()
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.sqlite");
    let cache = Cache::open(&path).unwrap();
    let mut numbers = Numbers(7);
    let centres: Vec<Vec<f32>> =
        (0..CENTRES).map(|_| (0..DIMENSION).map(|_| numbers.next() - 0.5).collect()).collect();
    let begun = Instant::now();
    let all = fill(&cache, &mut numbers, &centres);
    let filled = begun.elapsed();
    drop(cache);
    let cache = Cache::open(&path).unwrap();
    let begun = Instant::now();
    cache.nearest("code", &all[0].1, FOUND, &Filter::default()).unwrap();
    let loaded = begun.elapsed();
    let inside = Filter { paths: vec!["src/part7".to_owned()], languages: vec!["rust".to_owned()] };
    let (mut near, mut within, mut by_words, mut bare) = (vec![], vec![], vec![], vec![]);
    let mut right = 0;
    for number in 0..QUESTIONS {
        let query = numbers.around(&centres[number * 7 % centres.len()]);
        let begun = Instant::now();
        let exact = scan(&all, &query);
        bare.push(begun.elapsed());
        let begun = Instant::now();
        let found = cache.nearest("code", &query, FOUND, &Filter::default()).unwrap();
        near.push(begun.elapsed());
        let begun = Instant::now();
        assert_eq!(cache.nearest("code", &query, FOUND, &inside).unwrap().len(), FOUND);
        within.push(begun.elapsed());
        let text = numbers.text(8);
        cache.matching("code", &text, FOUND, &Filter::default()).unwrap();
        let begun = Instant::now();
        assert_eq!(cache.matching("code", &text, FOUND, &Filter::default()).unwrap().len(), FOUND);
        by_words.push(begun.elapsed());
        let names = found.iter().map(|passage| format!("{}:{}", passage.path, passage.first / 40));
        right += names.filter(|name| exact.contains(name)).count();
    }
    println!("{} passages of {DIMENSION} numbers, {QUESTIONS} questions, {FOUND} passages each\n", all.len());
    println!("| | p50 ms | p95 ms |\n|---|---|---|");
    row("nearest", near);
    row("nearest, in one folder of 50", within);
    row("by eight words", by_words);
    row("bare scan of exact vectors in memory, sorted", bare);
    println!("\nrecall@{FOUND}: {:.4}", right as f64 / (QUESTIONS * FOUND) as f64);
    println!(
        "put and applied in {:.1} s; first search after opening {:.0} ms",
        filled.as_secs_f64(),
        loaded.as_secs_f64() * 1000.0
    );
    println!("file: {:.0} MB", std::fs::metadata(&path).unwrap().len() as f64 / 1e6);
}
