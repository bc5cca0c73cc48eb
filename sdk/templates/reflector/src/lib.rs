//! Reflector: asks for a note on every file that has a TODO in it.

use orch_sdk::{Cycle, Failure, NewTask, Reflector, files, log};

/// As many as `tasks.add` in `plugin.json` allows.
const TASKS_MAX: usize = 20;
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const MARK: &str = "TODO";

struct Plugin;

impl Reflector for Plugin {
    fn reflect(_cycle: Cycle) -> Result<Vec<NewTask>, Failure> {
        let mut tasks = Vec::new();
        for entry in files::find("**") {
            let entry = entry?;
            if tasks.len() == TASKS_MAX {
                log::warn(format_args!("more than {TASKS_MAX} files have a {MARK}"));
                break;
            }
            // Files that are too large or not text are none that a person writes notes into.
            let Ok(text) = files::read_text(&entry.path, FILE_BYTES_MAX) else { continue };
            tasks.extend(note(&entry.path, &text));
        }
        Ok(tasks)
    }
}

orch_sdk::export!(reflector: Plugin);

/// A task for that file, if it has the mark. Its id comes from the path: asking twice adds it once.
fn note(path: &str, text: &str) -> Option<NewTask> {
    let count = text.matches(MARK).count();
    let plain: String = path.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let end = &plain[plain.len().saturating_sub(100)..];
    (count > 0).then(|| NewTask::new("note", format!("{count} x {MARK} in {path}")).with_id(format!("todo-{end}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_note_a_file() {
        let task = note("src/a.rs", "TODO one\nTODO two").unwrap();
        assert_eq!(task.description, "2 x TODO in src/a.rs");
        assert_eq!(task.id.as_deref(), Some("todo-src-a-rs"));
        assert_eq!(note("src/a.rs", "done"), None);
    }
}
