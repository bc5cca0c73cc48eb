//! Long texts of plugins and programs, as people read them.
//!
//! In -> out: a text -> its first line and its last ones, each escaped; a command -> one line; milliseconds -> `1.2 s`.
//! Limits: [`LINE_CHARACTERS_MAX`] of one line, of a longer one its beginning and its end; how many lines: the caller's.
//! Invariant: no line has a line break in it, and what is left out is said. The reason stands at the end: it is never cut
//! off.

use orch_task::Command;

use super::escape;

/// As a terminal of 200 columns shows on two rows.
const LINE_CHARACTERS_MAX: usize = 400;
/// What a tab moves to, at most: a column would need the width of what stands before it.
const TAB: &str = "    ";

/// The first line, and of those behind it the last `last_max`.
pub fn told(text: &str, last_max: usize) -> Vec<String> {
    let mut lines = text.trim_end().lines();
    let mut told = vec![line(lines.next().unwrap_or_default())];
    let rest: Vec<&str> = lines.collect();
    let (missing, last) = rest.split_at(rest.len().saturating_sub(last_max));
    match missing.len() {
        0 => {}
        1 => told.push("… 1 line more".to_owned()),
        count => told.push(format!("… {count} lines more")),
    }
    told.extend(last.iter().map(|text| line(text)));
    told
}

/// One escaped line, short enough to be read.
pub fn line(text: &str) -> String {
    cut_middle(escape(&text.trim_end().replace('\t', TAB)), LINE_CHARACTERS_MAX)
}

/// An id at the end of a command that is to be pasted: it may begin as an option does.
pub fn argument(id: &str) -> String {
    if id.starts_with('-') { format!("-- {id}") } else { id.to_owned() }
}

/// The same with the option that it is for.
pub fn option(name: &str, id: &str) -> String {
    let between = if id.starts_with('-') { '=' } else { ' ' };
    format!("{name}{between}{id}")
}

/// At most so many characters: of a longer text the beginning and the end, `…` between them.
pub fn cut_middle(text: String, characters_max: usize) -> String {
    let count = text.chars().count();
    if count <= characters_max {
        return text;
    }
    let kept = characters_max.saturating_sub(1);
    let (front, back) = (kept - kept / 2, kept / 2);
    let place = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
    let (head, tail) = (text.get(..place(front)), text.get(place(count - back)..));
    format!("{}…{}", head.unwrap_or_default(), tail.unwrap_or_default())
}

/// What a task runs, in one escaped line as a person would type it.
pub fn command(command: &Command, characters_max: usize) -> String {
    let text = match command {
        Command::Shell(line) => line.trim_end().to_owned(),
        Command::Argv(words) => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    };
    cut_middle(escape(&text), characters_max)
}

/// A word as a shell needs it.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_./=:,@%+".contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The first of some names, and how many more there are.
pub fn some_of<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    const NAMED: usize = 5;
    let more = names.len().saturating_sub(NAMED);
    let first = names.take(NAMED).collect::<Vec<_>>().join(", ");
    match more {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// A time as people say it: `12 ms`, `1.2 s`, `2 min 5 s`, `1 h 2 min`.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match ms {
        0..100 => format!("{ms} ms"),
        100..60_000 => format!("{seconds}.{} s", ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_begins_as_an_option_is_an_argument_all_the_same() {
        assert_eq!((argument("a-b"), argument("-b")), ("a-b".to_owned(), "-- -b".to_owned()));
        assert_eq!(
            (option("--task", "a"), option("--task", "-b")),
            ("--task a".to_owned(), "--task=-b".to_owned())
        );
    }

    #[test]
    fn the_end_of_a_long_text_is_there_and_what_is_missing_is_counted() {
        let text: String = (1..=9).map(|line| format!("line {line}\n")).collect();
        assert_eq!(told(&text, 2), ["line 1", "… 6 lines more", "line 8", "line 9"]);
        assert_eq!(told(&text, 7)[1], "… 1 line more");
        assert_eq!(told(&text, 8).len(), 9);
        assert_eq!(told("one", 0), ["one"]);
        assert_eq!(told("", 5), [""]);
        assert_eq!(told("a\r\n\n\tb\x1b[2K\r\n\n", 9), ["a", "", "    b\\x1b[2K"]);
        assert_eq!(told("a\u{2028}b\u{85}c", 9), ["a\\u{2028}b\\x85c"]);
    }

    #[test]
    fn of_a_long_line_both_ends_are_kept_and_characters_stay_whole() {
        let kept = line(&format!("begin{}end", "ü".repeat(5000)));
        assert_eq!(kept.chars().count(), LINE_CHARACTERS_MAX);
        assert!(kept.starts_with("beginü") && kept.ends_with("üend") && kept.contains("ü…ü"), "{kept}");
        assert_eq!(cut_middle("abcdef".to_owned(), 6), "abcdef");
        assert_eq!(cut_middle("abcdefg".to_owned(), 6), "abc…fg");
        assert_eq!(cut_middle("abcdefg".to_owned(), 1), "…");
    }

    #[test]
    fn a_command_is_shown_as_a_shell_would_need_it() {
        let words = |words: &[&str]| Command::Argv(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(
            command(&words(&["make", "-j4", "all parts", "it's", ""]), 99),
            r"make -j4 'all parts' 'it'\''s' ''"
        );
        assert_eq!(command(&Command::Shell("make &&\n  x\n".to_owned()), 99), "make &&\\n  x");
        assert_eq!(command(&words(&["\x1b[31m"]), 99), "'\\x1b[31m'");
        assert_eq!(command(&Command::Shell("abcdefg".to_owned()), 6), "abc…fg");
    }

    #[test]
    fn a_time_is_said_in_what_people_count() {
        let said = [0, 99, 100, 59_999, 60_000, 3_599_999, 3_600_000, 90_000_000].map(span);
        let expected =
            ["0 ms", "99 ms", "0.1 s", "59.9 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "25 h 0 min"];
        assert_eq!(said, expected);
    }
}
