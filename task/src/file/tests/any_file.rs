//! Random files in random styles: whatever they look like, a patch changes what it says and nothing else.
//!
//! In -> out: a seeded recipe -> text with marks around each status -> the patched text.
//! Invariant: text outside the marks is equal byte for byte; a second reader agrees with ours.
//! Not here: named cases (`statuses.rs`, `appended.rs`).

use proptest::collection::vec;
use proptest::prelude::*;

use crate::file::{NewFileTask, TaskFile};
use crate::model::{Command, Kind, Status, Task, TaskId};
use crate::render::render;

/// One task of a random file: its style, its status and how that is quoted.
#[derive(Clone, Debug)]
struct Recipe {
    style: usize,
    status: Status,
    quote: &'static str,
    noise: usize,
    becomes: Option<Status>,
}

const NOISE: [&str; 8] = [
    "",
    "# a comment: with 'signs' \"and\" [more]\n",
    "\n",
    "\n# \u{fc}ml\u{e4}ut \u{1f600}\n\n",
    "#\n#status: done\n",
    "\n\n",
    "# - id: none\n",
    "   # indented\n",
];

fn recipe() -> impl Strategy<Value = Recipe> {
    let status = || prop::sample::select(Status::ALL.to_vec());
    let quote = prop::sample::select(vec!["", "'", "\""]);
    (0..6usize, status(), quote, 0..NOISE.len(), prop::option::of(status()))
        .prop_map(|(style, status, quote, noise, becomes)| Recipe { style, status, quote, noise, becomes })
}

/// The entry's text, cut around the status.
fn entry(nth: usize, recipe: &Recipe) -> (String, String) {
    let quote = recipe.quote;
    let noise = NOISE[recipe.noise];
    match recipe.style {
        0 => (format!("- id: t{nth}\n  status: {quote}"), format!("{quote}\n  x: status\n{noise}")),
        1 => (
            format!("- {{id: t{nth}, y: [1, {{status: z}}], status: {quote}"),
            format!("{quote} }} # c\n{noise}"),
        ),
        2 => (
            format!("-   status:   {quote}"),
            format!("{quote}   # status: done\n    id: \"t{nth}\"\n{noise}"),
        ),
        3 => (
            format!("-\n    description: |\n      status: done\n\n      \u{e9}\n    status: {quote}"),
            format!("{quote}\n    id: 't{nth}'\n{noise}"),
        ),
        4 => (format!("- ? id\n  : t{nth}\n  ? status\n  : {quote}"), format!("{quote}\n{noise}")),
        _ => {
            (format!("- \"id\": t{nth} # \u{fc}\n  \"status\": &s{nth} {quote}"), format!("{quote}\n{noise}"))
        }
    }
}

