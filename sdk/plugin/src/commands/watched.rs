//! Doing something again after each edit of some folders, until somebody ends it.
//!
//! Invariant: what a round says of faults is shown as it is for one command; a fault ends no watching.
//! Not here: what is an edit (`changes.rs`).

use std::path::Path;
use std::time::{Duration, Instant};

use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::changes::Mark;

/// How often it is looked whether something was edited.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Editors write a file in steps: an edit is over when nothing changed for so long.
const SETTLED: Duration = Duration::from_millis(30);

/// Now and after each edit in one of them.
pub(super) fn watch(folders: &[&Path], console: &Console, mut round: impl FnMut() -> Outcome) -> ! {
    let mut marks = marks(folders);
    loop {
        let began = Instant::now();
        let ended = match round() {
            Ok(Exit::Done) => "all is well",
            Ok(_) => "something is not as expected",
            Err(fault) => {
                console.conclude(Err(fault));
                "it could not be tried"
            }
        };
        console.line(&format!("{ended}, after {} ms; waiting for an edit", began.elapsed().as_millis()));
        marks = edited(folders, &marks, console);
    }
}

fn marks(folders: &[&Path]) -> Vec<Mark> {
    folders.iter().map(|folder| Mark::of(folder)).collect()
}

/// Waits for an edit, and until it is over.
fn edited(folders: &[&Path], before: &[Mark], console: &Console) -> Vec<Mark> {
    loop {
        let now = marks(folders);
        let each = folders.iter().zip(before.iter().zip(&now));
        let changed = each.into_iter().find_map(|(folder, (before, now))| now.first_change(before, folder));
        if let Some(file) = changed {
            console.line(&format!("edited   {}", escape(&file)));
            return settled(folders, now);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The marks once they stay as they are.
fn settled(folders: &[&Path], mut last: Vec<Mark>) -> Vec<Mark> {
    loop {
        std::thread::sleep(SETTLED);
        let now = marks(folders);
        if now == last {
            return now;
        }
        last = now;
    }
}
