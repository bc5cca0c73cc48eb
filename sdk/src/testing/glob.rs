//! Globs of the fake files: `*`, `?` and `**` as a whole part of the path.
//!
//! In -> out: glob, path -> whether it matches; `None` for a glob with what is not known here.

/// `None`: the glob has classes or alternatives, which case files know.
pub(super) fn matches(glob: &str, path: &str) -> Option<bool> {
    if glob.contains(['[', '{', '\\']) {
        return None;
    }
    let (glob, path): (Vec<&str>, Vec<&str>) = (glob.split('/').collect(), path.split('/').collect());
    Some(parts(&glob, &path))
}

fn parts(glob: &[&str], path: &[&str]) -> bool {
    match (glob.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), None) => parts(rest, path),
        (Some((&"**", rest)), Some((_, below))) => parts(rest, path) || parts(glob, below),
        (Some((part, rest)), Some((name, below))) => {
            let (part, name): (Vec<char>, Vec<char>) = (part.chars().collect(), name.chars().collect());
            letters(&part, &name) && parts(rest, below)
        }
        _ => false,
    }
}

fn letters(part: &[char], name: &[char]) -> bool {
    match (part.split_first(), name.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), None) => letters(rest, name),
        (Some(('*', rest)), Some((_, after))) => letters(rest, name) || letters(part, after),
        (Some((one, rest)), Some((letter, after))) => (*one == '?' || one == letter) && letters(rest, after),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_letters_match_as_in_the_host() {
        for (glob, path, expected) in [
            ("*.py", "a.py", true),
            ("*.py", "src/a.py", false),
            ("**/*.py", "src/a.py", true),
            ("**/*.py", "a.py", true),
            ("src/**", "src/a/b", true),
            ("src/**", "lib/a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*c*", "abcd", true),
        ] {
            assert_eq!(matches(glob, path), Some(expected), "{glob} {path}");
        }
        assert_eq!(matches("*.{a,b}", "x.a"), None);
    }
}
