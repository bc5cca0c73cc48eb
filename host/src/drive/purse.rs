//! What a workspace's plugins may still spend, as its journal has it.
//!
//! In -> out: budgets, a store -> [`Purse`].
//! Invariant: what was asked and not answered before the host ended counts at its most.
//! Not here: what counts how (`orch-journal`'s `spending.rs`), holding back (`capability/purse.rs`).

use orch_journal::spending::{DAY_MS, Spending};
use orch_journal::{Reader, StoreError};

use crate::capability::llm::catalogue::Catalogue;
use crate::capability::purse::Purse;
use crate::clock::now_ms;

/// Runs that are open, and those that ended a day ago or later; no run is read where nothing is bounded.
///
/// # Errors
/// Whatever is wrong with the store.
pub fn of(models: &Catalogue, reader: &Reader) -> Result<Purse, StoreError> {
    let (budgets, rates) = models.bounds();
    let mut spending = Spending::default();
    if !budgets.is_empty() {
        let since = orch_journal::iso_time(now_ms().saturating_sub(DAY_MS));
        // A run that has ended asks nothing more.
        let is_of_today = |end: &Option<String>| end.as_ref().is_none_or(|end| *end >= since);
        for run in reader.runs()?.iter().filter(|run| is_of_today(&run.completed_at)) {
            take(&mut spending, reader, &run.id, &run.id)?;
        }
        if let Some(stream) = reader.stream()? {
            take(&mut spending, reader, &stream, "")?;
        }
    }
    Ok(Purse::new(budgets, rates, models.currency.clone(), spending))
}

fn take(spending: &mut Spending, reader: &Reader, events: &str, run: &str) -> Result<(), StoreError> {
    for event in reader.events(events) {
        spending.take(run, &event?.1);
    }
    Ok(())
}
