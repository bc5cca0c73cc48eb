//! Server-sent events, as the HTML standard has them: what each one's `data` lines say together.
//!
//! In -> out: lines -> data.
//! Limits: 1 MiB an event.
//! Invariant: an event that the body's end cut off is none.

use std::fmt::Display;

use orch_sdk::http::HttpError;
use orch_sdk::llm::ChatError;

use crate::{broken, of_error};

const EVENT_BYTES_MAX: usize = 1 << 20;

pub struct Events<L> {
    lines: L,
}

impl<L> Events<L> {
    pub fn new(lines: L) -> Self {
        Self { lines }
    }
}

impl<L: Iterator<Item = Result<String, HttpError>>> Iterator for Events<L> {
    type Item = Result<String, ChatError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut data: Option<String> = None;
        loop {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(of_error(&error))),
            };
            if line.is_empty() {
                match data.take() {
                    Some(data) => return Some(Ok(data)),
                    None => continue,
                }
            }
            let Some(value) = line.strip_prefix("data:") else { continue };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            }
            if data.as_ref().is_some_and(|data| data.len() > EVENT_BYTES_MAX) {
                return Some(Err(too_large(EVENT_BYTES_MAX)));
            }
        }
    }
}

fn too_large(limit: impl Display) -> ChatError {
    broken(&format!("an event of over {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(lines: &[&str]) -> Vec<String> {
        let lines = lines.iter().map(|&line| Ok(line.to_owned()));
        Events::new(lines).map(|event| event.unwrap()).collect()
    }

    #[test]
    fn an_event_is_what_its_lines_say_and_one_without_an_end_is_none() {
        assert_eq!(
            events(&["data: a", "", ": comment", "event: x", "data:b", "data:  c", ""]),
            ["a", "b\n c"]
        );
        assert_eq!(events(&["", "", "data: a", ""]), ["a"]);
        assert_eq!(events(&["data: a"]), [""; 0]);
    }
}
