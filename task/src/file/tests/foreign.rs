//! Words of other tools in the place of ours, drawn: in any spelling, before or after any other keys, in either style of YAML.
//!
//! In -> out: a word, its spelling, its neighbours -> the refusal at its place, with what to write.
//! Not here: what is a slip of one of ours (`keys.rs`).

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::file::TaskFile;

/// Each with the key of ours that its sentence must name.
const WORDS: [(&str, &str); 19] = [
    ("run", "command"),
    ("cmd", "command"),
    ("cmds", "command"),
    ("script", "command"),
    ("shell", "command"),
    ("exec", "command"),
    ("depends_on", "dependencies"),
    ("needs", "dependencies"),
    ("deps", "dependencies"),
    ("requires", "dependencies"),
    ("after", "dependencies"),
    ("dir", "directory"),
    ("cwd", "directory"),
    ("workdir", "directory"),
    ("working_directory", "directory"),
    ("environment", "env"),
    ("name", "id"),
    ("if", "when"),
    ("matrix", "id"),
];

const NEIGHBOURS: [&str; 6] = [
    "description: x",
    "priority: 3",
    "command: [make, all]",
    "tags: [a, b]",
    "retry_on: [1]",
    "\"x y\": {run: [z]}",
];

const VALUES: [&str; 7] = ["x", "[a, b]", "{a: b}", "true", "''", "~", "12"];

/// `depends_on` as other tools' users write it.
fn spelled(word: &str, how: usize) -> String {
    let mut parts = word.split('_');
    match how {
        0 => word.to_owned(),
        1 => word.to_uppercase(),
        2 => word.replace('_', "-"),
        3 => word.replace('_', ""),
        _ => {
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |all, part| all + &part[..1].to_uppercase() + &part[1..])
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn no_word_of_another_tool_is_passed_over(
        (word, meant) in select(WORDS.to_vec()),
        how in 0..5usize,
        before in subsequence(NEIGHBOURS.to_vec(), 0..=3),
        after in subsequence(NEIGHBOURS.to_vec(), 0..=3),
        value in select(VALUES.to_vec()),
        quoted in any::<bool>(),
        flow in any::<bool>(),
        tasks_before in 0..3usize,
    ) {
        let after: Vec<&str> = after.into_iter().filter(|one| !before.contains(one)).collect();
        let spelled = spelled(word, how);
        let key = if quoted { format!("'{spelled}'") } else { spelled.clone() };
        let entry = format!("{key}: {value}");
        let lines: Vec<&str> =
            ["id: a"].into_iter().chain(before).chain([entry.as_str()]).chain(after).collect();
        let head: String = (0..tasks_before).map(|nth| format!("- id: t{nth}\n  command: make\n")).collect();
        let body = match flow {
            true => format!("- {{{}}}\n", lines.join(", ")),
            false => format!("- {}\n", lines.join("\n  ")),
        };
        let text = head + &body;
        let Err(error) = TaskFile::parse(text.as_str()) else {
            return Err(TestCaseError::fail(format!("`{spelled}` was passed over:\n{text}")));
        };
        prop_assert_eq!(error.code(), "task-unknown-key", "{}\n{}", error, text);
        let said = error.to_string();
        prop_assert!(said.contains(&format!("`{spelled}`")), "{said}");
        prop_assert!(said.contains(&format!("`{meant}`")), "`{said}` does not name `{meant}`");
        // Where the word stands.
        let at = text.find(&entry).unwrap();
        let line = text[..at].matches('\n').count() as u32 + 1;
        let column = (at - text[..at].rfind('\n').map_or(0, |end| end + 1)) as u32 + 1;
        prop_assert_eq!(error.place().map(|place| (place.line, place.column)), Some((line, column)), "{}", text);
    }
}
