//! What events are called.
//!
//! In -> out: [`Event`] -> the value of `type` in its stored bytes.
//! Not here: what they hold (`event.rs`).

use super::Event;

impl Event {
    /// The value of `type` in the stored bytes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RunStarted(_) => "run_started",
            Self::StreamStarted(_) => "stream_started",
            Self::HostAttached { .. } => "host_attached",
            Self::TasksAdded { .. } => "tasks_added",
            Self::TaskEdited { .. } => "task_edited",
            Self::TaskMoved { .. } => "task_moved",
            Self::TaskApproved { .. } => "task_approved",
            Self::LooksWaived { .. } => "looks_waived",
            Self::LookKept { .. } => "look_kept",
            Self::LooksAsked { .. } => "looks_asked",
            Self::StartAsked { .. } => "start_asked",
            Self::StopAsked { .. } => "stop_asked",
            Self::TasksChosen { .. } => "tasks_chosen",
            Self::SessionOpened { .. } => "session_opened",
            Self::Observed { .. } => "observed",
            Self::Decided { .. } => "decided",
            Self::PlannerRead { .. } => "planner_read",
            Self::TasksFresh { .. } => "tasks_fresh",
            Self::TaskMarked { .. } => "task_marked",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::IntentRecorded { .. } => "intent_recorded",
            Self::ModelAnswered(_) => "model_answered",
            Self::AnswerKept(_) => "answer_kept",
            Self::ProcessStarted { .. } => "process_started",
            Self::FileWritten { .. } => "file_written",
            Self::HttpRequested(_) => "http_requested",
            Self::HttpEnded(_) => "http_ended",
            Self::NetworkUsed(_) => "network_used",
            Self::RunBased(_) => "run_based",
            Self::EditsKept(_) => "edits_kept",
            Self::EditsAccepted(_) => "edits_accepted",
            Self::EditsRolledBack { .. } => "edits_rolled_back",
            Self::EditsRejected { .. } => "edits_rejected",
            Self::AttemptFinished(_) => "attempt_finished",
            Self::CallStarted { .. } => "call_started",
            Self::Called(_) => "called",
            Self::TasksSaved { .. } => "tasks_saved",
            Self::BudgetWarned { .. } => "budget_warned",
            Self::FindingsJudged { .. } => "findings_judged",
            Self::Denied { .. } => "denied",
            Self::Warned { .. } => "warned",
            Self::RunFinished { .. } => "run_finished",
            Self::NoticeSent(_) => "notice_sent",
            Self::TasksTaken { .. } => "tasks_taken",
            Self::ActsTaken { .. } => "acts_taken",
            Self::RunsPruned(_) => "runs_pruned",
            Self::TokenRefused { .. } => "token_refused",
            Self::ConfigReloaded(_) => "config_reloaded",
            Self::HostDetached { .. } => "host_detached",
            Self::OperatorDecided { .. } => "operator_decided",
        }
    }
}
