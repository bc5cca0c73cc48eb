//! A plan: phases with dependencies, as a model writes them.
//!
//! In -> out: a model's text -> [`Phase`]s that can become tasks, or everything that is wrong with it, for the model.
//! Limits: names 200 bytes, descriptions 3 KiB, 20 criteria of 500 bytes.
//! Invariant: ids are `phase-001` and on, each once; what a phase depends on stands before it, so there is no circle.
//! Not here: asking for it (`lib.rs`), which of the numbers are free (`numbers.rs`).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

const NAME_BYTES_MAX: usize = 200;
const DESCRIPTION_BYTES_MAX: usize = 3 << 10;
const CRITERIA_MAX: usize = 20;
const CRITERION_BYTES_MAX: usize = 500;
/// Faults that a model is told of.
const FAULTS_MAX: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub phases: Vec<Phase>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    pub id: String,
    pub name: String,
    pub description: String,
    #[serde(default)]
    pub dependencies: Vec<String>,
    pub estimated_complexity: String,
    pub risk_level: String,
    pub verification_criteria: Vec<String>,
}

const LEVELS: [&str; 3] = ["low", "medium", "high"];

/// What a plan is, as JSON Schema.
#[must_use]
pub fn schema(phases_max: usize) -> Value {
    let text = |bytes: usize| json!({"type": "string", "minLength": 1, "maxLength": bytes});
    let level = json!({"type": "string", "enum": LEVELS});
    let id = json!({"type": "string", "pattern": "^phase-[0-9]{3}$"});
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["phases"],
        "properties": {"phases": {
            "type": "array",
            "minItems": 1,
            "maxItems": phases_max,
            "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["id", "name", "description", "dependencies", "estimated_complexity", "risk_level", "verification_criteria"],
                "properties": {
                    "id": id,
                    "name": text(NAME_BYTES_MAX),
                    "description": text(DESCRIPTION_BYTES_MAX),
                    "dependencies": {"type": "array", "items": id},
                    "estimated_complexity": level,
                    "risk_level": level,
                    "verification_criteria": {"type": "array", "minItems": 1, "maxItems": CRITERIA_MAX, "items": text(CRITERION_BYTES_MAX)},
                },
            },
        }},
    })
}

/// Reads a plan.
///
/// # Errors
/// All that is wrong with it, at most twenty sentences.
pub fn read(text: &str, phases_max: usize) -> Result<Vec<Phase>, Vec<String>> {
    let plan: Plan =
        serde_json::from_str(inner(text)).map_err(|error| vec![format!("it is no such JSON: {error}")])?;
    let faults = faults(&plan.phases, phases_max);
    match faults.is_empty() {
        true => Ok(plan.phases),
        false => Err(faults),
    }
}

/// The JSON in a text: models put it into a fence, though they are asked not to.
fn inner(text: &str) -> &str {
    let text = text.trim();
    let fenced = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    fenced.and_then(|rest| rest.split_once('\n')).map_or(text, |(_, inner)| inner.trim())
}

