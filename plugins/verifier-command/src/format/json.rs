//! JSON documents in what a tool wrote.
//!
//! Invariant: of a list that is cut, everything before the cut is handed on.
//! Not here: one JSON object a line (`rustc_json.rs`, `go_test.rs`, `mypy.rs`).

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use crate::ran::Ran;

/// Reads each document of the run; true: there was one. Lines before its first bracket are passed over, such as those
/// of a program that started the tool.
///
/// # Errors
/// What is wrong with one.
pub fn each_document(
    ran: &Ran,
    mut read: impl FnMut(&str) -> Result<(), serde_json::Error>,
) -> Result<bool, String> {
    let mut any = false;
    for document in ran.documents() {
        let Some(text) = from_first_bracket(document) else {
            // One that crashed leaves its report empty beside those of others.
            match ran.has_report() && ran.documents().count() > 1 {
                true => return Err("one of its reports has nothing of its format".to_owned()),
                false => continue,
            }
        };
        read(text).map_err(|error| error.to_string())?;
        any = true;
    }
    Ok(any)
}

fn from_first_bracket(text: &str) -> Option<&str> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with(['{', '[']) {
            return text.get(start..);
        }
        start += line.len();
    }
    None
}

/// One value; what follows it is left.
///
/// # Errors
/// It is malformed or cut.
pub fn first<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    T::deserialize(&mut serde_json::Deserializer::from_str(text))
}

/// Hands on each element of a list.
///
/// # Errors
/// The list is malformed or cut.
pub fn each<'a, T: Deserialize<'a>>(text: &'a str, take: impl FnMut(T)) -> Result<(), serde_json::Error> {
    Each { take, element: PhantomData }.deserialize(&mut serde_json::Deserializer::from_str(text))
}

struct Each<T, F> {
    take: F,
    element: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> DeserializeSeed<'de> for Each<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            (self.take)(element);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_list_gives_what_stands_before_the_cut() {
        let mut numbers = Vec::new();
        assert!(each("[1, 2, 3", |number: u32| numbers.push(number)).is_err());
        assert_eq!(numbers, [1, 2, 3]);
        assert!(each("[1] and more", |number: u32| numbers.push(number)).is_ok());
        assert_eq!(numbers, [1, 2, 3, 1]);
    }

    #[test]
    fn other_lines_may_stand_before_a_document() {
        assert_eq!(from_first_bracket("\n> lint\n> eslint [x]\n\n[{}]\n"), Some("[{}]\n"));
        assert_eq!(from_first_bracket("All checks passed!\n"), None);
    }
}
