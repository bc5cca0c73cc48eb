//! A server of chat completions on the loopback, whose model is a function of the conversation.
//!
//! In -> out: a question's JSON -> [`Said`] -> an answer in pieces; everything that anybody sent.
//! Invariant: a question that the model cannot make sense of is an error and stands in [`Chats::faults`].
//! Not here: what the model says.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// What a model answers.
pub enum Said {
    Text(String),
    Call { tool: String, arguments: Value },
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Heard {
    /// First line and headers.
    pub head: String,
    pub body: String,
}

/// A server that answers until the test ends.
pub struct Chats {
    pub port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    faults: Arc<Mutex<Vec<String>>>,
}

/// Of a body in bytes, of which a token is taken for four; each answer writes this many.
pub const WRITTEN: u64 = 20;

impl Chats {
    pub fn serve(model: impl Fn(&Value) -> Result<Said, String> + Send + 'static) -> Self {
        Self::telling(true, model)
    }

    /// One that never says what an answer used.
    pub fn silent(model: impl Fn(&Value) -> Result<Said, String> + Send + 'static) -> Self {
        Self::telling(false, model)
    }

    fn telling(usage: bool, model: impl Fn(&Value) -> Result<Said, String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, faults) = (Arc::<Mutex<Vec<Heard>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let chats = Self { port, heard: heard.clone(), faults: faults.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who was killed meanwhile said half of it.
                let Ok(request) = hear(&stream) else { continue };
                heard.lock().unwrap().push(request.clone());
                let said = serde_json::from_str(&request.body)
                    .map_err(|error| error.to_string())
                    .and_then(|question| model(&question));
                let answer = match said {
                    Ok(said) => whole(
                        "200 OK\r\ncontent-type: text/event-stream",
                        &pieces(said, &request.body, usage),
                    ),
                    Err(fault) => {
                        faults.lock().unwrap().push(format!("{fault}: {}", request.head));
                        whole("500 Internal Server Error", "{}")
                    }
                };
                // Nor does it read the answer.
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        chats
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap().clone()
    }
}

fn hear(stream: &TcpStream) -> io::Result<Heard> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    match head.is_empty() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(Heard { head, body: String::from_utf8(body).unwrap() }),
    }
}

fn whole(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// A call comes in three pieces, its arguments cut in the middle.
fn pieces(said: Said, question: &str, usage: bool) -> String {
    let delta = |delta: Value| json!({ "id": "c", "model": "m-2026", "choices": [{ "delta": delta }] });
    let call = |part: Value| delta(json!({ "tool_calls": [part] }));
    let (mut sent, reason) = match said {
        Said::Text(text) => (vec![delta(json!({ "content": text }))], "stop"),
        Said::Call { tool, arguments } => {
            let arguments = arguments.to_string();
            let (begin, end) = arguments.split_at(arguments.floor_char_boundary(arguments.len() / 2));
            let id = format!("call-{}", question.len());
            let begins = json!({ "index": 0, "id": id, "function": { "name": tool, "arguments": begin } });
            let ends = json!({ "index": 0, "function": { "arguments": end } });
            (vec![call(begins), call(ends)], "tool_calls")
        }
    };
    let (read, written) = (question.len() / 4, WRITTEN);
    sent.push(json!({ "choices": [{ "delta": {}, "finish_reason": reason }] }));
    if usage {
        sent.push(json!({ "choices": [], "usage": { "prompt_tokens": read, "completion_tokens": written } }));
    }
    let mut text: String = sent.iter().map(|piece| format!("data: {piece}\n\n")).collect();
    text.push_str("data: [DONE]\n\n");
    text
}
