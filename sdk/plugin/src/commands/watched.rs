//! Doing something again after each edit of a project, until somebody ends it.
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

/// Now and after each edit.
pub(super) fn watch(project: &Path, console: &Console, mut round: impl FnMut() -> Outcome) -> ! {
    let mut mark = Mark::of(project);
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
        mark = edited(project, &mark, console);
    }
}

/// Waits for an edit.
fn edited(project: &Path, before: &Mark, console: &Console) -> Mark {
    loop {
        let now = Mark::of(project);
        if let Some(file) = now.first_change(before, project) {
            console.line(&format!("edited   {}", escape(&file)));
            return now;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
