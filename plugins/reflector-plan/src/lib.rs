//! Has a model plan a goal as phases, and asks for a task for each.
//!
//! In -> out: a run's goal, the repository's files -> tasks of kind `phase` with dependencies; none for a run without a goal.
//! Limits: 50 phases; a plan that is none is repaired once, then refused.
//! Invariant: a plan is taken whole or not at all; phases get numbers that no task has.
//! Not here: carrying a phase out (`executor-agent`), whether it may start (the host asks a person).

pub mod facts;
pub mod numbers;
pub mod plan;
pub mod settings;

use orch_sdk::llm::{self, ChatError};
use orch_sdk::retrieve::{Query, find};
use orch_sdk::{Cycle, Error, Failure, NewTask, Reflector, files, log, tasks};
use serde_json::json;

use crate::facts::Shown;
use crate::plan::Phase;
use crate::settings::Settings;

/// As the manifest names it.
const COLLECTION: &str = "code";
const QUESTION_BYTES_MAX: usize = 8 << 10;

pub struct PlanReflector;

impl Reflector for PlanReflector {
    fn reflect(cycle: Cycle) -> Result<Vec<NewTask>, Failure> {
        let Some(goal) = cycle.goal else {
            log::info("the run has no goal: nothing to plan");
            return Ok(Vec::new());
        };
        let settings = Settings::parse(&orch_sdk::settings::read()).map_err(Failure::new)?;
        let (paths, left_out) = paths(&settings)?;
        let mut shown = shown(&settings)?;
        shown.extend(passages(&goal, &settings));
        let schema = plan::schema(settings.phases_max);
        let conversation = vec![
            llm::Message::System(facts::system(&schema, &settings.instructions)),
            llm::Message::User(facts::question(&goal, &paths, left_out, &shown)),
        ];
        let ask = |messages: &[llm::Message]| ask(&settings.model, messages, &schema.to_string());
        let phases = plan_with(&settings, conversation, ask, |why| log::warn(why))?;
        let phases = numbers::renumber(phases, is_taken).map_err(Failure::new)?;
        log::info(format_args!("{} phases planned from {} paths", phases.len(), paths.len()));
        Ok(phases.into_iter().map(new_task).collect())
    }
}

orch_sdk::export!(reflector: PlanReflector);

/// Asks for a plan; once more with all that is wrong with it.
fn plan_with(
    settings: &Settings,
    mut conversation: Vec<llm::Message>,
    ask: impl Fn(&[llm::Message]) -> Result<String, Failure>,
    warn: impl Fn(&str),
) -> Result<Vec<Phase>, Failure> {
    let first = ask(&conversation)?;
    let faults = match plan::read(&first, settings.phases_max) {
        Ok(phases) => return Ok(phases),
        Err(faults) => faults,
    };
    warn(&format!("the plan is repaired: {}", faults.join("; ")));
    const ECHO_BYTES_MAX: usize = 64 << 10;
    let echo = first.get(..first.floor_char_boundary(ECHO_BYTES_MAX)).unwrap_or_default();
    let text = if echo.trim().is_empty() { "(nothing)".to_owned() } else { echo.to_owned() };
    conversation.push(llm::Message::Assistant(llm::Said { text, tool_calls: Vec::new() }));
    conversation.push(llm::Message::User(facts::repair(&faults)));
    plan::read(&ask(&conversation)?, settings.phases_max).map_err(|faults| {
        Failure::new(format!(
            "the model gave no plan, also when it was told what is wrong: {}",
            faults.join("; ")
        ))
    })
}

fn ask(model: &str, messages: &[llm::Message], schema: &str) -> Result<String, Failure> {
    let request = llm::Request {
        model: model.to_owned(),
        messages: messages.to_vec(),
        tools: Vec::new(),
        choice: llm::ToolChoice::None,
        format: llm::Format::Schema(schema.to_owned()),
        temperature: None,
        max_tokens: None,
        seed: None,
        stop: Vec::new(),
    };
    match llm::chat(&request) {
        Ok(answer) => Ok(answer.said.text),
        Err(ChatError::Denied(what)) => Err(Failure::new(format!("the model may not be asked: {what}"))),
        Err(ChatError::Invalid(why)) => Err(Failure::new(format!("the model cannot be asked this: {why}"))),
        Err(ChatError::Limit(name)) => Err(Failure::new(format!("the limit `{name}` is used up"))),
        Err(ChatError::Busy(_)) => Err(Failure::retriable("the model is busy")),
        Err(_) => Err(Failure::retriable("nobody answers for the model")),
    }
}

