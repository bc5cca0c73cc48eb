//! What is said about a command that ran.
//!
//! In -> out: how it ended and what it wrote -> a summary, or why the attempt failed.
//! Units: bytes, milliseconds; a message stays within the 4096 bytes that the host keeps.
//! Invariant: only exit code 0 is success.
//! Not here: running it (`lib.rs`); its full output is in the host's log file of the attempt.

use std::fmt::Write;

use crate::settings::RetryOn;

/// Of all that it wrote, from the end of each stream: of both if both have something, else of one.
const TAIL_LINES_MAX: usize = 24;
const TAIL_BYTES_MAX: usize = 3000;
/// Of the command in a message.
const SHOWN_BYTES_MAX: usize = 256;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Code(i32),
    Signal(i32),
    TimedOut,
}

/// A command that ran.
#[derive(Clone, Debug)]
pub struct Ran<'a> {
    /// The command as a person would write it.
    pub command: &'a str,
    pub ending: Ending,
    pub stdout: Stream<'a>,
    pub stderr: Stream<'a>,
    pub duration_ms: u64,
}

/// One stream of output: what of it was captured, its end in any case, and how long all of it was.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    pub captured: &'a [u8],
    pub bytes: u64,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub message: String,
    pub retriable: bool,
}

/// The attempt's summary.
///
/// # Errors
/// `Failed` for every ending but exit code 0.
pub fn report(ran: &Ran, retry_on: &RetryOn) -> Result<String, Failed> {
    let command = start_of(ran.command, SHOWN_BYTES_MAX);
    let took = seconds(ran.duration_ms);
    let (what, retriable) = match ran.ending {
        Ending::Code(0) => {
            let bytes = ran.stdout.bytes.saturating_add(ran.stderr.bytes);
            return Ok(format!("`{command}` exited with code 0 after {took}, {bytes} bytes of output"));
        }
        Ending::Code(code) => (format!("exited with code {code} after {took}"), retry_on.allows_code(code)),
        Ending::Signal(signal) => (
            format!("was ended by signal {signal}{} after {took}", signal_name(signal)),
            retry_on.allows_everything(),
        ),
        Ending::TimedOut => {
            (format!("did not end within {took} and was ended"), retry_on.allows_everything())
        }
    };
    let mut message = format!("`{command}` {what}");
    // The reason may stand in either: compilers and linters differ. Errors come last, where people look first.
    let spoken = [("stdout", ran.stdout), ("stderr", ran.stderr)]
        .map(|(name, stream)| (name, String::from_utf8_lossy(stream.captured)));
    let spoken =
        spoken.iter().map(|(name, text)| (name, text.trim_end())).filter(|(_, text)| !text.is_empty());
    let count = spoken.clone().count().max(1);
    for (name, text) in spoken {
        let tail = tail_of(text, TAIL_LINES_MAX / count, TAIL_BYTES_MAX / count);
        let _ = write!(message, "\nlast lines of {name}:\n{tail}");
    }
    Err(Failed { message, retriable })
}

/// The last lines, without a cut character at the front.
fn tail_of(text: &str, lines_max: usize, bytes_max: usize) -> String {
    let lines: Vec<&str> = text.lines().rev().take(lines_max).collect();
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    let tail = lines.join("\n");
    let from = (tail.len().saturating_sub(bytes_max)..=tail.len()).find(|at| tail.is_char_boundary(*at));
    from.and_then(|from| tail.get(from..)).unwrap_or("").to_owned()
}

/// `text` up to `bytes_max` bytes, cut between characters and marked when cut.
fn start_of(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or(""))
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

