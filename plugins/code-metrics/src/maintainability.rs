//! The maintainability index, and ranks as radon gives them.
//!
//! In -> out: volume, complexity, lines -> 0.0..=100.0, higher is better; numbers -> letters.
//! Not here: measuring what goes in (`python.rs`, `rust.rs`).

use std::fmt;

use crate::raw::Raw;

/// A letter; the later it comes, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    A,
    B,
    C,
    D,
    E,
    F,
}

impl fmt::Display for Rank {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// The index of a whole file. `volume`: Halstead's; `complexity`: of the whole file.
#[must_use]
pub fn index(volume: f64, complexity: u32, raw: Raw) -> f64 {
    let lines = f64::from(raw.lloc);
    if volume <= 0.0 || lines <= 0.0 {
        return 100.0;
    }
    let comments = f64::from(raw.comments.saturating_add(raw.multi));
    let percent = if raw.sloc == 0 { 0.0 } else { comments / f64::from(raw.sloc) * 100.0 };
    let scale = (2.46 * percent.to_radians()).sqrt();
    let plain =
        171.0 - 5.2 * volume.ln() - 0.23 * f64::from(complexity) - 16.2 * lines.ln() + 50.0 * scale.sin();
    (plain * 100.0 / 171.0).clamp(0.0, 100.0)
}

/// A above 19, B above 9, else C.
#[must_use]
pub fn rank_of_index(index: f64) -> Rank {
    match index {
        index if index > 19.0 => Rank::A,
        index if index > 9.0 => Rank::B,
        _ => Rank::C,
    }
}

/// A up to 5, B up to 10, C up to 20, D up to 30, E up to 40, else F.
#[must_use]
pub fn rank_of_complexity(complexity: u32) -> Rank {
    match complexity {
        0..=5 => Rank::A,
        6..=10 => Rank::B,
        11..=20 => Rank::C,
        21..=30 => Rank::D,
        31..=40 => Rank::E,
        41.. => Rank::F,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rank_ends_where_radon_says() {
        let ranks = [0, 5, 6, 10, 11, 20, 21, 30, 31, 40, 41]
            .map(|complexity| rank_of_complexity(complexity).to_string());
        assert_eq!(ranks.concat(), "AABBCCDDEEF");
        assert_eq!(
            [19.1, 19.0, 9.1, 9.0, 0.0].map(rank_of_index),
            [Rank::A, Rank::B, Rank::B, Rank::C, Rank::C]
        );
    }

    #[test]
    fn a_file_without_operators_or_lines_is_as_good_as_can_be() {
        assert_eq!(index(0.0, 9, Raw { lloc: 5, ..Raw::default() }), 100.0);
        assert_eq!(index(8.0, 9, Raw::default()), 100.0);
    }
}
