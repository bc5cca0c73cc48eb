//! What a model says, put together from pieces.
//!
//! In -> out: pieces of text and of calls, by the place that the provider gives each -> [`Said`].
//! Limits: 8 MiB, 128 calls.

use orch_sdk::llm::{ChatError, Said, ToolCall};
use orch_sdk::role::provider_llm::show;

use crate::broken;

const BYTES_MAX: usize = 8 << 20;
const CALLS_MAX: usize = 128;
const ID_BYTES_MAX: usize = 128;
const NAME_BYTES_MAX: usize = 64;

#[derive(Default)]
pub struct Pieces {
    text: String,
    calls: Vec<(u64, ToolCall)>,
    bytes: usize,
}

impl Pieces {
    /// More text, which who watches sees.
    pub fn text(&mut self, piece: &str) -> Result<(), ChatError> {
        self.count(piece)?;
        self.text.push_str(piece);
        if !piece.is_empty() && cfg!(target_arch = "wasm32") {
            show(piece);
        }
        Ok(())
    }

    /// More of the call at that place.
    pub fn call(&mut self, place: u64, id: &str, name: &str, arguments: &str) -> Result<(), ChatError> {
        [id, name, arguments].into_iter().try_for_each(|piece| self.count(piece))?;
        if !self.calls.iter().any(|(found, _)| *found == place) {
            if self.calls.len() == CALLS_MAX {
                return Err(broken(&format!("an answer with over {CALLS_MAX} calls of tools")));
            }
            let call = ToolCall { id: String::new(), name: String::new(), arguments: String::new() };
            self.calls.push((place, call));
        }
        let found = self.calls.iter_mut().find(|(found, _)| *found == place);
        if let Some((_, call)) = found {
            // Some send the whole again with each piece.
            if call.id.is_empty() {
                call.id.push_str(id);
            }
            if call.name.is_empty() {
                call.name.push_str(name);
            }
            call.arguments.push_str(arguments);
        }
        Ok(())
    }

    fn count(&mut self, piece: &str) -> Result<(), ChatError> {
        self.bytes += piece.len();
        match self.bytes > BYTES_MAX {
            true => Err(broken(&format!("an answer of over {BYTES_MAX} bytes"))),
            false => Ok(()),
        }
    }

    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// All of it. A call without a name for it gets one; arguments that did not come are `{}`.
    pub fn said(self) -> Result<Said, ChatError> {
        let mut tool_calls: Vec<ToolCall> = Vec::new();
        for (number, (_, call)) in self.calls.into_iter().enumerate() {
            let ToolCall { mut id, name, arguments } = call;
            if id.is_empty() || tool_calls.iter().any(|other| other.id == id) {
                id = format!("call-{number}");
            }
            let is_line = |text: &str, most: usize| {
                (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
            };
            if !is_line(&id, ID_BYTES_MAX) || !is_line(&name, NAME_BYTES_MAX) {
                return Err(broken("a call of a tool without a name, or with one that is too long"));
            }
            let arguments = if arguments.is_empty() { "{}".to_owned() } else { arguments };
            tool_calls.push(ToolCall { id, name, arguments });
        }
        Ok(Said { text: self.text, tool_calls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_put_together_by_their_places() {
        let mut pieces = Pieces::default();
        pieces.call(7, "a", "read", "{\"p").unwrap();
        pieces.call(9, "", "write", "").unwrap();
        pieces.call(7, "a", "", "\":1}").unwrap();
        pieces.text("so").unwrap();
        let said = pieces.said().unwrap();
        let shown: Vec<_> =
            said.tool_calls.iter().map(|call| (&*call.id, &*call.name, &*call.arguments)).collect();
        assert_eq!(shown, [("a", "read", "{\"p\":1}"), ("call-1", "write", "{}")]);
        assert_eq!(said.text, "so");
    }
}