/// Paths that are told, and how many are not.
fn paths(settings: &Settings) -> Result<(Vec<String>, usize), Failure> {
    let (mut paths, mut left_out) = (Vec::new(), 0_usize);
    for entry in files::find("**") {
        let entry = entry.map_err(|error| in_words("cannot look for files", &error))?;
        match settings.skips(&entry.path) {
            true => {}
            false if paths.len() < settings.paths_max => paths.push(entry.path),
            false => left_out = left_out.saturating_add(1),
        }
    }
    Ok((paths, left_out))
}

/// Beginnings of the files that are shown.
fn shown(settings: &Settings) -> Result<Vec<Shown>, Failure> {
    let (mut shown, mut room) = (Vec::<Shown>::new(), settings.shown_bytes_max);
    for glob in &settings.shown {
        for entry in files::find(glob) {
            let entry = entry.map_err(|error| in_words(glob, &error))?;
            if room == 0 || settings.skips(&entry.path) || shown.iter().any(|one| one.path == entry.path) {
                continue;
            }
            // One that went meanwhile has nothing to show.
            let Ok(bytes) = files::read(&entry.path, 0) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            let text = text.get(..text.floor_char_boundary(room)).unwrap_or_default().to_owned();
            room = room.saturating_sub(text.len());
            shown.push(Shown { path: entry.path, text });
        }
    }
    Ok(shown)
}

/// Passages that may matter to the goal, each by its place; none where nobody finds any.
fn passages(goal: &str, settings: &Settings) -> Vec<Shown> {
    let goal = goal.get(..goal.floor_char_boundary(QUESTION_BYTES_MAX)).unwrap_or_default();
    if settings.passages == 0 {
        return Vec::new();
    }
    let query =
        Query { count: settings.passages, tokens: settings.passage_tokens, ..Query::new(COLLECTION, goal) };
    let found = find(&query).unwrap_or_else(|error| {
        log::info(format_args!("no passages: {error}"));
        Vec::new()
    });
    found.into_iter().map(|passage| Shown { path: passage.citation(), text: passage.text }).collect()
}

fn is_taken(id: &str) -> Result<bool, String> {
    match tasks::find(id) {
        Ok(_) => Ok(true),
        Err(Error::NotFound) => Ok(false),
        Err(error) => Err(format!("cannot look for tasks: {error}")),
    }
}

fn new_task(phase: Phase) -> NewTask {
    let Phase {
        id,
        name,
        description,
        dependencies,
        estimated_complexity,
        risk_level,
        verification_criteria,
    } = phase;
    let settings = json!({
        "estimated_complexity": estimated_complexity,
        "risk_level": risk_level,
        "verification_criteria": verification_criteria,
    });
    let task = NewTask::new("phase", format!("{name}: {description}")).with_id(id);
    NewTask { dependencies, settings: settings.to_string(), ..task }
}

fn in_words(what: &str, error: &Error) -> Failure {
    Failure { message: format!("{what}: {error}"), retriable: *error == Error::Unavailable }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn answers(texts: &[&str]) -> Result<Vec<Phase>, Failure> {
        let texts = RefCell::new(texts.iter());
        let ask = |messages: &[llm::Message]| {
            assert!(
                messages.is_empty()
                    || matches!(messages, [_, llm::Message::User(why)] if why.contains("no such plan"))
            );
            Ok((*texts.borrow_mut().next().unwrap()).to_owned())
        };
        plan_with(&Settings::default(), Vec::new(), ask, |_| {})
    }

    const PLAN: &str = r#"{"phases": [{"id": "phase-001", "name": "Mend add", "description": "It subtracts", "dependencies": [],
        "estimated_complexity": "low", "risk_level": "low", "verification_criteria": ["tests pass"]}]}"#;

    #[test]
    fn a_phase_becomes_a_task_that_says_what_must_be_true() {
        let phase = plan::read(PLAN, 12).unwrap().remove(0);
        let task = new_task(phase);
        assert_eq!((task.id.as_deref(), task.kind.as_str()), (Some("phase-001"), "phase"));
        assert_eq!(task.description, "Mend add: It subtracts");
        let settings: serde_json::Value = serde_json::from_str(&task.settings).unwrap();
        assert_eq!(settings["verification_criteria"][0], "tests pass");
    }

    #[test]
    fn a_plan_that_is_none_is_repaired_once_and_then_refused() {
        assert_eq!(answers(&["", PLAN]).unwrap().len(), 1);
        let failure = answers(&["I would begin with…", "{}"]).unwrap_err();
        assert!(failure.message.contains("gave no plan") && !failure.retriable, "{failure:?}");
    }
}
