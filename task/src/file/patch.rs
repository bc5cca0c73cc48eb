//! Other statuses and more tasks in a file that people wrote, with nothing else changed.
//!
//! In -> out: [`TaskFile`], statuses, new entries -> new bytes.
//! Limits: time grows with the file; it is read once more to check the result.
//! Invariant: bytes come back only if they parse to the old tasks with exactly the asked changes.
//! Not here: what is on disk now (`exchange.rs`), which statuses to write (the host).

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::env::Env;
use crate::file::error::{Place, TaskFileError};
use crate::file::layout::{Items, Tail, tail_of};
use crate::file::{FileTask, NewFileTask, StatusSpot, TaskFile};
use crate::model::{Status, Task, TaskId};
use crate::render::{RenderError, block_lines, check_settings, flow_mapping};

/// Why a change was not made. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    #[error("no task `{task}` in the task file")]
    UnknownTask { task: TaskId },
    #[error(
        "task `{task}` has no place for a status: its `id` comes through an alias or a merge key, at {place}"
    )]
    IdElsewhere { task: TaskId, place: Place },
    #[error("the list of tasks stands behind an alias, so that no task can be added")]
    ListElsewhere,
    #[error("task `{task}` cannot be added")]
    NotRenderable {
        task: TaskId,
        #[source]
        source: RenderError,
    },
    #[error("the changed task file would not be usable")]
    WouldBreak {
        #[source]
        source: TaskFileError,
    },
    #[error("the change would also change task `{task}`, at {place}")]
    WouldChange { task: TaskId, place: Place },
}

impl PatchError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownTask { .. } => "patch-unknown-task",
            Self::IdElsewhere { .. } => "patch-id-elsewhere",
            Self::ListElsewhere => "patch-list-elsewhere",
            Self::NotRenderable { .. } => "patch-not-renderable",
            Self::WouldBreak { .. } => "patch-would-break",
            Self::WouldChange { .. } => "patch-would-change",
        }
    }

    /// What the operator can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::IdElsewhere { task, .. } => {
                Some(format!("write `id` and `status` of `{task}` out, without alias or `<<`"))
            }
            Self::ListElsewhere => Some("write the list of tasks under `tasks` itself".to_owned()),
            Self::WouldChange { task, .. } => {
                Some(format!("write the status of `{task}` out, without alias or `<<`"))
            }
            Self::UnknownTask { .. } | Self::NotRenderable { .. } | Self::WouldBreak { .. } => None,
        }
    }
}

/// Bytes to put in the place of a range.
struct Edit {
    range: Range<usize>,
    with: String,
}

impl TaskFile {
    /// The bytes of [`TaskFile::patched_file`].
    ///
    /// # Errors
    /// As there.
    pub fn patched(
        &self,
        statuses: &[(TaskId, Status)],
        append: &[NewFileTask],
    ) -> Result<Vec<u8>, PatchError> {
        self.patched_file(statuses, append).map(|file| file.text.into_bytes())
    }

    /// The file with these statuses (a later one for the same task counts) and these tasks at the end of the list.
    /// Only status words change; a missing `status` goes after `id`; new entries follow the style of the last one.
    ///
    /// # Errors
    /// See [`PatchError`]. Aliases are why an otherwise good file cannot be changed: a task or an `id` behind one.
    pub fn patched_file(
        &self,
        statuses: &[(TaskId, Status)],
        append: &[NewFileTask],
    ) -> Result<Self, PatchError> {
        let wanted = self.wanted(statuses)?;
        let mut edits = Vec::new();
        for (file_task, status) in self.tasks.iter().zip(&wanted) {
            if let Some(status) = status.filter(|status| file_task.status != Some(*status)) {
                edits.push(self.status_edit(file_task, status)?);
            }
        }
        if !edits.is_empty() {
            self.write_out_aliases(&wanted, &mut edits);
        }
        if !append.is_empty() {
            self.append_edits(append, &mut edits)?;
        }
        if edits.is_empty() {
            return Ok(self.clone());
        }
        self.check(&wanted, append, apply(&self.text, edits))
    }

    /// The status that each task shall have, in file order; none where it stays as it is.
    fn wanted(&self, statuses: &[(TaskId, Status)]) -> Result<Vec<Option<Status>>, PatchError> {
        let mut wanted = vec![None; self.tasks.len()];
        if statuses.is_empty() {
            return Ok(wanted);
        }
        let places: HashMap<&TaskId, usize> =
            self.tasks.iter().enumerate().map(|(at, read)| (&read.task.id, at)).collect();
        for (id, status) in statuses {
            let slot = places.get(id).and_then(|at| wanted.get_mut(*at));
            *slot.ok_or_else(|| PatchError::UnknownTask { task: id.clone() })? = Some(*status);
        }
        Ok(wanted)
    }

