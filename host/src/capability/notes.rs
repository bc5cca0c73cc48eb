//! What the operator hears of a call beside its result.
//!
//! Not here: who asked whom (`provided.rs`), what a guest is told.

/// What the operator hears of providers that a call asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Plugin, and what it was denied.
    pub denied: Vec<(String, String)>,
    /// Stable code and one sentence.
    pub warned: Vec<(&'static str, String)>,
}

impl Notes {
    /// Each once.
    pub fn take(&mut self, more: Self) {
        const NOTES_MAX: usize = 100;
        for one in more.denied {
            if self.denied.len() < NOTES_MAX && !self.denied.contains(&one) {
                self.denied.push(one);
            }
        }
        for one in more.warned {
            if self.warned.len() < NOTES_MAX && !self.warned.contains(&one) {
                self.warned.push(one);
            }
        }
    }
}
