//! What the binding in `config.yaml` and a task say to this executor.
//!
//! In -> out: JSON objects -> [`Settings`], and the [`Agent`] that works on a task.
//! Invariant: unknown keys are refused; what a task says picks among what the binding has and never adds to it.
//! Not here: reading them from the host (`lib.rs`), what tools do (`tool.rs`).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::prompt;
use crate::tool::Tool;

/// The binding's settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Who works on a task that names nobody.
    pub agent: String,
    /// By name; those of the same name replace the built-in ones.
    pub agents: BTreeMap<String, Agent>,
    /// Name of a model; empty: what the workspace's `models.yaml` gives.
    pub model: String,
    /// Beginning of every conversation.
    pub system_prompt: String,
    /// What is said of a task.
    pub task_prompt: String,
    /// What is said besides where an attempt failed before.
    pub retry_prompt: String,
    /// Programs that the tool `run` may name; none: it is not offered.
    pub programs: Vec<String>,
    /// Passages of the repository that the model is told with its task, if the workspace binds a plugin that finds them; 0: none.
    pub passages: u32,
    /// Of all of them.
    pub passage_tokens: u32,
    /// Answers of the model in one attempt.
    pub turns_max: u32,
    /// Tokens of one attempt, read and written.
    pub tokens_max: u64,
    /// Of one attempt, never more than the call has.
    pub seconds_max: u64,
    /// Of one program.
    pub run_seconds_max: u64,
    /// Bytes of one tool's result.
    pub result_bytes_max: usize,
    /// Bytes of all of them in one attempt.
    pub results_bytes_max: usize,
    /// Tokens of the conversation; 0: the model's window.
    pub window_tokens: u64,
    /// Calls in a row that are no calls of a tool.
    pub malformed_max: u32,
    /// The same call again and again.
    pub repeats_max: u32,
}

/// One way of working.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agent {
    /// Who it is and how it works, for the model.
    pub instructions: String,
    /// Which tools it has.
    pub tools: Vec<Tool>,
    /// Name of a model; empty: that of all.
    pub model: String,
}

/// Our keys of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TaskSettings {
    pub agent: String,
    /// What must be true in the end.
    pub verification_criteria: Vec<String>,
    pub estimated_complexity: String,
    pub risk_level: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            agent: "implementer".to_owned(),
            agents: BTreeMap::new(),
            model: String::new(),
            system_prompt: prompt::SYSTEM.to_owned(),
            task_prompt: prompt::TASK.to_owned(),
            retry_prompt: prompt::RETRY.to_owned(),
            programs: Vec::new(),
            passages: 8,
            passage_tokens: 4000,
            turns_max: 60,
            tokens_max: 1_000_000,
            seconds_max: 3600,
            run_seconds_max: 600,
            result_bytes_max: 16 * 1024,
            results_bytes_max: 1024 * 1024,
            window_tokens: 0,
            malformed_max: 5,
            repeats_max: 3,
        }
    }
}

impl Settings {
    /// # Errors
    /// What is wrong with which key, for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        let settings: Self = serde_json::from_str(json).map_err(|error| format!("settings: {error}"))?;
        for (key, template) in [
            ("system_prompt", &settings.system_prompt),
            ("task_prompt", &settings.task_prompt),
            ("retry_prompt", &settings.retry_prompt),
        ] {
            prompt::check(template).map_err(|why| format!("settings: `{key}` {why}"))?;
        }
        settings.agent_of(&settings.agent)?;
        Ok(settings)
    }

    /// The agent of that name; of an empty one the binding's.
    ///
    /// # Errors
    /// Nobody has that name.
    pub fn agent_of(&self, name: &str) -> Result<Agent, String> {
        let name = if name.is_empty() { &self.agent } else { name };
        let mut agents = built_in();
        agents.extend(self.agents.clone());
        agents.get(name).cloned().ok_or_else(|| {
            let names: Vec<&str> = agents.keys().map(String::as_str).collect();
            format!("no agent is called `{}`; there are {}", name.escape_debug(), names.join(", "))
        })
    }
}

impl TaskSettings {
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(json: &str) -> Result<Self, String> {
        match json {
            "" => Ok(Self::default()),
            json => serde_json::from_str(json).map_err(|error| format!("settings of the task: {error}")),
        }
    }
}

