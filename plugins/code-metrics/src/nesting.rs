//! How deep a syntax tree may get, judged from tokens before anything recursive sees the file.
//!
//! In -> out: openings, closings and operators in token order -> nothing, or that a limit is passed.
//! Units: weight. A *step* is a construct that the parser enters recursively; a *link* only lengthens a
//! chain such as `a + b + c` or `a.b().c()`, which parses in a loop but makes a deep tree.
//! Invariant: the count is never below the depth of the tree, so a file within the limits fits the stack.
//! Not here: which tokens are steps or links (`python_nesting.rs`, `rust_nesting.rs`).

/// Of the whole: a step weighs [`STEP_WEIGHT`], a link 1. Measured in the sandbox over 100 shapes of code, a step costs
/// at most 2.2 KiB of stack and a link 0.22 KiB; engines give a plugin at least 512 KiB.
pub(crate) const WEIGHT_MAX: u32 = 2000;
pub(crate) const STEP_WEIGHT: u32 = 10;

/// The count while tokens go by.
#[derive(Debug, Default)]
pub(crate) struct Nesting {
    /// Innermost last. The outermost level is `base`.
    open: Vec<Level>,
    base: Level,
    steps: u32,
    links: u32,
}

/// What one level has added since its last separator.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    steps: u32,
    links: u32,
    /// Steps that a separator does not end, such as a lambda's parameters.
    sticky: u32,
}

impl Nesting {
    /// A bracket or block opens.
    pub(crate) fn enter(&mut self) {
        self.open.push(Level::default());
        self.steps = self.steps.saturating_add(1);
    }

    /// The innermost bracket or block closes; false when none is open.
    pub(crate) fn leave(&mut self) -> bool {
        self.end_all();
        let left = self.open.pop().is_some();
        if left {
            self.steps = self.steps.saturating_sub(1);
        }
        left
    }

    pub(crate) fn step(&mut self) {
        self.level().steps += 1;
        self.steps = self.steps.saturating_add(1);
    }

    pub(crate) fn sticky_step(&mut self) {
        self.level().sticky += 1;
        self.steps = self.steps.saturating_add(1);
    }

    /// Takes one sticky step back, if this level has one.
    pub(crate) fn unstick(&mut self) {
        let level = self.level();
        if level.sticky > 0 {
            level.sticky -= 1;
            self.steps = self.steps.saturating_sub(1);
        }
    }

    pub(crate) fn link(&mut self) {
        self.level().links += 1;
        self.links = self.links.saturating_add(1);
    }

    /// A separator such as a comma: what this level opened is over, sticky steps are not.
    pub(crate) fn end_part(&mut self) {
        let level = self.level();
        let (steps, links) = (level.steps, level.links);
        (level.steps, level.links) = (0, 0);
        self.steps = self.steps.saturating_sub(steps);
        self.links = self.links.saturating_sub(links);
    }

    /// The end of a statement: everything that this level opened is over.
    pub(crate) fn end_all(&mut self) {
        self.end_part();
        let level = self.level();
        let sticky = level.sticky;
        level.sticky = 0;
        self.steps = self.steps.saturating_sub(sticky);
    }

    pub(crate) fn is_too_deep(&self) -> bool {
        self.steps.saturating_mul(STEP_WEIGHT).saturating_add(self.links) > WEIGHT_MAX
    }

    fn level(&mut self) -> &mut Level {
        self.open.last_mut().unwrap_or(&mut self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_takes_back_everything_that_was_opened_inside() {
        let mut nesting = Nesting::default();
        nesting.enter();
        nesting.step();
        nesting.sticky_step();
        nesting.link();
        assert_eq!((nesting.steps, nesting.links), (3, 1));
        assert!(nesting.leave());
        assert_eq!((nesting.steps, nesting.links), (0, 0));
        assert!(!nesting.leave());
    }

    #[test]
    fn a_separator_keeps_sticky_steps() {
        let mut nesting = Nesting::default();
        nesting.sticky_step();
        nesting.step();
        nesting.end_part();
        assert_eq!(nesting.steps, 1);
        nesting.end_all();
        assert_eq!(nesting.steps, 0);
    }

    #[test]
    fn the_limit_holds_at_its_number_and_not_one_above() {
        for (steps, links) in
            [(WEIGHT_MAX / STEP_WEIGHT, 0), (0, WEIGHT_MAX), (100, WEIGHT_MAX - 100 * STEP_WEIGHT)]
        {
            let mut nesting = Nesting::default();
            (0..steps).for_each(|_| nesting.enter());
            (0..links).for_each(|_| nesting.link());
            assert!(!nesting.is_too_deep(), "{steps} steps, {links} links");
            nesting.link();
            assert!(nesting.is_too_deep(), "{steps} steps, {links} links and one");
        }
    }
}
