//! What is asked for: one task for each block above the threshold.
//!
//! In -> out: a file's blocks -> [`Suggestion`]s, the most complex first.
//! Units: ids at most 128 bytes of `[A-Za-z0-9._-]`, descriptions at most 4096 bytes.
//! Invariant: the same block gets the same id in every cycle, so it is asked for once.
//! Not here: what exists already, and asking the host (`lib.rs`).

use std::collections::BTreeMap;

use code_metrics::block::{Block, BlockKind};

const ID_BYTES_MAX: usize = 128;
const HASH_HEX_DIGITS: usize = 16;
/// Of a path or a name in a description. Longer is cut: a task's description has 4096 bytes.
const SHOWN_BYTES_MAX: usize = 1024;

/// A task to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub id: String,
    pub description: String,
    pub complexity: u32,
}

/// The blocks of `file` above `threshold`. A name that is defined twice counts once, at its worst.
#[must_use]
pub fn suggest(file: &str, blocks: &[Block], threshold: u32) -> Vec<Suggestion> {
    let mut worst: BTreeMap<&str, &Block> = BTreeMap::new();
    for block in blocks.iter().filter(|block| block.complexity > threshold) {
        let known = worst.entry(&block.name).or_insert(block);
        if block.complexity > known.complexity {
            *known = block;
        }
    }
    worst.into_values().map(|block| suggestion(file, block, threshold)).collect()
}

/// The `limit` most complex ones; equal ones by id.
#[must_use]
pub fn most_complex(mut suggestions: Vec<Suggestion>, limit: u32) -> Vec<Suggestion> {
    suggestions
        .sort_by(|one, other| other.complexity.cmp(&one.complexity).then_with(|| one.id.cmp(&other.id)));
    suggestions.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    suggestions
}

fn suggestion(file: &str, block: &Block, threshold: u32) -> Suggestion {
    let Block { kind, name, line, complexity } = block;
    let advice = match kind {
        BlockKind::Class => "split the class or simplify its methods",
        BlockKind::Function | BlockKind::Method if *complexity > threshold.saturating_mul(2) => {
            "split it into functions that each make one decision"
        }
        BlockKind::Function | BlockKind::Method => "move a branch or a loop into a function of its own",
    };
    let (shown_file, shown_name) = (cut(file, SHOWN_BYTES_MAX), cut(name, SHOWN_BYTES_MAX));
    Suggestion {
        id: task_id(file, name),
        description: format!(
            "Refactor {kind} `{shown_name}` in {shown_file}:{line}: complexity {complexity}, threshold {threshold}; {advice}"
        ),
        complexity: *complexity,
    }
}

/// `refactor-<file>-<name>` with `..` for `/` and `.` for `::`. What an id cannot say exactly gets a hash.
fn task_id(file: &str, name: &str) -> String {
    let plain = format!("refactor-{}-{}", file.replace('/', ".."), name.replace("::", "."));
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    if plain.len() <= ID_BYTES_MAX && plain.chars().all(allowed) && !file.contains("..") {
        return plain;
    }
    let replaced: String = plain.chars().map(|char| if allowed(char) { char } else { '_' }).collect();
    let kept = cut(&replaced, ID_BYTES_MAX - 1 - HASH_HEX_DIGITS);
    format!("{kept}-{:016x}", hash(&[file, "\0", name]))
}

/// FNV-1a: tells names apart, proves nothing.
fn hash(parts: &[&str]) -> u64 {
    parts
        .iter()
        .flat_map(|part| part.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The longest start of `text` of at most `bytes_max` bytes that ends between characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(name: &str, complexity: u32) -> Block {
        Block { kind: BlockKind::Function, name: name.to_owned(), line: 7, complexity }
    }

    #[test]
    fn only_what_is_above_the_threshold_is_suggested() {
        let suggestions = suggest("src/a.py", &[block("at", 10), block("over", 11), block("C.far", 30)], 10);
        assert_eq!(
            suggestions.iter().map(|suggestion| suggestion.id.as_str()).collect::<Vec<_>>(),
            ["refactor-src..a.py-C.far", "refactor-src..a.py-over"]
        );
        assert_eq!(
            suggestions[1].description,
            "Refactor function `over` in src/a.py:7: complexity 11, threshold 10; \
             move a branch or a loop into a function of its own"
        );
    }

    #[test]
    fn a_name_defined_twice_is_suggested_once_at_its_worst() {
        let suggestions = suggest("a.py", &[block("f", 12), block("f", 20), block("f", 15)], 10);
        assert_eq!(suggestions.iter().map(|suggestion| suggestion.complexity).collect::<Vec<_>>(), [20]);
    }

    #[test]
    fn the_most_complex_come_first_and_the_rest_is_left_out() {
        let all = suggest("a.py", &[block("a", 12), block("b", 20), block("c", 20), block("d", 11)], 10);
        let ids: Vec<_> = most_complex(all, 3).into_iter().map(|suggestion| suggestion.id).collect();
        assert_eq!(ids, ["refactor-a.py-b", "refactor-a.py-c", "refactor-a.py-a"]);
    }

    #[test]
    fn ids_stay_in_their_alphabet_and_length_and_differ() {
        let long = "x".repeat(300);
        let names = [
            task_id("a/b.rs", "T::f"),
            task_id("a..b.rs", "T::f"),
            task_id("ä b.py", "f"),
            task_id("ö b.py", "f"),
            task_id("a.py", "naïve"),
            task_id(&long, "f"),
            task_id(&long, "g"),
        ];
        assert_eq!(names[0], "refactor-a..b.rs-T.f");
        for id in &names {
            assert!(id.len() <= 128, "{id}");
            assert!(id.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char)), "{id}");
        }
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }

    #[test]
    fn an_id_never_changes() {
        assert_eq!(task_id("ä.py", "f"), task_id("ä.py", "f"));
        assert_eq!(task_id("ä.py", "f"), "refactor-_.py-f-2d4af08102297331");
    }

    #[test]
    fn a_description_stays_within_its_limit() {
        let suggestions = suggest(&"ü".repeat(4000), &[block(&"f".repeat(4000), 11)], 10);
        assert!(suggestions[0].description.len() <= 4096);
    }
}