    fn status_edit(&self, read: &FileTask, status: Status) -> Result<Edit, PatchError> {
        match &read.spots.status {
            StatusSpot::Here(range) => Ok(replace_word(&self.text, range.clone(), status)),
            StatusSpot::Alias(range) => Ok(Edit { range: range.clone(), with: status.to_string() }),
            StatusSpot::Missing => {
                let Some(id_end) = read.spots.id_end else {
                    let task = read.task.id.clone();
                    return Err(PatchError::IdElsewhere { task, place: read.place() });
                };
                let Some(indent) = read.spots.indent else {
                    let with = match read.spots.has_quoted_keys {
                        true => format!(", \"status\": \"{status}\""),
                        false => format!(", status: {status}"),
                    };
                    return Ok(Edit { range: id_end..id_end, with });
                };
                Ok(self.lines_after(id_end, &[format!("{:indent$}status: {status}", "")]))
            }
        }
    }

    /// Statuses that stay, but are an alias of a word that may change now, become words of their own.
    fn write_out_aliases(&self, wanted: &[Option<Status>], edits: &mut Vec<Edit>) {
        for (read, wanted) in self.tasks.iter().zip(wanted) {
            let stays = wanted.is_none() || *wanted == read.status;
            if let (StatusSpot::Alias(range), Some(status), true) = (&read.spots.status, read.status, stays) {
                edits.push(Edit { range: range.clone(), with: status.to_string() });
            }
        }
    }

    fn append_edits(&self, append: &[NewFileTask], edits: &mut Vec<Edit>) -> Result<(), PatchError> {
        for entry in append {
            check_settings(&entry.task)
                .map_err(|source| PatchError::NotRenderable { task: entry.task.id.clone(), source })?;
        }
        let flow = |quoted: bool| -> Vec<String> {
            append.iter().map(|entry| flow_mapping(entry, quoted)).collect()
        };
        let block = |dash: usize, body: usize| {
            append.iter().flat_map(|entry| block_lines(entry, dash, body)).collect::<Vec<_>>()
        };
        // The text was parsed before, so that this walk over the same events cannot fail.
        match tail_of(&self.text).unwrap_or(Tail::Elsewhere) {
            Tail::Elsewhere => return Err(PatchError::ListElsewhere),
            Tail::Block { items } => {
                let (dash, body) = self.block_columns(&items);
                let lines = match items.last_is_flow {
                    true => flow(self.is_json_like(&items))
                        .iter()
                        .map(|item| format!("{:dash$}- {item}", ""))
                        .collect(),
                    false => block(dash, body),
                };
                edits.push(self.lines_after(items.last_end, &lines));
            }
            Tail::Flow { open, items: None, .. } => {
                edits.push(Edit { range: open..open, with: flow(false).join(", ") });
            }
            Tail::Flow { close, items: Some(items), .. } => {
                self.append_to_flow(&flow(self.is_json_like(&items)), close, &items, edits);
            }
        }
        Ok(())
    }

    /// New entries before the bracket at `close`: on lines of their own if the bracket has one.
    fn append_to_flow(&self, new: &[String], close: usize, items: &Items, edits: &mut Vec<Edit>) {
        let end = items.last_end;
        let comma = comma_between(&self.text, end, close);
        let line_start = line_start(&self.text, close);
        let is_alone = self.text.get(line_start..close).is_some_and(|before| before.trim().is_empty());
        if is_alone && line_start > end {
            if comma.is_none() {
                edits.push(Edit { range: end..end, with: ",".to_owned() });
            }
            let first = self.text.get(self::line_start(&self.text, items.last_start)..).unwrap_or_default();
            let indent: String = first.chars().take_while(|letter| *letter == ' ').collect();
            let nl = self.line_end();
            let last = if comma.is_some() { "," } else { "" };
            let with = format!("{indent}{}{last}{nl}", new.join(&format!(",{nl}{indent}")));
            edits.push(Edit { range: line_start..line_start, with });
        } else {
            let (at, before) = comma.map_or((end, ", "), |comma| (comma + 1, " "));
            edits.push(Edit { range: at..at, with: format!("{before}{}", new.join(", ")) });
        }
    }

    /// Columns of the dash and of the keys of the last entry of a block list.
    fn block_columns(&self, items: &Items) -> (usize, usize) {
        let mut at = items.last_start;
        let mut body = None;
        loop {
            let start = line_start(&self.text, at);
            let line = self.text.get(start..at).unwrap_or_default().trim_start_matches('\u{feff}');
            let dash = line.chars().take_while(|letter| *letter == ' ').count();
            if line.trim_start().starts_with('-') {
                // Keys on the line of the dash stand where the next entry's keys shall stand.
                let width = line.trim_end().chars().count();
                let plain = body.is_none() && width == dash + 1 && !items.last_is_flow;
                return (dash, if plain { line.chars().count().max(dash + 2) } else { dash + 2 });
            }
            body = Some(dash);
            match start.checked_sub(1) {
                Some(before) => at = before,
                None => return (0, 2),
            }
        }
    }

