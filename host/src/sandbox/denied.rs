//! Which paths a program asked for and did not see, as far as its own last words tell.
//!
//! In -> out: the end of its output -> lines for its log, with what the operator's policy would have to say.
//! Limits: the last [`WORDS_BYTES_MAX`] of what was kept, at most [`LINES_MAX`] lines.
//! Invariant: a path is named only if it is there on the machine and outside of the sandbox, and stands where the program says that
//! something is missing or forbidden: what it merely prints is no denial.
//! Not here: what is seen (`sandbox.rs`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Sandboxing;

const WORDS_BYTES_MAX: usize = 16 << 10;
const LINES_MAX: usize = 3;

/// What programs and languages say of a path that is not there for them, or not theirs; in small letters.
const DENIALS: [&str; 15] = [
    "no such file",
    "not a directory",
    "not found",
    "does not exist",
    "doesn't exist",
    "permission denied",
    "not permitted",
    "access denied",
    "read-only file system",
    "cannot",
    "can't",
    "could not",
    "couldn't",
    "failed to",
    "unable to",
];
/// The names of the errors themselves, as they are written.
const ERRNOS: [&str; 5] = ["ENOENT", "ENOTDIR", "EACCES", "EPERM", "EROFS"];
/// Lines below a path that may say why: a cause is told beneath what it stopped, after an empty line.
const REASONS_BELOW: usize = 3;

/// One line for each path.
pub fn denied(sandboxing: &Sandboxing, streams: [&[u8]; 2]) -> Vec<String> {
    let found: BTreeSet<PathBuf> = streams.into_iter().flat_map(paths).collect();
    let outside = found.into_iter().filter(|path| sandboxing.is_outside(path));
    let there = outside.filter(|path| path.symlink_metadata().is_ok());
    let line = |path: PathBuf| {
        let path = path.display();
        format!(
            "`{path}` is outside of the sandbox, which may be why: `[sandbox] read = [\"{path}\"]` in the operator's \
             `policy.toml` shows it"
        )
    };
    there.map(line).take(LINES_MAX).collect()
}

/// Whatever looks like an absolute path, where something is said to be missing or forbidden.
fn paths(output: &[u8]) -> Vec<PathBuf> {
    let end = output.get(output.len().saturating_sub(WORDS_BYTES_MAX)..).unwrap_or_default();
    let text = String::from_utf8_lossy(end);
    let lines: Vec<&str> = text.lines().collect();
    let denials: Vec<bool> = lines.iter().copied().map(says_a_denial).collect();
    let is_told_why = |nth: usize| {
        let lines = denials.iter().skip(nth).take(1 + REASONS_BELOW);
        lines.into_iter().any(|is_denial| *is_denial)
    };
    let told = lines.iter().enumerate().filter(|(nth, _)| is_told_why(*nth));
    told.flat_map(|(_, line)| paths_of(line)).collect()
}

fn says_a_denial(line: &str) -> bool {
    let small = line.to_lowercase();
    DENIALS.iter().any(|denial| small.contains(denial)) || ERRNOS.iter().any(|errno| line.contains(errno))
}

fn paths_of(line: &str) -> impl Iterator<Item = PathBuf> {
    let words = line.split(|letter: char| letter.is_whitespace() || "\"'`,;()[]{}<>=|".contains(letter));
    let words = words.map(|word| word.trim_end_matches([':', '.', '!', '?']));
    let is_path = |word: &&str| word.len() > 1 && word.starts_with('/') && !word.starts_with("//");
    let plain = |word: &&str| !Path::new(word).components().any(|part| part.as_os_str() == "..");
    words.filter(is_path).filter(plain).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &str, expected: &[&str]) {
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(paths(said.as_bytes()), expected, "{said}");
    }

    #[test]
    fn paths_are_found_where_programs_say_that_something_is_missing_or_forbidden() {
        check("sh: 1: cannot open /root/.netrc: No such file", &["/root/.netrc"]);
        check("FileNotFoundError: [Errno 2] No such file or directory: '/etc/shadow'", &["/etc/shadow"]);
        check("Error: ENOENT: no such file or directory, open '/home/me/x'", &["/home/me/x"]);
        check("{ code: 'EACCES', path: '/home/me/x' }", &["/home/me/x"]);
        check("error: failed to read `/home/me/a.toml`\n\nCaused by:\n  No such file", &["/home/me/a.toml"]);
        check(
            "open /home/me/go.sum: permission denied. See https://a.b/c, a/b //x /../y /",
            &["/home/me/go.sum"],
        );
    }

    #[test]
    fn what_is_merely_printed_is_no_denial() {
        check("/home/me/.cargo", &[]);
        check("installed into /home/me/.cargo/bin\n3 of 7 tests failed", &[]);
        check("looking at /home/me/x\n1\n2\n3\ncat: y: No such file", &[]);
        // A reason stands beside or below what it is about, not above.
        check("cat: y: No such file\n/home/me/.cargo", &[]);
    }
}
