//! Which files need work, how urgently, and what is said about them.
//!
//! In -> out: a file's [`Record`], settings -> [`Judgement`], or none for a file that is good enough.
//! Units: priorities 1..=5, higher is more urgent; ids at most 128 bytes of `[A-Za-z0-9._-]`, descriptions at most 4096.
//! Invariant: the same content of the same file gets the same two ids, so it is asked for once.
//! Not here: measuring (`history.rs`), which tasks exist (`lib.rs`).

use code_metrics::maintainability::{Rank, rank_of_complexity, rank_of_index};

use crate::history::{Complex, Record, Trend, digest};
use crate::settings::Settings;

const ID_BYTES_MAX: usize = 128;
/// Of a digest in an id.
const DIGITS: usize = 8;
/// Of a path or a name in a description. Longer is cut.
const SHOWN_BYTES_MAX: usize = 1024;
/// With more blocks above the threshold a file is more urgent.
const MANY: usize = 5;

/// A file that needs work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Of the first task about this file.
    pub id: String,
    /// Of another one, about this content, if a function got worse.
    pub again: Option<String>,
    pub priority: i32,
    pub description: String,
}

/// What is to be done about a file.
#[must_use]
pub fn judge(path: &str, record: &Record, settings: &Settings) -> Option<Judgement> {
    let threshold = settings.complexity_threshold;
    let above = record.now.blocks.values().filter(|block| block.complexity > threshold).count();
    let rank = rank_of_index(record.now.maintainability);
    if above == 0 && rank <= settings.maintainability_threshold {
        return None;
    }
    let worst = record.now.worst().filter(|(_, block)| block.complexity > threshold);
    let trend = if settings.use_wily { record.trend() } else { Trend::Steady };
    let id = task_id(path);
    let worsened = record.worsened(threshold);
    let again = worsened.map(|_| {
        let content = record.now.digest.get(..DIGITS).unwrap_or_default();
        format!("{id}-{content}")
    });
    Some(Judgement {
        id,
        again,
        priority: priority(worst.map_or(0, |(_, block)| block.complexity), rank, above, trend),
        description: describe(path, record, settings, (worst, above, rank, worsened)),
    })
}

