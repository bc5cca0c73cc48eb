//! An agent that learned how sizes are misjudged, and how far it is trusted.
//!
//! In -> out: jobs that were done, with the size that they turned out to have -> [`Agent`]; what it won -> [`Authority`].
//! Units: factors are real size over estimated one, by class: sizes below 2, 4, 8 and so on.
//! Invariant: the same experience, seed and order give the same agent; authority rises only by a gain above [`GAIN_MIN`] and falls to
//! nothing when the agent loses.
//! Not here: who trains it (`examples/train.rs`), which part of a line it orders (`line.rs`).

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use crate::wsjf::Job;

pub const CLASSES: usize = 32;
/// A smaller gain may be chance.
pub const GAIN_MIN: f64 = 0.05;
/// What it tries for a class: sizes are right, or wrong by so much.
const ACTIONS: [f64; 13] = [
    1.0,
    0.125,
    FRAC_1_SQRT_2 / 4.0,
    0.25,
    FRAC_1_SQRT_2 / 2.0,
    0.5,
    FRAC_1_SQRT_2,
    SQRT_2,
    2.0,
    SQRT_2 * 2.0,
    4.0,
    SQRT_2 * 4.0,
    8.0,
];
/// Of the trials, at random; of a hundred.
const EXPLORED: u64 = 20;

/// What was learned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agent {
    factors: Vec<f64>,
}

/// A job that was done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Experience {
    pub job: Job,
    /// The size that it turned out to have.
    pub took: f64,
}

/// From 0.0, the agent is only heard, to 1.0, it decides.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Authority(f64);

impl Agent {
    /// An agent that knows nothing takes every size as it is said.
    #[must_use]
    pub fn new(factors: Vec<f64>) -> Self {
        Self { factors }
    }

    #[must_use]
    pub fn factors(&self) -> &[f64] {
        &self.factors
    }

    /// The job's score by the size that it is believed to have.
    #[must_use]
    pub fn score(&self, job: &Job) -> f64 {
        job.score() / self.factors.get(class_of(job.size)).copied().unwrap_or(1.0)
    }

    /// Learns by trial: for each job it picks a factor, and is paid the less the more the job's size differs from what it picked.
    /// `seed`: what trials are chosen by.
    #[must_use]
    pub fn train(experience: &[Experience], seed: u64) -> Self {
        let mut random = seed;
        let mut paid = vec![[(0.0_f64, 0_u32); ACTIONS.len()]; CLASSES];
        for Experience { job, took } in experience.iter().cycle().take(experience.len() * 2 * ACTIONS.len()) {
            let Some(of_class) = paid.get_mut(class_of(job.size)) else { continue };
            let picked = match next(&mut random) % 100 < EXPLORED {
                true => (next(&mut random) % ACTIONS.len() as u64) as usize,
                false => best(of_class),
            };
            let (Some(action), Some((mean, trials))) = (ACTIONS.get(picked), of_class.get_mut(picked)) else {
                continue;
            };
            let reward = -(took.max(f64::MIN_POSITIVE) / (job.size * action)).ln().abs();
            *trials += 1;
            *mean += (reward - *mean) / f64::from(*trials);
        }
        let factor =
            |of_class: &[(f64, u32); ACTIONS.len()]| ACTIONS.get(best(of_class)).copied().unwrap_or(1.0);
        let mut factors: Vec<f64> = paid.iter().map(factor).collect();
        let known = factors.iter().rposition(|factor| *factor != 1.0).map_or(0, |last| last + 1);
        factors.truncate(known);
        Self { factors }
    }

    /// How much less is lost by its order than by the one of the scores alone, as a part of the latter; negative: more.
    #[must_use]
    pub fn gain(&self, experience: &[Experience]) -> f64 {
        let baseline = loss(experience, Job::score);
        if baseline <= 0.0 { 0.0 } else { (baseline - loss(experience, |job| self.score(job))) / baseline }
    }
}

impl Authority {
    #[must_use]
    pub fn new(value: f64) -> Self {
        Self(if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 })
    }

    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// After the agent won so much, or lost.
    #[must_use]
    pub fn after(self, gain: f64) -> Self {
        match gain {
            gain if gain > GAIN_MIN => Self::new(self.0 + gain),
            gain if gain < 0.0 => Self(0.0),
            _ => self,
        }
    }

    /// How many of so many, from the front.
    #[must_use]
    pub fn share_of(self, count: usize) -> usize {
        ((self.0 * count as f64).ceil() as usize).min(count)
    }
}