/// Linux's name in brackets for the signals that people meet.
fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        24 => " (SIGXCPU)",
        25 => " (SIGXFSZ)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(bytes: &[u8]) -> Stream<'_> {
        Stream { captured: bytes, bytes: bytes.len() as u64 }
    }

    fn ran<'a>(ending: Ending, stdout: &'a [u8], stderr: &'a [u8]) -> Ran<'a> {
        Ran {
            command: "make test",
            ending,
            stdout: stream(stdout),
            stderr: stream(stderr),
            duration_ms: 1234,
        }
    }

    const NEVER: RetryOn = RetryOn::Always(false);

    #[test]
    fn code_0_is_the_only_success() {
        let summary = report(&ran(Ending::Code(0), b"ok\n", b"warn\n"), &NEVER).unwrap();
        assert_eq!(summary, "`make test` exited with code 0 after 1.234 s, 8 bytes of output");
        for ending in [Ending::Code(1), Ending::Code(-1), Ending::Signal(9), Ending::TimedOut] {
            assert!(report(&ran(ending, b"", b""), &NEVER).is_err(), "{ending:?}");
        }
    }

    #[test]
    fn a_failure_says_the_code_and_the_end_of_both_streams() {
        let lines = |from: u32| (from..=40).map(|line| format!("line {line}\n")).collect::<String>();
        let failed = report(&ran(Ending::Code(3), b"out", lines(1).as_bytes()), &NEVER).unwrap_err();
        let said = "`make test` exited with code 3 after 1.234 s\nlast lines of ";
        let expected = format!("{said}stdout:\nout\nlast lines of stderr:\n{}", lines(29).trim_end());
        assert_eq!(failed.message, expected);
        assert!(!failed.retriable);
        // One that speaks alone has the room of both.
        let failed = report(&ran(Ending::Code(3), b"", lines(1).as_bytes()), &NEVER).unwrap_err();
        assert_eq!(failed.message, format!("{said}stderr:\n{}", lines(17).trim_end()));
        let failed = report(&ran(Ending::Code(3), lines(1).as_bytes(), b"a word"), &NEVER).unwrap_err();
        let expected = format!("{said}stdout:\n{}last lines of stderr:\na word", lines(29));
        assert_eq!(failed.message, expected);
    }

    #[test]
    fn stdout_speaks_when_stderr_is_silent() {
        let failed = report(&ran(Ending::Code(1), b"1 failed\n", b" \n"), &NEVER).unwrap_err();
        assert!(failed.message.ends_with("\nlast lines of stdout:\n1 failed"), "{}", failed.message);
        let failed = report(&ran(Ending::Code(1), b"", b""), &NEVER).unwrap_err();
        assert_eq!(failed.message, "`make test` exited with code 1 after 1.234 s");
    }

    #[test]
    fn signal_and_time_are_each_said() {
        let failed = report(&ran(Ending::Signal(9), b"", b""), &NEVER).unwrap_err();
        assert_eq!(failed.message, "`make test` was ended by signal 9 (SIGKILL) after 1.234 s");
        let failed = report(&ran(Ending::Signal(40), b"", b""), &NEVER).unwrap_err();
        assert_eq!(failed.message, "`make test` was ended by signal 40 after 1.234 s");
        let failed = report(&ran(Ending::TimedOut, b"", b""), &NEVER).unwrap_err();
        assert_eq!(failed.message, "`make test` did not end within 1.234 s and was ended");
    }

    #[test]
    fn retriable_is_what_the_task_says() {
        let codes = RetryOn::Codes(vec![75]);
        assert!(report(&ran(Ending::Code(75), b"", b""), &codes).unwrap_err().retriable);
        assert!(!report(&ran(Ending::Code(1), b"", b""), &codes).unwrap_err().retriable);
        assert!(!report(&ran(Ending::Signal(15), b"", b""), &codes).unwrap_err().retriable);
        assert!(report(&ran(Ending::TimedOut, b"", b""), &RetryOn::Always(true)).unwrap_err().retriable);
    }

    #[test]
    fn long_and_broken_output_stays_within_the_limit() {
        let long = "ü".repeat(40_000);
        let failed = report(&ran(Ending::Code(1), b"", long.as_bytes()), &NEVER).unwrap_err();
        assert!(failed.message.len() < 4096 && failed.message.ends_with('ü'));
        let failed = report(&ran(Ending::Code(1), b"", &[0xff; 10_000]), &NEVER).unwrap_err();
        assert!(failed.message.len() < 4096);
        let mut ran = ran(Ending::Code(1), b"", b"first\n[... 894 bytes are left out here ...]\nlast\n");
        ran.stderr.bytes = 900;
        let command = "x".repeat(5000);
        ran.command = &command;
        let message = report(&ran, &NEVER).unwrap_err().message;
        let end = "\nlast lines of stderr:\nfirst\n[... 894 bytes are left out here ...]\nlast";
        assert!(message.ends_with(end), "{message}");
        assert!(message.len() < 512);
    }
}
