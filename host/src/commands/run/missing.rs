//! A store that is not there any more, or has lost its runs.
//!
//! In -> out: a place, the operator's kept heads -> warnings.

use orch_journal::{HEAD_UNREADABLE, Reader, StoreError};

use crate::commands::counted;
use crate::config::operator::Operator;
use crate::console::{Console, escape};
use crate::exit::Fault;
use crate::place::Place;

/// A store that is gone, or that lost its runs, is no reason to stop, and none to be silent: what ran is done again.
pub(in crate::commands) fn warn_of_missing_runs(
    place: &Place,
    operator: &Operator,
    console: Console,
) -> Result<(), Fault> {
    let stream = match Reader::open(&place.state) {
        Ok(reader) if reader.runs()?.is_empty() => reader.stream()?,
        // A file in which nothing is yet is none either.
        Err(StoreError::Missing { .. }) => None,
        // Whoever opens it to write says what is wrong.
        Ok(_) | Err(_) => return Ok(()),
    };
    let what = if place.has_store() { "the store has no run" } else { "the store is gone" };
    let heads = operator.home.join("heads");
    let known: Vec<&str> = stream.iter().map(String::as_str).collect();
    let keys = operator.secret.journal_keys();
    let (unreadable, missing): (Vec<_>, Vec<_>) =
        orch_journal::missing_runs(&place.state, &keys, &heads, &known)?
            .into_iter()
            .partition(|fault| fault.code == HEAD_UNREADABLE);
    let others = |count: usize| match count {
        1 => String::new(),
        count => format!(", and {}", counted(count.saturating_sub(1), "other", "others")),
    };
    if let Some(first) = missing.first() {
        console.warn(&format!(
            "{what}: {}{}; what ran before may run again, `orch-host audit verify` shows all",
            escape(&first.text),
            others(missing.len())
        ));
    }
    if let Some(first) = unreadable.first() {
        console.warn(&format!(
            "a kept head {}{}: whether it is of this store cannot be said, `orch-host audit verify` shows all",
            escape(&first.text),
            others(unreadable.len())
        ));
    }
    Ok(())
}