/// The action that paid best so far; one that was never tried pays nothing, which is the best there is.
fn best(of_class: &[(f64, u32)]) -> usize {
    let mut found = 0;
    for (place, (mean, _)) in of_class.iter().enumerate() {
        if of_class.get(found).is_none_or(|(best, _)| mean > best) {
            found = place;
        }
    }
    found
}

/// Value that waits, as long as it waits, when one job goes after the other.
fn loss(experience: &[Experience], score: impl Fn(&Job) -> f64) -> f64 {
    let mut order: Vec<(f64, &Experience)> = experience.iter().map(|done| (score(&done.job), done)).collect();
    order.sort_by(|one, other| other.0.total_cmp(&one.0));
    let (mut now, mut lost) = (0.0, 0.0);
    for (_, Experience { job, took }) in order {
        now += took;
        lost += job.value * now;
    }
    lost
}

/// Sizes below 2 are the first class, those below 4 the second, and so on.
fn class_of(size: f64) -> usize {
    if size < 2.0 { 0 } else { (size.log2() as usize).min(CLASSES - 1) }
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs of sizes 1 to 16 whose real size is `factor(size)` times that, give or take a fifth.
    fn jobs(count: usize, seed: u64, factor: impl Fn(f64) -> f64) -> Vec<Experience> {
        let mut state = seed;
        let mut below = |bound: u64| (next(&mut state) % bound) as f64;
        (0..count)
            .map(|_| {
                let (value, size) = (1.0 + below(20), 1.0 + below(16));
                Experience { job: Job { value, size }, took: size * factor(size) * (0.8 + below(41) / 100.0) }
            })
            .collect()
    }

    /// Small jobs turn out four times as large, large ones half.
    fn misjudged(size: f64) -> f64 {
        if size < 4.0 { 4.0 } else { 0.5 }
    }

    #[test]
    fn it_beats_the_scores_alone_where_sizes_are_misjudged() {
        for seed in 0..20 {
            let agent = Agent::train(&jobs(200, seed, misjudged), seed);
            let gain = agent.gain(&jobs(200, seed + 1000, misjudged));
            assert!(gain > GAIN_MIN, "seed {seed}: {gain}, {agent:?}");
        }
    }

    #[test]
    fn it_does_no_harm_where_they_are_not() {
        for seed in 0..20 {
            let agent = Agent::train(&jobs(200, seed, |_| 1.0), seed);
            let gain = agent.gain(&jobs(200, seed + 1000, |_| 1.0));
            assert!((-0.005..=GAIN_MIN).contains(&gain), "seed {seed}: {gain}, {agent:?}");
            assert!(Authority::new(0.0).after(gain).value() == 0.0);
        }
    }

    #[test]
    fn the_same_experience_and_seed_give_the_same_agent() {
        let experience = jobs(100, 5, misjudged);
        assert_eq!(Agent::train(&experience, 1), Agent::train(&experience, 1));
        assert_eq!(Agent::train(&[], 1), Agent::default());
    }

    #[test]
    fn authority_rises_by_a_gain_that_is_no_chance_and_falls_when_it_loses() {
        let after = |from: f64, gain: f64| Authority::new(from).after(gain).value();
        assert_eq!([after(0.0, 0.05), after(0.0, 0.0), after(0.5, 0.04)], [0.0, 0.0, 0.5]);
        assert!((after(0.2, 0.3) - 0.5).abs() < 1e-12);
        assert_eq!([after(0.9, 0.3), after(0.9, -0.01), after(1.0, -0.5)], [1.0, 0.0, 0.0]);
        assert_eq!([Authority::new(f64::NAN).value(), Authority::new(7.0).value()], [0.0, 1.0]);
    }

    #[test]
    fn its_share_is_counted_from_the_front() {
        let share = |value, count| Authority::new(value).share_of(count);
        assert_eq!(
            [share(0.0, 10), share(0.25, 10), share(1.0, 10), share(0.5, 1), share(1.0, 0)],
            [0, 3, 10, 1, 0]
        );
    }
}
