//! Task files drawn at random, made shorter in every way, and put back.
//!
//! In -> out: tasks and their style -> text; a cut at any byte, or entries that are taken out -> nothing that nobody said.
//! Not here: named cases (`merge.rs`).

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// What follows an id, in either style: `,` is a line of its own in the block style.
const FIELDS: [&str; 8] = [
    "",
    ", command: rm -rf /srv/old",
    ", command: [sh, -c, 'echo one two']",
    ", priority: 12, cost: 34",
    ", description: 'says, what it is: é'",
    ", retries: 15, retry_on: true",
    ", tags: [fast, slow]",
    ", timeout: 1000, note: {a: [1, 22]}",
];

const ENDS: [&str; 4] = ["\n", "\n\n", "\n# and so on\n", "\r\n"];

#[derive(Clone, Debug)]
struct Entry {
    fields: &'static str,
    is_flow: bool,
    end: &'static str,
    on: Vec<Index>,
    /// Longer ids begin with shorter ones.
    long: bool,
}

fn entry() -> impl Strategy<Value = Entry> {
    let (fields, end) = (select(FIELDS.to_vec()), select(ENDS.to_vec()));
    (fields, any::<bool>(), end, vec(any::<Index>(), 0..3), any::<bool>())
        .prop_map(|(fields, is_flow, end, on, long)| Entry { fields, is_flow, end, on, long })
}

/// The text of each entry.
fn written(entries: &[Entry]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut texts = Vec::new();
    for (nth, Entry { fields, is_flow, end, on, long }) in entries.iter().enumerate() {
        let mut dependencies: Vec<&str> = match ids.is_empty() {
            true => Vec::new(),
            false => on.iter().map(|index| index.get(&ids).as_str()).collect(),
        };
        dependencies.sort_unstable();
        dependencies.dedup();
        let id = format!("t{}{}", nth + 1, if *long { "-and-more" } else { "" });
        let dependencies = match dependencies.is_empty() {
            true => String::new(),
            false => format!(", dependencies: [{}]", dependencies.join(", ")),
        };
        texts.push(match is_flow {
            true => format!("- {{id: {id}{fields}{dependencies}}}{end}"),
            false => {
                // Each key that is not inside of brackets or quotes begins a line.
                let keys = [
                    "command",
                    "priority",
                    "cost",
                    "description",
                    "retries",
                    "retry_on",
                    "tags",
                    "timeout",
                    "note",
                    "dependencies",
                ];
                let body = keys.iter().fold(format!("{fields}{dependencies}"), |body, key| {
                    body.replace(&format!(", {key}:"), &format!("\n  {key}:"))
                });
                format!("- id: {id}{body}{end}")
            }
        });
        ids.push(id);
    }
    texts
}

fn known<'a>(run: &'a TaskFile) -> impl Fn(&TaskId) -> Option<Known<'a>> {
    |id| {
        let found = run.tasks().iter().find(|found| found.task.id == *id)?;
        Some(Known { task: &found.task, added_by: None, standing: Standing::Pending })
    }
}

/// What is taken in of a file; none if nothing of it is.
fn taken(whole: &TaskFile, now: &TaskFile) -> Option<MergeReport> {
    let report = merge(whole, now, known(whole)).ok()?;
    report.cut_in(whole, now).is_none().then_some(report)
}

fn check(whole: &TaskFile, text: &[u8]) -> Result<(), TestCaseError> {
    let Ok(now) = TaskFile::parse(text) else { return Ok(()) };
    let Some(report) = taken(whole, &now) else { return Ok(()) };
    let shown = String::from_utf8_lossy(text);
    prop_assert!(report.added.is_empty() && report.edited.is_empty(), "{report:?}\n{shown}");
    prop_assert!(report.refused.is_empty(), "{report:?}\n{shown}");
    // Exactly what is not in it is missing, and is what it was once it is back.
    let is_there = |id: &TaskId| now.tasks().iter().any(|found| found.task.id == *id);
    let missing: Vec<TaskId> =
        whole.tasks().iter().map(|found| found.task.id.clone()).filter(|id| !is_there(id)).collect();
    prop_assert_eq!(&report.removed, &missing, "{}", shown);
    let back = merge(&now, whole, known(whole)).unwrap();
    prop_assert!(back.is_empty(), "{back:?}\n{shown}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_file_cut_anywhere_changes_no_task_and_ends_none(entries in vec(entry(), 1..6), at in vec(any::<Index>(), 12)) {
        let text = written(&entries).concat();
        let whole = TaskFile::parse(text.as_str()).unwrap();
        for at in at {
            check(&whole, &text.as_bytes()[..at.index(text.len())])?;
        }
        check(&whole, b"")?;
        check(&whole, b"[]\n")?;
    }

    #[test]
    fn entries_that_are_taken_out_are_missing_and_nothing_else(entries in vec(entry(), 1..7), out in any::<u8>()) {
        let texts = written(&entries);
        let whole = TaskFile::parse(texts.concat().as_str()).unwrap();
        let left: String =
            texts.iter().enumerate().filter(|(nth, _)| out >> nth & 1 == 0).map(|(_, text)| text.as_str()).collect();
        check(&whole, left.as_bytes())?;
    }
}
