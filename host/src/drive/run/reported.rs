//! Room in a run for what plugins report.
//!
//! Not here: how much that is (`drive/reported.rs`), what was counted so far (`orch-journal`'s state).

use orch_journal::event::{Event, Writes};

use super::Run;
use crate::call::CallReport;
use crate::drive::error::DriveError;
use crate::drive::reported::{self, METRICS_CUT};
use crate::engine::CallError;

impl Run {
    /// Leaves out metrics for which there is no room.
    ///
    /// # Errors
    /// `Limit` if there is none for findings or values.
    pub fn fit(&mut self, writes: &mut Writes) -> Result<(), CallError> {
        let mut left_out = std::mem::take(&mut self.left_out);
        let fits = reported::fit(&self.state().reported, writes, &mut left_out);
        self.left_out = left_out;
        fits.and_then(|()| reported::fit_values(&self.state().reported, writes))
    }

    /// An attempt's answer, if there is room for what was reported with it.
    pub fn bounded<T>(&mut self, report: CallReport<T>) -> CallReport<T> {
        let CallReport { result, mut writes, .. } = report;
        let result = result.and_then(|answer| self.fit(&mut writes).map(|()| answer));
        CallReport { result, writes, ..report }
    }

    /// Says what was left out since it was said last.
    pub fn say_left_out(&mut self) -> Result<(), DriveError> {
        for (plugin, count) in std::mem::take(&mut self.left_out) {
            let text = reported::said(&plugin, count);
            self.record(Event::Warned { code: METRICS_CUT.to_owned(), text })?;
        }
        Ok(())
    }
}
