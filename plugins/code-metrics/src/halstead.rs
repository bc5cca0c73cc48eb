//! Halstead's counts: operators and operands, all of them and distinct ones.
//!
//! In -> out: [`Counts`] that a walk over a syntax tree fills -> [`Halstead`].
//! Invariant: an operand that is no name and no constant is distinct from every other.
//! Not here: what counts as an operator (`python_halstead.rs`, `rust_halstead.rs`).

use std::borrow::Cow;
use std::collections::HashSet;

/// An operand as far as it is told apart from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operand<'a> {
    /// A name, an attribute or a text: one and the same if they are spelt alike.
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
    /// Numbers that are equal have one spelling here.
    Number(String),
    /// A constant of that name.
    Constant(&'static str),
    /// Anything else, by its place in memory.
    Node(usize),
}

/// What was counted so far. `context`: the function around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts<'a> {
    operators: u32,
    operands: u32,
    operators_seen: HashSet<&'static str>,
    operands_seen: HashSet<(Option<Cow<'a, str>>, Operand<'a>)>,
}

impl<'a> Counts<'a> {
    pub(crate) fn add_operator(&mut self, name: &'static str) {
        self.operators = self.operators.saturating_add(1);
        self.operators_seen.insert(name);
    }

    pub(crate) fn add_operand(&mut self, context: Option<&Cow<'a, str>>, operand: Operand<'a>) {
        self.operands = self.operands.saturating_add(1);
        self.operands_seen.insert((context.cloned(), operand));
    }

    /// Takes in what a function inside counted.
    pub(crate) fn merge(&mut self, inner: &Counts<'a>) {
        self.operators = self.operators.saturating_add(inner.operators);
        self.operands = self.operands.saturating_add(inner.operands);
        self.operators_seen.extend(&inner.operators_seen);
        self.operands_seen.extend(inner.operands_seen.iter().cloned());
    }

    pub(crate) fn report(&self) -> Halstead {
        let count = |length| u32::try_from(length).unwrap_or(u32::MAX);
        Halstead {
            distinct_operators: count(self.operators_seen.len()),
            distinct_operands: count(self.operands_seen.len()),
            operators: self.operators,
            operands: self.operands,
        }
    }
}

/// The four counts; everything else follows from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Halstead {
    pub distinct_operators: u32,
    pub distinct_operands: u32,
    pub operators: u32,
    pub operands: u32,
}

impl Halstead {
    #[must_use]
    pub fn vocabulary(&self) -> u32 {
        self.distinct_operators.saturating_add(self.distinct_operands)
    }

    #[must_use]
    pub fn length(&self) -> u32 {
        self.operators.saturating_add(self.operands)
    }

    #[must_use]
    pub fn calculated_length(&self) -> f64 {
        let (one, two) = (f64::from(self.distinct_operators), f64::from(self.distinct_operands));
        if one == 0.0 || two == 0.0 { 0.0 } else { one * log_2(one) + two * log_2(two) }
    }

    /// In bits.
    #[must_use]
    pub fn volume(&self) -> f64 {
        if self.vocabulary() == 0 {
            0.0
        } else {
            f64::from(self.length()) * log_2(f64::from(self.vocabulary()))
        }
    }

    #[must_use]
    pub fn difficulty(&self) -> f64 {
        if self.distinct_operands == 0 {
            return 0.0;
        }
        f64::from(self.distinct_operators) * f64::from(self.operands)
            / (2.0 * f64::from(self.distinct_operands))
    }

    #[must_use]
    pub fn effort(&self) -> f64 {
        self.difficulty() * self.volume()
    }

    /// To write it, in seconds.
    #[must_use]
    pub fn time(&self) -> f64 {
        self.effort() / 18.0
    }

    /// Errors to expect.
    #[must_use]
    pub fn bugs(&self) -> f64 {
        self.volume() / 3000.0
    }
}

/// By natural logarithms, as radon computes it.
fn log_2(value: f64) -> f64 {
    value.ln() / 2.0_f64.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measures_nothing() {
        let nothing = Halstead::default();
        assert_eq!((nothing.volume(), nothing.difficulty(), nothing.calculated_length()), (0.0, 0.0, 0.0));
    }

    #[test]
    fn everything_follows_from_the_four_counts() {
        let counts = Halstead { distinct_operators: 2, distinct_operands: 6, operators: 4, operands: 8 };
        assert_eq!((counts.vocabulary(), counts.length()), (8, 12));
        assert!((counts.volume() - 36.0).abs() < 1e-9);
        assert!((counts.difficulty() - 8.0 / 6.0).abs() < 1e-12);
        assert!((counts.effort() - 48.0).abs() < 1e-9);
        assert!((counts.time() - 48.0 / 18.0).abs() < 1e-9);
        assert!((counts.bugs() - 0.012).abs() < 1e-9);
    }
}
