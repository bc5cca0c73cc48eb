//! SARIF 2.1.0: results of any tool.
//!
//! Invariant: results that are suppressed, gone since a baseline, or no failures are left out.
//! Invariant: a tool that says it did not succeed, or that an error kept it from something, has not done its work.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::json;
use crate::parsed::{Parsed, Place, Reading, Severity};

#[derive(Deserialize)]
struct Document {
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    /// Absent: the tool did not look.
    results: Option<Vec<Found>>,
    #[serde(default)]
    invocations: Vec<Invocation>,
    #[serde(default)]
    original_uri_base_ids: BTreeMap<String, Artifact>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Component,
    #[serde(default)]
    extensions: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    default_configuration: Option<Configuration>,
    #[serde(default)]
    message_strings: BTreeMap<String, Message>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: Option<String>,
    rule: Option<Reference>,
    kind: Option<String>,
    level: Option<String>,
    message: Message,
    #[serde(default)]
    locations: Vec<Location>,
    #[serde(default)]
    suppressions: Vec<Suppression>,
    baseline_state: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

#[derive(Deserialize, Default)]
struct Message {
    text: Option<String>,
    id: Option<String>,
    #[serde(default)]
    arguments: Vec<String>,
}

#[derive(Deserialize)]
struct Suppression {
    /// Accepted unless said.
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<Physical>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Option<Artifact>,
    region: Option<Region>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    uri: Option<String>,
    uri_base_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: Option<u32>,
    start_column: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    #[serde(default)]
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Deserialize)]
struct Notification {
    level: Option<String>,
    #[serde(default)]
    message: Message,
}

/// Adds every result of every run.
///
/// # Errors
/// The document is malformed or cut.
pub fn read(text: &str, reading: &mut Reading) -> Result<(), serde_json::Error> {
    let document: Document = json::first(text)?;
    if document.runs.is_empty() {
        reading.broke.push("there is no run in its report".to_owned());
    }
    for run in &document.runs {
        for invocation in &run.invocations {
            let notifications = invocation.tool_execution_notifications.iter();
            let mut errors = notifications.filter(|said| said.level.as_deref() == Some("error")).peekable();
            if invocation.execution_successful && errors.peek().is_none() {
                continue;
            }
            let said = errors.find_map(|said| said.message.text.clone());
            reading.broke.push(said.unwrap_or_else(|| "it says that it did not succeed".to_owned()));
        }
        match &run.results {
            Some(results) => {
                results.iter().filter_map(|found| run.parsed(found)).for_each(|parsed| reading.push(parsed))
            }
            None => reading.broke.push("its report says that it did not look".to_owned()),
        }
    }
    Ok(())
}

impl Run {
    fn parsed(&self, found: &Found) -> Option<Parsed> {
        let is_failure = found.kind.as_deref().is_none_or(|kind| kind == "fail");
        let accepted = |suppression: &Suppression| {
            suppression.status.as_deref().is_none_or(|status| status == "accepted")
        };
        let is_suppressed = found.suppressions.iter().any(accepted);
        if !is_failure || is_suppressed || found.baseline_state.as_deref() == Some("absent") {
            return None;
        }
        let id = found.rule_id.as_deref().or_else(|| found.rule.as_ref()?.id.as_deref());
        let rule = id.and_then(|id| self.rule(id));
        let default = rule.and_then(|rule| rule.default_configuration.as_ref()?.level.as_deref());
        let severity = match found.level.as_deref().or(default).unwrap_or("warning") {
            "error" => Severity::Major,
            "warning" => Severity::Medium,
            _ => Severity::Minor,
        };
        let text = said(&found.message, rule);
        let message = id.map_or(text.clone(), |id| format!("{id} {text}"));
        let place =
            found.locations.first().and_then(|location| self.place(location.physical_location.as_ref()?));
        Some(Parsed { severity: Some(severity), message, place })
    }

