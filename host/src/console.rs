//! The only place that prints.
//!
//! In -> out: text of ours and of strangers -> stdout and stderr.
//! Invariant: what is said as one line is one line, whatever is in it ([`shown`]); who says several says them one by one.
//! Colour is used on a terminal, or where `FORCE_COLOR` and its like want it, never where `NO_COLOR` is set, and never alone in carrying meaning; a result that
//! could not be written is no success.
//! Not here: what is said (`commands/`), the table of a run (`watch/table.rs`), long texts in lines (`console/lines.rs`), output of
//! programs (`console/bytes.rs`), patches (`console/patch.rs`).

pub mod bytes;
pub mod lines;
pub mod patch;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use orch_task::is_hidden;

use crate::exit::{Exit, Fault, Outcome};

/// The codes of the tones and tints, and of the end of one.
const COLOURS: [&str; 9] = ["32", "31", "33", "2", "1", "0", "36", "35", "34"];
/// None of them is that of a failure.
const TINTS: [&str; 5] = ["36", "35", "34", "32", "33"];

/// Control characters as `\x1b`, line breaks as `\n`; what is not seen or turns text around as `\u{202e}`. What is
/// escaped stays as it is if it is escaped again.
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
            hidden if is_hidden(hidden) => {
                let _ = write!(out, "\\u{{{:x}}}", hidden as u32);
            }
            plain => out.push(plain),
        }
    }
    out
}

/// One line of ours, as it is shown: escaped, but for the colours of [`Console::paint`].
pub fn shown(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let mut out = escape(parts.next().unwrap_or_default());
    for part in parts {
        match part.split_once('m').filter(|(code, _)| COLOURS.contains(code)) {
            Some((code, rest)) => {
                let _ = write!(out, "\x1b[{code}m{}", escape(rest));
            }
            None => {
                let _ = write!(out, "\\x1b[{}", escape(part));
            }
        }
    }
    out
}

