//! The vectors of one collection in memory, in eight bits a number, and the nearest of them.
//!
//! In -> out: unit vectors -> [`Coarse`] ones -> the ids of those that seem nearest.
//! Limits: an error of at most half a step of 1/127 of a vector's largest number; whoever wants the exact order takes more than it
//! needs and compares those again.
//! Not here: exact vectors, which stay in the file (`cache.rs`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Filter;

/// A vector of length 1 (or of zeros), each number in eight bits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Coarse {
    pub(crate) numbers: Vec<i8>,
    /// What one step is.
    pub(crate) scale: f32,
}

impl Coarse {
    pub(crate) fn of(unit: &[f32]) -> Self {
        let largest = unit.iter().fold(0.0f32, |most, number| most.max(number.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        // Between -127 and 127, since none is larger than the largest.
        let numbers = unit.iter().map(|number| (number / scale).round() as i8).collect();
        Self { numbers, scale }
    }
}

/// The same direction with length 1; zeros stay zeros.
pub(crate) fn unit(vector: &[f32]) -> Vec<f32> {
    let largest = vector.iter().fold(0.0f32, |most, number| most.max(number.abs()));
    if largest <= 0.0 || !largest.is_finite() {
        return vec![0.0; vector.len()];
    }
    // The largest first, so that no square is over or under what a number can be.
    let length = vector.iter().map(|number| f64::from(number / largest).powi(2)).sum::<f64>().sqrt();
    vector.iter().map(|number| (f64::from(number / largest) / length) as f32).collect()
}

/// The cosine of two unit vectors.
pub(crate) fn cosine(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
}

/// All vectors of a collection, row after row.
#[derive(Default)]
pub(crate) struct Matrix {
    dimension: usize,
    numbers: Vec<i8>,
    rows: Vec<Row>,
    documents: Vec<(String, String)>,
}

struct Row {
    chunk: i64,
    scale: f32,
    /// Place in `documents`.
    document: u32,
}

impl Matrix {
    pub(crate) fn new(dimension: usize) -> Self {
        Self { dimension, ..Self::default() }
    }

    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Adds a document, whose chunks follow.
    pub(crate) fn document(&mut self, path: String, language: String) {
        self.documents.push((path, language));
    }

    /// Adds a chunk of the last document; one of another dimension is left out.
    pub(crate) fn chunk(&mut self, chunk: i64, scale: f32, numbers: &[u8]) {
        if numbers.len() == self.dimension && !self.documents.is_empty() {
            self.numbers.extend(numbers.iter().map(|byte| *byte as i8));
            let document = (self.documents.len() - 1) as u32;
            self.rows.push(Row { chunk, scale, document });
        }
    }

    /// The ids of at most `count` chunks that seem nearest, in no order.
    pub(crate) fn candidates(&self, query: &Coarse, count: usize, filter: &Filter) -> Vec<i64> {
        let is_meant: Vec<bool> =
            self.documents.iter().map(|(path, language)| filter.takes(path, language)).collect();
        let mut best: BinaryHeap<Reverse<(Score, i64)>> = BinaryHeap::with_capacity(count + 1);
        for (row, numbers) in self.rows.iter().zip(self.numbers.chunks_exact(self.dimension.max(1))) {
            if !is_meant.get(row.document as usize).copied().unwrap_or(false) {
                continue;
            }
            let score = Score(dot(numbers, &query.numbers) as f32 * row.scale);
            if best.len() < count {
                best.push(Reverse((score, row.chunk)));
            } else if best.peek().is_some_and(|Reverse((least, _))| *least < score) {
                best.pop();
                best.push(Reverse((score, row.chunk)));
            }
        }
        best.into_iter().map(|Reverse((_, chunk))| chunk).collect()
    }
}

/// As simple as it is so that the compiler makes wide instructions of it.
fn dot(one: &[i8], other: &[i8]) -> i32 {
    one.iter().zip(other).map(|(one, other)| i32::from(*one) * i32::from(*other)).sum()
}

/// A finite number, in its order.
#[derive(Clone, Copy, PartialEq)]
struct Score(f32);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_vector_is_the_exact_one_within_half_a_step() {
        let exact = unit(&[0.3, -1.0, 0.001, 0.7]);
        let Coarse { numbers, scale } = Coarse::of(&exact);
        for (coarse, exact) in numbers.iter().zip(&exact) {
            assert!((f32::from(*coarse) * scale - exact).abs() <= scale * 0.5001, "{coarse} {exact}");
        }
        assert_eq!(Coarse::of(&[0.0, 0.0]).numbers, [0, 0]);
    }

    #[test]
    fn the_length_of_a_vector_does_not_matter() {
        for factor in [1.0, 1e-30, 1e30] {
            let found = unit(&[3.0 * factor, 4.0 * factor]);
            assert!((found[0] - 0.6).abs() < 1e-6 && (found[1] - 0.8).abs() < 1e-6, "{factor}: {found:?}");
        }
        assert_eq!(unit(&[0.0, 0.0]), [0.0, 0.0]);
    }
}
