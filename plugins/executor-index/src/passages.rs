//! A text cut into passages at places where a reader would, too.
//!
//! In -> out: a text, about so many lines -> passages with their lines.
//! Limits: [`PASSAGE_BYTES_MAX`] a passage, also of a line without an end.
//! Invariant: the passages in their order are the text, but for lines without a letter at their ends.

/// Of one passage; a model reads some 2000 tokens of it at most.
pub const PASSAGE_BYTES_MAX: usize = 6 << 10;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its lines, from 1, both inside.
    pub first: u32,
    pub last: u32,
    pub text: String,
}

/// The pieces, each of about `lines` lines: from two thirds of them on it ends where a line begins at the left edge after an empty one,
/// else with an empty line, else when it is full.
pub fn cut(text: &str, lines: usize) -> Vec<Piece> {
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < all.len() {
        let end = end_of(&all, start, lines.max(1));
        let rows = all.get(start..end).unwrap_or_default();
        pieces.extend(
            whole(rows, start).into_iter().filter(|piece| piece.text.chars().any(char::is_alphanumeric)),
        );
        start = end;
    }
    pieces
}

/// Where the passage ends that begins at `start`: after it, at most so many lines on.
fn end_of(all: &[&str], start: usize, lines: usize) -> usize {
    let mut bytes = 0;
    let mut most = start;
    while most < all.len() && most - start < lines {
        bytes += all.get(most).map_or(0, |line| line.len());
        if bytes > PASSAGE_BYTES_MAX && most > start {
            break;
        }
        most += 1;
    }
    if most == all.len() {
        return most;
    }
    let least = start + (most - start) * 2 / 3;
    let is_empty = |at: usize| all.get(at).is_some_and(|line| line.trim().is_empty());
    let begins = |at: usize| {
        all.get(at)
            .and_then(|line| line.chars().next())
            .is_some_and(|one| one.is_alphanumeric() || "#@_/".contains(one))
    };
    let backwards = || (least.max(start + 1)..=most).rev();
    let at_a_start = backwards().find(|&at| at > 0 && is_empty(at - 1) && begins(at));
    at_a_start.or_else(|| backwards().find(|&at| at > 0 && is_empty(at - 1))).unwrap_or(most)
}

/// These rows as one piece, or as several if one line alone is too long. `before`: lines before them.
fn whole(rows: &[&str], before: usize) -> Vec<Piece> {
    let number = |at: usize| u32::try_from(before + at + 1).unwrap_or(u32::MAX);
    let blank = |row: &&&str| row.trim().is_empty();
    let (leading, trailing) =
        (rows.iter().take_while(blank).count(), rows.iter().rev().take_while(blank).count());
    let inner = rows.get(leading..rows.len().saturating_sub(trailing)).unwrap_or_default();
    if inner.is_empty() {
        return Vec::new();
    }
    let (first, last) = (number(leading), number(leading + inner.len() - 1));
    let mut rest = inner.concat();
    let mut pieces = Vec::new();
    while rest.len() > PASSAGE_BYTES_MAX {
        let tail = rest.split_off(rest.floor_char_boundary(PASSAGE_BYTES_MAX));
        pieces.push(Piece { first, last, text: rest });
        rest = tail;
    }
    pieces.push(Piece { first, last, text: rest });
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_one_passage_without_the_empty_lines_around_it() {
        let pieces = cut("\n\nfn a() {\n}\n\n", 40);
        assert_eq!(pieces, [Piece { first: 3, last: 4, text: "fn a() {\n}\n".to_owned() }]);
        assert_eq!(cut("", 40), []);
        assert_eq!(cut("---\n\n}\n", 40), [], "no word");
    }

    #[test]
    fn a_passage_ends_before_what_begins_at_the_left_edge() {
        let function = |name: char| format!("fn {name}() {{\n    one();\n\n    two();\n}}\n\n");
        let text: String = ('a'..='d').map(function).collect();
        let pieces = cut(&text, 8);
        assert_eq!(pieces.len(), 4, "{pieces:?}");
        assert!(pieces.iter().all(|piece| piece.text.starts_with("fn ") && piece.text.ends_with("}\n")));
        assert_eq!((pieces[1].first, pieces[1].last), (7, 11));
    }

    #[test]
    fn nothing_is_lost_whatever_the_text_is() {
        let texts = [
            "word ".repeat(5000),
            "line of words\n".repeat(1000),
            "é".repeat(20_000),
            (0..500)
                .map(|number| format!("{number}{}", if number % 7 == 0 { "\n\n" } else { " " }))
                .collect(),
        ];
        for text in texts {
            for lines in [1, 5, 40] {
                let pieces = cut(&text, lines);
                assert!(
                    pieces
                        .iter()
                        .all(|piece| piece.text.len() <= PASSAGE_BYTES_MAX && piece.first <= piece.last)
                );
                let squeezed =
                    |text: &str| text.chars().filter(|one| !one.is_whitespace()).collect::<String>();
                let together: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
                assert_eq!(squeezed(&together), squeezed(&text));
                assert!(
                    pieces.windows(2).all(|two| two[0].last <= two[1].first || two[0].first == two[1].first)
                );
            }
        }
    }
}