/// True if the task is about the file: the first one, or one that was asked for again.
#[must_use]
pub fn is_about(task: &str, first: &str) -> bool {
    let Some(rest) = task.strip_prefix(first) else { return false };
    let is_content = |digits: &str| {
        digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    rest.is_empty() || rest.strip_prefix('-').is_some_and(is_content)
}

/// By the worst block, the rank of the file, how many blocks are above, and where it goes.
fn priority(worst: u32, rank: Rank, above: usize, trend: Trend) -> i32 {
    let by_complexity = match worst {
        31.. => 5,
        21..=30 => 4,
        16..=20 => 3,
        0..=15 => 2,
    };
    let by_rank = match rank {
        Rank::A => -2,
        Rank::B | Rank::C => -1,
        Rank::D | Rank::E => 0,
        Rank::F => 1,
    };
    let by_trend = match trend {
        Trend::Steady => 0,
        Trend::Worse => 1,
        Trend::Better => -1,
    };
    (by_complexity + by_rank + i32::from(above > MANY) + by_trend).clamp(1, 5)
}

type Seen<'a> = (Option<(&'a str, Complex)>, usize, Rank, Option<(&'a str, Complex, u32)>);

fn describe(
    path: &str,
    record: &Record,
    settings: &Settings,
    (worst, above, rank, worsened): Seen<'_>,
) -> String {
    let threshold = settings.complexity_threshold;
    let mut text = format!("Refactor {}: ", cut(path, SHOWN_BYTES_MAX));
    if let Some((name, block)) = worst {
        let (name, complexity) = (cut(name, SHOWN_BYTES_MAX), block.complexity);
        let rank = rank_of_complexity(complexity);
        text += &format!(
            "`{name}` at line {} has complexity {complexity} ({rank}), threshold {threshold}; ",
            block.line
        );
        if above > 1 {
            text += &format!("{above} blocks are above it; ");
        }
    }
    text += &format!("maintainability {:.1} ({rank}); ", record.now.maintainability);
    if let Some((name, block, was)) = worsened {
        text += &format!("`{}` got worse, from {was} to {}; ", cut(name, SHOWN_BYTES_MAX), block.complexity);
    }
    text + match worst {
        Some((_, block)) if block.complexity > threshold.saturating_mul(2) => {
            "split it into functions that each make one decision"
        }
        Some(_) => "move a branch or a loop into a function of its own",
        None => "split the file, or name its parts with functions and comments",
    }
}

/// `metrics-<path>` with `..` for `/`. What an id cannot say exactly gets a digest; room is left for that of a content.
fn task_id(path: &str) -> String {
    let plain = format!("metrics-{}", path.replace('/', ".."));
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
    let bytes_max = ID_BYTES_MAX - 1 - DIGITS;
    if plain.len() <= bytes_max && plain.chars().all(allowed) && !path.contains("..") {
        return plain;
    }
    let replaced: String = plain.chars().map(|char| if allowed(char) { char } else { '_' }).collect();
    let digest = digest(path.as_bytes());
    let shown = digest.get(..2 * DIGITS).unwrap_or_default();
    format!("{}-{shown}", cut(&replaced, bytes_max - 1 - 2 * DIGITS))
}

/// The longest start of `text` of at most `bytes_max` bytes that ends between characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::history::Measurement;

    fn measured(digest: &str, maintainability: f64, blocks: &[(&str, u32)]) -> Measurement {
        let block = |(name, complexity): &(&str, u32)| {
            ((*name).to_owned(), Complex { complexity: *complexity, line: 7 })
        };
        let blocks: BTreeMap<_, _> = blocks.iter().map(block).collect();
        let complexity = blocks.values().map(|block| block.complexity).sum();
        Measurement {
            digest: digest.repeat(64),
            complexity,
            maintainability,
            sloc: 9,
            volume: 1.0,
            above: 5,
            blocks,
        }
    }

    fn first(now: Measurement) -> Record {
        Record::first(now)
    }

    fn by(json: &str) -> Settings {
        Settings::parse(json).unwrap()
    }

    #[test]
    fn only_what_passes_a_threshold_is_judged() {
        let settings = Settings::default();
        assert_eq!(judge("a.py", &first(measured("a", 50.0, &[("f", 15)])), &settings), None);
        assert_eq!(judge("a.py", &first(measured("a", 9.1, &[])), &settings), None);
        let found =
            judge("src/a.py", &first(measured("a", 50.0, &[("f", 16), ("C.g", 40)])), &settings).unwrap();
        assert_eq!((found.id.as_str(), found.again, found.priority), ("metrics-src..a.py", None, 3));
        assert_eq!(
            found.description,
            "Refactor src/a.py: `C.g` at line 7 has complexity 40 (E), threshold 15; 2 blocks are above it; \
             maintainability 50.0 (A); split it into functions that each make one decision"
        );
        let found = judge("a.py", &first(measured("a", 9.0, &[])), &settings).unwrap();
        assert!(
            found.description.contains("maintainability 9.0 (C); split the file"),
            "{}",
            found.description
        );
        assert!(
            judge("a.py", &first(measured("a", 19.0, &[])), &by(r#"{"maintainability_threshold": "A"}"#))
                .is_some()
        );
    }

    #[test]
    fn priorities_follow_the_worst_block_the_rank_the_number_and_the_trend() {
        for (worst, rank, above, trend, expected) in [
            (31, Rank::C, 1, Trend::Steady, 4),
            (31, Rank::C, 6, Trend::Worse, 5),
            (30, Rank::B, 1, Trend::Steady, 3),
            (20, Rank::A, 1, Trend::Steady, 1),
            (20, Rank::A, 6, Trend::Worse, 3),
            (20, Rank::B, 1, Trend::Better, 1),
            (0, Rank::C, 0, Trend::Worse, 2),
            (99, Rank::F, 9, Trend::Worse, 5),
        ] {
            assert_eq!(priority(worst, rank, above, trend), expected, "{worst} {rank} {above} {trend:?}");
        }
    }

    #[test]
    fn the_trend_counts_only_if_it_is_asked_for() {
        let record = |was, is| {
            first(measured("a", 15.0, &[("f", was)])).followed_by(measured("b", 15.0, &[("f", is)]))
        };
        let priority = |was, is, json| judge("a.py", &record(was, is), &by(json)).unwrap().priority;
        let on = r#"{"use_wily": true}"#;
        assert_eq!([priority(24, 25, on), priority(26, 25, on), priority(24, 25, "{}")], [4, 2, 3]);
    }

    #[test]
    fn a_function_that_got_worse_is_asked_for_again_by_its_content() {
        let worse = first(measured("a", 50.0, &[("f", 20)])).followed_by(measured("b", 50.0, &[("f", 21)]));
        let found = judge("a.py", &worse, &Settings::default()).unwrap();
        assert_eq!(found.again.as_deref(), Some("metrics-a.py-bbbbbbbb"));
        assert!(found.description.contains("`f` got worse, from 20 to 21"), "{}", found.description);
        let better = first(measured("a", 50.0, &[("f", 21)])).followed_by(measured("b", 50.0, &[("f", 20)]));
        assert_eq!(judge("a.py", &better, &Settings::default()).unwrap().again, None);
    }

    #[test]
    fn a_task_is_about_its_file_and_no_other() {
        assert!(
            is_about("metrics-a.py", "metrics-a.py") && is_about("metrics-a.py-0123abcd", "metrics-a.py")
        );
        for other in ["metrics-a.pyx", "metrics-a.py-x.py", "metrics-a.py-0123abcde", "refactor-a.py"] {
            assert!(!is_about(other, "metrics-a.py"), "{other}");
        }
    }

    #[test]
    fn ids_stay_in_their_alphabet_and_length_and_differ() {
        let long = "x".repeat(300);
        let ids = ["a/b.rs", "a..b.rs", "ä b.py", "ö b.py", &long, &format!("{long}y")].map(task_id);
        for id in &ids {
            assert!(id.len() + 1 + DIGITS <= 128, "{id}");
            assert!(id.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char)), "{id}");
        }
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    }

    #[test]
    fn a_description_stays_within_its_limit() {
        let name = "f".repeat(4000);
        let worse = first(measured("a", 1.0, &[(&name, 20)])).followed_by(measured("b", 1.0, &[(&name, 99)]));
        let found = judge(&"ü".repeat(4000), &worse, &Settings::default()).unwrap();
        assert!(found.description.len() <= 4096);
    }
}
