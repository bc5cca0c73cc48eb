//! Random files whose tasks merge from each other and from shared mappings: a status is one task's own.
//!
//! In -> out: a seeded recipe -> text -> what is read, and the text with other statuses.
//! Invariant: lines that others merge are equal byte for byte, but for the task's own status among them.
//! Not here: named cases (`accepted.rs`, `statuses.rs`), files without anchors (`any_file.rs`).

use proptest::collection::vec;
use proptest::prelude::*;

use crate::file::TaskFile;
use crate::model::{Status, TaskId};

/// One task: where it merges from, in which style, and what it says itself.
#[derive(Clone, Debug)]
struct Recipe {
    from: usize,
    style: usize,
    own: Option<Status>,
    inline: Status,
    becomes: Option<Status>,
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let status = || prop::sample::select(Status::ALL.to_vec());
    let own = prop::option::of(status());
    (0..4usize, 0..4usize, own, status(), prop::option::of(status()))
        .prop_map(|(from, style, own, inline, becomes)| Recipe { from, style, own, inline, becomes })
}

/// The entry, with the status that the recipe or the patch wants.
fn entry(nth: usize, recipe: &Recipe, status: Option<Status>) -> String {
    let merged = match (recipe.from, nth) {
        (0, _) => "*base".to_owned(),
        (1, 1..) => format!("*t{}", nth - 1),
        (2, 1..) => format!("[*t{}, *base]", nth - 1),
        _ => format!("&m{nth} {{cost: 2, status: {}}}", recipe.inline),
    };
    let status = |before: &str| status.map(|status| format!("{before}status: {status}")).unwrap_or_default();
    match recipe.style {
        0 => format!("- &t{nth}\n  <<: {merged}\n  id: t{nth}{}\n", status("\n  ")),
        1 => format!("- &t{nth} {{<<: {merged}, id: t{nth}{}}}\n", status(", ")),
        2 => format!("- &t{nth} {{id: t{nth}{}, <<: {merged}}}\n", status(", ")),
        _ => format!("- &t{nth}\n  id: t{nth}{}\n  <<: {merged}\n", status("\n  ")),
    }
}

fn build(base: Status, recipes: &[Recipe], status: impl Fn(&Recipe) -> Option<Status>) -> String {
    let tasks: Vec<String> =
        recipes.iter().enumerate().map(|(nth, recipe)| entry(nth, recipe, status(recipe))).collect();
    format!("base: &base {{kind: note, status: {base}}}\ntasks:\n{}", tasks.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_status_is_neither_read_from_nor_written_into_what_is_merged(
        base in prop::sample::select(Status::ALL.to_vec()), recipes in vec(recipe(), 1..10),
    ) {
        let file = TaskFile::parse(build(base, &recipes, |recipe| recipe.own)).unwrap();
        for (read, recipe) in file.tasks().iter().zip(&recipes) {
            prop_assert_eq!(read.status, recipe.own);
        }
        let statuses: Vec<(TaskId, Status)> = file.tasks().iter().zip(&recipes)
            .filter_map(|(read, recipe)| Some((read.task.id.clone(), recipe.becomes?)))
            .collect();
        let patched = String::from_utf8(file.patched(&statuses, &[]).unwrap()).unwrap();
        prop_assert_eq!(patched, build(base, &recipes, |recipe| recipe.becomes.or(recipe.own)));
    }
}
