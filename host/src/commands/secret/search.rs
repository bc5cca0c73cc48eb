//! Looking for values in what runs wrote into a workspace.
//!
//! In -> out: a workspace, values -> where one stands.
//! Limits: what [`Leaks`] keeps of one file or event. The database is looked at event by event, and as a file: a value in
//! one of its tables that SQLite cut in two is found as an event only.
//! Invariant: links are not followed; nothing is changed.

use std::fmt;
use std::path::Path;

use orch_journal::Reader;

use crate::capability::files::{Protected, protected_names};
use crate::capability::secrets::leaks::Leaks;
use crate::console::escape;
use crate::exit::Fault;
use crate::place::{self, Place as Workspace};
use crate::regular_file::{self, Links};

/// Of events at a time.
const PAGE: u32 = 512;

/// Where a value stands.
pub(super) enum Place {
    File { path: String, byte: u64 },
    Event { run: String, event: u64 },
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, byte } => write!(out, "in `{}`, from byte {byte} on", escape(path)),
            Self::Event { run, event } => write!(out, "in event {event} of `{}`", escape(run)),
        }
    }
}

/// What was looked through.
#[derive(Default)]
pub(super) struct Looked {
    /// Name of the secret, and where.
    pub(super) found: Vec<(String, Place)>,
    pub(super) files: usize,
    pub(super) events: usize,
}

/// Logs, the state folder, the workspace's own files, and every event.
pub(super) fn search(workspace: &Workspace, leaks: &Leaks) -> Result<Looked, Fault> {
    let mut looked = Looked::default();
    let folder = &*workspace.workspace;
    // Those that are folders are no files.
    for name in protected_names(&Protected::default()) {
        file(&folder.join(name), folder, leaks, &mut looked)?;
    }
    for below in [folder.join("logs"), workspace.state.clone()] {
        files(&below, folder, leaks, &mut looked)?;
    }
    if workspace.has_store() {
        events(&workspace.reader()?, leaks, &mut looked)?;
    }
    Ok(looked)
}

fn files(below: &Path, workspace: &Path, leaks: &Leaks, looked: &mut Looked) -> Result<(), Fault> {
    let io = |source| place::io(below, "list", source);
    let entries = match std::fs::read_dir(below) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io)?;
        paths.push((entry.path(), entry.file_type().map_err(io)?));
    }
    paths.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (path, kind) in paths {
        match () {
            () if kind.is_dir() => files(&path, workspace, leaks, looked)?,
            () if kind.is_file() => file(&path, workspace, leaks, looked)?,
            () => {}
        }
    }
    Ok(())
}

fn file(path: &Path, workspace: &Path, leaks: &Leaks, looked: &mut Looked) -> Result<(), Fault> {
    let opened = match regular_file::open(path, Links::Refused) {
        Ok((opened, _)) => opened,
        // A host at work may have removed it, and what is a link is nothing of a run's.
        Err(error) if error.is_missing() || matches!(error, regular_file::ReadError::NotRegular) => {
            return Ok(());
        }
        Err(error) => return Err(place::io(path, "read", error.into())),
    };
    looked.files += 1;
    let shown = path.strip_prefix(workspace).unwrap_or(path).display().to_string();
    for (name, byte) in leaks.find(opened).map_err(|error| place::io(path, "read", error))? {
        looked.found.push((name.to_owned(), Place::File { path: shown.clone(), byte }));
    }
    Ok(())
}

fn events(reader: &Reader, leaks: &Leaks, looked: &mut Looked) -> Result<(), Fault> {
    let runs = reader.runs()?.into_iter().map(|run| run.id);
    for run in runs.chain(reader.stream()?) {
        let mut from = 0;
        loop {
            let page = reader.raw_events(&run, from, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            from = last + 1;
            for (event, bytes) in &page {
                looked.events += 1;
                for (name, _) in leaks.find(bytes.as_slice()).map_err(anyhow::Error::from)? {
                    let place = Place::Event { run: run.clone(), event: *event };
                    looked.found.push((name.to_owned(), place));
                }
            }
        }
    }
    Ok(())
}
