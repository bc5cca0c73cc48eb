//! The graphs: what depends on what.
//!
//! In -> out: shape, number of tasks -> `tasks.yml` of no-op tasks.

use std::fmt::Write;

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Each task after the one before it: how long one step takes.
    Chain,
    /// One root, everything else after it: how many steps go through.
    Wide,
}

impl Shape {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Wide => "wide",
        }
    }

    pub(crate) fn tasks_yml(self, tasks: usize) -> String {
        let mut text = String::new();
        for task in 0..tasks {
            let after = match (self, task) {
                (_, 0) => String::new(),
                (Self::Chain, task) => format!(", dependencies: [t{}]", task - 1),
                (Self::Wide, _) => ", dependencies: [t0]".to_owned(),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "- {{id: t{task}, kind: note, priority: {}{after}}}", task % 7);
        }
        text
    }
}
