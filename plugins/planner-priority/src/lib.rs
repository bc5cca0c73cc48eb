//! Starts the ready task of the highest priority first, within the budget.
pub mod queue;
