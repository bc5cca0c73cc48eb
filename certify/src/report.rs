//! What an examination says, for people and for machines.
//!
//! In -> out: [`Examination`] -> text, JSON.
//! Invariant: text of the package is escaped; a status is a word, never a colour alone.
//! Not here: printing (`orch-host`'s `console.rs`).

use orch_host::console::{escape, escape_cut};
use orch_trust::certificate::CheckStatus;
use serde_json::json;

use crate::examine::Examination;

const FINDING_CHARACTERS_MAX: usize = 400;

/// A table: check, status, what was looked at, findings beneath.
pub fn text(plugin: &str, examination: &Examination) -> String {
    let wide = examination.results.iter().map(|result| result.id.len()).max().unwrap_or_default();
    let mut lines = vec![format!("plugin {} at level {}", escape(plugin), examination.level.as_str())];
    for result in &examination.results {
        let looked_at = match result.status {
            CheckStatus::Skipped | CheckStatus::Error => String::new(),
            _ => format!("looked at {}", result.looked_at),
        };
        let line = format!("  {:wide$}  {:7}  {looked_at}", escape(&result.id), result.status.as_str());
        lines.push(line.trim_end().to_owned());
        for finding in &result.findings {
            lines.push(format!("  {:wide$}    {}", "", escape_cut(finding, FINDING_CHARACTERS_MAX)));
        }
    }
    for unmet in examination.unmet.iter().filter(|unmet| unmet.found == "absent") {
        lines.push(format!("  {:wide$}  absent", unmet.check));
    }
    lines.join("\n")
}

/// The same as one object.
pub fn json(plugin: &str, examination: &Examination) -> serde_json::Value {
    let unmet: Vec<&str> = examination.unmet.iter().map(|unmet| unmet.check.as_str()).collect();
    json!({
        "plugin": plugin,
        "level": examination.level,
        "passed": examination.passed(),
        "checks": examination.results,
        "measured": examination.measured,
        "unmet": unmet,
    })
}

#[cfg(test)]
mod tests {
    use orch_trust::authority::Level;
    use orch_trust::certificate::Measured;

    use super::*;
    use crate::check::failed;

    #[test]
    fn text_of_a_package_cannot_move_the_cursor() {
        let results = vec![failed("imports", 1, vec!["x: \x1b[2K`passed`\r".to_owned()])];
        let examination = Examination {
            level: Level::Local,
            results,
            measured: Measured::default(),
            self_check: None,
            unmet: Vec::new(),
        };
        let shown = text("demo/\x1b[31mx", &examination);
        assert!(!shown.contains('\x1b') && !shown.contains('\r'), "{shown:?}");
        assert!(shown.contains("imports  fail     looked at 1"), "{shown}");
    }
}