/// The five that are there without a word: who looks has no tool that changes anything.
fn built_in() -> BTreeMap<String, Agent> {
    use Tool::{Delete, Edit, Finish, List, Note, Read, Run, Search, Write};
    let all = [List, Read, Search, Edit, Write, Delete, Run, Note, Finish];
    let looking = [List, Read, Search, Note, Finish];
    let checking = [List, Read, Search, Run, Note, Finish];
    let agent = |instructions: &str, tools: &[Tool]| Agent {
        instructions: instructions.to_owned(),
        tools: tools.to_vec(),
        model: String::new(),
    };
    [
        (
            "analyst",
            agent(
                "You are an analyst. Find out how the code works and what the task touches. Change nothing. Note what you found as findings or an artifact.",
                &looking,
            ),
        ),
        (
            "implementer",
            agent(
                "You are an implementer. Make the smallest change that does what the task says, in the style of the code around it. Look at a file before you edit it.",
                &all,
            ),
        ),
        (
            "validator",
            agent(
                "You are a validator. Check whether what the task says is true, by reading and by running what may be run. Change nothing. Note each fault as a finding with its file and line.",
                &checking,
            ),
        ),
        (
            "integrator",
            agent(
                "You are an integrator. Make the parts fit together: imports, interfaces, names, documentation. Change no behaviour that the task does not name.",
                &all,
            ),
        ),
        (
            "reasoner",
            agent(
                "You are a reasoner. Think the task through, weigh at least two ways, and note the one to take and why as an artifact. Change nothing.",
                &looking,
            ),
        ),
    ]
    .into_iter()
    .map(|(name, agent)| (name.to_owned(), agent))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_means_the_defaults() {
        assert_eq!(Settings::parse("{}").unwrap(), Settings::default());
        let agent = Settings::default().agent_of("").unwrap();
        assert!(agent.tools.contains(&Tool::Edit) && agent.instructions.contains("implementer"));
    }

    #[test]
    fn who_only_looks_has_no_tool_that_changes_anything() {
        for name in ["analyst", "reasoner", "validator"] {
            let agent = Settings::default().agent_of(name).unwrap();
            for tool in [Tool::Edit, Tool::Write, Tool::Delete] {
                assert!(!agent.tools.contains(&tool), "{name} {tool:?}");
            }
        }
        assert!(!Settings::default().agent_of("analyst").unwrap().tools.contains(&Tool::Run));
    }

    #[test]
    fn an_agent_of_ones_own_stands_beside_the_others_or_in_the_place_of_one() {
        let json = r#"{"agents": {"poet": {"instructions": "Rhyme.", "tools": ["read", "finish"], "model": "big"},
                                  "analyst": {"instructions": "Mine.", "tools": ["finish"]}}, "agent": "poet"}"#;
        let settings = Settings::parse(json).unwrap();
        let poet = settings.agent_of("").unwrap();
        assert_eq!((poet.model.as_str(), poet.tools), ("big", vec![Tool::Read, Tool::Finish]));
        assert_eq!(settings.agent_of("analyst").unwrap().instructions, "Mine.");
        assert!(settings.agent_of("implementer").is_ok());
    }

    #[test]
    fn wrong_settings_are_named() {
        for (json, part) in [
            (r#"{"turn_max": 3}"#, "turn_max"),
            (r#"{"agent": "nobody"}"#, "no agent is called `nobody`; there are analyst, implementer"),
            (r#"{"agents": {"a": {"tools": ["shell"]}}}"#, "shell"),
            (r#"{"task_prompt": "{{secret}}"}"#, "`task_prompt` has `{{secret}}`"),
            ("[", "settings:"),
        ] {
            let error = Settings::parse(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
        assert!(TaskSettings::parse(r#"{"agent": 1}"#).unwrap_err().starts_with("settings of the task: "));
        assert_eq!(TaskSettings::parse("").unwrap(), TaskSettings::default());
    }

    #[test]
    fn the_manifest_knows_these_keys_and_these_defaults() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
        let keys = manifest["settingsSchema"]["properties"].as_object().unwrap();
        let defaults: serde_json::Map<_, _> =
            keys.iter().filter_map(|(key, part)| Some((key.clone(), part.get("default")?.clone()))).collect();
        assert_eq!(
            Settings::parse(&serde_json::Value::Object(defaults).to_string()).unwrap(),
            Settings::default()
        );
        let debug = format!("{:?}", Settings::default());
        assert!(keys.keys().all(|key| debug.contains(&format!("{key}: "))), "{debug}");
        assert_eq!(keys.len(), 18, "one for each field");
        let task_keys = manifest["taskSchema"]["properties"].as_object().unwrap();
        let task = format!("{:?}", TaskSettings::default());
        assert!(task_keys.keys().all(|key| task.contains(&format!("{key}: "))), "{task}");
        assert_eq!(task.matches(": ").count(), task_keys.len());
        assert_eq!(manifest["taskKeys"].as_array().unwrap().len(), task_keys.len());
    }
}
