//! Measures a folder of Python files and compares every number with radon's.
//!
//! In -> out: a folder, radon's answers about it (`tests/radon/says.py`) -> differences and both times, on standard output.
//! Ends with 1 if a file differs that radon measured and `--differences` does not allow.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a tool for developers that fails loudly")]

#[path = "../tests/radon/compare.rs"]
mod compare;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use code_metrics::{Language, measure, source};
use serde::Deserialize;

use compare::{Said, differences};

#[derive(Deserialize)]
struct Answers {
    seconds: BTreeMap<String, f64>,
    files: BTreeMap<String, Said>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (folder, answers) = (Path::new(&arguments[1]), std::fs::read(&arguments[2]).unwrap());
    let Answers { seconds, files } = serde_json::from_slice(&answers).unwrap();
    let (mut ours_seconds, mut blocks, mut differ, mut files_differ) = (0.0, 0, 0, 0);
    let (mut both, mut neither, mut only_here) = (0, 0, 0);
    for (path, said) in &files {
        let began = Instant::now();
        let ours = std::fs::read(folder.join(path))
            .map_err(|error| error.to_string())
            .and_then(|bytes| source::text_of(bytes, Language::Python))
            .and_then(|text| measure(Language::Python, &text).map_err(|error| error.to_string()));
        let spent = began.elapsed().as_secs_f64();
        match (said, ours) {
            (Said::Measured(said), Ok(ours)) => {
                ours_seconds += spent;
                both += 1;
                blocks += said.blocks.len();
                let (count, words) = differences(said, &ours);
                differ += count;
                files_differ += usize::from(!words.is_empty());
                words.iter().for_each(|words| println!("{path}: {words}"));
            }
            (Said::Measured(said), Err(error)) => {
                blocks += said.blocks.len();
                differ += said.blocks.len();
                files_differ += 1;
                println!("{path}: radon measured it, here {error}");
            }
            (Said::Error { error }, Ok(_)) => {
                only_here += 1;
                println!("{path}: measured here alone; radon: {error}");
            }
            (Said::Error { .. }, Err(_)) => neither += 1,
        }
    }
    let radon: f64 = seconds.values().sum();
    println!(
        "{both} files and {blocks} blocks measured by both, {only_here} files here alone, {neither} by nobody"
    );
    println!(
        "{differ} blocks differ ({:.4} %), {files_differ} files differ in a number",
        100.0 * differ as f64 / blocks as f64
    );
    println!(
        "radon {radon:.1} s ({seconds:.1?}), here {ours_seconds:.2} s: {:.0} times",
        radon / ours_seconds
    );
    // One block of ten thousand may differ.
    std::process::exit(i32::from(differ * 10_000 > blocks));
}
