//! Judges what attempts changed and what people take in: by path, and by size.
//!
//! In -> out: edits that are about to be kept, or a run's that are taken in -> allowed, escalated, or refused with the paths and
//! the reason.
//! Invariant: what is refused by one rule no other one lets pass; edits of which not all files are shown are never allowed.
//! Not here: tasks that are about to start, which are all allowed; the settings (`settings.rs`).

pub mod settings;

use orch_sdk::{ChangedFile, Difference, Failure, Guard, Judgement, ProposedChange, Risk};

use crate::settings::{Settings, Then};

/// Paths that are named to people.
const NAMED_MAX: usize = 5;

pub struct PathGuard;

impl Guard for PathGuard {
    fn judge(change: ProposedChange) -> Result<Judgement, Failure> {
        let difference = match change {
            ProposedChange::Task(_) => return Ok(Judgement::Allow),
            ProposedChange::Edits(edits) => edits.difference,
            ProposedChange::Merge(merge) => merge.difference,
        };
        let settings = Settings::parse(&orch_sdk::settings::read()).map_err(Failure::new)?;
        Ok(judge(&settings, &difference))
    }
}

orch_sdk::export!(guard: PathGuard);

/// What becomes of these edits.
pub fn judge(settings: &Settings, edits: &Difference) -> Judgement {
    let mut asks = Vec::new();
    for rule in &settings.protect {
        let is_protected = |file: &&ChangedFile| {
            rule.paths.iter().any(|glob| fast_glob::glob_match(glob.as_bytes(), file.path.as_bytes()))
        };
        let found: Vec<&ChangedFile> = edits.files.iter().filter(is_protected).collect();
        if found.is_empty() {
            continue;
        }
        let why = rule.why.as_deref().map_or_else(String::new, |why| format!(": {why}"));
        let said = format!("{} protected{why}", named(&found));
        match rule.then {
            Then::Refuse => return Judgement::refuse(said),
            Then::Escalate => asks.push(said),
        }
    }
    if edits.files_count as usize > edits.files.len() {
        asks.push(format!("only {} of its {} files are shown", edits.files.len(), edits.files_count));
    }
    let is_by_path = !asks.is_empty();
    if edits.files_count > settings.files_max {
        asks.push(format!("{} files, more than {}", edits.files_count, settings.files_max));
    }
    let lines = edits.lines_added.saturating_add(edits.lines_removed);
    if lines > settings.lines_max {
        asks.push(format!("{lines} lines, more than {}", settings.lines_max));
    }
    match (asks.is_empty(), is_by_path) {
        (true, _) => Judgement::Allow,
        (false, true) => Judgement::escalate(Risk::High, asks.join("; ")),
        (false, false) => Judgement::escalate(Risk::Medium, asks.join("; ")),
    }
}

/// The first of these paths, in a sentence that goes on with what they are.
fn named(files: &[&ChangedFile]) -> String {
    let names: Vec<String> =
        files.iter().take(NAMED_MAX).map(|file| format!("`{}`", file.path.escape_debug())).collect();
    let more = match files.len().saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let verb = if files.len() == 1 { "is" } else { "are" };
    format!("{}{more} {verb}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use orch_sdk::FileStatus;

    use super::*;

    fn edits(paths: &[&str], lines: u64) -> Difference {
        let file = |path: &&str| ChangedFile {
            path: (*path).to_owned(),
            status: FileStatus::Changed,
            lines_added: Some(1),
            lines_removed: None,
        };
        Difference {
            files: paths.iter().map(file).collect(),
            files_count: paths.len() as u32,
            lines_added: lines,
            lines_removed: 0,
            patch: String::new(),
            patch_is_whole: true,
        }
    }

    fn settings(json: &str) -> Settings {
        Settings::parse(json).unwrap()
    }

    /// The word of the judgement, with its text.
    fn judged(settings: &Settings, edits: &Difference) -> (&'static str, String) {
        match judge(settings, edits) {
            Judgement::Allow => ("allow", String::new()),
            Judgement::Refuse(why) => ("refuse", why),
            Judgement::Escalate(asked) => {
                (if asked.risk == Risk::High { "high" } else { "medium" }, asked.reason)
            }
        }
    }

    const RULES: &str = r#"{"protect": [
        {"paths": ["deploy/**", "*.lock"], "then": "escalate"},
        {"paths": ["secrets/*"], "then": "refuse", "why": "they are made elsewhere"}
    ], "files_max": 3, "lines_max": 10}"#;

    #[test]
    fn paths_are_refused_before_they_are_escalated() {
        let settings = settings(RULES);
        assert_eq!(judged(&settings, &edits(&["src/a.rs", "sub/b.lock"], 1)).0, "allow");
        assert_eq!(
            judged(&settings, &edits(&["deploy/x/y"], 1)),
            ("high", "`deploy/x/y` is protected".to_owned())
        );
        let both = judged(&settings, &edits(&["a.lock", "secrets/key", "secrets/x/y"], 1));
        assert_eq!(both, ("refuse", "`secrets/key` is protected: they are made elsewhere".to_owned()));
    }

    #[test]
    fn large_edits_are_escalated_at_the_limit_and_not_before() {
        let settings = settings(RULES);
        assert_eq!(judged(&settings, &edits(&["a", "b", "c"], 10)).0, "allow");
        assert_eq!(
            judged(&settings, &edits(&["a", "b", "c", "d"], 1)),
            ("medium", "4 files, more than 3".to_owned())
        );
        assert_eq!(judged(&settings, &edits(&["a"], 11)), ("medium", "11 lines, more than 10".to_owned()));
    }

    #[test]
    fn what_is_not_shown_is_not_allowed_and_only_some_names_are_said() {
        let settings = settings(RULES);
        let cut = Difference { files_count: 2, ..edits(&["a"], 1) };
        assert_eq!(judged(&settings, &cut).0, "high");
        let paths = ["deploy/1", "deploy/2", "deploy/3", "deploy/4", "deploy/5", "deploy/6\n"];
        let said = judged(&settings, &edits(&paths, 1)).1;
        assert!(
            said.starts_with("`deploy/1`, ") && said.contains("`deploy/5` and 1 more are protected"),
            "{said}"
        );
    }
}
