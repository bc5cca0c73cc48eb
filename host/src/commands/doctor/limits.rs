//! `orch-host doctor --limits`: whether each limit fires on this machine, and each wall holds.
//!
//! In -> out: the operator's policy -> a row for each hostile guest and process, as a table or as JSON.
//! Limits: some ten seconds; limits that are times are tried with short ones, as the table says.
//! Invariant: whoever is tried is one that goes beyond that limit where nothing holds it; nothing of it is left.
//! Not here: the guests (`limits/guests.rs`), the processes (`limits/programs.rs`).

pub mod attempt;
mod ground;
mod guests;
mod programs;

use std::path::PathBuf;
use std::time::Duration;

use orch_trust::policy::{SandboxMode, SandboxPolicy};
use serde::Serialize;

use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::sandbox;

use ground::Ground;

/// One limit or wall, tried.
#[derive(Debug, Serialize)]
struct Row {
    /// `call`, `wall` or `command`: whose it is.
    of: &'static str,
    limit: String,
    does: &'static str,
    tried_with: String,
    fired: bool,
    /// What ended it, or what came instead.
    came: String,
    /// From its start until it was over.
    after_ms: u64,
}

impl Row {
    fn new(
        (of, limit, does): (&'static str, &str, &'static str),
        tried_with: String,
        came: Result<String, String>,
        took: Duration,
    ) -> Self {
        let fired = came.is_ok();
        let (Ok(came) | Err(came)) = came;
        let after_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self { of, limit: limit.to_owned(), does, tried_with, fired, came, after_ms }
    }
}

/// Tries all of them; `own`: this program.
pub fn run(policy: &SandboxPolicy, own: PathBuf, as_json: bool, console: Console) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(anyhow::Error::from)?;
    let ground = Ground::new().map_err(anyhow::Error::from)?;
    let mut rows = runtime.block_on(of_calls(&ground))?;
    if policy.mode != SandboxMode::Off {
        rows.extend(runtime.block_on(of_commands(&ground, own))?);
    }
    if as_json {
        console.json(&serde_json::json!({ "limits": rows }).to_string());
    } else {
        show(&rows, policy, console);
    }
    // What the operator said that programs may run without is no fault of the machine.
    let is_fault = |row: &&Row| !row.fired && (row.of == "call" || policy.mode == SandboxMode::Require);
    Ok(if rows.iter().any(|row| is_fault(&row)) { Exit::GoalNotMet } else { Exit::Done })
}

async fn of_calls(ground: &Ground) -> anyhow::Result<Vec<Row>> {
    let trial = guests::Trial::new()?;
    let mut rows = Vec::new();
    for guest in &guests::GUESTS {
        let seen = trial.call(guest, &ground.workspace()).await?;
        let made = [ground.made_outside()?, ground.made_inside()?].concat();
        let came = match made.first() {
            Some(path) => Err(format!("it made `{}`", path.display())),
            None => seen.ended.map(|()| guest.ends.shown()),
        };
        rows.push(Row::new(("call", guest.limit, guest.does), guest.tried.shown(), came, seen.took));
    }
    Ok(rows)
}

async fn of_commands(ground: &Ground, own: PathBuf) -> anyhow::Result<Vec<Row>> {
    let trial = programs::Trial::new(own, ground)?;
    let mut rows = Vec::new();
    for (wall, attempt, does) in programs::WALLS {
        let seen = trial.wall(wall, attempt).await?;
        let name = wall.to_string();
        rows.push(Row::new(("wall", &name, does), "alone".to_owned(), seen.ended, seen.took));
    }
    for bound in &programs::LIMITS {
        let seen = trial.limit(bound).await?;
        let limit =
            bound.key.map_or_else(|| bound.limit.to_owned(), |key| format!("{} (`{key}`)", bound.limit));
        rows.push(Row::new(("command", &limit, bound.does), bound.tried.to_owned(), seen.ended, seen.took));
    }
    Ok(rows)
}

fn show(rows: &[Row], policy: &SandboxPolicy, console: Console) {
    let widest = |text: fn(&Row) -> &str| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
    let (limit, does) = (widest(|row| &row.limit), widest(|row| row.does));
    let (tried, came) = (widest(|row| &row.tried_with), widest(|row| &row.came));
    for row in rows {
        let word = match row.fired {
            true => console.paint(Tone::Good, "ok  "),
            false => console.paint(Tone::Bad, "BAD "),
        };
        let line = format!(
            "{word} {:7}  {:limit$}  {:does$}  {:tried$}  {:came$}  {:>6} ms",
            row.of, row.limit, row.does, row.tried_with, row.came, row.after_ms
        );
        console.line(&line);
    }
    match policy.mode {
        SandboxMode::Off => console.line(&format!("`[sandbox] mode = \"off\"`: {}", sandbox::OFF)),
        SandboxMode::Require | SandboxMode::BestEffort => {}
    }
}

#[cfg(test)]
mod tests;