fn faults(phases: &[Phase], phases_max: usize) -> Vec<String> {
    let mut faults = Vec::new();
    if phases.is_empty() || phases.len() > phases_max {
        faults.push(format!("it has {} phases, expected 1 to {phases_max}", phases.len()));
    }
    let mut before: BTreeSet<&str> = BTreeSet::new();
    for (nth, phase) in phases.iter().enumerate() {
        let place = format!("phase {} (`{}`)", nth.saturating_add(1), shown(&phase.id));
        let mut fault = |what: String| faults.push(format!("{place}: {what}"));
        if !is_id(&phase.id) {
            fault("its `id` is not `phase-` and three digits".to_owned());
        }
        for (field, text, max) in [
            ("name", &phase.name, NAME_BYTES_MAX),
            ("description", &phase.description, DESCRIPTION_BYTES_MAX),
        ] {
            if text.trim().is_empty() || text.len() > max {
                fault(format!("its `{field}` has {} bytes, expected 1 to {max}", text.trim().len()));
            }
        }
        for (field, level) in
            [("estimated_complexity", &phase.estimated_complexity), ("risk_level", &phase.risk_level)]
        {
            if !LEVELS.contains(&level.as_str()) {
                fault(format!("its `{field}` is `{}`, expected {}", shown(level), LEVELS.join(", ")));
            }
        }
        if phase.verification_criteria.is_empty() || phase.verification_criteria.len() > CRITERIA_MAX {
            fault(format!(
                "it has {} `verification_criteria`, expected 1 to {CRITERIA_MAX}",
                phase.verification_criteria.len()
            ));
        }
        if phase
            .verification_criteria
            .iter()
            .any(|one| one.trim().is_empty() || one.len() > CRITERION_BYTES_MAX)
        {
            fault(format!("a criterion is empty or over {CRITERION_BYTES_MAX} bytes"));
        }
        for dependency in &phase.dependencies {
            if !before.contains(dependency.as_str()) {
                fault(format!("it depends on `{}`, which is no phase before it", shown(dependency)));
            }
        }
        if !before.insert(&phase.id) {
            fault("its `id` was there before".to_owned());
        }
    }
    faults.truncate(FAULTS_MAX);
    faults
}

fn is_id(id: &str) -> bool {
    id.strip_prefix("phase-")
        .is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(id: &str, dependencies: &[&str]) -> Value {
        json!({"id": id, "name": "Do", "description": "Do it", "dependencies": dependencies,
            "estimated_complexity": "low", "risk_level": "medium", "verification_criteria": ["it is done"]})
    }

    fn read_all(phases: &[Value]) -> Result<Vec<Phase>, Vec<String>> {
        read(&json!({ "phases": phases }).to_string(), 3)
    }

    #[test]
    fn a_plan_is_read_also_out_of_a_fence() {
        let plan = json!({"phases": [phase("phase-001", &[]), phase("phase-002", &["phase-001"])]});
        let read_plan = read(&plan.to_string(), 3).unwrap();
        assert_eq!(read_plan[1].dependencies, ["phase-001"]);
        assert_eq!(read(&format!("```json\n{plan}\n```\n"), 3).unwrap(), read_plan);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        for (phases, part) in [
            (vec![], "0 phases, expected 1 to 3"),
            (vec![phase("phase-001", &[]); 2], "was there before"),
            (vec![phase("phase-1", &[])], "three digits"),
            (vec![phase("phase-001", &["phase-001"])], "depends on `phase-001`, which is no phase before it"),
            (vec![phase("phase-002", &["phase-001"]), phase("phase-001", &[])], "depends on `phase-001`"),
            (vec![phase("phase-001", &["../x"])], "depends on `../x`"),
        ] {
            let faults = read_all(&phases).unwrap_err().join("\n");
            assert!(faults.contains(part), "{faults}");
        }
        let mut worst = phase("a", &["b"]);
        worst["risk_level"] = json!("none");
        worst["name"] = json!(" ");
        worst["verification_criteria"] = json!([]);
        assert_eq!(read_all(&[worst]).unwrap_err().len(), 5);
        for text in [
            "",
            "null",
            "I plan to…",
            "{\"phases\": [{}]}",
            "{\"phases\": [], \"more\": 1}",
            &"[".repeat(100_000),
        ] {
            assert!(!read(text, 3).unwrap_err().is_empty());
        }
    }

    #[test]
    fn the_schema_says_the_same() {
        let schema = schema(3);
        let item = &schema["properties"]["phases"]["items"];
        let fields: Vec<&String> = item["properties"].as_object().unwrap().keys().collect();
        let known = phase("phase-001", &[]);
        assert_eq!(fields, known.as_object().unwrap().keys().collect::<Vec<_>>());
        assert_eq!(item["required"].as_array().unwrap().len(), fields.len());
        assert!(schema.to_string().len() < 32 << 10);
    }
}
