//! Lets a model work on a task with tools.
//!
//! In -> out: a task of kind `phase` or `agent` -> what was done, or a failure that says whether another attempt may help.
//! Limits: those of the settings; the host's grant holds every tool.
//! Invariant: an attempt knows nothing of an earlier one but what the host tells it: why that failed, what verifiers found,
//! what it had changed.
//! Not here: whether what was done is right (verifiers), whether it is kept (the host).

pub mod compact;
pub mod context;
pub mod fault;
pub mod hands;
pub mod host;
pub mod host_model;
pub mod model;
pub mod prompt;
pub mod repeats;
pub mod settings;
pub mod tool;
pub mod turns;
pub mod world;

use orch_sdk::{Attempt, Completion, Earlier, Executor, Failure, Finding, Task, log};

use crate::host::HostWorld;
use crate::host_model::HostModel;
use crate::prompt::{Values, fill};
use crate::settings::{Agent, Settings, TaskSettings};
use crate::turns::{Brief, Work, work};

/// Left of the call's time for saying how it ended.
const ANSWER_MS: u64 = 5_000;

pub struct AgentExecutor;

impl Executor for AgentExecutor {
    fn execute(task: Task, attempt: Attempt) -> Result<Completion, Failure> {
        let settings = Settings::parse(&orch_sdk::settings::read()).map_err(Failure::new)?;
        let own = TaskSettings::parse(&task.settings).map_err(Failure::new)?;
        let agent = settings.agent_of(&own.agent).map_err(Failure::new)?;
        let name = if agent.model.is_empty() { &settings.model } else { &agent.model };
        let mut model = HostModel::of(name);
        let mut world = HostWorld::new();
        let wanted = format!("{}\n{}", task.description, attempt.goal);
        let found = context::passages(&wanted, settings.passages, settings.passage_tokens);
        let brief = brief(&task, &attempt, &settings, &agent, &own, &context::told(&found));
        match work(&brief, &mut model, &mut world) {
            Ok(done) => {
                log::info(summary(&done));
                Ok(Completion::new(summary(&done)).mendable())
            }
            Err(fault) => Err(fault.into_failure()),
        }
    }
}

orch_sdk::export!(executor: AgentExecutor);

/// What an attempt is given: the task in words, limits, time. `context`: passages in words, or nothing.
#[must_use]
pub fn brief<'a>(
    task: &Task,
    attempt: &Attempt,
    settings: &'a Settings,
    agent: &'a Agent,
    own: &TaskSettings,
    context: &str,
) -> Brief<'a> {
    let findings: Vec<String> =
        attempt.earlier.iter().flat_map(|earlier| earlier.findings.iter().map(in_words)).collect();
    let none = Earlier { message: String::new(), findings: Vec::new(), diff: String::new() };
    let earlier = attempt.earlier.as_ref();
    let values = Values {
        instructions: &agent.instructions,
        goal: &attempt.goal,
        id: &task.id,
        description: &task.description,
        criteria: &own.verification_criteria,
        context,
        attempt: attempt.number,
        reason: &earlier.unwrap_or(&none).message,
        findings: &findings,
        diff: &earlier.unwrap_or(&none).diff,
    };
    let mut told = fill(&settings.task_prompt, &values);
    if earlier.is_some() {
        told.push_str("\n\n");
        told.push_str(&fill(&settings.retry_prompt, &values));
    }
    let own_ms = if task.timeout_ms == 0 { u64::MAX } else { task.timeout_ms };
    let ms = settings.seconds_max.saturating_mul(1000).min(own_ms);
    Brief {
        settings,
        agent,
        system: fill(&settings.system_prompt, &values),
        task: told,
        ms: ms.min(attempt.wall_ms.saturating_sub(ANSWER_MS)),
    }
}

/// `major test: message (file:line)`.
fn in_words(finding: &Finding) -> String {
    let severity = format!("{:?}", finding.severity).to_lowercase();
    let category = format!("{:?}", finding.category).to_lowercase();
    let severity = severity.rsplit("::").next().unwrap_or_default();
    let category = category.rsplit("::").next().unwrap_or_default();
    let place = finding.location.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
    format!("{severity} {category}: {}{place}", finding.message)
}

fn summary(done: &Work) -> String {
    let Work { summary, turns, tokens, changes, commands, denials } = done;
    let denied = if *denials == 0 { String::new() } else { format!(", {denials} refused") };
    format!("{summary} ({turns} turns, {tokens} tokens, {changes} edits, {commands} commands{denied})")
}

#[cfg(test)]
mod tests {
    use orch_sdk::{Category, Severity};

    use super::*;

    fn told(earlier: Option<Earlier>, settings: &str) -> String {
        let task = Task {
            id: "phase-001".to_owned(),
            description: "Mend add".to_owned(),
            kind: "phase".to_owned(),
            command: None,
            priority: 0,
            cost: 1,
            settings: String::new(),
            timeout_ms: 60_000,
        };
        let attempt = Attempt { number: 2, wall_ms: 70_000, goal: "It adds".to_owned(), earlier };
        let settings = Settings::parse(settings).unwrap();
        let agent = settings.agent_of("").unwrap();
        let brief = brief(&task, &attempt, &settings, &agent, &TaskSettings::default(), "");
        assert_eq!(brief.ms, 60_000);
        assert!(brief.system.starts_with("You are an implementer."));
        brief.task
    }

    #[test]
    fn a_first_attempt_is_told_the_task_alone() {
        assert_eq!(told(None, "{}"), "The goal of the whole run: It adds\n\nTask phase-001: Mend add");
    }

    #[test]
    fn an_attempt_after_another_is_told_why_that_failed_and_what_was_seen() {
        let finding =
            Finding::new(Severity::Major, Category::Test, "test_add failed").at("tests/test_a.py:4");
        let (message, diff) = ("its verifiers have 1 major finding".to_owned(), "-a\n+b".to_owned());
        let text = told(Some(Earlier { message, findings: vec![finding], diff }), "{}");
        for part in
            ["attempt 2", "1 major finding", "- major test: test_add failed (tests/test_a.py:4)", "+b"]
        {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn templates_of_the_settings_are_what_is_said() {
        assert_eq!(told(None, r#"{"task_prompt": "Do {{id}}!"}"#), "Do phase-001!");
    }
}
