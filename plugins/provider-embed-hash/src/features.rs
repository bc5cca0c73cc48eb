//! Features of a text: its words, whole and in pieces of three letters, hashed to places of a vector.
//!
//! In -> out: a text -> its words; these, a dimension of at least 1 -> a vector of length 1, or of zeros for no word.

/// What a whole word counts beside one of its pieces.
const WORD: f32 = 2.0;

/// The vector of a text's words.
pub fn vector(words: &[String], dimension: usize) -> Vec<f32> {
    let mut counts = vec![0.0f32; dimension];
    for word in words {
        add(&mut counts, word, WORD);
        let framed: Vec<char> = std::iter::once('<').chain(word.chars()).chain(['>']).collect();
        for piece in framed.windows(3) {
            let piece: String = piece.iter().collect();
            add(&mut counts, &piece, 1.0);
        }
    }
    // A word that comes a hundred times says ten times as much as one that comes once.
    let damped = counts.iter().map(|count| count.signum() * count.abs().sqrt() * f32::from(*count != 0.0));
    let damped: Vec<f32> = damped.collect();
    let length = damped.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt() as f32;
    match length > 0.0 {
        true => damped.into_iter().map(|number| number / length).collect(),
        false => damped,
    }
}

/// Adds a feature at its place, with its sign, so that features which meet cancel out on average.
fn add(counts: &mut [f32], feature: &str, weight: f32) {
    let hash = hash(feature);
    let sign = if hash >> 63 == 0 { weight } else { -weight };
    let place = (hash % (counts.len() as u64).max(1)) as usize;
    if let Some(count) = counts.get_mut(place) {
        *count += sign;
    }
}

/// FNV-1a of 64 bits, its bits mixed once more, for its low ones are poor.
fn hash(feature: &str) -> u64 {
    let fnv = feature
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}

/// Words in lower case, split where programmers join them.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for one in text.chars() {
        let joins = one.is_uppercase() && was_lower;
        if (!one.is_alphanumeric() || joins) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if one.is_alphanumeric() {
            word.extend(one.to_lowercase());
        }
        was_lower = one.is_lowercase() || one.is_numeric();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, dimension: usize) -> Vec<f32> {
        vector(&words(text), dimension)
    }

    fn near(one: &str, other: &str) -> f32 {
        let (one, other) = (of(one, 512), of(other, 512));
        one.iter().zip(&other).map(|(one, other)| one * other).sum()
    }

    #[test]
    fn words_are_split_where_they_are_joined() {
        assert_eq!(words("readFile(read_file, HTTP2x)"), ["read", "file", "read", "file", "http2x"]);
        assert_eq!(words(" \u{0}--"), [""; 0]);
    }

    #[test]
    fn texts_with_common_words_are_nearer_than_others_and_meaning_is_not_seen() {
        let asked = "where is a file read";
        assert!(near(asked, "fn read_file(path: &Path)") > near(asked, "struct Colour { red: u8 }") + 0.2);
        assert!(near("retries", "retry") > 0.3, "parts of words");
        assert!(near("delete", "remove") < 0.2, "it knows no meaning");
    }

    #[test]
    fn a_vector_has_length_one_and_that_of_no_words_is_zero() {
        let length = |text: &str, dimension| of(text, dimension).iter().map(|one| one * one).sum::<f32>();
        assert!((length("some text of words", 64) - 1.0).abs() < 1e-5);
        assert_eq!(length("  ", 64), 0.0);
        assert_eq!(of("a b", 1).len(), 1);
    }
}
