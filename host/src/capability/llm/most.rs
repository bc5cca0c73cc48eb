//! What a question may use at most; and what counts where an answer does not say what it used.
//!
//! In -> out: bytes of a question, its model -> [`Most`]; what a provider says of an answer -> [`Counted`].
//! Units: tokens; millionths of the operator's currency.
//! Invariant: what nobody said is never counted below what it may have been: no token has less than a byte, nothing is written
//! beyond what was asked for, and what a model did not show it may have written all the same.
//! Not here: budgets (`capability/purse.rs`), who tells providers what was used (each plugin's own).

use orch_journal::event::ModelAnswer;
use orch_journal::spending::Reserved;

use super::catalogue::Price;
use super::chat::{Answer, Usage};

/// Bounds of one question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    /// Of what is asked.
    pub bytes: u64,
    /// Tokens that fit, question and answer.
    pub window: u64,
    /// Tokens of the answer.
    pub output: u64,
    pub price: Option<Price>,
}

/// What an answer counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub usage: Usage,
    /// In millionths of the currency; none: the model has no price.
    pub cost: Option<u64>,
    /// At least one of the numbers was not said.
    pub estimated: bool,
}

impl Counted {
    pub(crate) fn of(self, answer: ModelAnswer) -> ModelAnswer {
        let Self { usage: Usage { input, cached, output }, cost, estimated } = self;
        ModelAnswer { input, cached, output, cost, estimated, ..answer }
    }
}

impl Most {
    /// What it uses at most, read and written; where both together do not fit, as it costs more.
    fn usage(&self) -> Usage {
        let output = self.output.min(self.window);
        let short = Usage { input: self.input_beside(output), cached: 0, output };
        let input = self.input_beside(0);
        let long = Usage { input, cached: 0, output: output.min(self.window - input) };
        match self.price {
            Some(price) if price.most(&long) > price.most(&short) => long,
            _ => short,
        }
    }

    fn input_beside(&self, output: u64) -> u64 {
        self.bytes.min(self.window.saturating_sub(output))
    }

    /// What is held back for it.
    pub(crate) fn reserved(&self) -> Reserved {
        let usage = self.usage();
        let cost = self.price.map(|price| price.most(&usage));
        Reserved { tokens: usage.input.saturating_add(usage.output), cost }
    }

    /// What an answer to it counts whose provider says that it used `told`; a 0 is no number where something was read or written.
    pub(crate) fn count(&self, told: Usage, wrote: bool) -> Counted {
        let is_read = told.input > 0;
        let is_written = told.output > 0 || (is_read && !wrote);
        let usage = match (is_read, is_written) {
            (true, true) => return self.told(told),
            (true, false) => Usage { output: self.output, ..told },
            // That it read nothing cannot be, however small the window is said to be.
            (false, true) => Usage { input: self.input_beside(told.output).max(1), cached: 0, ..told },
            (false, false) => self.usage(),
        };
        Counted { usage, cost: self.price.map(|price| price.most(&usage)), estimated: true }
    }

    /// The same where all of it is as it was said.
    pub(crate) fn told(&self, usage: Usage) -> Counted {
        Counted { usage, cost: self.price.map(|price| price.cost(&usage)), estimated: false }
    }

    /// What an answer counts, which says afterwards what counts.
    pub(crate) fn count_answer(&self, answer: &mut Answer) -> Counted {
        let said = &answer.said;
        let counted = self.count(answer.usage, !said.text.is_empty() || !said.tool_calls.is_empty());
        answer.usage = counted.usage;
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price { input: 1.0, cached: 0.5, output: 4.0 };
    const NONE: Usage = Usage { input: 0, cached: 0, output: 0 };
    const MOST: Most = Most { bytes: 300, window: 1000, output: 50, price: Some(PRICE) };

    #[track_caller]
    fn check(most: Most, told: [u64; 3], counted: [u64; 2], cost: u64, estimated: bool) {
        let [input, cached, output] = told;
        let found = most.count(Usage { input, cached, output }, true);
        assert_eq!([found.usage.input, found.usage.output], counted);
        assert_eq!((found.cost, found.estimated), (Some(cost), estimated));
    }

    #[test]
    fn what_was_said_counts_as_it_was_said_even_where_it_is_more_than_was_asked_for() {
        check(MOST, [100, 20, 10], [100, 10], 80 + 10 + 40, false);
        check(MOST, [5000, 0, 900], [5000, 900], 5000 + 3600, false);
        let silent = MOST.count(Usage { input: 100, ..NONE }, false);
        assert!(!silent.estimated && silent.usage.output == 0, "it wrote nothing");
    }

    #[test]
    fn each_half_that_nobody_said_counts_at_its_most() {
        check(MOST, [0, 0, 0], [300, 50], 500, true);
        check(MOST, [100, 20, 0], [100, 50], 300, true);
        check(MOST, [0, 0, 10], [300, 10], 340, true);
        // Where nothing was written, who said nothing of what was read said nothing at all.
        assert_eq!(MOST.count(NONE, false).cost, Some(500));
        let free = Most { price: None, ..MOST }.count(NONE, true);
        assert_eq!((free.cost, free.estimated), (None, true));
    }

    #[test]
    fn what_nobody_said_counts_as_much_as_was_held_back() {
        for bytes in [0, 1, 300, 960, 5000] {
            for output in [1, 50, 999, 1000, 4000] {
                for (input, written) in [(1.0, 4.0), (4.0, 1.0), (0.0, 0.0)] {
                    let price = Price { input, cached: input / 2.0, output: written };
                    let most = Most { bytes, output, price: Some(price), ..MOST };
                    let (counted, reserved) = (most.count(NONE, true), most.reserved());
                    assert_eq!(counted.usage.input + counted.usage.output, reserved.tokens);
                    assert_eq!(counted.cost, reserved.cost);
                    assert_eq!(reserved.tokens, (bytes + output.min(1000)).min(1000), "{bytes} {output}");
                }
            }
        }
    }

    #[test]
    fn where_question_and_answer_do_not_fit_together_the_dearer_of_both_is_held_back() {
        let tight = |input, output| {
            let price = Some(Price { input, cached: input, output });
            Most { bytes: 5000, window: 1000, output: 1000, price }.reserved()
        };
        assert_eq!(tight(1.0, 4.0), Reserved { tokens: 1000, cost: Some(4000) });
        assert_eq!(tight(4.0, 1.0), Reserved { tokens: 1000, cost: Some(4000) });
    }
}
