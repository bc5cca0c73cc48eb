//! How much of what plugins ask for one run keeps.
//!
//! In -> out: the state of a run, the size of its task file -> [`Room`], which each task makes smaller.
//! Limits: 10,000 tasks of plugins, 8 MiB of them as the task file has them; together with people's those of the file.
//! Invariant: what there is room for can be written into the task file.
//! Not here: whether a file can have that task at all (`capability/tasks.rs`).

use orch_journal::RunState;
use orch_task::file::{FILE_BYTES_MAX, TASKS_MAX};

use crate::capability::tasks::backend::bytes_in_file;

const ASKED_TASKS_MAX: u64 = 10_000;
const ASKED_BYTES_MAX: u64 = 8 << 20;
/// For the status of a task that has none in the file yet.
const STATUS_BYTES: u64 = 48;

/// What a run keeps, and the file that it has to go into.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    /// Those of plugins.
    asked_tasks: u64,
    asked_bytes: u64,
    /// Whoever made them.
    all_tasks: u64,
    /// Of the task file as it was read or written last.
    file_bytes: u64,
}

impl Room {
    /// Of a run that stands so.
    pub fn of(state: &RunState) -> Self {
        let mut room = Self::default();
        for found in &state.tasks {
            let Some(plugin) = &found.added_by else { continue };
            room.asked_tasks += 1;
            // Counted when it was taken in; in a person's words it may be one that is written by a person only.
            room.asked_bytes += bytes_in_file(found.task.clone(), plugin).unwrap_or(0);
        }
        room
    }

    /// With so many tasks in the run, and a file of that size.
    pub fn beside(self, all_tasks: u64, file_bytes: u64) -> Self {
        Self { all_tasks, file_bytes, ..self }
    }

    /// With one task of a plugin more, or why it is not kept.
    pub fn with(self, bytes: u64) -> Result<Self, &'static str> {
        let more = Self {
            asked_tasks: self.asked_tasks + 1,
            asked_bytes: self.asked_bytes + bytes,
            all_tasks: self.all_tasks + 1,
            ..self
        };
        let in_file = more.file_bytes + more.asked_bytes + more.all_tasks * STATUS_BYTES;
        if more.asked_tasks > ASKED_TASKS_MAX {
            return Err("a run keeps at most 10,000 tasks of plugins");
        }
        if more.asked_bytes > ASKED_BYTES_MAX {
            return Err("a run keeps at most 8 MiB of tasks of plugins");
        }
        match more.all_tasks > TASKS_MAX as u64 || in_file > FILE_BYTES_MAX {
            true => Err("there is no room for it in the task file"),
            false => Ok(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(room: Room, bytes: u64, why: Option<&str>) {
        let found = room.with(bytes).err();
        assert!(found.is_some() == why.is_some(), "{found:?}");
        assert!(found.unwrap_or_default().contains(why.unwrap_or_default()), "{found:?}");
    }

    #[test]
    fn there_is_room_up_to_each_limit_and_not_beyond() {
        let none = Room::default();
        check(none, 100, None);
        check(none, ASKED_BYTES_MAX, None);
        check(none, ASKED_BYTES_MAX + 1, Some("8 MiB"));
        let asked = |asked_tasks| Room { asked_tasks, ..none };
        check(asked(ASKED_TASKS_MAX - 1), 1, None);
        check(asked(ASKED_TASKS_MAX), 1, Some("10,000"));
        check(none.beside(TASKS_MAX as u64 - 1, 0), 1, None);
        check(none.beside(TASKS_MAX as u64, 0), 1, Some("no room"));
        check(none.beside(0, FILE_BYTES_MAX - STATUS_BYTES - 9), 9, None);
        check(none.beside(0, FILE_BYTES_MAX - STATUS_BYTES - 9), 10, Some("no room"));
        let two = none.with(1000).unwrap().with(1000).unwrap();
        assert_eq!((two.asked_tasks, two.asked_bytes, two.all_tasks), (2, 2000, 2));
    }
}