    /// True when the last entry writes its keys in double quotes.
    fn is_json_like(&self, items: &Items) -> bool {
        let entry = self.text.get(items.last_start..items.last_end).unwrap_or_default();
        entry.strip_prefix('{').is_some_and(|inside| inside.trim_start().starts_with('"'))
    }

    /// Lines after the line in which `at` is.
    fn lines_after(&self, at: usize, lines: &[String]) -> Edit {
        let nl = self.line_end();
        // A block scalar ends in the line after it, at the next key.
        let before = self.text.get(..at).unwrap_or_default().trim_end_matches(' ');
        if before.is_empty() || before == "\u{feff}" || before.ends_with('\n') {
            let at = before.len();
            return Edit { range: at..at, with: lines.iter().flat_map(|line| [line.as_str(), nl]).collect() };
        }
        let rest = self.text.get(at..).unwrap_or_default();
        let to_end = rest.find('\n').unwrap_or(rest.len());
        let line = rest.get(..to_end).unwrap_or_default();
        let end = at + line.strip_suffix('\r').unwrap_or(line).len();
        Edit { range: end..end, with: lines.iter().flat_map(|line| [nl, line.as_str()]).collect() }
    }

    /// The line end of the file's first line.
    fn line_end(&self) -> &'static str {
        let first = self.text.find('\n').and_then(|at| self.text.get(..at));
        if first.is_some_and(|line| line.ends_with('\r')) { "\r\n" } else { "\n" }
    }

    /// Reads the new text and compares it with what was asked for.
    fn check(
        &self,
        wanted: &[Option<Status>],
        append: &[NewFileTask],
        text: String,
    ) -> Result<Self, PatchError> {
        let new = TaskFile::parse(text).map_err(|source| PatchError::WouldBreak { source })?;
        let old = self.tasks.iter().zip(wanted).map(|(read, wanted)| {
            (&read.task, wanted.or(read.status), read.added_by.as_deref(), &read.env, read.place())
        });
        let end = self.tasks.last().map_or(Place { line: 1, column: 1 }, FileTask::place);
        let none = Env::default();
        let added =
            append.iter().map(|entry| (&entry.task, entry.status, entry.added_by.as_deref(), &none, end));
        let mut found = new.tasks.iter();
        for (task, status, added_by, env, place) in old.chain(added) {
            let is_as_asked = found.next().is_some_and(|read| {
                same_task(&read.task, task)
                    && (read.status, read.added_by.as_deref(), &read.env) == (status, added_by, env)
            });
            if !is_as_asked {
                return Err(PatchError::WouldChange { task: task.id.clone(), place });
            }
        }
        match found.next() {
            Some(extra) => Err(PatchError::WouldChange { task: extra.task.id.clone(), place: extra.place() }),
            None => Ok(new),
        }
    }
}

/// Equal, but for dependencies named twice, which the file's reader drops.
fn same_task(read: &Task, asked: &Task) -> bool {
    if read == asked {
        return true;
    }
    let mut seen = HashSet::new();
    let mut asked = asked.clone();
    asked.dependencies.retain(|id| seen.insert(id.clone()));
    *read == asked
}

/// The status word in the quotes that are there.
fn replace_word(text: &str, range: Range<usize>, status: Status) -> Edit {
    let old = text.get(range.clone()).unwrap_or_default();
    if old.is_empty() {
        let (range, space) = value_place(text, range);
        return Edit { range, with: format!("{space}{status}") };
    }
    // A block scalar's range includes its line end.
    let range = range.start..range.start + old.trim_end().len();
    let with = match old.as_bytes().first() {
        Some(b'"') => format!("\"{status}\""),
        Some(b'\'') => format!("'{status}'"),
        _ => status.to_string(),
    };
    Edit { range, with }
}

/// Where a value goes, and what must stand before it: one that is missing has the place of the colon before it. In a
/// flow mapping a key may stand alone.
fn value_place(text: &str, range: Range<usize>) -> (Range<usize>, &'static str) {
    let before = text.get(..range.start).unwrap_or_default();
    match (range.is_empty(), text.as_bytes().get(range.start)) {
        (true, Some(b':')) => (range.start + 1..range.start + 1, " "),
        (true, _) if !before.trim_end().ends_with(':') => (range, ": "),
        (true, _) => (range, " "),
        (false, _) => (range, ""),
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
}

/// The comma after the last entry of a flow list, if one is there. Comments may stand between.
fn comma_between(text: &str, from: usize, to: usize) -> Option<usize> {
    let mut is_comment = false;
    for (at, byte) in text.bytes().enumerate().take(to).skip(from) {
        match byte {
            b'\n' => is_comment = false,
            b'#' => is_comment = true,
            b',' if !is_comment => return Some(at),
            _ => {}
        }
    }
    None
}

/// One pass over text and edits; edits do not overlap, and those at the same place stay in their order.
fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.range.start);
    let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let mut out = String::with_capacity(text.len() + added);
    let mut at = 0;
    for edit in &edits {
        out.push_str(text.get(at..edit.range.start).unwrap_or_default());
        out.push_str(&edit.with);
        at = edit.range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