/// JSON that says the same without characters that are not seen; line ends between values stay.
pub fn json_shown(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        // JSON has them in texts only, where each may be written so.
        match character != '\n' && (character.is_control() || is_hidden(character)) {
            true => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
            false => out.push(character),
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

/// Whether a stream has colour, by the variables that other programs go by; the first that says something counts. `said`: none
/// for one that is empty.
fn wants_colour(said: impl Fn(&str) -> Option<OsString>, is_terminal: bool) -> bool {
    let (forced, forced_too) = (said("FORCE_COLOR"), said("CLICOLOR_FORCE"));
    match (forced, forced_too, said("CLICOLOR"), said("TERM")) {
        _ if said("NO_COLOR").is_some() => false,
        (Some(value), ..) => value != "0" && value != "false",
        (_, Some(value), ..) if value != "0" => true,
        (_, _, Some(value), _) if value == "0" => false,
        (_, _, _, Some(term)) if term == "dumb" => false,
        _ => is_terminal,
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
        let said = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_terminal = io::stdout().is_terminal();
        let err_terminal = io::stderr().is_terminal();
        Self {
            colour_out: wants_colour(said, is_terminal),
            colour_err: wants_colour(said, err_terminal),
            is_terminal,
            can_ask: io::stdin().is_terminal() && err_terminal,
        }
    }

    /// The text in its tone, for a line on standard output.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.colour_out, tone, text)
    }

    /// Whether lines on standard output may have colour.
    pub fn has_colour(&self) -> bool {
        self.colour_out
    }

    /// The text in a colour that tells it from others, for a line on standard output.
    pub fn tint(&self, nth: usize, text: &str) -> String {
        match TINTS.get(nth % TINTS.len()) {
            Some(code) if self.colour_out => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }

    /// One line on standard output. A reader that went away is no error; other losses are told at the end.
    pub fn line(&self, text: &str) {
        note_loss(writeln!(io::stdout().lock(), "{}", shown(text)));
    }

    /// Several lines of ours on standard output, each for itself.
    pub fn lines<T: AsRef<str>>(&self, lines: impl IntoIterator<Item = T>) {
        lines.into_iter().for_each(|line| self.line(line.as_ref()));
    }

    /// A JSON document on standard output.
    pub fn json(&self, document: &str) {
        note_loss(writeln!(io::stdout().lock(), "{}", json_shown(document)));
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
        let _ = writeln!(io::stderr().lock(), "{}", shown(text));
    }

    /// A warning on standard error.
    pub fn warn(&self, text: &str) {
        self.note(&format!("{} {text}", paint(self.colour_err, Tone::Careful, "warning:")));
    }

    /// True if somebody would hear a question.
    pub fn can_ask(&self) -> bool {
        self.can_ask
    }

    /// A question with yes or no; `None` when nobody can be asked.
    pub fn ask(&self, question: &str) -> Option<bool> {
        if !self.can_ask {
            return None;
        }
        let _ = write!(io::stderr().lock(), "{} [y/N] ", escape(question));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// An error, what caused it, and what helps.
    pub fn error(&self, fault: &Fault) {
        self.told(fault).iter().for_each(|line| self.note(line));
    }

    /// The lines of [`Console::error`].
    fn told(&self, fault: &Fault) -> Vec<String> {
        let mut chain = fault.source.chain();
        let first = chain.next().map(ToString::to_string).unwrap_or_default();
        let mut lines = vec![format!("{} {first}", paint(self.colour_err, Tone::Bad, "error:"))];
        lines.extend(chain.map(|cause| format!("caused by: {cause}")));
        lines.push(format!("code: {}", fault.code));
        if let Some(hint) = &fault.hint {
            lines.push(String::new());
            lines.push(format!("{} {hint}", paint(self.colour_err, Tone::Strong, "hint:")));
            if !fault.lines.is_empty() {
                lines.push(String::new());
            }
            lines.extend(fault.lines.iter().cloned());
        }
        lines
    }
}

/// What the program's own trace says: one line an event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace;

impl Write for Trace {
    /// Takes the whole event.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        writeln!(io::stderr().lock(), "{}", escape(text.trim_end_matches('\n')))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colour_is_where_the_variables_of_other_programs_want_it() {
        for (variables, in_terminal, elsewhere) in [
            (&[][..], true, false),
            (&[("NO_COLOR", "")], true, false),
            (&[("NO_COLOR", "1")], false, false),
            (&[("NO_COLOR", "1"), ("FORCE_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false, false),
            (&[("FORCE_COLOR", "1")], true, true),
            (&[("FORCE_COLOR", "3"), ("TERM", "dumb")], true, true),
            (&[("FORCE_COLOR", "0"), ("CLICOLOR_FORCE", "1")], false, false),
            (&[("FORCE_COLOR", "false")], false, false),
            (&[("FORCE_COLOR", "")], true, false),
            (&[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0")], true, true),
            (&[("CLICOLOR_FORCE", "0")], true, false),
            (&[("CLICOLOR", "0")], false, false),
            (&[("CLICOLOR", "1")], true, false),
            (&[("TERM", "dumb")], false, false),
            (&[("TERM", "xterm")], true, false),
        ] {
            let said = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name)?;
                Some(OsString::from(found.1)).filter(|value| !value.is_empty())
            };
            let wants = (wants_colour(said, true), wants_colour(said, false));
            assert_eq!(wants, (in_terminal, elsewhere), "{variables:?}");
        }
    }

    #[test]
    fn text_from_outside_cannot_move_the_cursor_or_turn_around() {
        assert_eq!(escape("\x1b[2Kpassed\r\nall"), "\\x1b[2Kpassed\\r\\nall");
        assert_eq!(escape("a\u{202e}b\u{200b}c\u{9b}"), "a\\u{202e}b\\u{200b}c\\x9b");
        assert_eq!(escape("größe, 名前"), "größe, 名前");
    }

    /// Letters, and whatever could make a line, move a cursor, hide or turn text around.
    fn texts() -> impl Strategy<Value = String> {
        let ends = prop_oneof!["\n", "\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"];
        let ours = prop_oneof!["\nhint: ", "code: ok", "\x1b\\[31m", "\x1b\\[2K", "\x1b\\]0;x\x07", "\\\\n"];
        let hidden = prop_oneof![
            "[\u{202a}-\u{202e}\u{2066}-\u{2069}]",
            "[\u{e0000}-\u{e007f}]",
            "\u{61c}",
            "\u{9b}2K"
        ];
        let parts = prop_oneof![
            ends,
            ours,
            hidden,
            "[\x00-\x1f\x7f-\u{9f}]",
            "\\PC{0,5}",
            any::<char>().prop_map(String::from)
        ];
        proptest::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
    }

    fn is_plain(line: &str) -> bool {
        line.chars().all(|character| !character.is_control() && !is_hidden(character))
    }

    proptest! {
        #[test]
        fn what_is_said_as_one_line_is_one_line(text in texts()) {
            let escaped = escape(&text);
            prop_assert!(is_plain(&escaped), "{escaped:?}");
            prop_assert_eq!(escape(&escaped), escaped.clone());
            prop_assert_eq!(shown(&escaped), escaped.clone());
            let mut uncoloured = shown(&text);
            COLOURS.iter().for_each(|code| uncoloured = uncoloured.replace(&format!("\x1b[{code}m"), ""));
            prop_assert!(is_plain(&uncoloured), "{uncoloured:?}");
            let painted = paint(true, Tone::Bad, &escaped);
            prop_assert_eq!(shown(&painted), painted.clone());
        }

        #[test]
        fn an_error_has_the_lines_that_we_gave_it(texts in proptest::collection::vec(texts(), 3)) {
            let [what, cause, hint] = texts.try_into().unwrap();
            let error = anyhow::Error::msg(cause).context(what);
            let fault = Fault::new(Exit::Usage, "a-code", Some(hint), error).with_lines(Some("[x]\ny = 1\n"));
            let console = Console { colour_out: false, colour_err: false, is_terminal: false, can_ask: false };
            let told = console.told(&fault).iter().map(|line| format!("{}\n", shown(line))).collect::<String>();
            let lines: Vec<&str> = told.lines().collect();
            let begins = ["error: ", "caused by: ", "code: a-code", "", "hint: ", "", "[x]", "y = 1"];
            prop_assert_eq!(lines.len(), begins.len(), "{:?}", told);
            prop_assert!(lines.iter().zip(begins).all(|(line, begin)| line.starts_with(begin)), "{:?}", told);
        }

        #[test]
        fn json_that_is_shown_is_plain_and_says_the_same(text in texts()) {
            let value = serde_json::json!({ (text.as_str()): [text.as_str()] });
            let json = json_shown(&value.to_string());
            prop_assert!(is_plain(&json), "{json:?}");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
        }
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
