//! The only place that prints.
//!
//! In -> out: text of ours and of strangers -> stdout and stderr.
//! Invariant: text from outside is escaped before it is shown, so that it cannot move the cursor or fake a line;
//! colour is used only on a terminal, never without `NO_COLOR` unset, and never alone in carrying meaning; a result
//! that could not be written is no success.
//! Not here: what is said (`commands/`), the table of a run (`watch.rs`).

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use crate::exit::{Exit, Fault, Outcome};

/// Control characters as `\x1b`, line breaks as `\n`; marks that turn text around as `\u{202e}`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            control if control.is_control() => {
                let _ = write!(out, "\\x{:02x}", control as u32);
            }
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
                let _ = write!(out, "\\u{{{:x}}}", character as u32);
            }
            plain => out.push(plain),
        }
    }
    out
}

/// Escaped and cut to that many characters, with `…` where something is missing.
pub fn escape_cut(text: &str, characters_max: usize) -> String {
    let escaped = escape(text);
    match escaped.char_indices().nth(characters_max) {
        None => escaped,
        Some(_) => {
            let kept: String = escaped.chars().take(characters_max.saturating_sub(1)).collect();
            format!("{kept}…")
        }
    }
}

/// What a word of text means; shown in colour on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Bad,
    Careful,
    Faint,
    Strong,
}

/// The first loss on standard output, of which a process has one.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Keeps why something could not be written to standard output, for [`Console::conclude`].
pub fn note_loss(written: io::Result<()>) {
    match written {
        Ok(()) => {}
        // `orch-host … | head`: nothing more to say to nobody.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => {
            LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

/// Where the program speaks.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    colour_out: bool,
    colour_err: bool,
    /// Standard output is a terminal.
    pub is_terminal: bool,
    /// Standard input and error are a terminal: a person can be asked.
    pub can_ask: bool,
}

impl Console {
    /// The console of this process.
    pub fn detect() -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let is_terminal = io::stdout().is_terminal();
        let err_terminal = io::stderr().is_terminal();
        Self {
            colour_out: colour && is_terminal,
            colour_err: colour && err_terminal,
            is_terminal,
            can_ask: io::stdin().is_terminal() && err_terminal,
        }
    }

    /// The text in its tone, for standard output. The text must be ours or escaped.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.colour_out, tone, text)
    }

    /// One line on standard output. A reader that went away is no error; other losses are told at the end.
    pub fn line(&self, text: &str) {
        note_loss(writeln!(io::stdout().lock(), "{text}"));
    }

    /// Bytes as they are, on standard output. False when nothing more can be said there.
    pub fn bytes(&self, bytes: &[u8]) -> bool {
        let mut out = io::stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        let good = written.is_ok();
        note_loss(written);
        good
    }

    /// How the program ends: an error is shown; results that could not be written are an error.
    pub fn conclude(&self, outcome: Outcome) -> Exit {
        note_loss(io::stdout().lock().flush());
        let lost = LOST.lock().unwrap_or_else(PoisonError::into_inner).take();
        let fault = match (outcome, lost) {
            (Ok(exit), None) => return exit,
            (Ok(_), Some(error)) => {
                let error = anyhow::Error::from(error).context("cannot write to standard output");
                Fault::new(Exit::HostError, "output", None, error)
            }
            (Err(fault), _) => fault,
        };
        self.error(&fault);
        fault.exit
    }

    /// A line for people on standard error, so that standard output stays for results.
    pub fn note(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// A warning on standard error.
    pub fn warn(&self, text: &str) {
        self.note(&format!("{} {text}", paint(self.colour_err, Tone::Careful, "warning:")));
    }

    /// A question with yes or no; `None` when nobody can be asked.
    pub fn ask(&self, question: &str) -> Option<bool> {
        if !self.can_ask {
            return None;
        }
        let _ = write!(io::stderr().lock(), "{question} [y/N] ");
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// An error, what caused it, and what helps.
    pub fn error(&self, fault: &Fault) {
        let mut chain = fault.source.chain();
        let first = chain.next().map(ToString::to_string).unwrap_or_default();
        self.note(&format!("{} {}", paint(self.colour_err, Tone::Bad, "error:"), lines(&first)));
        for cause in chain {
            self.note(&format!("caused by: {}", lines(&cause.to_string())));
        }
        self.note(&format!("code: {}", fault.code));
        if let Some(hint) = &fault.hint {
            self.note("");
            self.note(&format!("{} {}", paint(self.colour_err, Tone::Strong, "hint:"), lines(hint)));
        }
    }
}

/// Escapes each line by itself: messages of ours may have several.
fn lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

fn paint(colour: bool, tone: Tone, text: &str) -> String {
    let code = match (colour, tone) {
        (false, _) | (_, Tone::Plain) => return text.to_owned(),
        (true, Tone::Good) => "32",
        (true, Tone::Bad) => "31",
        (true, Tone::Careful) => "33",
        (true, Tone::Faint) => "2",
        (true, Tone::Strong) => "1",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_move_the_cursor_or_turn_around() {
        assert_eq!(escape("\x1b[2Kpassed\r\nall"), "\\x1b[2Kpassed\\r\\nall");
        assert_eq!(escape("a\u{202e}b\u{200b}c\u{9b}"), "a\\u{202e}b\\u{200b}c\\x9b");
        assert_eq!(escape("größe, 名前"), "größe, 名前");
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(escape_cut("abcdef", 6), "abcdef");
        assert_eq!(escape_cut("abcdefg", 6), "abcde…");
    }

    #[test]
    fn no_colour_means_no_escape_sequence() {
        assert_eq!(paint(false, Tone::Bad, "x"), "x");
        assert_eq!(paint(true, Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
