//! What is measured here beside what radon said about the same file.
//!
//! In -> out: radon's answer (`says.py`) and ours -> each number that differs, in words.
//! Classes inside functions are left out, as radon leaves them out.

use code_metrics::FileMetrics;
use code_metrics::block::{Block, BlockKind};
use code_metrics::halstead::Halstead;
use code_metrics::maintainability::rank_of_index;
use serde::Deserialize;

/// Of a number that is computed with logarithms.
const TOLERANCE: f64 = 1e-9;

/// Radon's answer about one file.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Said {
    Error { error: String },
    Measured(Box<Measured>),
}

#[derive(Debug, Deserialize)]
pub(crate) struct Measured {
    pub(crate) blocks: Vec<(String, String, u32, u32)>,
    complexity: u32,
    halstead: [f64; 12],
    functions: Vec<(String, [f64; 12])>,
    raw: [u32; 7],
    mi: f64,
    rank: String,
}

/// How many blocks differ, and what else does, in words.
pub(crate) fn differences(said: &Measured, ours: &FileMetrics) -> (usize, Vec<String>) {
    let mut words = Vec::new();
    let mut blocks = as_radon_lists(&ours.blocks);
    blocks.sort_by(|one, other| (one.2, &one.1).cmp(&(other.2, &other.1)));
    let missing = said.blocks.iter().filter(|block| !blocks.contains(block)).collect::<Vec<_>>();
    let more = blocks.iter().filter(|block| !said.blocks.contains(block)).collect::<Vec<_>>();
    let differ = missing.len().max(more.len()).max(said.blocks.len().abs_diff(blocks.len()));
    if differ > 0 {
        words.push(format!("blocks: radon {missing:?}, here {more:?}"));
    }
    let mut compare = |what: &str, radon: String, here: String| {
        if radon != here {
            words.push(format!("{what}: radon {radon}, here {here}"));
        }
    };
    let raw = ours.raw;
    let lines = [raw.loc, raw.lloc, raw.sloc, raw.comments, raw.multi, raw.blank, raw.single_comments];
    compare("raw", format!("{:?}", said.raw), format!("{lines:?}"));
    compare("complexity", said.complexity.to_string(), ours.complexity.to_string());
    compare("rank", said.rank.clone(), rank_of_index(ours.maintainability).to_string());
    let names = |functions: Vec<&String>| format!("{functions:?}");
    compare(
        "functions",
        names(said.functions.iter().map(|function| &function.0).collect()),
        names(ours.functions.iter().map(|function| &function.0).collect()),
    );
    let mut numbers = vec![("the file".to_owned(), said.halstead, report(ours.halstead))];
    for (radon, here) in said.functions.iter().zip(&ours.functions) {
        numbers.push((radon.0.clone(), radon.1, report(here.1)));
    }
    for (what, radon, here) in numbers {
        if !radon.iter().zip(&here).all(|(radon, here)| is_near(*radon, *here)) {
            words.push(format!("halstead of {what}: radon {radon:?}, here {here:?}"));
        }
    }
    if !is_near(said.mi, ours.maintainability) {
        words.push(format!("mi: radon {}, here {}", said.mi, ours.maintainability));
    }
    (differ, words)
}

/// In radon's order.
fn report(counts: Halstead) -> [f64; 12] {
    [
        f64::from(counts.distinct_operators),
        f64::from(counts.distinct_operands),
        f64::from(counts.operators),
        f64::from(counts.operands),
        f64::from(counts.vocabulary()),
        f64::from(counts.length()),
        counts.calculated_length(),
        counts.volume(),
        counts.difficulty(),
        counts.effort(),
        counts.time(),
        counts.bugs(),
    ]
}

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= TOLERANCE * one.abs().max(1.0)
}

/// Without classes in functions and what is in these.
fn as_radon_lists(blocks: &[Block]) -> Vec<(String, String, u32, u32)> {
    let mut around: Vec<(String, BlockKind, bool)> = Vec::new();
    let mut listed = Vec::new();
    for block in blocks {
        while around.last().is_some_and(|outer| !block.name.starts_with(&outer.0)) {
            around.pop();
        }
        let left_out = around.last().is_some_and(|(_, kind, left_out)| {
            *left_out || (block.kind == BlockKind::Class && *kind != BlockKind::Class)
        });
        if !left_out {
            listed.push((block.kind.to_string(), block.name.clone(), block.line, block.complexity));
        }
        around.push((format!("{}.", block.name), block.kind, left_out));
    }
    listed
}
