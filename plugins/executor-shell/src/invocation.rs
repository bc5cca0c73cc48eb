//! The program and arguments that a task's command means.
//!
//! In -> out: `tasks.yml`'s list or line -> [`Invocation`].
//! Invariant: a list is passed on as it is, no shell reads it; a text is for `sh -c`, which needs a grant of `sh`; one of
//! several lines stops at the first that fails.
//! Not here: which programs are granted (the host's).

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    pub program: String,
    pub args: Vec<String>,
    /// As a person would write it.
    pub shown: String,
}

impl Invocation {
    /// The command of a list.
    ///
    /// # Errors
    /// For a list without a program.
    pub fn of_list(list: Vec<String>) -> Result<Self, String> {
        let shown = list.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let mut words = list.into_iter();
        match words.next() {
            Some(program) if !program.is_empty() => Ok(Self { program, args: words.collect(), shown }),
            _ => Err("command of the task names no program".to_owned()),
        }
    }

    /// The command of a text. Whoever writes several lines means the later ones only if the earlier ones went well.
    #[must_use]
    pub fn of_text(text: String) -> Self {
        let is_script = text.trim().contains(['\n', '\r']);
        let how = if is_script { "-ec" } else { "-c" };
        Self { program: "sh".to_owned(), shown: text.trim_end().to_owned(), args: vec![how.to_owned(), text] }
    }
}

/// A word as a shell would need it, for showing.
fn quoted(word: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || "-_./=:,@%+".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_list_is_passed_on_word_by_word() {
        let invocation = Invocation::of_list(list(&["python3", "-c", "print(1); x", "", "it's"])).unwrap();
        assert_eq!(invocation.program, "python3");
        assert_eq!(invocation.args, ["-c", "print(1); x", "", "it's"]);
        assert_eq!(invocation.shown, r"python3 -c 'print(1); x' '' 'it'\''s'");
    }

    #[test]
    fn a_text_goes_to_sh_and_one_of_several_lines_stops_at_the_first_that_fails() {
        let invocation = Invocation::of_text("make && echo done".to_owned());
        assert_eq!(invocation.program, "sh");
        assert_eq!(invocation.args, ["-c", "make && echo done"]);
        assert_eq!(invocation.shown, "make && echo done");
        for one in ["false | cat\n", "\n\n  true\n\n", "true"] {
            assert_eq!(Invocation::of_text(one.to_owned()).args, ["-c", one], "{one:?}");
        }
        for several in ["false\ntouch x\n", "a\n\nb", "cd x\r\nmake", "for x in a; do\n  $x\ndone"] {
            let invocation = Invocation::of_text(several.to_owned());
            assert_eq!(invocation.args, ["-ec", several], "{several:?}");
            assert_eq!(invocation.shown, several.trim_end());
        }
    }

    #[test]
    fn a_list_without_a_program_is_refused() {
        for words in [&[][..], &["", "x"]] {
            assert_eq!(Invocation::of_list(list(words)).unwrap_err(), "command of the task names no program");
        }
    }
}
