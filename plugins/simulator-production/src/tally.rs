//! How many there were and how long they took.
//!
//! In -> out: times in microseconds -> counts and percentiles.
//! Units: a percentile is at most one sixteenth above the time that it stands for.
//! Not here: what is counted (`simulation.rs`).

use serde::{Deserialize, Serialize};

/// Parts of each doubling of time.
const PARTS: u64 = 16;

/// Times, sorted into classes whose width is a sixteenth of where they begin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    pub served: u64,
    /// Not let in: too many waited, a limit was reached, or it had stopped.
    pub refused: u64,
    /// Let in, and something that was called refused.
    pub failed: u64,
    /// Of what was served, by class: how many.
    #[serde(with = "pairs")]
    classes: Vec<u64>,
}

impl Tally {
    pub fn serve(&mut self, time_us: u64) {
        self.served += 1;
        let class = class_of(time_us);
        if self.classes.len() <= class {
            self.classes.resize(class + 1, 0);
        }
        if let Some(count) = self.classes.get_mut(class) {
            *count += 1;
        }
    }

    /// The time in which so many of a hundred were served; 0 of none.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> u64 {
        let wanted = (self.served * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let class = self.classes.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        class.map_or(0, end_of)
    }
}

fn class_of(time_us: u64) -> usize {
    let doublings = u64::from((time_us / PARTS).checked_ilog2().map_or(0, |log| log + 1));
    let class = match doublings {
        0 => time_us,
        doublings => doublings * PARTS + (time_us >> (doublings - 1)) - PARTS,
    };
    usize::try_from(class).unwrap_or(usize::MAX)
}

/// The longest time of a class.
fn end_of(class: usize) -> u64 {
    let class = class as u64;
    match class / PARTS {
        0 => class,
        doublings => (((class % PARTS) + PARTS + 1) << (doublings - 1)).saturating_sub(1),
    }
}

/// Classes with something in them.
mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// More would be a time that no number holds.
    const CLASSES_MAX: usize = 1024;

    pub(super) fn serialize<S: Serializer>(classes: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        let filled: Vec<(usize, u64)> =
            classes.iter().copied().enumerate().filter(|(_, count)| *count > 0).collect();
        filled.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        let pairs: Vec<(usize, u64)> = Vec::deserialize(deserializer)?;
        let mut classes = Vec::new();
        for (class, count) in pairs {
            if class >= CLASSES_MAX {
                return Err(serde::de::Error::custom(format!("class {class}, limit is {CLASSES_MAX}")));
            }
            if classes.len() <= class {
                classes.resize(class + 1, 0);
            }
            if let Some(slot) = classes.get_mut(class) {
                *slot = count;
            }
        }
        Ok(classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_its_class_and_no_more_than_a_sixteenth_below_its_end() {
        let mut last = 0;
        for time in (0..5000).chain([1 << 40, (1 << 40) + 1, u64::MAX / 2]) {
            let class = class_of(time);
            assert!(class >= last && class < 1024, "{time}");
            last = class;
            let end = end_of(class);
            assert!(end >= time && end - time <= time / PARTS, "{time} in {class}, which ends at {end}");
            assert_eq!(class_of(end), class);
        }
    }

    #[test]
    fn percentiles_are_of_what_was_served() {
        let mut tally = Tally::default();
        assert_eq!(tally.percentile(50), 0);
        (1..=100).for_each(|time| tally.serve(time));
        assert_eq!([tally.percentile(1), tally.percentile(10)], [1, 10]);
        assert!((50..=53).contains(&tally.percentile(50)) && (99..=105).contains(&tally.percentile(99)));
        let kept: Tally = serde_json::from_str(&serde_json::to_string(&tally).unwrap()).unwrap();
        assert_eq!(kept, tally);
    }
}
