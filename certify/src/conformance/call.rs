//! Calls of a candidate's export, and what was seen of them.
//!
//! In -> out: a linked plugin, what it is lent -> [`Seen`].
//! Invariant: each call has a fresh instance; everything that came of it is in what was seen.
//! Not here: which calls there are and the rules of their answers (`conformance/ROLE.rs`), whether what was seen is good
//! (`conformance.rs`, `behaviour/`).

use std::fmt::Debug;

use orch_host::call::{Boxed, CallContext, CallReport, Used};
use orch_host::capability::tasks::AskedTask;
use orch_host::engine::CallError;
use orch_host::role::{AnyExported, Ask, Listed};
use orch_journal::event::Writes;
use orch_trust::certificate::Measured;
use orch_trust::evidence::Candidate;

use super::answer::Answer;

/// One call of an export.
pub(crate) trait Call: Debug + Send + Sync {
    /// Makes it. `plugin`: linked in the role that this is a call of.
    fn make<'a>(
        &'a self,
        plugin: &'a AnyExported<Candidate>,
        context: CallContext<Candidate>,
    ) -> Boxed<'a, Seen>;
}

/// A question with the rules of its answer.
pub(crate) trait Judged: Ask<Of: Listed, Answer: Debug> + Debug {
    /// What is wrong with the answer, in words, but for the tasks that it asks for.
    fn wrong(&self, answer: &Self::Answer) -> Vec<String>;
}

impl<A: Judged> Call for A {
    fn make<'a>(
        &'a self,
        plugin: &'a AnyExported<Candidate>,
        context: CallContext<Candidate>,
    ) -> Boxed<'a, Seen> {
        Box::pin(async move {
            let Some(exported) = A::Of::of(plugin) else {
                unreachable!("cases are made for the role that is linked")
            };
            let CallReport { result, used, writes, asked, denied, log_cut, .. } =
                exported.call(context, self).await;
            let answer = result.map(|answer| Answer {
                text: format!("{answer:?}"),
                wrong: self.wrong(&answer),
                asked: A::asked(&answer),
            });
            Seen { answer, used, asked, denied, log_cut, writes }
        })
    }
}

/// What came of one call.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) answer: Result<Answer, CallError>,
    pub(crate) used: Used,
    /// Tasks asked for through `orch:tasks`.
    pub(crate) asked: Vec<AskedTask>,
    pub(crate) denied: Vec<String>,
    pub(crate) log_cut: bool,
    /// What the call would have kept.
    pub(crate) writes: Writes,
}

impl Seen {
    /// A call that left nothing but this.
    pub(crate) fn of(answer: Result<Answer, CallError>, used: Used) -> Self {
        let (asked, denied, writes) = (Vec::new(), Vec::new(), Writes::default());
        Self { answer, used, asked, denied, log_cut: false, writes }
    }

    /// Everything but what was used, as text: equal for equal calls.
    pub(crate) fn text(&self) -> String {
        let answer = match &self.answer {
            Ok(answer) => format!("{} {:?}", answer.text, answer.wrong),
            Err(error) => format!("{}: {error}", error.code()),
        };
        let Self { asked, denied, log_cut, writes, .. } = self;
        format!("answer {answer}\nwrites {writes:?}\nasked {asked:?}\ndenied {denied:?}\nlog cut {log_cut}")
    }

    /// Raises what was measured to what this call used.
    pub(crate) fn measure(&self, measured: &mut Measured) {
        measured.fuel_max = measured.fuel_max.max(self.used.fuel.unwrap_or(0));
        measured.memory_bytes_max = measured.memory_bytes_max.max(self.used.memory_bytes);
        measured.host_calls_max = measured.host_calls_max.max(self.used.host_calls);
    }
}