fn build(recipes: &[Recipe], words: impl Fn(&Recipe) -> Status, crlf: bool, ends: bool) -> String {
    let mut text = String::from("# head\n");
    for (nth, recipe) in recipes.iter().enumerate() {
        let (before, after) = entry(nth, recipe);
        text.push_str(&format!("{before}{}{after}", words(recipe)));
    }
    if !ends {
        text.truncate(text.trim_end_matches('\n').len());
    }
    if crlf { text.replace('\n', "\r\n") } else { text }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_patch_changes_the_status_words_and_no_other_byte(
        recipes in vec(recipe(), 1..12), crlf: bool, ends: bool,
    ) {
        let before = build(&recipes, |recipe| recipe.status, crlf, ends);
        let expected = build(&recipes, |recipe| recipe.becomes.unwrap_or(recipe.status), crlf, ends);
        let file = TaskFile::parse(before.as_str()).unwrap();
        let statuses: Vec<(TaskId, Status)> = recipes.iter().enumerate()
            .filter_map(|(nth, recipe)| Some((TaskId::parse(&format!("t{nth}")).unwrap(), recipe.becomes?)))
            .collect();
        let patched = String::from_utf8(file.patched(&statuses, &[]).unwrap()).unwrap();
        prop_assert_eq!(&patched, &expected);
        let read = TaskFile::parse(patched.as_str()).unwrap();
        for (recipe, read) in recipes.iter().zip(read.tasks()) {
            prop_assert_eq!(read.status, Some(recipe.becomes.unwrap_or(recipe.status)));
        }
        // A reader that shares none of our code sees the same words.
        let options = serde_saphyr::options! { emit_comments: false };
        let plain: Option<Vec<serde_json::Value>> = serde_saphyr::from_str_with_options(&patched, options).unwrap();
        let words: Vec<String> =
            plain.unwrap_or_default().iter().map(|task| task["status"].as_str().unwrap().to_owned()).collect();
        let ours: Vec<String> = read.tasks().iter().map(|read| read.status.unwrap().to_string()).collect();
        prop_assert_eq!(words, ours);
    }

    #[test]
    fn a_missing_status_and_a_new_task_keep_every_line_that_was_there(
        recipes in vec(recipe(), 1..8), crlf: bool, ends: bool, description in ".{0,40}",
    ) {
        // Without the status line: styles 0 and 2 in block, 1 in flow.
        let mut text = String::from("# head\n");
        for (nth, recipe) in recipes.iter().enumerate() {
            let entry = match recipe.style % 3 {
                0 => format!("- id: t{nth} # c\n  x: 1\n"),
                1 => format!("- {{ id: t{nth} , x: 1 }}\n"),
                _ => format!("-   x: 1\n    id: 't{nth}'\n"),
            };
            text.push_str(&(entry + NOISE[recipe.noise]));
        }
        if !ends {
            text.truncate(text.trim_end_matches('\n').len());
        }
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let file = TaskFile::parse(text.as_str()).unwrap();
        let statuses: Vec<(TaskId, Status)> = file.tasks().iter().zip(&recipes)
            .filter_map(|(read, recipe)| Some((read.task.id.clone(), recipe.becomes?)))
            .collect();
        let mut task = Task::new(TaskId::parse("new").unwrap(), Kind::shell());
        task.description = description;
        let new = NewFileTask { task, status: None, added_by: Some("demo/x".to_owned()) };
        let patched = String::from_utf8(file.patched(&statuses, std::slice::from_ref(&new)).unwrap()).unwrap();

        let read = TaskFile::parse(patched.as_str()).unwrap();
        prop_assert_eq!(read.tasks().len(), recipes.len() + 1);
        for (recipe, read) in recipes.iter().zip(read.tasks()) {
            prop_assert_eq!(read.status, recipe.becomes);
        }
        let last = read.tasks().last().unwrap();
        prop_assert_eq!((&last.task, last.added_by.as_deref()), (&new.task, Some("demo/x")));
        // Every old line is still there, in order; flow entries got their status inside the line.
        let mut lines = patched.split('\n').map(|line| line.trim_end_matches('\r'));
        for old in text.split('\n').map(|line| line.trim_end_matches('\r')) {
            let found = lines.any(|line| {
                let status = line.find(", status: ").map(|at| (at, line[at + 2..].find(" ,").map(|to| at + 2 + to)));
                line == old || matches!(status, Some((at, Some(to))) if format!("{}{}", &line[..at], &line[to..]) == old)
            });
            prop_assert!(found, "lost {:?}\n{}", old, patched);
        }
        if text.contains("\r\n") {
            prop_assert_eq!(patched.matches('\n').count(), patched.matches("\r\n").count());
        }
    }

    #[test]
    fn what_is_rendered_is_read_back(
        texts in vec((any::<String>(), any::<i32>(), any::<u32>(), 1..10_000_000u64), 0..6),
        setting in any::<String>(), number in any::<f64>(),
    ) {
        let tasks: Vec<Task> = texts.into_iter().enumerate().map(|(nth, (text, priority, cost, timeout_ms))| {
            let mut task = Task::new(TaskId::parse(&format!("t{nth}")).unwrap(), Kind::shell());
            task.description = text.clone();
            task.command = (nth % 2 == 0).then(|| Command::Argv(vec!["x".to_owned(), text.clone()]));
            (task.priority, task.cost, task.timeout_ms) = (priority, cost, timeout_ms);
            if nth > 0 {
                task.dependencies.push(TaskId::parse(&format!("t{}", nth - 1)).unwrap());
            }
            let is_field = crate::keys::KEYS.contains(&setting.as_str());
            if !is_field && !setting.is_empty() && crate::keys::instead_of(&setting).is_none() {
                task.settings.insert(setting.clone(), serde_json::json!({"n": number, "list": [text, null, true]}));
            }
            task
        }).collect();
        let read = TaskFile::parse(render(&tasks).unwrap()).unwrap();
        prop_assert_eq!(read.tasks().iter().map(|read| read.task.clone()).collect::<Vec<_>>(), tasks);
    }

    #[test]
    fn reading_never_panics(text in "([-{}\\[\\]:,#&*!|>'\"?%@ \n\r\ta-c0-9~<]|id: |status: |tasks:|- id: |done|\u{feff}|\u{e9}|---|<<: ){0,60}") {
        if let Ok(file) = TaskFile::parse(text.as_str()) {
            let statuses: Vec<_> = file.tasks().iter().map(|read| (read.task.id.clone(), Status::Done)).collect();
            let new = NewFileTask {
                task: Task::new(TaskId::parse("zz").unwrap(), Kind::shell()), status: None, added_by: None,
            };
            // Either the exact change or a refusal; never another result.
            if let Ok(bytes) = file.patched(&statuses, &[new]) {
                let read = TaskFile::parse(bytes).unwrap();
                prop_assert_eq!(read.tasks().len(), file.tasks().len() + 1);
            }
        }
    }
}
