//! A run of another host, shown as it becomes durable.
//!
//! In -> out: a store that somebody else writes -> lines, and the run as of its last event; what models write, from that one's
//! socket.
//! Not here: what is shown of an event (`watch.rs`), who works at it (`control/`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use orch_journal::{Event, RunState};

use crate::command_log::gap_at;
use crate::control::{self, SocketPlace};
use crate::drive::error::DriveError;
use crate::exit::Fault;
use crate::place::{self, Place};
use crate::watch::{self, Format, How, Observer, Pieces};

/// Between two looks at what another host did.
const PAUSE: Duration = Duration::from_millis(100);

/// The folder of the logs, and where one that is full goes on, as the workspace says.
pub fn logs_of(place: &Place) -> (PathBuf, u64) {
    let bytes_max = place.config().map_or(u64::MAX, |config| config.log_bytes_max());
    (place.workspace.join("logs"), gap_at(bytes_max))
}

/// Shows what is committed from now on, or from that event on, until `goes_on` says that nobody works at it.
pub fn follow(
    place: &Place,
    socket: &SocketPlace,
    run: &str,
    from: u64,
    how: How,
    mut goes_on: impl FnMut() -> Result<bool, Fault>,
) -> Result<RunState, Fault> {
    let reader = place.reader()?;
    let (mut events, mut state, mut next) = (reader.events(run), RunState::default(), 0);
    let mut untold = Vec::new();
    let mut running = BTreeMap::new();
    for found in &mut events {
        let (seq, event) = found?;
        if from > 0 && seq >= from {
            untold.push((seq, event));
            break;
        }
        state.apply(&event).map_err(DriveError::from)?;
        match &event {
            Event::AttemptStarted { task, at, .. } => drop(running.insert(*task, *at)),
            Event::AttemptFinished(finished) => drop(running.remove(&finished.task)),
            _ => {}
        }
        next = seq + 1;
    }
    let (pieces, hears) = (Pieces::default(), how.hears());
    let (mut watcher, screen) = watch::follow(how, run, &state, &running, &pieces);
    let first = next;
    let mut shown = || {
        loop {
            // Asked before: what was committed last is shown too.
            let goes_on = goes_on()?;
            for found in untold.drain(..).map(Ok).chain(&mut events) {
                let (seq, event) = found?;
                state.apply(&event).map_err(DriveError::from)?;
                watcher.recorded(seq, &event, &state);
                next = seq + 1;
            }
            if !goes_on && next >= from {
                return Ok::<_, Fault>(());
            }
            std::thread::sleep(PAUSE);
        }
    };
    match hears {
        true => control::hear(socket, run, first, &pieces, shown)?,
        false => shown()?,
    }
    drop(watcher);
    screen.finish();
    Ok(state)
}

/// What models write is shown between events; people see it anyway.
pub fn check_deltas(deltas: bool, format: Format) -> Result<(), Fault> {
    match deltas && format != Format::Json {
        true => {
            let hint =
                "say `--format json`; for people, `run` shows it with `--output prefixed`, and in its table"
                    .to_owned();
            let what = "`--deltas` shows what models write between events, which are not shown".to_owned();
            Err(place::input("deltas-of-text", Some(hint), what))
        }
        false => Ok(()),
    }
}
