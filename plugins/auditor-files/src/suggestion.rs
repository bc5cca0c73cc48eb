//! What is asked for: one task for each file with too many lines.
//!
//! In -> out: measured files -> [`Suggestion`]s, the longest first.
//! Units: ids at most 128 bytes of `[A-Za-z0-9._-]`, descriptions at most 4096 bytes.
//! Invariant: the same file gets the same id in every audit, so it is asked for once.

use crate::size::Size;

const ID_BYTES_MAX: usize = 128;
const HASH_HEX_DIGITS: usize = 16;
const SHOWN_BYTES_MAX: usize = 1024;

/// A task to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub id: String,
    pub description: String,
}

/// Files with more than `lines_max` lines, the longest first, equal ones by path.
#[must_use]
pub fn suggest(mut files: Vec<(String, Size)>, lines_max: u64) -> Vec<Suggestion> {
    files.retain(|(_, size)| size.lines > lines_max);
    files.sort_by(|(path, size), (other_path, other)| {
        other.lines.cmp(&size.lines).then_with(|| path.cmp(other_path))
    });
    files
        .into_iter()
        .map(|(path, size)| Suggestion {
            id: task_id(&path),
            description: format!(
                "Split {}: {} lines, limit {lines_max}; move one of its concepts into a file of its own",
                start_of(&path, SHOWN_BYTES_MAX),
                size.lines
            ),
        })
        .collect()
}

/// `split-<path>` with `..` for `/`. What an id cannot say exactly gets a hash (FNV-1a: tells apart, proves nothing).
fn task_id(path: &str) -> String {
    let plain = format!("split-{}", path.replace('/', ".."));
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
    if plain.len() <= ID_BYTES_MAX && plain.chars().all(allowed) && !path.contains("..") {
        return plain;
    }
    let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let replaced: String = plain.chars().map(|char| if allowed(char) { char } else { '_' }).collect();
    format!("{}-{hash:016x}", start_of(&replaced, ID_BYTES_MAX - 1 - HASH_HEX_DIGITS))
}

/// The longest start of `text` of at most `bytes_max` bytes that ends between characters.
fn start_of(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, lines: u64) -> (String, Size) {
        (path.to_owned(), Size { lines, ..Size::default() })
    }

    #[test]
    fn only_longer_files_and_the_longest_first() {
        let files =
            vec![file("at.py", 500), file("src/over.py", 501), file("far.rs", 900), file("b.py", 501)];
        let suggestions = suggest(files, 500);
        let ids: Vec<_> = suggestions.iter().map(|suggestion| suggestion.id.as_str()).collect();
        assert_eq!(ids, ["split-far.rs", "split-b.py", "split-src..over.py"]);
        assert_eq!(
            suggestions[2].description,
            "Split src/over.py: 501 lines, limit 500; move one of its concepts into a file of its own"
        );
    }

    #[test]
    fn ids_stay_in_their_alphabet_and_length_and_differ() {
        let long = "x".repeat(300);
        let ids = ["a/b.rs", "a..b.rs", "ä.py", "ö.py", long.as_str()].map(task_id);
        for id in &ids {
            assert!(
                id.len() <= 128
                    && id.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
            );
        }
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "{ids:?}");
        assert_eq!(ids[0], "split-a..b.rs");
    }

    #[test]
    fn a_description_stays_within_its_limit() {
        assert!(suggest(vec![file(&"ü".repeat(4000), 501)], 500)[0].description.len() <= 4096);
    }
}
