//! A conversation that fits the model's window.
//!
//! In -> out: messages, tokens that fit -> fewer bytes: old results shortened first, then all that is old summarised.
//! Units: a token is taken for three bytes, which is more than most texts need.
//! Invariant: the first two messages (who it is, what the task is) and the newest turn stay as they are; a result never stands
//! without the call that it is of.
//! Not here: when it is needed (`turns.rs`).

use serde_json::{Value, json};

use crate::hands::{beginning, shortened};
use crate::model::{Message, Model, NoAnswer, ToolCall};

const TOKEN_BYTES: usize = 3;
/// Of a result that is old.
const OLD_BYTES_MAX: usize = 240;
/// Who it is and what the task is.
const FIRST: usize = 2;
/// Messages that are new.
const NEW: usize = 6;

const SUMMARISE: &str = "Stop here for a moment. The conversation is too long and will be replaced by what you answer now. Write what \
whoever goes on with this task must know: what was found, which files were changed and how, what was tried and failed, what is \
left to do. No tools.";

/// Tokens that it takes, about.
#[must_use]
pub fn tokens(messages: &[Message]) -> u64 {
    let bytes: usize = messages.iter().map(Message::bytes).sum();
    (bytes / TOKEN_BYTES) as u64
}

/// Shortens what is old. True if anything became less.
pub fn shorten(messages: &mut [Message]) -> bool {
    shorten_but(messages, NEW)
}

/// Shortens all but the task and so many of the newest.
pub fn shorten_but(messages: &mut [Message], new: usize) -> bool {
    let old = messages.len().saturating_sub(new);
    let mut less = false;
    for message in messages.iter_mut().take(old).skip(FIRST) {
        match message {
            Message::Tool { text, .. } if text.len() > 2 * OLD_BYTES_MAX => {
                *text = shortened(text, OLD_BYTES_MAX);
                less = true;
            }
            Message::Assistant { calls, .. } => {
                for call in calls.iter_mut().filter(|call| call.arguments.len() > 2 * OLD_BYTES_MAX) {
                    call.arguments = without_texts(call);
                    less = true;
                }
            }
            _ => {}
        }
    }
    less
}

/// The same arguments, long texts cut: an object still.
fn without_texts(call: &ToolCall) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(&call.arguments) else { return "{}".to_owned() };
    for value in fields.values_mut() {
        if let Value::String(text) = value {
            *text = beginning(text, 80).to_owned();
        } else if value.to_string().len() > OLD_BYTES_MAX {
            *value = json!(null);
        }
    }
    Value::Object(fields).to_string()
}

/// Has the model say what matters of all that is old, and puts that in its place; gives the tokens that it took.
///
/// # Errors
/// What the model said to that.
pub fn summarise(messages: &mut Vec<Message>, model: &mut impl Model) -> Result<u64, NoAnswer> {
    let mut asked = messages.clone();
    let mut end = messages.len();
    // Back to where a turn begins: before an answer of the model.
    let keep_from = (FIRST..messages.len())
        .rev()
        .find(|at| matches!(messages.get(*at), Some(Message::Assistant { .. })) && messages.len() - at >= 2)
        .unwrap_or(messages.len());
    // Calls without their results cannot be asked about.
    while matches!(messages.get(end.saturating_sub(1)), Some(Message::Assistant { calls, .. }) if !calls.is_empty())
    {
        end = end.saturating_sub(1);
    }
    asked.truncate(end);
    asked.push(Message::User(SUMMARISE.to_owned()));
    let answer = model.ask(&asked, &[])?;
    let newest = messages.split_off(keep_from);
    messages.truncate(FIRST);
    let said = shortened(answer.text.trim(), 16 << 10);
    messages.push(Message::User(format!("What was done so far, in your own words:\n{said}")));
    messages.extend(newest);
    Ok(answer.read.saturating_add(answer.written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Offer, Stop};

    struct Summariser(usize);

    impl Model for Summariser {
        fn window(&self) -> u64 {
            0
        }

        fn ask(&mut self, messages: &[Message], offers: &[Offer]) -> Result<Answer, NoAnswer> {
            assert!(offers.is_empty());
            self.0 = messages.len();
            let text = "found it in a.py".to_owned();
            Ok(Answer { text, calls: Vec::new(), stop: Stop::End, read: 10, written: 5 })
        }
    }

    fn long(turns: usize) -> Vec<Message> {
        let mut messages = vec![Message::System("who".to_owned()), Message::User("what".to_owned())];
        for nth in 0..turns {
            let id = format!("c{nth}");
            let arguments = json!({"path": "a.py", "content": "x".repeat(3000)}).to_string();
            let call = ToolCall { id: id.clone(), name: "write".to_owned(), arguments };
            messages.push(Message::Assistant { text: String::new(), calls: vec![call] });
            messages.push(Message::Tool { call: id, text: "y".repeat(3000), failed: false });
        }
        messages
    }

    fn check_pairs(messages: &[Message]) {
        let mut open: Vec<&str> = Vec::new();
        for message in messages {
            match message {
                Message::Assistant { calls, .. } => {
                    assert!(open.is_empty());
                    open = calls.iter().map(|call| call.id.as_str()).collect();
                }
                Message::Tool { call, .. } => {
                    assert_eq!(open.first(), Some(&call.as_str()));
                    open.remove(0);
                }
                _ => assert!(open.is_empty()),
            }
        }
    }

    #[test]
    fn old_results_and_texts_are_shortened_and_the_newest_stay() {
        let mut messages = long(10);
        let before = tokens(&messages);
        assert!(shorten(&mut messages));
        assert!(tokens(&messages) < before / 2);
        assert_eq!(messages[..2], long(0)[..]);
        assert_eq!(messages[messages.len() - 6..], long(10)[long(10).len() - 6..]);
        let Message::Assistant { calls, .. } = &messages[2] else { panic!("no call") };
        assert!(serde_json::from_str::<Value>(&calls[0].arguments).unwrap()["path"] == "a.py");
        assert!(!shorten(&mut messages), "once is enough");
        check_pairs(&messages);
    }

    #[test]
    fn what_is_old_becomes_what_the_model_says_of_it() {
        let mut messages = long(10);
        let mut model = Summariser(0);
        assert_eq!(summarise(&mut messages, &mut model), Ok(15));
        assert_eq!(messages.len(), 2 + 1 + 2);
        assert!(matches!(&messages[2], Message::User(text) if text.ends_with("found it in a.py")));
        assert_eq!(model.0, 23);
        check_pairs(&messages);
        // Nothing but the task: nothing is lost.
        let mut messages = long(0);
        summarise(&mut messages, &mut model).unwrap();
        assert_eq!(messages.len(), 3);
    }
}