    /// The rule of that id, or the one that it is below: `a/b` is below `a`.
    fn rule(&self, id: &str) -> Option<&Rule> {
        let components = std::iter::once(&self.tool.driver).chain(&self.tool.extensions);
        let mut rules = components.flat_map(|component| &component.rules);
        rules.find(|rule| {
            id.strip_prefix(&rule.id).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn place(&self, physical: &Physical) -> Option<Place> {
        let artifact = physical.artifact_location.as_ref()?;
        let uri = artifact.uri.as_deref()?;
        // Only a base that is a file's is one of this machine; `%SRCROOT%` mostly has none.
        let base =
            artifact.uri_base_id.as_ref().and_then(|id| self.original_uri_base_ids.get(id)?.uri.as_deref());
        let path = match base.and_then(|base| base.strip_prefix("file://")) {
            Some(base) if !uri.contains("://") => format!("{}/{uri}", base.trim_end_matches('/')),
            _ => uri.strip_prefix("file://").unwrap_or(uri).to_owned(),
        };
        let region = physical.region.as_ref();
        let line = region.and_then(|region| region.start_line).unwrap_or(1);
        Some(Place::new(&unescaped(&path), line, region.and_then(|region| region.start_column)))
    }
}

/// The text, or that of the rule's with its arguments in place of `{0}`.
fn said(message: &Message, rule: Option<&Rule>) -> String {
    let of_rule = || rule?.message_strings.get(message.id.as_deref()?)?.text.clone();
    let mut text = message.text.clone().or_else(of_rule).unwrap_or_default();
    for (index, argument) in message.arguments.iter().enumerate() {
        text = text.replace(&format!("{{{index}}}"), argument);
    }
    text
}

/// `%20` and the like as the bytes that they are.
fn unescaped(uri: &str) -> String {
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or(&[]);
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(runs: &str) -> Reading {
        let mut reading = Reading::default();
        read(&format!(r#"{{"version": "2.1.0", "runs": {runs}}}"#), &mut reading).unwrap();
        reading
    }

    #[test]
    fn level_text_and_place_may_stand_elsewhere() {
        let found = reading(
            r#"[{"tool": {"driver": {"name": "t", "rules": [{"id": "R1", "defaultConfiguration": {"level": "error"},
                "messageStrings": {"default": {"text": "no {0} in {1}"}}}]}},
                "originalUriBaseIds": {"ROOT": {"uri": "file:///w/"}},
                "results": [
                  {"ruleId": "R1/sub", "message": {"id": "default", "arguments": ["x", "y"]},
                   "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a%20b.c", "uriBaseId": "ROOT"},
                                  "region": {"startLine": 3, "startColumn": 4}}}]},
                  {"message": {"text": "plain"}, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "c.c"}}}]},
                  {"level": "note", "message": {"text": "nowhere"}}]}]"#,
        );
        let expected = [
            (Severity::Major, "R1/sub no x in y", Some(Place::new("/w/a b.c", 3, Some(4)))),
            (Severity::Medium, "plain", Some(Place::new("c.c", 1, None))),
            (Severity::Minor, "nowhere", None),
        ]
        .map(|(severity, message, place)| Parsed {
            severity: Some(severity),
            message: message.to_owned(),
            place,
        });
        assert_eq!(found.parsed, expected);
        assert!(found.broke.is_empty());
    }

    #[test]
    fn what_is_no_failure_is_left_out() {
        let found = reading(
            r#"[{"tool": {"driver": {"name": "t"}}, "results": [
                 {"kind": "pass", "message": {"text": "a"}},
                 {"message": {"text": "b"}, "suppressions": [{"kind": "inSource"}]},
                 {"message": {"text": "c"}, "suppressions": [{"kind": "external", "status": "rejected"}]},
                 {"message": {"text": "d"}, "baselineState": "absent"}]}]"#,
        );
        assert_eq!(found.parsed.iter().map(|parsed| parsed.message.as_str()).collect::<Vec<_>>(), ["c"]);
    }

    #[test]
    fn a_tool_that_did_not_succeed_has_not_worked() {
        let found = reading(
            r#"[{"tool": {"driver": {"name": "t"}}, "results": [], "invocations": [{"executionSuccessful": false,
                 "toolExecutionNotifications": [{"level": "error", "message": {"text": "out of memory"}}]}]},
                {"tool": {"driver": {"name": "u"}}}]"#,
        );
        assert_eq!(found.broke, ["out of memory", "its report says that it did not look"]);
        assert_eq!(reading("[]").broke.len(), 1);
    }
}
