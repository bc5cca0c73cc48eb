//! Which paths a program asked for and did not see, as far as its own last words tell.
//!
//! In -> out: the end of its output -> lines for its log, with what the operator's policy would have to say.
//! Limits: the last [`WORDS_BYTES_MAX`] of what was kept, at most [`LINES_MAX`] lines.
//! Invariant: a path is named only if it is there on the machine and outside of the sandbox.
//! Not here: what is seen (`sandbox.rs`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Sandboxing;

const WORDS_BYTES_MAX: usize = 16 << 10;
const LINES_MAX: usize = 3;

/// One line for each path.
pub fn denied(sandboxing: &Sandboxing, streams: [&[u8]; 2]) -> Vec<String> {
    let found: BTreeSet<PathBuf> = streams.into_iter().flat_map(paths).collect();
    let outside = found.into_iter().filter(|path| sandboxing.is_outside(path));
    let there = outside.filter(|path| path.symlink_metadata().is_ok());
    let line = |path: PathBuf| {
        let path = path.display();
        format!(
            "`{path}` is outside of the sandbox: `[sandbox] read = [\"{path}\"]` in the operator's `policy.toml` shows it"
        )
    };
    there.map(line).take(LINES_MAX).collect()
}

/// Whatever looks like an absolute path.
fn paths(output: &[u8]) -> Vec<PathBuf> {
    let end = output.get(output.len().saturating_sub(WORDS_BYTES_MAX)..).unwrap_or_default();
    let text = String::from_utf8_lossy(end);
    let words = text.split(|letter: char| letter.is_whitespace() || "\"'`,;()[]{}<>=|".contains(letter));
    let words = words.map(|word| word.trim_end_matches([':', '.', '!', '?']));
    let is_path = |word: &&str| word.len() > 1 && word.starts_with('/') && !word.starts_with("//");
    let plain = |word: &str| !Path::new(word).components().any(|part| part.as_os_str() == "..");
    words.filter(is_path).filter(|word| plain(word)).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_in_what_programs_say() {
        let said = "sh: 1: cannot open /root/.netrc: No such file\nOSError: [Errno 2] ... '/etc/shadow'\nsee https://a.b/c \
                    (/home/me/x), a/b //x /../y /";
        let found = paths(said.as_bytes());
        assert_eq!(found, ["/root/.netrc", "/etc/shadow", "/home/me/x"].map(PathBuf::from));
    }
}
